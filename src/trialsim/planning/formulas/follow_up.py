"""How many events a trial will have seen by a time: piecewise constant accrual, hazards and exponential losses.

All in closed form. Within a piece of constant hazard λ and loss η, κ = λ + η, a participant at risk with probability S
at its start has an event within s with probability S λ (1 − e^{−κs}) / κ; accrual of constant rate averages its
integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import scipy

from trialsim.planning.formulas.checks import allocation, positive, refuse

SMALL = 1e-3
"""Exponent below which the second integral of the exponential is taken from its series."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """A hazard that is constant in pieces.

    Attributes
    ----------
    starts : tuple of float
        Starts of the pieces in time since entry: 0, then rising. The last piece has no end.
    rates : tuple of float
        Events per unit of time in each piece, at least 0 and not all 0.
    """

    starts: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse pieces that do not start at 0 or do not rise, and negative hazards."""
        _check_starts("hazard", self.starts, len(self.rates))
        if min(self.rates) < 0.0 or max(self.rates) <= 0.0 or not all(map(math.isfinite, self.rates)):
            refuse("hazard", f"must have rates of at least 0 that are not all 0, not {self.rates}")

    def times_factor(self, factor: float) -> Hazard:
        """Return the hazard multiplied by a factor at all times."""
        return Hazard(self.starts, tuple(rate * factor for rate in self.rates))


@dataclass(frozen=True, slots=True)
class Accrual:
    """Entry of participants at a rate that is constant in pieces.

    Attributes
    ----------
    starts : tuple of float
        Starts of the pieces in calendar time: 0, then rising.
    rates : tuple of float
        Participants per unit of time in each piece, at least 0 and not all 0.
    end : float
        End of the last piece.
    """

    starts: tuple[float, ...]
    rates: tuple[float, ...]
    end: float

    def __post_init__(self) -> None:
        """Refuse pieces that do not start at 0 or do not rise, and negative rates."""
        _check_starts("accrual", (*self.starts, self.end), len(self.rates) + 1)
        if min(self.rates) < 0.0 or max(self.rates) <= 0.0 or not all(map(math.isfinite, self.rates)):
            refuse("accrual", f"must have rates of at least 0 that are not all 0, not {self.rates}")

    @property
    def pieces(self) -> list[tuple[float, float, float]]:
        """Return (start, end, rate) of each piece."""
        return list(zip(self.starts, (*self.starts[1:], self.end), self.rates, strict=True))

    def entered(self, time: float) -> float:
        """Return how many have entered by a calendar time."""
        return sum(rate * (min(end, time) - start) for start, end, rate in self.pieces if time > start)


def uniform_accrual(duration: float, rate: float = 1.0) -> Accrual:
    """Return accrual at one rate for a duration above 0."""
    positive(accrual=duration, rate=rate)
    return Accrual((0.0,), (float(rate),), float(duration))


def hazard_of(value: float | Hazard) -> Hazard:
    """Return a hazard from a constant or as it is."""
    if isinstance(value, Hazard):
        return value
    positive(hazard=value)
    return Hazard((0.0,), (float(value),))


def event_probability(
    time: float, hazard: float | Hazard, *, accrual: float | Accrual, dropout_hazard: float = 0.0
) -> float:
    """Return the probability that a participant who has entered by a calendar time has had an event seen by then.

    Parameters
    ----------
    time : float
        Calendar time since the first entry, above 0.
    hazard : float or Hazard
        Events per unit of time since entry.
    accrual : float or Accrual
        Duration of uniform accrual, or its pieces.
    dropout_hazard : float
        Losses per unit of time, independent of events.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a number is out of range.
    """
    positive(time=time)
    entry = accrual if isinstance(accrual, Accrual) else uniform_accrual(accrual)
    return _events(time, hazard_of(hazard), entry, dropout_hazard) / entry.entered(time)


