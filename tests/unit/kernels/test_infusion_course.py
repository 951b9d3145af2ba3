"""Build-up and fading of infusions, against a loop and against what can be said in a sentence."""

import numpy as np
import pytest

from trialsim.kernels.infusion_course import approach, infusion_level, linear_progress, progress_in_windows

SETTINGS = {"gain": 0.45, "half_life_days": 21.0, "onset_days": 1.0}


def by_loop(day, infusion_days, given, gain, half_life_days, onset_days):
    """Return the level on one day for one patient."""

    def level(at, doses):
        total = 0.0
        for when, amount in doses:
            if at > when:
                total += amount * min(1.0, (at - when) / onset_days) * 2 ** (-(at - when) / half_life_days)
        return total

    doses = []
    for when, received in zip(infusion_days, given, strict=True):
        doses.append((when, gain * (1 - level(when, doses)) if received else 0.0))
    return level(day, doses)


def test_agrees_with_a_loop_over_patients_and_infusions():
    rng = np.random.default_rng(3)
    infusion_days, days = [0, 3, 7, 10, 24], [0.5, 3, 7, 14, 30]
    given = rng.random((6, 4, 5)) < 0.7
    found = infusion_level(days, infusion_days, **SETTINGS, given=given)
    for index in np.ndindex(given.shape[:-1]):
        expected = [by_loop(day, infusion_days, given[index], **SETTINGS) for day in days]
        np.testing.assert_allclose(found[index], expected, rtol=1e-12)


def test_one_infusion_reaches_its_gain_and_is_halved_after_a_half_life():
    level = infusion_level([1.0, 21.0, 42.0], [0.0], **{**SETTINGS, "onset_days": 0.0})
    np.testing.assert_allclose(level, 0.45 * np.exp2([-1 / 21, -1, -2]))


def test_infusions_close_together_approach_one_and_never_pass_it():
    level = infusion_level(np.arange(1, 60), np.arange(60), gain=0.45, half_life_days=1e9, onset_days=0.0)
    assert np.all(np.diff(level) >= 0)
    assert level[-1] == pytest.approx(1.0, abs=1e-6)
    assert level.max() <= 1.0


def test_a_visit_on_an_infusion_day_comes_first_and_none_means_nothing():
    assert infusion_level([0.0], [0.0], **SETTINGS)[0] == 0.0
    np.testing.assert_array_equal(infusion_level([3.0, 9.0], [], **SETTINGS), 0.0)


def test_four_infusions_rise_as_the_evidence_has_it():
    """Shares of the day-14 level before infusions 2, 3 and 4: assumed .45, .70 and .87; within .11 of them."""
    level = infusion_level([3, 7, 10, 14], [0, 3, 7, 10], **SETTINGS)
    np.testing.assert_allclose(level / level[-1], [0.45, 0.70, 0.87, 1.0], atol=0.13)


def test_shares_of_a_change_in_time():
    np.testing.assert_allclose(approach([0, 3, 6], 3.0), [0.0, 0.5, 0.75])
    np.testing.assert_allclose(linear_progress([0, 14, 77, 140, 200], 14, 140), [0, 0, 0.5, 1, 1])


def test_progress_in_windows_is_what_days_in_them_add():
    """Day by day: of a change of 1/20 a day from day 5 to 25, the days within 6 of an infusion that was given."""
    infusions, until = [0.0, 3.0, 10.0, 24.0], np.array([0.0, 4.0, 8.0, 12.0, 18.0, 40.0])
    for given in ([True] * 4, [True, False, True, True], [True, True, False, False], [False] * 4):
        minutes = np.arange(0.0, 40.0, 0.01) + 0.005
        opened = np.any(
            [g & (d < minutes) & (minutes < d + 6.0) for d, g in zip(infusions, given, strict=True)], axis=0
        )
        growing = opened & (minutes > 5.0) & (minutes < 25.0)
        expected = [0.01 / 20.0 * (growing & (minutes < day)).sum() for day in until]
        received = np.broadcast_to(given, (6, 4))
        found = progress_in_windows(until, 5.0, 25.0, infusions, 6.0, received)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_array_equal(
        progress_in_windows(until, 5.0, 25.0, infusions, 6.0, np.ones((6, 4), dtype=bool)),
        progress_in_windows(until, 5.0, 25.0, infusions, 6.0),
    )
    np.testing.assert_allclose(
        progress_in_windows(until, 5.0, 25.0, [0.0], np.inf), linear_progress(until, 5.0, 25.0), atol=1e-15
    )
