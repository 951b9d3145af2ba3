"""Endpoints of estimands, made from what was observed: scores, responses, times to an event, counts.

Leaving the trial, and every event after randomisation, is what an estimand's strategy says: missing from then on
(hypothetical), a failure (composite), the end of what counts (while on treatment), or nothing (treatment policy, events
alone). Of several that are handled the first one decides; at one visit a failure counts before the end of what counts,
that before what is missing, and events before leaving. Nothing here knows what would have happened otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed
from trialsim.kernels.imputation import composite, while_on_treatment
from trialsim.kernels.imputation.endpoints import before_event
from trialsim.scenario.resolved import Criterion, Estimand

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_TOLERANCE = 1e-9
"""Of a comparison of scores, in points: halves and thirds of a score are not exact."""


class Times(NamedTuple):
    """Time to an event.

    Attributes
    ----------
    time : ndarray, shape (R, N), days
        From the day the clock starts to the event or the last day followed; NaN for who is not analysed.
    event : ndarray of bool, shape (R, N)
    """

    time: Array
    event: Flags


class Occurrences(NamedTuple):
    """Counted events.

    Attributes
    ----------
    events : ndarray, shape (R, N)
        NaN for who is not analysed.
    exposure : ndarray, shape (R, N), days
    """

    events: Array
    exposure: Array


class Handled(NamedTuple):
    """The first visit touched by what each strategy is for, shape (R, N); V for who has none or another before.

    Attributes
    ----------
    composite, while_on_treatment, hypothetical : ndarray of int, shape (R, N)
    """

    composite: Index
    while_on_treatment: Index
    hypothetical: Index

    @property
    def first(self) -> Index:
        """First visit touched by any of them."""
        return np.minimum(np.minimum(self.composite, self.while_on_treatment), self.hypothetical)


def analysis_set(observed: Observed, estimand: Estimand) -> Observed:
    """Return the data with those included whom an estimand is about.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        Its analysis set; and a principal stratum is made of those seen without the event up to the estimand's visit,
        which is not the stratum itself.
    """
    kept: list[Flags] = [] if observed.included is None else [observed.included]
    chosen = {"itt": None, "mitt": observed.treated, "per_protocol": observed.adherent}[estimand.analysis_set]
    if chosen is not None:
        kept.append(chosen)
    for name in estimand.endpoint.handled("principal_stratum"):
        if name in observed.event_visit:
            kept.append(observed.event_visit[name] > estimand.visit)
    return replace(observed, included=np.logical_and.reduce(kept)) if kept else observed


def left_at(scores: Array) -> Index:
    """Return the first visit after which nobody is seen again, shape (R, N); V for who stays.

    Parameters
    ----------
    scores : ndarray, shape (R, N, V)
        NaN where not observed.
    """
    return np.asarray(np.where(np.isnan(scores), 0, np.arange(1, scores.shape[2] + 1)).max(axis=2))


def leaving(observed: Observed, estimand: Estimand) -> Index:
    """Return the first visit by which a participant is not followed any more, shape (R, N); V for who stays.

    Where the data do not say, who is seen or has an event later had not left: a gap at the end counts as leaving.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        Says which score is looked at.
    """
    if observed.left is not None:
        return observed.left
    n_visits = observed.scores.shape[2]
    happened = [np.where(visit < n_visits, visit, 0) for visit in observed.event_visit.values()]
    return np.asarray(np.maximum.reduce([left_at(observed.scores[..., estimand.outcome]), *happened]))


def missing_from(scores: Array, observed: Observed, estimand: Estimand) -> Index:
    """Return from which visit on scores are missing for leaving or a hypothetical event, shape (R, N); V for none.

    Parameters
    ----------
    scores : ndarray, shape (R, N, V)
        Of `visit_scores`, or these moved. Visits missed before are gaps, at the end of what is followed too.
    observed : Observed
    estimand : Estimand
    """
    gone, events = leaving(observed, estimand), handled_events(observed, estimand)
    gone = gone if events is None else np.minimum(gone, events.hypothetical)
    return np.maximum(left_at(scores), gone)


def handled_events(observed: Observed, estimand: Estimand) -> Handled | None:
    """Return when events come that the estimand's strategies do something about; None where there are no such events.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    """
    n_visits = observed.scores.shape[2]
    fail = _first_of(observed, estimand.endpoint.handled("composite"))
    end = _first_of(observed, estimand.endpoint.handled("while_on_treatment"))
    missing = _first_of(observed, estimand.endpoint.handled("hypothetical"))
    if (np.minimum(np.minimum(fail, end), missing) == n_visits).all():
        return None
    return Handled(
        np.where(fail <= np.minimum(end, missing), fail, n_visits),
        np.where((end < fail) & (end <= missing), end, n_visits),
        np.where(missing < np.minimum(fail, end), missing, n_visits),
    )


