"""The search for the smallest number of patients, or the smallest effect, with a given power.

First the target is bracketed by single blocks. Then new blocks are simulated where they tell most about the root: each
at the root itself and on both sides of it, at powers 0.4 probits apart, so that the same patients give level, slope and
curvature. It ends when the interval is as narrow as asked for, or the budget is spent.

Nothing here knows what a trial is: a sampler answers which replicates of a block find the effect at a place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from trialsim.kernels.montecarlo import wilson_interval
from trialsim.planning.curve import Count, Curve, Trials, Tried, fit_curve

Z95 = float(ndtri(0.975))
SPREAD = 0.4
"""Probits between the places of a block."""

FIRST_BLOCKS = 4
_MOST_STEPS = 40
_MOST_FLAT_ROUNDS = 6


class Task(NamedTuple):
    """A block of replicates that is to be tried at some places, rising."""

    block: int
    places: tuple[float, ...]


Sampler = Callable[[Sequence[Task]], Sequence[Sequence[Tried]]]
"""Returns what every task tried, in order."""

Progress = Callable[[int, int], None]
"""Called with (blocks done, blocks expected)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What is searched along.

    Parameters
    ----------
    exponent : float
        The probit of power is about linear in x**exponent.
    least, most : float
        Ends of the search, above 0.
    step : float
        Places are multiples of it; 0 where any number will do.
    """

    exponent: float
    least: float
    most: float
    step: float = 0.0

    def nearest(self, x: float) -> float:
        """Return the nearest place that can be tried."""
        inside = min(max(x, self.least), self.most)
        if self.step:
            inside = self.step * round(inside / self.step)
            inside += self.step * ((inside < self.least) - (inside > self.most))
        return inside


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted.

    Parameters
    ----------
    power : float
        That every hypothesis is to have.
    precision : float
        Relative half-width of the 95 % interval.
    most_trials : int
        Simulated trials; a replicate at one place is a trial.
    power_at_0 : float
        Roughly, where there is nothing to find; only for the way to the target.
    """

    power: float
    precision: float
    most_trials: int
    power_at_0: float = 0.025


