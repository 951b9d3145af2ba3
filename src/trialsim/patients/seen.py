"""The last score seen: what leaving, missing a visit and events go by where they are at random.

It is that of the last visit that was not missed, or the baseline score. Who has left counts as seen at the visits that
would not have been missed, so that leaving the trial changes nothing that happens to a patient: a score that follows is
the one had nobody left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.model import PatientModel
from trialsim.patients.score_hazard import ScoreRatio, worse_by
from trialsim.scenario.resolved import Dropout, Variant
from trialsim.scenario.resolved_events import Event
from trialsim.scenario.resolved_variation import Intermittent

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


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
        self._model = model
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

    def ratio(self, gap: Dropout | Intermittent) -> ScoreRatio:
        """Return what scores make of leaving in the interval that ends at the visit that came, or of missing it."""
        known = self._current if gap.model == "mnar" else self._last
        return ScoreRatio(gap.score_hazard_ratio_per_sd, known.get(gap.outcome))

    def ratio_of_event(self, event: Event) -> ScoreRatio:
        """Return what the last scores seen make of an event."""
        return ScoreRatio(event.score_hazard_ratio_per_sd, self._last.get(event.outcome))


def _drivers(variant: Variant) -> set[int]:
    """Return the outcomes by whose scores patients leave, miss visits, or have an event that goes by the last seen."""
    parts = (variant.dropout, variant.intermittent, *(one for one in variant.events if one.depends_on == "last"))
    return {part.outcome for part in parts if part is not None and part.score_hazard_ratio_per_sd != 1.0}
