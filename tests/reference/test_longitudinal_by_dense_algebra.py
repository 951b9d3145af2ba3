"""A slow, plain version of the longitudinal random-effects model: one trial, full matrices, finite differences.

The likelihood is written with the covariance of all scores. Optimum by a general optimiser in the Cholesky factor of
the patient's covariance; standard errors, both degrees of freedom and Kenward and Roger's adjustment from numerical
derivatives, with nothing of the kernel's algebra.
"""

import numpy as np
import pytest
from scipy.optimize import minimize

from trialsim.kernels.nested import Reason, fit_longitudinal, longitudinal_statistics
from trialsim.kernels.nested.components import evaluate

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
CONTRAST = np.array([0.0, 0.0, 0.0, 1.0, 4.0])
SPREADS = {"inside": [[6.0, 0.5], [0.5, 1.5]], "line": [[4.0, -1.0], [-1.0, 0.25]], "none": [[0.0, 0.0], [0.0, 0.0]]}
MODELS = [(random, effect) for random in ("intercept", "slope", "uncorrelated") for effect in (None, "level", "growth")]


def trial(seed, *, d, tau=6.0, n=26):
    """Scores, covariates and group (−1 for none) of one trial with scores missing here and there."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    group = np.where(arm == 1, rng.integers(0, 4, n), -1)
    effect = np.where(group >= 0, rng.normal(0.0, np.sqrt(tau), 4)[group], 0.0)
    own = rng.multivariate_normal([0.0, 0.0], d, n, check_valid="ignore")
    baseline = rng.normal(20.0, 4.0, n)
    ones = np.ones((n, len(TIMES)))
    x = np.stack([ones, ones * baseline[:, None], ones * TIMES, ones * arm[:, None], arm[:, None] * TIMES], axis=2)
    y = x @ [5.0, 0.5, -1.0, -0.5, -0.4] + effect[:, None] + own[:, :1] + own[:, 1:] * TIMES
    y += rng.normal(0.0, 2.0, y.shape)
    y[rng.random(y.shape) < 0.15] = np.nan
    return y, x, group


class Dense:
    """The likelihood of one trial, with V in full; θ is the residual variance, D at time 0, and the group variance."""

    def __init__(self, y, x, group, random, effect):
        seen = ~np.isnan(y)
        self.y, self.x = y[seen], x[seen]
        patient, visit = np.nonzero(seen)
        time = TIMES[visit]
        same = (patient[:, None] == patient[None, :]).astype(float)
        self.parts = [np.eye(len(time)), same]
        if random == "slope":
            self.parts.append(same * (time[:, None] + time[None, :]))
        if random != "intercept":
            self.parts.append(same * time[:, None] * time[None, :])
        if effect is not None:
            weight = np.ones_like(time) if effect == "level" else time / TIMES.max()
            together = (group[patient][:, None] == group[patient][None, :]) & (group[patient] >= 0)[:, None]
            self.parts.append(together * weight[:, None] * weight[None, :])

    def v(self, theta):
        return sum(t * part for t, part in zip(theta, self.parts, strict=True))

    def phi(self, theta):
        return np.linalg.inv(self.x.T @ np.linalg.solve(self.v(theta), self.x))

    def neg2(self, theta, *, restricted=True):
        v = self.v(theta)
        if np.linalg.eigvalsh(v).min() <= 0:
            return np.inf
        inverse = np.linalg.inv(v)
        a = self.x.T @ inverse @ self.x
        r = self.y - self.x @ np.linalg.solve(a, self.x.T @ inverse @ self.y)
        n, q = self.x.shape
        full = np.linalg.slogdet(v)[1] + r @ inverse @ r + n * np.log(2 * np.pi)
        return full + restricted * (np.linalg.slogdet(a)[1] - q * np.log(2 * np.pi))

    def expected(self, theta):
        inverse = np.linalg.inv(self.v(theta))
        p = inverse - inverse @ self.x @ self.phi(theta) @ self.x.T @ inverse
        return np.array([[0.5 * np.sum((p @ a) * (p @ b).T) for a in self.parts] for b in self.parts])


def slope(f, theta, h=1e-4):
    """Gradient along the last axis by central differences of the fourth order."""
    columns = []
    for i in range(len(theta)):
        step = np.zeros(len(theta))
        step[i] = h * max(1.0, abs(theta[i]))
        near = np.asarray(f(theta + step)) - f(theta - step)
        columns.append((8 * near - (np.asarray(f(theta + 2 * step)) - f(theta - 2 * step))) / (12 * step[i]))
    return np.stack(columns, axis=-1)


def statistics_of(y, x, group, random, effect):
    chosen = {} if effect is None else {"group": group[None], "group_effect": effect}
    return longitudinal_statistics(y[None], x[None], TIMES, random=random, **chosen)


def theta_of(result, random, effect):
    """θ with the patient's covariance at time 0."""
    d = result.patient_covariance[0]
    own = {"intercept": [d[0, 0]], "slope": [d[0, 0], d[0, -1], d[-1, -1]], "uncorrelated": [d[0, 0], d[-1, -1]]}
    group = [] if effect is None else [result.group_variance[0]]
    return np.array([result.residual_variance[0], *own[random], *group])


