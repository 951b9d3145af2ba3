"""Simulated trials of one question under many settings, all with the same patients, and measures with paired errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.backends import run_units
from trialsim.engine.block import patient_source
from trialsim.engine.successes import Asked, Successes, Unit, ask, compute
from trialsim.engine.truth import is_null, true_values
from trialsim.errors import Fault, InputError, RunError
from trialsim.kernels.montecarlo import Interval, wilson_interval
from trialsim.scenario import Resolved, Scenario, resolve
from trialsim.scenario.at_value import at_values
from trialsim.scenario.resolved import Estimand, Multiplicity, Variant
from trialsim.scenario.words import did_you_mean
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]
Metric = Literal["power", "bias", "type_i_error"]
Progress = Callable[[int, int], None]

NO_ESTIMATE = "no trial could be analysed"
"""Why a setting has no measure though it can be had."""

NOISE = 3.0
"""A difference counts as larger than noise beyond so many standard errors: by chance once in 370 such differences."""

REPLICATES = (100, 1_000_000)

_BLOCKS_AT_ONCE = 4


class Place(NamedTuple):
    """What is simulated: a question in a variant, at a number of patients, and whether a rejection there is false."""

    asked: Asked
    n: int
    null: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What many trials of one place gave, in replicate order.

    Parameters
    ----------
    found, usable : ndarray of bool, shape (R,)
        Whether a trial finds what is claimed, and whether its analysis gave an estimate.
    estimate : ndarray, shape (R,)
    missing : float
        Share of the randomised without a score at the visit.
    """

    found: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    estimate: Array
    missing: float

    @property
    def share(self) -> Measured:
        """The share of the usable trials that find it."""
        usable = int(self.usable.sum())
        if usable == 0:
            return Measured(math.nan, np.full(len(self.found), math.nan))
        share = float(self.found.sum()) / usable
        return Measured(share, (self.found - share * self.usable) * (len(self.usable) / usable))

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of that share."""
        return wilson_interval(int(self.found.sum()), int(self.usable.sum()))

    def bias(self, truth: float) -> Measured:
        """Return mean estimate less the true value."""
        usable = int(self.usable.sum())
        if usable == 0:
            return Measured(math.nan, np.full(len(self.found), math.nan))
        estimate = np.where(self.usable, self.estimate, 0.0)
        mean = float(estimate.sum()) / usable
        return Measured(mean - truth, (estimate - mean * self.usable) * (len(self.usable) / usable))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A measure with the influence of each replicate on it, so that differences of measures have paired errors.

    Parameters
    ----------
    value : float
    influence : ndarray, shape (R,)
        Of mean 0; the measure's variance is that of its mean.
    """

    value: float
    influence: Array

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error."""
        return standard_error(self.influence)

    def minus(self, other: Measured) -> tuple[float, float]:
        """Return the difference to a measure on the same replicates, and its paired standard error."""
        return self.value - other.value, standard_error(self.influence - other.influence)


def standard_error(influence: Array) -> float:
    """Return the standard error of a mean of independent replicates."""
    return float(influence.std(ddof=1) / math.sqrt(len(influence)))


def is_beyond_noise(change: float, mcse: float) -> bool:
    """Return whether a change is larger than chance makes it."""
    return math.isfinite(change) and abs(change) > NOISE * mcse and change != 0.0


class Question:
    """One estimand of a scenario, asked under changed settings.

    Parameters
    ----------
    scenario : Scenario
        Its base values.
    estimand : str
        Name; its first analysis alone is asked, at its own level.
    null : bool
        Whether every rejection counts, as where there is nothing to find.
    within : bool
        Whether success is that within the multiplicity procedure, where the estimand is in one: of co-primary
        hypotheses all in the same trial.
    """

    def __init__(
        self, scenario: Scenario, estimand: str = "primary", *, null: bool = False, within: bool = False
    ) -> None:
        self.scenario, self.estimand, self._null, self._within = scenario.at_base(), estimand, null, within
        self.resolved: Resolved = resolve(self.scenario)
        names = [one.name for one in self.resolved.variants[0].estimands]
        if estimand not in names:
            raise InputError([Fault("estimand", f"there is none called '{estimand}'{did_you_mean(estimand, names)}")])

    @property
    def seed(self) -> int:
        """Seed of the scenario."""
        return self.resolved.seed

    @property
    def asked_of(self) -> Estimand:
        """The estimand at the scenario's base values."""
        return next(one for one in self.resolved.variants[0].estimands if one.name == self.estimand)

    def at(self, settings: Mapping[str, Any]) -> Asked:
        """Return the question where some values of the scenario are others.

        Raises
        ------
        InputError
            If the scenario cannot have them.
        """
        return self.of(resolve(at_values(self.scenario, settings)) if settings else self.resolved)

    def of(self, resolved: Resolved) -> Asked:
        """Return the question in a resolved scenario."""
        variant = resolved.variants[0]
        first = next(e for e, one in enumerate(variant.estimands) if one.name == self.estimand)
        if self._within and variant.multiplicity is not None and (first, 0) in variant.multiplicity.hypotheses:
            variant = _with_first(variant, first, variant.multiplicity)
            patient_source(variant, resolved.hash)  # a model that cannot be built is an InputError here
            return ask(variant, resolved.hash, "primary")
        return self._alone(variant, resolved.hash)

    def _alone(self, variant: Variant, key: str) -> Asked:
        chosen = next(one for one in variant.estimands if one.name == self.estimand)
        variant = replace(variant, estimands=(replace(chosen, analyses=chosen.analyses[:1]),), multiplicity=None)
        patient_source(variant, key)  # a model that cannot be built is an InputError here
        asked = ask(variant, key, "primary")
        return replace(asked, signs=(0,)) if self._null else asked

    def truth(self, asked: Asked) -> float:
        """Return the true value of the estimand in a variant."""
        return next(iter(true_values(asked.variant).values())).value

    def place(self, settings: Mapping[str, Any], n: int) -> Place:
        """Return where some values of the scenario are others, at a number of patients or the one they say.

        Where there is nothing to find every rejection counts, as in the tables of a run: the type I error.

        Raises
        ------
        InputError
            If the scenario cannot have them.
        """
        asked = self.at(settings)
        null = _nothing_is_there(asked)
        size = asked.variant.sample_sizes[0] if "sample_size" in settings else n
        if null and not asked.together:
            asked = replace(self._alone(asked.variant, asked.key), signs=(0,))
        return Place(asked, size, null)


