"""Endpoints made from observed scores, by examples worked by hand: a row is a patient, an empty score a NaN."""

import numpy as np
import pytest

from trialsim.analysis.contract import Observed
from trialsim.analysis.endpoints import (
    leaving,
    left_at,
    missing_from,
    occurrences,
    response_at_visit,
    score_at_visit,
    time_to_event,
    visit_scores,
)
from trialsim.scenario.resolved import Criterion, Endpoint, Estimand

NAN = np.nan
DAYS = np.array([3.0, 7.0, 14.0])
BASELINE = [20.0, 20.0, 30.0, 12.0, 25.0]
SCORES = [
    [18.0, 10.0, 6.0],  # stays
    [16.0, NAN, 11.0],  # misses one visit and comes back
    [28.0, 14.0, NAN],  # leaves after the second visit
    [NAN, NAN, NAN],  # never seen again
    [12.5, NAN, NAN],  # leaves after the first
]
HALVED = Criterion("reduction", 0.5, favourable=True)
REMISSION = Criterion("at_most", 10.0, favourable=True)
WORSENED = Criterion("lost_reduction", 0.5, favourable=False)


def trials(**changes):
    zeros = np.zeros((1, 5), dtype=np.intp)
    given = {"days": DAYS, **changes}
    return Observed(zeros, zeros, 2, 1, np.array(BASELINE)[None, :, None], np.array(SCORES)[None, ..., None], **given)


def estimand(*, visit=2, from_visit=-1, **endpoint):
    return Estimand("primary", "", 0, visit, 1, 0, None, (), Endpoint(from_visit=from_visit, **endpoint))


def test_when_patients_left():
    np.testing.assert_array_equal(left_at(np.array([SCORES])), [[3, 3, 2, 0, 1]])


def test_who_is_known_to_be_there_has_not_left():
    known = trials(left=np.array([[3, 3, 3, 0, 2]]))
    asked = estimand(kind="score")
    np.testing.assert_array_equal(leaving(known, asked), [[3, 3, 3, 0, 2]])
    np.testing.assert_array_equal(leaving(trials(), asked), [[3, 3, 2, 0, 1]])
    np.testing.assert_array_equal(missing_from(visit_scores(known, asked), known, asked), [[3, 3, 3, 0, 2]])
    failed = visit_scores(known, estimand(kind="score", dropout="composite"))[0]
    assert np.isnan(failed[2, 2])  # a missed rating, and no failure
    np.testing.assert_array_equal(failed[4], [12.5, NAN, 25.0])


def test_an_event_seen_later_says_that_nobody_had_left():
    later = trials(event_visit={"rescue": np.array([[3, 3, 3, 2, 1]])})
    np.testing.assert_array_equal(leaving(later, estimand(kind="score")), [[3, 3, 2, 2, 1]])


@pytest.mark.parametrize(
    ("strategy", "failure", "expected"),
    [
        ("hypothetical", "baseline", SCORES),
        ("composite", "baseline", [SCORES[0], SCORES[1], [28, 14, 30], [12, 12, 12], [12.5, 25, 25]]),
        ("composite", "worst", [SCORES[0], SCORES[1], [28, 14, 60], [60, 60, 60], [12.5, 60, 60]]),
        ("while_on_treatment", "baseline", [SCORES[0], [16, 16, 11], [28, 14, 14], [12, 12, 12], [12.5, 12.5, 12.5]]),
    ],
)
def test_scores_by_strategy(strategy, failure, expected):
    # Composite: a visit missed before coming back stays missing. While on treatment: the last score seen so far.
    asked = estimand(kind="score", dropout=strategy, failure=failure, worst=60.0)
    np.testing.assert_array_equal(visit_scores(trials(), asked)[0], expected)
    np.testing.assert_array_equal(score_at_visit(trials(), asked)[0], np.array(expected)[:, 2])


def test_who_is_not_included_has_no_endpoint():
    included = np.array([[True, False, True, True, True]])
    for strategy in ("hypothetical", "composite", "while_on_treatment"):
        one = trials(included=included)
        asked = estimand(kind="score", dropout=strategy)
        assert np.isnan(visit_scores(one, asked)[0, 1]).all()
        np.testing.assert_array_equal(
            visit_scores(one, asked)[0, [0, 2, 3, 4]], visit_scores(trials(), asked)[0, [0, 2, 3, 4]]
        )
        binary = estimand(kind="binary", dropout=strategy, criterion=HALVED)
        assert np.isnan(response_at_visit(one, binary)[0, 1])
        time = estimand(kind="time", dropout=strategy, criterion=HALVED)
        assert np.isnan(time_to_event(one, time).time[0, 1])


