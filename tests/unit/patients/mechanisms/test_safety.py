"""Adverse events: in the interval of their infusion, only with infusions given, and moving nobody else's draws."""

import numpy as np

from trials import BOUNDED, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.mechanisms.safety import ADVERSE_EVENTS
from trialsim.streams import Streams

ALWAYS = {"nausea": {"per_infusion": {"ketamine": 1.0, "midazolam": 0.0}}, "fall": {"per_day": {"midazolam": 2.0}}}
COMPLETE = {"dropout": None, "safety": {"adverse_events": ALWAYS}}


def cohort(changes, n=60):
    resolved = resolve(BOUNDED, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


def test_events_are_in_the_interval_of_their_infusion():
    trial = cohort(COMPLETE)
    found = trial.records[ADVERSE_EVENTS]
    assert found.shape == (250, 60, 4, 2)
    # Infusions on days 0, 3, 7 and 10; visits on days 3, 7 and 14: before the infusions of those days.
    assert (found[trial.arm == 1][..., 0] == 1.0).all()
    assert not found[trial.arm == 0][..., 0].any()
    assert not found[trial.arm == 1][..., 1].any()
    assert not found[:, :, 0, 1].any()
    by_day = found[trial.arm == 0][..., 1].mean(axis=0)
    np.testing.assert_allclose(by_day[1:], [6.0, 8.0, 14.0], atol=4.9 * np.sqrt(14.0 / 7500))


def test_infusions_that_are_not_given_bring_nothing():
    stopping = {
        "course": {"infusion_model": {}},
        "events": {"stop_infusions": {"share_by": {"midazolam": {14: 0.5}, "ketamine": {14: 0.5}}}},
    }
    trial = cohort({**COMPLETE, **stopping})
    given = trial.infusions
    assert given.min() < 4
    assert given.max() == 4
    np.testing.assert_array_equal(trial.records[ADVERSE_EVENTS][..., 0].sum(axis=2), np.where(trial.arm == 1, given, 0))


def test_nothing_happens_after_death():
    dying = {
        "events": {"death": {"share_by": {"midazolam": {14: 0.5}, "ketamine": {14: 0.5}}}},
        "estimands.primary.intercurrent_events": {"death": "while_on_treatment"},
    }
    trial = cohort({**COMPLETE, **dying})
    dead = trial.event_day["death"] <= 3.0
    assert dead.any()
    assert not trial.records[ADVERSE_EVENTS][dead][:, 1:].any()


def test_scores_and_other_events_stay_where_they_are():
    plain, watched = cohort({"dropout.missing_by": {14: 0.3}}), cohort({"dropout.missing_by": {14: 0.3}, "safety": {}})
    np.testing.assert_array_equal(plain.scores, watched.scores)
    np.testing.assert_array_equal(plain.present, watched.present)
    more = {"safety": {"adverse_events": {"rash": {"per_infusion": 0.1}, "nausea": None}}}
    alone = {"safety": {"adverse_events": {"nausea": None}}}
    small, large = cohort(alone, n=40), cohort(more, n=60)
    np.testing.assert_array_equal(small.records[ADVERSE_EVENTS][..., 0], large.records[ADVERSE_EVENTS][:, :40, :, 1])


def test_one_trial_of_a_block_keeps_its_events():
    trial = cohort(COMPLETE)
    one = trial.trial(7, 20)
    np.testing.assert_array_equal(one.records[ADVERSE_EVENTS][0], trial.records[ADVERSE_EVENTS][7, :20])
