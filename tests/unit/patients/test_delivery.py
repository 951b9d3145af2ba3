"""What patients were given late or not at all, and what that does to their scores."""

from dataclasses import replace

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.kernels.infusion_course import infusion_level, own_infusion_level
from trialsim.patients.cohort import PatientSource
from trialsim.patients.delivery import Delivery
from trialsim.streams import BLOCK_SIZE, Streams

COURSE = {"gain": 0.45, "half_life_days": 9.0, "onset_days": 1.0}
DAYS = (0.0, 3.0, 7.0, 10.0)
N = 12


@pytest.mark.parametrize("day", [0.0, 3.0, 5.0, 14.0, 40.0])
def test_levels_on_the_days_planned_are_those_of_everybody(day):
    given = np.array([[True] * 4, [True, False, True, True], [False] * 4, [True, True, False, False]])
    own = np.where(given, DAYS, np.inf)
    expected = infusion_level([day], DAYS, given=given, **COURSE)[..., 0]
    np.testing.assert_allclose(own_infusion_level(day, own, **COURSE), expected, rtol=0, atol=1e-15)


def test_levels_of_late_infusions_by_hand_whatever_their_order():
    # One infusion on day 4, one on day 6: nothing fades with an endless half-life and no onset.
    course = {"gain": 0.5, "half_life_days": np.inf, "onset_days": 0.0}
    level = own_infusion_level(10.0, np.array([[6.0, np.inf, 4.0], [4.0, 6.0, np.inf]]), **course)
    np.testing.assert_array_equal(level, [0.75, 0.75])
    np.testing.assert_array_equal(own_infusion_level(4.0, np.array([[4.0]]), **course), [0.0])


def planned(variant, **other):
    shape = (BLOCK_SIZE, N)
    most = max(len(days) for days in variant.infusion_days)
    days = np.full((*shape, most), np.inf)
    own = variant.infusion_days[0]
    days[..., : len(own)] = own
    fields = {
        "infusion_day": days,
        "left_day": np.full(shape, np.inf),
        "visited": np.ones((*shape, len(variant.visits_days)), dtype=bool),
        "therapy_delay_days": np.zeros(shape),
        "sessions_held": np.ones(shape),
        "enrolled": np.ones(shape, dtype=bool),
    }
    return Delivery(**(fields | other))


def source_of(document, changes):
    variant = resolve(document, changes).variants[0]
    source, streams = PatientSource(variant), Streams(3, 0)
    return variant, source, streams, source.enrol(streams, N), np.ones((BLOCK_SIZE, N), dtype=np.intp)


@pytest.fixture(scope="module")
def infused():
    return source_of(
        BOUNDED,
        {
            "outcomes": {"qids_sr16": {"scale": "continuous"}},
            "course": {"infusion_model": {}},
            "clusters": {"site": {"number": 3, "icc": 0.02, "effect_sd": 0.2}},
        },
    )


def test_all_on_time_changes_no_bit(infused):
    variant, source, streams, stratum, arm = infused
    plain = source.follow(streams, stratum, arm)
    delivered = source.follow(streams, stratum, arm, delivery=planned(variant))
    for name in ("baseline", "scores", "present", "infusions"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(delivered, name))


def test_late_and_missed_infusions_take_what_the_course_says(infused):
    variant, source, streams, stratum, arm = infused
    variant = replace(variant, heterogeneity=None)
    source = PatientSource(variant)
    whole = planned(variant)
    days = whole.infusion_day.copy()
    days[:, 0, 2] += 3.0  # the third of the first patient, late
    days[:, 1, 3] = np.inf  # the fourth of the second, missed
    delivered = source.follow(streams, stratum, arm, delivery=replace(whole, infusion_day=days))
    change = delivered.scores - source.follow(streams, stratum, arm).scores
    model = variant.infusion_model
    course = {name: getattr(model, name) for name in COURSE}
    for patient, own in ((0, [0.0, 3.0, 10.0, 10.0]), (1, [0.0, 3.0, 7.0, np.inf])):
        for v, day in enumerate(variant.visits_days):
            there = own_infusion_level(day, np.array([own]), **course)[0]
            due = infusion_level([day], DAYS, **course)[0]
            lost = (there - due) / model.reference_level * model.specific[1][stratum[:, patient], 0]
            np.testing.assert_allclose(change[:, patient, v, 0], lost, rtol=0, atol=1e-12)
    assert np.abs(change[:, :2, 2]).min() > 0.01
    assert not change[:, 2:].any()
    assert (delivered.infusions[:, 1] <= 3).all()


