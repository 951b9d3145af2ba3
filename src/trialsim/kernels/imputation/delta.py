"""Delta adjustment of imputed scores, and how large it has to be to overturn a result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def accumulated_delta(missing: Flags, event: Index, delta: Array, lag: Array) -> Array:
    """Return the shift of each missing score that grows with the time since the event.

    Parameters
    ----------
    missing : ndarray of bool, shape (R, N, V)
        Scores that are imputed; others are not shifted.
    event : ndarray of int, shape (R, N)
        First visit touched by the event; V or more where there was none.
    delta : ndarray, shape (V,)
        Points per visit of the schedule.
    lag : ndarray, shape (V,)
        Multipliers by the number of visits since the event, the visit of the event being the first.

    Returns
    -------
    ndarray, shape (R, N, V)
        Σ over the visits from the event on of delta × lag, where missing; 0 elsewhere.
    """
    n_visits = missing.shape[2]
    since = np.arange(n_visits) - event[..., None]
    steps = np.where(since >= 0, delta * lag[np.clip(since, 0, n_visits - 1)], 0.0)
    return np.where(missing, np.cumsum(steps, axis=2), 0.0)


def quadratic_tipping_point(
    estimate: Array, slope: Array, variance: Array, covariance: Array, slope_variance: Array, *, alpha: float = 0.05
) -> Array:
    r"""Return the smallest δ ≥ 0 at which a normal test of estimate + δ × slope stops being significant.

    Parameters
    ----------
    estimate, slope : ndarray, shape (...)
        The estimate at δ = 0 and its change with each unit of δ.
    variance, covariance, slope_variance : ndarray, shape (...)
        Of the estimate, of the two together, and of the slope.
    alpha : float
        Two-sided level.

    Returns
    -------
    ndarray, shape (...)
        0 where there is nothing to overturn, infinity where no δ does it.

    Notes
    -----
    The smallest positive root of
    :math:`(a + b\delta)^2 = z^2 (v + 2c\delta + w\delta^2)`; no search is needed.
    """
    z2 = ndtri(1.0 - alpha / 2.0) ** 2
    constant = estimate**2 - z2 * variance
    half = estimate * slope - z2 * covariance
    square = slope**2 - z2 * slope_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(half**2 - square * constant)
        # The stable pair of roots of square δ² + 2 half δ + constant.
        far = -(half + np.where(half >= 0, root, -root))
        roots = np.stack([far / square, constant / far])
    roots = np.where(np.isfinite(roots) & (roots > 0), roots, np.inf)
    tipping = np.where(constant > 0, roots.min(axis=0), 0.0)
    known = np.isfinite(estimate + slope + variance + covariance + slope_variance)
    return np.where(known, tipping, np.nan)


def search_tipping_point(
    p_value: Callable[[Array], Array],
    shape: tuple[int, ...],
    *,
    limit: float,
    alpha: float = 0.05,
    n_grid: int = 33,
    tolerance: float = 1e-6,
) -> Array:
    """Return the smallest δ ≥ 0 at which p reaches alpha, by a grid and bisection; for any analysis.

    Parameters
    ----------
    p_value : callable
        Takes δ of the given shape and returns p-values of that shape; the same draws must serve every call.
    shape : tuple of int
        Trials and hypotheses searched at once.
    limit : float
        Largest δ tried; negative to search downwards.
    alpha : float
        Two-sided level.
    n_grid : int
        Points of the grid, ends included; a return to significance between two of them goes unseen.
    tolerance : float
        Width of the last bracket, in units of δ.

    Returns
    -------
    ndarray, shape `shape`
        0 where there is nothing to overturn, infinity (with the sign of `limit`) where no δ up to the limit does it,
        NaN where p is.
    """
    low, high = np.zeros(shape), np.full(shape, np.nan)
    start = p_value(low)
    open_ = start < alpha
    for step in np.linspace(0.0, limit, n_grid)[1:]:
        if not open_.any():
            break
        reached = open_ & ~(p_value(np.full(shape, step)) < alpha)
        high[reached] = step
        open_ &= ~reached
        low[open_] = step
    found = np.isfinite(high)
    for _ in range(int(np.ceil(np.log2(max(abs(limit) / n_grid / tolerance, 2.0)))) + 1):
        middle = np.where(found, 0.5 * (low + high), 0.0)
        overturned = ~(p_value(middle) < alpha)
        high = np.where(found & overturned, middle, high)
        low = np.where(found & ~overturned, middle, low)
    tipping = np.where(found, high, np.where(open_, np.copysign(np.inf, limit), 0.0))
    return np.where(np.isnan(start), np.nan, tipping)