def expected_events(
    time: float,
    *,
    control_hazard: float | Hazard,
    hazard_ratio: float,
    accrual: Accrual,
    dropout_hazard: Sequence[float] = (0.0, 0.0),
    ratio: Sequence[float] = (1, 1),
) -> float:
    """Return the events expected in both arms by a calendar time.

    Parameters
    ----------
    time : float
        Above 0.
    control_hazard : float or Hazard
    hazard_ratio : float
        Active over control.
    accrual : Accrual
        With rates in participants per unit of time, both arms together.
    dropout_hazard : pair of float
        Control, active.
    ratio : pair of float
        Allocation, control then active.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a number is out of range.
    """
    positive(time=time, hazard_ratio=hazard_ratio)
    parts = allocation(ratio)
    hazards = (hazard_of(control_hazard), hazard_of(control_hazard).times_factor(hazard_ratio))
    arms = zip(parts, hazards, dropout_hazard, strict=True)
    return sum(part / sum(parts) * _events(time, hazard, accrual, loss) for part, hazard, loss in arms)


def time_of_events(
    events: float,
    *,
    control_hazard: float | Hazard,
    hazard_ratio: float,
    accrual: Accrual,
    dropout_hazard: Sequence[float] = (0.0, 0.0),
    ratio: Sequence[float] = (1, 1),
) -> float:
    """Return the calendar time at which a number of events is expected.

    Parameters
    ----------
    events : float
        Above 0.
    control_hazard, hazard_ratio, accrual, dropout_hazard, ratio : as in `expected_events`

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a number is out of range, or so many events never happen.
    """
    positive(events=events)

    def short(time: float) -> float:
        return events - expected_events(
            time,
            control_hazard=control_hazard,
            hazard_ratio=hazard_ratio,
            accrual=accrual,
            dropout_hazard=dropout_hazard,
            ratio=ratio,
        )

    end = accrual.end
    while short(end) > 0.0:
        end *= 2.0
        if end > 1e6 * accrual.end:
            refuse(
                "events", f"{events:g} are never reached: {events - short(end):.1f} are expected in the end; enrol more"
            )
    return float(scipy.optimize.brentq(short, 1e-12 * end, end, xtol=1e-13, rtol=4e-15, maxiter=500))


def _events(time: float, hazard: Hazard, accrual: Accrual, dropout: float) -> float:
    """Return the events by a calendar time when accrual's rates are those of one arm."""
    if dropout < 0.0 or not math.isfinite(dropout):
        refuse("dropout_hazard", f"must be a number of at least 0, not {dropout}")
    integral = _integrated_risk(hazard, dropout)
    return sum(
        rate * (integral(time - start) - integral(max(time - end, 0.0)))
        for start, end, rate in accrual.pieces
        if time > start
    )


def _integrated_risk(hazard: Hazard, dropout: float) -> Callable[[float], float]:
    """Return s ↦ ∫₀ˢ P(event seen within u of entry) du."""

    def integral(s: float) -> float:
        at_risk, seen, total = 1.0, 0.0, 0.0
        for start, end, rate in zip(hazard.starts, (*hazard.starts[1:], math.inf), hazard.rates, strict=True):
            width = min(s, end) - start
            if width <= 0.0:
                break
            x = (rate + dropout) * width
            total += seen * width + at_risk * rate * width**2 * _second(x)
            seen += at_risk * rate * width * (-math.expm1(-x) / x if x > 0.0 else 1.0)
            at_risk *= math.exp(-x)
        return total

    return integral


def _second(x: float) -> float:
    """Return (x − 1 + e^{−x}) / x², from its series where that loses digits."""
    if x < SMALL:
        return 0.5 - x / 6.0 + x**2 / 24.0 - x**3 / 120.0 + x**4 / 720.0
    return (x + math.expm1(-x)) / x**2


def _check_starts(name: str, starts: tuple[float, ...], count: int) -> None:
    """Refuse starts of pieces that are not as many as the rates, do not begin at 0 or do not rise."""
    if len(starts) != count or count == 0 or starts[0] != 0.0:
        refuse(name, f"must have one start for each rate, the first of them 0; starts are {starts}")
    if any(later <= earlier for earlier, later in pairwise(starts)):
        refuse(name, f"must have starts that rise, not {starts}")
