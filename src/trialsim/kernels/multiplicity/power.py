"""Power over several hypotheses, from the decisions of many replicates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trialsim.kernels.montecarlo import Measure, mean, proportion
from trialsim.kernels.multiplicity.adjust import Array, Flags


class PowerSummary(NamedTuple):
    """Shares of replicates, each with its Monte Carlo standard error.

    Attributes
    ----------
    per_hypothesis : tuple of Measure, length H
        Each hypothesis rejected.
    disjunctive : Measure
        At least one rejected. Among true null hypotheses this is the family-wise error rate.
    conjunctive : Measure
        All rejected.
    expected_rejections : Measure
        Mean number of rejected hypotheses.
    """

    per_hypothesis: tuple[Measure, ...]
    disjunctive: Measure
    conjunctive: Measure
    expected_rejections: Measure


def power_summary(
    rejected: Flags, *, among: tuple[int, ...] | None = None, estimable: Flags | None = None
) -> PowerSummary:
    """Return per-hypothesis, disjunctive and conjunctive power.

    Parameters
    ----------
    rejected : ndarray of bool, shape (R, H)
    among : tuple of int, optional
        The hypotheses meant (the false ones, for power; the true ones, for the family-wise error rate); all by default.
    estimable : ndarray of bool, shape (R,), optional
        Replicates that count; all by default. One in which an analysis failed is not 'nothing rejected'.
    """
    chosen = rejected if among is None else rejected[:, list(among)]
    if estimable is not None:
        chosen = chosen[estimable]
    count = len(chosen)
    number: Array = chosen.sum(axis=1).astype(np.float64)
    return PowerSummary(
        tuple(proportion(int(column.sum()), count) for column in chosen.T),
        proportion(int(chosen.any(axis=1).sum()), count),
        proportion(int(chosen.all(axis=1).sum()), count),
        mean(number),
    )