def inside(random, effect, df="satterthwaite"):
    """A trial whose optimum is off all bounds, its fit, and θ there."""
    data = trial(9, d=SPREADS["inside"])
    result = fit_longitudinal(statistics_of(*data, random, effect), CONTRAST, df=df)
    assert result.reason[0] == Reason.FITTED
    assert not result.singular[0]
    return Dense(*data, random, effect), result, theta_of(result, random, effect)


def natural(random, theta):
    """θ of the statistics: their slope counts from the mean time, in standard deviations of the times."""
    middle = TIMES.mean() if random == "slope" else 0.0
    unit = np.sqrt(((TIMES - middle) ** 2).mean())
    to_time = np.array([[1.0, -middle / unit], [0.0, 1.0 / unit]])
    inner = theta.copy()
    if random == "slope":
        d = np.linalg.inv(to_time) @ [[theta[1], theta[2]], [theta[2], theta[3]]] @ np.linalg.inv(to_time).T
        inner[1:4] = d[0, 0], d[0, 1], d[1, 1]
    elif random == "uncorrelated":
        inner[2] *= unit**2
    return inner


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize(("random", "effect"), MODELS)
def test_likelihood_gradient_and_information_anywhere(random, effect, restricted):
    data = trial(3, d=SPREADS["inside"])
    dense = Dense(*data, random, effect)
    own = {"intercept": [7.0], "slope": [7.0, -0.4, 1.1], "uncorrelated": [7.0, 1.1]}[random]
    theta = np.array([5.0, *own, *([] if effect is None else [2.5])])
    state = evaluate(statistics_of(*data, random, effect), natural(random, theta)[None], restricted=restricted)
    # The statistics' θ is linear in the one at time 0.
    turn = slope(lambda t: natural(random, t), theta)

    def neg2(t):
        return dense.neg2(t, restricted=restricted)

    assert -2 * state.loglik[0] == pytest.approx(neg2(theta), abs=1e-9)
    np.testing.assert_allclose(turn.T @ state.gradient[0], -0.5 * slope(neg2, theta), rtol=1e-6, atol=1e-8)
    observed = 0.5 * slope(lambda t: slope(neg2, t, 1e-3), theta, 1e-3)
    np.testing.assert_allclose(turn.T @ state.observed[0] @ turn, observed, rtol=1e-5, atol=1e-6)
    if restricted:
        np.testing.assert_allclose(turn.T @ state.expected[0] @ turn, dense.expected(theta), rtol=1e-8, atol=1e-10)
    assert np.allclose(state.inverse[0], dense.phi(theta), rtol=1e-9)


