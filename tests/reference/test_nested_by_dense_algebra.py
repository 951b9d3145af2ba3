"""A slow, plain version of the mixed model with a random group effect: one trial, full matrices, finite differences.

The restricted likelihood is written with the N × N covariance. Optimum by a general optimiser; standard error, both
degrees of freedom and Kenward and Roger's adjustment from numerical derivatives, with nothing of the kernel's algebra.
"""

import numpy as np
import pytest
from scipy.optimize import minimize

from trialsim.kernels.nested import Reason, fit_nested, group_statistics
from trialsim.kernels.nested.components import evaluate

CONTRAST = np.array([0.0, 1.0, 0.0])


def trial(design, seed):
    """Scores, covariates, group (−1 for none) and arm of one trial with unequal groups."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, 7)
    if design == "partial":
        group = np.concatenate([np.full(30, -1), np.repeat(np.arange(7), sizes)])
        arm = (group >= 0).astype(int)
    else:
        group = np.repeat(np.arange(7), sizes)
        arm = group % 2
    n = len(group)
    effect = np.where(group >= 0, rng.normal(0.0, 2.5, 7)[group], 0.0)
    x = np.stack([np.ones(n), arm, rng.normal(0.0, 4.0, n)], axis=1)
    y = x @ [15.0, -2.0, 0.5] + effect + rng.normal(0.0, 3.0, n) * np.where(arm == 1, 1.0, 1.4)
    y[rng.random(n) < 0.1] = np.nan
    return y, x, group, arm


class Dense:
    """The restricted likelihood of one trial, with V in full."""

    def __init__(self, y, x, group, kind, n_kinds):
        seen = ~np.isnan(y)
        self.y, self.x = y[seen], x[seen]
        together = (group[seen][:, None] == group[seen][None, :]) & (group[seen] >= 0)[:, None]
        self.parts = [np.diag((kind[seen] == k).astype(float)) for k in range(n_kinds)] + [together.astype(float)]

    def phi(self, theta):
        inverse = np.linalg.inv(self.v(theta))
        return np.linalg.inv(self.x.T @ inverse @ self.x)

    def v(self, theta):
        return sum(t * part for t, part in zip(theta, self.parts, strict=True))

    def neg2(self, theta):
        v = self.v(theta)
        if np.linalg.eigvalsh(v).min() <= 0:
            return np.inf
        inverse = np.linalg.inv(v)
        a = self.x.T @ inverse @ self.x
        r = self.y - self.x @ np.linalg.solve(a, self.x.T @ inverse @ self.y)
        n, q = self.x.shape
        log_dets = np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1]
        return log_dets + r @ inverse @ r + (n - q) * np.log(2 * np.pi)

    def expected(self, theta):
        inverse = np.linalg.inv(self.v(theta))
        p = inverse - inverse @ self.x @ self.phi(theta) @ self.x.T @ inverse
        return np.array([[0.5 * np.trace(p @ a @ p @ b) for a in self.parts] for b in self.parts])


def slope(f, theta, h=1e-4):
    """Gradient along the last axis by central differences of the fourth order."""
    columns = []
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = h * max(1.0, abs(theta[i]))
        d = 8 * (np.asarray(f(theta + step)) - f(theta - step)) - (
            np.asarray(f(theta + 2 * step)) - f(theta - 2 * step)
        )
        columns.append(d / (12 * step[i]))
    return np.stack(columns, axis=-1)


MODELS = [("partial", 1), ("partial", 2), ("cluster", 1), ("cluster", 2)]


def both(design, n_kinds, seed, df="satterthwaite"):
    y, x, group, arm = trial(design, seed)
    kind = arm if n_kinds == 2 else np.zeros_like(arm)
    statistics = group_statistics(y[None], x[None], group[None], residual=kind[None], n_residual=n_kinds)
    result = fit_nested(statistics, CONTRAST, df=df, allow_negative=True)
    assert result.reason[0] == Reason.FITTED
    theta = np.concatenate([result.residual_variance[0], result.group_variance])
    return Dense(y, x, group, kind, n_kinds), statistics, result, theta


@pytest.mark.parametrize(("design", "n_kinds"), MODELS)
def test_likelihood_gradient_and_information_anywhere(design, n_kinds):
    dense, statistics, _, _ = both(design, n_kinds, 3)
    theta = np.array([9.0, 13.0, 2.0])[-n_kinds - 1 :]
    state = evaluate(statistics, theta[None])
    assert -2 * state.loglik[0] == pytest.approx(dense.neg2(theta), abs=1e-9)
    np.testing.assert_allclose(state.gradient[0], -0.5 * slope(dense.neg2, theta), rtol=1e-7, atol=1e-8)
    observed = 0.5 * slope(lambda t: slope(dense.neg2, t, 1e-3), theta, 1e-3)
    np.testing.assert_allclose(state.observed[0], observed, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state.expected[0], dense.expected(theta), rtol=1e-10)


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize(("design", "n_kinds"), MODELS)
def test_optimum(design, n_kinds, seed):
    dense, _, result, theta = both(design, n_kinds, seed)
    options = {"xatol": 1e-6, "fatol": 1e-11, "maxiter": 5000}
    start = np.append(np.full(n_kinds, 10.0), 1.0)
    best = minimize(dense.neg2, start, method="Nelder-Mead", options=options)
    assert result.neg2_loglik[0] <= best.fun + 1e-9
    np.testing.assert_allclose(theta, best.x, rtol=1e-4, atol=1e-4)
    phi = dense.phi(theta)
    assert result.se[0] ** 2 == pytest.approx(phi[1, 1], rel=1e-9)


@pytest.mark.parametrize(("design", "n_kinds"), MODELS)
def test_satterthwaite(design, n_kinds):
    dense, _, result, theta = both(design, n_kinds, 4)
    g = slope(lambda t: dense.phi(t)[1, 1], theta)
    information = 0.5 * slope(lambda t: slope(dense.neg2, t, 1e-3), theta, 1e-3)
    df = 2 * dense.phi(theta)[1, 1] ** 2 / (g @ np.linalg.solve(information, g))
    assert result.df[0] == pytest.approx(df, rel=1e-5)


@pytest.mark.parametrize(("design", "n_kinds"), MODELS)
def test_kenward_roger(design, n_kinds):
    """The adjustment is −Σ Wᵢⱼ ∂²Φ/∂θᵢ∂θⱼ: half for the bias of Φ, half for what its uncertainty adds."""
    dense, _, result, theta = both(design, n_kinds, 4, "kenward-roger")
    w = np.linalg.inv(dense.expected(theta))
    second = slope(lambda t: slope(dense.phi, t, 1e-3), theta, 1e-3)
    adjusted = dense.phi(theta) - np.einsum("ij,abij->ab", w, second)
    np.testing.assert_allclose(result.coefficient_covariance[0], adjusted, rtol=1e-6, atol=1e-8)
    assert result.se[0] ** 2 == pytest.approx(adjusted[1, 1], rel=1e-6)
    g = slope(lambda t: dense.phi(t)[1, 1], theta)
    assert result.df[0] == pytest.approx(2 * dense.phi(theta)[1, 1] ** 2 / (g @ w @ g), rel=1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_a_bounded_group_variance_is_the_best_of_those_not_negative(seed):
    y, x, group, arm = trial("partial", seed)
    rng = np.random.default_rng(seed)
    y = np.where(np.isnan(y), np.nan, rng.normal(0.0, 3.0, len(y)))
    statistics = group_statistics(y[None], x[None], group[None])
    result = fit_nested(statistics, CONTRAST)
    dense = Dense(y, x, group, np.zeros_like(arm), 1)
    grid = [dense.neg2(np.array([s, t])) for s in np.linspace(4, 14, 41) for t in np.linspace(0, 5, 41)]
    assert result.neg2_loglik[0] <= min(grid) + 1e-9
    assert result.at_bound[0] == (result.group_variance[0] == 0.0)
