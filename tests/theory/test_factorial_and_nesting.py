"""Simulated power of 2x2 designs and of trials with therapy groups in one arm, against published closed forms.

Expected values are those of tests/oracle/data/external_cases.json (A30 to A32, F6 to F10). Scores are on the real line
and seen at one visit, so that the exact distribution of every test statistic is known; each test says what it allows
besides 4.9 Monte Carlo standard errors, which at 20,000 trials are 0.014 near a power of 0.8 and 0.008 near a level of
0.05.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from trials import changed, resolve, simulate
from trialsim.planning.formulas import partial_nesting

FILE = Path(__file__).parents[1] / "oracle" / "data" / "external_cases.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
REPLICATES = 20_000
CRITICAL = 1.959963984540054
ASYMPTOTIC = 0.015
"""Allowed where the reference knows the variances of groups and the analysis estimates them."""
Z_FOR_T = 0.005
"""Allowed where the reference is normal and the analysis a t test."""

ONE_VISIT: dict[str, Any] = {
    "schema": 1,
    "title": "One score at one visit, on the real line",
    "population": {"strata": {"all": {"share": 1.0, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}}}},
    "outcomes": {
        "score": {
            "scale": "continuous",
            "lower_is_better": False,
            "label": "Score",
            "post_sd": 1.0,
            "baseline_correlation": 0.5,
        }
    },
    "schedule": {"visits": [14]},
    "allocation": {"block_sizes": [4], "stratify_by": []},
    "simulation": {"replicates": 250, "seed": 20230419},
}


def published(name: str) -> list[dict[str, Any]]:
    return [case for case in CASES if case["id"] == name]


def close(share: float, expected: float, allowance: float = 0.0) -> bool:
    return abs(share - expected) <= 4.9 * np.sqrt(expected * (1.0 - expected) / REPLICATES) + allowance


# Two by two


CELLS = ("neither", "second", "first", "both")
CONTRASTS = {
    "primary": [["first", "both"], ["neither", "second"]],
    "second": [["second", "both"], ["neither", "first"]],
    "interaction": {"both": 1, "first": -1, "second": -1, "neither": 1},
}
NAMES = {"first": "primary"}
"""A scenario wants a primary estimand: the main effect of the first factor."""


def two_by_two(inputs: dict[str, Any]) -> dict[str, Any]:
    """The scenario of a case: rows of its means are the levels of the first factor, columns those of the second."""
    (neither, second), (first, both) = inputs["means"]
    means = dict(zip(CELLS, (neither, second, first, both), strict=True))
    question = {"outcome": "score", "visit": 14}
    return changed(
        ONE_VISIT,
        {
            "outcomes.score.post_sd": float(inputs.get("sd", 1.0)),
            "arms": {cell: {} for cell in CELLS},
            "course": {"means": {"score": {cell: [float(mean)] for cell, mean in means.items()}}},
            "estimands": {effect: {**question, "contrast": CONTRASTS[effect]} for effect in CONTRASTS},
            "analysis": {effect: [{"method": "ancova", "covariates": []}] for effect in CONTRASTS},
            "sample_size": [inputs["n_total"]],
        },
    )


DESIGNS = {f"{case['id']}-{case['inputs']['n_total']}": case["inputs"] for name in ("A30", "A31", "A32")
           for case in published(name)}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("design", list(DESIGNS))
def test_power_of_main_effects_and_interaction(design: str) -> None:
    """The reference is the exact noncentral F with the residual variance of all four arms: nothing more is allowed."""
    inputs = DESIGNS[design]
    rows = {
        NAMES.get(case["inputs"]["effect"], case["inputs"]["effect"]): case["expected"]
        for case in published(design.partition("-")[0])
        if case["inputs"]["n_total"] == inputs["n_total"]
    }
    found = dict(zip(CONTRASTS, simulate(two_by_two(inputs), replicates=REPLICATES), strict=True))
    assert rows.keys() == found.keys()
    for effect, result in found.items():
        assert len(result["p"]) == REPLICATES
        assert np.all(result["df"] == inputs["n_total"] - 4)
        assert close(np.mean(result["p"] <= 0.05), rows[effect]), effect


@pytest.mark.parametrize("design", list(DESIGNS))
def test_true_values_of_main_effects_and_interaction(design: str) -> None:
    inputs = DESIGNS[design]
    (neither, second), (first, both) = inputs["means"]
    true = {estimand.name: estimand.true_value for estimand in resolve(two_by_two(inputs)).variants[0].estimands}
    assert true["primary"] == pytest.approx((first + both - neither - second) / 2)
    assert true["second"] == pytest.approx((second + both - neither - first) / 2)
    assert true["interaction"] == pytest.approx(both - first - second + neither)


# Groups in one arm, or in both


NAIVE = [{"method": "ancova", "covariates": []}, {"method": "welch"}]
NESTED = [
    {"method": "nested", "covariates": [], "df": "satterthwaite", "name": "satterthwaite"},
    {"method": "nested", "covariates": [], "df": "kenward-roger", "name": "kenward_roger"},
]
# Published sizes are no whole groups: the trial takes whole groups and an effect with the same noncentrality.
POWERED = [
    (case["inputs"], case["inputs"]["n_total"] / 2, case["inputs"]["n_total"] // 2, case["expected"])
    for case in published("F6")
] + [
    (case["inputs"], case["expected"], case["inputs"]["group_size"] * groups, case["inputs"]["power"])
    for case, groups in zip(published("F7"), (14, 8, 11), strict=True)
]
NAMES_OF_POWERED = ["F6", *(f"F7-{case['inputs']['group_size']}" for case in published("F7"))]
LEVELS = published("F9") + published("F10")
NAMES_OF_LEVELS = [f"{case['id']}-{case['inputs']['group_size']}-{case['inputs']['icc']}" for case in LEVELS]


def grouped(
    size: int, icc: float, per_arm: int, effect: float, *, analyses: list[dict[str, Any]], nested: str = "active"
) -> list[dict[str, np.ndarray]]:
    """Simulate two arms with groups of `size` in the active one or in both, and return each analysis's results."""
    arms = ["active"] if nested == "active" else ["control", "active"]
    document = changed(
        ONE_VISIT,
        {
            "arms": {"control": {}, "active": {}},
            "clusters": {"therapy_group": {"arms": arms, "size": size, "icc": icc}},
            "course": {"means": {"score": {"control": [0.0], "active": [effect]}}},
            "estimands": {"primary": {"outcome": "score", "visit": 14, "contrast": ["active", "control"]}},
            "analysis": {"primary": analyses},
            "sample_size": [2 * per_arm],
        },
    )
    results = simulate(document, replicates=REPLICATES)
    assert all(len(result["p"]) == REPLICATES and np.all(result["status"] == 0) for result in results)
    return results


