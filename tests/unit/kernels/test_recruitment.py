"""The arrays behind recruitment."""

import numpy as np
import pytest

from trialsim.kernels.recruitment import (
    arrival_times,
    chosen,
    common_factors,
    cumulated,
    expected_by,
    gamma_rates,
    site_intensity,
)


def test_arrivals_stand_where_the_cumulated_intensity_reaches_their_level():
    rng = np.random.default_rng(1)
    daily = rng.random((3, 40)) * (rng.random((3, 40)) < 0.7)
    cumulative = cumulated(daily)
    level = np.sort(rng.random((3, 12)) * cumulative[:, -1:] * 1.1, axis=1)
    times = arrival_times(cumulative, level)
    for r in range(3):
        np.testing.assert_array_equal(np.isfinite(times[r]), level[r] < cumulative[r, -1])
        inside = np.isfinite(times[r])
        np.testing.assert_allclose(
            np.interp(times[r][inside], np.arange(41), cumulative[r]), level[r][inside], rtol=1e-12
        )
        assert np.all(daily[r][times[r][inside].astype(int)] > 0.0)


def test_expected_numbers_grow_evenly_within_a_day():
    cumulative = cumulated(np.array([[1.0, 0.0, 4.0]]))
    found = [expected_by(cumulative, np.array([day]))[0] for day in (-1.0, 0.25, 1.5, 2.5, 3.0, 9.0)]
    assert found == [0.0, 0.25, 1.0, 3.0, 5.0, 5.0]


def test_a_site_recruits_from_its_opening_on_and_ever_less():
    day = np.arange(200.0)
    daily = site_intensity(np.array([2.0]), np.array([5.0]), day, decay_per_day=0.01)
    assert np.all(daily[:5] == 0.0)
    assert daily.sum() == pytest.approx(2.0 * (1.0 - np.exp(-0.01 * 195.0)) / 0.01)
    flat = site_intensity(np.array([2.0]), np.array([5.0]), day, decay_per_day=0.0)
    assert flat.sum() == 2.0 * 195.0


def test_a_site_is_chosen_in_proportion_and_never_without_weight():
    uniform = np.linspace(0.0, 1.0, 1001, endpoint=False)
    weights = [np.full(1001, weight) for weight in (0.0, 1.0, 0.0, 3.0, 0.0)]
    choice = chosen(weights.__getitem__, 5, uniform)
    assert set(choice.tolist()) == {1, 3}
    assert np.mean(choice == 3) == pytest.approx(0.75, abs=1e-3)
    ends = np.array([0.0] * 1000 + [np.nextafter(1.0, 0.0)])
    assert set(chosen(weights.__getitem__, 5, ends).tolist()) == {1, 3}


def test_gamma_rates_keep_their_mean_and_spread():
    middle = (np.arange(100_000) + 0.5) / 100_000
    rates = gamma_rates(0.5, 1.2, middle)
    assert rates.mean() == pytest.approx(0.5, rel=1e-3)
    assert rates.var() == pytest.approx(0.25 / 1.2, rel=1e-2)
    assert set(gamma_rates(0.5, np.inf, middle).tolist()) == {0.5}


def test_seasons_follow_the_calendar_and_pauses_stop_all():
    season = [float(month) for month in range(1, 13)]
    factor = common_factors(400, season=season, first_month=11, days_per_month=30.0, pauses=[(10.0, 12.0)])
    assert factor[0] == 11.0
    assert factor[45] == 12.0
    assert factor[60] == 1.0
    np.testing.assert_array_equal(np.flatnonzero(factor == 0.0), [10, 11])
