"""How patients differ and what of them is missed, as the engine takes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from trialsim import evidence
from trialsim.kernels.infusion_course import infusion_level
from trialsim.scenario import schema
from trialsim.scenario.arrangement import MECHANISMS, check_fits_scale, check_has_rater, delta
from trialsim.scenario.case import Case
from trialsim.scenario.course import visit_timing
from trialsim.scenario.dynamics import DAYS_PER_WEEK, infusion_days
from trialsim.scenario.events import driving_outcome
from trialsim.scenario.known_events import known_event
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.operations import group_number
from trialsim.scenario.resolved_variation import Attendance, GroupHeterogeneity, Heterogeneity, Intermittent, Raters
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import Estimand, FloatArray, InfusionModel, Therapy


def intermittent(case: Case) -> Intermittent | None:
    """Return which visits are missed by who has not left; None where there are none."""
    if case.content.missing is None:
        return None
    given, path = case.content.missing.intermittent, ("missing", "intermittent")
    by_day = {float(day): share for day, share in given.share.items()} if isinstance(given.share, dict) else None
    share = [given.share if by_day is None else by_day.get(day, 0.0) for day in case.visits]
    outcome = given.outcome or driving_outcome(case)
    case.ledger.note((*path, "share"), given.share)
    case.ledger.note((*path, "model"), given.model, MECHANISMS[given.model])
    if given.model != "mcar":
        case.ledger.note((*path, "outcome"), outcome)
    return Intermittent(
        model=given.model,
        share=_frozen(share),
        outcome=case.outcomes.index(outcome) if given.model != "mcar" else 0,
        score_hazard_ratio_per_sd=_hazard_ratio(case, given),
        delta=delta(case, (*path, "delta"), given.delta),
    )


def _hazard_ratio(case: Case, given: schema.Intermittent) -> float:
    path = ("missing", "intermittent", "score_hazard_ratio_per_sd")
    if given.model == "mcar":
        return 1.0
    if given.score_hazard_ratio_per_sd is not None:
        case.ledger.note(path, given.score_hazard_ratio_per_sd)
        return given.score_hazard_ratio_per_sd
    quantity = evidence.get("defaults.dropout.score_hazard_ratio_per_sd")
    case.ledger.evidence(path, quantity, note="that of leaving")
    return float(quantity.value or 1.0)


# Heterogeneity of effect ---------------------------------------------------------------------------------------


def heterogeneity(
    case: Case, mean: FloatArray, sd: FloatArray, share: FloatArray, model: InfusionModel | None
) -> Heterogeneity | None:
    """Return how the drug's effect differs between people and between groups; None where it does not.

    Parameters
    ----------
    case : Case
    mean : ndarray, shape (A, S, V, K), points
    sd : ndarray, shape (S, V, K), points
    share : ndarray, shape (S,)
        Of the strata.
    model : InfusionModel or None
    """
    given = case.content.heterogeneity
    groups = _between_groups(case, share @ sd[:, -1])
    if given is None and not groups:
        return None
    path = ("heterogeneity",)
    by_outcome = {} if given is None else given.effect_sd
    arms = tuple(case.content.effects) if given is None or given.arms is None else given.arms
    if given is not None:
        for outcome in case.outcomes:
            case.ledger.note((*path, "effect_sd", outcome), by_outcome.get(outcome, 0.0))
            check_fits_scale(case, (*path, "effect_sd", outcome), outcome, by_outcome.get(outcome, 0.0))
        case.ledger.note((*path, "correlation"), given.correlation)
        case.ledger.note((*path, "arms"), list(arms))
    return Heterogeneity(
        effect_sd=_frozen([by_outcome.get(outcome, 0.0) for outcome in case.outcomes]),
        correlation=1.0 if given is None else given.correlation,
        course=_frozen(_effect_course(case, arms, mean, model)),
        groups=groups,
    )


def _between_groups(case: Case, sd: FloatArray) -> tuple[GroupHeterogeneity, ...]:
    """Return how the effect differs between groups; one number is in standard deviations of the scores, (K,)."""
    found = []
    for name, cluster in case.content.clusters.items():
        given = cluster.effect_sd
        if given is None:
            continue
        points = [given.get(k, 0.0) for k in case.outcomes] if isinstance(given, dict) else given * sd
        for outcome, value in given.items() if isinstance(given, dict) else ():
            check_fits_scale(case, ("clusters", name, "effect_sd", outcome), outcome, value)
        found.append(GroupHeterogeneity(name, group_number(case, cluster), _frozen(points)))
    return tuple(found)


def _effect_course(case: Case, arms: Sequence[str], mean: FloatArray, model: InfusionModel | None) -> FloatArray:
    """Return the share of the whole effect at each visit, shape (A, S, V, K)."""
    course = np.zeros_like(mean)
    timing = np.ones(len(case.visits)) if model is not None else visit_timing(case).share
    outright = case.content.course.means or {}
    for a in (case.arms.index(arm) for arm in arms):
        if model is not None:
            timing = infusion_level(
                case.visits,
                infusion_days(case)[a],
                gain=model.gain,
                half_life_days=model.half_life_days,
                onset_days=model.onset_days,
            )
            course[a] = (timing / model.reference_level)[:, None]
            continue
        course[a] = timing[:, None]
        for k, outcome in enumerate(case.outcomes):
            if outcome in outright:
                course[a, :, :, k] = _share_of_difference(mean[a, ..., k] - mean[case.controls[0], ..., k], timing)
    return course


def _share_of_difference(difference: FloatArray, timing: FloatArray) -> FloatArray:
    """Return a difference of means over that at the last visit, shape (S, V); the usual timing where that is 0."""
    last = difference[:, -1:]
    return np.where(last == 0.0, timing, difference / np.where(last == 0.0, 1.0, last))


# Sessions attended -------------------------------------------------------------------------------------------


def with_attendance(case: Case, therapies: Sequence[Therapy]) -> tuple[Therapy, ...]:
    """Return therapies with how their sessions are attended, where that is described."""
    found = []
    for therapy in therapies:
        given = case.content.therapies[therapy.name].attendance
        found.append(therapy if given is None else replace(therapy, attendance=_attendance(case, therapy, given)))
    return tuple(found)


def _attendance(case: Case, therapy: Therapy, given: schema.Attendance) -> Attendance:
    path = ("therapies", therapy.name, "attendance")
    case.ledger.note((*path, "mean"), given.mean)
    concentration = given.concentration
    if concentration is None:
        concentration = given.mean * (1.0 - given.mean) / float(given.sd or 1.0) ** 2 - 1.0
        case.ledger.note((*path, "sd"), given.sd)
    else:
        case.ledger.note((*path, "concentration"), concentration)
    lasts = therapy.end_day - therapy.start_day
    n_sessions = max(math.ceil(lasts / DAYS_PER_WEEK - 1e-9), 1)
    return Attendance(
        mean=given.mean,
        concentration=concentration,
        stop_hazard_per_day=-math.log1p(-_stops_by_end(case, therapy.name, given)) / lasts,
        session_days=tuple(therapy.start_day + DAYS_PER_WEEK * j for j in range(n_sessions)),
    )


def _stops_by_end(case: Case, name: str, given: schema.Attendance) -> float:
    """Return the share who stop going by themselves; none by default where an event of the scenario stops them."""
    path = ("therapies", name, "attendance", "stops_by_end")
    if given.stops_by_end is not None:
        case.ledger.note(path, given.stops_by_end)
        return given.stops_by_end
    stopping = [event for event, entry in case.content.events.items() if _stops_therapy(event, entry)]
    if stopping:
        case.ledger.note(path, 0.0, f"who stops is told by the event {stopping[0]}")
        return 0.0
    quantity = evidence.get("defaults.dbt.treatment_dropout")
    case.ledger.evidence(path, quantity)
    return float(quantity.value or 0.0)


def _stops_therapy(name: str, given: schema.Event | None) -> bool:
    stated = None if given is None else given.stops_therapy
    return known_event(name).stops_therapy if stated is None else stated


# Raters ------------------------------------------------------------------------------------------------------


def raters(case: Case, sd: FloatArray, share: FloatArray) -> Raters | None:
    """Return how raters differ; None where they do not.

    Parameters
    ----------
    case : Case
    sd : ndarray, shape (S, V, K), points
    share : ndarray, shape (S,)
        Of the strata.
    """
    given, path = case.content.raters, ("raters",)
    if given is None:
        return None
    case.ledger.note((*path, "number"), given.number)
    case.ledger.note((*path, "central"), given.central)
    icc = np.ones(len(case.measures))
    for k, measure in enumerate(case.measures):
        quantity = known_quantity(f"defaults.rater_icc.{measure.instrument}") if given.icc is None else None
        if given.icc is not None and measure.name in given.icc:
            check_has_rater(case, (*path, "icc", measure.name), measure)
            icc[k] = given.icc[measure.name]
            case.ledger.note((*path, "icc", measure.name), given.icc[measure.name])
        elif quantity is not None:
            icc[k] = float(quantity.value or 1.0)
            case.ledger.evidence((*path, "icc", measure.name), quantity)
    if given.icc is None and (icc == 1.0).all():
        message = "is missing: nothing is published on raters of these outcomes; give their agreement by outcome"
        case.ledger.fault((*path, "icc"), message, key=True)
    severity_sd = share @ sd[:, -1] * np.sqrt((1.0 - icc) / icc)
    for k, outcome in enumerate(case.outcomes):
        what = f"agreement of {number(icc[k])} makes raters differ by too much: an SD of "
        check_fits_scale(case, (*path, "icc", outcome), outcome, severity_sd[k], what=what)
    return Raters(given.number, _frozen(severity_sd), given.central)


def with_known_truth(case: Case, estimands: Sequence[Estimand]) -> tuple[Estimand, ...]:
    """Return estimands without the true values that the means do not give exactly any more.

    Unseen scores may differ from those that the means are of. What differs between people has mean 0, but near a bound
    of a scale less of it arrives on one side than on the other. Such true values are found from potential outcomes.
    """
    return tuple(
        replace(one, true_value=None) if one.true_value is not None and _moves_means(case, one.outcome) else one
        for one in estimands
    )


def _moves_means(case: Case, k: int) -> bool:
    """Return whether what differs between people, or between those seen or not, moves an outcome's mean scores."""
    content, outcome = case.content, case.outcomes[k]
    unseen = [part.delta for part in (content.dropout, content.missing and content.missing.intermittent) if part]
    if any(outcome in (given or ()) for given in unseen):
        return True
    if case.measures[k].scale is None:
        return False
    by_person = content.heterogeneity is not None and bool(content.heterogeneity.effect_sd.get(outcome))
    by_group = any(cluster.effect_sd is not None for cluster in content.clusters.values())
    attended = any(therapy.attendance is not None for therapy in content.therapies.values())
    return by_person or by_group or attended or content.raters is not None


def _frozen(values: object) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
