"""Who enters the trial, as the engine takes it, and whether it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim import evidence
from trialsim.kernels.copula import latent_correlation
from trialsim.kernels.group_effects import GroupError, between_outcomes, split
from trialsim.kernels.selection import selected_means
from trialsim.scenario.arrangement import check_fits_scale
from trialsim.scenario.attainable import Margins
from trialsim.scenario.case import Case
from trialsim.scenario.characteristics import characteristics, check_characteristics, named_outcome
from trialsim.scenario.grouping import by_score, score_margins
from trialsim.scenario.mechanisms import clusters
from trialsim.scenario.resolved_entry import Eligibility, Entry, RunIn
from trialsim.scenario.selection import Numbers, Selection, SelectionError, build_selection, sd_of_change
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario import schema
    from trialsim.scenario.resolved import FloatArray

_ELIGIBILITY = ("population", "eligibility")
_RUN_IN = ("population", "run_in")

SMALLEST_SHARE = 0.001
"""Of a stratum that must pass screening and run-in; below it a trial has nobody to randomise."""


def entry(
    case: Case,
    margins: Margins,
    moments: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    correlation: FloatArray,
) -> tuple[Entry | None, FloatArray]:
    """Return who enters the trial and how those fare; report what cannot be.

    Parameters
    ----------
    case : Case
    margins : Margins
    moments : tuple of ndarray
        Baseline mean and SD, (S, K); mean, (A, S, V, K); SD, (S, V, K): of the unselected.
    correlation : ndarray, shape (S, J, J)
        That the scores can have.

    Returns
    -------
    entry : Entry or None
        None where a scenario says nothing of it.
    mean : ndarray, shape (A, S, V, K), points
        Of those who enter.
    """
    population, (baseline_mean, baseline_sd, mean, sd) = case.content.population, moments
    if population.characteristics is None and population.eligibility is None and population.run_in is None:
        return None, mean
    margins.settle()
    if case.ledger.faults:
        return None, mean
    better = [measure.lower_is_better for measure in case.measures]
    scores = score_margins(case, margins, moments)
    numbers = Numbers(baseline_mean, baseline_sd, sd, correlation, scores, better)
    brought = characteristics(case, population.characteristics)
    check_characteristics(case, brought, numbers)
    eligibility = None if population.eligibility is None else _eligibility(case, population.eligibility)
    run_in = None if population.run_in is None else _run_in(case, population.run_in, numbers, mean)
    who = Entry(brought, eligibility, run_in)
    own = _own_part(case, numbers, len(mean)) if who.selects else None
    if own is None or case.ledger.faults:
        return who, mean
    return who, _selected_means(case, who, numbers, own, mean)


# Eligibility and run-in --------------------------------------------------------------------------------------


def _eligibility(case: Case, given: schema.Eligibility) -> Eligibility:
    for key in ("outcome", "at_least", "at_most", "days_before", "inflation"):
        if getattr(given, key) is not None:
            case.ledger.note((*_ELIGIBILITY, key), getattr(given, key))
    measure = case.measures[case.outcomes.index(given.outcome)]
    window = given.inflation if given.inflation_window is None else given.inflation_window
    if given.inflation > 0:
        case.ledger.note((*_ELIGIBILITY, "inflation_window"), window)
    for key, points in (("inflation", given.inflation), ("inflation_window", given.inflation_window or 0.0)):
        steps = 0.0 if measure.scale is None else points / measure.scale.step
        if measure.scale is not None and abs(steps - round(steps)) > 1e-6:
            message = f"must be a whole number of steps of {number(measure.scale.step)}, not {number(points)}"
            case.ledger.fault((*_ELIGIBILITY, key), message)
    check_fits_scale(case, (*_ELIGIBILITY, "inflation"), given.outcome, given.inflation)
    correlation = _or_assumed(case, given.screening_correlation, _ELIGIBILITY, "screening_correlation")
    return Eligibility(
        outcome=case.outcomes.index(given.outcome),
        cut_off=float(given.at_least if given.at_least is not None else given.at_most or 0.0),
        at_least=given.at_least is not None,
        screening_correlation=correlation,
        days_before=given.days_before,
        inflation=given.inflation,
        inflation_window=window,
    )


def _run_in(case: Case, given: schema.RunIn, numbers: Numbers, mean: FloatArray) -> RunIn:
    eligibility = case.content.population.eligibility
    outcome = named_outcome(case, given.outcome or (eligibility.outcome if eligibility else None))
    for key in ("days", "response"):
        case.ledger.note((*_RUN_IN, key), getattr(given, key))
    case.ledger.note((*_RUN_IN, "outcome"), case.outcomes[outcome])
    path = (*_RUN_IN, "improvement")
    if given.improvement is None and not (numbers.baseline_mean[:, outcome] > 0.0).all():
        message = "is missing: where the mean baseline is not above 0, improvement is no share of it"
        case.ledger.fault(path, message, key=True, near=_RUN_IN)
        average, spread = np.full((2, len(case.strata)), np.nan)
    elif given.improvement is None:
        average, spread = _control_improvement(case, given.days, outcome, numbers, mean)
        shown = {"mean": average.tolist(), "sd": spread.tolist()}
        case.ledger.derived(path, shown, "change in the control arms in as many days, as a share of the baseline mean")
    else:
        average, spread = (np.array(case.by_stratum(getattr(given.improvement, key))) for key in ("mean", "sd"))
        case.ledger.note(path, given.improvement.model_dump(mode="json"))
    correlation = _or_assumed(case, given.correlation, _RUN_IN, "correlation", "run_in_correlation")
    return RunIn(outcome, given.days, given.response, _frozen(average), _frozen(spread), correlation)


def _control_improvement(
    case: Case, days: float, k: int, numbers: Numbers, mean: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and SD, shape (S,), of the share by which scores improve in so many days in the control arms."""
    start = numbers.baseline_mean[:, k]
    controls = list(case.controls) or list(range(len(case.arms)))
    later = mean[controls, :, :, k].mean(axis=0)
    when = np.array([0.0, *case.visits])
    course = np.concatenate([start[:, None], later], axis=1)
    then = np.array([np.interp(days, when, row) for row in course])
    visit = min(int(np.searchsorted(case.visits, days)), len(case.visits) - 1)
    better = 1.0 if case.measures[k].lower_is_better else -1.0
    return better * (start - then) / start, sd_of_change(numbers, visit, k) / start


