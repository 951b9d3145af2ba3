"""Rubin's rules: one answer from the analyses of several imputed data sets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Array = NDArray[np.float64]


class Pooled(NamedTuple):
    """Pooled analyses; all arrays have the leading shape of what was pooled.

    Attributes
    ----------
    estimate, se, df, statistic, p : ndarray
        `df` of Barnard and Rubin (1999), `statistic` = estimate / SE, `p` two-sided.
    between, within : ndarray
        Variance of the estimates over imputations, and the mean of their squared standard errors.
    """

    estimate: Array
    se: Array
    df: Array
    statistic: Array
    p: Array
    between: Array
    within: Array


def pool_rubin(estimate: Array, se: Array, df_complete: Array | float = np.inf) -> Pooled:
    r"""Return the pooled estimate, standard error, degrees of freedom and p-value.

    Parameters
    ----------
    estimate, se : ndarray, shape (..., M)
        Of each of M ≥ 2 imputed data sets.
    df_complete : ndarray, shape (...), or float
        Residual degrees of freedom of the analysis of a complete data set.

    Notes
    -----
    Total variance :math:`T = W + (1 + 1/M)B`, :math:`\lambda = (1 + 1/M)B/T`, and

    .. math:: \nu = \left[\frac{\lambda^2}{M-1} +
              \frac{\nu_c + 3}{(\nu_c + 1)\nu_c(1 - \lambda)}\right]^{-1}.

    References
    ----------
    Barnard J, Rubin DB (1999), Biometrika 86:948.
    """
    n_imputations = estimate.shape[-1]
    mean = estimate.mean(axis=-1)
    between = estimate.var(axis=-1, ddof=1)
    within = (se**2).mean(axis=-1)
    added = (1.0 + 1.0 / n_imputations) * between
    total = within + added
    complete = np.broadcast_to(np.asarray(df_complete, dtype=float), mean.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = added / total
        # 1/ν_c kept apart, so that an infinite ν_c is no trouble.
        factor = (1.0 + 3.0 / complete) / (1.0 + 1.0 / complete) / complete
        df = 1.0 / (share**2 / (n_imputations - 1) + factor / (1.0 - share))
        pooled_se = np.sqrt(total)
        statistic = mean / pooled_se
        p = 2.0 * stdtr(df, -np.abs(statistic))
    return Pooled(mean, pooled_se, df, statistic, p, between, within)