def by_cholesky(random, effect, p):
    """θ from standard deviations and a Cholesky factor."""
    theta = p**2
    if random == "slope":
        theta[1:4] = p[1] ** 2, p[1] * p[2], p[2] ** 2 + p[3] ** 2
    return theta


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("random", "effect"), MODELS)
def test_optimum(random, effect, spread):
    """From two starting points; where the optimum is on a bound as well."""
    data = trial(5, d=SPREADS[spread], tau=0.0 if spread == "none" else 6.0)
    result = fit_longitudinal(statistics_of(*data, random, effect), CONTRAST)
    assert result.reason[0] == Reason.FITTED
    dense = Dense(*data, random, effect)
    size = {"intercept": 2, "slope": 4, "uncorrelated": 3}[random] + (effect is not None)
    found = [
        minimize(lambda p: dense.neg2(by_cholesky(random, effect, p)), np.append(2.0, start), method="BFGS")
        for start in (np.full(size - 1, 1.0), np.linspace(0.3, -0.6, size - 1))
    ]
    best = min(found, key=lambda one: one.fun)
    assert result.neg2_loglik[0] <= best.fun + 1e-9
    assert result.neg2_loglik[0] == pytest.approx(best.fun, abs=1e-4)
    theta = theta_of(result, random, effect)
    assert result.neg2_loglik[0] == pytest.approx(dense.neg2(theta), abs=1e-8)
    assert result.se[0] ** 2 == pytest.approx(CONTRAST @ dense.phi(theta) @ CONTRAST, rel=1e-9)


@pytest.mark.parametrize(("random", "effect"), MODELS)
def test_satterthwaite(random, effect):
    dense, result, theta = inside(random, effect)

    def variance(t):
        return CONTRAST @ dense.phi(t) @ CONTRAST

    g = slope(variance, theta)
    information = 0.5 * slope(lambda t: slope(dense.neg2, t, 1e-3), theta, 1e-3)
    assert result.df[0] == pytest.approx(2 * variance(theta) ** 2 / (g @ np.linalg.solve(information, g)), rel=1e-4)


@pytest.mark.parametrize("seed", [2, 5, 9])
def test_satterthwaite_where_level_and_slope_are_one(seed):
    """The model left there has D = vv'; its parameters are the residual standard deviation and v."""
    data = trial(seed, d=SPREADS["line"])
    result = fit_longitudinal(statistics_of(*data, "slope", None), CONTRAST)
    d = result.patient_covariance[0]
    assert result.singular[0]
    assert d[0, 1] ** 2 == pytest.approx(d[0, 0] * d[1, 1], rel=1e-9)
    dense = Dense(*data, "slope", None)
    v = np.array([np.sqrt(result.residual_variance[0]), np.sqrt(d[0, 0]), d[0, 1] / np.sqrt(d[0, 0])])

    def theta(p):
        return np.array([p[0] ** 2, p[1] ** 2, p[1] * p[2], p[2] ** 2])

    def variance(p):
        return CONTRAST @ dense.phi(theta(p)) @ CONTRAST

    g = slope(variance, v)
    information = 0.5 * slope(lambda p: slope(lambda s: dense.neg2(theta(s)), p, 1e-3), v, 1e-3)
    np.testing.assert_allclose(slope(lambda p: dense.neg2(theta(p)), v), 0.0, atol=1e-6)
    assert result.df[0] == pytest.approx(2 * variance(v) ** 2 / (g @ np.linalg.solve(information, g)), rel=1e-4)


@pytest.mark.parametrize(("random", "effect"), MODELS)
def test_kenward_roger(random, effect):
    """The adjustment is −Σ Wᵢⱼ ∂²Φ/∂θᵢ∂θⱼ: half for the bias of Φ, half for what its uncertainty adds."""
    dense, result, theta = inside(random, effect, "kenward-roger")
    w = np.linalg.inv(dense.expected(theta))
    second = slope(lambda t: slope(dense.phi, t, 1e-3), theta, 1e-3)
    adjusted = dense.phi(theta) - np.einsum("ij,abij->ab", w, second)
    np.testing.assert_allclose(result.coefficient_covariance[0], adjusted, rtol=1e-5, atol=1e-7)
    assert result.se[0] ** 2 == pytest.approx(CONTRAST @ adjusted @ CONTRAST, rel=1e-5)
    g = slope(lambda t: CONTRAST @ dense.phi(t) @ CONTRAST, theta)
    df = 2 * (CONTRAST @ dense.phi(theta) @ CONTRAST) ** 2 / (g @ w @ g)
    assert result.df[0] == pytest.approx(df, rel=1e-6)
