"""Sets of controlled trials: standard errors that follow from what was published, and what they pool to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trialsim import evidence
from trialsim.evidence import pooling
from trialsim.kernels.meta_analysis import between_study_interval, heterogeneity, random_effects

Z95 = 1.959963984540054


def value(name):
    return evidence.get(name).value


def sd(name):
    found = evidence.get(name)
    assert found.spread_kind == "sd"
    return found.spread


def of_two_arms(active, control, per_arm):
    return math.sqrt((sd(active) ** 2 + sd(control) ** 2) / per_arm)


def of_smd(effect, n_active, n_control):
    return math.sqrt(1 / n_active + 1 / n_control + effect**2 / (2 * (n_active + n_control)))


def log_odds_ratio(active, n_active, control, n_control):
    counts = (active, n_active - active, control, n_control - control)
    return math.log(counts[0] * counts[3] / (counts[1] * counts[2])), math.sqrt(sum(1 / count for count in counts))


SINGH = 67 / 4

DERIVED_ERRORS = {
    "murrough2013.madrs.effect": lambda: (12.71 - 3.20) / (2 * Z95) / value("murrough2013.madrs.implied_sd"),
    "jelovac2025.madrs.effect": lambda: (
        value("jelovac2025.madrs.effect")
        / value("jelovac2025.madrs.difference")
        * pooling.standard_error(evidence.get("jelovac2025.madrs.difference"))
    ),
    "singh2016.twice_weekly.madrs.difference": lambda: of_two_arms(
        "singh2016.twice_weekly.ketamine.madrs.change", "singh2016.twice_weekly.saline.madrs.change", SINGH
    ),
    "singh2016.thrice_weekly.madrs.difference": lambda: of_two_arms(
        "singh2016.thrice_weekly.ketamine.madrs.change", "singh2016.thrice_weekly.saline.madrs.change", SINGH
    ),
    "singh2016.twice_weekly.madrs.effect": lambda: of_smd(value("singh2016.twice_weekly.madrs.effect"), SINGH, SINGH),
    "singh2016.thrice_weekly.madrs.effect": lambda: of_smd(value("singh2016.thrice_weekly.madrs.effect"), SINGH, SINGH),
    "lii2023.madrs.difference.day_14": lambda: of_two_arms(
        "lii2023.ketamine.madrs.day_14", "lii2023.saline.madrs.day_14", 19
    ),
    "mcmain2017.bsl23.difference": lambda: of_two_arms(
        "mcmain2017.dbt.bsl23.week_20", "mcmain2017.waitlist.bsl23.week_20", 42
    ),
    "priebe2012.zan_bpd.effect": lambda: of_smd(value("priebe2012.zan_bpd.effect"), 33, 37),
    "jpn_dbt.bsl23.effect": lambda: of_smd(value("jpn_dbt.bsl23.effect"), 24, 24),
    "stoffers_winterling2022.dbt_skills.severity": lambda: 0.66 / 3.0902,  # the normal quantile of 1 - 0.002 / 2
    "murrough2013.midazolam.madrs.change": lambda: value("murrough2013.madrs.implied_sd") / math.sqrt(25),
    "murrough2013.response.log_odds_ratio": lambda: log_odds_ratio(30, 47, 7, 25)[1],
    "jelovac2025.response.log_odds_ratio": lambda: log_odds_ratio(15, 32, 10, 30)[1],
    "su2023.response.log_odds_ratio": lambda: log_odds_ratio(15, 42, 5, 42)[1],
    "su2023.response.effect": lambda: log_odds_ratio(15, 42, 5, 42)[1] * math.sqrt(3) / math.pi,
}


@pytest.mark.parametrize("name", DERIVED_ERRORS)
def test_derived_standard_errors_follow_from_their_basis(name):
    found = evidence.get(name)
    assert found.spread_kind == "se"
    assert found.spread == pytest.approx(DERIVED_ERRORS[name](), rel=0.005)
    assert "standard error" in found.basis.lower()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("murrough2013.response.log_odds_ratio", log_odds_ratio(30, 47, 7, 25)[0]),
        ("jelovac2025.response.log_odds_ratio", log_odds_ratio(15, 32, 10, 30)[0]),
        ("su2023.response.log_odds_ratio", log_odds_ratio(15, 42, 5, 42)[0]),
        ("su2023.response.effect", -log_odds_ratio(15, 42, 5, 42)[0] * math.sqrt(3) / math.pi),
        ("lii2023.madrs.difference.day_14", 16.9 - 16.2),
        ("priebe2012.zan_bpd.effect", (13.1 - 15.9) / math.sqrt((32 * 6.9**2 + 36 * 7.5**2) / 68)),
        ("jpn_dbt.bsl23.effect", (1.71 - 2.09) / math.sqrt((0.82**2 + 0.86**2) / 2)),
    ],
)
def test_derived_effects_follow_from_their_basis(name, expected):
    assert value(name) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    ("name", "active", "n_active", "control", "n_control"),
    [("murrough2013", 30, 47, 7, 25), ("jelovac2025", 15, 32, 10, 30), ("su2023", 15, 42, 5, 42)],
)
def test_counts_of_responders_are_those_of_the_published_percentages(name, active, n_active, control, n_control):
    assert value(f"{name}.ketamine.response") == pytest.approx(active / n_active, abs=0.005)
    assert value(f"{name}.midazolam.response") == pytest.approx(control / n_control, abs=0.005)


def test_the_split_of_62_is_the_only_one_that_gives_both_percentages():
    splits = [
        (active, n, control)
        for n in range(2, 61)
        for active in range(n + 1)
        for control in range(63 - n)
        if round(100 * active / n, 1) == 46.9 and round(100 * control / (62 - n), 1) == 33.3
    ]
    assert splits == [(15, 32, 10)]


def test_standard_errors_come_from_the_printed_one_or_the_interval():
    assert pooling.standard_error(evidence.get("daly2018.placebo.madrs.change.week_1")) == 1.74
    interval = evidence.get("jelovac2025.qids_sr16.difference")
    assert pooling.standard_error(interval) == pytest.approx(5.42 / (2 * Z95), rel=1e-12)
    ratio = evidence.get("daly2019.remitters.hazard_ratio")
    assert pooling.standard_error(ratio, log=True) == pytest.approx(math.log(0.84 / 0.29) / (2 * Z95), rel=1e-12)
    with pytest.raises(ValueError, match=r"danayan2023\.bpd\.qids_sr16\.change has no standard error"):
        pooling.standard_error(evidence.get("danayan2023.bpd.qids_sr16.change"))


@pytest.mark.parametrize("name", evidence.study_set_names())
def test_every_set_is_what_the_kernel_makes_of_its_trials(name):
    studies, pooled = evidence.study_set(name), evidence.pool(name)
    y = np.array([[effect.estimate for effect in studies.effects]])
    se = np.array([[effect.se for effect in studies.effects]])
    kernel, found = random_effects(y, se, at_least_fixed=True), heterogeneity(y, se)
    ours = [getattr(pooled, field) for field in ("mean", "low", "high", "tau2", "predictive_low", "predictive_high")]
    theirs = [
        getattr(kernel, field)[0] for field in ("mean", "low", "high", "tau2", "predictive_low", "predictive_high")
    ]
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal([pooled.q, pooled.q_p, pooled.i2], [found.q[0], found.p[0], found.i2[0]])
    np.testing.assert_array_equal([pooled.tau2_low, pooled.tau2_high], np.ravel(between_study_interval(y, se)))
    assert pooled.k == len(studies.effects) == len(pooled.effects)
    assert len({effect.name for effect in studies.effects}) == pooled.k
    assert studies.label


def test_one_trial_pools_to_itself():
    pooled = evidence.pool("pools.ketamine_vs_midazolam.madrs.day1")
    assert pooled.k == 1
    assert pooled.mean == pytest.approx(-7.95, rel=1e-12)
    assert (pooled.low, pooled.high) == pytest.approx((-12.71, -3.20), abs=0.006)
    assert math.isnan(pooled.tau2)
    assert pooled.words.endswith("one trial, as published.")


def test_a_set_by_hand_is_pooled_and_a_bad_one_refused():
    effects = evidence.study_set("pools.ketamine_vs_saline.madrs.day15").effects
    made = evidence.StudySet(name="mine", label="My trials", unit="points", effects=effects)
    assert evidence.pool(made).mean == evidence.pool("pools.ketamine_vs_saline.madrs.day15").mean
    with pytest.raises(ValueError, match="mine cannot be pooled: no study"):
        evidence.pool(evidence.StudySet(name="mine", label="My trials", unit="points", effects=()))


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(evidence.UnknownEvidenceError, match=r"pools\.ketamine_vs_saline\.madrs\.week2"):
        evidence.study_set("pools.ketamine_vs_saline.madrs.week3")
    with pytest.raises(evidence.UnknownEvidenceError):
        evidence.pool("ketamine")


def test_effects_against_a_control_favour_the_active_arm_downwards_on_every_score():
    """All sets but the odds ratio are on scores that fall when patients improve; none of these means is positive."""
    for name in evidence.study_set_names():
        mean = evidence.pool(name).mean
        assert mean > 0 if "response" in name else mean < 0, name
