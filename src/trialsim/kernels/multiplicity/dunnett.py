r"""Many comparisons that share a control: probabilities by quadrature over what they share.

Statistics :math:`T_j = (\lambda_j'Z + \sqrt{1 - \lambda_j'\lambda_j}\,E_j)/S` have common factors Z, normal errors E of
their own, and a common :math:`S^2 \sim \chi^2_\nu/\nu`. Given Z and S they are independent, so that the probability of
a box is a product of normal probabilities, integrated over Z and S by the trapezoidal rule, which converges
exponentially for such integrands. Comparisons with one control have one factor; adjusting for a covariate adds one.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy

from trialsim.kernels.multiplicity.adjust import Array, Decision, Flags, decide

_TAIL = 7.1
"""The factors are integrated within so many standard deviations; 1e-12 lies beyond."""

_SCALE_TAIL = 1e-12
_MOST_FACTORS = 3
_CHUNK = 2_000_000
"""Normal probabilities held at a time."""


def dunnett_loadings(n_control: float, n_active: Array, shift: Array | None = None) -> Array:
    """Return the loadings of comparisons with a common control, shape (H,) or (H, 1 + m).

    Parameters
    ----------
    n_control : float
        Participants in the control arm.
    n_active : ndarray, shape (H,)
        Participants in the active arms.
    shift : ndarray, shape (H, m), optional
        Where means are adjusted for m covariates: differences of the covariates' means to control, times the inverse
        Cholesky factor of their pooled within-arm cross-products, so that shift shift' is what adjusting adds to the
        covariance of the comparisons (in units of the residual variance).
    """
    n_active = np.asarray(n_active, dtype=np.float64)
    if not n_control > 0.0 or not np.all(n_active > 0.0):
        raise ValueError("every arm must have participants")
    common = np.full((len(n_active), 1), 1.0 / np.sqrt(n_control))
    if shift is not None:
        common = np.concatenate([common, np.asarray(shift, dtype=np.float64)], axis=1)
    loadings = common / np.sqrt(1.0 / n_active + (common**2).sum(axis=1))[:, None]
    return np.asarray(loadings[:, 0] if shift is None else loadings)


def factor_loadings(correlation: Array) -> Array:
    """Return loadings, shape (H, m), whose products are the correlations of any positive definite matrix.

    Parameters
    ----------
    correlation : ndarray, shape (H, H)
        Each statistic's own part is the smallest eigenvalue; what remains has m ≤ H − 1 factors: one for two
        statistics or equal correlations. The quadrature grows as a power of m, and more than three are refused;
        where the structure is known, as in `dunnett_loadings`, fewer factors do.
    """
    values, vectors = np.linalg.eigh(np.asarray(correlation, dtype=np.float64))
    if not values[0] > 1e-6:
        raise ValueError("the correlation matrix must be positive definite")
    extra = values - values[0]
    held = extra > 1e-9
    if held.sum() > _MOST_FACTORS:
        raise ValueError(f"the correlation matrix needs {held.sum()} factors; {_MOST_FACTORS} at most are integrated")
    if not held.any():
        return np.zeros((len(values), 1))
    return np.asarray(vectors[:, held] * np.sqrt(extra[held]))


def probability_within(lower: Array, upper: Array, loadings: Array, *, df: Array | float = np.inf) -> Array:
    """Return the probability that all statistics lie within their bounds, shape (M,).

    Parameters
    ----------
    lower, upper : ndarray, shape (M, H)
        Bounds; −inf and inf where there is none.
    loadings : ndarray, shape (H,) or (H, m)
        Correlation of statistics i ≠ j: the product of their loadings, summed over factors. Each statistic's squares
        add to less than 1.
    df : float or ndarray, shape (M,)
        Degrees of freedom of the common scale; inf for normal statistics.

    Notes
    -----
    Right to about 1e-11.
    """
    lower, upper = np.atleast_2d(lower), np.atleast_2d(upper)
    loading = np.asarray(loadings, dtype=np.float64).reshape(upper.shape[1], -1)
    own = 1.0 - (loading**2).sum(axis=1)
    if not np.all(own > 1e-6):
        raise ValueError("the squared loadings of each statistic must add to less than 1")
    degrees = np.broadcast_to(np.asarray(df, dtype=np.float64), upper.shape[:1])
    result = np.full(len(upper), np.nan)
    for value in np.unique(degrees[degrees > 0.0]):
        rows = np.flatnonzero(degrees == value)
        result[rows] = _integrate(lower[rows], upper[rows], loading, np.sqrt(own), float(value))
    return result


def _integrate(lower: Array, upper: Array, loading: Array, sd: Array, df: float) -> Array:
    points, weight = _factor_nodes(loading, sd)
    centre = (points @ loading.T) / sd
    scale, scale_weight = _scale_nodes(df)
    count = len(weight) * upper.shape[1]
    step = max(1, _CHUNK // (count * len(scale)))
    # A node's centre less a bound by its scale: (M, scale, factor, H), taken a few rows at a time.
    result = np.empty(len(upper))
    for start in range(0, len(upper), step):
        part = slice(start, start + step)
        inside = _normal_between(lower[part], upper[part], scale, centre, sd)
        result[part] = np.einsum("msq,s,q->m", inside, scale_weight, weight)
    missing = np.isnan(lower).any(axis=1) | np.isnan(upper).any(axis=1)
    return np.where(missing, np.nan, np.clip(result, 0.0, 1.0))


def _normal_between(lower: Array, upper: Array, scale: Array, centre: Array, sd: Array) -> Array:
    """Return the probability of the box given factors and scale, shape (M, scale, factor)."""
    inside = np.ones((len(upper), len(scale), len(centre)))
    piece = inside
    for h in range(upper.shape[1]):
        if h == 0 or not _same(h, lower, upper, centre):
            piece = scipy.special.ndtr(upper[:, h, None, None] * scale[:, None] / sd[h] - centre[:, h])
            if not np.all(np.isneginf(lower[:, h])):
                piece -= scipy.special.ndtr(lower[:, h, None, None] * scale[:, None] / sd[h] - centre[:, h])
        inside = inside * piece
    return inside


def _same(h: int, lower: Array, upper: Array, centre: Array) -> bool:
    """Return whether a statistic has the bounds and loadings of the one before, and so its probability."""
    return (
        np.array_equal(upper[:, h], upper[:, h - 1])
        and np.array_equal(lower[:, h], lower[:, h - 1])
        and np.array_equal(centre[:, h], centre[:, h - 1])
    )


def _factor_nodes(loading: Array, sd: Array) -> tuple[Array, Array]:
    """Return nodes (Q, m) and weights (Q,) over the common factors.

    The steeper a statistic's probability is in a factor, the finer the step: the integrand's spectrum is that of the
    normal density widened by the slopes' squares, and the step keeps the aliasing error below 1e-12.
    """
    axes, weights = [], []
    for k in range(loading.shape[1]):
        slope = np.sort((loading[:, k] / sd) ** 2)[::-1][:2].sum()
        number = 2 * int(np.ceil(_TAIL / (0.8 / np.sqrt(1.0 + slope)))) + 1
        nodes = np.linspace(-_TAIL, _TAIL, number)
        density = np.exp(-0.5 * nodes**2)
        axes.append(nodes)
        weights.append(density / density.sum())
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    return points, np.stack([axis.ravel() for axis in np.meshgrid(*weights, indexing="ij")]).prod(axis=0)


def _scale_nodes(df: float) -> tuple[Array, Array]:
    """Return nodes and weights over the scale S, the root of a chi-square over its degrees of freedom.

    the trapezoidal rule runs in log S, where the density is nearly normal with standard deviation 1/√(2 df).
    """
    if np.isinf(df):
        return np.ones(1), np.ones(1)
    half = 0.5 * df
    low = 0.5 * np.log(scipy.special.gammaincinv(half, _SCALE_TAIL) / half)
    high = 0.5 * np.log(scipy.special.gammainccinv(half, _SCALE_TAIL) / half)
    step = 0.6 / np.sqrt(2.0 * max(df, 1.0))
    x = np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)
    log_density = df * x - half * np.expm1(2.0 * x)
    density = np.exp(log_density - log_density.max())
    return np.exp(x), density / density.sum()


def dunnett(
    t: Array,
    loadings: Array,
    *,
    df: Array | float = np.inf,
    two_sided: bool = True,
    method: Literal["single-step", "step-down"] = "single-step",
    alpha: float = 0.05,
) -> Decision:
    """Adjust comparisons with a common control.

    Parameters
    ----------
    t : ndarray, shape (R, H)
        Test statistics, above 0 in the direction of benefit where the test is one-sided.
    loadings : ndarray, shape (H,) or (H, m)
        See `dunnett_loadings`.
    df : float or ndarray, shape (R,)
        Degrees of freedom of the residual variance; inf for normal statistics.
    two_sided : bool
    method : {"single-step", "step-down"}
        Single-step goes with simultaneous confidence intervals; step-down rejects more.
    alpha : float
    """
    loading = np.asarray(loadings, dtype=np.float64).reshape(t.shape[1], -1)
    degrees = np.broadcast_to(np.asarray(df, dtype=np.float64), t.shape[:1])
    usable = ~np.isnan(t) & (degrees > 0.0)[:, None]
    size = np.abs(t) if two_sided else t
    size = np.where(usable, size, -np.inf)
    degrees = np.where(degrees > 0.0, degrees, np.inf)
    everyone = np.ones(t.shape, dtype=bool)
    adjusted = np.ones(t.shape)
    if method == "single-step":
        for h in range(t.shape[1]):
            adjusted[:, h] = _exceeds(size[:, h], everyone, loading, degrees, two_sided=two_sided)
    elif method == "step-down":
        order = np.argsort(-size, axis=1, kind="stable")
        rows, left, level = np.arange(len(t)), everyone, np.zeros(len(t))
        for next_ in order.T:
            level = np.maximum(level, _exceeds(size[rows, next_], left, loading, degrees, two_sided=two_sided))
            adjusted[rows, next_] = level
            left[rows, next_] = False
    else:
        raise ValueError(f"method must be 'single-step' or 'step-down'; got {method!r}")
    return decide(adjusted, usable, alpha)


def _exceeds(size: Array, among: Flags, loading: Array, df: Array, *, two_sided: bool) -> Array:
    """Return the chance that the largest statistic of some exceeds a size, shape (R,)."""
    upper = np.where(among, size[:, None], np.inf)
    lower = np.where(among, -size[:, None], -np.inf) if two_sided else np.full_like(upper, -np.inf)
    empty = np.isneginf(size)
    upper = np.where(empty[:, None], np.inf, upper)
    lower = np.where(empty[:, None], -np.inf, lower)
    return np.where(empty, 1.0, 1.0 - probability_within(lower, upper, loading, df=df))


def dunnett_critical_value(
    loadings: Array, *, df: float = np.inf, alpha: float = 0.05, two_sided: bool = True
) -> float:
    """Return the value that the largest statistic exceeds with probability alpha when nothing is true.

    Parameters
    ----------
    loadings : ndarray, shape (H,) or (H, m)
    df : float
    alpha : float
        In all: of both tails where the test is two-sided.
    two_sided : bool
    """
    if not 0.0 < alpha < 1.0 or not df > 0.0:
        raise ValueError(f"alpha must lie in (0, 1) and df above 0; got {alpha} and {df}")
    count = len(loadings)

    def excess(value: float) -> float:
        upper = np.full((1, count), value)
        lower = -upper if two_sided else np.full((1, count), -np.inf)
        return float(probability_within(lower, upper, loadings, df=df)[0]) - (1.0 - alpha)

    high = 4.0
    while excess(high) < 0.0:
        high *= 2.0
    return float(scipy.optimize.brentq(excess, 0.0 if two_sided else -8.0, high, xtol=1e-12, rtol=1e-13))
