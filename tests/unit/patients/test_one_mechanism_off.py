"""With every mechanism on, one that is switched off moves nobody whom it does not concern, to the bit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from trials import resolve
from trialsim.engine.block import draw_block
from trialsim.patients.cohort import Cohort
from trialsim.streams import Streams

EVERYTHING = Path(__file__).parents[3] / "benchmarks" / "everything.yaml"
FEWER: dict[str, Any] = {
    "outcomes": {"qids_sr16": {}, "madrs": {}},
    "schedule.visits": [7, 14, 42],
    "therapies.dbt.weeks": 6,
    "therapies.dbt.effects": {"qids_sr16": {"points": -1}, "madrs": {"points": -2}},
    "dropout.missing_by": {14: 0.07, 42: 0.12},
    "population.strata": {"bpd": {"share": 1.0, "baseline": "defaults.trd_bpd"}},
    "clusters.site": None,
}
"""The same mechanisms in fewer outcomes and visits. Sites share a part of everybody's scores, so they concern all."""

pytestmark = pytest.mark.filterwarnings("ignore:.*fades by itself:trialsim.errors.ScenarioWarning")
"""Relapse beside an infusion model is seldom meant; here all are on."""

SCORES = ("baseline", "scores", "present")
FATE = ("event_day", "records", "counts")


@cache
def drawn(*off: str) -> Cohort:
    document = yaml.safe_load(EVERYTHING.read_text(encoding="utf-8"))
    resolved = resolve(document, {**FEWER, **dict.fromkeys(off)})
    return draw_block(resolved.variants[0], resolved.hash, Streams(11, 0), 24)


def parts(cohort: Cohort, name: str) -> dict[str, np.ndarray]:
    part = getattr(cohort, name)
    if name == "counts" and part is not None:
        return {"counts": part[..., :1]}  # suicide attempts, which belong to safety, come after what is counted
    return dict(part) if name in ("event_day", "records") else {name: part}


def same(off: str, names: tuple[str, ...], who: Any = None) -> None:
    """Compare what both cohorts have of some parts, in those whom the mechanism does not concern."""
    whole, without = drawn(), drawn(off)
    compared = 0
    for name in names:
        ours, theirs = parts(whole, name), parts(without, name)
        for key in ours.keys() & theirs.keys():
            keep = slice(None) if who is None else who(whole)
            np.testing.assert_array_equal(theirs[key][keep], ours[key][keep], err_msg=f"{key} without {off}")
            compared += 1
    assert compared >= len(names)


def no_therapy(cohort: Cohort) -> np.ndarray:
    return cohort.arm < 2


def no_ketamine(cohort: Cohort) -> np.ndarray:
    return cohort.arm % 2 == 0


def missed_nothing(cohort: Cohort) -> np.ndarray:
    return cohort.present.all(axis=2)


def never_happened(event: str) -> Any:
    return lambda cohort: np.isinf(cohort.event_day[event])


@pytest.mark.parametrize("off", ["safety", "population.characteristics", "counts"])
def test_what_is_only_recorded(off: str) -> None:
    same(off, (*SCORES, *(part for part in FATE if part != off)))


def test_who_leaves() -> None:
    same("dropout", ("baseline", "scores", *FATE))


@pytest.mark.parametrize(
    ("off", "who"),
    [
        ("therapies.dbt.attendance", no_therapy),
        ("clusters.skills_group", no_therapy),
        ("heterogeneity", no_ketamine),
        ("missing", missed_nothing),
        ("events.rescue", never_happened("rescue")),
        ("events.relapse", never_happened("relapse")),
    ],
)
def test_what_concerns_some(off: str, who: Any) -> None:
    """Who is seen is left out: the hazards of leaving are solved for the trial as a whole."""
    same(off, ("baseline", "scores", *FATE), who)
    changed = drawn().scores != drawn(off).scores
    assert changed.any()


def test_raters_leave_what_patients_rate_themselves() -> None:
    whole, without = drawn(), drawn("raters")
    np.testing.assert_array_equal(without.scores[..., 0], whole.scores[..., 0])
    assert (without.scores[..., 1] != whole.scores[..., 1]).any()
