"""What planning asks of the engine: successes of the replicates of a block, as a run would count them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trialsim.analysis.contract import FAILED
from trialsim.engine.block import compute_block
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.successes import Unit, ask, run
from trialsim.scenario import load, resolve

ROOT = Path(__file__).resolve().parents[3]
SECOND = {"outcome": "qids_sr16", "visit": 7, "contrast": ["ketamine", "midazolam"]}


@pytest.fixture(scope="module")
def resolved():
    settings = {
        "estimands.second": SECOND,
        "multiplicity": {"method": "holm", "hypotheses": ["primary", "second"]},
        "sample_size": [40, 80],
    }
    return resolve(load(ROOT / "scenarios/quick_start.yaml", settings=settings))


def successes(resolved, goal, sizes, block=1):
    asked = ask(resolved.variants[0], resolved.hash, goal)
    return run([Unit(0, block, ((asked, sizes),))], resolved.seed, 1)[0]


def cells(resolved, block=1):
    found = compute_block(resolved.variants[0], resolved.hash, resolved.seed, block)
    return {(cell.n, cell.hypothesis): cell for cell in found}


def test_successes_are_what_a_run_counts(resolved):
    """The primary alone at its own level, each within the procedure, and both in the same replicate."""
    by_cell = cells(resolved)
    members = (Hypothesis(0, 0), Hypothesis(1, 0))
    alone, primary, each, together = (
        successes(resolved, goal, (40, 80)) for goal in ("alone", "primary", "each", "all")
    )
    for place, n in enumerate((40, 80)):
        own = by_cell[n, members[0]]
        np.testing.assert_array_equal(
            alone[place].found[:, 0], (own.estimates.p <= 0.05) & (own.estimates.estimate < 0)
        )
        held = np.stack(
            [(by_cell[n, m].p_adjusted <= 0.05) & (by_cell[n, m].estimates.estimate < 0) for m in members], axis=1
        )
        np.testing.assert_array_equal(each[place].found, held)
        np.testing.assert_array_equal(primary[place].found, held[:, :1])
        np.testing.assert_array_equal(together[place].found[:, 0], held.all(axis=1))
        assert alone[place].usable.all() == (own.estimates.status != FAILED).all()
        assert alone[place].missing[0] == pytest.approx(own.share_missing.mean())


def test_sizes_do_not_depend_on_each_other(resolved):
    both, alone = successes(resolved, "primary", (40, 80)), successes(resolved, "primary", (40,))
    np.testing.assert_array_equal(both[0].found, alone[0].found)


def test_units_come_back_in_their_order(resolved):
    asked = ask(resolved.variants[0], resolved.hash, "primary")
    units = [Unit(i, block, ((asked, (40,)),)) for i, block in enumerate((3, 1, 2))]
    for workers in (1, 2):
        for unit, (answer,) in zip(units, run(units, resolved.seed, workers), strict=True):
            np.testing.assert_array_equal(answer.found, successes(resolved, "primary", (40,), unit.block)[0].found)


def test_without_a_procedure_first_analyses_are_asked(resolved):
    variant = replace(resolved.variants[0], multiplicity=None)
    asked = ask(variant, resolved.hash, "each")
    assert asked.members == (Hypothesis(0, 0), Hypothesis(1, 0))
    assert asked.signs == (-1, -1)


def test_the_primary_hypothesis_is_asked_within_its_procedure(resolved):
    """Co-primary: with all others, whatever stands outside the procedure; outside of it: alone, at its own level."""
    given = load(
        ROOT / "scenarios/quick_start.yaml",
        settings={
            "estimands.between": SECOND,
            "estimands.second": SECOND,
            "multiplicity": {"method": "co_primary", "hypotheses": ["primary", "second"]},
            "sample_size": [40],
        },
    )
    both = resolve(given)
    asked = ask(both.variants[0], both.hash, "primary")
    assert (asked.together, asked.procedure) == (True, "co_primary")
    assert [asked.variant.estimands[m.estimand].name for m in asked.members] == ["primary", "second"]
    assert len(asked.variant.estimands) == 2
    by_cell = cells(both)
    held = [
        (by_cell[40, m].estimates.p <= 0.05) & (by_cell[40, m].estimates.estimate < 0)
        for m in (Hypothesis(0, 0), Hypothesis(2, 0))
    ]
    np.testing.assert_array_equal(successes(both, "primary", (40,))[0].found[:, 0], held[0] & held[1])
    plan = replace(both.variants[0].multiplicity, hypotheses=((1, 0), (2, 0)))
    outside = ask(replace(both.variants[0], multiplicity=plan), both.hash, "primary")
    assert (outside.together, outside.procedure, outside.members) == (False, "", (Hypothesis(0, 0),))


def test_an_interaction_counts_on_the_side_of_the_truth():
    settings = {"estimands.primary.interaction": ["bpd", "no_bpd"]}
    scenario = load(ROOT / "scenarios/quick_start.yaml", settings=settings)
    variant = resolve(scenario).variants[0]
    assert ask(variant, "none", "primary").signs == (0,)  # the same effect in both strata
    for value, side in ((1.5, 1), (-1.5, -1)):
        estimand = replace(variant.estimands[0], true_value=value)
        assert ask(replace(variant, estimands=(estimand,)), "none", "primary").signs == (side,)
