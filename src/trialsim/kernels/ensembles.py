"""Shares seen in finitely many replicates each: their distribution without the noise of the replicates.

References
----------
Louis TA (1984). Estimating a population of parameter values using Bayes and empirical Bayes methods. Journal of the
American Statistical Association 79:393-398.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noise_of_shares(outcomes: Array) -> float:
    """Return the mean variance that shares have from their finite numbers of replicates.

    Parameters
    ----------
    outcomes : ndarray, shape (M, R)
        0 or 1, NaN for what is not counted; a row holds at least one.

    Notes
    -----
    The mean of p (1 − p)/(R − 1), which is unbiased.
    """
    count = np.sum(np.isfinite(outcomes), axis=1)
    share = np.nanmean(outcomes, axis=1)
    return float(np.mean(share * (1.0 - share) / np.maximum(count - 1, 1)))


def without_noise(values: Array, noise: float) -> Array:
    """Return noisy values drawn together about their mean, so that their variance is that without the noise.

    Parameters
    ----------
    values : ndarray, shape (M,)
    noise : float
        Mean variance of the noise in each.

    Notes
    -----
    Mean and variance are those of the true values; each value is moved by the same factor √(1 − noise/variance).
    """
    total = float(np.var(values, ddof=1)) if len(values) > 1 else 0.0
    factor = np.sqrt(max(total - noise, 0.0) / total) if total > 0.0 else 0.0
    return np.asarray(values.mean() + factor * (values - values.mean()))
