"""What is asked, as the engine takes it: estimands, their analyses, and how several are tested together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim import evidence
from trialsim.scenario import resolved, schema
from trialsim.scenario.case import Case, Measure
from trialsim.scenario.events import keep_means, strategies
from trialsim.scenario.masking import means_hold
from trialsim.scenario.mechanisms import cluster_arms, count_names
from trialsim.scenario.methods import METHODS, USUAL_METHOD

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray
    from trialsim.scenario.resolved_events import Event

RELAPSE = 0.5
"""Improvement below which a patient who had improved counts as relapsed, as a share of the baseline score."""


def estimands(
    case: Case, mean: FloatArray, share: FloatArray, happening: Sequence[Event] = ()
) -> tuple[resolved.Estimand, ...]:
    """Return the questions with their true values, where these are known exactly.

    Parameters
    ----------
    case : Case
    mean : ndarray, shape (A, S, V, K), points
    share : ndarray, shape (S,)
    happening : sequence of Event
    """
    found = []
    for name, given in case.content.estimands.items():
        v = case.visits.index(given.visit)
        weights = arm_weights(case.arms, given.contrast)
        active, control = (next(a for a, w in enumerate(weights) if sign * w > 0) for sign in (1, -1))
        simple = isinstance(given.contrast, tuple) and all(isinstance(side, str) for side in given.contrast)
        counted = given.outcome in case.content.counts
        endpoint = _count_endpoint(case, given) if counted else _endpoint(case, name, given)
        endpoint = replace(endpoint, events=strategies(case, name, happening))
        names = count_names(case) if counted else case.outcomes
        outcome = names.index(given.outcome)
        interaction = _interaction(case, given)
        exact = endpoint.kind == "score" and endpoint.dropout == "hypothetical"
        exact = exact and keep_means(happening, endpoint.events)
        exact = exact and means_hold(case, given)
        difference = np.einsum("a,ask->sk", np.array(weights), mean[:, :, v])
        case.ledger.note_whole(("estimands", name), given.model_dump(exclude={"label"}, mode="json", exclude_none=True))
        found.append(
            resolved.Estimand(
                name=name,
                label=given.label or _usual_label(case, given, endpoint),
                outcome=outcome,
                visit=v,
                active=active,
                control=control,
                true_value=_true_difference(difference[:, outcome], share, interaction) if exact else None,
                analyses=_analyses(case, name, endpoint),
                endpoint=endpoint,
                hypothesis=_hypothesis(given),
                interaction=interaction,
                arm_weights=() if simple else weights,
                analysis_set=given.analysis_set,
                expectancy=given.expectancy,
            )
        )
    return tuple(found)


def arm_weights(arms: Sequence[str], contrast: Any) -> tuple[float, ...]:
    """Return the weight of each arm in a contrast as it is written.

    Parameters
    ----------
    arms : sequence of str
    contrast : pair of arms or lists of arms, or mapping of arm to weight
    """
    if isinstance(contrast, Mapping):
        return tuple(float(contrast.get(arm, 0.0)) for arm in arms)
    weights = dict.fromkeys(arms, 0.0)
    for side, sign in zip(contrast, (1.0, -1.0), strict=True):
        members = (side,) if isinstance(side, str) else side
        for arm in members:
            weights[arm] += sign / len(members)
    return tuple(weights.values())


def _true_difference(by_stratum: FloatArray, share: FloatArray, interaction: tuple[int, int] | None) -> float:
    """Return the true difference of means over strata, or between two; what only rounding keeps from 0 is 0."""
    value = float(share @ by_stratum)
    if interaction is not None:
        value = float(by_stratum[interaction[0]] - by_stratum[interaction[1]])
    return 0.0 if abs(value) < 1e-12 else value


def _interaction(case: Case, given: schema.Estimand) -> tuple[int, int] | None:
    if given.interaction is None:
        return None
    first, second = (case.strata.index(stratum) for stratum in given.interaction)
    return first, second


def _hypothesis(given: schema.Estimand) -> resolved.Hypothesis:
    if given.non_inferiority_margin is not None:
        return resolved.Hypothesis("non_inferiority", given.non_inferiority_margin)
    if given.equivalence_margin is not None:
        return resolved.Hypothesis("equivalence", given.equivalence_margin)
    return resolved.Hypothesis()


def _count_endpoint(case: Case, given: schema.Estimand) -> resolved.Endpoint:
    count = case.content.counts[given.outcome]
    return resolved.Endpoint(
        "count", given.intercurrent_events.dropout, lower_is_better=count.lower_is_better, name="count"
    )


def _endpoint(case: Case, name: str, given: schema.Estimand) -> resolved.Endpoint:
    measure = case.measures[case.outcomes.index(given.outcome)]
    common: dict[str, Any] = {
        "dropout": given.intercurrent_events.dropout,
        "failure": given.failure_score or "baseline",
        "worst": _worst(measure),
        "lower_is_better": measure.lower_is_better,
    }
    path = ("estimands", name, "endpoint")
    wanted = given.endpoint
    if wanted is None or wanted == "score":
        return resolved.Endpoint("score", **common)
    if isinstance(wanted, schema.TimeTo):
        criterion = _criterion(case, path, wanted.time_to, measure)
        start = -1 if wanted.from_day == 0 else case.visits.index(wanted.from_day)
        word = wanted.time_to if isinstance(wanted.time_to, str) else criterion_words(criterion)
        return resolved.Endpoint("time", criterion=criterion, from_visit=start, name=f"time to {word}", **common)
    criterion = _criterion(case, path, wanted, measure)
    word = wanted if isinstance(wanted, str) else criterion_words(criterion)
    return resolved.Endpoint("binary", criterion=criterion, name=word, **common)


def _worst(measure: Measure) -> float | None:
    if measure.scale is None:
        return None
    return measure.scale.maximum if measure.lower_is_better else measure.scale.minimum


def _criterion(
    case: Case, path: tuple[str, ...], wanted: str | schema.Criterion, measure: Measure
) -> resolved.Criterion:
    """Return a criterion in numbers; response and remission are those of the instrument."""
    lower = measure.lower_is_better
    if isinstance(wanted, schema.Criterion):
        if wanted.reduction is not None:
            return resolved.Criterion("reduction", wanted.reduction, favourable=True)
        if wanted.at_most is not None:
            return resolved.Criterion("at_most", wanted.at_most, favourable=lower)
        if wanted.event is not None:
            return resolved.Criterion("event", 0.0, favourable=False, event=wanted.event)
        if wanted.at_least is not None:
            return resolved.Criterion("at_least", wanted.at_least, favourable=not lower)
        return resolved.Criterion("lost_reduction", wanted.lost_reduction or 0.0, favourable=False)
    if wanted == "relapse":
        case.ledger.derived((*path, "relapse"), RELAPSE, "improved by less than half of the baseline score")
        return resolved.Criterion("lost_reduction", RELAPSE, favourable=False)
    try:
        instrument = evidence.instrument(measure.instrument)
    except evidence.UnknownEvidenceError:
        instrument = None
    value = None if instrument is None else getattr(instrument, wanted)
    if value is None:
        example = "{reduction: 0.5}" if wanted == "response" else "{at_most: 10}"
        message = f"the catalogue has no {wanted} of {measure.label}; give a criterion such as {example}"
        case.ledger.fault(path, message)
        return resolved.Criterion("reduction", 0.5, favourable=True)
    if wanted == "response":
        case.ledger.derived((*path, wanted), value, f"share of the baseline score, {measure.label}")
        return resolved.Criterion("reduction", float(value), favourable=True)
    case.ledger.derived((*path, wanted), value, f"cut-off of {measure.label}")
    return resolved.Criterion("at_most" if lower else "at_least", float(value), favourable=True)


def criterion_words(criterion: resolved.Criterion) -> str:
    """Return when a criterion is met, from its numbers alone: `improvement by at least 50 %`."""
    if criterion.kind == "event":
        return criterion.event.replace("_", " ")
    if criterion.kind in ("reduction", "lost_reduction"):
        side = "at least" if criterion.kind == "reduction" else "less than"
        return f"improvement by {side} {100 * criterion.value:g} %"
    return f"score of {criterion.value:g} or {'less' if criterion.kind == 'at_most' else 'more'}"


def _usual_label(case: Case, given: schema.Estimand, endpoint: resolved.Endpoint) -> str:
    if endpoint.kind == "count":
        return f"{case.content.counts[given.outcome].label or given.outcome} up to day {given.visit:g}"
    outcome = case.measures[case.outcomes.index(given.outcome)].label
    if endpoint.kind == "score":
        return f"{outcome} at day {given.visit:g}"
    preposition = "up to" if endpoint.kind == "time" else "at"
    return f"{outcome}, {endpoint.name} {preposition} day {given.visit:g}"


def _analyses(case: Case, name: str, endpoint: resolved.Endpoint) -> tuple[resolved.Analysis, ...]:
    given = case.content.analysis.get(name)
    entries = given if isinstance(given, tuple) else (given or schema.Analysis(),)
    names = analysis_names(entries, endpoint.kind)
    found = []
    for position, entry in enumerate(entries):
        path: tuple[str | int, ...] = ("analysis", name)
        path = (*path, position) if isinstance(given, tuple) else path
        found.append(_analysis(case, path, entry, names[position], endpoint.kind))
    return tuple(found)


def method_of(entry: schema.Analysis, kind: str) -> str:
    """Return the method of an analysis, the usual one of the kind of endpoint where none is named."""
    return entry.method or USUAL_METHOD[kind]


def analysis_names(entries: Sequence[schema.Analysis], kind: str) -> list[str]:
    """Return what the analyses of an estimand are called: as given, else the method, numbered where it is not alone."""
    methods = [method_of(entry, kind) for entry in entries if entry.name is None]
    counted: dict[str, int] = {}
    names = []
    for entry in entries:
        if entry.name is not None:
            names.append(entry.name)
            continue
        method = method_of(entry, kind)
        counted[method] = counted.get(method, 0) + 1
        names.append(method if methods.count(method) == 1 else f"{method}_{counted[method]}")
    return names


_USUAL: dict[str, Any] = {
    "covariance": "unstructured",
    "covariance_by": "none",
    "fallback": "default",
    "variance": "constant",
    "strategy": "jump_to_reference",
    "delta": 0.0,
    "imputations": 25,
    "jackknife": "full",
    "penalty": "where_separated",
    "interval": "miettinen_nurminen",
    "stratified": True,
}
"""What a setting is where a method takes it and nothing is said."""

_ABSENT: dict[str, Any] = {
    "covariance": "none",
    "covariance_by": "none",
    "fallback": "none",
    "variance": "constant",
    "strategy": "none",
    "delta": 0.0,
    "imputations": 0,
    "jackknife": "none",
    "group": "",
    "residual_variance": "none",
    "penalty": "none",
    "interval": "none",
    "stratified": False,
}
"""What it is where the method does not take it."""


def _analysis(
    case: Case, path: tuple[str | int, ...], entry: schema.Analysis, called: str, kind: str
) -> resolved.Analysis:
    name = method_of(entry, kind)
    method = METHODS[name]
    covariates = method.covariates if entry.covariates is None else entry.covariates
    if len(case.strata) == 1:
        covariates = tuple(covariate for covariate in covariates if covariate != "stratum")
    usual = {**_USUAL, **_of_groups(case, entry), "stratified": len(case.strata) > 1}
    settings = {
        key: (usual[key] if getattr(entry, key) is None else getattr(entry, key)) if key in method.settings else absent
        for key, absent in _ABSENT.items()
    }
    analysis = resolved.Analysis(
        method=name,
        df=entry.df or method.df,
        covariates=covariates,
        alpha=entry.alpha,
        name=called,
        measure=method.measure,
        **settings,
    )
    for key in ("method", "df", "covariates", "alpha", *method.settings):
        value = getattr(analysis, key)
        case.ledger.note((*path, key), list(value) if isinstance(value, tuple) else value)
    return analysis


def _of_groups(case: Case, entry: schema.Analysis) -> dict[str, str]:
    """Return a nested analysis's usual settings: the first clusters, own variances where only some arms have them."""
    clusters = case.content.clusters
    group = entry.group or next(iter(clusters), "")
    partial = group in clusters and (clusters[group].arms is not None or cluster_arms(case.content, group) != case.arms)
    return {"group": group, "residual_variance": "by_arm" if partial else "common"}


def multiplicity(case: Case, asked: Sequence[resolved.Estimand]) -> resolved.Multiplicity | None:
    """Return how hypotheses are tested together; None where each has its own level."""
    given = case.content.multiplicity
    if given is None:
        return None
    names = given.hypotheses or tuple(estimand.name for estimand in asked)
    hypotheses = tuple(_hypothesis_index(asked, name) for name in names)
    weights = given.weights or ()
    if given.weights is None and given.method in WEIGHTED:
        weights = (1.0 / len(names),) * len(names)
    told = {**given.model_dump(mode="json", exclude_none=True), "hypotheses": list(names)}
    case.ledger.note_whole(("multiplicity",), told)
    return resolved.Multiplicity(given.method, hypotheses, given.alpha, weights, given.transitions or ())


WEIGHTED = ("bonferroni", "holm", "fallback", "graph")
"""Procedures that start from shares of alpha."""


def _hypothesis_index(asked: Sequence[resolved.Estimand], name: str) -> tuple[int, int]:
    estimand, _, analysis = name.partition(".")
    e = [one.name for one in asked].index(estimand)
    a = [one.name for one in asked[e].analyses].index(analysis) if analysis else 0
    return e, a
