"""Who enters a trial: the selected against truncated normals, regression to the mean, counts, characteristics.

100,000 patients with fixed seeds. Bounds are 4.9 standard errors from the draws themselves: a right program fails once
in a million per number. What is seen: 0.016 SD in a mean, 1.2 % in an SD, 0.016 in a correlation.
"""

import numpy as np
import pytest
from scipy import stats

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.engine.truth import Truth, true_values
from trialsim.patients.cohort import PatientSource
from trialsim.streams import Streams

ALLOWED = 4.9
N = 400
ONE_SCORE = {"dropout": None, "allocation": {"method": "complete"}}
FLAT = {"course.means.score": {"control": [20.0, 20.0, 20.0], "active": [18.0, 16.0, 15.0]}}
CUT = {"outcome": "score", "at_least": 22.0, "screening_correlation": 0.7}


def drawn(document, changes, seed=91):
    """Variant and cohort of 250 trials of 400."""
    resolved = resolve(document, {**ONE_SCORE, **changes})
    variant = resolved.variants[0]
    return variant, draw_block(variant, resolved.hash, Streams(seed, 0), N)


def near(values, expected):
    """Independent values have this mean."""
    flat = np.asarray(values, dtype=float).reshape(-1)
    assert abs(flat.mean() - expected) < ALLOWED * flat.std() / np.sqrt(flat.size), (flat.mean(), expected)


def truncated(bound):
    """Mean and variance of a standard normal above a bound."""
    mills = stats.norm.pdf(bound) / stats.norm.sf(bound)
    return mills, 1 + bound * mills - mills**2


def test_selected_baselines_are_those_of_a_truncated_bivariate_normal():
    variant, cohort = drawn(CONTINUOUS, {**FLAT, "population.eligibility": CUT})
    mean, variance = truncated((22 - 20) / 5)
    z = (cohort.baseline[..., 0] - 20) / 5
    near(z, 0.7 * mean)
    near((z - 0.7 * mean) ** 2, 1 - 0.49 * (1 - variance))
    screening = (cohort.records["screening"] - 20) / 5
    near(screening, mean)
    near((screening - mean) * (z - 0.7 * mean), 0.7 * variance)
    # Every covariance among the selected: R - (1 - variance) times that with the screening score.
    control = cohort.arm == 0
    later = (cohort.scores[control][:, :, 0] - 20) / 5
    scores = np.column_stack([z[control], later])
    loading = 0.7 * variant.correlation[0, 0]
    gap = scores - loading * mean
    expected = variant.correlation[0] - (1 - variance) * np.outer(loading, loading)
    for i in range(4):
        near(scores[:, i], loading[i] * mean)
        for j in range(i + 1):
            near(gap[:, i] * gap[:, j], expected[i, j])


def test_a_control_arm_that_does_not_change_seems_to_improve():
    """Regression to the mean, twice: from screening to baseline, and from baseline to the last visit."""
    _, cohort = drawn(CONTINUOUS, {**FLAT, "population.eligibility": CUT})
    mean, _ = truncated((22 - 20) / 5)
    control = cohort.arm == 0
    near(cohort.records["screening"] - cohort.baseline[..., 0], 5 * mean * (1 - 0.7))
    near(cohort.baseline[control][:, 0] - cohort.scores[control][:, -1, 0], 5 * mean * 0.7 * (1 - 0.5))


@pytest.mark.parametrize("at", [{"at_least": 22.0}, {"at_most": 24.0}], ids=["at least", "at most"])
def test_as_many_are_screened_as_the_share_eligible_asks_for(at):
    cut = {"outcome": "score", "screening_correlation": 0.7, **at}
    share = stats.norm.sf(0.4) if "at_least" in at else stats.norm.cdf(0.8)
    _, cohort = drawn(CONTINUOUS, {"population.eligibility": cut})
    near(cohort.records["screened"], 1 / share)
    near(cohort.records["screened"] == 1, share)


