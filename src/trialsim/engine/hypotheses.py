"""The hypotheses of a trial: every analysis of every estimand."""

from __future__ import annotations

from typing import NamedTuple

from trialsim.scenario.resolved import Variant


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
