"""The cohort: every virtual patient of a block of trials, with what happened and what would have been seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.calibration import baseline_hazards
from trialsim.patients.counts import draw_counts
from trialsim.patients.delivery import Delivery
from trialsim.patients.missing import DrawnVisits
from trialsim.patients.model import build_patient_model
from trialsim.patients.population import draw_strata
from trialsim.patients.trajectory import run_course
from trialsim.patients.treatment import infusions_given, started
from trialsim.patients.unseen import with_unseen
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE, Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The patients of a block of trials.

    Parameters
    ----------
    stratum, arm : ndarray of int, shape (R, N)
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
        Of all, seen or not.
    present : ndarray of bool, shape (R, N, V)
        Whether the participant is seen at the visit: still there, and not missing it.
    left : ndarray of int, shape (R, N), or None
        First visit by which the participant has left for good, or nobody is there to be followed any more (death); V
        for none. None in a cohort made by hand: who leaves is not seen again.
    counts : ndarray, shape (R, N, V, C), or None
        Events between a visit and the one before, had nobody left; None where nothing is counted.
    groups : mapping of str to ndarray of int, shape (R, N)
        Group of every participant by name of the clusters; -1 for none.
    event_visit : mapping of str to ndarray of int, shape (R, N)
        First visit on or after an event; V where there was none.
    event_day : mapping of str to ndarray, shape (R, N), days
        When it happened; infinite where it did not.
    records : mapping of str to ndarray
        What else was recorded: guesses, CADSS by infusion, sessions attended.
    infusions : ndarray of int, shape (R, N), or None
        How many were given; None in a cohort made by hand.
    started : ndarray of bool, shape (R, N), or None
        Who started treatment.
    enrolled : ndarray of bool, shape (R, N), or None
        Who was randomised before recruitment ended; None is everybody.
    """

    stratum: Index
    arm: Index
    baseline: Array
    scores: Array
    present: Flags
    left: Index | None = None
    counts: Array | None = None
    groups: Mapping[str, Index] = field(default_factory=dict)
    event_visit: Mapping[str, Index] = field(default_factory=dict)
    event_day: Mapping[str, Array] = field(default_factory=dict)
    records: Mapping[str, Array] = field(default_factory=dict)
    infusions: Index | None = None
    started: Flags | None = None
    enrolled: Flags | None = None

    @property
    def followed(self) -> Index:
        """First visit by which a participant is not followed any more, shape (R, N); V for none."""
        if self.left is not None:
            return self.left
        return np.asarray(np.where(self.present, np.arange(1, self.present.shape[2] + 1), 0).max(axis=2))

    @property
    def observed_counts(self) -> Array | None:
        """Events seen, NaN at visits that were missed; None where nothing is counted."""
        return None if self.counts is None else np.where(self.present[..., None], self.counts, np.nan)

    @property
    def observed(self) -> Array:
        """Scores with NaN where they were not seen, shape (R, N, V, K), points."""
        return np.where(self.present[..., None], self.scores, np.nan)

    def trial(self, replicate: int, n_participants: int) -> Cohort:
        """Return the first participants of one replicate, as far as they were enrolled: a cohort with R = 1."""
        if self.enrolled is not None:
            n_participants = min(n_participants, int(self.enrolled[replicate].sum()))
        part = slice(replicate, replicate + 1), slice(n_participants)
        return Cohort(
            self.stratum[part],
            self.arm[part],
            self.baseline[part],
            self.scores[part],
            self.present[part],
            None if self.left is None else self.left[part],
            None if self.counts is None else self.counts[part],
            _of(self.groups, part),
            _of(self.event_visit, part),
            _of(self.event_day, part),
            _of(self.records, part),
            None if self.infusions is None else self.infusions[part],
            None if self.started is None else self.started[part],
            None if self.enrolled is None else self.enrolled[part],
        )


def _of(kept: Mapping[str, NDArray[Kind]], part: tuple[slice, slice]) -> dict[str, NDArray[Kind]]:
    return {name: values[part] for name, values in kept.items()}


class PatientSource:
    """Draws the cohorts of one variant.

    Parameters
    ----------
    variant : Variant
    """

    def __init__(self, variant: Variant) -> None:
        self.model = build_patient_model(variant)
        self._hazards = baseline_hazards(self.model)

    def enrol(self, streams: Streams, n_participants: int) -> Index:
        """Return the strata of a block's participants, shape (R, N), in order of enrolment."""
        return draw_strata(self.model.variant, n_participants, BLOCK_SIZE, streams)

    def follow(
        self,
        streams: Streams,
        stratum: Index,
        arm: Index,
        *,
        alone: bool = False,
        without: Iterable[str] = (),
        delivery: Delivery | None = None,
        only_needed: bool = False,
    ) -> Cohort:
        """Return the cohort once everybody's arm is known.

        Parameters
        ----------
        streams : Streams
        stratum, arm : ndarray of int, shape (R, N)
        alone : bool
            Leave out what the members of a group share: each patient taken alone is the same in law.
        without : iterable of str
            Events that do not happen.
        delivery : Delivery, optional
            What was delivered; all of it on time by default.
        only_needed : bool
            Make only what the scenario's questions need, the same to the bit as among all; other scores are NaN.
        """
        visits = DrawnVisits(self._hazards)
        state = run_course(
            self.model,
            streams,
            stratum,
            arm,
            alone=alone,
            without=without,
            delivery=delivery,
            visits=visits,
            only_needed=only_needed,
        )
        present = visits.gaps.present & state.followed
        left = (~visits.gaps.left & state.followed).sum(axis=2)
        if delivery is not None:
            present &= delivery.visited & delivery.enrolled[..., None]
        return Cohort(
            stratum,
            arm,
            state.baseline,
            with_unseen(state.scores, state.unseen, visits.gaps),
            present,
            left,
            draw_counts(state.variant, stratum, arm, streams),
            state.groups,
            {name: _first_visit_after(day, state.variant) for name, day in state.event_day.items()},
            state.event_day,
            state.records,
            infusions_given(state, left),
            started(state) if delivery is None else started(state) & (delivery.left_day > 0.0),
            None if delivery is None else delivery.enrolled,
        )


def _first_visit_after(day: Array, variant: Variant) -> Index:
    """Return the first visit that an event touches, shape (R, N); V for no event."""
    return np.asarray(np.searchsorted(variant.visits_days, day, side="left"))
