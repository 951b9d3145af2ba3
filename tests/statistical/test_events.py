"""Events of simulated patients and the strategies for them, by Monte Carlo.

Bounds are 4.9 standard errors with fixed seeds, from the spread between independent trials: a right program fails once
in a million per number. Each test says what it could see.
"""

from __future__ import annotations

import numpy as np
import pytest

from trials import CONTINUOUS, resolve, simulate
from trialsim.analysis.contract import CONVERGED
from trialsim.engine.block import draw_block
from trialsim.engine.truth import true_values
from trialsim.streams import Streams

ALLOWED = 4.9
FAR = {"schedule.visits": [20, 40, 90], "estimands.primary.visit": 90}


def within(values, expected, seen):
    """Values by trial, (R, ...), have this mean; the bound is no wider than what should be seen."""
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert np.all(ALLOWED * error < seen), (ALLOWED * error).max()
    assert np.all(np.abs(values.mean(axis=0) - expected) < ALLOWED * error)


def days(event, changes=None, *, n=400):
    resolved = resolve(CONTINUOUS, {**FAR, **(changes or {}), "events": {"change": event}})
    cohort = draw_block(resolved.variants[0], resolved.hash, Streams(12, 0), n)
    return cohort, cohort.event_day["change"]


# Times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depends", ["last", "current"])
def test_shares_by_day_follow_the_hazard(depends):
    """100,000 patients: sees 0.008 in a share."""
    ratio = {"score_hazard_ratio_per_sd": 1.0} if depends == "current" else {}
    cohort, day = days({"per_day": {"control": 0.012, "active": 0.03}, "depends_on": depends, **ratio})
    for arm, hazard in ((0, 0.012), (1, 0.03)):
        for until in (5.0, 20.0, 33.0, 90.0):
            happened = np.mean(day <= until, axis=1, where=cohort.arm == arm)
            within(happened, 1 - np.exp(-hazard * until), 0.016)


def test_shares_asked_for_are_had():
    """100,000 patients: sees 0.008 in a share."""
    _, day = days({"share_by": {10: 0.05, 40: 0.3, 90: 0.35}, "from_day": 4})
    for until, share in ((4.0, 0.0), (10.0, 0.05), (40.0, 0.3), (90.0, 0.35)):
        happened = (day <= until).mean(axis=1)
        if share == 0.0:
            assert not happened.any()
        else:
            within(happened, share, 0.016)


def test_the_median_of_a_relapse_is_ln_2_over_the_hazard():
    """50,000 patients who all respond at once: sees 0.4 days in a median of 30."""
    hazard = float(np.log(2.0)) / 30.0
    low = {"course.means.score": {"control": [1.0] * 3, "active": [1.0] * 3}, "outcomes.score.post_sd": 0.5}
    cohort, day = days({"per_day": hazard, "only_after": "response"}, low, n=200)
    responded = (cohort.scores[:, :, 0, 0] <= 0.5 * cohort.baseline[..., 0]).all(axis=1)
    assert responded.mean() > 0.9
    since = np.median(day[responded] - 20.0, axis=1)
    within(since, 30.0, 1.0)


@pytest.mark.parametrize("protected", ["infusion_hazard_ratio", "hazard_ratio"])
def test_protection_ends_on_the_day_of_stopping_between_two_visits(protected):
    """100,000 patients and no visit in between: sees 0.1 of the events before stopping, and of those after it.

    Events less the hazard times the days at risk have mean 0 if the hazard is the one at risk (a martingale).
    """
    once = {"schedule.visits": [90], "covariance": None, "allocation": None,
            "course.means": None, "course.control_change": {"score": -5.0}}  # fmt: skip
    if protected == "hazard_ratio":
        therapy = {"weeks": 20, "onset_weeks": 0, "effects": {"score": {"points": 0.0}}}
        has, stops, ratio = {"therapy": "talks"}, "stops_therapy", {"talks": 0.2}
        once |= {"therapies": {"talks": therapy}}
    else:
        has, stops, ratio = {"infusion": "ketamine"}, "stops_infusions", 0.2
        once |= {"schedule.infusions": [*range(0, 90, 3)], "course.infusion_model": {}}
    happening = {
        "change": {"per_day": 0.02, protected: ratio},
        "stop": {"per_day": 0.02, "until_day": 87, stops: True},
    }
    resolved = resolve(CONTINUOUS, {**FAR, **once, "arms": {"control": has, "active": has}, "events": happening})
    cohort = draw_block(resolved.variants[0], resolved.hash, Streams(12, 0), 400)
    day, stop = cohort.event_day["change"], cohort.event_day["stop"]
    planned = 87.0 if protected == "infusion_hazard_ratio" else 90.0
    end, until = np.minimum(day, 90.0), np.minimum(stop, planned)
    before, after = day <= until, (day > until) & np.isfinite(day)
    within((before - 0.2 * 0.02 * np.minimum(end, until)).mean(axis=1), 0.0, 0.1 * before.mean())
    within((after - 0.02 * np.maximum(end - until, 0.0)).mean(axis=1), 0.0, 0.1 * after.mean())
    # Stopping itself keeps its hazard.
    within((stop <= 30.0).mean(axis=1), 1 - np.exp(-0.02 * 30.0), 0.016)