def _nothing_is_there(asked: Asked) -> bool:
    """Return whether a success would be false; not where a true value cannot be found."""
    try:
        truths = true_values(asked.variant)
    except RunError:
        return False
    return any(is_null(truths[member], asked.variant, member) for member in asked.members)


def _with_first(variant: Variant, first: int, plan: Multiplicity) -> Variant:
    """Return a variant with one of its estimands in front of the others."""
    order = [first, *(e for e in range(len(variant.estimands)) if e != first)]
    moved = tuple((order.index(estimand), analysis) for estimand, analysis in plan.hypotheses)
    return replace(
        variant,
        estimands=tuple(variant.estimands[e] for e in order),
        multiplicity=replace(plan, hypotheses=moved),
    )


def alone_notes(question: Question, what: str) -> tuple[str, ...]:
    """Return the sentence that a number is of the test alone, where something else decides the trial."""
    plan = question.resolved.variants[0].multiplicity
    if plan is None:
        return ()
    return (
        f"{what} is that of the test of {question.estimand} alone, at its own level; what decides the trial is the "
        f"multiplicity procedure ({plan.method.replace('_', ' ')}).",
    )


def words_of(error: InputError) -> str:
    """Return why a setting cannot be had: the first reason, and how many more there are."""
    first, *others = dict.fromkeys(f"{fault.path}: {fault.message}" for fault in error.faults)
    return f"{first} (and {len(others)} more)" if others else first


class Chunk(NamedTuple):
    """Some blocks of one place, with their position."""

    place: int
    first: int
    blocks: tuple[int, ...]
    what: Place


