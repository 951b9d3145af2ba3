"""From a power function to an answer: whichever of effect, size and power was left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import scipy

from trialsim.errors import UnreachableError
from trialsim.planning.formulas.answer import Answer, rounded_up
from trialsim.planning.formulas.checks import finite, inside, not_one_left_out, positive, refuse
from trialsim.planning.formulas.level import Level

LARGEST = 1e9
"""Size beyond which a trial is said to be out of reach."""
RELATIVE = 4e-15
SOME = 1e-6
"""Smallest size of tests that know their variance: as good as none."""


@dataclass(frozen=True, slots=True)
class Question:
    """A power function and what has to be known to turn it round.

    Attributes
    ----------
    power_at : callable
        From effect and sizes of the arms to power; rises with both.
    level : Level
    method : str
    parts : tuple of float
        Allocation ratio, control first; (1,) for one sample.
    least : float
        Smallest total size that the test can be used with.
    effect_from, effect_to : float
        Ends of the search for a detectable effect: where there is none, and the far end (may be infinite).
    effect_name : str
        Name of the effect's argument.
    size_name : str
        Name of the size's argument.
    unit : str
    inputs : mapping
    details_at : callable, optional
        From effect and sizes of the arms to further numbers of the answer.
    """

    power_at: Callable[[float, tuple[float, ...]], float]
    level: Level
    method: str
    parts: tuple[float, ...] = (1.0, 1.0)
    least: float = SOME
    effect_from: float = 0.0
    effect_to: float = math.inf
    effect_name: str = "difference"
    size_name: str = "n_total"
    unit: str = "participants"
    inputs: Mapping[str, object] = field(default_factory=dict)
    details_at: Callable[[float, tuple[float, ...]], Mapping[str, float]] | None = None

    def split(self, total: float) -> tuple[float, ...]:
        """Return the sizes of the arms, unrounded."""
        return tuple(total * part / sum(self.parts) for part in self.parts)


def solve(question: Question, *, effect: float | None, n_total: float | None, power: float | None) -> Answer:
    """Return the answer for the one of effect, size and power that is None.

    Raises
    ------
    InputError
        If not exactly one is left out, or one is out of range.
    UnreachableError
        If no size or effect reaches the power.
    """
    name, size = question.effect_name, question.size_name
    finite(**{name: effect})
    positive(**{size: n_total})
    inside(0.0, 1.0, power=power)
    if n_total is not None and n_total < question.least:
        refuse(size, f"must be at least {question.least:g} for this test, not {n_total:g}")
    if effect is not None and n_total is not None and power is None:
        return _answer(question, "power", effect, n_total, question.power_at(effect, question.split(n_total)))
    if effect is not None and n_total is None and power is not None:
        found = root_from(lambda n: question.power_at(effect, question.split(n)), power, question.least, what=size)
        return _answer(question, "size", effect, found, power)
    if effect is None and n_total is not None and power is not None:
        return _answer(question, "effect", _effect(question, n_total, power), n_total, power)
    not_one_left_out(**{name: effect, size: n_total, "power": power})


def root_from(power_at: Callable[[float], float], power: float, least: float, *, what: str) -> float:
    """Return the smallest argument from a bound on at which a rising power function reaches a power.

    Parameters
    ----------
    power_at : callable
    power : float
    least : float
        Lower end of the search.
    what : str
        Name of the argument, for the message.

    Raises
    ------
    UnreachableError
        If the power is not reached at 1e9.
    """
    if power_at(least) >= power:
        return least
    low = least
    step = 1.0
    while power_at(least + step) < power:
        low, step = least + step, 2.0 * step
        if step > LARGEST:
            highest = power_at(least + step)
            reason = f"no {what} gives power {power:g}: it stays at {highest:.4f}; enlarge the effect"
            raise UnreachableError(what, reason, highest)
    return float(
        scipy.optimize.brentq(lambda x: power_at(x) - power, low, least + step, xtol=1e-12, rtol=RELATIVE, maxiter=500)
    )


def _effect(question: Question, n_total: float, power: float) -> float:
    """Return the effect that is found with a given power."""
    n = question.split(n_total)
    start, end = question.effect_from, question.effect_to
    # Walk from the null towards the far end: by doubling if it is endless, by halving what is left if it is not.
    low, high, width = start, start, 1e-3
    for _ in range(200):
        low, high = high, start + width if math.isinf(end) else high + 0.5 * (end - high)
        width *= 2.0
        if high in (low, end):
            break
        if question.power_at(high, n) >= power:
            root = scipy.optimize.brentq(
                lambda x: question.power_at(x, n) - power, low, high, xtol=1e-14, rtol=RELATIVE, maxiter=500
            )
            return float(root)
    highest = question.power_at(high, n)
    reason = f"no {question.effect_name} reaches power {power:g} with {n_total:g} {question.unit}; give more"
    raise UnreachableError(question.effect_name, reason, highest)


def _answer(question: Question, quantity: str, effect: float, n_total: float, power: float) -> Answer:
    n = question.split(n_total)
    details = question.details_at(effect, n) if question.details_at is not None else {}
    return Answer(
        quantity=quantity,
        value={"power": power, "size": n_total, "effect": effect}[quantity],
        power=power,
        effect=effect,
        n=n,
        n_rounded=rounded_up(n, question.parts),
        alpha=question.level.alpha,
        sides=question.level.sides,
        method=question.method,
        unit=question.unit,
        inputs=MappingProxyType(dict(question.inputs)),
        details=MappingProxyType(dict(details)),
    )
