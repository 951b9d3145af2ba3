"""What every analysis takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Array = NDArray[np.float64]
Index = NDArray[np.intp]

CONVERGED, FELL_BACK, FAILED = 0, 1, 2
"""Status of a fit."""

NO_COVARIANCE_CONVERGED = "no covariance converged"
NOT_ESTIMABLE = "contrast not estimable"
REASONS = (NO_COVARIANCE_CONVERGED, NOT_ESTIMABLE)
"""Why a fit can fail."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A block of trials as the blinded analyst sees it; a real trial is a block of one.

    Parameters
    ----------
    arm, stratum : ndarray of int, shape (R, N)
    n_arms, n_strata : int
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
        NaN where not observed.
    """

    arm: Index
    stratum: Index
    n_arms: int
    n_strata: int
    baseline: Array
    scores: Array


class Estimates(NamedTuple):
    """One analysis of a block of trials at one sample size.

    Attributes
    ----------
    estimate, se, df, p : ndarray, shape (R,)
        Active minus control in points; two-sided p. NaN where the fit failed.
    status : ndarray of int8, shape (R,)
        `CONVERGED`, `FELL_BACK` or `FAILED`.
    rung : ndarray of int8, shape (R,)
        Index into `rungs`.
    rungs : tuple of str
        The methods that were tried in turn, then the reasons for failure.
    n_analysed : ndarray of int, shape (R,)
        Participants in the fit.
    """

    estimate: Array
    se: Array
    df: Array
    p: Array
    status: NDArray[np.int8]
    rung: NDArray[np.int8]
    rungs: tuple[str, ...]
    n_analysed: Index


def two_sided_p(estimate: Array, se: Array, df: Array) -> Array:
    """Return the two-sided p-value of t = estimate / se; NaN where the fit failed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2.0 * stdtr(df, -np.abs(estimate / se)))