def test_inflation_lifts_the_recorded_baseline_by_the_share_near_the_cut_off():
    cut = {**CUT, "inflation": 3.0, "inflation_window": 2.0}
    _, cohort = drawn(CONTINUOUS, {**FLAT, "population.eligibility": cut})
    passing = stats.norm.sf(0.0)
    inflated = (stats.norm.cdf(0.4) - stats.norm.cdf(0.0)) / passing
    mean, _ = truncated(0.0)
    near(cohort.baseline[..., 0], 20 + 5 * 0.7 * mean + 3 * inflated)
    near(cohort.records["screening"], 20 + 5 * mean + 3 * inflated)
    near(cohort.records["screened"], 1 / passing)
    control = cohort.arm == 0
    near(cohort.scores[control][:, -1, 0], 20 + 5 * 0.35 * mean)


def test_without_responders_to_the_run_in_later_improvement_is_smaller():
    improvement = {"mean": 0.15, "sd": 0.2}
    run_in = {"response": 0.25, "correlation": 0.4, "improvement": improvement}
    _, cohort = drawn(CONTINUOUS, {"population.run_in": run_in})
    bound = (0.25 - 0.15) / 0.2
    passing = stats.norm.cdf(bound)
    mean = -stats.norm.pdf(bound) / passing
    near(cohort.baseline[..., 0], 20.0)
    sd_of_change = np.sqrt(25 + 25 - 2 * 0.5 * 25)
    change = cohort.baseline[..., 0] - cohort.scores[..., -1, 0]
    near(change, 20 - 15 + 0.4 * sd_of_change * mean)
    near(cohort.records["screened"], 1 / passing)
    near(cohort.records["excluded_in_run_in"], 1 / passing - 1)
    np.testing.assert_array_equal(cohort.records["screened"], cohort.records["excluded_in_run_in"] + 1)


def test_screening_and_run_in_turn_away_in_turn():
    run_in = {"response": 0.25, "correlation": 0.3, "improvement": {"mean": 0.15, "sd": 0.2}}
    _, cohort = drawn(CONTINUOUS, {"population.eligibility": CUT, "population.run_in": run_in})
    first, second = stats.norm.sf(0.4), stats.norm.cdf(0.5)
    near(cohort.records["screened"], 1 / (first * second))
    # For each who is randomised 1 / second start the run-in.
    near(cohort.records["excluded_in_run_in"], 1 / second - 1)
    mean, _ = truncated(0.4)
    near(cohort.baseline[..., 0], 20 + 5 * 0.7 * mean)


SELECTIONS = {
    "cut-off": {"population.eligibility": {"outcome": "qids_sr16", "at_least": 20}},
    "at most": {"population.eligibility": {"outcome": "madrs", "at_most": 30, "screening_correlation": 0.9}},
    "run-in": {"population.run_in": {"response": 0.2, "correlation": 0.5}},
    "both, in groups": {
        "population.eligibility": {"outcome": "madrs", "at_least": 36, "inflation": 2.0},
        "population.run_in": {"response": 0.2},
        "clusters": {"group": {"size": 8, "icc": 0.05}},
    },
}
EFFECT = {"effects.ketamine.specific_share": 1.0}


@pytest.mark.parametrize("case", SELECTIONS)
def test_mean_scores_of_the_selected_on_their_scales_and_true_values(case):
    """Every outcome and stratum under both arms, patients alone: sees 0.016 SD in each, 0.03 points in an effect."""
    asked = {
        f"{outcome}_{day}": {"outcome": outcome, "visit": day, "contrast": ["ketamine", "midazolam"]}
        for outcome in ("qids_sr16", "madrs", "bsl23")
        for day in (3, 14)
    }
    estimands = {"primary": asked["qids_sr16_14"], **asked}
    resolved = resolve(BOUNDED, {**ONE_SCORE, **EFFECT, **SELECTIONS[case], "estimands": estimands})
    variant = resolved.variants[0]
    source, streams = PatientSource(variant), Streams(17, 0)
    stratum = source.enrol(streams, N)
    worlds = [source.follow(streams, stratum, np.full_like(stratum, arm), alone=True) for arm in (0, 1)]
    np.testing.assert_array_equal(worlds[0].baseline, worlds[1].baseline)
    for estimand in variant.estimands:
        at = (..., estimand.visit, estimand.outcome)
        by_stratum = [(worlds[1].scores[at] - worlds[0].scores[at])[stratum == s] for s in range(len(variant.strata))]
        error = np.sqrt(sum(0.25 * gap.var() / gap.size for gap in by_stratum))
        seen = sum(0.5 * gap.mean() for gap in by_stratum)
        assert abs(seen - estimand.true_value) < ALLOWED * error, estimand.name
    found = true_values(variant)
    assert all(truth.se == 0.0 for truth in found.values())
    assert next(iter(found.values())) == Truth(variant.estimands[0].true_value, 0.0)


