"""Two-by-two tables of a block of trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

FINE, EMPTY_ARM, ALL_ALIKE, NO_STRATUM, EMPTY_CELL, NO_FIT = range(6)
REASONS = (
    "",
    "an arm has no response observed",
    "all responses are alike",
    "no stratum has both arms and both responses",
    "a cell of the table is empty",
    "no logistic regression",
)
"""Why a test or an estimate can fail, by code."""


class Counts(NamedTuple):
    """Responders and participants of either arm.

    Attributes
    ----------
    active, n_active, control, n_control : ndarray, shape (R,) or, by stratum, (R, S)
        Whole numbers; `active` and `control` count those who responded.
    """

    active: Array
    n_active: Array
    control: Array
    n_control: Array

    @property
    def risks(self) -> tuple[Array, Array]:
        """Return the share of responders, active and control; NaN in an empty arm."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.active / self.n_active, self.control / self.n_control


def count_responses(
    y: Array,
    active: Flags,
    control: Flags,
    stratum: NDArray[np.integer] | None = None,
    *,
    n_strata: int = 1,
) -> Counts:
    """Return the table of each trial, or the tables of its strata.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        1 for a response, 0 for none; NaN where not observed, which leaves the participant out.
    active, control : ndarray of bool, shape (R, N)
        Who is in either arm; those in neither do not count.
    stratum : ndarray of int, shape (R, N), optional
        From 0 to n_strata − 1; gives counts of shape (R, S).
    """
    observed, responded = ~np.isnan(y), y == 1
    groups = (active & responded, active & observed, control & responded, control & observed)
    if stratum is None:
        return Counts(*(group.sum(axis=1).astype(np.float64) for group in groups))
    inside = [stratum == s for s in range(n_strata)]
    return Counts(
        *(np.stack([(group & part).sum(axis=1) for part in inside], axis=1).astype(np.float64) for group in groups)
    )
