"""Means and spread of the scores at baseline, and their spread and tie to the baseline afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trialsim import evidence
from trialsim.scenario.case import Case, Measure
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray


class Spread(NamedTuple):
    """Spread of the scores after baseline.

    Attributes
    ----------
    post_sd : ndarray, shape (S, K), points
    residual_sd : ndarray, shape (S, K), points
        After adjusting for baseline.
    baseline_correlation : ndarray, shape (S, K)
        Of the baseline with later scores.
    """

    post_sd: FloatArray
    residual_sd: FloatArray
    baseline_correlation: FloatArray


def baseline_moments(case: Case) -> tuple[FloatArray, FloatArray]:
    """Return means and SDs at baseline.

    Returns
    -------
    mean, sd : ndarray, shape (S, K), points
        NaN where a fault was reported.
    """
    moments = np.full((2, len(case.strata), len(case.measures)), np.nan)
    for s, (name, group) in enumerate(zip(case.strata, case.groups, strict=True)):
        path = ("population", "strata", name, "baseline")
        given = case.content.population.strata[name].baseline
        for k, measure in enumerate(case.measures):
            if isinstance(given, dict):
                if measure.name in given:
                    moments[:, s, k] = given[measure.name].mean, given[measure.name].sd
                    case.ledger.note((*path, measure.name), given[measure.name].model_dump())
                continue
            moments[:, s, k] = _baseline_from(case, path, given or f"defaults.trd_{group}", measure)
    return moments[0], moments[1]


def _baseline_from(case: Case, path: tuple[str, ...], source: str, measure: Measure) -> tuple[float, float]:
    quantity = known_quantity(f"{source}.{measure.instrument}.baseline")
    if quantity is None or quantity.value is None or quantity.spread is None:
        known = bool(evidence.find(source))
        what = f"'{source}' has no baseline of {measure.name}" if known else f"there is no evidence set '{source}'"
        sets = "" if known else " (sets are defaults.trd_bpd and defaults.trd_no_bpd)"
        advice = f"give baseline: {{{measure.name}: {{mean: ..., sd: ...}}}} for every outcome"
        case.ledger.fault(path, f"{what}{sets}; {advice}")
        return np.nan, np.nan
    value = {"mean": quantity.value, "sd": quantity.spread}
    case.ledger.evidence((*path, measure.name), quantity, value)
    return quantity.value, quantity.spread


def spread(case: Case) -> Spread:
    """Return the spread of scores after baseline; NaN where a fault was reported."""
    shape = (len(case.strata), len(case.measures))
    columns = [_spread_of(case, measure) for measure in case.measures]
    post, residual, correlation = (np.stack([c[i] for c in columns], axis=-1).reshape(shape) for i in range(3))
    return Spread(post, residual, correlation)


def _spread_of(case: Case, measure: Measure) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return post SD, residual SD and correlation with baseline of one outcome, each of shape (S,)."""
    path = ("outcomes", measure.name)
    settings = measure.settings
    post = _given_or_evidence(case, measure, "post_sd")
    if settings.baseline_correlation is not None:
        correlation = np.array(case.by_stratum(settings.baseline_correlation))
        case.ledger.note((*path, "baseline_correlation"), settings.baseline_correlation)
        residual = post * np.sqrt(1 - correlation**2)
        return post, residual, correlation
    if settings.residual_sd is None and settings.post_sd is not None:
        # The catalogue's residual SD belongs to the catalogue's post SD: its ratio is kept, not its size.
        correlation = np.full(len(case.strata), _correlation_from_evidence(case, measure))
        return post, post * np.sqrt(1 - correlation**2), correlation
    residual = _given_or_evidence(case, measure, "residual_sd")
    with np.errstate(invalid="ignore"):
        too_large = residual > post
        correlation = np.sqrt(1 - np.where(too_large, np.nan, residual / post) ** 2)
    if too_large.any():
        s = int(np.argmax(too_large))
        message = f"must be at most the SD of the scores themselves, post_sd = {number(post[s])}"
        case.ledger.fault((*path, "residual_sd"), f"{message}, not {number(residual[s])}")
    return post, residual, correlation


def _given_or_evidence(case: Case, measure: Measure, key: str) -> FloatArray:
    path = ("outcomes", measure.name, key)
    given = getattr(measure.settings, key)
    if given is not None:
        case.ledger.note(path, given)
        return np.array(case.by_stratum(given), dtype=np.float64)
    quantity = known_quantity(f"defaults.spread.{measure.instrument}.{key}")
    if quantity is None or quantity.value is None:
        alternative = " or baseline_correlation" if key == "residual_sd" else ""
        message = f"no evidence on the spread of '{measure.instrument}': give {key}{alternative}"
        case.ledger.fault(path, message, key=True)
        return np.full(len(case.strata), np.nan)
    case.ledger.evidence(path, quantity)
    return np.full(len(case.strata), quantity.value)


def _correlation_from_evidence(case: Case, measure: Measure) -> float:
    path = ("outcomes", measure.name, "baseline_correlation")
    post = known_quantity(f"defaults.spread.{measure.instrument}.post_sd")
    residual = known_quantity(f"defaults.spread.{measure.instrument}.residual_sd")
    if post is None or residual is None or not post.value or residual.value is None:
        message = f"no evidence on the spread of '{measure.instrument}': give residual_sd or baseline_correlation"
        case.ledger.fault(path, message, key=True)
        return np.nan
    correlation = float(np.sqrt(1 - (residual.value / post.value) ** 2))
    note = (
        f"post_sd is given, so the correlation with baseline is kept: sqrt(1 - ({residual.value:g}/{post.value:g})^2)"
    )
    case.ledger.evidence(path, residual, correlation, note)
    return correlation
