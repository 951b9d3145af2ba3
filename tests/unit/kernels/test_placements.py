"""Placements by counting pairs, and standard errors where scores do not overlap."""

import numpy as np
import pytest
from scipy import stats

from trialsim.kernels.placements import midranks, superiority


def test_midranks_are_those_of_the_scores_inside():
    y = np.array([[3.0, np.nan, 1.0, 3.0, 7.0, 1.0], [2.0, 2.0, 2.0, np.inf, 5.0, np.nan]])
    inside = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 0, 0]], dtype=bool)
    found = midranks(y, inside)
    for r in range(2):
        np.testing.assert_array_equal(found[r, inside[r]], stats.rankdata(y[r, inside[r]]))
        assert np.isnan(found[r, ~inside[r]]).all()


def test_variance_is_that_of_placements_pair_by_pair():
    rng = np.random.default_rng(2)
    y = np.round(rng.normal(0, 2, (5, 31)))
    y[:, 4] = np.nan
    active = rng.random(y.shape) < 0.4
    zero = np.zeros(y.shape, dtype=int)
    found = superiority(y, active, ~active, zero, n_strata=1)
    for r in range(5):
        one, other = (y[r, part[r] & ~np.isnan(y[r])] for part in (active, ~active))
        above = (one[:, None] > other) + 0.5 * (one[:, None] == other)
        parts = above.mean(axis=1).var(ddof=1) / len(one), above.mean(axis=0).var(ddof=1) / len(other)
        assert found.estimate[r] == pytest.approx(above.mean(), abs=1e-14)
        assert found.se[r] == pytest.approx(np.sqrt(sum(parts)), rel=1e-12)
        spread = parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(other) - 1)
        assert found.df[r] == pytest.approx(sum(parts) ** 2 / spread, rel=1e-12)
    assert not found.stood_in.any()


def test_the_standard_error_is_the_spread_over_trials():
    # 4,000 trials: the standard error of a standard deviation is 1.1 %; 4.9 of them are allowed.
    rng = np.random.default_rng(8)
    y = np.concatenate([rng.normal(0.0, 1.0, (4000, 30)), rng.normal(0.8, 3.0, (4000, 20))], axis=1)
    active = np.broadcast_to(np.arange(50) >= 30, y.shape)
    found = superiority(y, active, ~active, np.zeros(y.shape, dtype=int), n_strata=1)
    expected = stats.norm.cdf(0.8 / np.sqrt(10.0))
    assert found.estimate.mean() == pytest.approx(expected, abs=4.9 * found.estimate.std() / np.sqrt(4000))
    assert np.sqrt(np.mean(found.se**2)) == pytest.approx(found.estimate.std(), rel=4.9 * 0.0112)


def test_without_overlap_the_null_variance_stands_in():
    y = np.array([[1.0, 2.0, 3.0, 10.0, 11.0], [1.0, 2.0, 3.0, 10.0, np.nan], [5.0] * 5])
    active = np.broadcast_to(np.arange(5) >= 3, y.shape)
    found = superiority(y, active, ~active, np.zeros(y.shape, dtype=int), n_strata=1)
    np.testing.assert_array_equal(found.estimate, [1.0, 1.0, 0.5])
    np.testing.assert_array_equal(found.stood_in, [True, True, True])
    # m n (N + 1) / 12 over (m n)², without ties.
    np.testing.assert_allclose(found.se, np.sqrt([6 / 12 / 6, 5 / 12 / 3, 0.0]), rtol=1e-12)
    assert np.isinf(found.df).all()


def test_no_pair_no_estimate():
    y = np.array([[1.0, 2.0, np.nan]])
    active = np.array([[False, False, True]])
    found = superiority(y, active, ~active, np.zeros((1, 3), dtype=int), n_strata=1)
    assert np.isnan([found.estimate[0], found.se[0], found.df[0]]).all()
