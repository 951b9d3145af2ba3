"""A slow, plain version of the batched regressions: one trial at a time by `numpy.linalg.lstsq`."""

import numpy as np
import pytest

from trialsim.kernels.least_squares import coefficients, fit_least_squares, moments


def one_regression(x, y, contrast):
    """Coefficients, and estimate, standard error, df and residual variance of one contrast of one trial."""
    beta, _, rank, _ = np.linalg.lstsq(x, y)
    df = len(y) - rank
    variance = sum((y[i] - x[i] @ beta) ** 2 for i in range(len(y))) / df
    covariance = variance * np.linalg.inv(x.T @ x)
    return beta, contrast @ beta, np.sqrt(contrast @ covariance @ contrast), df, variance


@pytest.mark.parametrize("n", [8, 25, 200])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_batched_regressions_equal_the_loop(n, missing):
    rng = np.random.default_rng(n)
    n_replicates = 30
    x = np.concatenate(
        [
            np.ones((n_replicates, n, 1)),
            rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)[..., None],
            rng.normal(20.0, 4.0, (n_replicates, n, 1)),
            rng.permuted(np.broadcast_to(np.arange(n) // 2 % 2, (n_replicates, n)), axis=1)[..., None],
        ],
        axis=2,
    )
    y = 3.0 + x @ np.array([5.0, -2.0, 0.5, 1.0]) + rng.normal(0.0, 4.0, (n_replicates, n))
    included = rng.random((n_replicates, n)) >= missing
    contrast = np.array([0.0, 1.0, 0.0, 0.0])
    products, counts = moments(x, y, included)
    fit = fit_least_squares(products[0], counts[0], contrast)
    beta = coefficients(products[0])
    compared = 0
    for r in range(n_replicates):
        inside = included[r]
        if np.linalg.matrix_rank(x[r, inside]) < 4 or inside.sum() <= 4:
            assert not fit.estimable[r]
            continue
        expected = one_regression(x[r, inside], y[r, inside], contrast)
        np.testing.assert_allclose(beta[r], expected[0], rtol=1e-8, atol=1e-8)
        got = (fit.estimate[r], fit.se[r], fit.df[r], fit.residual_variance[r])
        np.testing.assert_allclose(got, expected[1:], rtol=1e-10)
        compared += 1
    assert compared >= 20
