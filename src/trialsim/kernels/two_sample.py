"""Student's and Welch's t tests for whole blocks of trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.tails import Alternative, t_tail

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

FINE, TOO_FEW, NOT_FINITE, NO_SPREAD = range(4)
REASONS = ("", "too few scores in an arm", "a score is infinite", "the scores do not vary")
"""Why a test can fail, by code."""


class TTest(NamedTuple):
    """A t test in each trial of a block.

    Attributes
    ----------
    estimate, se, df, t, p : ndarray, shape (R,)
        Mean of the active arm minus mean of the control; NaN where `reason` is not 0.
    reason : ndarray of int8, shape (R,)
        Index into `REASONS`.
    """

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    reason: Codes

    @property
    def estimable(self) -> Flags:
        """Return which trials have a test, shape (R,)."""
        return np.asarray(self.reason == FINE)


class _Arm(NamedTuple):
    """Size, mean and sum of squares about the mean of an arm, each (R,), and whether all its scores are finite."""

    n: Array
    mean: Array
    squares: Array
    finite: Flags


def pooled_t_test(
    y: Array, active: Flags, control: Flags, *, null: float = 0.0, alternative: Alternative = "two-sided"
) -> TTest:
    """Return Student's t test with one variance for both arms.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        Scores; NaN where not observed, which leaves the participant out.
    active, control : ndarray of bool, shape (R, N)
        Who is in either arm; those in neither do not count.
    null : float
        Difference under the null hypothesis, in units of y.
    alternative : {"two-sided", "less", "greater"}
        "less" speaks for active − control < null.
    """
    one, zero = _arm(y, active), _arm(y, control)
    df = one.n + zero.n - 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt((one.squares + zero.squares) / df * (1.0 / one.n + 1.0 / zero.n))
    few = (one.n < 1) | (zero.n < 1) | (df < 1)
    return _test(one, zero, se, df, few, null, alternative)


def welch_t_test(
    y: Array, active: Flags, control: Flags, *, null: float = 0.0, alternative: Alternative = "two-sided"
) -> TTest:
    """Return Welch's t test: a variance for each arm, degrees of freedom after Satterthwaite.

    Parameters are those of `pooled_t_test`; each arm needs two scores.
    """
    one, zero = _arm(y, active), _arm(y, control)
    with np.errstate(divide="ignore", invalid="ignore"):
        part_one = one.squares / (one.n - 1.0) / one.n
        part_zero = zero.squares / (zero.n - 1.0) / zero.n
        se = np.sqrt(part_one + part_zero)
        df = (part_one + part_zero) ** 2 / (part_one**2 / (one.n - 1.0) + part_zero**2 / (zero.n - 1.0))
    return _test(one, zero, se, df, (one.n < 2) | (zero.n < 2), null, alternative)


def _arm(y: Array, members: Flags) -> _Arm:
    """Return the moments of an arm, the squares about its own mean so that large scores lose no digits."""
    inside = members & ~np.isnan(y)
    n = inside.sum(axis=1).astype(np.float64)
    finite = np.all(np.isfinite(y) | ~inside, axis=1)
    scores = np.where(inside & finite[:, None], y, 0.0)
    mean = scores.sum(axis=1) / np.maximum(n, 1.0)
    squares = np.where(inside, scores - mean[:, None], 0.0)
    return _Arm(n, mean, (squares**2).sum(axis=1), finite)


def _test(one: _Arm, zero: _Arm, se: Array, df: Array, few: Flags, null: float, alternative: Alternative) -> TTest:
    """Return the test, NaN with its reason where there is none."""
    # A standard error of a few roundings of the means is no spread at all.
    still = ~(se > 10.0 * np.finfo(np.float64).eps * np.maximum(np.abs(one.mean), np.abs(zero.mean)))
    reason = np.select([few, ~(one.finite & zero.finite), still], [TOO_FEW, NOT_FINITE, NO_SPREAD], FINE)
    hide = np.where(reason == FINE, 1.0, np.nan)
    estimate, se, df = (one.mean - zero.mean) * hide, se * hide, df * hide
    t = (estimate - null) / se
    return TTest(estimate, se, df, t, t_tail(t, df, alternative), reason.astype(np.int8))
