"""What participants bring along, as the engine takes it, and whether it can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.kernels.characteristics import SMALLEST_SD, WholeNumberError, from_least, truncated_normal, yes_or_no
from trialsim.kernels.copula import CorrelationError, latent_correlation
from trialsim.kernels.margins import BoundedMargins
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.resolved_entry import Characteristic
from trialsim.scenario.selection import Numbers
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario import schema
    from trialsim.scenario.case import Case
    from trialsim.scenario.resolved import FloatArray

_CHARACTERISTICS = ("population", "characteristics")


def characteristics(case: Case, given: schema.Characteristics | None) -> tuple[Characteristic, ...]:
    """Return what participants bring along, nothing where a scenario says nothing of it."""
    if given is None:
        return ()
    outcome = named_outcome(case, given.outcome)
    age, failed = given.age, given.failed_treatments
    none = np.zeros(len(case.strata))
    for key in ("minimum", "maximum"):
        case.ledger.note((*_CHARACTERISTICS, "age", key), getattr(age, key))
    case.ledger.note((*_CHARACTERISTICS, "failed_treatments", "minimum"), failed.minimum)
    found = [
        Characteristic(
            "age",
            "years",
            _frozen(_by_stratum(case, age.mean, "age", "mean")),
            _frozen(_by_stratum(case, age.sd, "age", "sd")),
            age.minimum,
            age.maximum,
            outcome,
            age.baseline_correlation,
        )
    ]
    for name in ("female", "bipolar"):
        part = getattr(given, name)
        share = _by_stratum(case, part.share, name, "share")
        found.append(
            Characteristic(name, "share", _frozen(share), _frozen(none), 0, 1, outcome, part.baseline_correlation)
        )
    mean = _by_stratum(case, failed.mean, "failed_treatments", "mean")
    correlation = failed.baseline_correlation
    found.append(
        Characteristic(
            "failed_treatments", "count", _frozen(mean), _frozen(none), failed.minimum, None, outcome, correlation
        )
    )
    for one in found:
        case.ledger.note((*_CHARACTERISTICS, one.name, "baseline_correlation"), one.baseline_correlation)
    return tuple(found)


def _by_stratum(case: Case, given: Any, name: str, key: str) -> FloatArray:
    """Return one number per stratum, given or from the evidence set of its baselines, else what is assumed for all."""
    path = (*_CHARACTERISTICS, name, key)
    if given is not None:
        case.ledger.note(path, given)
        return np.array(case.by_stratum(given), dtype=np.float64)
    values = np.full(len(case.strata), np.nan)
    for s, (stratum, group) in enumerate(zip(case.strata, case.groups, strict=True)):
        written = case.content.population.strata[stratum].baseline
        source = written if isinstance(written, str) else f"defaults.trd_{group}"
        quantity = known_quantity(f"{source}.{name}") or known_quantity(f"defaults.entry.{name}")
        value = None if quantity is None else quantity.spread if key == "sd" else quantity.value
        if key == "sd" and value is None:
            # An SD that is not from where the mean is has an entry, and so a source, of its own.
            quantity = known_quantity(f"{source}.{name}_sd")
            value = None if quantity is None else quantity.value
        if quantity is None or value is None:
            advice = f"give population.characteristics.{name}.{key}"
            case.ledger.fault(path, f"no evidence on it for '{stratum}': {advice}", key=True, near=_CHARACTERISTICS)
            continue
        case.ledger.evidence((*path, stratum), quantity, value)
        values[s] = value
    return values


def characteristic_margin(one: Characteristic) -> BoundedMargins:
    """Return the margins of a characteristic, batch shape (S,).

    Raises
    ------
    WholeNumberError
        If no such distribution has the mean and SD.
    """
    if one.kind == "share":
        return yes_or_no(one.mean)
    if one.kind == "count" or one.maximum is None:
        return from_least(one.mean, one.minimum)
    return truncated_normal(one.mean, one.sd, one.minimum, one.maximum)


def characteristic_loading(one: Characteristic, margin: BoundedMargins, score: BoundedMargins | None) -> FloatArray:
    """Return the latent correlation of a characteristic with the baseline, shape (S,).

    Parameters
    ----------
    one : Characteristic
    margin : BoundedMargins
        Of the characteristic, batch shape (S,).
    score : BoundedMargins or None
        Of the baseline, batch shape (S,).

    Raises
    ------
    CorrelationError
        If the two cannot have that correlation.
    """
    if one.baseline_correlation == 0.0:
        return np.zeros(len(one.mean))
    pair = np.ones((len(one.mean), 2, 2))
    pair[:, 0, 1] = pair[:, 1, 0] = one.baseline_correlation
    return np.asarray(latent_correlation(pair, [margin, score])[:, 0, 1])


def check_characteristics(case: Case, brought: Sequence[Characteristic], numbers: Numbers) -> None:
    """Report means, SDs and correlations that characteristics cannot have."""
    for one in brought:
        path = (*_CHARACTERISTICS, one.name)
        if np.isnan(one.mean).any() or np.isnan(one.sd).any():
            continue
        if one.kind == "count" and (one.mean < one.minimum).any():
            message = f"must be at least minimum = {one.minimum}, not {number(one.mean.min())}"
            case.ledger.fault((*path, "mean"), message)
            continue
        if one.kind == "years" and (one.sd < SMALLEST_SD).any():
            message = f"must be at least {SMALLEST_SD:g} for whole years, not {number(one.sd.min())}"
            case.ledger.fault((*path, "sd"), message)
            continue
        try:
            margin = characteristic_margin(one)
        except WholeNumberError as error:
            _report_years(case, one, error)
            continue
        _check_baseline_correlation(case, one, margin, numbers)


def _report_years(case: Case, one: Characteristic, error: WholeNumberError) -> None:
    path, stratum = (*_CHARACTERISTICS, one.name), case.strata[error.index]
    mean, sd = one.mean[error.index], one.sd[error.index]
    bounds = f"{one.minimum} to {one.maximum}"
    if np.isnan(error.largest_sd):
        case.ledger.fault((*path, "mean"), f"a mean of {number(mean)} in {stratum} is outside {bounds}")
        return
    message = (
        f"a normal distribution cut to {bounds} with a mean of {number(mean)} has an SD below "
        f"{number(error.largest_sd)}, not {number(sd)} ({stratum})"
    )
    case.ledger.fault((*path, "sd"), message)


def _check_baseline_correlation(case: Case, one: Characteristic, margin: BoundedMargins, numbers: Numbers) -> None:
    path = (*_CHARACTERISTICS, one.name, "baseline_correlation")
    if one.baseline_correlation == 0.0:
        return
    if (margin.sd == 0.0).any():
        case.ledger.fault(path, "everybody is alike, which goes with nothing: take it out, or give another share")
        return
    score = _of_strata(numbers.margins[one.outcome])
    try:
        characteristic_loading(one, margin, score)
    except CorrelationError as error:
        low, high = error.attainable
        message = f"cannot be {number(error.target)} in {case.strata[error.index[0]]}: {number(low)} to {number(high)}"
        case.ledger.fault(path, f"{message} is attainable")


def _of_strata(margin: BoundedMargins | None) -> BoundedMargins | None:
    """Return the margins of a baseline, which all arms share, by stratum."""
    return None if margin is None else BoundedMargins(margin.values, *(part[0] for part in margin[1:]))


def named_outcome(case: Case, name: str | None) -> int:
    """Return the index of the outcome that is named, else of the primary one."""
    wanted = name or case.content.estimands["primary"].outcome
    return case.outcomes.index(wanted) if wanted in case.outcomes else 0


def _frozen(values: FloatArray) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
