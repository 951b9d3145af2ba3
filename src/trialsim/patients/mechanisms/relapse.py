r"""What a relapse takes back: the gain that a patient would be expected to keep.

From the visit after an event with `return_to_baseline` on, at every visit v, the share p of the expected gain is lost:

.. math:: L_v = p\,\bigl(\min(g_s, g_v)\bigr)_+, \qquad g_w = \pm\,\bigl(b - M_w - e_v\bigr),

positive where the patient is better than at baseline b. s is the last visit before the event. M_w is the patient's mean
at visit w: that of arm and stratum with all that mechanisms add, so that a gain that fades anyway is not taken back
twice, and what treatment gives after the event is kept. e_v is how far the patient is expected to be from it at v, the
linear regression on all scores of the same outcome up to s:

.. math:: e_v = \sigma_v\, r_{vh} R_{hh}^{-1} z_h,

z the scores in standard deviations from their means, R the correlations asked for. So the luck of a visit, which does
not last, is not taken for a gain: with p = 1 who relapses is expected back at the baseline score, neither short of it
nor beyond. It is exact for scores on the real line, and to first order for those on a bounded scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import State
from trialsim.scenario.resolved_events import Event

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Patients = tuple[Index, ...]
"""Their replicates and places."""


class Relapsing:
    """Takes gains back from patients who had an event; acts after all other mechanisms, whose gains it takes.

    Parameters
    ----------
    events : sequence of Event
        Those with `return_to_baseline`.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)
        self._moved: list[Array] = []
        self._moved_before: dict[str, list[Array]] = {}

    def begin(self, state: State) -> None:
        """Start with nothing taken back."""
        self._moved = []
        self._moved_before = {event.name: [] for event in self._events}

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what is taken back at a visit, shape (R, N, K), points; None for nothing."""
        moved = np.zeros_like(state.baseline) if state.moved is None else state.moved
        lost = None
        for event in self._events:
            before = moved if lost is None else moved + lost
            self._moved_before[event.name].append(before)
            taken = self._taken(state, event, visit)
            if taken is not None:
                lost = taken if lost is None else lost + taken
        return lost

    def after(self, state: State, visit: int) -> None:
        """Keep by how much the means of a visit were moved, all told."""
        if visit >= 0:
            self._moved.append(np.zeros_like(state.baseline) if state.moved is None else state.moved)

    def _taken(self, state: State, event: Event, visit: int) -> Array | None:
        before = _visit_before(state, event)
        past = (before >= 0) & (before < visit)
        if not past.any():
            return None
        patients = np.nonzero(past)
        group = before[patients] * len(state.variant.strata) + state.stratum[patients]
        taken = np.zeros_like(state.baseline)
        for one in np.unique(group):
            inside = tuple(index[group == one] for index in patients)
            at, stratum = divmod(int(one), len(state.variant.strata))
            taken[inside] = self._of(state, event, inside, stratum, at, visit)
        return taken

    def _of(self, state: State, event: Event, patients: Patients, stratum: int, past: int, visit: int) -> Array:
        """Return what some patients of a stratum lose at a visit, shape (n, K), points."""
        better = np.where(np.array(state.variant.lower_is_better), 1.0, -1.0)
        own = self._expected_deviation(state, patients, stratum, past, visit)
        moved = self._moved_before[event.name]
        gains = [
            better * (state.baseline[patients] - _mean(state, patients, at) - moved[at][patients] - own)
            for at in (past, visit)
        ]
        return np.asarray(better * event.return_to_baseline * np.maximum(np.minimum(*gains), 0.0))

    def _expected_deviation(self, state: State, patients: Patients, stratum: int, past: int, visit: int) -> Array:
        """Return how far patients are expected to be from their mean at a visit, given the past, shape (n, K)."""
        variant = state.variant
        weights = _regression(variant.correlation[stratum], len(variant.outcomes), past, visit)
        first = variant.baseline_mean[stratum], variant.baseline_sd[stratum]
        expected = weights[:, 0] * (state.baseline[patients] - first[0]) / first[1]
        for at in range(past + 1):
            mean = _mean(state, patients, at) + self._moved[at][patients]
            scores = state.scores[:, :, at][patients]
            expected = expected + weights[:, at + 1] * (scores - mean) / variant.sd[stratum, at]
        return np.asarray(expected * variant.sd[stratum, visit])


def _visit_before(state: State, event: Event) -> Index:
    """Return the visit whose scores were the last before an event has its effect, shape (R, N); V where it has none."""
    days = np.asarray(state.variant.visits_days)
    when = state.event_day[event.name]
    # By the last score seen: the effect begins with the visit that follows. By the current one: with the next but one.
    following = np.searchsorted(days, when)
    return np.where(np.isinf(when), len(days), following - 1 if event.depends_on == "last" else following)


def _mean(state: State, patients: Patients, visit: int) -> Array:
    """Return the mean scores of patients' arms and strata at a visit, shape (n, K), points."""
    return np.asarray(state.variant.mean[state.arm[patients], state.stratum[patients], visit])


def _regression(correlation: Array, n_outcomes: int, past: int, visit: int) -> Array:
    """Return the weights of an outcome's scores, from baseline to a past visit, in that of a later one.

    Parameters
    ----------
    correlation : ndarray, shape (J, J)
        Of one stratum; J = K (V + 1), baselines first.
    n_outcomes : int
        K.
    past, visit : int

    Returns
    -------
    ndarray, shape (K, past + 2)
        In standard deviations.
    """
    own = np.stack([correlation[k::n_outcomes, k::n_outcomes] for k in range(n_outcomes)])
    known = slice(0, past + 2)
    return np.asarray(np.linalg.solve(own[:, known, known], own[:, known, visit + 1, None])[..., 0])
