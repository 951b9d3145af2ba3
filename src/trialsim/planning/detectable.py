"""The smallest effect that a trial of a given size finds with a given power: a search over one value of a scenario."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from trialsim.engine.block import patient_source
from trialsim.engine.successes import Asked, Goal, ask
from trialsim.errors import Fault, InputError
from trialsim.planning.clinical import ClinicalEffect, TrueEffect, clinical_effect, true_effects
from trialsim.planning.closed_form import ALONE, ClosedValue, Formula, closed_factor, closed_value
from trialsim.planning.curve import Curve
from trialsim.planning.reached import Reached
from trialsim.planning.recruitment import recruitment_of
from trialsim.planning.sampling import (
    MOST_TRIALS,
    Sampler,
    aim_of,
    called,
    claimed,
    curve_rows,
    never_found,
    nobody_seen,
    why,
)
from trialsim.planning.search import Axis, Found, Progress, search
from trialsim.planning.twins import Twin
from trialsim.scenario import Resolved, Scenario, resolve
from trialsim.scenario.at_value import at_value
from trialsim.scenario.document import describe
from trialsim.scenario.paths import find, split_path

LARGEST_FACTOR = 32.0
"""The search goes from the scenario's value to so many times it, or as far as the scenario allows."""

SMALLEST_FACTOR = 1e-3

_HALVINGS = 10


@dataclass(frozen=True, slots=True, eq=False)
class DetectableEffect:
    """The smallest value of a scenario path at which a trial has a given power.

    Parameters
    ----------
    reached : bool
    reason, title, goal, hypothesis, procedure, power, precision, trials, blocks
        As of `planning.size.RequiredSize`.
    path : str
    n_total : int
        Number randomised.
    recruitment : Reached or None
        What recruitment reaches of it, where it ends before all trials have it.
    value, low, high : float or None
        In the unit of the path, with the 95 % interval; `low` is the end nearer to 0.
    half_width : float or None
        Of the interval, relative.
    best_value, best_power : float or None
        The highest power seen, and where.
    closed_form : ClosedValue or None
        Value by formula of the hypothesis that needs most; None where none applies, or where all are to be found in the
        same trial.
    clinical : ClinicalEffect or None
        The true effect at `value` in the words of the clinic.
    true_effects : tuple of TrueEffect
        Those of each hypothesis at `value`, where several are to be found in the same trial.
    curve : list of dict
        Rows `kind`, `at` (value), `power`, `low`, `high`, `replicates`, `failed`.
    """

    reached: bool
    reason: str
    title: str
    goal: Goal
    hypothesis: str
    procedure: str
    power: float
    precision: float
    path: str
    n_total: int
    recruitment: Reached | None
    value: float | None
    low: float | None
    high: float | None
    half_width: float | None
    best_value: float | None
    best_power: float | None
    closed_form: ClosedValue | None
    clinical: ClinicalEffect | None
    true_effects: tuple[TrueEffect, ...]
    trials: int
    blocks: int
    curve: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        clinical = None if self.clinical is None else self.clinical.to_dict()
        effects = [effect.to_dict() for effect in self.true_effects]
        return {"schema": 1, "kind": "detectable_effect", **asdict(self), "clinical": clinical, "true_effects": effects}


def detectable_effect(
    scenario: Scenario,
    path: str,
    *,
    n: int,
    power: float,
    precision: float = 0.02,
    goal: Goal = "primary",
    workers: int = 1,
    most_trials: int = MOST_TRIALS,
    progress: Progress | None = None,
) -> DetectableEffect:
    """Return the value of a scenario path that gives a power with a given number of patients.

    Parameters
    ----------
    scenario : Scenario
        Its base values; the value at the path gives start and sign, and 0 is taken to be no effect.
    path : str
        Such as `effects.ketamine.points.qids_sr16`.
    n : int
        Number randomised.
    power, precision, goal, workers, most_trials, progress
        As of `planning.size.required_size`.

    Raises
    ------
    InputError
        If there is no number other than 0 at the path, or another number is out of range.
    """
    values = _Values(scenario, path, n, goal)
    asked = values.asked(1.0)
    aim = aim_of(asked, power, precision, most_trials)
    sampler = Sampler(values.parts, values.seed, workers)
    axis = Axis(1.0, SMALLEST_FACTOR, values.most())
    # A value need not be the effect itself, so that a larger one may be no harm any more.
    impossible = nobody_seen(asked) or (never_found(values.asked(axis.most)) and never_found(asked))
    if impossible:
        found = sampler.once(1.0)
        reason = (
            f"The power of {100 * power:g} % cannot be reached: {impossible}. The search keeps the sign of {path}."
            f"{claimed(found, values.words)}"
        )
        return _answer(scenario, values, found, reason, power, precision)
    columns = 1 if asked.together else len(asked.members)
    found = search(sampler, axis, aim, 1.0, hypotheses=columns, progress=progress)
    reason = why(found, aim, axis.most, values.words)
    return _answer(scenario, values, found, reason, power, precision)


