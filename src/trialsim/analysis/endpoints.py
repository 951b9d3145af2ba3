"""Endpoints of estimands, made from what was observed: scores, responses, times to an event, counts.

Leaving the trial is what an estimand's strategy says: missing (hypothetical), a failure (composite), or the end of what
counts (while on treatment). Nothing here knows what would have happened to those who left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed
from trialsim.kernels.imputation import composite, while_on_treatment
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


def left_at(scores: Array) -> Index:
    """Return the first visit after which nobody is seen again, shape (R, N); V for who stays.

    Parameters
    ----------
    scores : ndarray, shape (R, N, V)
        NaN where not observed.
    """
    return np.asarray(np.where(np.isnan(scores), 0, np.arange(1, scores.shape[2] + 1)).max(axis=2))


def visit_scores(observed: Observed, estimand: Estimand) -> Array:
    """Return the scores after baseline, shape (R, N, V), with the estimand's strategy for those who left.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        With a score as its endpoint, or a criterion that scores are held against.
    """
    endpoint, k = estimand.endpoint, estimand.outcome
    y = observed.scores[..., k]
    if endpoint.kind == "score" and endpoint.dropout == "composite":
        worst = None if endpoint.failure == "baseline" else endpoint.worst
        y = composite(y, left_at(y), observed.baseline[:, :, None, k] if worst is None else worst)
    elif endpoint.dropout == "while_on_treatment":
        # Up to each visit in turn, so that all visits have their last score.
        baseline = observed.baseline[..., k]
        y = np.stack(
            [while_on_treatment(y[..., : v + 1], left_at(y[..., : v + 1]), first=baseline) for v in range(y.shape[2])],
            axis=2,
        )
    return _of_included(y, observed)


def score_at_visit(observed: Observed, estimand: Estimand) -> Array:
    """Return the score at the estimand's visit, shape (R, N), NaN where it is missing."""
    return visit_scores(observed, estimand)[:, :, estimand.visit]


def response_at_visit(observed: Observed, estimand: Estimand) -> Array:
    """Return 1 where the criterion is met at the estimand's visit and 0 where not, shape (R, N); NaN where unknown.

    Under the composite strategy who has no score at the visit fails: no favourable criterion is met, any other is.
    """
    criterion = _criterion(estimand)
    y = score_at_visit(observed, estimand)
    met = _met(criterion, y, observed.baseline[..., estimand.outcome], estimand)
    unknown = np.nan if estimand.endpoint.dropout != "composite" else float(not criterion.favourable)
    return _of_included(np.where(np.isnan(y), unknown, met), observed)


def time_to_event(observed: Observed, estimand: Estimand) -> Times:
    """Return the days until the criterion is first seen to be met, and whether it was.

    Who leaves is censored at the last visit seen. Under the composite strategy leaving fails: an unfavourable event
    happens at the first visit missed, and a favourable one not until the end of what is followed.
    """
    endpoint, criterion = estimand.endpoint, _criterion(estimand)
    start = endpoint.from_visit
    y = observed.scores[:, :, : estimand.visit + 1, estimand.outcome]
    met = _met(criterion, y, observed.baseline[:, :, None, estimand.outcome], estimand) & ~np.isnan(y)
    met[:, :, : max(start, 0)] = False
    clock = observed.days[: estimand.visit + 1] - (observed.days[start] if start >= 0 else 0.0)
    event: Flags = np.asarray(met.any(axis=2))
    stay = left_at(y)
    last_seen = np.where(stay > 0, clock[np.maximum(stay - 1, 0)], 0.0)
    time = np.where(event, clock[np.argmax(met, axis=2)], np.maximum(last_seen, 0.0))
    if endpoint.dropout == "composite":
        gone = ~event & (stay < y.shape[2])
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
