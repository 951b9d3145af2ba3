"""Numbers in the unit of their measure, and who does better by how much."""

from __future__ import annotations

import math

import pytest

from trialsim.report import measures
from trialsim.report.benefit import Sides, benefit_value, benefit_words, number_needed
from trialsim.report.claims import everywhere_null_note, nominal_level, null_note, power_name
from trialsim.scenario.methods import MEASURES

ARMS = Sides("ketamine", "midazolam")
RESPONSE = Sides("ketamine", "midazolam", "response", "responders")
RELAPSE = Sides("ketamine", "midazolam", "relapse", "patients with a relapse")
STRATA = Sides("ketamine", "midazolam", "response", "responders", ("BPD", "no BPD"))


@pytest.mark.parametrize(
    ("measure", "value", "expected"),
    [
        ("difference", -2.02, "−2.02 points"),
        ("risk_difference", 0.1134, "+11.3 percentage points"),
        ("event_free_difference", -0.05, "−5.0 percentage points"),
        ("superiority", -0.098, "−0.098 (probability of a higher score 40.2 %)"),
        ("restricted_mean_difference", 6.78, "+6.8 days"),
        ("log_odds_ratio", 0.63, "+0.63 (odds ratio 1.88)"),
        ("log_hazard_ratio", -0.51, "−0.51 (hazard ratio 0.60)"),
        ("log_rate_ratio", 0.0, "0.00 (rate ratio 1.00)"),
    ],
)
def test_quantities_for_sentences(measure: str, value: float, expected: str) -> None:
    assert measures.quantity(value, measure, signed=True).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("measure", "value", "error", "expected"),
    [
        ("difference", -2.02, 0.0, "−2.02"),
        ("difference", -2.02, 0.003, "−2.02 ± 0.003"),
        ("risk_difference", 0.113, 0.0007, "+11.3 ± 0.07"),
        ("log_hazard_ratio", -0.51, 0.0, "−0.51 (ratio 0.60)"),
        ("log_hazard_ratio", -0.51, 0.002, "−0.51 ± 0.002 (ratio 0.60)"),
        ("superiority", 0.1, 0.0, "+0.100"),
    ],
)
def test_true_values_in_tables(measure: str, value: float, error: float, expected: str) -> None:
    assert measures.true_value(value, error, measure) == expected


def test_every_measure_has_a_unit_and_a_margin_in_words() -> None:
    for measure in MEASURES:
        assert measures.unit_of(measure)
        assert measures.margin_words(0.1, measure)
    assert measures.margin_words(0.1, "risk_difference") == "10 percentage points"
    assert measures.margin_words(math.log(1.25), "log_odds_ratio") == "0.22 on the log scale (a factor of 1.25)"
    assert measures.margin_words(1.5, "difference") == "1.5 points"


def test_a_number_that_is_missing_is_a_dash() -> None:
    assert measures.with_error(math.nan, math.nan, "risk_difference") == "–"


@pytest.mark.parametrize(
    ("effect", "measure", "sign", "sides", "expected"),
    [
        (-2.02, "difference", -1, ARMS, "ketamine better than midazolam by 2.02 points"),
        (-2.02, "difference", 1, ARMS, "midazolam better than ketamine by 2.02 points"),
        (0.001, "difference", -1, ARMS, "no difference between ketamine and midazolam"),
        (
            0.113, "risk_difference", 1, RESPONSE,
            "ketamine better than midazolam: with ketamine 11.3 more responders per 100; number needed to treat 9",
        ),
        (
            -0.05, "risk_difference", 1, RESPONSE,
            "midazolam better than ketamine: with ketamine 5.0 fewer responders per 100; number needed to harm 20",
        ),
        (
            -0.128, "risk_difference", -1, RELAPSE,
            "ketamine better than midazolam: with ketamine 12.8 fewer patients with a relapse per 100; number needed "
            "to treat 8",
        ),
        (
            0.061, "event_free_difference", 1, RELAPSE,
            "ketamine better than midazolam: with ketamine 6.1 more patients without relapse per 100; number needed to "
            "treat 17",
        ),
        (
            -0.147, "event_free_difference", -1, RESPONSE,
            "ketamine better than midazolam: with ketamine 14.7 more responders per 100; number needed to treat 7",
        ),
        (
            6.8, "restricted_mean_difference", 1, RELAPSE,
            "ketamine better than midazolam: with ketamine 6.8 more days without relapse",
        ),
        (
            -9.8, "restricted_mean_difference", -1, RESPONSE,
            "ketamine better than midazolam: with ketamine 9.8 days less until response",
        ),
        (-0.51, "log_hazard_ratio", -1, RELAPSE, "ketamine better than midazolam: hazard ratio of relapse 0.60"),
        (
            -0.098, "superiority", -1, ARMS,
            "ketamine better than midazolam: a patient on ketamine does better than one on midazolam with a "
            "probability of 59.8 % (ties count half)",
        ),
        (
            -0.1, "risk_difference", 1, STRATA,
            "the effect of ketamine against midazolam is more favourable in no BPD than in BPD, by 10.0 percentage "
            "points",
        ),
        (
            0.6, "log_odds_ratio", 1, STRATA,
            "the effect of ketamine against midazolam is more favourable in BPD than in no BPD, by a ratio of odds "
            "ratios of 1.82",
        ),
        (0.0, "log_odds_ratio", 1, STRATA, "no difference between BPD and no BPD"),
    ],
)  # fmt: skip
def test_benefit_in_words(effect: float, measure: str, sign: int, sides: Sides, expected: str) -> None:
    assert benefit_words(effect, measure=measure, sign=sign, sides=sides).replace("\u00a0", " ") == expected


def test_benefit_is_positive_where_the_active_arm_does_better() -> None:
    assert benefit_value(-2.0, sign=-1) == 2.0
    assert benefit_value(-2.0, sign=1) == -2.0
    assert math.copysign(1.0, benefit_value(0.0, sign=-1)) == 1.0


@pytest.mark.parametrize(("difference", "expected"), [(0.1, 10), (0.113, 9), (-0.05, 20), (1.0, 1), (0.0999, 11)])
def test_numbers_needed_are_rounded_up(difference: float, expected: int) -> None:
    assert number_needed(difference) == expected


def test_a_margin_halves_the_level_and_names_the_claim() -> None:
    assert nominal_level(0.05, "superiority") == 0.05
    assert nominal_level(0.05, "non_inferiority") == nominal_level(0.05, "equivalence") == 0.025
    assert power_name(["equivalence", "equivalence"]) == "Power to show equivalence"
    assert power_name(["superiority", "equivalence"]) == "Power"
    assert "true difference is 0" in null_note(["superiority", "equivalence"])
    assert "reaches the margin" in null_note(["superiority", "equivalence"])
    assert "make the claim" in everywhere_null_note(["equivalence"])
    assert "either way" in everywhere_null_note(["superiority"])
