"""Infusions that are not given: what is missing of the drug's effect follows from the model of its course."""

from __future__ import annotations

import numpy as np

from trials import CONTINUOUS, resolve
from trialsim.engine.block import patient_source
from trialsim.kernels.infusion_course import infusion_level
from trialsim.streams import Streams

DAYS = [0.0, 3.0, 7.0, 10.0]
COURSE = {"gain": 0.45, "half_life_days": 21.0, "onset_days": 1.0}
DRUG = {
    "schedule": {"infusions": DAYS, "visits": [3, 7, 14, 28]},
    "arms": {"control": {"infusion": "midazolam"}, "active": {"infusion": "ketamine"}},
    "course": {"infusion_model": {**COURSE, "natural_half_time_days": 3.0}, "control_change": {"score": -4.0}},
    "effects": {"active": {"points": {"score": -6.0}}},
}


def cohort(arm, events=None, *, without=()):
    resolved = resolve(CONTINUOUS, {**DRUG, "events": events})
    source = patient_source(resolved.variants[0], resolved.hash)
    streams = Streams(3, 0)
    stratum = source.enrol(streams, 60)
    return source.follow(streams, stratum, np.full_like(stratum, arm), without=without)


STOP = {"stop_infusions": {"share_by": {10: 0.6}}}


def test_scores_lose_what_the_missing_infusions_would_have_added():
    stopped, spared = cohort(1, STOP), cohort(1)
    day = stopped.event_day["stop_infusions"]
    given = np.array(DAYS) <= day[..., None]
    assert set(np.unique(given.sum(axis=2))) == {1, 2, 3, 4}
    visits = [3.0, 7.0, 14.0, 28.0]
    reference = infusion_level([14.0], DAYS, **COURSE)[0]
    lost = -6.0 * (infusion_level(visits, DAYS, **COURSE, given=given) - infusion_level(visits, DAYS, **COURSE))
    np.testing.assert_allclose((stopped.scores - spared.scores)[..., 0], lost / reference, atol=1e-9)
    np.testing.assert_array_equal(stopped.infusions, given.sum(axis=2))


def test_the_control_infusion_has_nothing_to_lose():
    np.testing.assert_array_equal(cohort(0, STOP).scores, cohort(0).scores)


def test_had_nobody_stopped():
    off = cohort(1, STOP, without=("stop_infusions",))
    np.testing.assert_array_equal(off.scores, cohort(1).scores)
    assert (off.infusions == 4).all()