def _first_of(observed: Observed, names: Sequence[str]) -> Index:
    """Return the first visit touched by any of some events, shape (R, N); V for none."""
    visits = [observed.event_visit[name] for name in names if name in observed.event_visit]
    none = np.full(observed.arm.shape, observed.scores.shape[2], dtype=np.intp)
    return np.asarray(np.minimum.reduce([none, *visits]))


def visit_scores(observed: Observed, estimand: Estimand) -> Array:
    """Return the scores after baseline, shape (R, N, V), with the estimand's strategies for leaving and events.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a score as its endpoint, or a criterion that scores are held against.
    """
    y = observed.scores[..., estimand.outcome]
    found = _after_leaving(y, observed, estimand)
    events = handled_events(observed, estimand)
    if events is not None:
        decided = events.first <= leaving(observed, estimand)
        found = np.where(
            (decided & (events.first < y.shape[2]))[..., None], _after_events(y, events, observed, estimand), found
        )
    return _of_included(found, observed)


def _after_leaving(y: Array, observed: Observed, estimand: Estimand) -> Array:
    endpoint, k, left = estimand.endpoint, estimand.outcome, leaving(observed, estimand)
    if endpoint.kind == "score" and endpoint.dropout == "composite":
        return composite(y, left, _failure(observed, estimand))
    if endpoint.dropout == "while_on_treatment":
        return _last_seen(y, left, observed.baseline[..., k])
    return y


def _after_events(y: Array, events: Handled, observed: Observed, estimand: Estimand) -> Array:
    """Return the scores of those for whom an event decides; a failure of a response or a time is made elsewhere."""
    found = np.where(before_event(events.hypothetical, y.shape[2]), y, np.nan)
    failure = _failure(observed, estimand) if estimand.endpoint.kind == "score" else np.nan
    found = composite(found, events.composite, failure)
    ended = events.while_on_treatment < y.shape[2]
    if ended.any():
        last = _last_seen(y, events.while_on_treatment, observed.baseline[..., estimand.outcome])
        found = np.where(ended[..., None] & ~before_event(events.while_on_treatment, y.shape[2]), last, found)
    return found


def _failure(observed: Observed, estimand: Estimand) -> Array | float:
    """Return the score of a failure, broadcastable to (R, N, V)."""
    worst = None if estimand.endpoint.failure == "baseline" else estimand.endpoint.worst
    return observed.baseline[:, :, None, estimand.outcome] if worst is None else worst


def _last_seen(y: Array, end: Index, baseline: Array) -> Array:
    """Return up to each visit in turn the last score seen before the end, so that all visits have one."""
    parts = []
    for v in range(y.shape[2]):
        so_far = y[..., : v + 1]
        parts.append(while_on_treatment(so_far, np.minimum(left_at(so_far), end), first=baseline))
    return np.stack(parts, axis=2)


def score_at_visit(observed: Observed, estimand: Estimand) -> Array:
    """Return the score at the estimand's visit, shape (R, N), NaN where it is missing."""
    return visit_scores(observed, estimand)[:, :, estimand.visit]


def response_at_visit(observed: Observed, estimand: Estimand) -> Array:
    """Return 1 where the criterion is met at the estimand's visit and 0 where not, shape (R, N); NaN where unknown.

    Under the composite strategy who left before the visit, or had the event by then, fails: no favourable criterion is
    met, any other is. A score that is missing at the visit of somebody seen later is unknown.
    """
    criterion = _criterion(estimand)
    y = score_at_visit(observed, estimand)
    met = _met(criterion, y, observed.baseline[..., estimand.outcome], estimand)
    failed = float(not criterion.favourable)
    left = leaving(observed, estimand)
    fails = (left <= estimand.visit) & (estimand.endpoint.dropout == "composite")
    response = np.where(np.isnan(y), np.where(fails, failed, np.nan), met)
    events = handled_events(observed, estimand)
    if events is not None:
        decided = events.first <= left
        response = np.where(decided & (events.hypothetical <= estimand.visit), np.nan, response)
        response = np.where(decided & (events.composite <= estimand.visit), failed, response)
    return _of_included(response, observed)


