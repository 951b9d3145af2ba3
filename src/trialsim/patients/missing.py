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

from trialsim.patients.dropout import relative_hazard
from trialsim.patients.mechanisms.base import State
from trialsim.patients.score_hazard import not_spared
from trialsim.patients.unseen import Gaps
from trialsim.scenario.resolved import Dropout

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
        self.gaps = Gaps(_nobody(*shape), _nobody(*shape))
        self._there = np.ones(state.shape, dtype=bool)
        if dropout is not None:
            self._there = dropout.never_starts <= state.uniform("never_starts")

    def at(self, state: State, visit: int) -> Flags | None:
        """Return who misses a visit that takes place, had nobody left, shape (R, N); None for nobody."""
        dropout, intermittent = state.variant.dropout, state.variant.intermittent
        time, missed = f"day {state.day(visit):g}", None
        if dropout is not None and self._hazards.leaving is not None:
            self._leave(state, dropout, self._hazards.leaving[visit], state.uniform("dropout", time=time))
        if intermittent is not None and self._hazards.missing is not None:
            hazard, by_score = self._hazards.missing[visit], state.seen.ratio(intermittent)
            uniform = state.uniform("missed", time=time)
            who = not_spared(uniform, hazard * by_score.largest)
            missed = np.zeros(state.shape, dtype=bool)
            missed[who] = uniform[who] < -np.expm1(-hazard * by_score.of(who))
            self.gaps.missed[:, :, visit] = missed & self._there
        self.gaps.left[:, :, visit] = ~self._there
        return missed

    def _leave(self, state: State, dropout: Dropout, hazard: float, uniform: Array) -> None:
        """Let participants leave in an interval."""
        by_score = state.seen.ratio(dropout)
        largest = dropout.arm_hazard_ratio.max() * dropout.stratum_hazard_ratio.max() * by_score.largest
        who = not_spared(uniform, hazard * largest)
        ratio = relative_hazard(dropout, by_score.of(who), state.stratum[who], state.arm[who])
        self._there[who] &= uniform[who] >= -np.expm1(-hazard * ratio)


def _nobody(n_replicates: int, n_participants: int, n_visits: int) -> Flags:
    """Return flags (R, N, V) that are not set; those of a visit lie together."""
    return np.moveaxis(np.zeros((n_visits, n_replicates, n_participants), dtype=bool), 0, 2)
