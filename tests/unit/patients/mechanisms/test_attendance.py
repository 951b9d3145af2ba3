"""Sessions attended: what a person's effect is, and how stopping and events take part."""

import numpy as np
import pytest

from trials import BOUNDED, resolve
from trialsim.patients.mechanisms.attendance import SESSIONS, average_attendance
from trialsim.patients.mechanisms.events import THERAPY_UNTIL
from trialsim.patients.model import build_patient_model
from trialsim.patients.trajectory import run_course
from trialsim.scenario.resolved_variation import Attendance
from trialsim.streams import Streams

VISITS = [14, 35, 70, 84]
THERAPY = {
    "outcomes": {"qids_sr16": {"scale": "continuous"}},
    "schedule.visits": VISITS,
    "dropout": None,
    "arms": {"plain": {"infusion": "midazolam"}, "dbt": {"infusion": "midazolam", "therapy": "dbt"}},
    "effects": None,
    "estimands.primary": {"outcome": "qids_sr16", "visit": 84, "contrast": ["dbt", "plain"]},
    "therapies": {"dbt": {"weeks": 10, "onset_weeks": 0, "effects": {"qids_sr16": {"points": -4.0}}}},
}


def attending(**settings):
    return {**THERAPY, "therapies": {"dbt": {**THERAPY["therapies"]["dbt"], "attendance": settings}}}


def followed(changes, *, arm=1, n=40):
    variant = resolve(BOUNDED, changes).variants[0]
    stratum = np.zeros((250, n), dtype=np.intp)
    return run_course(build_patient_model(variant), Streams(4, 0), stratum, np.full_like(stratum, arm))


USUAL = {"mean": 0.8, "sd": 0.2, "stops_by_end": 0.28}


def excess(changes, **more):
    """What attendance adds to the scores of the same people."""
    return (followed({**changes, **more}).scores - followed({**THERAPY, **more}).scores)[..., 0]


def test_an_effect_goes_by_the_sessions_attended():
    state = followed(attending(**USUAL))
    found = excess(attending(**USUAL))
    # Ten sessions on days 0, 7, ..., 63: all planned before day 70, and before day 84.
    hazard = -np.log(1 - 0.28) / 70
    average = 0.8 * np.exp(-hazard * 7 * np.arange(10)).mean()
    expected = -4.0 * (state.records[SESSIONS] / 10 / average - 1)
    np.testing.assert_allclose(found[..., 3], expected, atol=1e-9)
    np.testing.assert_allclose(found[..., 2], expected, atol=1e-9)
    assert state.records[SESSIONS].max() <= 10
    assert np.corrcoef(found[..., 1].ravel(), expected.ravel())[0, 1] > 0.6


def test_arms_without_the_therapy_are_left_alone():
    np.testing.assert_array_equal(followed(attending(**USUAL), arm=0).scores, followed(THERAPY, arm=0).scores)
    assert not followed(attending(**USUAL), arm=0).records[SESSIONS].any()


def test_who_stops_goes_to_no_more_sessions():
    """Everybody comes to nearly all: by their day of stopping they went to the sessions up to it."""
    state = followed(attending(mean=0.999, concentration=1e6, stops_by_end=0.6))
    until = state.records[THERAPY_UNTIL]
    by_then = np.ceil(np.clip(until, 0, 70) / 7)
    assert (state.records[SESSIONS] <= by_then).all()
    assert (state.records[SESSIONS] == by_then).mean() > 0.98
    np.testing.assert_array_equal(state.in_therapy, until > 84)


def test_an_event_ends_the_sessions_too():
    events = {"events": {"leave_therapy": {"per_day": 1000.0, "from_day": 20}}}
    state = followed({**attending(mean=0.9, sd=0.1), **events})
    # Sessions on days 0, 7 and 14 are over; nobody stops besides, because an event says who does.
    assert state.records[SESSIONS].max() == 3
    assert state.records[SESSIONS].mean() == pytest.approx(2.7, abs=4.9 * 0.6 / 100)
    assert not state.in_therapy.any()
    # What the therapy does after 20 days comes once only: with the sessions, not with the event as well.
    full = followed(THERAPY).scores
    kept = (followed({**attending(mean=0.9, sd=0.1), **events}).scores - full)[..., -1, 0] + -4.0
    np.testing.assert_allclose(kept, -4.0 * state.records[SESSIONS] / 10 / 0.9, atol=1e-9)


def test_stopping_ends_what_the_therapy_does_to_hazards():
    """An event that only people in therapy cannot have: nobody has it before they stop."""
    events = {"events": {"relapse_like": {"per_day": 1.0, "hazard_ratio": {"dbt": 1e-9}}}}
    state = followed({**attending(mean=0.9, sd=0.1, stops_by_end=0.5), **events})
    assert (state.event_day["relapse_like"] >= state.records[THERAPY_UNTIL]).mean() > 0.999


def test_the_average_counts_sessions_planned_before():
    given = Attendance(0.5, 5.0, np.log(2) / 7, (3.0, 10.0, 17.0))
    assert average_attendance(given, 1) == pytest.approx(0.5)
    assert average_attendance(given, 3) == pytest.approx(0.5 * (1 + 0.5 + 0.25) / 3)


def test_the_first_people_of_a_larger_trial_attend_alike():
    small, large = followed(attending(**USUAL), n=20), followed(attending(**USUAL), n=40)
    np.testing.assert_array_equal(large.records[SESSIONS][:, :20], small.records[SESSIONS])
    np.testing.assert_allclose(large.scores[:, :20], small.scores, atol=1e-9)
