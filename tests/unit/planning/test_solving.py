"""Whichever of effect, size and power is left out: the three answers agree; sizes are rounded up; faults are told."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial

import pytest

from trialsim.errors import InputError
from trialsim.planning.formulas import (
    ancova,
    association,
    assurance,
    clustered,
    equivalence,
    factorial,
    longitudinal,
    means,
    parallel_comparison,
    partial_nesting,
    proportions,
    ranks,
    slopes,
    survival,
)
from trialsim.planning.formulas.answer import rounded_up

COVARIANCE = slopes.random_slope_covariance(
    [0, 1, 2, 4], residual_variance=10, intercept_variance=20, slope_variance=1, intercept_slope_covariance=-1
)
TESTS = {
    "t": (partial(means.two_sample_t, ratio=(2, 1), sd=8), "difference", 3.0),
    "t, either direction": (partial(means.two_sample_t, either_direction=True), "difference", 0.4),
    "t, one-sided, margin": (partial(means.two_sample_t, null=-0.3, sides=1, alpha=0.025), "difference", 0.1),
    "Welch": (partial(means.welch_t, sd=(5, 9), ratio=(1, 2)), "difference", 4.0),
    "z": (partial(means.two_sample_z, sd=(5, 9)), "difference", 4.0),
    "one sample": (partial(means.one_sample_t, null=1.0), "difference", 1.5),
    "paired": (partial(means.paired_t, sd=(5, 6), correlation=0.4), "difference", 2.0),
    "ratio": (partial(means.mean_ratio_t, null=0.8, variation=0.4), "mean_ratio", 1.0),
    "non-inferiority": (partial(equivalence.noninferiority_means, margin=2, sd=6), "difference", 0.5),
    "ANCOVA": (partial(ancova.ancova, correlation=0.5, covariates=2), "difference", 0.5),
    "ANCOVA, both tails": (partial(ancova.ancova, correlation=0.5, either_direction=True), "difference", 0.5),
    "change": (partial(ancova.ancova, correlation=0.7, analysis="change"), "difference", 0.5),
    "two proportions": (partial(proportions.two_proportions, p_control=0.3), "p_active", 0.5),
    "unpooled, down": (
        partial(proportions.two_proportions, p_control=0.3, variance="unpooled", direction="down"),
        "p_active",
        0.1,
    ),
    "arcsine": (partial(proportions.arcsine_proportions, p_control=0.3), "p_active", 0.5),
    "Farrington-Manning": (partial(proportions.farrington_manning, p_control=0.7, null=-0.1), "p_active", 0.72),
    "risk ratio": (
        partial(proportions.farrington_manning, p_control=0.25, measure="ratio", ratio=(1, 2)),
        "p_active",
        0.4,
    ),
    "odds ratio": (partial(proportions.odds_ratio, p_control=0.2), "p_active", 0.4),
    "log-rank": (
        partial(survival.logrank, control_hazard=0.1, accrual=12, follow_up=6, dropout_hazard=(0.01, 0.02)),
        "hazard_ratio",
        0.6,
    ),
    "Freedman": (
        partial(survival.logrank, control_hazard=0.1, accrual=12, follow_up=6, method="freedman"),
        "hazard_ratio",
        0.6,
    ),
    "Lachin-Foulkes": (
        partial(survival.logrank, control_hazard=0.1, accrual=12, follow_up=6, method="lachin-foulkes", ratio=(1, 2)),
        "hazard_ratio",
        0.6,
    ),
    "one-way": (partial(factorial.one_way, groups=4, covariates=1, r_squared=0.2), "f", 0.25),
    "correlation": (association.correlation_test, "r", 0.3),
    "table": (partial(association.chi_square_test, df=2), "w", 0.3),
    "MMRM": (partial(longitudinal.mmrm, sd=(8, 9), inflation=(1.2, 1.3)), "difference", 4.0),
    "slopes": (partial(slopes.slope_difference, times=[0, 1, 2, 4], visit_covariance=COVARIANCE), "difference", 0.6),
    "therapy groups": (partial(partial_nesting.partially_nested, icc=0.05, group_size=8), "difference", 0.5),
    "therapy groups, t": (
        partial(partial_nesting.partially_nested, icc=0.05, group_size=8, reference="t", ratio=(1, 2)),
        "difference",
        0.5,
    ),
    "Mann-Whitney": (partial(ranks.mann_whitney, ratio=(1, 3)), "superiority", 0.62),
    "signed rank": (ranks.signed_rank, "superiority", 0.7),
    "sign": (ranks.sign_test, "superiority", 0.7),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize("power", [0.6, 0.9])
def test_size_power_and_effect_agree(name, power):
    ask, effect_name, effect = TESTS[name]
    size = ask(**{effect_name: effect}, power=power)
    assert size.quantity == "size"
    assert ask(**{effect_name: effect}, n_total=size.n_total).power == pytest.approx(power, abs=1e-9)
    found = ask(**{effect_name: None}, n_total=size.n_total, power=power)
    assert found.value == found.effect == pytest.approx(effect, rel=1e-6)
    rounded = ask(**{effect_name: effect}, n_total=size.n_total_rounded).power
    assert power - 1e-9 <= rounded < power + 0.15


@pytest.mark.parametrize("name", TESTS)
def test_power_rises_with_size(name):
    ask, effect_name, effect = TESTS[name]
    powers = [ask(**{effect_name: effect}, n_total=n).power for n in (60, 90, 200, 1e3, 1e5)]
    assert powers == sorted(powers)
    assert powers[-1] > 0.99


@pytest.mark.parametrize(
    ("ask", "size_name", "effect"),
    [
        (partial(survival.logrank_events, ratio=(1, 2)), "events", {"hazard_ratio": 0.6}),
        (partial(clustered.cluster_randomised_means, icc=0.05, cluster_size=20), "clusters", {"difference": 0.4}),
        (
            partial(
                clustered.cluster_randomised_proportions, p_control=0.5, icc=0.05, cluster_size=20, direction="down"
            ),
            "clusters",
            {"p_active": 0.3},
        ),
    ],
)
def test_sizes_of_other_units(ask, size_name, effect):
    (name, value), power = next(iter(effect.items())), 0.8
    size = ask(**effect, power=power)
    assert size.unit == size_name
    assert ask(**effect, **{size_name: size.n_total}).power == pytest.approx(power, abs=1e-9)
    assert ask(**{size_name: size.n_total}, power=power).effect == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize(
    ("n", "parts", "expected"),
    [
        ((63.766, 63.766), (1, 1), (64, 64)),
        ((64.0, 64.0), (1, 1), (64, 64)),
        ((64.000001, 64.000001), (1, 1), (64, 64)),
        ((64.001, 64.001), (1, 1), (65, 65)),
        ((43.2, 86.4), (1, 2), (44, 88)),
        ((43.2, 86.4), (2, 4), (44, 88)),
        ((41.9, 62.9), (2, 3), (42, 63)),
        ((10.1, 7.2), (1.41, 1.0), (11, 8)),
        ((20.3,), (1,), (21,)),
        ((20.3, 8.0), (), (21, 8)),
    ],
)
def test_rounding_up_to_the_allocation_ratio(n, parts, expected):
    assert rounded_up(n, parts) == expected


def test_an_answer_says_what_it_is():
    answer = means.two_sample_t(difference=0.5, power=0.9)
    assert str(answer) == (
        "power 0.9000, effect 0.5, 86 + 86 participants (two-sample t test, noncentral t; two-sided 0.05)"
    )
    assert answer.value == answer.n_total == pytest.approx(170.0626, abs=1e-3)
    assert answer.n_total_rounded == 172
    assert dict(answer.inputs) == {"sd": 1.0, "null": 0.0}
    with pytest.raises(TypeError):
        answer.inputs["sd"] = 2.0


FAULTS = {
    "nothing left out": (partial(means.two_sample_t, difference=1, n_total=20, power=0.8), "leave out exactly one"),
    "two left out": (partial(means.two_sample_t, difference=1), "n_total and power are left out"),
    "negative sd": (partial(means.two_sample_t, difference=1, sd=-1, power=0.8), "sd: must be a number above 0"),
    "NaN": (partial(means.two_sample_t, difference=math.nan, power=0.8), "difference: must be a finite number"),
    "power of 1": (partial(means.two_sample_t, difference=1, power=1.0), "power: must lie between 0 and 1"),
    "three arms": (partial(means.two_sample_t, difference=1, power=0.8, ratio=(1, 1, 1)), "ratio: must be two numbers"),
    "too few": (partial(means.two_sample_t, difference=1, n_total=2), "n_total: must be at least 3"),
    "no effect": (partial(means.two_sample_t, difference=0, power=0.8), "no n_total gives power 0.8"),
    "no such effect": (
        partial(proportions.two_proportions, p_control=0.95, n_total=6, power=0.9),
        "no p_active reaches",
    ),
    "inferior": (
        partial(equivalence.noninferiority_means, margin=1, difference=-1, power=0.8),
        "difference: must be above minus the margin",
    ),
    "outside the limits": (
        partial(equivalence.equivalence_means, margin=1, difference=1.5, power=0.8),
        "difference: must lie within the limits",
    ),
    "correlation": (partial(ancova.ancova, difference=1, correlation=1.0, power=0.8), "correlation: must lie between"),
    "word": (
        partial(ancova.ancova, difference=1, correlation=0.5, power=0.8, analysis="both"),
        "analysis: must be one of post, change, ancova",
    ),
    "half a covariate": (
        partial(ancova.ancova, difference=1, correlation=0.5, power=0.8, covariates=0.5),
        "covariates: must be a whole number",
    ),
    "proportion": (partial(proportions.two_proportions, p_control=1.2, p_active=0.5, power=0.8), "p_control: must lie"),
    "null out of reach": (
        partial(proportions.farrington_manning, p_control=0.05, null=-0.1, n_total=100, power=0.8),
        "null: gives an active proportion of -0.05",
    ),
    "hazard ratio": (
        partial(survival.logrank_events, hazard_ratio=-1, power=0.8),
        "hazard_ratio: must be a number above",
    ),
    "Freedman's null": (
        partial(survival.logrank_events, hazard_ratio=0.9, null=1.2, power=0.8, method="freedman"),
        "null: must be 1",
    ),
    "dropout": (
        partial(
            survival.logrank,
            control_hazard=0.1,
            hazard_ratio=0.5,
            accrual=1,
            follow_up=1,
            power=0.8,
            dropout_hazard=(-0.1, 0.0),
        ),
        "dropout_hazard: must be one number of at least 0",
    ),
    "rising retention": (
        partial(longitudinal.variance_inflation, [[1, 0.5], [0.5, 1]], [0.8, 0.9]),
        "staying: must be shares",
    ),
    "no covariance": (
        partial(longitudinal.variance_inflation, [[1, 1.5], [1.5, 1]], [1.0, 0.9]),
        "correlation: must be positive definite",
    ),
    "deflation": (partial(longitudinal.mmrm, difference=1, sd=1, inflation=0.9, power=0.8), "inflation: must be at"),
    "times": (
        partial(slopes.slope_difference, difference=1, times=[0, 0], visit_covariance=[[1, 0], [0, 1]], power=0.8),
        "times: must be at least two times that rise",
    ),
    "too few clusters": (
        partial(clustered.cluster_size_for_means, difference=0.2, icc=0.1, clusters=6, power=0.8),
        "clusters: are too few for power 0.8: with 6 it stays below",
    ),
    "groups": (partial(factorial.one_way, f=0.2, groups=1, power=0.8), "groups: must be a whole number"),
    "contrast": (
        partial(factorial.two_by_two, means=[[0, 0], [0, 1]], effect="third", power=0.8),
        "effect: must be one of first, second, interaction",
    ),
    "assurance": (
        partial(assurance.assurance, prior_mean=0.5, prior_sd=0.5, power=0.9),
        "its limit is 0.84134",
    ),
    "test": (
        partial(parallel_comparison.sequential_parallel, phase1=(0.3, 0.6), phase2=(0.3, 0.5), test="?", power=0.8),
        "test: must be one of weighted",
    ),
    "both arms": (
        partial(partial_nesting.partially_nested_arm, difference=0.5, icc=0.05, group_size=8, power=0.8),
        "n_control and n_active are left out",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_name_the_argument_and_what_would_be_right(name):
    ask, words = FAULTS[name]
    with pytest.raises(InputError) as told:
        ask()
    assert words in str(told.value)


def test_importing_the_formulas_is_light():
    code = "import sys, trialsim.planning.formulas; print([m for m in ('scipy.stats', 'pandas') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
