"""Differences between designs, replicate by replicate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trialsim.kernels.paired import (
    Difference,
    bonferroni_level,
    mean_difference,
    normal_paired_ratio,
    share_difference,
)
from trialsim.planning.comparison.metrics import Simulated, estimate, power

LEVEL = 0.95


def differences(measured: Sequence[Simulated], reference: int) -> list[dict[str, Any]]:
    """Return one row for each pair of designs, those against the reference first.

    Parameters
    ----------
    measured : sequence of Simulated
    reference : int
        Index of the design that the others are held against.

    Returns
    -------
    list of dict
        Differences are the first design minus the second, `other`. Of intervals `low_adjusted` and `high_adjusted`
        those against the reference hold together with 95 %, and so do those of all pairs among themselves.
    """
    count = len(measured)
    order = [(i, reference) for i in range(count) if i != reference]
    order += [(j, i) for i in range(count) for j in range(i + 1, count) if reference not in (i, j)]
    every = count * (count - 1) // 2
    rows = []
    for first, second in order:
        against = second == reference
        level = bonferroni_level(count - 1 if against else every, level=LEVEL)
        rows.append(_row(measured[first], measured[second], against, level))
    return rows


def same_trials(first: Simulated, second: Simulated) -> bool:
    """Return whether two designs are the same trials, analysed alike."""
    return (
        first.design.trials == second.design.trials
        and first.question.estimand.name == second.question.estimand.name
        and first.question.analysis == second.question.analysis
    )


def _row(first: Simulated, second: Simulated, against: bool, level: float) -> dict[str, Any]:
    same = same_trials(first, second)
    found, other = power(first), power(second)
    alone = share_difference(found, other, level=LEVEL)
    adjusted = share_difference(found, other, level=level)
    if same:
        alone, adjusted = (one._replace(low=0.0, high=0.0) for one in (alone, adjusted))
    return {
        "design": first.design.name,
        "other": second.design.name,
        "against_reference": against,
        "same_trials": same,
        "power_difference": alone.value,
        "power_difference_mcse": alone.mcse,
        "power_difference_low": alone.low,
        "power_difference_high": alone.high,
        "level_adjusted": level,
        "power_difference_low_adjusted": adjusted.low,
        "power_difference_high_adjusted": adjusted.high,
        **_gain(alone),
        "normal_mcse_ratio": _least(first, second, found.value, other.value),
        **_of_estimates(first, second, same, level),
    }


def _gain(found: Difference) -> dict[str, float]:
    """Return what the pairs save: the errors' ratio, and how many times the trials independent runs would need."""
    ratio = found.mcse / found.independent_mcse if found.independent_mcse > 0.0 else math.nan
    return {
        "independent_mcse": found.independent_mcse,
        "mcse_ratio": ratio,
        "replicates_saved_factor": 1.0 / ratio**2 if ratio > 0.0 else math.nan,
    }


def _least(first: Simulated, second: Simulated, power_1: float, power_2: float) -> float:
    """Return the least ratio that designs can have which differ in the number of patients alone; else NaN.

    It is that of one normal test statistic each, and none is known of a decision over several.
    """
    if first.decided is not None or second.decided is not None:
        return math.nan
    sizes = sorted((first.design.cell.n, second.design.cell.n))
    alike = first.question.analysis == second.question.analysis
    if not alike or sizes[0] == sizes[1] or first.design.but_for_size != second.design.but_for_size:
        return math.nan
    return normal_paired_ratio(power_1, power_2, math.sqrt(sizes[0] / sizes[1]))


def _of_estimates(first: Simulated, second: Simulated, same: bool, level: float) -> dict[str, float]:
    """Return the differences of mean estimates and of biases; NaN where the measures are not the same."""
    names = ("estimate_difference", "bias_difference")
    comparable = first.question.analysis.measure == second.question.analysis.measure
    if not comparable:
        ends = ("", "_mcse", "_low_adjusted", "_high_adjusted")
        return {f"{name}{end}": math.nan for name in names for end in ends}
    extra = 0.0 if same else math.hypot(float(first.row["true_value_se"]), float(second.row["true_value_se"]))
    means = mean_difference(estimate(first), estimate(second), level=level)
    truth = float(first.row["true_value"]) - float(second.row["true_value"])
    biases = mean_difference(estimate(first), estimate(second), level=level, extra=extra)
    biases = Difference(
        biases.value - truth, biases.mcse, biases.independent_mcse, biases.low - truth, biases.high - truth
    )
    found = {}
    for name, one in zip(names, (means, biases), strict=True):
        found[name], found[f"{name}_mcse"] = one.value, one.mcse
        found[f"{name}_low_adjusted"], found[f"{name}_high_adjusted"] = one.low, one.high
    return found
