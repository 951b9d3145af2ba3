r"""Recruitment at sites that open over time, as a Poisson process whose intensity changes from day to day.

A site with rate :math:`\lambda` a day, opened on day O, recruits on day d with intensity
:math:`\lambda f_d \int_d^{d+1} e^{-\delta (t - O)}\,dt` from O on, :math:`f_d` what holds for all sites: season and
pauses. Within a day the intensity is constant. All sites together are one process, whose arrivals are those of a
process of rate 1 in the time :math:`\Lambda(t)`; an arrival belongs to a site in proportion to its intensity.

References
----------
Anisimov VV, Fedorov VV (2007). Modelling, prediction and adaptive adjustment of recruitment in multicentre trials.
Statistics in Medicine 26:4958-4975.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammainc, gammaincinv

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def gamma_rates(mean: float, shape: float, uniform: Array) -> Array:
    """Return rates of a gamma distribution about their mean by inversion; all the mean where the shape is infinite."""
    if np.isinf(shape):
        return np.full(np.shape(uniform), mean)
    return np.asarray(gammaincinv(shape, uniform) * (mean / shape))


def common_factors(
    n_days: int,
    *,
    season: Sequence[float],
    first_month: int,
    days_per_month: float,
    pauses: Sequence[tuple[float, float]],
) -> Array:
    """Return the factor on all sites' rates on each day, shape (D,).

    Parameters
    ----------
    n_days : int
    season : sequence of 12 float
        Factors of January to December.
    first_month : int
        Month of day 0, January 1.
    days_per_month : float
    pauses : sequence of (float, float)
        First day and the first day after; a day is paused if its middle is.
    """
    middle = np.arange(n_days) + 0.5
    month = (first_month - 1 + (middle / days_per_month).astype(np.intp)) % 12
    factor = np.asarray(season, dtype=np.float64)[month]
    for start, end in pauses:
        factor[(middle >= start) & (middle < end)] = 0.0
    return factor


def site_intensity(rate_per_day: Array, opened_day: Array, day: Array, *, decay_per_day: float) -> Array:
    """Return how many a site would recruit on average on a day, season and pauses apart.

    Parameters
    ----------
    rate_per_day, opened_day : ndarray
        Opening on a whole day.
    day : ndarray
        Whole days; shapes broadcast.
    decay_per_day : float
        Hazard at which the rate falls, δ.
    """
    age = day - opened_day
    if decay_per_day == 0.0:
        return np.asarray(np.where(age >= 0.0, rate_per_day, 0.0))
    within_day = -np.expm1(-decay_per_day) / decay_per_day
    return np.asarray(
        np.where(age >= 0.0, rate_per_day * within_day * np.exp(-decay_per_day * np.maximum(age, 0.0)), 0.0)
    )


def cumulated(daily: Array) -> Array:
    """Return the expected number by the beginning of each day and after the last, shape (..., D + 1) of (..., D)."""
    total = np.zeros((*daily.shape[:-1], daily.shape[-1] + 1))
    np.cumsum(daily, axis=-1, out=total[..., 1:])
    return total


def arrival_times(cumulative: Array, level: Array) -> Array:
    """Return when a process of rate 1 in cumulated intensity has its arrivals.

    Parameters
    ----------
    cumulative : ndarray, shape (R, D + 1)
        By the beginning of each day.
    level : ndarray, shape (R, M)
        Arrivals in the time of the unit process.

    Returns
    -------
    ndarray, shape (R, M), days
        Infinite beyond day D.
    """
    n_replicates, n_points = cumulative.shape
    # One search for all replicates: each is moved beyond the one before.
    top = max(float(cumulative[:, -1].max()), float(level.max(initial=0.0))) + 1.0
    shift = (np.arange(n_replicates) * top)[:, None]
    found = np.searchsorted((cumulative + shift).ravel(), (level + shift).ravel(), side="right").reshape(level.shape)
    day = np.clip(found - np.arange(n_replicates)[:, None] * n_points - 1, 0, n_points - 2)
    before = np.take_along_axis(cumulative, day, axis=1)
    step = np.take_along_axis(cumulative, day + 1, axis=1) - before
    with np.errstate(divide="ignore", invalid="ignore"):
        # Below 1, so that the day stays the one of the intensity.
        part = np.clip(np.nan_to_num((level - before) / step), 0.0, np.nextafter(1.0, 0.0))
    time = np.minimum(day + part, np.nextafter(day + 1.0, 0.0))
    return np.asarray(np.where(level < cumulative[:, -1:], time, np.inf))


def expected_by(cumulative: Array, day: Array) -> Array:
    """Return the expected number by a time in days, between the days too, shape (R,).

    Parameters
    ----------
    cumulative : ndarray, shape (R, D + 1)
    day : ndarray, shape (R,)
        Clipped to 0 to D.
    """
    time = np.clip(day, 0.0, cumulative.shape[1] - 1.0)
    whole = np.minimum(time.astype(np.intp), cumulative.shape[1] - 2)
    rows = np.arange(len(cumulative))
    before = cumulative[rows, whole]
    return np.asarray(before + (time - whole) * (cumulative[rows, whole + 1] - before))


def chosen(weight_of: Callable[[int], Array], number: int, uniform: Array) -> Index:
    """Return which of several was chosen in proportion to its weight.

    Parameters
    ----------
    weight_of : callable
        Takes 0 to `number` − 1; weights of one shape with `uniform`, at least 0. Asked twice, so that not all are kept.
    number : int
    uniform : ndarray
        Of [0, 1).
    """
    total = sum((weight_of(c) for c in range(number)), start=np.zeros(uniform.shape))
    mark, running = uniform * total, np.zeros(uniform.shape)
    choice, last = np.zeros(uniform.shape, dtype=np.intp), np.zeros(uniform.shape, dtype=np.intp)
    for c in range(number):
        weight = weight_of(c)
        running += weight
        choice += mark >= running
        last = np.where(weight > 0.0, c, last)
    # Where rounding puts the mark on the edge, nobody without weight is chosen.
    return np.asarray(np.minimum(choice, last))


def at_least(count: int, mean: Array, size: Array) -> Array:
    """Return the probability that a negative binomial number is at least `count`, shapes broadcast.

    Parameters
    ----------
    count : int
    mean : ndarray
        At least 0.
    size : ndarray
        Shape of the gamma distribution of the Poisson mean; infinite for a Poisson number.
    """
    if count <= 0:
        return np.ones(np.broadcast_shapes(np.shape(mean), np.shape(size)))
    mixed = np.isfinite(size)
    finite = np.where(mixed, size, 1.0)
    return np.asarray(np.where(mixed, betainc(count, finite, mean / (mean + finite)), gammainc(count, mean)))


def mixed_moments(mean_rate: float, shape: float, exposure: Array) -> tuple[Array, Array]:
    """Return the mean of what a site recruits, and the variance of its Poisson mean.

    Parameters
    ----------
    mean_rate : float
        Of the gamma distribution of the site's rate.
    shape : float
        Of that distribution; infinite for no spread.
    exposure : ndarray, shape (Q, T)
        Time at full strength by each of T days, for Q equally likely openings.

    Returns
    -------
    tuple of ndarray, shape (T,)
        λ E(G) and λ² ((1 + 1/shape) E(G²) − E(G)²).
    """
    first, second = exposure.mean(axis=0), (exposure**2).mean(axis=0)
    return mean_rate * first, np.maximum(mean_rate**2 * ((1.0 + 1.0 / shape) * second - first**2), 0.0)