class _Values:
    """Variants of a scenario by the factor on one of its values; a factor keeps the sign and has no unit."""

    def __init__(self, scenario: Scenario, path: str, n: int, goal: Goal) -> None:
        self._scenario, self.path, self.n, self.goal = scenario.at_base(), path, n, goal
        own = find(scenario.base.root, split_path(path))
        value = None if own is None else own.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
            there = "there is nothing" if own is None else f"it is {describe(value)}"
            message = f"must be a number other than 0 in the scenario, to start from and for its sign; {there}"
            raise InputError([Fault(path, message)])
        self._own = float(value)
        # Bounded, because every value has a patient model of its own.
        self.asked = lru_cache(maxsize=256)(self._asked)
        self._least_size()

    @property
    def seed(self) -> int:
        """Seed of the scenario."""
        return self._scenario.content.simulation.seed

    def recruitment(self) -> Reached | None:
        """Return what recruitment reaches of the number, where that may be less."""
        own = self._scenario.content.simulation
        return recruitment_of(self.asked(1.0).variant, self.n, seed=own.seed, replicates=own.replicates)

    def value(self, factor: float) -> float:
        """Return the value, to 12 digits: what a person would write."""
        return float(f"{self._own * factor:.12g}")

    def words(self, factor: float) -> str:
        """Return a place of the search in words."""
        return f"{self.path} = {self.value(factor):g} and {self.n:,} patients"

    def parts(self, factors: tuple[float, ...]) -> tuple[tuple[Asked, tuple[int, ...]], ...]:
        """Return the variants that are tried, each at the size."""
        return tuple((self.asked(factor), (self.n,)) for factor in factors)

    def most(self) -> float:
        """Return the largest factor that the scenario allows, up to `LARGEST_FACTOR`."""
        low, high = 1.0, LARGEST_FACTOR
        while low < high and self._holds(min(2.0 * low, high)):
            low = min(2.0 * low, high)
        if low >= high:
            return high
        high = 2.0 * low
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._holds(middle) else (low, middle)
        # The end of what is allowed is mostly a round number, such as a share of 1.
        end = float(f"{self.value(low):.2g}") / self._own
        return end if low < end < high * 1.01 and self._holds(end) else low

    def _holds(self, factor: float) -> bool:
        try:
            self.asked(factor)
        except InputError:
            return False
        return True

    def _asked(self, factor: float) -> Asked:
        resolved: Resolved = resolve(at_value(self._scenario, self.path, self.value(factor)))
        variant = resolved.variants[0]
        patient_source(variant, resolved.hash)  # a model that cannot be built is an InputError here
        return ask(variant, resolved.hash, self.goal)

    def _least_size(self) -> None:
        least = 2 * sum(self.asked(1.0).variant.allocation.ratio)
        if self.n < least:
            raise InputError([Fault("n", f"must be at least {least}, two for each place in the allocation ratio")])


def _answer(
    scenario: Scenario, values: _Values, found: Found, reason: str, power: float, precision: float
) -> DetectableEffect:
    curve, best = found.curve, found.best
    low, high = found.interval
    reached = curve is not None
    if found.status == "smallest":
        reason = (
            f"Power is that high at {SMALLEST_FACTOR:g} of the scenario's value already: {values.path} is no effect."
        )
    return DetectableEffect(
        reached=reached,
        reason=reason,
        title=scenario.title,
        goal=values.goal,
        hypothesis=called(values.asked(1.0), found.hypothesis),
        procedure=values.asked(1.0).procedure,
        power=power,
        precision=precision,
        path=values.path,
        n_total=values.n,
        recruitment=values.recruitment(),
        value=None if curve is None else values.value(curve.place),
        low=None if math.isnan(low) else values.value(low),
        high=None if math.isnan(high) else values.value(high),
        half_width=None if curve is None else found.half_width,
        best_value=None if best is None else values.value(best.place),
        best_power=None if best is None else best.found / best.usable,
        closed_form=None if curve is None else _by_formula(values, found.hypothesis, power, curve),
        clinical=None if curve is None else _clinical(values.asked(curve.place), found.hypothesis),
        true_effects=() if curve is None else true_effects(values.asked(curve.place)),
        trials=found.trials.number,
        blocks=len(found.trials.blocks),
        curve=curve_rows(found, values.value),
    )


def _by_formula(values: _Values, hypothesis: int, power: float, curve: Curve) -> ClosedValue | None:
    """Return the value by formula of the hypothesis that needs most."""
    first = values.asked(1.0)
    if first.together and len(first.members) > 1:
        return None

    def at(factor: float) -> Twin | None:
        asked = values.asked(factor)
        return Formula(asked.variant, asked.key, asked.members[hypothesis])(values.n)

    factor = closed_factor(at, power, least=SMALLEST_FACTOR, most=values.most(), curve=curve)
    there = None if factor is None else at(factor)
    if factor is None or there is None:
        return None
    if first.variant.multiplicity is not None:
        there = replace(there, leaves_out=(ALONE, *there.leaves_out))
    return closed_value(values.value(factor), factor, there, curve)


def _clinical(asked: Asked, hypothesis: int) -> ClinicalEffect | None:
    """Return the true effect of the hypothesis that needs most."""
    member = asked.members[0 if asked.together else hypothesis]
    return clinical_effect(asked.variant, asked.key, asked.variant.estimands[member.estimand])
