"""The scores of a block of trials, made visit by visit where something happens on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.characteristics import draw_characteristic
from trialsim.patients.clusters import draw_shared, memberships
from trialsim.patients.delivery import Delivery
from trialsim.patients.entry import admit, record_baseline
from trialsim.patients.mechanisms import Mechanism, State, mechanisms_of
from trialsim.patients.mechanisms.base import Points, add
from trialsim.patients.mechanisms.infusions import planned_days
from trialsim.patients.missing import Visits
from trialsim.patients.model import PatientModel
from trialsim.patients.scores import LatentCourse, draw_latent
from trialsim.patients.seen import LastSeen
from trialsim.patients.unseen import deltas_of
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def run_course(
    model: PatientModel,
    streams: Streams,
    stratum: Index,
    arm: Index,
    *,
    purpose: str = "score",
    alone: bool = False,
    without: Iterable[str] = (),
    delivery: Delivery | None = None,
    visits: Visits | None = None,
    only_needed: bool = False,
) -> State:
    """Return what happened to a block's participants, had nobody left.

    Parameters
    ----------
    model : PatientModel
    streams : Streams
    stratum, arm : ndarray of int, shape (R, N)
    purpose : str
        Under which the scores are drawn.
    alone : bool
        Leave out what the members of a group share: each patient taken alone is the same in law.
    without : iterable of str
        Events that do not happen.
    delivery : Delivery, optional
        What was delivered; all of it on time by default.
    visits : Visits, optional
        What decides who misses which visit; nobody misses any that takes place by default.
    only_needed : bool
        Make only what the scenario's questions need: no characteristics, no numbers of those screened, and NaN for the
        scores of outcomes that nothing depends on. What is made is the same to the bit.
    """
    n_replicates, n_participants = stratum.shape
    latent = draw_latent(model, n_participants, n_replicates, streams, purpose)
    groups = memberships(model.variant, arm, streams, {} if delivery is None else delivery.groups)
    shared = None
    if model.groups is not None and not alone:
        shared = draw_shared(model.variant, model.groups, groups, arm, streams)
    admission = None
    if model.selection is not None:
        admission = admit(
            model.variant, model.selection, model.baseline_margins, streams, stratum, count=not only_needed
        )
    selected = None if admission is None else admission.latent
    wanted = model.needed if only_needed else None
    course = LatentCourse(model, latent, stratum, arm, shared, selected, wanted)
    baseline = course.baseline()
    if admission is not None:
        baseline = record_baseline(model.variant, baseline, admission.inflated)
    state = _start(model, streams, stratum, arm, groups, baseline, course.made)
    if delivery is not None:
        state.delivery = delivery
        state.infusion_day = delivery.infusion_day
        state.received &= np.isfinite(delivery.infusion_day)
        state.followed &= delivery.left_day[..., None] > np.asarray(model.variant.visits_days)
    state.records.update({} if admission is None else admission.records)
    for one in () if only_needed else model.characteristics:
        severity = course.latent_baseline(one.given.outcome)
        state.records[one.given.name] = draw_characteristic(one, severity, streams, stratum)
    mechanisms = mechanisms_of(model.variant, without=without, delivered=delivery is not None)
    _follow(course, state, mechanisms, visits)
    return state


def _follow(course: LatentCourse, state: State, mechanisms: Sequence[Mechanism], visits: Visits | None) -> None:
    """Let everybody go from visit to visit: its scores, who misses it, and what follows from both."""
    if visits is not None:
        visits.begin(state)
    for mechanism in mechanisms:
        mechanism.begin(state)
    for mechanism in mechanisms:
        mechanism.after(state, -1)
    deltas = {why: _points_of(points, state) for why, points in deltas_of(state.variant).items()}
    state.unseen.update({why: np.full_like(state.scores, np.nan) for why in deltas})
    for visit in range(state.scores.shape[2]):
        _shift(mechanisms, state, visit)
        course.scores(visit, state.moved, out=state.scores[:, :, visit])
        for why, delta in deltas.items():
            moved = dict(state.moved)
            add(moved, delta)
            course.scores(visit, moved, out=state.unseen[why][:, :, visit])
        state.seen.come(state.scores[:, :, visit], visit)
        state.seen.miss(_missed(visits, state, visit))
        for mechanism in mechanisms:
            mechanism.after(state, visit)


def _missed(visits: Visits | None, state: State, visit: int) -> Flags | None:
    """Return whose scores of a visit are not seen, had nobody left, shape (R, N); None for nobody."""
    missed = None if visits is None else visits.at(state, visit)
    if state.delivery is None:
        return missed
    not_held = ~state.delivery.visited[:, :, visit]
    return not_held if missed is None else missed | not_held


def _points_of(delta: Array, state: State) -> Points:
    """Return the points (A, K) of everybody's arm, of the outcomes that are made."""
    return {k: delta[:, k].take(state.arm) for k in state.made if delta[:, k].any()}


def _start(
    model: PatientModel,
    streams: Streams,
    stratum: Index,
    arm: Index,
    groups: dict[str, Index],
    baseline: Array,
    made: tuple[int, ...],
) -> State:
    variant = model.variant
    n_visits, n_outcomes = len(variant.visits_days), len(variant.outcomes)
    day = np.moveaxis(planned_days(variant).T.take(arm, axis=1), 0, 2)
    return State(
        model,
        streams,
        stratum,
        arm,
        groups,
        baseline,
        np.full((n_visits, n_outcomes, *arm.shape), np.nan).transpose(2, 3, 0, 1),
        made,
        day,
        np.isfinite(day),
        np.isin(arm, [a for therapy in variant.therapies for a in therapy.arms]),
        np.moveaxis(np.ones((n_visits, *arm.shape), dtype=bool), 0, 2),
        LastSeen(model, baseline),
    )


def _shift(mechanisms: Sequence[Mechanism], state: State, visit: int) -> None:
    """Let all mechanisms add to the means of a visit."""
    state.moved = {}
    for mechanism in mechanisms:
        add(state.moved, mechanism.shift(state, visit))
