"""Course over time by a model: infusions that build up and fade, a natural course, and therapies beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trialsim import evidence
from trialsim.kernels.infusion_course import approach, infusion_level, linear_progress, progress_in_windows
from trialsim.scenario import resolved, schema
from trialsim.scenario.case import Case
from trialsim.scenario.checking.bench import known_instrument
from trialsim.scenario.timetable import days_of_infusions
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

REFERENCE_DAY = 14.0
"""Day on which changes after a course of infusions are told."""

REFERENCE_INFUSIONS = (0.0, 3.0, 7.0, 10.0)
"""The course they are told for."""

LARGEST_MULTIPLE = 5.0
"""Of the effect told for the reference day at any visit: half-lives from one and a half days on stay within it."""

DEPRESSION = ("qids_sr16", "madrs")
DAYS_PER_WEEK = 7.0


class Parts(NamedTuple):
    """Change by the reference day, in parts.

    Attributes
    ----------
    natural : ndarray, shape (A, S, K), points
        What would have come without the drug.
    specific : ndarray, shape (A, S, K), points
        What the drug adds.
    """

    natural: FloatArray
    specific: FloatArray


def infusion_days(case: Case) -> tuple[tuple[float, ...], ...]:
    """Return the days of infusions of each arm."""
    for a, name in enumerate(case.arms):
        own = case.arm(a).infusions
        if own is not None:
            case.ledger.note(("arms", name, "infusions"), list(own))
    common = case.content.schedule.infusions
    return tuple(days_of_infusions(common, case.arm(a)) for a in range(len(case.arms)))


def infusion_model(case: Case, specific: FloatArray) -> resolved.InfusionModel | None:
    """Return how infusions build up and fade; None where the course is given by shares.

    Parameters
    ----------
    case : Case
    specific : ndarray, shape (A, S, K), points
    """
    given = case.content.course.infusion_model
    if given is None:
        return None
    gain, half_life, onset = (_parameter(case, given, name) for name in ("gain", "half_life_days", "onset_days"))
    level = infusion_level([REFERENCE_DAY], REFERENCE_INFUSIONS, gain=gain, half_life_days=half_life, onset_days=onset)
    model = resolved.InfusionModel(gain, half_life, onset, float(level[0]), specific)
    return model if _keeps_in_measure(case, model) else None


def _keeps_in_measure(case: Case, model: resolved.InfusionModel) -> bool:
    """Report effects that are far beyond those told for the reference day; return whether there are none."""
    levels = np.stack([_level(model, case.visits, days) for days in infusion_days(case)])  # (A, V)
    usual_days = np.arange(1.0, REFERENCE_DAY + 1.0)
    first_those_with_effects = sorted(range(len(case.arms)), key=lambda a: a in case.controls)
    at_visits = [
        (levels[a, v], f"at day {day:g} in {case.arms[a]}")
        for a in first_those_with_effects
        for v, day in enumerate(case.visits)
    ]
    # Where the visits come late, infusions that are delayed could still be seen sooner after them.
    in_usual_course = [
        (level, f"on day {day:g} of the usual course")
        for level, day in zip(_level(model, usual_days, REFERENCE_INFUSIONS), usual_days, strict=True)
    ]
    limit = LARGEST_MULTIPLE * model.reference_level
    highest, where = max(at_visits, key=lambda one: float(one[0]))
    if highest <= limit:
        highest, where = max(in_usual_course, key=lambda one: float(one[0]))
    if model.reference_level == 0.0 or highest > limit:
        beyond = highest >= 1000.0 * model.reference_level
        times = "over a thousand" if beyond else number(highest / model.reference_level)
        _refuse_model(case, model, f"the effect {where} would be {times} times")
        return False
    return all(_fits_instrument(case, model, levels / model.reference_level, k) for k in range(len(case.measures)))


def _fits_instrument(case: Case, model: resolved.InfusionModel, multiple: FloatArray, k: int) -> bool:
    """Report an effect wider than the instrument of a continuous score; on bounded scales the means are checked.

    Parameters
    ----------
    case : Case
    model : InfusionModel
    multiple : ndarray, shape (A, V)
        Of the effect on the reference day.
    k : int
        The outcome.
    """
    instrument = known_instrument(case.measures[k].instrument)
    if case.measures[k].scale is not None or instrument is None:
        return True
    effect = np.abs(model.specific[:, :, k]).max(axis=1)[:, None] * multiple
    a, v = (int(i) for i in np.unravel_index(np.argmax(effect), effect.shape))
    width = instrument.maximum - instrument.minimum
    if effect[a, v] > width >= effect[a, v] / multiple[a, v]:
        _refuse_model(
            case,
            model,
            f"the effect on {case.outcomes[k]} at day {case.visits[v]:g} in {case.arms[a]} would be "
            f"{number(effect[a, v])} points on an instrument {number(width)} wide, {number(multiple[a, v])} times",
        )
        return False
    return True


def _refuse_model(case: Case, model: resolved.InfusionModel, what: str) -> None:
    """Report the part of the model that leaves least of the effect on the reference day."""
    since = REFERENCE_DAY - REFERENCE_INFUSIONS[-1]
    left = {
        "half_life_days": (2.0 ** -(since / model.half_life_days), "longer"),
        "onset_days": (min(1.0, since / model.onset_days) if model.onset_days > 0.0 else 1.0, "shorter"),
        "gain": (1.0 - (1.0 - model.gain) ** len(REFERENCE_INFUSIONS), "larger"),
    }
    name = min(left, key=lambda part: left[part][0])
    usual = evidence.get(f"defaults.infusion_course.{name}")
    message = (
        f"{what} that on day {REFERENCE_DAY:g}, for which effects are told: too little of it is there by then. Give a "
        f"{left[name][1]} one (the catalogue has {number(float(usual.value or 0.0))})"
    )
    case.ledger.fault(("course", "infusion_model", name), message)


def _level(model: resolved.InfusionModel, days: Sequence[float] | FloatArray, infusions: Sequence[float]) -> FloatArray:
    """Return the level of some infusions' effect on given days, shape (V,)."""
    return infusion_level(
        days, infusions, gain=model.gain, half_life_days=model.half_life_days, onset_days=model.onset_days
    )