@pytest.mark.parametrize(
    ("criterion", "strategy", "visit", "expected"),
    [
        (HALVED, "hypothetical", 2, [1, 0, NAN, NAN, NAN]),
        (HALVED, "composite", 2, [1, 0, 0, 0, 0]),
        (HALVED, "while_on_treatment", 2, [1, 0, 1, 0, 1]),
        # Half of 20 is 10, half of 30 is 15: exactly half counts.
        (HALVED, "hypothetical", 1, [1, NAN, 1, NAN, NAN]),
        (REMISSION, "hypothetical", 2, [1, 0, NAN, NAN, NAN]),
        # Who misses the visit and comes back has not left.
        (REMISSION, "composite", 1, [1, NAN, 0, 0, 0]),
        (WORSENED, "hypothetical", 2, [0, 1, NAN, NAN, NAN]),
        (WORSENED, "composite", 2, [0, 1, 1, 1, 1]),
        (Criterion("at_least", 11.0, favourable=False), "while_on_treatment", 2, [0, 1, 1, 1, 1]),
    ],
)
def test_responses(criterion, strategy, visit, expected):
    asked = estimand(kind="binary", dropout=strategy, criterion=criterion, visit=visit)
    np.testing.assert_array_equal(response_at_visit(trials(), asked)[0], expected)


def test_a_rise_is_the_improvement_where_higher_is_better():
    asked = estimand(kind="binary", criterion=Criterion("reduction", 0.5, favourable=True), lower_is_better=False)
    up = trials()
    up.scores[0, :2, 2, 0] = 29.9, 30.0
    np.testing.assert_array_equal(response_at_visit(up, asked)[0, :2], [0, 1])


def test_a_third_of_a_score_counts_in_spite_of_rounding():
    grid = np.arange(0, 93) / 23.0
    one = Observed(
        np.zeros((1, 93), dtype=np.intp),
        np.zeros((1, 93), dtype=np.intp),
        2,
        1,
        grid[None, :, None],
        grid[None, :, None, None] * 0.7,
    )
    asked = estimand(kind="binary", criterion=Criterion("reduction", 0.3, favourable=True), visit=0)
    assert response_at_visit(one, asked).all()


@pytest.mark.parametrize(
    ("criterion", "strategy", "start", "time", "event"),
    [
        # Halved: patient 1 on day 7, 2 never up to day 14, 3 on day 7, 4 never seen, 5 on day 3.
        (HALVED, "hypothetical", -1, [7, 14, 7, 0, 3], [1, 0, 1, 0, 1]),
        (HALVED, "composite", -1, [7, 14, 7, 14, 3], [1, 0, 1, 0, 1]),
        # From day 7 on: patient 1 has it at once, 3 too; who left before day 7 is censored at 0.
        (HALVED, "hypothetical", 1, [0, 7, 0, 0, 0], [1, 0, 1, 0, 0]),
        (WORSENED, "hypothetical", -1, [3, 3, 3, 0, 3], [1, 1, 1, 0, 0]),
        # Leaving is an event at the first visit missed.
        (WORSENED, "composite", -1, [3, 3, 3, 3, 7], [1, 1, 1, 1, 1]),
        (WORSENED, "composite", 1, [7, 7, 7, 0, 0], [0, 1, 1, 1, 1]),
    ],
)
def test_times_to_an_event(criterion, strategy, start, time, event):
    found = time_to_event(trials(), estimand(kind="time", dropout=strategy, criterion=criterion, from_visit=start))
    np.testing.assert_array_equal(found.time[0], time)
    np.testing.assert_array_equal(found.event[0], np.array(event, dtype=bool))


def test_counts_and_the_days_they_were_counted_over():
    counts = np.array([[[1, 0, 2], [0, 1, NAN], [NAN, NAN, NAN]]])[..., None]
    zeros = np.zeros((1, 3), dtype=np.intp)
    one = Observed(zeros, zeros, 2, 1, np.zeros((1, 3, 1)), np.zeros((1, 3, 3, 1)), DAYS, counts=counts)
    found = occurrences(one, estimand(kind="count"))
    np.testing.assert_array_equal(found.events, [[3, 1, NAN]])
    np.testing.assert_array_equal(found.exposure, [[14, 7, 0]])
    early = occurrences(one, estimand(kind="count", visit=0))
    np.testing.assert_array_equal(early.events, [[1, 0, NAN]])
    np.testing.assert_array_equal(early.exposure, [[3, 3, 0]])


def test_what_cannot_be_made_is_refused():
    with pytest.raises(ValueError, match="no events are counted"):
        occurrences(trials(), estimand(kind="count"))
    with pytest.raises(ValueError, match="has no criterion"):
        response_at_visit(trials(), estimand(kind="binary"))
