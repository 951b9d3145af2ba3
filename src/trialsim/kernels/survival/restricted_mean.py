"""Restricted mean survival time: the area under each arm's Kaplan-Meier curve up to a horizon."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.kernels.survival.kaplan_meier import kaplan_meier
from trialsim.kernels.survival.risksets import (
    BAD_INPUT,
    EMPTY_ARM,
    ESTIMATED,
    SHORT,
    Array,
    Codes,
    Flags,
    from_right,
)


class RestrictedMean(NamedTuple):
    """Restricted means of a block of trials.

    Attributes
    ----------
    estimate, se, z, p : ndarray, shape (R, G − 1)
        Differences of arms 1, 2, .. to arm 0, in the unit of time, with normal two-sided p-values.
    mean, mean_se : ndarray, shape (R, G)
    status : ndarray of int, shape (R, G)
        Index into `REASONS`, by arm; a difference is NaN where either arm's is not 0.
    """

    estimate: Array
    se: Array
    z: Array
    p: Array
    mean: Array
    mean_se: Array
    status: Codes

    @property
    def estimable(self) -> Flags:
        """Whether each difference to arm 0 has an estimate, shape (R, G − 1)."""
        return np.asarray((self.status[:, 1:] == ESTIMATED) & (self.status[:, :1] == ESTIMATED))


def restricted_mean(
    time: Array,
    event: Flags,
    arm: NDArray[np.integer],
    horizon: float,
    *,
    n_arms: int = 2,
    included: Flags | None = None,
) -> RestrictedMean:
    """Compare the mean time without the event within a horizon.

    Parameters
    ----------
    time : ndarray, shape (R, N), any unit
    event : ndarray of bool, shape (R, N)
    arm : ndarray of int, shape (R, N)
    horizon : float
        In the unit of time. An arm whose last participant is censored before it has no estimate: what lies
        beyond is unknown. One whose curve has reached 0 has.
    n_arms : int
    included : ndarray of bool, shape (R, N), optional
    """
    if not horizon > 0.0:
        raise ValueError(f"horizon must be above 0; got {horizon}")
    included = np.ones(time.shape, dtype=bool) if included is None else included
    arms = [_one_arm(time, event, included & (arm == g), horizon) for g in range(n_arms)]
    mean, mean_se, status = (np.stack(part, axis=1) for part in zip(*arms, strict=True))
    estimate = mean[:, 1:] - mean[:, :1]
    se = np.hypot(mean_se[:, 1:], mean_se[:, :1])
    # Arms without any event before the horizon have means known, as it were, exactly: there is no test.
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(se > 0.0, estimate / se, np.nan)
    return RestrictedMean(estimate, se, z, np.asarray(2.0 * ndtr(-np.abs(z))), mean, mean_se, status)


def _one_arm(time: Array, event: Flags, included: Flags, horizon: float) -> tuple[Array, Array, Codes]:
    curve = kaplan_meier(time, event, included=included)
    rows = len(time)
    edges = np.concatenate([np.zeros((rows, 1)), np.minimum(curve.time, horizon), np.full((rows, 1), horizon)], axis=1)
    heights = np.concatenate([np.ones((rows, 1)), curve.survival], axis=1)
    remaining = from_right(np.diff(edges, axis=1) * heights)
    left = curve.at_risk - curve.events
    steps = curve.distinct & (curve.events > 0.0) & (left > 0.0)
    jumps = np.where(steps, curve.events / np.where(steps, curve.at_risk * left, 1.0), 0.0)
    se = np.sqrt((remaining[:, 1:] ** 2 * jumps).sum(axis=1))
    longest = np.where(np.isfinite(curve.time), curve.time, -1.0).max(axis=1)
    status = np.select(
        [~curve.valid, longest < 0.0, (longest < horizon) & (curve.survival[:, -1] > 0.0)],
        [BAD_INPUT, EMPTY_ARM, SHORT],
        ESTIMATED,
    ).astype(np.int8)
    hide = np.where(status == ESTIMATED, 1.0, np.nan)
    return remaining[:, 0] * hide, se * hide, status