def test_selection_makes_the_effect_on_a_scale_another():
    """A selected population lies elsewhere on a bounded scale, so the test above compares with other numbers."""
    far = {"population.eligibility": {"outcome": "qids_sr16", "at_least": 24, "screening_correlation": 0.9}}
    plain, selected = (resolve(BOUNDED, {**EFFECT, **part}).variants[0].estimands[0].true_value for part in ({}, far))
    assert abs(plain - selected) > 0.05


# Characteristics ---------------------------------------------------------------------------------------------


def test_characteristics_have_their_means_and_spreads_in_each_stratum():
    given = {"bipolar": {"share": {"bpd": 0.1, "no_bpd": 0.35}}, "failed_treatments": {"mean": 3.5}}
    variant, cohort = drawn(BOUNDED, {"population.characteristics": given})
    spread = {"age": [10.0, 13.0], "failed_treatments": np.sqrt([1.5, 1.5])}
    for one in variant.entry.characteristics:
        for s in range(2):
            values = cohort.records[one.name][cohort.stratum == s]
            near(values, one.mean[s])
            sd = spread[one.name][s] if one.name in spread else np.sqrt(one.mean[s] * (1 - one.mean[s]))
            near((values - one.mean[s]) ** 2, sd**2)
            for k in range(3):
                z = cohort.baseline[..., k][cohort.stratum == s]
                near((values - values.mean()) * (z - z.mean()), 0.0)


@pytest.mark.parametrize("document", ["bounded", "real line"])
def test_characteristics_go_with_the_baseline_as_asked(document):
    asked = {"age": -0.3, "female": 0.25, "bipolar": -0.2, "failed_treatments": 0.4}
    given = {name: {"baseline_correlation": value} for name, value in asked.items()}
    given["age"].update(mean=40, sd=12)
    given["female"].update(share=0.7)
    start, outcome = (BOUNDED, "madrs") if document == "bounded" else (CONTINUOUS, "score")
    variant, cohort = drawn(start, {"population.characteristics": {"outcome": outcome, **given}})
    k = variant.outcomes.index(outcome)
    for name, value in asked.items():
        for s in range(len(variant.strata)):
            rows = cohort.stratum == s
            x, y = cohort.records[name][rows], cohort.baseline[..., k][rows]
            x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
            influence = x * y - value * (x**2 + y**2) / 2
            near(influence, 0.0)


def test_who_passes_a_cut_off_differs_in_what_goes_with_the_baseline():
    """By the mean of a normal linear in another: age rises by correlation times SD times the baseline's own shift."""
    given = {"age": {"mean": 45, "sd": 8, "baseline_correlation": 0.5}, "female": {"share": 0.5}}
    brought = {"outcome": "score", "bipolar": {}, "failed_treatments": {}, **given}
    changes = {"population.eligibility": CUT, "population.characteristics": brought}
    _, cohort = drawn(CONTINUOUS, changes)
    mean, _ = truncated(0.4)
    age = cohort.records["age"]
    # Whole years within bounds are not quite normal: 0.02 of the shift is allowed for that.
    shift = 8 * 0.5 * 0.7 * mean
    assert abs(age.mean() - 45 - shift) < ALLOWED * age.std() / np.sqrt(age.size) + 0.02 * shift
    near(cohort.records["female"], 0.5)
