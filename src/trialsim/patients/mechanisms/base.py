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


@dataclass(slots=True, eq=False)
class State:
    """A block of trials under way. Mechanisms read all of it and change what is theirs.

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
    moved : ndarray, shape (R, N, K), points, or None
        What the mechanisms that have acted add to the means of the visit that comes; None for nothing.
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
    received: Flags
    in_therapy: Flags
    followed: Flags
    seen: LastSeen
    event_day: dict[str, Array] = field(default_factory=dict)
    records: dict[str, Array] = field(default_factory=dict)
    unseen: dict[str, Array] = field(default_factory=dict)
    moved: Array | None = None
    delivery: Delivery | None = None

    @property
    def variant(self) -> Variant:
        """The variant that is simulated."""
        return self.model.variant

    @property
    def shape(self) -> tuple[int, int]:
        """Replicates and participants, (R, N)."""
        return self.arm.shape[0], self.arm.shape[1]

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

    def last_scores(self, visit: int) -> Array:
        """Return the scores before a visit, shape (R, N, K): those of the visit before, or the baseline."""
        return self.baseline if visit == 0 else self.scores[:, :, visit - 1]


class Mechanism(Protocol):
    """Something that happens to patients in the course of the trial."""

    def begin(self, state: State) -> None:
        """Draw what is settled at entry."""

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what is added to each participant's mean at a visit, shape (R, N, K), points; None for nothing."""

    def after(self, state: State, visit: int) -> None:
        """Let happen what follows a visit, before the next one; -1 is the baseline."""
