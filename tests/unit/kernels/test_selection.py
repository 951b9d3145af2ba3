"""Draws of those who pass a bound, and what selection does to mean scores, against closed forms."""

import numpy as np
import pytest
from scipy import integrate, stats

from trialsim.kernels.margins import BoundedMargins, fit_bounded_margins
from trialsim.kernels.selection import (
    draw_passing,
    largest_share,
    latent_loading,
    remainder,
    selected_means,
    share_passing,
)

UNIFORM = np.concatenate([[0.0, 1e-300, 1e-17], np.linspace(0.01, 0.99, 99), [1 - 2**-53]])


@pytest.mark.parametrize("bound", [-np.inf, -9.0, -1.0, 0.0, 2.0, 3.09, 8.0])
def test_draws_are_the_quantiles_of_a_truncated_normal(bound):
    above = draw_passing(UNIFORM, np.asarray(bound), above=True)
    below = draw_passing(UNIFORM, np.asarray(-bound), above=False)
    np.testing.assert_array_equal(below, -above)
    assert np.all(above > bound)
    assert np.all(np.diff(above) >= 0)
    np.testing.assert_allclose(stats.norm.sf(above), (1 - UNIFORM) * stats.norm.sf(bound), rtol=1e-9, atol=1e-15)
    assert share_passing(np.asarray(bound), above=True) == pytest.approx(stats.norm.sf(bound), rel=1e-12)


@pytest.mark.parametrize("bound", [-12.0, -0.5, 1.5, 3.0])
@pytest.mark.parametrize("above", [True, False])
def test_on_the_real_line_the_mean_moves_by_the_inverse_mills_ratio(bound, above):
    edge = bound if above else -bound
    mills = stats.norm.pdf(bound) / stats.norm.sf(bound) * (1 if above else -1)
    loading, bounds = np.array([[0.6]]), np.array([[edge]])
    found = selected_means(loading, bounds, (above,), None, np.array([20.0]), np.array([5.0]))
    np.testing.assert_allclose(found, 20 + 5 * 0.6 * mills, rtol=1e-12)


def test_mean_scores_on_a_scale_are_those_of_numerical_integration():
    """By the double integral over what is selected by, scipy's adaptive rule."""
    margin = fit_bounded_margins(np.array([12.0]), np.array([4.0]), minimum=0, maximum=27, step=1)
    loading, bound = np.array([[0.5, -0.3]]), np.array([[0.4, 0.7]])
    found = selected_means(loading, bound, (True, False), margin, margin.mean, margin.sd)
    left = np.sqrt(1 - 0.25 - 0.09)

    def density(run_in, screening):
        beyond = stats.norm.cdf((0.5 * screening - 0.3 * run_in - margin.thresholds[0]) / left)
        return np.sum(beyond) * stats.norm.pdf(run_in) * stats.norm.pdf(screening)

    total, _ = integrate.dblquad(density, 0.4, 9, -9, 0.7, epsabs=1e-9)
    np.testing.assert_allclose(found, total / (stats.norm.sf(0.4) * stats.norm.cdf(0.7)), rtol=1e-7)


def test_where_all_pass_the_mean_is_that_of_all():
    margin = fit_bounded_margins(np.array([2.0]), np.array([2.0]), minimum=0, maximum=27, step=1)
    found = selected_means(np.array([[0.9]]), np.array([[-np.inf]]), (True,), margin, margin.mean, margin.sd)
    np.testing.assert_allclose(found, 2.0, atol=1e-9)


def test_correlations_that_are_too_large_are_told_and_shortened():
    latent = np.array([[1.0, 0.5], [0.5, 1.0]])
    target = np.array([0.9, -0.3])
    loading = latent_loading(target, None, [None, None])
    np.testing.assert_array_equal(loading, target)
    assert remainder(latent, loading[:, None]) is None
    share = largest_share(latent, target, None, [None, None])
    # t' R^-1 t = 1 at the edge.
    np.testing.assert_allclose(share, 1 / np.sqrt(target @ np.linalg.solve(latent, target)), rtol=1e-7)
    assert remainder(latent, share * loading[:, None]) is not None
    assert latent_loading(np.array([1.2]), None, [None]) is None


def test_a_correlation_that_a_scale_cannot_have_is_none():
    coarse = fit_bounded_margins(np.array(0.5), np.array(0.5), minimum=0, maximum=1, step=1)
    assert isinstance(coarse, BoundedMargins)
    assert latent_loading(np.array([0.9]), None, [coarse]) is None
    assert latent_loading(np.array([0.7]), None, [coarse]) is not None
