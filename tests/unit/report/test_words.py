"""Paths, values and numbers in words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from trialsim.report import words


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
        ("estimands.primary.non_inferiority_margin", "Non-inferiority margin, primary"),
        ("estimands.primary.intercurrent_events.dropout", "Strategy for leaving, primary"),
        ("analysis.primary.0.variance", "Standard errors, primary"),
        ("analysis.primary.delta", "Points added to imputed scores, primary"),
        ("multiplicity.weights", "Shares of alpha at the start"),
        ("counts.acts.rate_ratio.ketamine", "Rate ratio of acts, ketamine"),
        ("clusters.therapy_group.icc", "Intraclass correlation, therapy group"),
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
        ("multiplicity.alpha", 0.05, "5 %"),
        ("analysis.primary.interval", "miettinen_nurminen", "miettinen nurminen"),
        ("analysis.primary.method", "g_computation", "g-computation"),
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