def error(size: int, icc: float, per_arm: int) -> float:
    """Standard error of the difference of means, variance 1 in both arms, groups in one."""
    return math.sqrt((2.0 + (size - 1) * icc) / per_arm)


@pytest.mark.slow
@pytest.mark.parametrize(("given", "published_size", "per_arm", "power"), POWERED, ids=NAMES_OF_POWERED)
def test_power_with_groups_in_one_arm(given: dict[str, Any], published_size: float, per_arm: int, power: float) -> None:
    """With known variances the published power is exact: nothing is allowed besides Monte Carlo error.

    An analysis that does not know them has the power of Satterthwaite's t with groups - 1 and participants - 1 degrees
    of freedom, 0.02 to 0.04 less with so few groups; one that ignores the groups rejects more often than it should.
    """
    size, icc = given["group_size"], given["icc"]
    effect = given["difference"] * math.sqrt(published_size / per_arm)
    *known, naive, welch = grouped(size, icc, per_arm, effect, analyses=[*NESTED, *NAIVE])
    se = error(size, icc, per_arm)
    for result in (*known, naive, welch):
        assert close(np.mean(np.abs(result["estimate"]) / se > CRITICAL), power)
    design = {"difference": effect, "icc": icc, "group_size": size, "n_total": 2 * per_arm}
    by_t = partial_nesting.partially_nested(**design, reference="t").power
    for result in known:
        assert close(np.mean(result["p"] <= 0.05), by_t)
    shrunk = CRITICAL * math.sqrt(2.0 / per_arm) / se
    overstated = float(ndtr(effect / se - shrunk) + ndtr(-effect / se - shrunk))
    for result in (naive, welch):
        assert close(np.mean(result["p"] <= 0.05), overstated, Z_FOR_T)


@pytest.mark.slow
def test_power_with_many_groups_in_one_arm_is_that_with_known_variances() -> None:
    """Half the effect in four times the patients has the published power; with 32 groups t takes 0.009 of it."""
    case = published("F6")[0]
    given, per_arm = case["inputs"], 2 * case["inputs"]["n_total"]
    results = grouped(given["group_size"], given["icc"], per_arm, given["difference"] / 2, analyses=NESTED)
    for result in results:
        assert close(np.mean(result["p"] <= 0.05), case["expected"], ASYMPTOTIC)


@pytest.mark.slow
@pytest.mark.parametrize("case", LEVELS, ids=NAMES_OF_LEVELS)
def test_level_where_groups_are_ignored(case: dict[str, Any]) -> None:
    """Twenty groups an arm; allowed is the tolerance of the reference, which knows the total variance."""
    given = case["inputs"]
    size = given["group_size"]
    results = grouped(size, given["icc"], 20 * size, 0.0, analyses=NAIVE, nested=given["nested"])
    for result in results:
        assert close(np.mean(result["p"] <= 0.05), case["expected"], case["tolerance"])


@pytest.mark.slow
def test_level_where_groups_are_in_the_model() -> None:
    """Where ignoring twenty groups of ten with a correlation of 0.1 doubles the level, the model keeps it."""
    for result in grouped(10, 0.1, 200, 0.0, analyses=NESTED):
        assert close(np.mean(result["p"] <= 0.05), 0.05)