def time_to_event(observed: Observed, estimand: Estimand) -> Times:
    """Return the days until the criterion is first seen to be met, and whether it was.

    Who leaves is censored at the last visit seen. Under the composite strategy leaving fails: an unfavourable event
    happens at the first visit missed, and a favourable one not until the end of what is followed. The same holds of
    other events from the first visit that they touch. Where the criterion is an event itself, its first visit counts;
    it is known up to the first visit after leaving, so that who leaves without it is censored there and not before.
    """
    endpoint, criterion = estimand.endpoint, _criterion(estimand)
    start = endpoint.from_visit
    y = observed.scores[:, :, : estimand.visit + 1, estimand.outcome]
    fails = np.full(y.shape[:2], endpoint.dropout == "composite")
    stay = np.minimum(leaving(observed, estimand), y.shape[2])
    events = handled_events(observed, estimand)
    if events is not None:
        decided = events.first <= stay
        stay = np.where(decided, np.minimum(events.first, y.shape[2]), stay)
        y = np.where(decided[..., None] & ~before_event(events.first, y.shape[2]), np.nan, y)
        fails = np.where(decided & (events.first < y.shape[2]), events.composite < y.shape[2], fails)
    if criterion.kind == "event":
        happened = observed.event_visit[criterion.event]
        met = (happened <= stay)[..., None] & ~before_event(happened, y.shape[2])
    else:
        met = _met(criterion, y, observed.baseline[:, :, None, estimand.outcome], estimand) & ~np.isnan(y)
    met[:, :, : max(start, 0)] = False
    clock = observed.days[: estimand.visit + 1] - (observed.days[start] if start >= 0 else 0.0)
    event: Flags = np.asarray(met.any(axis=2))
    known = np.minimum(stay + 1, y.shape[2]) if criterion.kind == "event" else left_at(y)
    last_seen = np.where(known > 0, clock[np.maximum(known - 1, 0)], 0.0)
    time = np.where(event, clock[np.argmax(met, axis=2)], np.maximum(last_seen, 0.0))
    gone = fails & ~event & (stay < y.shape[2])
    if criterion.favourable:
        time = np.where(gone, clock[-1], time)
    else:
        time = np.where(gone, np.maximum(clock[np.minimum(stay, y.shape[2] - 1)], 0.0), time)
        event = np.asarray(event | gone)
    return Times(_of_included(time, observed), event)


def occurrences(observed: Observed, estimand: Estimand) -> Occurrences:
    """Return the events counted up to the estimand's visit and the days they were counted over.

    Raises
    ------
    ValueError
        If nothing is counted.
    """
    if observed.counts is None:
        raise ValueError("no events are counted in these data")
    counted = observed.counts[:, :, : estimand.visit + 1, estimand.outcome]
    handled = handled_events(observed, estimand)
    if handled is not None:
        counted = np.where(before_event(handled.first, counted.shape[2]), counted, np.nan)
    lengths = np.diff(observed.days[: estimand.visit + 1], prepend=0.0)
    followed = ~np.isnan(counted)
    exposure = (followed * lengths).sum(axis=2)
    events = np.where(exposure > 0.0, np.where(followed, counted, 0.0).sum(axis=2), np.nan)
    return Occurrences(_of_included(events, observed), exposure)


def _criterion(estimand: Estimand) -> Criterion:
    if estimand.endpoint.criterion is None:
        raise ValueError(f"the endpoint of {estimand.name} has no criterion")
    return estimand.endpoint.criterion


def _met(criterion: Criterion, y: Array, baseline: Array, estimand: Estimand) -> Flags:
    """Return whether scores meet a criterion; a missing score meets none but may compare as any."""
    with np.errstate(invalid="ignore"):
        if criterion.kind == "at_most":
            return np.asarray(y <= criterion.value + _TOLERANCE)
        if criterion.kind == "at_least":
            return np.asarray(y >= criterion.value - _TOLERANCE)
        gain = baseline - y if estimand.endpoint.lower_is_better else y - baseline
        improved = gain >= criterion.value * np.abs(baseline) - _TOLERANCE
        return np.asarray(improved if criterion.kind == "reduction" else ~improved)


def _of_included(values: Array, observed: Observed) -> Array:
    if observed.included is None:
        return values
    shape = observed.included.shape + (1,) * (values.ndim - 2)
    return np.where(observed.included.reshape(shape), values, np.nan)