def _or_assumed(case: Case, value: float | None, path: tuple[str, ...], key: str, source: str = "") -> float:
    if value is not None:
        case.ledger.note((*path, key), value)
        return value
    quantity = evidence.get(f"defaults.entry.{source or key}")
    case.ledger.evidence((*path, key), quantity)
    return float(quantity.value or 0.0)


# Whether it can be -------------------------------------------------------------------------------------------


def _own_part(case: Case, numbers: Numbers, n_arms: int) -> FloatArray | None:
    """Return latent correlations without what groups share, (A, S, J, J); None where groups share too much."""
    latent = latent_correlation(
        np.broadcast_to(numbers.correlation, (n_arms, *numbers.correlation.shape)), numbers.margins
    )
    groups = clusters(case)
    if not groups:
        return latent
    icc = np.stack([by_score(group) for group in groups])
    between = between_outcomes(numbers.correlation, len(case.measures))
    try:
        return split(latent, icc, [group.arms for group in groups], numbers.margins, between)[1]
    except GroupError:
        return None  # told by `check_groups`


def _selected_means(case: Case, who: Entry, numbers: Numbers, own: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the mean scores of those who enter, (A, S, V, K); report what cannot be."""
    try:
        selection = build_selection(who, numbers, own)
    except SelectionError as error:
        _report_correlation(case, who, error)
        return mean
    if not _enough(case, who, numbers, selection):
        return mean
    selected = np.empty_like(mean)
    n_outcomes = len(case.measures)
    for v, k in np.ndindex(mean.shape[2:]):
        j = (v + 1) * n_outcomes + k
        bound = np.broadcast_to(selection.bound, (len(mean), *selection.bound.shape))
        sd = np.broadcast_to(numbers.sd[:, v, k], mean.shape[:2])
        loading = selection.loading[:, :, j]
        selected[:, :, v, k] = selected_means(loading, bound, selection.above, numbers.margins[j], mean[:, :, v, k], sd)
    return selected


def _report_correlation(case: Case, who: Entry, error: SelectionError) -> None:
    path, key, part = (_ELIGIBILITY, "screening_correlation", who.eligibility)
    value = part.screening_correlation if part is not None else 0.0
    what = "the screening score"
    if error.part == "run_in" and who.run_in is not None:
        path, key, value = _RUN_IN, "correlation", who.run_in.correlation
        what = "improvement in the run-in"
    possible = np.floor(1e4 * error.possible) / 1e4
    message = (
        f"must be at most {possible:g}, not {number(value)}: {what} would have more in common with the scores after "
        "baseline than these leave"
    )
    case.ledger.fault((*path, key), message, key=True, near=path)


def _enough(case: Case, who: Entry, numbers: Numbers, selection: Selection) -> bool:
    """Report steps that hardly anybody passes, note the shares that do."""
    steps: list[tuple[tuple[str, ...], Eligibility | RunIn]] = []
    if who.eligibility is not None:
        steps.append((_ELIGIBILITY, who.eligibility))
    if who.run_in is not None:
        steps.append((_RUN_IN, who.run_in))
    enough = True
    for e, (path, step) in enumerate(steps):
        shares = dict(zip(case.strata, selection.share[:, e].tolist(), strict=True))
        least = min(shares, key=lambda name: shares[name])
        if shares[least] >= SMALLEST_SHARE:
            note = "of those screened, by the scores" if step is who.eligibility else "of those who start the run-in"
            case.ledger.derived((*path, "share_passing"), {k: round(v, 6) for k, v in shares.items()}, note)
            continue
        enough = False
        s = case.strata.index(least)
        if isinstance(step, Eligibility):
            key, message = _cut_off_message(case, step, numbers, s)
        else:
            mean, sd = step.improvement_mean[s], step.improvement_sd[s]
            key = "response"
            message = f"the improvement in the run-in has a mean of {number(mean)} and an SD of {number(sd)}"
        told = f"only {100 * shares[least]:.2g} % of {least} would pass, at least 0.1 % must: {message}"
        case.ledger.fault((*path, key), told)
    return enough


def _cut_off_message(case: Case, step: Eligibility, numbers: Numbers, s: int) -> tuple[str, str]:
    mean, sd = numbers.baseline_mean[s, step.outcome], numbers.baseline_sd[s, step.outcome]
    outcome = case.outcomes[step.outcome]
    key = "at_least" if step.at_least else "at_most"
    return key, f"the mean of {outcome} is {number(mean)}, its SD {number(sd)}; take a milder cut-off"


def _frozen(values: FloatArray) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
