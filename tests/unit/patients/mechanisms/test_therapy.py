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
