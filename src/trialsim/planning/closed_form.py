"""The size, or the value, that the closed form of a hypothesis asks for, beside the one found by simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import scipy

from trialsim.analysis.contract import Observed
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.truth import true_values
from trialsim.planning.curve import Curve
from trialsim.planning.twins import COUNTED, Twin, counted_trials, twin
from trialsim.scenario.resolved import Variant

ALONE = "It tests this hypothesis alone at its own level; here it is tested within the multiplicity procedure."

_STEP = 1.25

BOUND = 4.9
"""Standard errors of the size that chance explains: one false alarm in a million."""


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A size by formula.

    Parameters
    ----------
    n : int
        Smallest number randomised with the power, before whole multiples of the allocation ratio.
    n_total : int
        Rounded up to them.
    formula : str
        In words.
    leaves_out : tuple of str
        What it takes no account of in this scenario, a sentence each.
    differs : bool or None
        Whether the simulated size is further away than 4.9 of its standard errors and what the formula may be off by;
        None where there is no simulated size.
    """

    n: int
    n_total: int
    formula: str
    leaves_out: tuple[str, ...]
    differs: bool | None


def closed_form(
    variant: Variant, key: str, member: Hypothesis, power: float, *, step: int, most: int, curve: Curve | None
) -> ClosedForm | None:
    """Return the size of one hypothesis by its closed form; None where none applies or it does not reach the power.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    member : Hypothesis
        Of the variant.
    power : float
    step : int
        Sizes are rounded up to multiples of it.
    most : int
        Largest size that is looked at.
    curve : Curve or None
        Simulated power around the answer.
    """
    at = Formula(variant, key, member)
    largest = at(most)
    if largest is None or largest.power < power:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        found = at(middle)
        low, high = (middle, high) if found is None or found.power < power else (low, middle)
    there = at(high) or largest
    return ClosedForm(high, step * -(-high // step), there.formula, there.leaves_out, _differs(high, there, curve))


@dataclass(frozen=True, slots=True)
class ClosedValue:
    """A value of a scenario by formula.

    Parameters
    ----------
    value : float
        In the unit of its path.
    formula, leaves_out, differs
        As of `ClosedForm`.
    """

    value: float
    formula: str
    leaves_out: tuple[str, ...]
    differs: bool


def closed_factor(
    at: Callable[[float], Twin | None], power: float, *, least: float, most: float, curve: Curve
) -> float | None:
    """Return the factor on a value with which a formula has a power; None where it has none, or not that power.

    Parameters
    ----------
    at : callable
        Closed form by factor; its power rises with it.
    power : float
    least, most : float
        Factors between which is looked.
    curve : Curve
        Simulated power around the answer, where the search begins.
    """

    def short(factor: float) -> float | None:
        found = at(factor)
        return None if found is None else power - found.power

    low = high = min(max(curve.place, least), most)
    while low > least and (lacking := short(low)) is not None and lacking <= 0.0:
        low = max(low / _STEP, least)
    while high < most and (lacking := short(high)) is not None and lacking > 0.0:
        high = min(high * _STEP, most)
    ends = short(low), short(high)
    if ends[0] is None or ends[1] is None or ends[0] < 0.0 or ends[1] > 0.0:
        return None
    return float(scipy.optimize.brentq(short, low, high, rtol=1e-6))


def closed_value(value: float, factor: float, there: Twin, curve: Curve) -> ClosedValue:
    """Return a value by formula, and whether the simulated one is further from it than their errors allow.

    Parameters
    ----------
    value : float
        In the unit of its path.
    factor : float
        Of `closed_factor`.
    there : Twin
        The closed form with it.
    curve : Curve
        Simulated power by factor.
    """
    allowed = BOUND * curve.place * curve.relative_se + there.allowance / curve.power_slope()
    return ClosedValue(value, there.formula, there.leaves_out, bool(abs(factor - curve.place) > allowed))


class Formula:
    """The closed form of a hypothesis at any size; what it counts and the true value are found once."""

    def __init__(self, variant: Variant, key: str, member: Hypothesis) -> None:
        self._variant = variant
        self._estimand = variant.estimands[member.estimand]
        self._analysis = self._estimand.analyses[member.analysis]
        self._truth: float | None = None
        self._seen: Observed | None = None
        if self._analysis.method in COUNTED:
            self._seen = counted_trials(variant, key)
        if self._analysis.method in COUNTED or (
            self._estimand.true_value is None and self._estimand.endpoint.kind == "score"
        ):
            self._truth = true_values(variant)[member].value

    def __call__(self, n: int) -> Twin | None:
        """Return power with n patients."""
        if n < 2:
            return None
        return twin(self._variant, self._estimand, self._analysis, n, truth=self._truth, seen=self._seen)


def _differs(n: int, there: Twin, curve: Curve | None) -> bool | None:
    if curve is None:
        return None
    # One more patient for the whole numbers that the formula is asked at.
    chance = BOUND * curve.place * curve.relative_se + 1.0
    return bool(abs(n - curve.place) > chance + there.allowance / curve.power_slope())
