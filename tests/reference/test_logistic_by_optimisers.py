"""Logistic regressions by general optimisers, one trial at a time; separation by linear programming."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize

from trialsim.kernels.logistic import FINE, FIRTH, SEPARATED, fit_logistic, likelihood_ratio_test, wald_test


def trials(seed, n, *, n_replicates=30, slope=1.0, exact=False):
    rng = np.random.default_rng(seed)
    arm = np.broadcast_to(np.arange(n) % 2, (n_replicates, n)).astype(float)
    z = rng.normal(size=(n_replicates, n))
    x = np.stack([np.ones((n_replicates, n)), np.round(z) if exact else z, arm], axis=2)
    chance = 1.0 / (1.0 + np.exp(-slope * (x @ np.array([-0.5, 0.7, 0.9]))))
    return x, (rng.random((n_replicates, n)) < chance).astype(float), rng.random((n_replicates, n)) < 0.9


def penalised(x, y, free):
    """Return the top of Firth's penalised likelihood over the free coefficients: coefficients and value."""

    def negative(part):
        beta = np.zeros(x.shape[1])
        beta[free] = part
        eta = x @ beta
        p = 1.0 / (1.0 + np.exp(-eta))
        likelihood = np.sum(y * eta - np.logaddexp(0.0, eta))
        return -likelihood - 0.5 * np.linalg.slogdet(x.T @ (x * (p * (1.0 - p))[:, None]))[1]

    found = optimize.minimize(negative, np.zeros(len(free)), method="BFGS", options={"gtol": 1e-9})
    found = optimize.minimize(negative, found.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
    beta = np.zeros(x.shape[1])
    beta[free] = found.x
    return beta, -found.fun


def separated(x, y):
    """Whether some direction fits every response at least as well and one better: a linear programme."""
    signed = x * np.where(y == 1, 1.0, -1.0)[:, None]
    found = optimize.linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=[(-1, 1)] * x.shape[1])
    return -found.fun > 1e-7


def test_maximum_likelihood():
    x, y, included = trials(1, 60)
    fit = fit_logistic(x, y, included)
    for r in range(len(y)):
        expected = sm.Logit(y[r, included[r]], x[r, included[r]]).fit(disp=False, tol=1e-14, maxiter=100)
        np.testing.assert_allclose(fit.coefficients[r], expected.params, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.covariance[r], expected.cov_params(), rtol=1e-8)
        assert fit.log_likelihood[r] == pytest.approx(expected.llf, rel=1e-12)


@pytest.mark.parametrize("columns", [(2,), (1, 2)])
def test_likelihood_ratio(columns):
    x, y, included = trials(2, 60)
    test = likelihood_ratio_test(x, y, included, columns)
    keep = [i for i in range(3) if i not in columns]
    for r in range(len(y)):
        full, small = (
            sm.Logit(y[r, included[r]], x[r, included[r]][:, c]).fit(disp=False, tol=1e-14) for c in ([0, 1, 2], keep)
        )
        assert test.chi_square[r] == pytest.approx(2.0 * (full.llf - small.llf), rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("n", [8, 30])
def test_firth(n):
    x, y, included = trials(3, n, n_replicates=12)
    fit = fit_logistic(x, y, included, penalty="always")
    test = likelihood_ratio_test(x, y, included, (2,), penalty="always")
    for r in np.flatnonzero(fit.reason == FINE):
        inside = included[r]
        beta, top = penalised(x[r, inside], y[r, inside], [0, 1, 2])
        _, held = penalised(x[r, inside], y[r, inside], [0, 1])
        np.testing.assert_allclose(fit.coefficients[r], beta, atol=2e-6, rtol=2e-6)
        assert fit.log_likelihood[r] >= top - 1e-10
        assert test.chi_square[r] == pytest.approx(2.0 * (top - held), abs=1e-8)
    assert (fit.reason == FINE).sum() >= 10


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("n", [6, 10, 16])
@pytest.mark.parametrize("slope", [1.0, 4.0])
def test_separation_is_found_where_it_is(n, slope, exact):
    """Every separated trial is found; a rare other one has its maximum where chances are 1 to within rounding."""
    x, y, included = trials(n, n, n_replicates=150, slope=slope, exact=exact)
    fit = fit_logistic(x, y, included, penalty="never")
    rescued = fit_logistic(x, y, included)
    full = [r for r in range(len(y)) if np.linalg.matrix_rank(x[r, included[r]]) == 3]
    assert len(full) > 80
    expected = np.array([separated(x[r, included[r]], y[r, included[r]]) for r in full])
    found = fit.reason[full] == SEPARATED
    assert np.all(found | ~expected)
    assert (found & ~expected).sum() <= 1
    assert np.all((fit.reason[full] == FINE) | found)
    assert np.all(rescued.reason[full] == FINE)
    np.testing.assert_array_equal(rescued.method[full] == FIRTH, found)
    assert np.isfinite(wald_test(rescued, np.array([0.0, 0.0, 1.0])).se[full]).all()
