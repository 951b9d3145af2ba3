"""How scores change: timing, the course in the control arms, and the effects of the active ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trialsim import evidence
from trialsim.scenario import resolved, schema
from trialsim.scenario.case import Case, Measure
from trialsim.scenario.dynamics import Parts, infusion_model, modelled_change, therapies
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.moments import Spread
from trialsim.scenario.words import did_you_mean, listed, number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

PUBLISHED_COURSES = ("midazolam", "saline")


class Timing(NamedTuple):
    """When the change comes.

    Attributes
    ----------
    share : ndarray, shape (V,)
        Share of the change at the last visit reached at each visit; the last is 1.
    reached : float
        Share of a full course (four infusions) that the last visit has; scales changes taken from evidence.
    """

    share: FloatArray
    reached: float


class Course(NamedTuple):
    """How scores change.

    Attributes
    ----------
    mean : ndarray, shape (A, S, V, K), points
        Had nobody left; NaN where a fault was reported.
    infusions : InfusionModel or None
    therapies : tuple of Therapy
    """

    mean: FloatArray
    infusions: resolved.InfusionModel | None
    therapies: tuple[resolved.Therapy, ...]


def course(case: Case, baseline_mean: FloatArray, baseline_sd: FloatArray, spread: Spread) -> Course:
    """Return the mean scores had nobody left, and what they are made of.

    Parameters
    ----------
    case : Case
    baseline_mean, baseline_sd : ndarray, shape (S, K), points
    spread : Spread
        For standardised effects.
    """
    modelled = case.content.course.infusion_model is not None
    timing = Timing(np.ones(len(case.visits)), 1.0) if modelled or _is_written_out(case) else visit_timing(case)
    final = np.full((len(case.arms), len(case.strata), len(case.measures)), np.nan)
    natural = final.copy()
    _add_open_label(case, timing, final, natural)
    _add_control_course(case, timing, final)
    natural[list(case.controls)] = final[list(case.controls)]
    _add_differences(case, final, natural, {"baseline_sd": baseline_sd, **spread._asdict()})
    # Outcomes with means of their own have no parts.
    specific = np.nan_to_num(final - natural)
    model = infusion_model(case, specific)
    change = final[:, :, None, :] * timing.share[:, None]
    if model is not None:
        change = modelled_change(case, Parts(natural, specific), model)
    besides = therapies(case, spread.post_sd)
    for therapy in besides:
        change = change + therapy.effect[:, :, None, :] * therapy.progress[:, None, :, None]
    mean = baseline_mean[:, None, :] + change
    _put_given_means(case, mean)
    return Course(mean, model, besides)


def visit_timing(case: Case) -> Timing:
    """Return the share of the final change reached at each visit."""
    given, path = case.content.course.timing, ("course", "timing")
    visits = np.array(case.visits)
    if given is not None:
        by_day = {float(day): share for day, share in given.items()}
        share = np.array([by_day[day] for day in case.visits])
        case.ledger.note(path, given)
        return Timing(share, 1.0)
    if not case.content.schedule.infusions:
        share = visits / visits[-1]
        case.ledger.assumed(path, share.tolist(), "no infusions: the change is taken to be linear in time")
        return Timing(share, 1.0)
    n_before = np.searchsorted(np.array(case.content.schedule.infusions), visits, side="left")
    course = _infusion_course()
    reached = np.array([course[min(int(n), len(course) - 1)] for n in n_before])
    if reached[-1] == 0:
        message = "no infusion comes before the last visit: give course.timing"
        case.ledger.fault(("schedule", "visits"), message)
        return Timing(np.full(len(visits), np.nan), 1.0)
    quantity = evidence.get("defaults.timing.infusion_1")
    note = f"{', '.join(map(str, n_before))} infusions before the visits"
    if reached[-1] != 1:
        note += f"; the last visit has {reached[-1]:g} of the change after {len(course) - 1} infusions"
    share = reached / reached[-1]
    case.ledger.evidence(path, quantity, share.tolist(), note)
    return Timing(share, float(reached[-1]))


def _infusion_course() -> list[float]:
    """Return the share of a full course after 0, 1, 2, ... infusions."""
    course = [0.0]
    while (quantity := known_quantity(f"defaults.timing.infusion_{len(course)}")) is not None:
        course.append(float(quantity.value or 0.0))
    return course


# Open-label change and specific share ------------------------------------------------------------------------


def _add_open_label(case: Case, timing: Timing, final: FloatArray, natural: FloatArray) -> None:
    """Fill in, in place, the arms of open-label effects and the control arms that follow from them.

    What an active arm would have without the drug is the course of the first control.
    """
    for arm, effect in case.content.effects.items():
        if effect.open_label_change is None:
            continue
        a, path = case.arms.index(arm), ("effects", arm)
        change = _open_label_change(case, arm, effect, timing)
        final[a] = change
        for control in case.controls:
            share = _specific_share(case, arm, effect, control)
            derived = (1 - share) * change
            natural[a] = derived if control == case.controls[0] else natural[a]
            clash = ~np.isnan(final[control]) & (np.abs(final[control] - derived) > 1e-9)
            if clash.any():
                s, k = (int(i) for i in np.argwhere(clash)[0])
                message = (
                    f"gives {case.arms[control]} a change of {number(derived[s, k])} in {case.outcomes[k]}, where "
                    f"another arm's effect gives it {number(final[control, s, k])}; describe one of the two by points"
                )
                case.ledger.fault((*path, "open_label_change"), message, key=True)
            final[control] = np.where(np.isnan(derived), final[control], derived)


def _specific_share(case: Case, arm: str, effect: schema.Effect, control: int) -> float:
    path = ("effects", arm, "specific_share")
    given = effect.specific_share
    if given is not None:
        case.ledger.note(path, given)
        return given[case.arms[control]] if isinstance(given, dict) else given
    infusion = case.arm(control).infusion
    quantity = known_quantity(f"defaults.specific_share.{infusion}")
    if quantity is None or quantity.value is None:
        message = f"is missing: nothing is published against {case.arms[control]} (infusion: {infusion or 'not given'})"
        case.ledger.fault(path, message, key=True)
        return np.nan
    case.ledger.evidence(path, quantity)
    return quantity.value


def _open_label_change(case: Case, arm: str, effect: schema.Effect, timing: Timing) -> FloatArray:
    """Return the open-label change at the last visit, shape (S, K)."""
    given, path = effect.open_label_change, ("effects", arm, "open_label_change")
    change = np.full((len(case.strata), len(case.measures)), np.nan)
    if isinstance(given, str) and not evidence.find(given):
        studies = [study.key for study in evidence.studies()]
        case.ledger.fault(path, f"the catalogue has no study '{given}'{did_you_mean(given, studies)}")
        return change
    for k, measure in enumerate(case.measures):
        if isinstance(given, str):
            change[:, k] = [
                _from_study(case, (*path, measure.name, stratum), given, group, measure) * timing.reached
                for stratum, group in zip(case.strata, case.groups, strict=True)
            ]
        elif isinstance(given, dict) and measure.name in given:
            change[:, k] = _given_changes(case, (*path, measure.name), given[measure.name], timing)
    return change


def _from_study(case: Case, path: tuple[str, ...], study: str, group: str, measure: Measure) -> float:
    if measure.name in (case.content.course.means or {}):
        return np.nan
    name = f"{study}.{group}.{measure.instrument}.change"
    published, note = known_quantity(name), ""
    if published is None:
        published = known_quantity(f"defaults.open_label.{group}.{measure.instrument}.change")
        note = f"{study} does not give it"
    if published is None or published.value is None:
        message = (
            f"neither {study} nor the defaults give the change of {measure.name} in '{group}': "
            f"write open_label_change: {{{measure.name}: ...}}"
        )
        case.ledger.fault(path[:3], message)
        return np.nan
    case.ledger.evidence(path, published, note=note)
    return published.value


def _given_changes(case: Case, path: tuple[str, ...], given: Any, timing: Timing) -> list[float]:
    values = []
    for stratum, entry in zip(case.strata, case.by_stratum(given), strict=True):
        place = (*path, stratum) if isinstance(given, dict) else path
        if not isinstance(entry, str):
            case.ledger.note(place, entry)
            values.append(float(entry))
            continue
        quantity = known_quantity(entry)
        if quantity is None or quantity.value is None:
            what = "has no value, only words" if evidence.has(entry) else "is not in the catalogue"
            case.ledger.fault(
                place, f"'{entry}' {what}; give a number or a name such as danayan2023.bpd.qids_sr16.change"
            )
            values.append(np.nan)
            continue
        case.ledger.evidence(place, quantity)
        values.append(quantity.value * timing.reached)
    return values


# Control arms ------------------------------------------------------------------------------------------------


def _add_control_course(case: Case, timing: Timing, final: FloatArray) -> None:
    """Fill in, in place, the change in control arms that no open-label effect has set."""
    given = case.content.course.control_change or {}
    means = case.content.course.means or {}
    for k, measure in enumerate(case.measures):
        path = ("course", "control_change", measure.name)
        if measure.name in means:
            continue
        if measure.name in given:
            change = np.array(case.by_stratum(given[measure.name]), dtype=np.float64)
            final[case.controls, :, k] = change
            case.ledger.note(path, given[measure.name])
            continue
        for control in case.controls:
            if np.isnan(final[control, :, k]).any() and not _follows_effect(case, measure.name):
                final[control, :, k] = _published_course(case, path, measure, control, timing)


def _follows_effect(case: Case, outcome: str) -> bool:
    """Whether an open-label effect sets the control course of an outcome (or has reported why it cannot)."""
    changes = [effect.open_label_change for effect in case.content.effects.values()]
    return any(isinstance(change, str) or (change is not None and outcome in change) for change in changes)


def _published_course(case: Case, path: tuple[str, ...], measure: Measure, control: int, timing: Timing) -> FloatArray:
    infusion = _reference_infusion(case, control)
    change = np.full(len(case.strata), np.nan)
    for s, (stratum, group) in enumerate(zip(case.strata, case.groups, strict=True)):
        quantity = known_quantity(f"defaults.{infusion}.{group}.{measure.instrument}.change") if infusion else None
        if quantity is None or quantity.value is None:
            of = (
                f"the infusion {infusion}"
                if infusion
                else f"the arm {case.arms[control]}, which has no control infusion"
            )
            message = f"is missing: nothing is published on the change of {measure.name} in '{group}' under {of}"
            case.ledger.fault(path, message, key=True, near=("arms", case.arms[control]))
            break
        note = "" if case.arm(control).infusion == infusion else f"{case.arms[control]} has no effect of its own"
        case.ledger.evidence((*path, stratum), quantity, quantity.value * timing.reached, note)
        change[s] = quantity.value * timing.reached
    return change


def _reference_infusion(case: Case, control: int) -> str | None:
    """Return the infusion whose published course a control arm takes.

    An active drug without an effect is the null scenario: it takes the course of the first control infusion.
    """
    own = case.arm(control).infusion
    if own in PUBLISHED_COURSES:
        return own
    others = (case.arm(other).infusion for other in case.controls) if own == "ketamine" else ()
    return next((infusion for infusion in others if infusion in PUBLISHED_COURSES), None)


# Differences in points or standard deviations ----------------------------------------------------------------


def _add_differences(case: Case, final: FloatArray, natural: FloatArray, sds: dict[str, FloatArray]) -> None:
    """Fill in, in place, the arms whose effect is a difference to a control arm."""
    for arm, effect in case.content.effects.items():
        kind = "points" if effect.points is not None else "standardised"
        differences = getattr(effect, kind)
        if differences is None:
            continue
        a, path = case.arms.index(arm), ("effects", arm)
        reference = _reference_arm(case, path, effect, final)
        unit = sds[effect.standardised_by or "post_sd"] if kind == "standardised" else np.ones(final.shape[1:])
        if kind == "standardised":
            case.ledger.note((*path, "standardised_by"), effect.standardised_by or "post_sd")
        for k, measure in enumerate(case.measures):
            if measure.name in differences:
                difference = np.array(case.by_stratum(differences[measure.name]), dtype=np.float64)
                natural[a, :, k] = final[reference, :, k]
                final[a, :, k] = final[reference, :, k] + difference * unit[:, k]
                case.ledger.note((*path, kind, measure.name), differences[measure.name])


def _reference_arm(case: Case, path: tuple[str, ...], effect: schema.Effect, final: FloatArray) -> int:
    if effect.versus is not None:
        case.ledger.note((*path, "versus"), effect.versus)
        return case.arms.index(effect.versus)
    first = case.controls[0]
    if not np.allclose(final[list(case.controls)], final[first], rtol=0, atol=1e-9, equal_nan=True):
        names = listed((case.arms[c] for c in case.controls), last="or")
        case.ledger.fault(
            (*path, "versus"), f"is missing: the controls differ, so say which is meant, {names}", key=True
        )
    return first


# Means given outright ----------------------------------------------------------------------------------------


def _is_written_out(case: Case) -> bool:
    """Return whether all means are given and no timing is, so that none is needed."""
    means = case.content.course.means or {}
    return case.content.course.timing is None and all(set(case.arms) <= set(means.get(k, ())) for k in case.outcomes)


def _put_given_means(case: Case, mean: FloatArray) -> None:
    """Put, in place, the means that are written out, shape (A, S, V, K)."""
    for outcome, by_arm in (case.content.course.means or {}).items():
        k = case.outcomes.index(outcome)
        for arm, rows in by_arm.items():
            mean[case.arms.index(arm), :, :, k] = np.array(case.by_stratum(rows), dtype=np.float64)
            case.ledger.note(("course", "means", outcome, arm), _listed(rows))


def _listed(rows: Any) -> Any:
    return {name: list(row) for name, row in rows.items()} if isinstance(rows, dict) else list(rows)