def modelled_change(case: Case, parts: Parts, model: resolved.InfusionModel) -> FloatArray:
    """Return the change from baseline at every visit, shape (A, S, V, K), points.

    Parameters
    ----------
    case : Case
    parts : Parts
    model : InfusionModel
    """
    given = case.content.course.infusion_model or schema.InfusionModel()
    half_time = _parameter(case, given, "natural_half_time_days")
    natural = approach(case.visits, half_time) / approach([REFERENCE_DAY], half_time)
    change = parts.natural[:, :, None, :] * natural[:, None]
    for a, days in enumerate(infusion_days(case)):
        change[a] += parts.specific[a][:, None, :] * (_level(model, case.visits, days) / model.reference_level)[:, None]
    return np.asarray(change)


def _parameter(case: Case, given: schema.InfusionModel, name: str) -> float:
    path = ("course", "infusion_model", name)
    value = getattr(given, name)
    if value is not None:
        case.ledger.note(path, value)
        return float(value)
    quantity = evidence.get(f"defaults.infusion_course.{name}")
    case.ledger.evidence(path, quantity)
    return float(quantity.value or 0.0)


def therapies(case: Case, post_sd: FloatArray) -> tuple[resolved.Therapy, ...]:
    """Return the therapies that arms have beside the infusions.

    Parameters
    ----------
    case : Case
    post_sd : ndarray, shape (S, K), points
    """
    found = []
    for name, given in case.content.therapies.items():
        arms = tuple(a for a in range(len(case.arms)) if case.arm(a).therapy == name)
        onset_day, end_day = _growth(case, name)
        window = _synergy_window(case, name)
        effect = np.zeros((len(case.arms), len(case.strata), len(case.measures)))
        effect[list(arms)] = _therapy_effect(case, name, given, post_sd)
        synergy = _synergy(case, name, arms)
        found.append(
            resolved.Therapy(
                name=name,
                label=given.label or name.replace("_", " "),
                arms=arms,
                effect=_frozen(effect),
                progress=_with_synergy(case, name, synergy, window),
                start_day=given.start_day,
                end_day=end_day,
                onset_day=onset_day,
                synergy=synergy,
                synergy_window_days=window,
            )
        )
    return tuple(found)


