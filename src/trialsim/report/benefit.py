"""Benefit-signed numbers: the only place where an effect is turned so that more is better.

Everywhere else effects are active against control in the unit of their measure; readers of a report want to know who
did better. Names that hold a turned number start with `benefit_`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialsim.report.measures import factor_of, ratio_of, shown, unit_of
from trialsim.report.words import NO_BREAK_SPACE, fixed
from trialsim.scenario.methods import MEASURES


@dataclass(frozen=True, slots=True)
class Sides:
    """Who is compared, and on what.

    Parameters
    ----------
    active, control : str
        Words for the arms of each side.
    event : str
        What a binary endpoint or a time is about, such as `response`; empty for the others.
    patients : str
        Those who have it, such as `responders`.
    within : tuple of str
        The two strata of an interaction; empty without one.
    """

    active: str
    control: str
    event: str = ""
    patients: str = ""
    within: tuple[str, ...] = ()


def benefit_value(effect: float, *, sign: int) -> float:
    """Return an effect signed so that a positive number favours active.

    Parameters
    ----------
    effect : float
        Active against control, in the unit of its measure.
    sign : {-1, 1}
        1 where a positive effect is the better one, as `scenario.methods.benefit_sign` gives it.
    """
    return sign * effect + 0.0  # no negative zero


def number_needed(risk_difference: float) -> int:
    """Return the number needed to treat (or to harm), rounded up as is usual: 1 over the difference of risks."""
    return math.ceil(1.0 / abs(risk_difference) - 1e-9)


def benefit_words(effect: float, *, measure: str, sign: int, sides: Sides) -> str:
    """Return who does better and by how much, in words; an effect that shows as 0 counts as none.

    Parameters
    ----------
    effect : float
        In the unit of the measure.
    measure : str
        A key of `scenario.methods.MEASURES`.
    sign : {-1, 1}
    sides : Sides
    """
    benefit = benefit_value(effect, sign=sign)
    if float(shown(abs(effect), measure)) == 0.0:
        return f"no difference between {' and '.join(sides.within or (sides.active, sides.control))}"
    if sides.within:
        first, second = sides.within if benefit > 0 else sides.within[::-1]
        return (
            f"the effect of {sides.active} against {sides.control} is more favourable in {first} than in {second}, "
            f"by {_amount(effect, measure, sides)}"
        )
    better, worse = (sides.active, sides.control) if benefit > 0 else (sides.control, sides.active)
    return f"{better} better than {worse}{_how(effect, benefit, measure, sides)}"


def _amount(effect: float, measure: str, sides: Sides) -> str:
    if ratio_of(measure):
        several = f"{ratio_of(measure)}s" if sides.within else ratio_of(measure)
        return f"a ratio of {several} of {fixed(math.exp(effect), 2)}"
    return f"{shown(abs(effect), measure)} {unit_of(measure)}"


def _how(effect: float, benefit: float, measure: str, sides: Sides) -> str:
    """Return the size of an effect of two arms as a clinician would say it."""
    unit = MEASURES[measure].unit
    # Where an event is a benefit, being without it is told as having it: more responders, sooner.
    wanted = MEASURES[measure].follows == "event_free" and effect * benefit < 0
    direction = "more" if (effect > 0) != wanted else "fewer"
    if unit == "risk":
        who = sides.patients if wanted or measure == "risk_difference" else f"patients without {sides.event}"
        number, need = fixed(factor_of(measure) * abs(effect), 1), "treat" if benefit > 0 else "harm"
        return (
            f": with {sides.active} {number} {direction} {who} per 100; number needed to {need} {number_needed(effect)}"
        )
    if unit == "days":
        days = shown(abs(effect), measure)
        if wanted:
            return f": with {sides.active} {days} days {'less' if effect < 0 else 'longer'} until {sides.event}"
        return f": with {sides.active} {days} {direction} days without {sides.event}"
    if unit == "probability":
        chance = f"{fixed(100 * (0.5 + abs(effect)), 1)}{NO_BREAK_SPACE}%"
        better, worse = (sides.active, sides.control) if benefit > 0 else (sides.control, sides.active)
        return (
            f": a patient on {better} does better than one on {worse} with a probability of {chance} (ties count half)"
        )
    if unit == "log":
        about = f" of {sides.event}" if sides.event else ""
        return f": {ratio_of(measure)}{about} {fixed(math.exp(effect), 2)}"
    return f" by {shown(abs(effect), measure)} points"
