"""What designs are compared by: a registry of measures, each with how to find it and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.decided import Decided
from trialsim.engine.replicates import Replicates
from trialsim.engine.truth import Truth
from trialsim.kernels.montecarlo import mean, proportion, wilson_interval
from trialsim.kernels.paired import Influences, influences
from trialsim.planning.comparison.contenders import Design
from trialsim.planning.comparison.operational import WITHOUT
from trialsim.planning.comparison.questions import Question

Better = Literal["higher", "lower", "closer_to_0"]


class Value(NamedTuple):
    """A measure of one design.

    Attributes
    ----------
    value : float
        NaN where there is none.
    mcse : float
        Monte Carlo standard error; 0 where the value is exact.
    reason : str
        Why there is none.
    low, high : float
        Its 95 % Wilson interval, of a share of trials; NaN of anything else.
    """

    value: float
    mcse: float = 0.0
    reason: str = ""
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """All that measures of a design are found from.

    Parameters
    ----------
    design : Design
    question : Question
    row : dict
        Operating characteristics of its cell.
    replicates : Replicates
    operations : mapping of str to ndarray, or None
        What each trial takes.
    drug_alone : Truth or None
        True value without what patients and raters expect; None where nobody expects anything.
    decided : Decided or None
        What became of its trials within the multiplicity procedure; None where the question is tested alone.
    """

    design: Design
    question: Question
    row: Mapping[str, Any]
    replicates: Replicates
    operations: Mapping[str, NDArray[np.float64]] | None
    drug_alone: Truth | None
    decided: Decided | None = None

    @property
    def null(self) -> bool:
        """Whether every success is a false one."""
        return bool(self.row["null"]) if self.decided is None else self.decided.null

    @property
    def usable(self) -> int:
        """Trials in the denominator of power."""
        return int((self.replicates if self.decided is None else self.decided).usable.sum())

    @property
    def failed(self) -> int:
        """Trials that are in no denominator, because a fit failed."""
        return len(self.replicates.usable) - self.usable


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure.

    Parameters
    ----------
    name, words, short : str
        Words for a page, and for a narrow table.
    unit : {'share', 'patients', 'number', 'estimate', 'days', 'months', 'usd'}
    better : {'higher', 'lower', 'closer_to_0'}
    find : callable
        Gives its value for a design.
    by_replicate : callable or None
        Gives what each replicate adds to it; None where it is exact, or its error is not of the replicates.
    proportion : bool
        Whether it is a share of replicates.
    """

    name: str
    words: str
    short: str
    unit: str
    better: Better
    find: Callable[[Simulated], Value]
    by_replicate: Callable[[Simulated], Influences] | None = None
    proportion: bool = False

    @property
    def within(self) -> str:
        """Its words as they stand within a sentence."""
        return self.words[0].lower() + self.words[1:]


def power(of: Simulated) -> Influences:
    """Return the share of usable trials that succeed by what decides them."""
    trials = of.replicates if of.decided is None else of.decided
    return influences(trials.found.astype(np.float64), trials.usable)


def power_alone(of: Simulated) -> Influences:
    """Return the share of usable trials that find the effect by the test alone, at its own level."""
    return influences(of.replicates.found.astype(np.float64), of.replicates.usable)


def _power(of: Simulated) -> Value:
    return _column("power")(of) if of.decided is None else _adjusted_power(of)


def _adjusted_power(of: Simulated) -> Value:
    if of.decided is None:
        return Value(math.nan, math.nan, "the hypothesis is tested alone: no multiplicity procedure holds it")
    found, usable = int(of.decided.found.sum()), int(of.decided.usable.sum())
    if not usable:
        return Value(math.nan, math.nan, NO_FIT)
    return Value(*proportion(found, usable), "", *wilson_interval(found, usable))


def estimate(of: Simulated) -> Influences:
    """Return the mean estimate."""
    return influences(of.replicates.estimate, of.replicates.usable)


def _coverage(of: Simulated) -> Influences:
    return influences(of.replicates.covered, ~np.isnan(of.replicates.covered))


def _missing(of: Simulated) -> Influences:
    share = of.replicates.share_missing
    return influences(share, np.ones(len(share), dtype=bool))


def _reached(of: Simulated) -> NDArray[np.float64]:
    """Return the patients randomised in each trial: those asked for, or those whom recruitment has found by its end."""
    asked = np.full(len(of.replicates.share_missing), float(of.design.cell.n))
    return (of.operations or {}).get("randomised", asked)


def _in_all(each: Callable[[Simulated], float]) -> Callable[[Simulated], Value]:
    """Return how to find what every patient randomised adds alike to."""

    def find(of: Simulated) -> Value:
        found = mean(_reached(of))
        return Value(found.value * each(of), found.mcse * each(of))

    return find


def _by_trial(each: Callable[[Simulated], float]) -> Callable[[Simulated], Influences]:
    """Return how to find what each trial adds to a measure of `_in_all`."""

    def by_replicate(of: Simulated) -> Influences:
        reached = _reached(of)
        return influences(each(of) * reached, np.ones(len(reached), dtype=bool))

    return by_replicate


def _lost(of: Simulated) -> Influences:
    share = of.replicates.share_missing
    return influences(_reached(of) * share, np.ones(len(share), dtype=bool))


def _minus(found: Influences, taken: float) -> Influences:
    return Influences(found.value - taken, found.influence)


def _bias(of: Simulated) -> Influences:
    return _minus(estimate(of), float(of.row["true_value"]))


def _expectancy(of: Simulated) -> Influences:
    return _minus(estimate(of), of.drug_alone.value if of.drug_alone is not None else math.nan)


