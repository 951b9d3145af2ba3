r"""Safety over simulated trials: events by arm, and a rule that stops a trial for an excess of one of them.

A look after m patients, in order of enrolment, have completed compares the events that were seen among them. Given
:math:`x_1 + x_0` events in all, those of the arm that is watched are binomial if both arms have one Poisson rate:

.. math:: p = P(X \ge x_1) = I_q(x_1,\, x_0 + 1), \qquad q = \frac{e_1}{e_1 + e_0},

e the exposure (infusions given, or days at risk) and I the regularised incomplete beta function: the conditional test
of two Poisson rates (Przyborowski & Wilenski 1940). The trial stops at the first look with p at or below the level.

References
----------
Przyborowski J, Wilenski H (1940). Homogeneity of results in testing samples from Poisson series. Biometrika 31:313-323.
doi:10.1093/biomet/31.3-4.313
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from trialsim.engine.block import seen_events
from trialsim.patients.cohort import Cohort
from trialsim.patients.mechanisms.safety import ADVERSE_EVENTS
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_safety import Safety, StoppingRule, Watched

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class SafetyBlock(NamedTuple):
    """What was seen by arm at one sample size, over the replicates of a block.

    Attributes
    ----------
    n : int
        Number randomised.
    events, patients : ndarray, shape (R, W, A)
        Events of each kind watched, and patients with at least one.
    at_risk : ndarray, shape (R, W, A)
        Days followed. For what happens at most once to a patient: up to the event, or the end of the interval between
        visits in which the patient left, since events are seen so far.
    infusions, days : ndarray, shape (R, A)
        Infusions given, and days followed.
    randomised : ndarray, shape (R, A)
    stopped_at : ndarray of int, shape (R,)
        Patients who had completed when the trial was stopped; 0 where it went on to the end.
    """

    n: int
    events: Array
    patients: Array
    at_risk: Array
    infusions: Array
    days: Array
    randomised: Array
    stopped_at: Index


class _Seen(NamedTuple):
    """What was seen of each participant: events and days at risk (R, N, W), infusions and days (R, N)."""

    events: Array
    at_risk: Array
    infusions: Array
    days: Array


def safety_block(variant: Variant, cohort: Cohort) -> list[SafetyBlock]:
    """Return what was watched in a block of trials, by rising sample size.

    Parameters
    ----------
    variant : Variant
        With safety.
    cohort : Cohort
        Of the largest sample size.

    Raises
    ------
    ValueError
        If the variant watches nothing.
    """
    safety = variant.safety
    if safety is None:
        raise ValueError("the scenario says nothing of safety: nothing is watched")
    seen = _seen(variant, safety, cohort)
    member = (cohort.arm[..., None] == np.arange(len(variant.arms))).astype(np.float64)
    if cohort.enrolled is not None:
        member *= cohort.enrolled[..., None]
    rule, sizes = safety.stopping_rule, sorted(variant.sample_sizes)
    cuts = sorted({*sizes, *(() if rule is None else rule.looks)})
    events, patients, at_risk = (
        _by_arm(part, member, cuts) for part in (seen.events, (seen.events > 0.0).astype(np.float64), seen.at_risk)
    )
    of_arm = _by_arm(np.stack([seen.infusions, seen.days, np.ones_like(seen.days)], axis=-1), member, cuts)
    found = []
    for n in sizes:
        at = cuts.index(n)
        stopped = np.zeros(len(member), dtype=np.intp)
        if rule is not None:
            given = safety.watched[rule.watched].per_infusion
            exposure = of_arm[:, :, 0] if given else at_risk[:, :, rule.watched]
            enrolled = n if cohort.enrolled is None else cohort.enrolled[:, :n].sum(axis=1)
            stopped = stopping(rule, cuts, events[:, :, rule.watched], exposure, enrolled)
        infusions, days, randomised = of_arm[:, at].transpose(1, 0, 2)
        found.append(
            SafetyBlock(n, events[:, at], patients[:, at], at_risk[:, at], infusions, days, randomised, stopped)
        )
    return found


def stopping(rule: StoppingRule, cuts: Sequence[int], events: Array, exposure: Array, n: int | Index) -> Index:
    """Return how many patients had completed when each trial was stopped, shape (R,); 0 where it was not.

    Parameters
    ----------
    rule : StoppingRule
    cuts : sequence of int
        Numbers of patients, the looks among them.
    events, exposure : ndarray, shape (R, len(cuts), A)
        Of that many patients, by arm.
    n : int or ndarray of int, shape (R,)
        Number randomised: a look at the last of them stops nothing any more.
    """
    stopped = np.zeros(len(events), dtype=np.intp)
    for look in rule.looks:
        before_end = np.asarray(n) > look
        if not before_end.any():
            break
        at = cuts.index(look)
        p = excess_p(events[:, at], exposure[:, at], rule.active, rule.control)
        stopped = np.where((stopped == 0) & before_end & (p <= rule.alpha), look, stopped)
    return stopped


def excess_p(events: Array, exposure: Array, active: int, control: int) -> Array:
    """Return the one-sided p of an excess in one arm, shape (R,); 1 where it has no event.

    Parameters
    ----------
    events, exposure : ndarray, shape (R, A)
    active, control : int
        Indices of arms.
    """
    ours, theirs = events[:, active], events[:, control]
    whole = exposure[:, active] + exposure[:, control]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(whole > 0.0, exposure[:, active] / whole, 1.0)
    return np.asarray(np.where(ours > 0.0, betainc(np.maximum(ours, 1.0), theirs + 1.0, share), 1.0))


def _seen(variant: Variant, safety: Safety, cohort: Cohort) -> _Seen:
    """Return what was seen of each participant up to the last visit before leaving, missed ones included."""
    last = cohort.followed
    days = np.array([0.0, *variant.visits_days])[last]
    none = np.zeros(cohort.arm.shape)
    infusions = none if cohort.infusions is None else cohort.infusions.astype(np.float64)
    columns = [_column(one, cohort, last) for one in safety.watched]
    events = np.stack(columns, axis=-1) if columns else np.zeros((*cohort.arm.shape, 0))
    at_risk = np.repeat(days[..., None], len(columns), axis=-1)
    for w, watched in enumerate(safety.watched):
        if watched.kind == "event":
            at_risk[..., w] = np.minimum(cohort.event_day[watched.name], _events_seen_until(variant, cohort, last))
    return _Seen(events, at_risk, infusions, days)


def _events_seen_until(variant: Variant, cohort: Cohort, last: Index) -> Array:
    """Return the day up to which events are seen, shape (R, N): the end of the interval in which a patient leaves."""
    visits = np.asarray(variant.visits_days)
    ends = [cohort.event_day[event.name] for event in variant.events if event.ends_follow_up]
    return np.asarray(np.minimum.reduce([visits[np.minimum(last, len(visits) - 1)], *ends]))


def _column(watched: Watched, cohort: Cohort, last: Index) -> Array:
    """Return the number of one kind of event seen of each participant, shape (R, N)."""
    n_visits = cohort.present.shape[2]
    if watched.kind == "event":
        return np.asarray(seen_events(cohort)[watched.name] < n_visits, dtype=np.float64)
    if watched.kind == "count":
        if cohort.counts is None:
            raise ValueError(f"{watched.name} is watched, but the cohort holds no counts")
        kept = np.arange(1, n_visits + 1) <= last[..., None]
        return np.asarray((cohort.counts[..., watched.index] * kept).sum(axis=2))
    return np.asarray(np.nansum(seen_adverse_events(cohort)[..., watched.index], axis=2))


def seen_adverse_events(cohort: Cohort) -> Array:
    """Return the adverse events seen, (R, N, V + 1, E): on day 0, then up to each visit; NaN once someone has left."""
    kept = np.arange(cohort.present.shape[2] + 1) <= cohort.followed[..., None]
    if cohort.started is not None:
        kept &= cohort.started[..., None]
    return np.where(kept[..., None], cohort.records[ADVERSE_EVENTS], np.nan)


def _by_arm(values: Array, member: Array, cuts: Sequence[int]) -> Array:
    """Return sums of values (R, N, W) over the first patients, by arm: (R, len(cuts), W, A)."""
    parts = [values[:, start:end].transpose(0, 2, 1) @ member[:, start:end] for start, end in pairwise((0, *cuts))]
    return np.asarray(np.cumsum(np.stack(parts, axis=1), axis=1))
