r"""Who is seen at which visit: those who have not left and do not miss it.

Of those still in the trial a visit v is missed with probability :math:`1 - \exp(-\mu_v\,\theta)`,
:math:`\theta = \mathrm{HR}^{z}`, where z is, in standard deviations worse than the mean of its visit, the last score
seen (missing at random) or the one that is missed (missing not at random); it is 0 completely at random. A missed visit
tells nothing of those that follow: who misses one may be seen at the next. The last score seen is that of the last
visit that was not missed, for leaving and for events too.

So who misses a visit is drawn once its scores are there, and before what happens up to the next. The baseline hazards
are solved in `patients.calibration`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import State
from trialsim.patients.unseen import Gaps

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Hazards(NamedTuple):
    """Baseline hazards, each of shape (V,); None where the variant has no such thing.

    Attributes
    ----------
    leaving : ndarray or None
        λ, per interval that ends at a visit.
    missing : ndarray or None
        μ, per visit.
    """

    leaving: Array | None
    missing: Array | None


class Visits(Protocol):
    """What decides who misses which visit."""

    def begin(self, state: State) -> None:
        """Draw what is settled at entry."""

    def at(self, state: State, visit: int) -> Flags | None:
        """Return who misses a visit that takes place, had nobody left, shape (R, N); None for nobody.

        Parameters
        ----------
        state : State
            With the scores of the visit.
        visit : int
        """


class DrawnVisits:
    """Draws who leaves and who misses a visit, visit by visit.

    Parameters
    ----------
    hazards : Hazards
        Of `calibration.baseline_hazards`.
    """

    def __init__(self, hazards: Hazards) -> None:
        self._hazards = hazards
        self._there: Flags = np.ones((), dtype=bool)
        none = np.zeros((0, 0, 0), dtype=bool)
        self.gaps = Gaps(none, none)
        """Who is not seen, for reasons of their own; filled up to the visit that is past."""

    def begin(self, state: State) -> None:
        """Draw who never starts."""
        shape, dropout = state.scores.shape[:3], state.variant.dropout
        self.gaps = Gaps(np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool))
        self._there = np.ones(state.shape, dtype=bool)
        if dropout is not None:
            self._there = dropout.never_starts <= state.uniform("never_starts")

    def at(self, state: State, visit: int) -> Flags | None:
        """Return who misses a visit that takes place, had nobody left, shape (R, N); None for nobody."""
        dropout, intermittent = state.variant.dropout, state.variant.intermittent
        time, missed = f"day {state.day(visit):g}", None
        if dropout is not None and self._hazards.leaving is not None:
            ratio = state.seen.leaving_ratio(dropout, state.stratum, state.arm)
            leaves = -np.expm1(-self._hazards.leaving[visit] * ratio)
            self._there = self._there & (state.uniform("dropout", time=time) >= leaves)
        if intermittent is not None and self._hazards.missing is not None:
            misses = -np.expm1(-self._hazards.missing[visit] * state.seen.missing_ratio(intermittent))
            missed = state.uniform("missed", time=time) < misses
            self.gaps.missed[:, :, visit] = missed & self._there
        self.gaps.left[:, :, visit] = ~self._there
        return missed
