"""Where each design stands: its rank, whether another beats it on everything, and whether it keeps to the budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.paired import Influences, bonferroni_level, mean_difference, share_difference
from trialsim.kernels.pareto import Dominance, dominance
from trialsim.planning.comparison.metrics import BUDGETS, BY_NAME, Metric, Simulated, Value
from trialsim.planning.comparison.pairs import LEVEL, same_trials

Array = NDArray[np.float64]
Values = Mapping[str, Value]
NEGLIGIBLE = 1e-9
"""Relative difference that only the order of sums makes, such as that of MMRM and ANCOVA on complete data."""


@dataclass(frozen=True, slots=True, eq=False)
class Advantages:
    """By how much each design (row) is better than each other (column) on one measure.

    Parameters
    ----------
    found, low : ndarray, shape (D, D)
        The advantage, and the lower end of its interval, which holds for all pairs together with 95 %; the advantage
        itself where it is exact. NaN where one of the two has no value.
    """

    found: Array
    low: Array


def advantages(metric: Metric, measured: Sequence[Simulated], values: Sequence[Values]) -> Advantages:
    """Return who is better than whom on a measure, with the errors of the pairs.

    Parameters
    ----------
    metric : Metric
    measured : sequence of Simulated
    values : sequence of mapping of str to Value
        Of each design, by measure.
    """
    count = len(measured)
    own = [value[metric.name] for value in values]
    level = bonferroni_level(count * (count - 1) // 2, level=LEVEL)
    parts = [
        metric.by_replicate(one) if metric.by_replicate is not None and not math.isnan(value.value) else None
        for one, value in zip(measured, own, strict=True)
    ]
    found, low = np.full((count, count), math.nan), np.full((count, count), math.nan)
    for i in range(count):
        for j in range(count):
            found[i, j] = _goodness(metric, own[i].value) - _goodness(metric, own[j].value)
            if abs(found[i, j]) <= NEGLIGIBLE * abs(own[i].value):
                found[i, j] = 0.0
            same = i == j or same_trials(measured[i], measured[j])
            low[i, j] = (
                found[i, j] if same else _low(metric, (parts[i], parts[j]), (own[i], own[j]), level, found[i, j])
            )
    return Advantages(found, low)


def _goodness(metric: Metric, value: float) -> float:
    return -abs(value) if metric.better == "closer_to_0" else value if metric.better == "higher" else -value


def _low(
    metric: Metric,
    parts: tuple[Influences | None, Influences | None],
    own: tuple[Value, Value],
    level: float,
    advantage: float,
) -> float:
    first, second = parts
    if first is None or second is None:
        errors = math.hypot(own[0].mcse, own[1].mcse)
        return advantage if not errors > 0.0 else _shifted(advantage, errors, level)
    if metric.proportion:
        return share_difference(first, second, level=level).low
    # The error of what is taken off the means, such as a simulated true value.
    extra = math.hypot(*(_beyond(value, part) for value, part in zip(own, parts, strict=True)))
    signed = [
        Influences(0.0, _sign(metric, value.value) * part.influence)
        for value, part in zip(own, (first, second), strict=True)
    ]
    return _shifted(advantage, mean_difference(signed[0], signed[1], extra=extra).mcse, level)


def _shifted(advantage: float, error: float, level: float) -> float:
    zero = Influences(0.0, np.zeros(2))
    return advantage + mean_difference(zero, zero, level=level, extra=error).low


def _sign(metric: Metric, value: float) -> float:
    if metric.better == "closer_to_0":
        return -1.0 if value > 0.0 else 1.0
    return 1.0 if metric.better == "higher" else -1.0


def _beyond(value: Value, part: Influences | None) -> float:
    """Return the part of a value's error that is not of its replicates."""
    if part is None:
        return 0.0
    count = len(part.influence)
    own = float(part.influence @ part.influence) / (count * (count - 1)) if count > 1 else math.nan
    return math.sqrt(max(value.mcse**2 - own, 0.0)) if value.mcse**2 > 1.000001 * own else 0.0


@dataclass(frozen=True, slots=True)
class Rank:
    """Place of a design, 1 for the best, and the places that it may have, errors allowed for."""

    place: int
    best: int
    worst: int


def ranks(found: Advantages, among: Sequence[int]) -> dict[int, Rank]:
    """Return the rank of the designs of an index set that have a value."""
    known = [i for i in among if not math.isnan(found.found[i, i])]
    placed = {}
    for i in known:
        better = sum(bool(found.found[j, i] > 0.0) for j in known)
        surely_better = sum(bool(found.low[j, i] > 0.0) for j in known if j != i)
        surely_worse = sum(bool(found.low[i, j] > 0.0) for j in known if j != i)
        placed[i] = Rank(1 + better, 1 + surely_better, len(known) - surely_worse)
    return placed


def front(found: Sequence[Advantages], among: Sequence[int]) -> Dominance:
    """Return who beats whom on all measures among the designs of an index set, in its order."""
    chosen = np.ix_(range(len(found)), list(among), list(among))
    return dominance(np.stack([one.found for one in found])[chosen], np.stack([one.low for one in found])[chosen])


def over_budget(values: Values, budget: Mapping[str, float]) -> str:
    """Return why a design does not keep to the budget; empty where it does.

    Parameters
    ----------
    values : mapping of str to Value
    budget : mapping of str to float
        Limits by name, keys of `BUDGETS`.
    """
    reasons = []
    for name, limit in budget.items():
        metric, unit = BUDGETS[name]
        value = values[metric]
        if math.isnan(value.value):
            reasons.append(f"{BY_NAME[metric].within} not known: {value.reason}")
        elif value.value > limit:
            reasons.append(f"{value.value:,.0f} {unit}, more than {limit:,.0f}")
    return "; ".join(reasons)