def test_who_gave_up_waiting_was_not_within_the_window_or_not_enrolled_is_not_seen(infused):
    variant, source, streams, stratum, arm = infused
    whole = planned(variant)
    left = np.full((BLOCK_SIZE, N), np.inf)
    left[:, 0], left[:, 1] = 0.0, 5.0
    visited = whole.visited.copy()
    visited[:, 2, 1] = False
    enrolled = np.broadcast_to(np.arange(N) < 10, (BLOCK_SIZE, N))
    plain = source.follow(streams, stratum, arm)
    seen = source.follow(
        streams, stratum, arm, delivery=replace(whole, left_day=left, visited=visited, enrolled=enrolled)
    )
    expected = plain.present.copy()
    expected[:, 0] = False
    expected[:, 1, 1:] = False
    expected[:, 10:] = False
    rest = [0, 1, *range(3, N)]
    np.testing.assert_array_equal(seen.present[:, rest], expected[:, rest])
    assert not seen.present[:, 2, 1].any()
    assert seen.present[:, 2, 2].any()
    assert not seen.started[:, 0].any()
    assert seen.trial(4, N).arm.shape == (1, 10)


def test_a_later_or_thinner_therapy_brings_as_much_less():
    variant, source, streams, stratum, arm = source_of(
        CONTINUOUS,
        {
            "course": {"control_change": {"score": -4.0}, "timing": {"3": 0.5, "7": 1, "14": 1}},
            "arms": {"control": {}, "active": {"therapy": "dbt"}},
            "therapies": {"dbt": {"weeks": 2, "onset_weeks": 0, "effects": {"score": {"points": -2.8}}}},
        },
    )
    whole = replace(planned(variant), infusion_day=np.zeros((BLOCK_SIZE, N, 0)))
    delay, held = np.zeros((BLOCK_SIZE, N)), np.ones((BLOCK_SIZE, N))
    delay[:, 0], delay[:, 1], held[:, 2] = 7.0, np.inf, 0.5
    delivered = source.follow(
        streams, stratum, arm, delivery=replace(whole, therapy_delay_days=delay, sessions_held=held)
    )
    change = (delivered.scores - source.follow(streams, stratum, arm).scores)[..., 0]
    # 2.8 points in 14 even days are 0.2 a day.
    np.testing.assert_allclose(change[:, 0], np.broadcast_to([0.6, 1.4, 1.4], (BLOCK_SIZE, 3)), atol=1e-12)
    np.testing.assert_allclose(change[:, 1], np.broadcast_to([0.6, 1.4, 2.8], (BLOCK_SIZE, 3)), atol=1e-12)
    np.testing.assert_allclose(change[:, 2], np.broadcast_to([0.3, 0.7, 1.4], (BLOCK_SIZE, 3)), atol=1e-12)
    assert not change[:, 3:].any()


def test_after_a_visit_that_was_not_held_the_score_before_it_drives_an_event():
    event = {"per_day": 0.05, "score_hazard_ratio_per_sd": 3.0, "effect": {"score": -3.0}}
    gaps = {"missing": {"intermittent": {"share": 0.5}}}
    _, source, streams, stratum, arm = source_of(CONTINUOUS, {"events": {"change": event}, **gaps})
    missed = source.follow(streams, stratum, arm)
    variant, source, streams, stratum, arm = source_of(CONTINUOUS, {"events": {"change": event}})
    whole = planned(variant, infusion_day=np.zeros((BLOCK_SIZE, N, 0)))
    held = source.follow(streams, stratum, arm, delivery=replace(whole, visited=missed.present))
    np.testing.assert_array_equal(held.event_day["change"], missed.event_day["change"])
    np.testing.assert_array_equal(held.scores, missed.scores)
    assert np.any(held.event_day["change"] != source.follow(streams, stratum, arm).event_day["change"])
