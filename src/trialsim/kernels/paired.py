"""Differences between simulations that share their replicates: each with the Monte Carlo error of the pairs.

With common random numbers, replicate r of one design and replicate r of another are a pair. What is averaged over
replicates is written as a sum of influences, one for each replicate, so that the error of a difference is that of the
differences of influences. For shares without failed fits this is McNemar's: with b replicates found by the first design
alone and c by the second alone, ``sqrt((b + c - (b - c)^2 / R)) / R``.

References
----------
McNemar Q (1947). Note on the sampling error of the difference between correlated proportions or percentages.
Psychometrika 12:153-157. doi:10.1007/BF02295996
Bonett DG, Price RM (2012). Adjusted Wald confidence interval for a difference of binomial proportions based on paired
data. Journal of Educational and Behavioral Statistics 37:479-488. doi:10.3102/1076998611411915
Plackett RL (1954). A reduction formula for normal multivariate integrals. Biometrika 41:351-360.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


class Influences(NamedTuple):
    """A mean over replicates, and what each replicate adds to it.

    Attributes
    ----------
    value : float
        The mean; NaN where no replicate is usable.
    influence : ndarray, shape (R,)
        Sums to 0; the variance of the mean is the mean of the squares over R.
    """

    value: float
    influence: Array


class Difference(NamedTuple):
    """A difference of two means over the same replicates.

    Attributes
    ----------
    value : float
        First minus second.
    mcse : float
        Its Monte Carlo standard error, of the pairs.
    independent_mcse : float
        What it would be had each design had patients of its own.
    low, high : float
        Confidence interval at the level asked for.
    """

    value: float
    mcse: float
    independent_mcse: float
    low: float
    high: float


def influences(values: Array, usable: Flags) -> Influences:
    """Return the mean of the usable values and the influence of each replicate on it.

    Parameters
    ----------
    values : ndarray, shape (R,)
        May hold anything where not usable.
    usable : ndarray of bool, shape (R,)
        Replicates in the mean.
    """
    count = int(usable.sum())
    if count == 0:
        return Influences(math.nan, np.full(len(usable), math.nan))
    value = float(values[usable].mean())
    influence = np.zeros(len(usable))
    influence[usable] = (values[usable] - value) * (len(usable) / count)
    return Influences(value, influence)


def share_difference(first: Influences, second: Influences, *, level: float = 0.95) -> Difference:
    """Return the difference of two shares of the same replicates.

    Parameters
    ----------
    first, second : Influences
        Of values 0 and 1.
    level : float
        Of the interval, in (0, 1).

    Returns
    -------
    Difference
        The interval is that of Bonett and Price: two replicates are added, one found by each design alone, so that
        designs which agree in all replicates are not taken for equal. It keeps to [-1, 1].
    """
    count = len(first.influence)
    apart = first.influence - second.influence
    value = first.value - second.value
    pairs = apart + value
    centre = float(pairs.sum()) / (count + 2)
    spread = (float(pairs @ pairs) + 2.0) / (count + 2) - centre * centre
    half = _z(level) * math.sqrt(spread / (count + 2))
    return Difference(
        value,
        math.sqrt(float(apart @ apart)) / count,
        math.hypot(*(math.sqrt(float(part.influence @ part.influence)) / count for part in (first, second))),
        max(centre - half, -1.0),
        min(centre + half, 1.0),
    )


def mean_difference(first: Influences, second: Influences, *, level: float = 0.95, extra: float = 0.0) -> Difference:
    """Return the difference of two means over the same replicates, with its normal interval.

    Parameters
    ----------
    first, second : Influences
    level : float
        Of the interval, in (0, 1).
    extra : float
        Standard error of what is taken off the means, such as simulated true values.
    """
    count = len(first.influence)
    degrees = count * (count - 1) if count > 1 else math.nan
    apart = first.influence - second.influence
    value = first.value - second.value
    mcse = math.hypot(math.sqrt(float(apart @ apart) / degrees), extra)
    alone = (math.sqrt(float(part.influence @ part.influence) / degrees) for part in (first, second))
    half = _z(level) * mcse
    return Difference(value, mcse, math.hypot(*alone, extra), value - half, value + half)


def bonferroni_level(comparisons: int, *, level: float = 0.95) -> float:
    """Return the level of each of several intervals that hold together with at least `level`."""
    return 1.0 - (1.0 - level) / max(comparisons, 1)


def bivariate_normal_cdf(h: float, k: float, correlation: float) -> float:
    """Return the chance that two standard normals with a correlation are at most h and k.

    Parameters
    ----------
    h, k : float
    correlation : float
        In [-1, 1].

    Notes
    -----
    Plackett's reduction: the derivative by the correlation is the density, integrated here over its arc sine by
    Gauss-Legendre with 96 nodes, which is exact to 1e-12 but for correlations within 1e-6 of one.
    """
    if correlation >= 1.0:
        return float(ndtr(min(h, k)))
    if correlation <= -1.0:
        return max(float(ndtr(h) - ndtr(-k)), 0.0)
    end = math.asin(correlation)
    angle = 0.5 * end * (_NODES + 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        density = np.exp(-(h * h + k * k - 2.0 * h * k * np.sin(angle)) / (2.0 * np.cos(angle) ** 2))
    return float(ndtr(h) * ndtr(k) + 0.5 * end * float(_WEIGHTS @ density) / (2.0 * math.pi))


def normal_paired_ratio(first_power: float, second_power: float, correlation: float) -> float:
    """Return the paired MCSE of a difference of powers over that of independent runs, for normal test statistics.

    Parameters
    ----------
    first_power, second_power : float
    correlation : float
        Of the test statistics. Of a trial and one with the same patients and more, ``sqrt(N_small / N_large)``.

    Returns
    -------
    float
        NaN where both powers are 0 or 1.
    """
    alone = first_power * (1.0 - first_power) + second_power * (1.0 - second_power)
    if not alone > 0.0:
        return math.nan
    both = bivariate_normal_cdf(float(ndtri(first_power)), float(ndtri(second_power)), correlation)
    return math.sqrt(max(alone - 2.0 * (both - first_power * second_power), 0.0) / alone)


def _z(level: float) -> float:
    return float(ndtri(0.5 + level / 2.0))


__all__ = [
    "Difference",
    "Influences",
    "bivariate_normal_cdf",
    "bonferroni_level",
    "influences",
    "mean_difference",
    "normal_paired_ratio",
    "share_difference",
]
