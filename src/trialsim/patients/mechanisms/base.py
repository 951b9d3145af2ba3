"""What a mechanism sees and does: the state of a block of trials, visit by visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.delivery import Delivery
from trialsim.patients.model import PatientModel
from trialsim.patients.seen import LastSeen
from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Points = dict[int, Array]
"""Points added to the means of a visit, (R, N), by outcome; an outcome that is not among them is not moved."""


@dataclass(slots=True, eq=False)
class State:
    """A block of trials under way. Mechanisms read all of it and change what is theirs.

    Arrays of all participants lie in memory with participants last: what is done outcome by outcome, or infusion by
    infusion, runs through memory in order.

    Parameters
    ----------
    model : PatientModel
    streams : Streams
    stratum, arm : ndarray of int, shape (R, N)
    groups : mapping of str to ndarray of int, shape (R, N)
    baseline : ndarray, shape (R, N, K), points
        As recorded at entry.
    scores : ndarray, shape (R, N, V, K), points
        Filled up to the visit that is past.
    made : tuple of int
        Outcomes whose scores are made; those of the others are NaN.
    infusion_day : ndarray, shape (R, N, I), days
        When each infusion is given if it is given: as planned unless known to be otherwise. Infinite where an arm has
        fewer, and where one is not given for reasons outside the patient.
    received : ndarray of bool, shape (R, N, I)
        Whether each of the arm's infusions is given, all of them unless something prevents it; I is the largest number
        of any arm, and those an arm does not have are False.
    in_therapy : ndarray of bool, shape (R, N)
        Whether the participant still goes to the sessions of the arm's therapy.
    followed : ndarray of bool, shape (R, N, V)
        Whether there is anybody to see at a visit: False from death on.
    seen : LastSeen
        Which scores were seen, up to the visit that is past.
    event_day : dict of str to ndarray, shape (R, N), days
        When an event happened; infinite where it did not.
    records : dict of str to ndarray
        What mechanisms keep for reports: guesses, CADSS by infusion, sessions attended.
    unseen : dict of str to ndarray, shape (R, N, V, K), points
        Scores if they are not seen, by why, where they then differ.
    moved : Points
        What the mechanisms that have acted add to the means of the visit that comes.
    delivery : Delivery or None
        What was delivered; None where all of it was, on time.
    """

    model: PatientModel
    streams: Streams
    stratum: Index
    arm: Index
    groups: dict[str, Index]
    baseline: Array
    scores: Array
    made: tuple[int, ...]
    infusion_day: Array
    received: Flags
    in_therapy: Flags
    followed: Flags
    seen: LastSeen
    event_day: dict[str, Array] = field(default_factory=dict)
    records: dict[str, Array] = field(default_factory=dict)
    unseen: dict[str, Array] = field(default_factory=dict)
    moved: Points = field(default_factory=dict)
    delivery: Delivery | None = None
    _cell: Index = field(init=False)

    def __post_init__(self) -> None:
        self._cell = self.arm * len(self.variant.strata) + self.stratum

    @property
    def variant(self) -> Variant:
        """The variant that is simulated."""
        return self.model.variant

    @property
    def shape(self) -> tuple[int, int]:
        """Replicates and participants, (R, N)."""
        return self.arm.shape[0], self.arm.shape[1]

    def by_cell(self, table: Array) -> Array:
        """Return what a table by arm and stratum, shape (A, S), holds for everybody, shape (R, N)."""
        return np.ravel(table).take(self._cell)

    def uniform(self, purpose: str, outcome: str = "", time: str = "") -> Array:
        """Return addressed uniform numbers, shape (R, N); a participant's do not depend on how many there are."""
        n_replicates, n_participants = self.shape
        return self.streams.generator(purpose, outcome, time).random((n_participants, n_replicates)).T

    def normal(self, purpose: str, outcome: str = "", time: str = "") -> Array:
        """Return addressed standard normal numbers, shape (R, N)."""
        n_replicates, n_participants = self.shape
        return self.streams.generator(purpose, outcome, time).standard_normal((n_participants, n_replicates)).T

    def day(self, visit: int) -> float:
        """Return the day of a visit; 0 for -1, the baseline."""
        return 0.0 if visit < 0 else float(self.variant.visits_days[visit])


class Mechanism(Protocol):
    """Something that happens to patients in the course of the trial."""

    def begin(self, state: State) -> None:
        """Draw what is settled at entry."""

    def shift(self, state: State, visit: int) -> Points:
        """Return what is added to each participant's mean at a visit, of the outcomes that are made."""

    def after(self, state: State, visit: int) -> None:
        """Let happen what follows a visit, before the next one; -1 is the baseline."""


def add(total: Points, part: Points) -> None:
    """Add points to a total; no array that stands in either is changed."""
    for outcome, points in part.items():
        total[outcome] = total[outcome] + points if outcome in total else points
