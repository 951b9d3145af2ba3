"""Paths, values and numbers in words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from trialsim.report import words
from trialsim.report.benefit import benefit_points, benefit_words


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("effects.ketamine.specific_share", "Share of the change that is specific to ketamine"),
        ("effects.ketamine.specific_share.midazolam", "Share of the change that is specific to ketamine (midazolam)"),
        ("effects.ketamine.points.qids_sr16", "Effect of ketamine on QIDS-SR16, points"),
        ("effects.ketamine.points.qids_sr16.no_bpd", "Effect of ketamine on QIDS-SR16, points (no bpd)"),
        ("dropout.missing_by.14", "Missing by day 14"),
        ("allocation.ratio", "Allocation ratio"),
        ("schedule.visits", "Days of the visits"),
        ("analysis.primary", "Analysis of primary"),
        ("analysis.primary.1.covariance", "Covariance structure, primary"),
        ("estimands.primary.visit", "Day of the visit, primary"),
        ("estimands.primary.outcome", "Outcome, primary"),
        ("covariance.visits.rho", "Correlation between visits"),
        ("covariance.visits.anchors.14", "Correlation between visits (14)"),
        ("effects.ketamine", "Effect of ketamine"),
        ("something.unheard_of.qids_sr16", "Something, unheard of, QIDS-SR16"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert words.path_words(path, labels={"qids_sr16": "QIDS-SR16"}) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("effects.ketamine.specific_share", 0.34, "34 %"),
        ("effects.ketamine.specific_share", 0, "0 %"),
        ("dropout.missing_by", {14: 0.07}, "14: 7 %"),
        ("population.strata.bpd.share", 1 / 3, "33.33 %"),
        ("outcomes.madrs.post_sd", 11.0, "11"),
        ("effects.ketamine.points.madrs", -2.5, "−2.5"),
        ("allocation.ratio", [2, 1], "2 : 1"),
        ("simulation.seed", 20230419, "20230419"),
        ("covariance.visits.matrix", [[1, 0.5], [0.5, 1]], "1, 0.5; 0.5, 1"),
        ("a.b", True, "yes"),
        ("a.b", None, "none"),
        ("a.b", "mar", "mar"),
        ("analysis.primary.alpha", 0.01, "1 %"),
        ("analysis.primary.covariance", "compound_symmetry", "compound symmetry"),
        ("analysis.primary.method", "t_test", "t test"),
        ("population.strata.bpd.baseline", "defaults.trd_bpd", "defaults.trd_bpd"),
        ("analysis.primary", {"method": "mmrm", "df": None}, "method: MMRM"),
    ],
)
def test_values(path: str, value: Any, expected: str) -> None:
    assert words.value_words(path, value).replace(words.NO_BREAK_SPACE, " ") == expected


def test_values_that_are_names_are_told_by_their_labels() -> None:
    labels = {"madrs": "MADRS", "ketamine": "Ketamine"}
    assert words.value_words("estimands.primary.outcome", "madrs", labels=labels) == "MADRS"
    assert words.value_words("estimands.primary.contrast", ["ketamine", "saline"], labels=labels) == "Ketamine, saline"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.0, "0"), (1234567.0, "1234567"), (math.nan, "not estimable"), (-math.inf, "−infinite")],
)
def test_numbers(value: float, expected: str) -> None:
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("value", "signed", "expected"),
    [
        (-0.004, True, "0.00"),
        (-0.005001, True, "−0.01"),
        (2.0, True, "+2.00"),
        (2.0, False, "2.00"),
        (math.nan, True, "–"),
    ],
)
def test_fixed_numbers(value: float, signed: bool, expected: str) -> None:
    assert words.fixed(value, 2, signed=signed) == expected


def test_lists_of_words() -> None:
    assert words.joined([]) == ""
    assert words.joined(["a"]) == "a"
    assert words.joined(["a", "b", "c"], word="or") == "a, b or c"


def test_benefit_is_positive_where_the_active_arm_does_better() -> None:
    assert benefit_points(-2.0, lower_is_better=True) == 2.0
    assert benefit_points(-2.0, lower_is_better=False) == -2.0
    assert math.copysign(1.0, benefit_points(0.0, lower_is_better=True)) == 1.0


def test_benefit_in_words_names_who_does_better() -> None:
    arms = {"active": "ketamine", "control": "midazolam"}
    assert benefit_words(-2.02, **arms, lower_is_better=True) == "ketamine better than midazolam by 2.02 points"
    assert benefit_words(-2.02, **arms, lower_is_better=False) == "midazolam better than ketamine by 2.02 points"
    assert benefit_words(0.001, **arms, lower_is_better=True) == "no difference between ketamine and midazolam"
