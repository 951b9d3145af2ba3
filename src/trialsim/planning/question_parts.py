"""What makes a question: the parts in which two estimands of one name may differ, in words."""

from __future__ import annotations

from trialsim.engine.hypotheses import contrast_name
from trialsim.scenario.methods import MEASURES
from trialsim.scenario.questions import criterion_words
from trialsim.scenario.resolved import Estimand, Variant

LEAVING = "strategy for leaving"


def question_parts(variant: Variant, estimand: Estimand) -> dict[str, str]:
    """Return what an estimand asks, by part; its first analysis says on which measure.

    Parameters
    ----------
    variant : Variant
    estimand : Estimand
        One of the variant's.
    """
    endpoint = estimand.endpoint
    names = tuple(count.name for count in variant.counts) if endpoint.kind == "count" else variant.outcomes
    margin = "" if estimand.hypothesis.margin is None else f" with a margin of {estimand.hypothesis.margin:g}"
    parts = {
        "outcome": names[estimand.outcome],
        "endpoint": endpoint.name or endpoint.kind,
        "day": f"day {variant.visits_days[estimand.visit]:g}",
        "contrast": contrast_name(variant, estimand),
        "measure": MEASURES[estimand.analyses[0].measure].words,
        "test": f"{estimand.hypothesis.kind.replace('_', '-')}{margin}",
        LEAVING: _plain(endpoint.dropout),
        "analysis set": estimand.analysis_set,
        "expectancy": estimand.expectancy,
    }
    if endpoint.criterion is not None:
        parts["criterion"] = criterion_words(endpoint.criterion)
    if endpoint.kind == "time":
        start = 0.0 if endpoint.from_visit < 0 else variant.visits_days[endpoint.from_visit]
        parts["start of the clock"] = f"day {start:g}"
    if endpoint.kind == "score" and "composite" in (endpoint.dropout, *(own for _, own in endpoint.events)):
        parts["score of a failure"] = endpoint.failure
    return {**parts, **{f"strategy for {name}": _plain(strategy) for name, strategy in endpoint.events}}


def unlike(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Return the parts of two questions that are not the same, in order.

    What only one of them has is no part of the other: an event that happens in one scenario is an assumption of it.
    """
    return [part for part, words in first.items() if second.get(part, words) != words]


def _plain(name: str) -> str:
    return name.replace("_", " ")
