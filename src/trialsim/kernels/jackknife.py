"""The delete-a-group jackknife: Monte Carlo errors of any smooth statistic of draws that come in independent groups.

References
----------
Efron B, Stein C (1981). The jackknife estimate of variance. Annals of Statistics 9:586-596.
Agresti A, Coull BA (1998). Approximate is better than "exact" for interval estimation of binomial proportions. The
American Statistician 52:119-126.
Kott PS (2001). The delete-a-group jackknife. Journal of Official Statistics 17:521-526.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from trialsim.kernels.montecarlo import Interval

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def without_each(groups: Index) -> list[NDArray[np.bool_]]:
    """Return, for each group, which draws belong to the others, shape (M,) each.

    Parameters
    ----------
    groups : ndarray of int, shape (M,)
    """
    return [groups != group for group in np.unique(groups)]


def delete_a_group(statistic: Callable[[NDArray[np.bool_]], Array], groups: Index) -> tuple[Array, Array]:
    r"""Return a statistic and its Monte Carlo standard error, both of the shape that the statistic has.

    Parameters
    ----------
    statistic : callable
        Takes which draws count, shape (M,), and returns numbers.
    groups : ndarray of int, shape (M,)
        Of each draw: draws of different groups are independent, and all groups alike in law.

    Notes
    -----
    .. math:: \mathrm{MCSE}^2 = \frac{G-1}{G} \sum_g (\hat\theta_{(g)} - \bar\theta_{(\cdot)})^2

    For a mean over groups of one size it is the standard deviation of the group means over :math:`\sqrt G`. NaN with
    fewer than two groups.
    """
    whole = statistic(np.ones(len(groups), dtype=bool))
    parts = np.stack([statistic(keep) for keep in without_each(groups)])
    n_groups = len(parts)
    if n_groups < 2:
        return whole, np.full_like(whole, math.nan)
    spread = np.sum((parts - parts.mean(axis=0)) ** 2, axis=0)
    return whole, np.sqrt((n_groups - 1) / n_groups * spread)


def least_error_of_share(n_draws: int, n_groups: int) -> float:
    r"""Return the error of a share of draws where every group has the same, so that differences tell none.

    Parameters
    ----------
    n_draws, n_groups : int
        The former a multiple of the latter.

    Notes
    -----
    In groups that are spread evenly, as Latin hypercubes are, at most about one draw of each is near the border of what
    is counted: m draws a group are known to one of m. That it fell on the same side in all G groups is "none of G", for
    which Agresti and Coull have the share :math:`\tilde p = 2 / (G + 4)`, so that

    .. math:: \mathrm{MCSE} = \frac{1}{m} \sqrt{\tilde p\,(1 - \tilde p) / G}.
    """
    share = 2.0 / (n_groups + 4.0)
    return math.sqrt(share * (1.0 - share) / n_groups) * n_groups / n_draws


def t_interval(value: float, error: float, n_groups: int, *, level: float = 0.95) -> Interval:
    """Return the interval of a statistic by Student's t on the number of groups less one.

    Parameters
    ----------
    value, error : float
    n_groups : int
    level : float
    """
    reach = float(stdtrit(n_groups - 1, 0.5 + level / 2.0)) * error
    return Interval(value - reach, value + reach)
