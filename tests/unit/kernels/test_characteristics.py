"""Margins of characteristics: shares, counts from a least number, truncated normals on whole numbers."""

import numpy as np
import pytest
from scipy import stats

from trialsim.kernels.characteristics import WholeNumberError, from_least, truncated_normal, yes_or_no


@pytest.mark.parametrize(
    ("mean", "sd"), [(32.0, 10.0), (45.0, 13.0), (19.0, 1.0), (74.0, 0.8), (46.5, 16.5), (20.0, 1.9)]
)
def test_whole_years_have_the_mean_and_sd_asked_for(mean, sd):
    margin = truncated_normal(np.array([mean]), np.array([sd]), 18, 75)
    assert margin.values[0] == 18
    assert margin.values[-1] == 75
    np.testing.assert_allclose(margin.probabilities.sum(), 1.0, atol=1e-12)
    np.testing.assert_allclose([margin.mean[0], margin.sd[0]], [mean, sd], rtol=1e-8)
    # Normal: the second differences of the log density are the same everywhere.
    curve = np.diff(np.log(margin.probabilities[0, margin.probabilities[0] > 1e-6]), n=2)
    np.testing.assert_allclose(curve, curve.mean(), rtol=1e-3, atol=1e-7)
    assert curve.mean() < 0


def test_far_from_the_bounds_it_is_the_normal_itself():
    margin = truncated_normal(np.array([45.0]), np.array([5.0]), 0, 120)
    np.testing.assert_allclose(margin.probabilities[0], stats.norm(45, 5).pdf(margin.values), atol=1e-8)


@pytest.mark.parametrize(("mean", "largest"), [(20.0, 2.4), (46.5, 16.8)])
def test_an_sd_that_no_truncated_normal_has_is_refused_with_the_largest(mean, largest):
    with pytest.raises(WholeNumberError) as caught:
        truncated_normal(np.array([45.0, mean]), np.array([10.0, largest + 0.1]), 18, 75)
    assert caught.value.index == 1
    assert caught.value.largest_sd == pytest.approx(largest, abs=0.1)
    truncated_normal(np.array([mean]), np.array([0.99 * caught.value.largest_sd]), 18, 75)


@pytest.mark.parametrize("mean", [17.0, 18.0, 75.0, 80.0])
def test_a_mean_outside_the_bounds_is_refused(mean):
    with pytest.raises(WholeNumberError) as caught:
        truncated_normal(np.array([mean]), np.array([5.0]), 18, 75)
    assert np.isnan(caught.value.largest_sd)


def test_counts_are_a_least_number_and_a_poisson_variable():
    margin = from_least(np.array([2.0, 4.0, 9.5]), 2)
    for s, excess in enumerate((0.0, 2.0, 7.5)):
        expected = stats.poisson.pmf(margin.values - 2, excess)
        np.testing.assert_allclose(margin.probabilities[s], expected, atol=1e-14)
    np.testing.assert_allclose(margin.mean, [2.0, 4.0, 9.5], rtol=1e-12)
    np.testing.assert_allclose(margin.sd**2, [0.0, 2.0, 7.5], atol=1e-11)


def test_shares_are_exact_at_their_ends_too():
    margin = yes_or_no(np.array([0.0, 0.2, 1.0]))
    np.testing.assert_array_equal(margin.thresholds[:, 0], [np.inf, -stats.norm.ppf(0.2), -np.inf])
    np.testing.assert_array_equal(margin.mean, [0.0, 0.2, 1.0])
