"""The nuisance setting with the worst type I error: screened, refined, and confirmed on fresh draws.

The largest of many noisy shares is too large by selection. So the search only proposes settings; which of them is worst
is decided on trials that no setting was chosen by, and what it is, on trials that played no part in that either.

References
----------
McKay MD, Beckman RJ, Conover WJ (1979). A comparison of three methods for selecting values of input variables in the
analysis of output from a computer code. Technometrics 21:239-245.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from trialsim.errors import Fault, InputError
from trialsim.planning.plain import without_nan
from trialsim.planning.sensitivity.null import without_effect
from trialsim.planning.sensitivity.tornado import assumptions_of
from trialsim.planning.sensitivity.trials import (
    Budget,
    Place,
    Question,
    Sample,
    alone_notes,
    blocks_for,
    checked_size,
    is_beyond_noise,
    simulate,
)
from trialsim.scenario import Scenario
from trialsim.scenario.plausible import Assumption
from trialsim.streams import Streams

SCREENED = 24
"""Settings of the Latin hypercube."""

ROUNDS = 2
FINALISTS = 3
MOST_NUISANCES = 12
_CHOICE_FROM, _CONFIRM_FROM = 1_000, 2_000
"""First blocks of the fresh draws: far from those of the search, whose replicates stay below 250,000."""

Shares = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting of the search, with the type I error that it showed there."""

    stage: str
    values: dict[str, Any]
    n: int
    share: float
    mcse: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Type I error on fresh draws, with its Wilson interval."""

    values: dict[str, Any]
    n: int
    share: float
    mcse: float
    low: float
    high: float
    replicates: int
    failed: int


@dataclass(frozen=True, slots=True, eq=False)
class WorstCase:
    """The nuisance setting with the largest type I error that was found.

    Parameters
    ----------
    title, estimand : str
    alpha : float
        Nominal level.
    nuisances : dict of str to (low, high)
        What was searched over.
    base, worst : Confirmed
        The scenario's own values without any effect, and the worst setting found; on the same fresh draws.
    difference, difference_mcse : float
        Worst less base, paired.
    is_above : bool
        Whether the worst level is above the nominal one by more than its error: its interval lies above.
    search_share : float
        What the search had shown of that setting, which selection makes too large.
    tried : tuple of Tried
    impossible : int
        Settings that the scenario cannot have.
    notes : tuple of str
    """

    title: str
    estimand: str
    alpha: float
    nuisances: dict[str, tuple[Any, Any]]
    base: Confirmed
    worst: Confirmed
    difference: float
    difference_mcse: float
    differs: bool
    is_above: bool
    search_share: float
    tried: tuple[Tried, ...]
    impossible: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "worst_type_i_error", **asdict(self)})
        return told


def worst_type_i_error(
    scenario: Scenario,
    *,
    budget: Budget,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    estimand: str = "primary",
    n: int | None = None,
    screened: int = SCREENED,
) -> WorstCase:
    """Return the setting of the nuisances with the largest type I error.

    Parameters
    ----------
    scenario : Scenario
        Every effect in it is set to 0.
    budget : Budget
        Replicates of each setting of the search; four times as many choose among the finalists, ten times as many
        confirm.
    ranges : mapping of str to (low, high), optional
        By hand; `sample_size` and `allocation.ratio` may be among them. Without `n`, the sizes that a scenario lists
        are a nuisance too.
    estimand : str
    n : int, optional
    screened : int
        Settings of the Latin hypercube.

    Raises
    ------
    InputError
        If nothing has a range, or without effects the arms differ all the same.
    """
    own = Question(scenario, estimand)
    found = [one for one in assumptions_of(own, ranges) if not one.is_effect]
    sizes = own.resolved.variants[0].sample_sizes
    if n is not None:
        checked_size(own.resolved.variants[0], n)
        found = [one for one in found if one.path != "sample_size"]
    elif len(sizes) > 1 and all(one.path != "sample_size" for one in found):
        ends = ({"sample_size": min(sizes)}, {"sample_size": max(sizes)})
        listed = (min(sizes), max(sizes))
        found.append(Assumption("sample_size", None, *listed, *ends, "given", basis="the sizes of the scenario"))
    if not found:
        raise InputError([Fault("ranges", "nothing but effects has a range; give one with --range path=low,high")])
    notes = alone_notes(own, "The type I error")
    if len(found) > MOST_NUISANCES:
        left = ", ".join(one.path for one in found[MOST_NUISANCES:])
        notes = (
            *notes,
            f"Searched over the first {MOST_NUISANCES} nuisances; at their own values stay {left}.",
        )
        found = found[:MOST_NUISANCES]
    question = Question(without_effect(scenario, estimand), estimand, null=True)
    search = _Search(question, found, budget, max(sizes) if n is None else n, screened)
    budget.begin()
    return search.answer(scenario.title, notes)


class _Search:
    """Screening, refinement and confirmation."""

    def __init__(
        self, question: Question, nuisances: Sequence[Assumption], budget: Budget, n: int, screened: int
    ) -> None:
        self._question, self._nuisances, self._n = question, nuisances, n
        self._budget, self._screened = budget, screened
        self._places: dict[Shares, Place | None] = {}
        self._seen: dict[Shares, Sample] = {}
        self._tried: list[Tried] = []
        base = self._base()
        self._base_place = Place(question.at({}), base)
        self._done, self._expected = 0, 0

    def _base(self) -> int:
        return self._n

    def answer(self, title: str, notes: tuple[str, ...]) -> WorstCase:
        self._try("screening", self._latin_hypercube())
        if not self._seen:
            raise InputError([Fault("ranges", "no setting inside the ranges can be had together; narrow them")])
        for _ in range(ROUNDS):
            best = max(self._seen, key=lambda point: self._level(self._seen[point]))
            self._try("refinement", [self._moved(best, i, end) for i in range(len(best)) for end in (0.0, 1.0)])
        finalists = sorted(self._seen, key=lambda point: self._level(self._seen[point]), reverse=True)[:FINALISTS]
        chosen = self._choose(finalists)
        place = self._places[chosen]
        if place is None:
            raise ValueError("a setting that was simulated has a place")
        blocks = blocks_for(10 * self._budget.replicates, _CONFIRM_FROM)
        base, worst = self._simulate([self._base_place, place], blocks)
        change, mcse = worst.share.minus(base.share)
        alpha = self._question.asked_of.analyses[0].alpha
        confirmed = _confirmed(self._values(chosen), place.n, worst)
        return WorstCase(
            title=title,
            estimand=self._question.estimand,
            alpha=alpha,
            nuisances={one.path: (one.low, one.high) for one in self._nuisances},
            base=_confirmed({one.path: one.base for one in self._nuisances if one.base is not None}, self._n, base),
            worst=confirmed,
            difference=change,
            difference_mcse=mcse,
            differs=is_beyond_noise(change, mcse),
            is_above=confirmed.low > alpha,
            search_share=self._seen[chosen].share.value,
            tried=tuple(self._tried),
            impossible=sum(place is None for place in self._places.values()),
            notes=notes,
        )

    def _latin_hypercube(self) -> list[Shares]:
        """Return settings of which every nuisance takes each of as many equal parts of its range once."""
        generator = Streams(self._question.seed, 0).generator("latin_hypercube")
        m = max(self._screened, 2)
        columns = [(generator.permutation(m) + generator.random(m)) / m for _ in self._nuisances]
        return [tuple(float(x) for x in row) for row in np.array(columns).T]

    @staticmethod
    def _moved(point: Shares, i: int, end: float) -> Shares:
        return (*point[:i], end, *point[i + 1 :])

    def _values(self, point: Shares) -> dict[str, Any]:
        return {one.path: one.value(share) for one, share in zip(self._nuisances, point, strict=True)}

    def _place(self, point: Shares) -> Place | None:
        """Return what is simulated at a point, None where the scenario cannot be so."""
        settings: dict[str, Any] = {}
        for one, share in zip(self._nuisances, point, strict=True):
            settings |= one.settings(share)
        try:
            asked = self._question.at(settings)
        except InputError:
            return None
        n = asked.variant.sample_sizes[0] if "sample_size" in settings else self._n
        return Place(asked, n)

    def _try(self, stage: str, points: Sequence[Shares]) -> None:
        fresh = [point for point in dict.fromkeys(points) if point not in self._places]
        self._places |= {point: self._place(point) for point in fresh}
        todo = [(point, place) for point in fresh if (place := self._places[point]) is not None]
        samples = self._simulate([place for _, place in todo], blocks_for(self._budget.replicates))
        for (point, place), sample in zip(todo, samples, strict=True):
            if not sample.usable.any():
                continue
            self._seen[point] = sample
            share, interval = sample.share, sample.interval
            row = (share.value, share.mcse, interval.low, interval.high)
            self._tried.append(Tried(stage, self._values(point), place.n, *row))

    def _level(self, sample: Sample) -> float:
        """Return what the search goes by: the lower end of the interval, so that few usable trials promise little."""
        return sample.interval.low

    def _choose(self, finalists: Sequence[Shares]) -> Shares:
        """Return the worst finalist on draws of its own."""
        places = [place for point in finalists if (place := self._places[point]) is not None]
        samples = self._simulate(places, blocks_for(4 * self._budget.replicates, _CHOICE_FROM))
        return finalists[int(np.argmax([sample.share.value for sample in samples]))]

    def _simulate(self, places: Sequence[Place], blocks: Sequence[int]) -> list[Sample]:
        if not places:
            return []
        before = self._done

        def told(done: int, total: int) -> None:
            if self._budget.progress is not None:
                self._done = before + done
                self._budget.progress(self._done, max(self._expect(), before + total))

        return simulate(places, blocks, self._question.seed, replace(self._budget, progress=told))

    def _expect(self) -> int:
        """Return about how many pieces of work the whole search has."""
        pieces = -(-len(blocks_for(self._budget.replicates)) // 4)
        return pieces * (self._screened + ROUNDS * 2 * len(self._nuisances) + 4 * FINALISTS + 20)


def _confirmed(values: dict[str, Any], n: int, sample: Sample) -> Confirmed:
    share, interval = sample.share, sample.interval
    failed = int((~sample.usable).sum())
    return Confirmed(values, n, share.value, share.mcse, interval.low, interval.high, len(sample.found), failed)
