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
from trialsim.scenario.timetable import days_of_infusions
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

REFERENCE_DAY = 14.0
"""Day on which changes after a course of infusions are told."""

REFERENCE_INFUSIONS = (0.0, 3.0, 7.0, 10.0)
"""The course they are told for."""

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
    return resolved.InfusionModel(gain, half_life, onset, float(level[0]), specific)


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
        level = infusion_level(
            case.visits, days, gain=model.gain, half_life_days=model.half_life_days, onset_days=model.onset_days
        )
        change[a] += parts.specific[a][:, None, :] * (level / model.reference_level)[:, None]
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