def _column(name: str) -> Callable[[Simulated], Value]:
    def find(of: Simulated) -> Value:
        value, mcse = float(of.row[name]), float(of.row[f"{name}_mcse"])
        if math.isnan(value):
            fitted = of.replicates.usable.any()
            return Value(math.nan, math.nan, _REASONS[name] if fitted else NO_FIT)
        return Value(value, mcse, "", *(float(of.row.get(f"{name}_{end}", math.nan)) for end in ("low", "high")))

    return find


NO_FIT = "no fit gave an estimate"
_REASONS = {
    "coverage": "its analysis gives no confidence interval",
}


def _bias_under_unblinding(of: Simulated) -> Value:
    if of.design.variant.unblinding is None:
        return Value(math.nan, 0.0, "nobody guesses: the scenario has no unblinding")
    if of.drug_alone is None:
        return Value(math.nan, 0.0, "the effect without expectancy cannot be found for this analysis")
    mean, error = float(of.row["mean_estimate"]), float(of.row["mean_estimate_mcse"])
    return Value(mean - of.drug_alone.value, math.hypot(error, of.drug_alone.se))


def _patients_lost(of: Simulated) -> Value:
    return Value(*mean(_reached(of) * of.replicates.share_missing))


def _mean_over_arms(of: Simulated, by_arm: list[float]) -> float:
    """Return the mean over patients of something that all patients of an arm have."""
    ratio: NDArray[np.float64] = np.array(of.design.variant.allocation.ratio, dtype=np.float64)
    return float(ratio @ np.array(by_arm) / ratio.sum())


def _one(of: Simulated) -> float:
    del of
    return 1.0


def _on_control(of: Simulated) -> float:
    variant = of.design.variant
    return _mean_over_arms(of, [float(weight < 0.0) for weight in of.question.estimand.weights(len(variant.arms))])


def _infusions(of: Simulated) -> float:
    days = of.design.variant.infusion_days
    return _mean_over_arms(of, [float(len(listed)) for listed in days]) if days else 0.0


def _visits(of: Simulated) -> float:
    return 1.0 + len(of.design.variant.visits_days)


def _taken(name: str) -> Callable[[Simulated], Influences]:
    def by_replicate(of: Simulated) -> Influences:
        values = (of.operations or {})[name]
        return influences(values, ~np.isnan(values))

    return by_replicate


def _operational(name: str) -> Callable[[Simulated], Value]:
    def find(of: Simulated) -> Value:
        if of.operations is None or name not in of.operations:
            return Value(math.nan, 0.0, WITHOUT)
        found = of.operations[name][~np.isnan(of.operations[name])]
        if not len(found):
            return Value(math.nan, 0.0, "no trial came to its end")
        return Value(*mean(found))

    return find


METRICS: tuple[Metric, ...] = (
    Metric("power", "Power", "Power", "share", "higher", _power, power, proportion=True),
    Metric(
        "adjusted_power",
        "Power within the multiplicity procedure",
        "Adjusted power",
        "share",
        "higher",
        _adjusted_power,
        power,
        proportion=True,
    ),
    Metric(
        "power_alone",
        "Power of the test alone",
        "Power, test alone",
        "share",
        "higher",
        _column("power"),
        power_alone,
        proportion=True,
    ),
    Metric("n", "Patients randomised", "N", "patients", "lower", _in_all(_one), _by_trial(_one)),
    Metric(
        "control_patients",
        "Patients on control",
        "Control",
        "patients",
        "lower",
        _in_all(_on_control),
        _by_trial(_on_control),
    ),
    Metric(
        "share_missing", "Without a score at the visit", "Missing", "share", "lower", _column("share_missing"), _missing
    ),
    Metric(
        "patients_missing",
        "Patients without a score at the visit",
        "Patients missing",
        "patients",
        "lower",
        _patients_lost,
        _lost,
    ),
    Metric("bias", "Bias", "Bias", "estimate", "closer_to_0", _column("bias"), _bias),
    Metric(
        "unblinding_bias",
        "Bias under unblinding",
        "Unblinding bias",
        "estimate",
        "closer_to_0",
        _bias_under_unblinding,
        _expectancy,
    ),
    Metric(
        "coverage",
        "Coverage of the interval",
        "Coverage",
        "share",
        "higher",
        _column("coverage"),
        _coverage,
        proportion=True,
    ),
    Metric(
        "schedule_days",
        "Days from baseline to the last visit",
        "Days",
        "days",
        "lower",
        lambda of: Value(float(of.design.variant.visits_days[-1])),
    ),
    Metric(
        "infusions_per_patient",
        "Infusions per patient",
        "Infusions each",
        "number",
        "lower",
        lambda of: Value(_infusions(of)),
    ),
    Metric("infusions", "Infusions in all", "Infusions", "number", "lower", _in_all(_infusions), _by_trial(_infusions)),
    Metric(
        "visits_per_patient",
        "Visits per patient",
        "Visits each",
        "number",
        "lower",
        lambda of: Value(_visits(of)),
    ),
    Metric("visits", "Visits in all", "Visits", "number", "lower", _in_all(_visits), _by_trial(_visits)),
    Metric("months", "Duration, months", "Months", "months", "lower", _operational("months"), _taken("months")),
    Metric("cost_usd", "Cost, US dollars", "Cost, USD", "usd", "lower", _operational("cost_usd"), _taken("cost_usd")),
)
"""Every measure, in the order of the table."""

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
POWERS = ("power", "adjusted_power", "power_alone")
OPERATIONAL = ("months", "cost_usd")
BUDGETS: Mapping[str, tuple[str, str]] = {
    "max_patients": ("n", "patients"),
    "max_months": ("months", "months"),
    "max_cost": ("cost_usd", "US dollars"),
}
"""Limits, the measure that each is on, and its unit."""