class ChunkResult(NamedTuple):
    """What a chunk gave."""

    place: int
    first: int
    successes: list[Successes]


def _compute(seed: int, chunk: Chunk) -> ChunkResult:
    asked, n = chunk.what.asked, chunk.what.n
    parts = ((asked, (n,)),)
    found = [compute(seed, Unit(0, block, parts)).successes[0] for block in chunk.blocks]
    return ChunkResult(chunk.place, chunk.first, found)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is simulated, and how it is told.

    Parameters
    ----------
    replicates : int
        Of each place; rounded up to whole blocks of 250.
    workers : int
        Answers do not depend on it.
    progress : callable or None
        Called with (done, expected); first with nothing done, when all is checked that can be before work begins.
    """

    replicates: int
    workers: int = 1
    progress: Progress | None = None

    def __post_init__(self) -> None:
        """Refuse a number of replicates that is out of range."""
        low, high = REPLICATES
        if not low <= self.replicates <= high:
            raise InputError([Fault("replicates", f"must lie between {low:,} and {high:,}; got {self.replicates:,}")])

    def begin(self) -> None:
        """Tell that all has been checked and work begins."""
        if self.progress is not None:
            self.progress(0, 1)


def blocks_for(replicates: int, first: int = 0) -> tuple[int, ...]:
    """Return the blocks that hold a number of replicates."""
    return tuple(range(first, first + -(-replicates // BLOCK_SIZE)))


def simulate(places: Sequence[Place], blocks: Sequence[int], seed: int, budget: Budget) -> list[Sample]:
    """Return what each place gives over the same blocks.

    Parameters
    ----------
    places : sequence of Place
    blocks : sequence of int
    seed : int
    budget : Budget
        `replicates` is not looked at.
    """
    chunks = [
        Chunk(position, first, tuple(blocks[first : first + _BLOCKS_AT_ONCE]), place)
        for position, place in enumerate(places)
        for first in range(0, len(blocks), _BLOCKS_AT_ONCE)
    ]
    # What comes back is passed on as it is; the backend's own callers return seconds.
    results = cast(
        "Iterator[ChunkResult]",
        run_units(cast("Callable[[Chunk], float]", partial(_compute, seed)), chunks, budget.workers),
    )
    gathered: list[dict[int, list[Successes]]] = [{} for _ in places]
    for done, result in enumerate(results, start=1):
        gathered[result.place][result.first] = result.successes
        if budget.progress is not None:
            budget.progress(done, len(chunks))
    return [_sample([one for first in sorted(parts) for one in parts[first]]) for parts in gathered]


def _sample(parts: Sequence[Successes]) -> Sample:
    return Sample(
        np.concatenate([part.found[:, 0] for part in parts]),
        np.concatenate([part.usable[:, 0] for part in parts]),
        np.concatenate([part.estimate[:, 0] for part in parts]),
        float(np.mean([part.missing[0] for part in parts])),
    )


def size_for(question: Question, n: int | None, target: float, budget: Budget) -> int:
    """Return the number randomised at which settings are compared.

    Parameters
    ----------
    question : Question
    n : int or None
        As asked for; otherwise the scenario's own, and of several the one whose power is nearest the target, for at
        0 and at 1 nothing moves.
    target : float
    budget : Budget
    """
    sizes = question.resolved.variants[0].sample_sizes
    if n is not None:
        return checked_size(question.resolved.variants[0], n)
    if len(sizes) == 1:
        return sizes[0]
    asked = question.at({})
    seen = simulate([Place(asked, size) for size in sizes], (0, 1), question.seed, replace(budget, progress=None))
    power = np.array([sample.share.value for sample in seen])
    return sizes[int(np.argmin(np.abs(np.where(np.isnan(power), 0.0, power) - target)))]


def checked_size(variant: Variant, n: int) -> int:
    """Return a number randomised, refused where it is too small for the arms."""
    least = 2 * sum(variant.allocation.ratio)
    if n < least:
        raise InputError([Fault("n", f"must be at least {least}, two for each place in the allocation ratio; got {n}")])
    return n
