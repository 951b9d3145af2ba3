"""The cohort: every virtual patient of a block of trials, with what happened and what would have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.dropout import baseline_hazards, draw_presence
from trialsim.patients.model import build_patient_model
from trialsim.patients.population import draw_strata
from trialsim.patients.scores import draw_latent, scores_in_arms
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE, Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The patients of a block of trials.

    Parameters
    ----------
    stratum, arm : ndarray of int, shape (R, N)
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
        Had nobody left.
    present : ndarray of bool, shape (R, N, V)
        Whether the participant is still there.
    counts : ndarray, shape (R, N, V, C), or None
        Events between a visit and the one before, had nobody left; None where nothing is counted.
    groups : mapping of str to ndarray of int, shape (R, N)
        Group of every participant by name of the clusters; -1 for none.
    """

    stratum: Index
    arm: Index
    baseline: Array
    scores: Array
    present: Flags
    counts: Array | None = None
    groups: Mapping[str, Index] = field(default_factory=dict)

    @property
    def observed_counts(self) -> Array | None:
        """Events seen, NaN from the first missed visit on; None where nothing is counted."""
        return None if self.counts is None else np.where(self.present[..., None], self.counts, np.nan)

    @property
    def observed(self) -> Array:
        """Scores with NaN after dropout, shape (R, N, V, K), points."""
        return np.where(self.present[..., None], self.scores, np.nan)


class PatientSource:
    """Draws the cohorts of one variant.

    Parameters
    ----------
    variant : Variant
    """

    def __init__(self, variant: Variant) -> None:
        self.model = build_patient_model(variant)
        self._hazards = baseline_hazards(self.model) if variant.dropout is not None else None

    def enrol(self, streams: Streams, n_participants: int) -> Index:
        """Return the strata of a block's participants, shape (R, N), in order of enrolment."""
        return draw_strata(self.model.variant, n_participants, BLOCK_SIZE, streams)

    def follow(self, streams: Streams, stratum: Index, arm: Index) -> Cohort:
        """Return the cohort once everybody's arm is known.

        Parameters
        ----------
        streams : Streams
        stratum, arm : ndarray of int, shape (R, N)
        """
        n_replicates, n_participants = stratum.shape
        latent = draw_latent(self.model, n_participants, n_replicates, streams, "score")
        baseline, scores = scores_in_arms(self.model, latent, stratum, arm)
        present = draw_presence(self.model, self._hazards, baseline, scores, stratum, arm, streams)
        return Cohort(stratum, arm, baseline, scores, present)