Status = Literal["found", "budget", "spent", "smallest", "unreachable", "no_fits", "flat"]
"""How a search ended: precise enough; budget spent first, or before there was an answer; target met at the least place;
not met at the largest one or within reach of it; nothing could be analysed; power does not rise around the target."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Parameters
    ----------
    status : Status
    hypothesis : int
        The one that needs most.
    curve : Curve or None
        Its power curve; None unless the status is 'found' or 'budget'.
    trials : Trials
    """

    status: Status
    hypothesis: int
    curve: Curve | None
    trials: Trials

    @property
    def best(self) -> Count | None:
        """The place with the highest power of the hypothesis that needs most; None where nothing could be analysed."""
        counts = [count for count in self.trials.counts(self.hypothesis) if count.usable]
        return max(counts, key=lambda count: count.found / count.usable, default=None)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the place; NaN where there is none."""
        if self.curve is None:
            return math.nan, math.nan
        reach = math.exp(Z95 * self.curve.relative_se)
        return self.curve.place / reach, self.curve.place * reach

    @property
    def half_width(self) -> float:
        """Relative half-width of the interval; infinite where there is none."""
        return math.inf if self.curve is None else Z95 * self.curve.relative_se


def search(
    sample: Sampler, axis: Axis, aim: Aim, start: float, *, hypotheses: int = 1, progress: Progress | None = None
) -> Found:
    """Return the smallest place at which every hypothesis has the power asked for.

    Parameters
    ----------
    sample : callable
        Must give the same for the same block and place.
    axis : Axis
    aim : Aim
    start : float
        First guess.
    hypotheses : int
        H, columns of what the sampler returns.
    progress : callable, optional

    Returns
    -------
    Found
    """
    looking = _Search(sample, axis, aim, hypotheses, progress)
    failed = looking.bracket(start)
    return looking.found(failed) if failed else looking.refine()


class _Search:
    def __init__(self, sample: Sampler, axis: Axis, aim: Aim, hypotheses: int, progress: Progress | None) -> None:
        self._sample, self._axis, self._aim = sample, axis, aim
        self._hypotheses = range(hypotheses)
        self._progress = progress
        self._trials = Trials()
        self._z, self._z0 = float(ndtri(aim.power)), float(ndtri(aim.power_at_0))
        self._ends = [axis.least, axis.most]
        self._rising = 0

    def bracket(self, start: float) -> Status | None:
        """Try block 0 at ever better guesses until some place has the power and some has not; say why it ends."""
        place = self._axis.nearest(start)
        below, above = 0.0, math.inf
        for _ in range(_MOST_STEPS):
            if not self._trials.has(0, place):
                if self._trials.blocks and self._room(1) < 1:
                    return "spent"
                self._run([Task(0, (place,))])
            count = self._worst(place)
            if count is None or count.found / count.usable < self._aim.power:
                below = max(below, place)
                if place >= self._axis.most or (count is not None and self._hopeless(count)):
                    return "no_fits" if count is None else "unreachable"
            else:
                above = min(above, place)
                if place <= self._axis.least:
                    return "smallest"
            if below > 0.0 and above < math.inf:
                self._ends = [min(below, above), max(below, above)]
                return None
            place = self._next(place, count)
        return "flat"

    def refine(self) -> Found:
        """Simulate around the root until its interval is narrow enough."""
        blocks, flat = FIRST_BLOCKS, 0
        while True:
            places = self._places(self._binding()[1])
            room = self._room(len(places))
            if room < 1:
                return self.found("budget")
            first = max(self._trials.blocks) + 1
            self._run([Task(first + i, places) for i in range(min(blocks, room))])
            found = self.found("found")
            flat += found.curve is None
            if flat == _MOST_FLAT_ROUNDS:
                return self.found("flat")
            if found.curve is not None and self._narrow(found):
                return found
            blocks = self._wanted(found.half_width)

    def found(self, status: Status) -> Found:
        """Return what is known now."""
        hypothesis, curve = self._binding()
        if status == "budget" and curve is None:
            status = "spent"
        if status in ("found", "budget") and curve is not None and curve.place > self._axis.most:
            status = "unreachable"
        return Found(status, hypothesis, curve if status in ("found", "budget") else None, self._trials)

    def _room(self, places: int) -> int:
        """Return how many blocks at that many places the budget has left."""
        replicates = len(self._trials.blocks[0][0].found)
        return (self._aim.most_trials - self._trials.number) // (replicates * places)

    def _narrow(self, found: Found) -> bool:
        """Return whether the interval is as narrow as asked for, or within half a step."""
        curve = found.curve
        half_a_step = 0.5 * self._axis.step / curve.place if curve is not None else 0.0
        return found.half_width <= max(self._aim.precision, half_a_step)

    def _wanted(self, half_width: float) -> int:
        """Return how many blocks more the precision takes, at most twice those that there are."""
        done = len(self._trials.blocks)
        more = 2.0 * done if math.isinf(half_width) else done * ((half_width / self._aim.precision) ** 2 - 1.0)
        return int(min(max(math.ceil(1.05 * more), 2), 2 * done))

    def _binding(self) -> tuple[int, Curve | None]:
        """Return the hypothesis that needs most, and its curve; without curves the one with least power."""
        curves = {h: fit_curve(self._trials, h, self._aim.power, self._axis.exponent) for h in self._hypotheses}
        known = {h: curve for h, curve in curves.items() if curve is not None}
        if known and len(known) == len(curves):
            hypothesis = max(known, key=lambda h: known[h].root)
            return hypothesis, known[hypothesis]
        missing = [h for h in curves if h not in known]
        # A power of 1 everywhere gives no curve, and binds nobody.
        needy = [h for h in missing if self._share(h) < self._aim.power]
        if known and not needy:
            hypothesis = max(known, key=lambda h: known[h].root)
            return hypothesis, known[hypothesis]
        return min(needy or missing, key=self._share), None

    def _share(self, hypothesis: int) -> float:
        """Return the lowest power at the tried places."""
        return min((_smooth(count) for count in self._trials.counts(hypothesis) if count.usable), default=0.0)

    def _worst(self, place: float) -> Count | None:
        """Return the counts of the hypothesis with least power at a place; None where one could not be analysed."""
        counts = [c for h in self._hypotheses for c in self._trials.counts(h) if c.place == place]
        if any(count.usable == 0 for count in counts):
            return None
        return min(counts, key=lambda count: count.found / count.usable)

    def _hopeless(self, count: Count) -> bool:
        """Return whether even the upper end of a power's interval leads beyond the largest place."""
        upper = float(ndtri(min(wilson_interval(count.found, count.usable, level=0.999).high, 0.999)))
        rise = upper - self._z0
        if rise < 0.2:
            return False
        factor: float = ((self._z - self._z0) / rise) ** (1.0 / self._axis.exponent)
        return count.place * factor > self._axis.most

    def _next(self, place: float, count: Count | None) -> float:
        """Return the next place on the way to the target, a little beyond what a line from none leads to."""
        if count is None:
            return self._beyond(place, 2.0, up=True)
        below = count.found / count.usable < self._aim.power
        rise = max(float(ndtri(_smooth(count))) - self._z0, 0.1)
        factor = (self._z - self._z0) / rise
        # A power that levels off is followed in ever longer steps.
        self._rising = self._rising + 1 if below else 0
        least = min(1.0 + 0.05 * 2.0**self._rising, 2.0)
        factor = min(max(factor * 1.08, least), 2.0) if below else max(min(factor / 1.08, 0.9), 0.5)
        return self._beyond(place, factor, up=below)

    def _beyond(self, place: float, factor: float, *, up: bool) -> float:
        """Return the place whose u is a multiple, at least one step away."""
        axis = self._axis
        moved = axis.nearest(place * factor ** (1.0 / axis.exponent))
        return axis.nearest(place + (axis.step if up else -axis.step)) if moved == place else moved

    def _places(self, curve: Curve | None) -> tuple[float, ...]:
        """Return where the next blocks tell most: at the root and on both sides; the ends of the bracket if unknown."""
        axis = self._axis
        low, high = self._ends
        if curve is None:
            middle, across = math.sqrt(low * high), 0.15
        else:
            middle = min(max(curve.place, low / 1.3), high * 1.3)
            across = min(max(SPREAD / (curve.slope(curve.root) * curve.root), 0.03), 0.25)
        wide = [middle * (1.0 + side * across) ** (1.0 / axis.exponent) for side in (-1.0, 0.0, 1.0)]
        places = {axis.nearest(x) for x in wide}
        if len(places) == 1:
            only = places.pop()
            places = {axis.nearest(only - axis.step), only, axis.nearest(only + axis.step)}
        return tuple(sorted(places))

    def _run(self, tasks: Sequence[Task]) -> None:
        for task, tried in zip(tasks, self._sample(tasks), strict=True):
            for one in tried:
                self._trials.add(task.block, one)
        if self._progress is not None:
            done = len(self._trials.blocks)
            width = self.found("found").half_width
            self._progress(done, done + (0 if width <= self._aim.precision else self._wanted(width)))


def _smooth(count: Count) -> float:
    """Return a share that is never 0 or 1."""
    return float(np.float64(count.found + 0.5) / (count.usable + 1.0))