@pytest.mark.parametrize("depends", ["last", "current"])
def test_the_hazard_ratio_of_a_score(depends):
    """100,000 patients over one interval: sees 0.03 in a log hazard ratio of 0.69.

    With a small hazard the mean z of those with the event is the log hazard ratio, z normal (an exponential tilt).
    """
    event = {"per_day": 0.002, "score_hazard_ratio_per_sd": 2.0, "depends_on": depends}
    cohort, day = days(event, {"schedule.visits": [10], "estimands.primary.visit": 10, "covariance": None,
                               "course.means.score": {"control": [18.0], "active": [18.0]}})  # fmt: skip
    score = cohort.baseline[..., 0] if depends == "last" else cohort.scores[:, :, 0, 0]
    z = (score - (20.0 if depends == "last" else 18.0)) / 5.0
    happened = np.isfinite(day)
    rate = happened.mean(axis=1)
    # Mean of z times the event over the mean of the event: E[z p(z)] with p = 1 − exp(−0.02 · 2^z), by quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p = 1 - np.exp(-0.02 * 2.0**nodes)
    expected = (weights * p).sum() / weights.sum(), (weights * p * nodes).sum() / weights.sum()
    within(rate, expected[0], 0.004)
    within((z * happened).mean(axis=1), expected[1], 0.006)


# Strategies --------------------------------------------------------------------------------------------------

RESCUED = {
    "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [17.0, 14.0, 12.0]},
    "events": {
        "rescue": {
            "per_day": {"control": 0.08, "active": 0.03},
            "score_hazard_ratio_per_sd": 2.5,
            "effect": {"score": -4.0},
        }
    },
    "sample_size": [100],
    "analysis": {"primary": {"method": "mmrm"}},
}
OWN = ("treatment_policy", "hypothetical", "composite", "while_on_treatment")


def error_and_bias(strategy, depends, more=None):
    changes = {
        **RESCUED,
        **(more or {}),
        "events.rescue.depends_on": depends,
        "estimands.primary.intercurrent_events": {"rescue": strategy},
    }
    resolved = resolve(CONTINUOUS, changes)
    (truth,) = true_values(resolved.variants[0]).values()
    (found,) = simulate(CONTINUOUS, changes, replicates=1000)
    assert np.all(found["status"] == CONVERGED)
    estimate = found["estimate"]
    error = np.hypot(estimate.std(ddof=1) / np.sqrt(len(estimate)), truth.se)
    assert ALLOWED * error < 0.25
    return error, estimate.mean() - truth.value


@pytest.mark.slow
@pytest.mark.parametrize("strategy", OWN)
def test_each_strategy_is_estimated_without_bias_where_the_last_score_drives_the_event(strategy):
    """1,000 trials of 100: sees 0.2 points in an effect of about 3."""
    error, bias = error_and_bias(strategy, "last")
    assert abs(bias) < ALLOWED * error


@pytest.mark.slow
@pytest.mark.parametrize("gaps", ["mcar", "mar"])
def test_what_would_have_been_is_found_through_gaps_where_the_last_score_seen_drives_the_event(gaps):
    """1,000 trials of 300, of whom 40 % miss each visit but the last: sees 0.13 points in an effect of 3.

    By the score at the last visit, seen or not, the bias would be 0.3.
    """
    ratio = {} if gaps == "mcar" else {"score_hazard_ratio_per_sd": 2.0}
    missing = {"missing": {"intermittent": {"share": {3: 0.4, 7: 0.4}, "model": gaps, **ratio}}}
    error, bias = error_and_bias("hypothetical", "last", {**missing, "sample_size": [300]})
    assert ALLOWED * error < 0.15
    assert abs(bias) < ALLOWED * error


@pytest.mark.slow
def test_what_would_have_been_is_biased_where_an_unseen_score_drives_the_event():
    """1,000 trials of 100: the bias of over a point is seen."""
    error, bias = error_and_bias("hypothetical", "current")
    assert abs(bias) > ALLOWED * error
    assert abs(bias) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["treatment_policy", "composite", "while_on_treatment"])
def test_strategies_that_need_no_unseen_score_do_not_mind(strategy):
    """1,000 trials of 100: sees 0.2 points."""
    error, bias = error_and_bias(strategy, "current")
    assert abs(bias) < ALLOWED * error


@pytest.mark.slow
def test_those_seen_without_the_event_are_not_those_who_would_never_have_it():
    """1,000 trials of 100: the bias of 0.8 points is seen."""
    error, bias = error_and_bias("principal_stratum", "last")
    assert abs(bias) > ALLOWED * error


@pytest.mark.slow
def test_two_strategies_and_leaving_together():
    """1,000 trials of 150: sees 0.2 points. Death is a failure, rescue had not been, and some leave at random."""
    changes = {
        **RESCUED,
        "events.death": {"per_day": {"control": 0.01, "active": 0.005}},
        "dropout": {"model": "mcar", "missing_by": {14: 0.2}},
        "estimands.primary.intercurrent_events": {"rescue": "treatment_policy", "death": "composite"},
        "sample_size": [150],
    }
    resolved = resolve(CONTINUOUS, changes)
    (truth,) = true_values(resolved.variants[0]).values()
    (found,) = simulate(CONTINUOUS, changes, replicates=1000)
    error = np.hypot(found["estimate"].std(ddof=1) / np.sqrt(1000), truth.se)
    assert ALLOWED * error < 0.25
    assert abs(found["estimate"].mean() - truth.value) < ALLOWED * error
