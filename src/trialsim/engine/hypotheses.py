"""The hypotheses of a trial: every analysis of every estimand."""

from __future__ import annotations

from typing import NamedTuple

from trialsim.scenario.resolved import Estimand, Variant


class Hypothesis(NamedTuple):
    """One analysis of one estimand.

    Attributes
    ----------
    estimand, analysis : int
        Indices into the variant's estimands and into that estimand's analyses.
    """

    estimand: int
    analysis: int


def hypotheses(variant: Variant) -> list[Hypothesis]:
    """Return every analysis of every estimand of a variant, in the scenario's order."""
    return [Hypothesis(e, a) for e, estimand in enumerate(variant.estimands) for a in range(len(estimand.analyses))]


def contrast_name(variant: Variant, estimand: Estimand) -> str:
    """Return a contrast by its arms: `a - b`, with weights that are not 1, and the strata of an interaction."""
    terms: list[str] = []
    weights = sorted(enumerate(estimand.weights(len(variant.arms))), key=lambda pair: pair[1] < 0)
    for arm, weight in weights:
        if weight == 0.0:
            continue
        size = "" if abs(weight) == 1.0 else f"{abs(weight):g} "
        sign = "- " if weight < 0 else "+ " if terms else ""
        terms.append(f"{sign}{size}{variant.arms[arm]}")
    name = " ".join(terms)
    if estimand.interaction is None:
        return name
    first, second = (variant.strata[s] for s in estimand.interaction)
    return f"{name}, {first} - {second}"
