"""What strategies make of events, by examples worked by hand: a row is a patient, an empty score a NaN."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from asking import analysis
from trialsim.analysis.contract import Observed
from trialsim.analysis.endpoints import (
    analysis_set,
    occurrences,
    response_at_visit,
    time_to_event,
    visit_scores,
)
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Criterion, Endpoint, Estimand

NAN = np.nan
BASELINE = [20.0, 20.0, 30.0, 12.0, 25.0]
SCORES = [
    [18.0, 10.0, 6.0],  # rescued before the second visit
    [16.0, NAN, 11.0],  # misses the second visit; rescued before the third, and then has ECT
    [28.0, 14.0, NAN],  # leaves after the second visit; rescued before the third
    [11.0, NAN, NAN],  # leaves after the first visit; nothing is known of a rescue
    [12.5, 8.0, 7.0],  # has ECT before the first visit, and is rescued after it
]
RESCUE, ECT = [1, 2, 2, 3, 1], [3, 2, 3, 3, 0]
HALVED = Criterion("reduction", 0.5, favourable=True)
WORSENED = Criterion("lost_reduction", 0.5, favourable=False)


def trials(**changes):
    zeros = np.zeros((1, 5), dtype=np.intp)
    given = {"days": np.array([3.0, 7.0, 14.0]), **changes}
    visits = {"rescue": np.array([RESCUE]), "ect": np.array([ECT])}
    scores = np.array(SCORES)[None, ..., None]
    return Observed(zeros, zeros, 2, 1, np.array(BASELINE)[None, :, None], scores, event_visit=visits, **given)


def estimand(events, *, visit=2, set_of="itt", kind="score", **endpoint):
    asked = Endpoint(kind, events=tuple(events.items()), **endpoint)
    return Estimand("primary", "", 0, visit, 1, 0, None, (), asked, analysis_set=set_of)


POLICY = {"rescue": "treatment_policy", "ect": "treatment_policy"}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (POLICY, SCORES),
        (
            {"rescue": "hypothetical", "ect": "treatment_policy"},
            [[18, NAN, NAN], [16, NAN, NAN], [28, 14, NAN], SCORES[3], [12.5, NAN, NAN]],
        ),
        (
            {"rescue": "composite", "ect": "treatment_policy"},
            [[18, 20, 20], [16, NAN, 20], [28, 14, 30], SCORES[3], [12.5, 25, 25]],
        ),
        (
            {"rescue": "while_on_treatment", "ect": "treatment_policy"},
            [[18, 18, 18], [16, NAN, 16], [28, 14, 14], SCORES[3], [12.5, 12.5, 12.5]],
        ),
        (  # the first that is handled decides; of two at one visit the failure does
            {"rescue": "hypothetical", "ect": "composite"},
            [[18, NAN, NAN], [16, NAN, 20], [28, 14, NAN], SCORES[3], [25, 25, 25]],
        ),
        (
            {"rescue": "composite", "ect": "while_on_treatment"},
            [[18, 20, 20], [16, NAN, 20], [28, 14, 30], SCORES[3], [25, 25, 25]],
        ),
    ],
)
def test_scores_by_strategy(events, expected):
    np.testing.assert_array_equal(visit_scores(trials(), estimand(events))[0], expected)


def test_leaving_and_events_in_the_order_of_time():
    # Rescue is missing from then on; who left before it was known fails, with the worst score.
    asked = estimand({"rescue": "hypothetical"}, dropout="composite", failure="worst", worst=60.0)
    expected = [[18, NAN, NAN], [16, NAN, NAN], [28, 14, NAN], [11, 60, 60], [12.5, NAN, NAN]]
    np.testing.assert_array_equal(visit_scores(trials(), asked)[0], expected)
    asked = estimand({"rescue": "composite"}, dropout="while_on_treatment")
    expected = [[18, 20, 20], [16, NAN, 20], [28, 14, 30], [11, 11, 11], [12.5, 25, 25]]
    np.testing.assert_array_equal(visit_scores(trials(), asked)[0], expected)


@pytest.mark.parametrize(
    ("strategy", "dropout", "expected"),
    [
        ("treatment_policy", "hypothetical", [1, 0, NAN, NAN, 1]),
        ("hypothetical", "hypothetical", [NAN, NAN, NAN, NAN, NAN]),
        ("composite", "hypothetical", [0, 0, 0, NAN, 0]),
        ("composite", "composite", [0, 0, 0, 0, 0]),
        ("hypothetical", "composite", [NAN, NAN, NAN, 0, NAN]),
        ("while_on_treatment", "hypothetical", [0, 0, 1, NAN, 1]),
    ],
)
def test_responses_by_strategy(strategy, dropout, expected):
    asked = estimand({"rescue": strategy}, kind="binary", criterion=HALVED, dropout=dropout)
    np.testing.assert_array_equal(response_at_visit(trials(), asked)[0], expected)


@pytest.mark.parametrize(
    ("strategy", "criterion", "time", "event"),
    [
        ("treatment_policy", HALVED, [7, 14, 7, 3, 3], [1, 0, 1, 0, 1]),
        ("hypothetical", HALVED, [3, 3, 7, 3, 3], [0, 0, 1, 0, 1]),
        ("composite", HALVED, [14, 14, 7, 3, 3], [0, 0, 1, 0, 1]),
        ("composite", Criterion("at_least", 29.0, favourable=False), [7, 14, 14, 3, 7], [1, 1, 1, 0, 1]),
        ("hypothetical", Criterion("at_least", 29.0, favourable=False), [3, 3, 7, 3, 3], [0, 0, 0, 0, 0]),
    ],
)
def test_times_by_strategy(strategy, criterion, time, event):
    found = time_to_event(trials(), estimand({"rescue": strategy}, kind="time", criterion=criterion))
    np.testing.assert_array_equal(found.time[0], time)
    np.testing.assert_array_equal(found.event[0], np.array(event, dtype=bool))


@pytest.mark.parametrize(
    ("ect", "dropout", "time", "event"),
    [
        # Rescue as it happens; the third left and was rescued on the way to the visit missed. The fourth left before:
        # a rescue up to the first visit missed would be known.
        ("treatment_policy", "hypothetical", [7, 14, 14, 7, 7], [1, 1, 1, 0, 1]),
        ("treatment_policy", "composite", [7, 14, 14, 7, 7], [1, 1, 1, 1, 1]),
        ("hypothetical", "hypothetical", [7, 14, 14, 7, 3], [1, 1, 1, 0, 0]),
        ("composite", "hypothetical", [7, 14, 14, 7, 3], [1, 1, 1, 0, 1]),
    ],
)
def test_time_to_a_rescue(ect, dropout, time, event):
    rescued = Criterion("event", 0.0, favourable=False, event="rescue")
    events = {"rescue": "treatment_policy", "ect": ect}
    found = time_to_event(trials(), estimand(events, kind="time", criterion=rescued, dropout=dropout))
    np.testing.assert_array_equal(found.time[0], time)
    np.testing.assert_array_equal(found.event[0], np.array(event, dtype=bool))


def test_counts_stop_where_they_are_hypothetical():
    counts = np.ones((1, 5, 3, 1))
    found = occurrences(trials(counts=counts), estimand({"rescue": "hypothetical"}, kind="count"))
    np.testing.assert_array_equal(found.events[0], [1, 2, 2, 3, 1])
    np.testing.assert_array_equal(found.exposure[0], [3, 7, 7, 14, 3])


def test_who_is_analysed():
    flags = {"treated": np.array([[1, 1, 1, 0, 1]], dtype=bool), "adherent": np.array([[1, 0, 1, 0, 0]], dtype=bool)}
    observed = trials(**flags)
    assert analysis_set(observed, estimand(POLICY)).included is None
    np.testing.assert_array_equal(analysis_set(observed, estimand(POLICY, set_of="mitt")).included, flags["treated"])
    asked = estimand({"rescue": "principal_stratum"}, set_of="per_protocol", visit=1)
    np.testing.assert_array_equal(analysis_set(observed, asked).included, [[0, 0, 1, 0, 0]])


@pytest.mark.parametrize("method", ["mmrm", "clda", "ancova", "reference_based", "t_test"])
def test_an_analysis_of_a_part_is_that_of_the_part_alone(method):
    rng = np.random.default_rng(4)
    scores, baseline = rng.normal(15, 5, (3, 60, 3, 1)), rng.normal(20, 5, (3, 60, 1))
    arm = np.broadcast_to(np.arange(60) % 2, (3, 60))
    event = np.where(np.arange(60) % 3 == 0, 1, 3) * np.ones((3, 1), dtype=np.intp)
    zeros = np.zeros((3, 60), dtype=np.intp)
    whole = Observed(arm, zeros, 2, 1, baseline, scores, event_visit={"rescue": event})
    kept = event[0] > 2
    part = Observed(arm[:, kept], zeros[:, kept], 2, 1, baseline[:, kept], scores[:, kept])
    chosen = analysis(method)
    asked = estimand({"rescue": "principal_stratum"})
    (one,) = analyse(whole, asked, chosen, (60,))
    (other,) = analyse(part, replace(asked, endpoint=Endpoint()), chosen, (int(kept.sum()),))
    for name in ("estimate", "se", "p"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(one.n_analysed, other.n_analysed)
