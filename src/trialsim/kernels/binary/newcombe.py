"""The test that Newcombe's interval of a risk difference stands for: a value is rejected once it lies outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.binary.counts import EMPTY_ARM, FINE, Counts
from trialsim.kernels.binary.scores import ScoreTest
from trialsim.kernels.tails import Alternative, normal_tail

Array = NDArray[np.float64]

HALVINGS = 60
LARGEST = 40.0
"""Normal deviate beyond which a tail probability is 0 in double precision."""


def newcombe_test(counts: Counts, *, null: float = 0.0, alternative: Alternative = "two-sided") -> ScoreTest:
    """Return the test that the risks differ by `null`, by inverting Newcombe's interval (method 10).

    Parameters
    ----------
    counts : Counts of shape (R,)
    null : float
        Difference under the null hypothesis, active minus control.
    alternative : {"two-sided", "less", "greater"}

    Notes
    -----
    z is the normal deviate at which the interval's end touches `null`, found by bisection: the interval widens with
    it. So p < α says exactly that the interval of level 1 − α leaves `null` out.
    """
    empty = (counts.n_active == 0) | (counts.n_control == 0)
    n, m = np.maximum(counts.n_active, 1.0), np.maximum(counts.n_control, 1.0)
    one, zero = counts.active / n, counts.control / m
    excess = one - zero - null
    # Above the null it is the lower limit that counts: what lies below the one risk and above the other.
    up = excess > 0
    low, high = np.zeros_like(excess), np.full_like(excess, LARGEST)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        reach = np.hypot(_wilson_reach(one, n, middle, up=~up), _wilson_reach(zero, m, middle, up=up))
        short = reach < np.abs(excess)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    z = np.where(excess == 0.0, 0.0, np.copysign(0.5 * (low + high), excess))
    hide = np.where(empty, np.nan, 1.0)
    reason = np.where(empty, EMPTY_ARM, FINE).astype(np.int8)
    return ScoreTest((one - zero) * hide, z * hide, normal_tail(z * hide, alternative), reason)


def _wilson_reach(share: Array, n: Array, z: Array, *, up: NDArray[np.bool_]) -> Array:
    """Return how far Wilson's limit on one side lies from an observed share."""
    z2 = z**2
    towards = z2 * (0.5 - share) / n
    half = z * np.sqrt(share * (1.0 - share) / n + z2 / (4.0 * n**2))
    return np.asarray(np.maximum((half + np.where(up, towards, -towards)) / (1.0 + z2 / n), 0.0))
