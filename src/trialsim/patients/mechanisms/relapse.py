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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import Points, State, add
from trialsim.scenario.resolved_events import Event

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class _Relapsed(NamedTuple):
    """Patients of a stratum who relapsed after the same visit: what is settled by then.

    Attributes
    ----------
    who : ndarray of int, shape (n,)
        Where they are in a flat array (R, N).
    stratum, past : int
        Theirs, and the last visit before the event.
    off : ndarray, shape (K, past + 2, n), points
        By how much the scores so far, from baseline on, are off the patients' means; K outcomes that are made.
    better : ndarray, shape (K, n), points
        By how much their means at the past visit are below the baseline scores.
    """

    who: Index
    stratum: int
    past: int
    off: Array
    better: Array


class Relapsing:
    """Takes gains back from patients who had an event; acts after all other mechanisms, whose gains it takes.

    Parameters
    ----------
    events : sequence of Event
        Those with `return_to_baseline`.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = tuple(events)
        self._moved: list[Points] = []
        self._moved_before: dict[str, list[Points]] = {event.name: [] for event in events}
        self._known: dict[tuple[str, int, int], _Relapsed] = {}

    def begin(self, state: State) -> None:
        """Nothing is settled at entry."""

    def shift(self, state: State, visit: int) -> Points:
        """Return what is taken back at a visit."""
        lost = Points()
        for event in self._events:
            before = dict(state.moved)
            add(before, lost)
            self._moved_before[event.name].append(before)
            add(lost, self._taken(state, event, visit))
        return lost

    def after(self, state: State, visit: int) -> None:
        """Keep by how much the means of a visit were moved, all told."""
        if visit >= 0:
            self._moved.append(state.moved)

    def _taken(self, state: State, event: Event, visit: int) -> Points:
        """Return what one event takes back."""
        who = np.flatnonzero(np.isfinite(state.event_day[event.name]))
        past, stratum = _visit_before(state, event, who), state.stratum.reshape(-1)[who]
        taken = Points()
        for at in range(visit):
            for one in range(len(state.variant.strata)):
                inside = who[(past == at) & (stratum == one)]
                if not len(inside):
                    continue
                lost = self._loss(state, event, self._settled(state, event, inside, one, at), visit)
                for k, points in zip(state.made, lost, strict=True):
                    taken.setdefault(k, np.zeros(state.shape)).reshape(-1)[inside] = points
        return taken

    def _settled(self, state: State, event: Event, who: Index, stratum: int, past: int) -> _Relapsed:
        """Return what is settled for patients by the visit before their event; worked out once."""
        known = self._known.get((event.name, past, stratum))
        if known is not None and np.array_equal(known.who, who):
            return known
        first = _baseline(state, who)
        off = np.empty((len(state.made), past + 2, len(who)))
        off[:, 0] = first - state.variant.baseline_mean[stratum, list(state.made), None]
        for at in range(past + 1):
            scores = _each(state, who, {k: state.scores[:, :, at, k] for k in state.made})
            off[:, at + 1] = scores - _mean(state, who, stratum, at) - _each(state, who, self._moved[at])
        moved = _each(state, who, self._moved_before[event.name][past])
        found = _Relapsed(who, stratum, past, off, first - _mean(state, who, stratum, past) - moved)
        self._known[event.name, past, stratum] = found
        return found

    def _loss(self, state: State, event: Event, patients: _Relapsed, visit: int) -> Array:
        """Return what patients lose at a visit, shape (K, n), points."""
        who, moved = patients.who, self._moved_before[event.name][visit]
        sign = np.where(np.array(state.variant.lower_is_better), 1.0, -1.0)[list(state.made), None]
        now = _baseline(state, who) - _mean(state, who, patients.stratum, visit) - _each(state, who, moved)
        gain = np.minimum(sign * patients.better, sign * now) - sign * _expected_deviation(state, patients, visit)
        return np.asarray(sign * event.return_to_baseline * np.maximum(gain, 0.0))


def _expected_deviation(state: State, patients: _Relapsed, visit: int) -> Array:
    """Return how far patients are expected to be from their mean at a visit, given the past, shape (K, n)."""
    variant, made = state.variant, list(state.made)
    one, past = patients.stratum, patients.past
    weights = _regression(variant.correlation[one], len(variant.outcomes), past, visit)[made]
    sd = np.vstack([variant.baseline_sd[one], variant.sd[one, : past + 1]]).T[made]
    return np.asarray(np.einsum("kj,kjn->kn", weights / sd, patients.off) * variant.sd[one, visit, made, None])


def _visit_before(state: State, event: Event, who: Index) -> Index:
    """Return the visit whose scores were the last before an event has its effect, shape (n,)."""
    # By the last score seen: the effect begins with the visit that follows. By the current one: with the next but one.
    following = np.searchsorted(state.variant.visits_days, state.event_day[event.name].reshape(-1)[who])
    return np.asarray(following - 1 if event.depends_on == "last" else following)


def _mean(state: State, who: Index, stratum: int, visit: int) -> Array:
    """Return the mean scores of patients' arms and stratum at a visit, shape (K, n), points."""
    by_arm = state.variant.mean[:, stratum, visit, list(state.made)].T
    return np.asarray(by_arm.take(state.arm.reshape(-1)[who], axis=1))


def _baseline(state: State, who: Index) -> Array:
    """Return the baseline scores of some patients, shape (K, n), points."""
    return _each(state, who, {k: state.baseline[..., k] for k in state.made})


def _each(state: State, who: Index, points: Points) -> Array:
    """Return the points of some patients, shape (K, n); 0 for outcomes that are not among them."""
    found = np.zeros((len(state.made), len(who)))
    for row, k in enumerate(state.made):
        if k in points:
            found[row] = points[k].reshape(-1)[who]
    return found


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
