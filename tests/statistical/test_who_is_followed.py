"""What is known of patients who leave, miss visits or die: no event is lost, and none weighs more for leaving.

Bounds are 4.9 standard errors with fixed seeds, those of the true value included: a right program fails once in a
million per number. Each test says what it could see.
"""

from __future__ import annotations

import numpy as np
import pytest

from trials import CONTINUOUS, resolve, simulate
from trialsim.engine.block import draw_block, seen_events
from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.safety import safety_block
from trialsim.engine.truth import true_values
from trialsim.streams import Streams

ALLOWED = 4.9
DAYS = [14, 28, 56, 84]
PER_DAY = {"control": 0.006, "active": 0.001}
FOUR_VISITS = {
    "schedule.visits": DAYS,
    "course.means.score": {"control": [18.0, 17.0, 16.0, 15.0], "active": [17.0, 15.0, 13.0, 12.0]},
    "estimands.primary.visit": 84,
    "sample_size": [200],
}
GAPS = {"missing": {"intermittent": {"share": 0.3}}}


def time_to(event):
    return {
        **FOUR_VISITS,
        "events": {event: {"per_day": PER_DAY}},
        "estimands.primary.endpoint": {"time_to": {"event": event}},
        "analysis.primary": [{"method": "kaplan_meier"}, {"method": "rmst"}],
    }


def check_unbiased(changes, sees, replicates=1500):
    """Estimates of every analysis are centred on the true value; 4.9 standard errors are no more than `sees`."""
    truths = true_values(resolve(CONTINUOUS, changes).variants[0])
    found = simulate(CONTINUOUS, changes, replicates=replicates)
    for hypothesis, results, seen in zip(
        hypotheses(resolve(CONTINUOUS, changes).variants[0]), found, sees, strict=True
    ):
        estimate, truth = results["estimate"], truths[hypothesis]
        error = np.hypot(estimate.std(ddof=1) / np.sqrt(len(estimate)), truth.se)
        assert ALLOWED * error < seen, ALLOWED * error
        assert abs(estimate.mean() - truth.value) < ALLOWED * error, (estimate.mean(), truth, error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unseen",
    [
        {"dropout": {"model": "mcar", "missing_by": {84: 0.4}}},
        GAPS,
        {**GAPS, "dropout": {"model": "mcar", "missing_by": {84: 0.3}}},
    ],
    ids=["leaving", "gaps", "both"],
)
@pytest.mark.parametrize("event", ["hospital", "death"])
def test_shares_without_an_event_and_mean_times_are_unbiased(event, unseen):
    """Sees 0.012 of a share and 0.6 of a day; censoring one visit early gave 0.03 with 40 % leaving."""
    check_unbiased({**time_to(event), **unseen}, sees=(0.012, 0.6))


def cohort_of(changes, n=400):
    resolved = resolve(CONTINUOUS, {**time_to("death"), **changes})
    return resolved.variants[0], draw_block(resolved.variants[0], resolved.hash, Streams(12, 0), n)


@pytest.mark.parametrize("changes", [{}, GAPS], ids=["no gaps", "gaps"])
def test_every_death_is_seen(changes):
    _, cohort = cohort_of(changes)
    np.testing.assert_array_equal(seen_events(cohort)["death"] < len(DAYS), np.isfinite(cohort.event_day["death"]))


def test_the_rate_of_deaths_does_not_hang_on_gaps():
    """25,000 patients of the control arm: sees 5 % of a rate of 2.19 a year; gaps of 30 % once cost 19 %."""
    variant, cohort = cohort_of({"safety": {}, **GAPS})
    [block] = safety_block(variant, cohort)
    death = [watched.name for watched in variant.safety.watched].index("death")
    events, exposure = (values[:, death, 0].sum() for values in (block.events, block.at_risk))
    rate = 365.25 * events / exposure
    assert ALLOWED * rate / np.sqrt(events) < 0.05 * 2.1915
    assert abs(rate - 365.25 * 0.006) < ALLOWED * rate / np.sqrt(events)


def test_a_missed_rating_is_no_missed_infusion():
    infused = {"arms.active": {"infusion": "ketamine"}, "schedule.infusions": [0, 7, 21, 42]}
    _, plain = cohort_of(infused)
    _, gaps = cohort_of({**infused, **GAPS})
    assert not gaps.present.all()
    np.testing.assert_array_equal(gaps.infusions, plain.infusions)


@pytest.mark.slow
def test_who_misses_the_last_visit_has_not_left():
    """Leaving fails a response, a missed rating does not: the true value is that without gaps. Sees 0.01."""
    changes = {
        **FOUR_VISITS,
        "dropout": {"model": "mcar", "missing_by": {84: 0.2}},
        "estimands.primary.endpoint": {"at_most": 12},
        "estimands.primary.intercurrent_events": {"dropout": "composite"},
        "analysis.primary": [{"method": "risk_difference"}],
    }
    values = [
        next(iter(true_values(resolve(CONTINUOUS, {**changes, **gaps}).variants[0]).values())) for gaps in ({}, GAPS)
    ]
    assert ALLOWED * np.hypot(values[0].se, values[1].se) < 0.01
    assert abs(values[0].value - values[1].value) < ALLOWED * np.hypot(values[0].se, values[1].se)
