"""Between the search and the engine: what is wanted, the simulated answers, and the words for how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.successes import Asked, Successes, Unit, run
from trialsim.engine.truth import Truth, is_null, truth_of
from trialsim.errors import Fault, InputError, as_share
from trialsim.kernels.montecarlo import wilson_interval
from trialsim.patients.dropout import missing_by_visit
from trialsim.planning.curve import Count, Trials, Tried
from trialsim.planning.search import FIRST_BLOCKS, Z95, Aim, Found, Task
from trialsim.scenario.harm import is_harm
from trialsim.scenario.methods import MEASURES
from trialsim.streams import BLOCK_SIZE

POWERS = (0.1, 0.99)
PRECISIONS = (0.002, 0.5)
MOST_TRIALS = 400_000
LEAST_TRIALS = BLOCK_SIZE * (2 + 3 * FIRST_BLOCKS)
"""Two blocks on both sides of the target, and the first round at three places: without them there is no answer."""

HARM = "is a harm, and no power counts against it"
AT_ZERO = "is 0, so there is nothing to find"
AT_MARGIN = "reaches the margin, so there is nothing to find"

Parts = Callable[[tuple[float, ...]], tuple[tuple[Asked, tuple[int, ...]], ...]]


class Sampler:
    """Answers the search by simulating blocks.

    Parameters
    ----------
    parts : callable
        From places to the variants, and the sizes of each, in the order of the places.
    seed, workers : int
    """

    def __init__(self, parts: Parts, seed: int, workers: int) -> None:
        self._parts, self._seed, self._workers = parts, seed, workers
        self._missing: list[NDArray[np.float64]] = []

    def __call__(self, tasks: Sequence[Task]) -> list[list[Tried]]:
        """Return what each task tried."""
        units = [Unit(i, task.block, self._parts(task.places)) for i, task in enumerate(tasks)]
        answers = run(units, self._seed, self._workers)
        self._missing += [successes.missing for answer in answers for successes in answer]
        return [
            [_tried(place, one) for place, one in zip(task.places, answer, strict=True)]
            for task, answer in zip(tasks, answers, strict=True)
        ]

    def once(self, place: float, hypothesis: int = 0) -> Found:
        """Return what one block shows of a hypothesis where there is nothing to search for."""
        trials = Trials()
        ((tried,),) = self([Task(0, (place,))])
        trials.add(0, tried)
        return Found("unreachable", hypothesis, None, trials)

    def share_missing(self, member: int) -> float:
        """Return the share of the randomised without a score at the visit of a member, over all trials."""
        return float(np.mean([missing[member] for missing in self._missing]))


def _tried(place: float, successes: Successes) -> Tried:
    return Tried(place, successes.found, successes.usable)


def aim_of(asked: Asked, power: float, precision: float, most_trials: int) -> Aim:
    """Return what a search is to find.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    faults = [
        Fault(name, f"must lie between {ends[0]:g} and {ends[1]:g}; got {value:g}{as_share(value, ends[1])}")
        for name, value, ends in (("power", power, POWERS), ("precision", precision, PRECISIONS))
        if not ends[0] <= value <= ends[1]
    ]
    if most_trials < LEAST_TRIALS:
        faults.append(
            Fault(
                "budget",
                f"must be at least {LEAST_TRIALS:,} simulated trials, which a first answer takes; got {most_trials:,}",
            )
        )
    if faults:
        raise InputError(faults)
    return Aim(power, precision, most_trials, _power_at_0(asked))


def _power_at_0(asked: Asked) -> float:
    """Return about how often nothing is found to be something; the search only takes its first steps by it."""
    plan, first = asked.variant.multiplicity, asked.variant.estimands[asked.members[0].estimand]
    alpha = first.analyses[asked.members[0].analysis].alpha if plan is None else plan.alpha / len(asked.members)
    if first.hypothesis.kind == "equivalence":
        return 0.0005
    return (0.5 * alpha) ** (2 if asked.together and len(asked.members) > 1 else 1)


def nothing_to_find(asked: Asked) -> str:
    """Return why no number of patients is enough, by the true values; empty where some may be.

    That there is nothing is told by values that the model gives exactly; that there is a harm by simulated ones too.
    """
    return next((f"{true_effect_words(asked, member)} {told}" for member, told in _blocking(asked)), "")


def never_found(asked: Asked) -> str:
    """Return the same of an effect that is a harm or 0; one that reaches a margin may do so less at a smaller value."""
    sure = ((member, told) for member, told in _blocking(asked) if told != AT_MARGIN)
    return next((f"{true_effect_words(asked, member)} {told}" for member, told in sure), "")


def blocking(asked: Asked) -> int:
    """Return the place of the first hypothesis of what is asked that no number of patients finds; 0 without one."""
    return next((asked.members.index(member) for member, _ in _blocking(asked)), 0)


def _blocking(asked: Asked) -> Iterator[tuple[Hypothesis, str]]:
    """Yield the hypotheses that no number of patients finds, and what their true effect is."""
    for member in asked.members:
        estimand = asked.variant.estimands[member.estimand]
        truth = truth_of(asked.variant, member)
        if truth.se == 0.0 and is_null(truth, asked.variant, member):
            yield member, AT_ZERO if estimand.hypothesis.margin is None else AT_MARGIN
        elif is_harm(estimand, estimand.analyses[member.analysis].measure, truth.value, truth.se):
            yield member, HARM


