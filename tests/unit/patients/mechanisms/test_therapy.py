"""Therapy that is stopped keeps what it has brought."""

from __future__ import annotations

import numpy as np

from trials import CONTINUOUS, resolve
from trialsim.engine.block import patient_source
from trialsim.kernels.infusion_course import linear_progress
from trialsim.streams import Streams

TALKS = {"weeks": 4, "onset_weeks": 1, "start_day": 7, "effects": {"score": {"points": -5.0}}}
TREATED = {
    "schedule": {"visits": [7, 14, 28, 42]},
    "arms": {"control": {}, "active": {"therapy": "talks"}},
    "therapies": {"talks": TALKS},
    "course": {"control_change": {"score": -3.0}},
    "estimands.primary.visit": 42,
}
STOP = {"leave_therapy": {"share_by": {35: 0.7}}}


def cohort(arm, events=None):
    resolved = resolve(CONTINUOUS, {**TREATED, "events": events})
    source = patient_source(resolved.variants[0], resolved.hash)
    streams = Streams(4, 0)
    stratum = source.enrol(streams, 60)
    return source.follow(streams, stratum, np.full_like(stratum, arm))


def test_progress_stays_where_it_was_when_the_patient_stopped():
    stopped, spared = cohort(1, STOP), cohort(1)
    day = stopped.event_day["leave_therapy"]
    reached = linear_progress(day, 14.0, 35.0)[..., None]
    planned = linear_progress([7.0, 14.0, 28.0, 42.0], 14.0, 35.0)
    lost = -5.0 * (np.minimum(reached, planned) - planned)
    assert 0.0 < lost.max() <= 5.0
    np.testing.assert_allclose((stopped.scores - spared.scores)[..., 0], lost, atol=1e-9)


def test_only_arms_with_the_therapy_can_stop_it():
    control = cohort(0, STOP)
    assert np.isinf(control.event_day["leave_therapy"]).all()
    np.testing.assert_array_equal(control.scores, cohort(0).scores)


WINDOW = {
    "schedule": {"infusions": [0, 3, 7, 10], "visits": [7, 14, 28, 42]},
    "arms": {"control": {"infusion": "midazolam"}, "active": {"infusion": "ketamine", "therapy": "talks"}},
    "effects.active.points": {"score": -2.0},
    "course": {"infusion_model": {}, "control_change": {"score": -3.0}},
    "therapies": {"talks": {**TALKS, "onset_weeks": 0, "synergy": 0.5, "synergy_window_days": 7}},
}
"""The effect of talks grows by 5/28 a day from day 7 to 35; windows after infusions are open up to day 17."""

NO_MORE_INFUSIONS = {"stop_infusions": {"per_day": 1000.0, "from_day": 4}}
"""Those on days 7 and 10 are not given: windows are open up to day 10."""


def with_window(changes=None, **events):
    resolved = resolve(CONTINUOUS, {**TREATED, **WINDOW, **(changes or {}), "events": events or None})
    variant = resolved.variants[0]
    stratum = np.zeros((250, 40), dtype=np.intp)
    source = patient_source(variant, resolved.hash)
    return variant, source.follow(Streams(4, 0), stratum, np.ones_like(stratum))


def test_sessions_bring_more_within_a_window_after_an_infusion():
    plain = with_window({"therapies.talks.synergy": 0.0})[0]
    more = with_window()[0].mean - plain.mean
    np.testing.assert_allclose(more[1, 0, :, 0], -5.0 * 0.5 * np.array([0, 7, 10, 10]) / 28, atol=1e-12)
    assert not more[0].any()
    always = with_window({"therapies.talks.synergy_window_days": 100})[0].mean - plain.mean
    np.testing.assert_allclose(always[1, 0, :, 0], -5.0 * 0.5 * np.array([0, 7, 21, 28]) / 28, atol=1e-12)


def test_infusions_that_are_not_given_open_no_window():
    def lost(changes):
        stopped, spared = (with_window(changes, **events)[1].scores for events in (NO_MORE_INFUSIONS, {}))
        return stopped - spared

    found = lost({}) - lost({"therapies.talks.synergy": 0.0})
    short = np.array([0, 3 - 7, 3 - 10, 3 - 10])
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(-5.0 * 0.5 * short / 28, found.shape[:3]), atol=1e-9)


def test_who_stops_therapy_keeps_what_windows_brought_by_then():
    _, stopped = with_window({}, leave_therapy={"share_by": {28: 0.7}})
    _, spared = with_window()
    until = stopped.event_day["leave_therapy"]
    visits = np.array([7.0, 14.0, 28.0, 42.0])

    def brought(day):
        return linear_progress(day, 7.0, 35.0) + 0.5 * linear_progress(np.minimum(day, 17.0), 7.0, 35.0)

    short = brought(np.minimum(until[..., None], visits)) - brought(visits)
    assert short.min() < -0.5
    np.testing.assert_allclose((stopped.scores - spared.scores)[..., 0], -5.0 * short, atol=1e-9)


def test_what_windows_bring_goes_by_the_sessions_in_them():
    """Sessions on days 7, 14, 21 and 28; those of days 7 and 14 are in windows."""
    going = {"therapies.talks.attendance": {"mean": 0.6, "sd": 0.2, "stops_by_end": 0.3}}

    def gain(changes):
        return with_window({**going, **changes})[1].scores[..., 0]

    # By the visit of day 14 the only session has been that of day 7; later, two of the four are in windows.
    extra = gain({}) - gain({"therapies.talks.synergy": 0.0})
    values = np.unique(extra[..., 1].round(9))
    np.testing.assert_allclose(values, [-5.0 * 0.5 * 7 / 28 / 0.6, 0.0], atol=1e-9)
    average = 0.6 * (1 + np.exp(7 * np.log(1 - 0.3) / 28)) / 2
    values = np.unique(extra[..., 3].round(9))
    np.testing.assert_allclose(values, -5.0 * 0.5 * 10 / 28 / average * np.array([1.0, 0.5, 0.0]), atol=1e-9)
    error = extra[..., 3].std() / np.sqrt(extra[..., 3].size)
    assert abs(extra[..., 3].mean() + 5.0 * 0.5 * 10 / 28) < 4.9 * error
