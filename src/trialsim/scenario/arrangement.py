"""What is chosen, as the engine takes it: allocation, dropout, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim import evidence
from trialsim.scenario import resolved, schema
from trialsim.scenario.case import Case, Measure
from trialsim.scenario.checking.bench import known_instrument
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

BPD_GROUP = "bpd"

MECHANISMS = {
    "mcar": "missing completely at random (MCAR)",
    "mar": "missing at random (MAR) given the scores seen",
    "mnar": "missing not at random (MNAR): by scores that are not seen",
    "delta": "missing not at random (MNAR, delta): unseen scores differ from those of like patients who are seen",
}
"""What depends on what, in a word."""


def allocation(case: Case) -> resolved.Allocation:
    """Return how participants are randomised."""
    given, ledger = case.content.allocation, case.ledger
    ratio = given.ratio or (1,) * len(case.arms)
    ledger.note(("allocation", "ratio"), list(ratio))
    ledger.note(("allocation", "method"), given.method)
    if given.method == "complete":
        return resolved.Allocation(ratio, given.method, (), stratified=False)
    blocks = given.block_sizes or (2 * sum(ratio), 3 * sum(ratio))
    ledger.note(
        ("allocation", "block_sizes"),
        list(blocks),
        "" if given.block_sizes else "twice and three times the ratio's sum",
    )
    stratified = bool(given.stratify_by) if given.stratify_by is not None else len(case.strata) > 1
    ledger.note(("allocation", "stratify_by"), ["stratum"] if stratified else [])
    return resolved.Allocation(ratio, given.method, tuple(blocks), stratified)


def dropout(case: Case) -> resolved.Dropout | None:
    """Return who leaves and when, None for complete data."""
    given = case.content.dropout
    if given is None:
        case.ledger.note(("dropout",), None, "nobody leaves: the data are complete")
        return None
    missing = _missing_by(case, given)
    primary = case.content.estimands["primary"].outcome
    outcome = given.outcome or (primary if primary in case.outcomes else case.outcomes[0])
    case.ledger.note(("dropout", "model"), given.model, MECHANISMS[given.model])
    case.ledger.note(("dropout", "never_starts"), given.never_starts)
    case.ledger.note(("dropout", "outcome"), outcome)
    return resolved.Dropout(
        model=given.model,
        days=tuple(missing),
        missing=tuple(missing.values()),
        never_starts=given.never_starts,
        outcome=case.outcomes.index(outcome),
        score_hazard_ratio_per_sd=_score_hazard_ratio(case, given),
        arm_hazard_ratio=_arm_hazard_ratio(case, given),
        stratum_hazard_ratio=_stratum_hazard_ratio(case, given),
        delta=delta(case, ("dropout", "delta"), given.delta),
    )


def delta(case: Case, path: tuple[str, ...], given: Mapping[str, Any] | None) -> FloatArray:
    """Return by how much unseen scores differ from those of like patients who are seen, shape (A, K), points."""
    points = np.zeros((len(case.arms), len(case.outcomes)))
    for outcome, value in (given or {}).items():
        by_arm = value if isinstance(value, Mapping) else dict.fromkeys(case.arms, value)
        check_fits_scale(case, (*path, outcome), outcome, value)
        points[:, case.outcomes.index(outcome)] = [by_arm.get(arm, 0.0) for arm in case.arms]
        case.ledger.note((*path, outcome), value, MECHANISMS["delta"])
    points.flags.writeable = False
    return points


def check_fits_scale(case: Case, path: tuple[str, ...], outcome: str, value: Any, *, what: str = "") -> None:
    """Report points, one number or by name, that no two scores of an outcome's scale can lie apart; `what` they are."""
    scale = case.measures[case.outcomes.index(outcome)].scale
    if scale is None:
        return
    width = scale.maximum - scale.minimum
    for name, points in value.items() if isinstance(value, Mapping) else [(None, value)]:
        if abs(points) > width:
            message = (
                f"{what}{number(points)} points cannot be: the scale, from {number(scale.minimum)} to "
                f"{number(scale.maximum)}, is {number(width)} wide"
            )
            case.ledger.fault(path if name is None else (*path, name), message)


