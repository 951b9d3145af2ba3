"""The negative binomial likelihood by its definition, maximised one trial at a time by a general optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln

from trialsim.kernels.counts import ESTIMATED, POISSON_LIMIT, fit_counts


def loglik(y, x, exposure, beta, k):
    mean = exposure * np.exp(x @ beta)
    if k == 0.0:
        return np.sum(y * np.log(mean) - mean - gammaln(y + 1.0))
    size = 1.0 / k
    return np.sum(
        gammaln(y + size) - gammaln(size) - gammaln(y + 1.0)
        + size * np.log(size / (size + mean)) + y * np.log(mean / (size + mean))
    )  # fmt: skip


@pytest.mark.parametrize("dispersion", [0.0, 0.1, 0.8, 3.0])
def test_batched_fits_equal_the_optimiser(dispersion):
    rng = np.random.default_rng(int(10 * dispersion))
    n_replicates, n = 8, 90
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    x = np.stack([np.ones(arm.shape), arm, rng.normal(0.0, 1.0, arm.shape)], axis=2)
    exposure = rng.uniform(0.2, 1.5, arm.shape)
    frailty = rng.gamma(1.0 / dispersion, dispersion, arm.shape) if dispersion else 1.0
    y = rng.poisson(3.0 * exposure * np.exp(-0.5 * arm) * frailty).astype(float)
    included = rng.random(arm.shape) < 0.9
    fit = fit_counts(y, x, np.array([0.0, 1.0, 0.0]), exposure=exposure, included=included)
    assert fit.estimable.all()
    for r in range(n_replicates):
        data = y[r, included[r]], x[r, included[r]], exposure[r, included[r]]
        assert fit.loglik[r] == pytest.approx(loglik(*data, fit.coefficients[r], fit.dispersion[r]), rel=1e-8)

        def lost(theta, data=data):
            return -loglik(*data, theta[:3], np.exp(theta[3]))

        start = np.append(fit.coefficients[r] + 0.1, np.log(max(fit.dispersion[r], 0.05)) + 0.2)
        found = minimize(lost, start, method="BFGS", options={"gtol": 1e-7})
        assert fit.loglik[r] >= -found.fun - 1e-6
        if fit.status[r] == ESTIMATED:
            np.testing.assert_allclose(fit.coefficients[r], found.x[:3], atol=2e-4)
            assert fit.dispersion[r] == pytest.approx(np.exp(found.x[3]), rel=1e-3)
            curvature = [
                lost(np.append(fit.coefficients[r], np.log(fit.dispersion[r] + e))) for e in (-1e-3, 0.0, 1e-3)
            ]
            if fit.dispersion[r] > 0.05:
                second = (curvature[0] - 2.0 * curvature[1] + curvature[2]) / 1e-6
                assert fit.dispersion_se[r] == pytest.approx(1.0 / np.sqrt(second), rel=5e-3)
        else:
            assert fit.status[r] == POISSON_LIMIT
            assert fit.dispersion[r] == 0.0
