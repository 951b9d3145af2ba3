"""A slow, plain version of the mixed model, one participant at a time, with derivatives by finite differences.

The restricted likelihood is summed over participants from their own design matrices and covariances. From its
numerical gradient, Hessian and the numerical gradient of the variance follow estimate, standard error and
Satterthwaite's degrees of freedom with nothing of the kernel's algebra.
"""

import numpy as np
import pytest
from scipy.optimize import minimize

from trialsim.kernels.mmrm import STRUCTURES, fit_mmrm, pattern_statistics

N, V = 36, 3


def trial(pattern, *, seed, n=N, n_visits=V):
    """Scores (N, V) and covariates (N, 4): intercept, arm, baseline, stratum."""
    rng = np.random.default_rng(seed)
    x = np.stack(
        [np.ones(n), np.arange(n) % 2, rng.normal(0.0, 4.0, n), rng.permutation(np.arange(n) // 2 % 2)], axis=1
    ).astype(float)
    sd = np.linspace(3.0, 6.0, n_visits)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    covariance = np.outer(sd, sd) * 0.7**lag
    y = x @ np.array([[15.0] * n_visits, np.linspace(-1, -3, n_visits), [0.5] * n_visits, [1.0] * n_visits])
    y += rng.normal(size=(n, n_visits)) @ np.linalg.cholesky(covariance).T
    if pattern == "monotone":
        last = rng.choice(n_visits + 1, n, p=[0.05, *([0.15] * (n_visits - 1)), 0.95 - 0.15 * (n_visits - 1)])
        y[np.arange(n_visits) >= last[:, None]] = np.nan
    elif pattern == "intermittent":
        y[rng.random(y.shape) < 0.2] = np.nan
    return y, x


def own_design(x_i, v, n_visits, n_constant):
    """The row of one participant's design matrix at visit v: crossed covariates visit by visit, then the constant."""
    crossed = len(x_i) - n_constant
    row = np.zeros(n_visits * crossed + n_constant)
    row[v * crossed : (v + 1) * crossed] = x_i[:crossed]
    row[n_visits * crossed :] = x_i[crossed:]
    return row


def gls(sigma, y, x, n_constant, *, reml):
    """Minus twice the log-likelihood, coefficients and their covariance."""
    n_visits = y.shape[1]
    size = n_visits * (x.shape[1] - n_constant) + n_constant
    a, xvy, pieces = np.zeros((size, size)), np.zeros(size), []
    for y_i, x_i in zip(y, x, strict=True):
        seen = np.flatnonzero(~np.isnan(y_i))
        if not len(seen):
            continue
        design = np.array([own_design(x_i, v, n_visits, n_constant) for v in seen])
        v_i = sigma[np.ix_(seen, seen)]
        inverse = np.linalg.inv(v_i)
        a += design.T @ inverse @ design
        xvy += design.T @ inverse @ y_i[seen]
        pieces.append((design, v_i, inverse, y_i[seen]))
    beta = np.linalg.solve(a, xvy)
    value, n_scores = 0.0, 0
    for design, v_i, inverse, y_i in pieces:
        r = y_i - design @ beta
        value += np.linalg.slogdet(v_i)[1] + r @ inverse @ r
        n_scores += len(y_i)
    if reml:
        value += np.linalg.slogdet(a)[1]
        n_scores -= size
    return value + n_scores * np.log(2 * np.pi), beta, np.linalg.inv(a)


def covariance_of(name, theta, n_visits=V):
    """Σ from parameters in the plainest form: elements, or standard deviations and correlations."""
    if name == "unstructured":
        sigma = np.zeros((n_visits, n_visits))
        sigma[np.tril_indices(n_visits)] = theta
        return sigma + np.tril(sigma, -1).T
    n_sd = n_visits if name.startswith("heterogeneous") else 1
    sd, rho = np.broadcast_to(theta[:n_sd], n_visits), theta[n_sd:]
    r = np.eye(n_visits)
    for i in range(n_visits):
        for j in range(i):
            if name.endswith("compound_symmetry"):
                r[i, j] = rho[0]
            elif name.endswith("ar1"):
                r[i, j] = rho[0] ** (i - j)
            elif name.endswith("toeplitz"):
                r[i, j] = rho[i - j - 1]
            else:
                r[i, j] = np.prod(rho[j:i])
            r[j, i] = r[i, j]
    return np.outer(sd, sd) * r


def parameters_of(name, sigma):
    n_visits = len(sigma)
    if name == "unstructured":
        return sigma[np.tril_indices(n_visits)]
    sd = np.sqrt(np.diag(sigma))
    r = sigma / np.outer(sd, sd)
    sds = sd if name.startswith("heterogeneous") else sd[:1]
    if name.endswith(("compound_symmetry", "ar1")):
        return np.array([*sds, r[1, 0]])
    if name.endswith("toeplitz"):
        return np.array([*sds, *r[1:, 0]])
    return np.array([*sds, *np.diag(r, -1)])


def slope(function, theta, step):
    """Derivatives by fourth-order central differences, the parameter first."""
    gradient = []
    for i in range(len(theta)):
        e = np.zeros(len(theta))
        e[i] = step[i]
        gradient.append(
            (8 * (function(theta + e) - function(theta - e)) - function(theta + 2 * e) + function(theta - 2 * e))
            / (12 * step[i])
        )
    return np.array(gradient)


CASES = [(name, "monotone", 0) for name in STRUCTURES] + [(name, "intermittent", 1) for name in STRUCTURES]
CASES += [
    ("unstructured", pattern, constant)
    for pattern in ("complete", "monotone", "intermittent")
    for constant in (0, 1, 2)
]
CASES = sorted(set(CASES))


@pytest.mark.parametrize(("name", "pattern", "n_constant"), CASES)
def test_estimate_error_and_degrees_of_freedom(name, pattern, n_constant):
    y, x = trial(pattern, seed=5)
    contrast = np.zeros((V, 4))
    contrast[V - 1, 1] = 1.0
    fit = fit_mmrm(pattern_statistics(y[None], x[None])[0], contrast, ladder=(name,), n_constant=n_constant)
    assert fit.rung[0] == 0
    theta = parameters_of(name, fit.covariance[0])
    np.testing.assert_allclose(covariance_of(name, theta), fit.covariance[0], rtol=1e-9, atol=1e-9)
    index = (V - 1) * (4 - n_constant) + 1

    def neg2(t):
        return gls(covariance_of(name, t), y, x, n_constant, reml=True)[0]

    def variance(t):
        return gls(covariance_of(name, t), y, x, n_constant, reml=True)[2][index, index]

    value, beta, cov = gls(fit.covariance[0], y, x, n_constant, reml=True)
    assert fit.neg2_loglik[0] == pytest.approx(value, rel=1e-12)
    assert fit.estimate[0] == pytest.approx(beta[index], rel=1e-10)
    assert fit.se[0] == pytest.approx(np.sqrt(cov[index, index]), rel=1e-10)
    step = 3e-3 * np.maximum(np.abs(theta), 0.1)
    hessian = slope(lambda t: slope(neg2, t, step), theta, step)
    # The Newton decrement left at the kernel's optimum, in units of the log-likelihood.
    left = slope(neg2, theta, step)
    assert left @ np.linalg.solve(hessian, left) < 1e-8
    g = slope(variance, theta, step)
    df = 2 * cov[index, index] ** 2 / (g @ np.linalg.solve(hessian / 2, g))
    assert fit.df[0] == pytest.approx(df, rel=1e-5)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("pattern", ["complete", "monotone", "intermittent"])
def test_an_optimiser_that_knows_nothing_finds_no_better_optimum(pattern, reml):
    y, x = trial(pattern, seed=8)
    contrast = np.zeros((V, 4))
    contrast[V - 1, 1] = 1.0
    fit = fit_mmrm(pattern_statistics(y[None], x[None])[0], contrast, ladder=("unstructured",), reml=reml)

    def neg2(t):
        root = np.zeros((V, V))
        root[np.tril_indices(V)] = t
        root[np.diag_indices(V)] = np.exp(np.diag(root))
        return gls(root @ root.T, y, x, 0, reml=reml)[0]

    start = np.diag(np.full(V, 1.5))[np.tril_indices(V)]
    found = minimize(neg2, start, method="BFGS", options={"gtol": 1e-5, "maxiter": 500})
    assert fit.neg2_loglik[0] <= found.fun + 1e-9
    assert fit.neg2_loglik[0] == pytest.approx(found.fun, abs=1e-6)


def test_a_block_of_trials_equals_the_trials_one_by_one():
    trials = [trial("intermittent" if s % 2 else "monotone", seed=20 + s) for s in range(12)]
    y, x = (np.stack(part) for part in zip(*trials, strict=True))
    contrast = np.zeros((V, 4))
    contrast[V - 1, 1] = 1.0
    for name in ("unstructured", "heterogeneous_toeplitz", "compound_symmetry"):
        together = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=(name,))
        for r in range(len(trials)):
            alone = fit_mmrm(pattern_statistics(y[r : r + 1], x[r : r + 1])[0], contrast, ladder=(name,))
            for a, b in zip(together, alone, strict=True):
                np.testing.assert_allclose(a[r], b[0], rtol=1e-10, atol=1e-10)
