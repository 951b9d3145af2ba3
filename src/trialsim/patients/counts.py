r"""Counted events: Poisson given a patient's own rate, which is gamma distributed, so negative binomial over patients.

A patient of arm a and stratum s has :math:`g\,\lambda_{as}` events a day, :math:`g` gamma with mean 1 and variance k,
the dispersion; the events between two visits, had the patient stayed, are Poisson. Over an interval of t days their
mean is :math:`\mu = \lambda_{as}\,t` and their variance :math:`\mu + k\mu^2`; intervals of one patient go together
through g, and not otherwise. Both draws are quantiles of addressed uniform numbers, so that a higher rate never gives a
patient fewer events.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr, pdtrik

from trialsim.kernels.quantile_table import gamma_quantiles
from trialsim.scenario.resolved import Count, Variant
from trialsim.streams import Streams

_ADDED_UP = 12
"""Counts up to this one are found by adding up probabilities."""

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def draw_counts(variant: Variant, stratum: Index, arm: Index, streams: Streams) -> Array | None:
    """Return the events of every participant, had nobody left; None where nothing is counted.

    Parameters
    ----------
    variant : Variant
    stratum, arm : ndarray of int, shape (R, N)
    streams : Streams

    Returns
    -------
    ndarray, shape (R, N, V, C)
        Events between a visit and the one before, the first from day 0 on. Another participant, visit, count or rate
        moves nobody else's draws.
    """
    if not variant.counts:
        return None
    n_replicates, n_participants = stratum.shape
    days = np.diff(variant.visits_days, prepend=0.0)
    events = np.empty((len(days), len(variant.counts), n_replicates, n_participants)).transpose(2, 3, 0, 1)
    for c, count in enumerate(variant.counts):
        rate = count.rate_per_day[arm, stratum] * _frailty(count, n_participants, n_replicates, streams)
        for v, day in enumerate(variant.visits_days):
            generator = streams.generator("count", count.name, f"day {day:g}")
            uniform = generator.random((n_participants, n_replicates)).T
            events[:, :, v, c] = poisson_quantile(uniform, rate * days[v])
    return events


def _frailty(count: Count, n_participants: int, n_replicates: int, streams: Streams) -> Array:
    """Return each participant's rate over the mean one, shape (R, N)."""
    if count.dispersion == 0.0:
        return np.ones((n_replicates, n_participants))
    uniform = streams.generator("frailty", count.name).random((n_participants, n_replicates)).T
    return count.dispersion * gamma_quantiles(1.0 / count.dispersion)(uniform)


def poisson_quantile(uniform: Array, mean: Array) -> Array:
    """Return the smallest whole numbers whose Poisson distribution function reaches the uniform numbers.

    Parameters
    ----------
    uniform : ndarray
        From 0 to 1, 1 excluded.
    mean : ndarray of the same shape
        At least 0.
    """
    u, m = np.ravel(uniform), np.ravel(mean)
    found = np.zeros(u.size)
    term = np.exp(-m)
    left = np.flatnonzero(u > term)
    term = term[left]
    total = term.copy()
    # Most counts are small, and are had fastest by adding up their probabilities.
    for k in range(1, _ADDED_UP + 1):
        found[left] = k
        term *= m[left] / k
        total += term
        on = u[left] > total
        left, term, total = left[on], term[on], total[on]
    found[left] = _by_inverse(u[left], m[left])
    return found.reshape(uniform.shape)


def _by_inverse(u: Array, m: Array) -> Array:
    """Return the quantiles by the continuous inverse; the distribution function itself decides between neighbours."""
    found = np.maximum(np.ceil(pdtrik(u, m)), 1.0)
    found -= pdtr(found - 1.0, m) >= u
    found += pdtr(found, m) < u
    return np.asarray(found)