def true_effect_words(asked: Asked, member: Hypothesis) -> str:
    """Return the true effect of a hypothesis with its name, as part of a sentence."""
    estimand = asked.variant.estimands[member.estimand]
    told = _value_words(truth_of(asked.variant, member), estimand.analyses[member.analysis].measure)
    return f"the true effect of {estimand.name} ({told})"


def _value_words(truth: Truth, measure: str) -> str:
    """Return a true value with its unit, and with its Monte Carlo error where it has one."""
    words, unit, _ = MEASURES[measure]
    factor = 100.0 if unit == "risk" else 1.0
    value = f"{factor * truth.value:+g}" if truth.value else "0"
    if truth.se > 0.0:
        value = f"{factor * truth.value:+.3g} ± {factor * truth.se:.1g}"
    told = {"points": "points", "risk": "percentage points", "days": "days"}
    return f"{value} {told[unit]}" if unit in told else f"{words} {value}"


def nobody_seen(asked: Asked) -> str:
    """Return why no trial can be analysed, however large: all have left by then; empty where some are there."""
    variant = asked.variant
    if variant.dropout is None:
        return ""
    gone = missing_by_visit(variant.dropout, variant.visits_days)
    for member in asked.members:
        estimand = variant.estimands[member.estimand]
        scores_alone = estimand.endpoint.kind == "score" and estimand.endpoint.dropout == "hypothetical"
        if scores_alone and gone[estimand.visit] >= 1.0:
            return f"all have left by the visit of {estimand.name}, so no trial can be analysed"
    return ""


def called(asked: Asked, hypothesis: int) -> str:
    """Return the name of what needs most: a hypothesis, or all of them together."""
    names = [name_of(asked, member) for member in asked.members]
    return " and ".join(names) if asked.together else names[hypothesis]


def name_of(asked: Asked, member: Hypothesis) -> str:
    """Return the name of a hypothesis: of its estimand, and of its analysis unless that is the first."""
    estimand = asked.variant.estimands[member.estimand]
    return estimand.name if member.analysis == 0 else f"{estimand.name}.{estimand.analyses[member.analysis].name}"


def why(found: Found, aim: Aim, end: float, shown: Callable[[float], str]) -> str:
    """Return how a search ended, in a sentence; empty where the precision was reached.

    Parameters
    ----------
    found : Found
    aim : Aim
    end : float
        The largest place of the search.
    shown : callable
        From a place to words, such as `100,000 patients`.
    """
    best, largest, most = found.best, shown(end), highest(found, shown)
    match found.status:
        case "found":
            return ""
        case "spent":
            return (
                f"The budget of {aim.most_trials:,} simulated trials was spent before there was an answer.{most} A "
                "larger budget goes on."
            )
        case "budget":
            return (
                f"The budget of {aim.most_trials:,} simulated trials was spent first: the interval is "
                f"±{100 * found.half_width:.2g} % instead of ±{100 * aim.precision:.2g} %. A larger budget goes on."
            )
        case "smallest":
            return f"Fewer are not tried, and here the power is {_percent(best)} already." if best else ""
        case "no_fits":
            return f"The power of {100 * aim.power:g} % cannot be reached: up to {largest} no trial could be analysed."
        case "flat":
            return f"Power does not rise to {100 * aim.power:g} % in a way that says where.{most}"
    tried = max((count.place for count in found.trials.counts(found.hypothesis)), default=end)
    beyond = "" if tried >= end else f" From what was simulated, up to {shown(tried)}, it is not in sight."
    return f"The power of {100 * aim.power:g} % cannot be reached with up to {largest}.{most}{beyond}"


def highest(found: Found, shown: Callable[[float], str]) -> str:
    """Return the highest power that was seen as a sentence, with a space before it; empty where none was."""
    best = found.best
    return "" if best is None else f" The highest power seen is {_percent(best)}, with {shown(best.place)}."


def claimed(found: Found, shown: Callable[[float], str]) -> str:
    """Return how often nothing was claimed to be something, as `highest` tells of a power."""
    best = found.best
    return "" if best is None else f" With {shown(best.place)} {_percent(best)} of trials claim it all the same."


def _percent(count: Count) -> str:
    return f"{100 * count.found / count.usable:.1f} %"


def curve_rows(found: Found, places: Callable[[float], float]) -> list[dict[str, Any]]:
    """Return the power curve as rows: fitted from the least to the largest place tried near the root, and as tried.

    Parameters
    ----------
    found : Found
    places : callable
        From places of the search to what is shown.
    """
    counts = [count for count in found.trials.counts(found.hypothesis) if count.usable]
    rows: list[dict[str, Any]] = []
    if found.curve is not None:
        around = [c.place for c in counts if 0.5 < c.place / found.curve.place < 2.0] or [found.curve.place]
        grid = np.linspace(min(around), max(around), 101)
        power, low, high = found.curve.band(grid, Z95)
        rows += [
            {"kind": "fitted", "at": places(x), "power": p, "low": a, "high": b, "replicates": None, "failed": None}
            for x, p, a, b in zip(*(part.tolist() for part in (grid, power, low, high)), strict=True)
        ]
    return rows + [_row(count, places) for count in counts]


def _row(count: Count, places: Callable[[float], float]) -> dict[str, Any]:
    interval = wilson_interval(count.found, count.usable)
    return {
        "kind": "simulated",
        "at": places(count.place),
        "power": count.found / count.usable,
        "low": interval.low,
        "high": interval.high,
        "replicates": count.replicates,
        "failed": count.replicates - count.usable,
    }


def rounded_up(x: float, step: int) -> int:
    """Return the smallest multiple of a step that is not below a number."""
    return step * math.ceil(x / step - 1e-9)
