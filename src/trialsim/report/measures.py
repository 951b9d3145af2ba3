"""Numbers in the unit of their measure: points, percentage points, a probability, days, or logarithms of ratios.

Estimates and true values are kept as the analyses give them (a risk between 0 and 1, the natural logarithm of a ratio);
readers see percentage points, and the ratio beside its logarithm.
"""

from __future__ import annotations

import math

from trialsim.report.words import NO_BREAK_SPACE, fixed
from trialsim.scenario.methods import MEASURES

_UNITS = {"points": "points", "risk": "percentage points", "probability": "probability", "days": "days", "log": "log"}
_DECIMALS = {"points": 2, "risk": 1, "probability": 3, "days": 1, "log": 2}


def unit_of(measure: str) -> str:
    """Return the unit in which numbers of a measure are shown, such as `percentage points` or `log odds ratio`."""
    unit = MEASURES[measure].unit
    return MEASURES[measure].words if unit == "log" else _UNITS[unit]


def factor_of(measure: str) -> float:
    """Return by what an estimate is multiplied to be shown: 100 for risks."""
    return 100.0 if MEASURES[measure].unit == "risk" else 1.0


def ratio_of(measure: str) -> str:
    """Return what the exponential of an estimate is, such as `odds ratio`; empty for measures that are no logarithm."""
    return MEASURES[measure].words.removeprefix("log ") if MEASURES[measure].unit == "log" else ""


def decimals_of(measure: str, spread: float = math.nan) -> int:
    """Return how many decimals are shown.

    Parameters
    ----------
    measure : str
    spread : float, optional
        A standard error in the unit of the estimate; the smaller, the more decimals. Without it the usual number.
    """
    if math.isnan(spread):
        return _DECIMALS[MEASURES[measure].unit]
    shown = factor_of(measure) * spread
    return 3 if shown < 0.5 else 2 if shown < 5.0 else 1


def shown(value: float, measure: str, *, decimals: int | None = None, signed: bool = False) -> str:
    """Return a number in the shown unit, without naming it."""
    places = decimals_of(measure) if decimals is None else decimals
    return fixed(factor_of(measure) * value, places, signed=signed)


def with_error(value: float, error: float, measure: str, *, decimals: int | None = None, signed: bool = False) -> str:
    """Return `−2.02 ± 0.031`, with one decimal more for the error, so that a small one does not look like none."""
    places = decimals_of(measure) if decimals is None else decimals
    if math.isnan(value):
        return "–"
    return f"{shown(value, measure, decimals=places, signed=signed)} ± {shown(error, measure, decimals=places + 1)}"


def true_value(value: float, error: float, measure: str, *, decimals: int | None = None) -> str:
    """Return a true value for a table: with its Monte Carlo error where it has one, and a logarithm with its ratio.

    Parameters
    ----------
    value, error : float
        In the unit of the estimate; an error of 0 is an exact value.
    measure : str
    decimals : int, optional
    """
    if error > 0:
        text = with_error(value, error, measure, decimals=decimals, signed=True)
    else:
        text = shown(value, measure, decimals=decimals, signed=True)
    return text + _aside(value, measure, short=True)


def quantity(value: float, measure: str, *, error: float = 0.0, signed: bool = False) -> str:
    """Return a value with its unit, and its error where it has one: `−2.02 points`, `−0.51 (hazard ratio 0.60)`."""
    text = with_error(value, error, measure, signed=signed) if error > 0 else shown(value, measure, signed=signed)
    unit = MEASURES[measure].unit
    return text + _aside(value, measure, short=False) if unit in ("log", "probability") else f"{text} {_UNITS[unit]}"


def margin_words(margin: float, measure: str) -> str:
    """Return a margin with its unit; that of a logarithm as the factor that it is."""
    unit = MEASURES[measure].unit
    if unit == "log":
        return f"{fixed(margin, 2)} on the log scale (a factor of {fixed(math.exp(margin), 2)})"
    value = factor_of(measure) * margin
    return f"{value:.6g} {'on the scale of the probability' if unit == 'probability' else _UNITS[unit]}"


def _aside(value: float, measure: str, *, short: bool) -> str:
    if ratio_of(measure):
        return f" ({'ratio' if short else ratio_of(measure)} {fixed(math.exp(value), 2)})"
    if MEASURES[measure].unit == "probability" and not short:
        return f" (probability of a higher score {fixed(100 * (0.5 + value), 1)}{NO_BREAK_SPACE}%)"
    return ""