def _synergy(case: Case, name: str, arms: Sequence[int]) -> FloatArray:
    """Return the share by which what a therapy brings is more in each arm, shape (A,)."""
    share = _of_therapy(case, name, case.content.therapies[name].synergy, "synergy", "defaults.dbt.synergy")
    return _frozen(
        np.array([share * (a in arms and case.arm(a).infusion == "ketamine") for a in range(len(case.arms))])
    )


def _synergy_window(case: Case, name: str) -> float:
    """Return the days after an infusion in which a therapy brings more; infinite where it always does."""
    given, path = case.content.therapies[name].synergy_window_days, ("therapies", name, "synergy_window_days")
    case.ledger.note(path, given, "" if given is not None else "the whole therapy, whatever the days of infusions")
    return math.inf if given is None else given


def _with_synergy(case: Case, name: str, synergy: FloatArray, window: float) -> FloatArray:
    """Return the share of a therapy's effect that there is in each arm at each visit, with synergy, shape (A, V)."""
    progress = therapy_progress(case, name)
    if math.isinf(window):
        return _frozen(progress * (1.0 + synergy[:, None]))
    begin, end = _growth(case, name)
    in_windows = [progress_in_windows(case.visits, begin, end, days, window) for days in infusion_days(case)]
    return _frozen(progress + synergy[:, None] * np.stack(in_windows))


def therapy_progress(case: Case, name: str) -> FloatArray:
    """Return the share of a therapy's effect that there is at each visit without synergy, shape (V,)."""
    return _frozen(linear_progress(case.visits, *_growth(case, name)))


def _growth(case: Case, name: str) -> tuple[float, float]:
    """Return the days between which a therapy's effect grows."""
    given = case.content.therapies[name]
    weeks = _of_therapy(case, name, given.weeks, "weeks", "defaults.dbt.sessions")
    onset = _of_therapy(case, name, given.onset_weeks, "onset_weeks", "defaults.dbt.onset")
    if onset >= weeks:
        message = f"must be above onset_weeks, {number(onset)} (the evidence catalogue's): give onset_weeks too"
        case.ledger.fault(("therapies", name, "weeks"), message)
        onset = 0.0
    return given.start_day + DAYS_PER_WEEK * onset, given.start_day + DAYS_PER_WEEK * weeks


def _of_therapy(case: Case, name: str, value: float | None, key: str, source: str) -> float:
    path = ("therapies", name, key)
    if value is not None:
        case.ledger.note(path, value)
        return float(value)
    quantity = evidence.get(source)
    case.ledger.evidence(path, quantity)
    return float(quantity.value or 0.0)


def _therapy_effect(case: Case, name: str, given: schema.Therapy, post_sd: FloatArray) -> FloatArray:
    """Return what a therapy adds by its end, shape (S, K), points; outcomes that are not named take that of DBT."""
    effect = np.zeros((len(case.strata), len(case.measures)))
    for k, measure in enumerate(case.measures):
        path = ("therapies", name, "effects", measure.name)
        wanted = (given.effects or {}).get(measure.name)
        if wanted is not None and wanted.points is not None:
            effect[:, k] = case.by_stratum(wanted.points)
            case.ledger.note(path, wanted.model_dump(mode="json", exclude_none=True))
        elif wanted is not None:
            effect[:, k] = np.array(case.by_stratum(wanted.standardised), dtype=np.float64) * post_sd[:, k]
            case.ledger.note(path, wanted.model_dump(mode="json", exclude_none=True))
        elif given.effects is None:
            quantity = _dbt_quantity(measure.instrument)
            if quantity is None:
                message = f"nothing is published on what DBT does to {measure.label}: give its effect"
                case.ledger.fault(path[:3], message, near=("therapies", name))
                continue
            effect[:, k] = float(quantity.value or 0.0) * post_sd[:, k]
            case.ledger.evidence(path, quantity, note="in standard deviations of the score")
        else:
            case.ledger.assumed(path, 0.0, "no effect is given")
    return effect


def _dbt_quantity(instrument: str) -> evidence.Quantity | None:
    names = {"bsl23": "defaults.dbt.active_care.bsl23.smd", "sds": "defaults.dbt.functioning.smd"}
    names |= dict.fromkeys(DEPRESSION, "defaults.dbt.depression.smd")
    return evidence.get(names[instrument]) if instrument in names else None


def _frozen(values: FloatArray) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