def check_has_rater(case: Case, path: tuple[str, ...], measure: Measure) -> None:
    """Report a rater of scores that patients give themselves."""
    instrument = known_instrument(measure.instrument)
    if instrument is not None and instrument.rated_by == "patient":
        message = (
            f"{instrument.label} is filled in by patients themselves: no rater has a part in it. Leave it out, or give "
            "an outcome that a clinician rates, such as madrs"
        )
        case.ledger.fault(path, message, key=True)


def _missing_by(case: Case, given: schema.Dropout) -> dict[float, float]:
    """Return the cumulative share missing by day, up to the first day that covers the last visit."""
    path = ("dropout", "missing_by")
    if given.missing_by is not None:
        case.ledger.note(path, given.missing_by)
        return {float(day): share for day, share in sorted(given.missing_by.items(), key=lambda row: float(row[0]))}
    prefix = "defaults.dropout.missing_by_day_"
    missing: dict[float, float] = {}
    known = sorted(
        (int(q.name.removeprefix(prefix)), q) for q in evidence.find("defaults.dropout") if q.name.startswith(prefix)
    )
    for day, quantity in known:
        if quantity.value is not None and (not missing or max(missing) < case.visits[-1]):
            missing[float(day)] = quantity.value
            case.ledger.evidence((*path, str(day)), quantity)
    if not missing or max(missing) < case.visits[-1]:
        message = f"is missing: the catalogue goes to day {max(missing, default=0):g} and the last visit is later"
        case.ledger.fault(path, message, key=True)
    elif given.never_starts > min(missing.values()):
        case.ledger.fault(
            ("dropout", "never_starts"), f"must be at most {min(missing.values()):g}, the first share missing"
        )
    return missing


def _score_hazard_ratio(case: Case, given: schema.Dropout) -> float:
    path = ("dropout", "score_hazard_ratio_per_sd")
    if given.model == "mcar":
        return 1.0
    if given.score_hazard_ratio_per_sd is not None:
        case.ledger.note(path, given.score_hazard_ratio_per_sd)
        return given.score_hazard_ratio_per_sd
    quantity = evidence.get("defaults.dropout.score_hazard_ratio_per_sd")
    case.ledger.evidence(path, quantity)
    return float(quantity.value or 1.0)


def _arm_hazard_ratio(case: Case, given: schema.Dropout) -> FloatArray:
    ratios = given.arm_hazard_ratio or {}
    for name in case.arms:
        case.ledger.note(("dropout", "arm_hazard_ratio", name), ratios.get(name, 1.0))
    return _frozen([ratios.get(name, 1.0) for name in case.arms])


def _stratum_hazard_ratio(case: Case, given: schema.Dropout) -> FloatArray:
    ratios = given.stratum_hazard_ratio or {}
    quantity = known_quantity("defaults.dropout.bpd_hazard_ratio")
    values = []
    for name, group in zip(case.strata, case.groups, strict=True):
        path = ("dropout", "stratum_hazard_ratio", name)
        by_evidence = quantity is not None and group == BPD_GROUP and given.model != "mcar" and name not in ratios
        if by_evidence and quantity is not None:
            case.ledger.evidence(path, quantity)
            values.append(float(quantity.value or 1.0))
        else:
            case.ledger.note(path, ratios.get(name, 1.0))
            values.append(ratios.get(name, 1.0))
    return _frozen(values)


def _frozen(values: list[float]) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def sample_sizes(case: Case) -> tuple[int, ...]:
    """Return the numbers randomised."""
    given = case.content.sample_size
    case.ledger.note(("sample_size",), list(given) if isinstance(given, tuple) else given)
    return given if isinstance(given, tuple) else (given,)
