"""The last score seen: what leaving, missing a visit and events go by where they are at random.

It is that of the last visit that was not missed, or the baseline score. Who has left counts as seen at the visits that
would not have been missed, so that leaving the trial changes nothing that happens to a patient: a score that follows is
the one had nobody left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.dropout import relative_hazard, worse_by
from trialsim.patients.model import PatientModel
from trialsim.scenario.resolved import Dropout, Variant
from trialsim.scenario.resolved_variation import Intermittent

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


class LastSeen:
    """By how much the last score seen is worse than the mean of its visit, for each outcome that matters.

    At each visit `come` is called with its scores, then `miss` once it is known who misses it.

    Parameters
    ----------
    model : PatientModel
    baseline : ndarray, shape (R, N, K), points
        Seen of all.

    Attributes
    ----------
    missed : ndarray of bool, shape (R, N), or None
        Who missed the visit that is past; None for nobody.
    """

    def __init__(self, model: PatientModel, baseline: Array) -> None:
        self.missed: Flags | None = None
        self._model, self._shape = model, baseline.shape[:2]
        self._last = {k: worse_by(model, baseline[..., k], k, -1) for k in _drivers(model.variant)}
        self._current = dict(self._last)

    def come(self, scores: Array, visit: int) -> None:
        """Take the scores of a visit, shape (R, N, K), as those about to be seen."""
        for k in self._last:
            self._current[k] = worse_by(self._model, scores[..., k], k, visit)

    def miss(self, missed: Flags | None) -> None:
        """Take the scores about to be seen as seen, but for those of who misses the visit, shape (R, N)."""
        self.missed = missed
        for k, current in self._current.items():
            self._last[k] = current if missed is None else np.where(missed, self._last[k], current)

    def worse(self, outcome: int) -> Array:
        """Return z of the last score seen, shape (R, N); zeros where the scores of an outcome play no part."""
        return self._last[outcome] if outcome in self._last else np.zeros(self._shape)

    def leaving_ratio(self, dropout: Dropout, strata: Index, arms: Index) -> Array:
        """Return θ of leaving in the interval that ends at the visit that came, shape (R, N)."""
        return relative_hazard(dropout, self.worse(dropout.outcome), self._coming(dropout.outcome), strata, arms)

    def missing_ratio(self, intermittent: Intermittent) -> Array:
        """Return θ of missing the visit that came, shape (R, N)."""
        unseen = intermittent.model == "mnar"
        z = self._coming(intermittent.outcome) if unseen else self.worse(intermittent.outcome)
        return np.asarray(intermittent.score_hazard_ratio_per_sd**z)

    def _coming(self, outcome: int) -> Array:
        """Return z of the score about to be seen, shape (R, N)."""
        return self._current[outcome] if outcome in self._current else np.zeros(self._shape)


def _drivers(variant: Variant) -> set[int]:
    """Return the outcomes by whose scores patients leave, miss visits, or have an event that goes by the last seen."""
    parts = (variant.dropout, variant.intermittent, *(one for one in variant.events if one.depends_on == "last"))
    return {part.outcome for part in parts if part is not None and part.score_hazard_ratio_per_sd != 1.0}
