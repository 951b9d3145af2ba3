"""Only what a question needs is made, and what is made does not depend on what else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trialsim.engine.block import analyse_block, blinded, compute_block, draw_block
from trialsim.patients.needed import needed_outcomes
from trialsim.scenario import load, resolve
from trialsim.streams import Streams

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.mark.parametrize("name", ["all_outcomes", "unblinding", "ketamine_dbt_factorial", "durability"])
def test_scores_made_alone_are_those_made_among_all(name: str) -> None:
    resolved = resolve(load(SCENARIOS / f"{name}.yaml"))
    variant = resolved.variants[0]
    whole = draw_block(variant, resolved.hash, Streams(resolved.seed, 3), 40)
    part = draw_block(variant, resolved.hash, Streams(resolved.seed, 3), 40, only_needed=True)
    needed = sorted(needed_outcomes(variant))
    np.testing.assert_array_equal(part.scores[..., needed], whole.scores[..., needed])
    np.testing.assert_array_equal(part.baseline[..., needed], whole.baseline[..., needed])
    np.testing.assert_array_equal(part.present, whole.present)
    others = [k for k in range(len(variant.outcomes)) if k not in needed]
    assert np.isnan(part.scores[..., others]).all()
    assert not np.isnan(whole.scores).any()
    for day, other in zip(part.event_day.values(), whole.event_day.values(), strict=True):
        np.testing.assert_array_equal(day, other)


def test_estimates_are_those_of_the_whole_cohort() -> None:
    resolved = resolve(load(SCENARIOS / "all_outcomes.yaml", settings={"sample_size": 60}))
    variant = resolved.variants[0]
    whole = draw_block(variant, resolved.hash, Streams(resolved.seed, 0), 60)
    assert not np.isnan(blinded(variant, whole).baseline).any()
    lean = compute_block(variant, resolved.hash, resolved.seed, 0)
    full = analyse_block(variant, whole)
    for one, other in zip(lean, full, strict=True):
        np.testing.assert_array_equal(one.estimates.estimate, other.estimates.estimate)
        np.testing.assert_array_equal(one.estimates.se, other.estimates.se)


def test_who_decides_what_is_needed() -> None:
    resolved = resolve(load(SCENARIOS / "all_outcomes.yaml"))
    names = resolved.variants[0].outcomes
    assert {names[k] for k in needed_outcomes(resolved.variants[0])} == {"qids_sr16", "bsl23", "cssrs_ideation"}
    driven = resolve(load(SCENARIOS / "all_outcomes.yaml", settings={"dropout.outcome": "madrs"}))
    assert "madrs" in {names[k] for k in needed_outcomes(driven.variants[0])}
