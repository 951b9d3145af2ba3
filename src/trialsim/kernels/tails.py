"""Tail probabilities and limits of test statistics, one-sided and two-sided."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Array = NDArray[np.float64]
Alternative = Literal["two-sided", "less", "greater"]
"""What the data may speak for: a difference, active below control, or active above control."""


def normal_tail(z: Array, alternative: Alternative = "two-sided") -> Array:
    """Return the p-value of standard normal statistics, any shape; NaN where z is NaN."""
    if alternative == "two-sided":
        return np.asarray(2.0 * ndtr(-np.abs(z)))
    return np.asarray(ndtr(z if alternative == "less" else -z))


def t_tail(t: Array, df: Array, alternative: Alternative = "two-sided") -> Array:
    """Return the p-value of t statistics, any shape; NaN where t or df is NaN."""
    if alternative == "two-sided":
        return np.asarray(2.0 * stdtr(df, -np.abs(t)))
    return np.asarray(stdtr(df, t if alternative == "less" else -t))


def normal_limits(estimate: Array, se: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the two-sided confidence limits of estimates with a normal error."""
    half = se * ndtri(0.5 + level / 2.0)
    return estimate - half, estimate + half


def t_limits(estimate: Array, se: Array, df: Array, level: float = 0.95) -> tuple[Array, Array]:
    """Return the two-sided confidence limits of estimates with a t error."""
    half = se * stdtrit(df, 0.5 + level / 2.0)
    return estimate - half, estimate + half
