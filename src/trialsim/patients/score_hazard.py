"""What a score makes of a hazard: leaving, missing a visit and events all go by how much worse it is than average."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.model import PatientModel

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Few = tuple[Index, Index]
"""Some participants: their replicates and their places."""

_ROUNDING = 1.0 + 1e-9
"""Room for rounding in a bound."""


class ScoreRatio(NamedTuple):
    """The hazard ratio that everybody's score makes.

    Attributes
    ----------
    per_sd : float
        For a score one standard deviation worse.
    z : ndarray, shape (R, N), or None
        Of `worse_by`; None where scores play no part.
    """

    per_sd: float
    z: Array | None

    @property
    def largest(self) -> float:
        """The largest ratio of any participant."""
        if self.z is None:
            return 1.0
        return float(max(self.per_sd ** self.z.max(), self.per_sd ** self.z.min()))

    def of(self, who: Few | slice) -> Array:
        """Return the ratios of some participants, broadcastable to their shape."""
        return np.ones(()) if self.z is None else np.asarray(self.per_sd ** self.z[who])


def few(flags: Flags) -> Few:
    """Return the participants whose flags, shape (R, N), are set; faster than `numpy.nonzero` where they are few."""
    replicates, places = np.divmod(np.flatnonzero(flags), flags.shape[1])
    return replicates, places


def not_spared(uniform: Array, largest: float) -> Few:
    r"""Return all participants to whom something may happen that comes where u < 1 - exp(-Λ), and few others.

    What is rare need be looked at closely in few participants only.

    Parameters
    ----------
    uniform : ndarray, shape (R, N)
        u.
    largest : float
        What no participant's cumulative hazard Λ exceeds.
    """
    return few(uniform <= -np.expm1(-largest * _ROUNDING))


def worse_by(model: PatientModel, scores: Array, outcome: int, visit: int) -> Array:
    """Return z, by how many standard deviations scores are worse than the mean of their visit.

    Parameters
    ----------
    model : PatientModel
    scores : ndarray, shape (R, N), points
    outcome : int
    visit : int
        -1 is the baseline. Mean and SD within groups are those asked for, over arms and strata.
    """
    variant = model.variant
    share = np.asarray(variant.strata_share)
    if visit < 0:
        mean, sd = share @ variant.baseline_mean[:, outcome], share @ variant.baseline_sd[:, outcome]
    else:
        ratio = np.asarray(variant.allocation.ratio, dtype=float)
        mean = (ratio / ratio.sum()) @ variant.mean[:, :, visit, outcome] @ share
        sd = share @ variant.sd[:, visit, outcome]
    sign = 1.0 if variant.lower_is_better[outcome] else -1.0
    return np.asarray(sign * (scores - float(mean)) / float(sd))
