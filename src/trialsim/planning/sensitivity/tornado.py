"""One assumption at a time from one end of its plausible range to the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from trialsim.errors import Fault, InputError
from trialsim.planning.plain import without_nan
from trialsim.planning.sampling import nothing_to_find
from trialsim.planning.sensitivity.null import without_effect
from trialsim.planning.sensitivity.trials import (
    NO_ESTIMATE,
    Budget,
    Measured,
    Place,
    Question,
    Sample,
    alone_notes,
    blocks_for,
    checked_size,
    is_beyond_noise,
    simulate,
    size_for,
    words_of,
)
from trialsim.planning.size import required_size
from trialsim.scenario import Scenario, resolve
from trialsim.scenario.at_value import at_values
from trialsim.scenario.plausible import Assumption, assumptions

TornadoMetric = Literal["power", "n", "bias", "type_i_error"]

NOT_REACHED = "cannot be reached"
"""In the reason why no number of patients is enough."""

_SIZE_PRECISION = 0.05
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class End:
    """What one end of a range gives.

    Parameters
    ----------
    end : {'low', 'high'}
    value : object
        Plain data.
    measure, mcse : float or None
        None where the end cannot be had.
    change, change_mcse : float or None
        From the scenario's own value; the error is paired: both have the same patients.
    beyond_noise : bool
    null : bool
        Whether there is nothing to find at the end, so that a power is the type I error.
    problem : str
        Why the end cannot be had; empty where it can.
    """

    end: Literal["low", "high"]
    value: Any
    measure: float | None
    mcse: float | None
    change: float | None
    change_mcse: float | None
    beyond_noise: bool
    null: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One assumption of a tornado."""

    path: str
    base: Any
    low: End
    high: End
    swing: float | None
    source: str
    quantity: str | None
    tag: str | None
    citation: str | None
    basis: str


@dataclass(frozen=True, slots=True, eq=False)
class Tornado:
    """What the answer hangs on, largest first.

    Parameters
    ----------
    title, estimand : str
    metric : {'power', 'n', 'bias', 'type_i_error'}
    test : {'superiority', 'non_inferiority', 'equivalence'}
    n : int or None
        Number randomised; None where it is what is asked.
    replicates : int
        Of each setting.
    target : float
        Power that `n` is for.
    base, base_mcse : float
        With the scenario's own values.
    base_null : bool
        Whether there is nothing to find with them.
    bars : tuple of Bar
    notes : tuple of str
    procedure : str
        The multiplicity procedure that power is within; empty for the test alone.
    members : int
        Hypotheses that a success finds.
    """

    title: str
    estimand: str
    metric: TornadoMetric
    test: Literal["superiority", "non_inferiority", "equivalence"]
    n: int | None
    replicates: int
    target: float
    base: float
    base_mcse: float
    base_null: bool
    bars: tuple[Bar, ...]
    notes: tuple[str, ...]
    procedure: str = ""
    members: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "tornado", **asdict(self)})
        return told


class Reading(tuple[float, float]):
    """A measure and its standard error."""


def tornado(
    scenario: Scenario,
    *,
    budget: Budget,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    metric: TornadoMetric = "power",
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
) -> Tornado:
    """Return how a measure moves as each assumption goes over its plausible range, one at a time.

    Parameters
    ----------
    scenario : Scenario
    budget : Budget
    ranges : mapping of str to (low, high), optional
        By hand, beside those of the scenario's `sensitivity` and of the evidence catalogue.
    metric : {'power', 'n', 'bias', 'type_i_error'}
        For `n` (the number that `target` power takes) a search is made at every end; for the type I error every effect
        is 0.
    estimand : str
    n : int, optional
        Number randomised; by default the scenario's, the one nearest the target of several.
    target : float

    Raises
    ------
    InputError
        If a range by hand cannot be, or a number is out of range.
    """
    question = Question(scenario, estimand, within=metric == "power")
    found = assumptions_of(question, ranges)
    own = question
    if n is not None:
        checked_size(own.resolved.variants[0], n)
    if metric == "type_i_error":
        found = [one for one in found if not one.is_effect]
        question = Question(without_effect(scenario, estimand), estimand)
    if metric == "n" and question.estimand != question.resolved.variants[0].estimands[0].name:
        raise InputError(_only_primary(question))  # the search asks the first estimand
    budget.begin()
    if metric == "n":
        return _by_size(question, found, budget, target)
    at = size_for(own, n, target, budget)
    settings = [(a, share) for a in found for share in (0.0, 1.0)]
    problems: dict[int, str] = {}
    places, where = [question.place({}, at)], {}
    for position, (one, share) in enumerate(settings):
        try:
            place = question.place(one.settings(share), at)
        except InputError as error:
            problems[position] = words_of(error)
            continue
        where[position] = len(places)
        places.append(place)
    blocks = blocks_for(budget.replicates)
    samples = simulate(places, blocks, question.seed, budget)
    measured = [_measure(question, place, sample, metric) for place, sample in zip(places, samples, strict=True)]
    ends = []
    for i, (one, share) in enumerate(settings):
        end = _end(one, share, measured[where[i]] if i in where else None, measured[0], problems.get(i, ""))
        ends.append(replace(end, null=i in where and places[where[i]].null))
    null = places[0].null
    return _tornado(question, metric, at, len(samples[0].found), target, measured[0], found, ends, null=null)


def assumptions_of(question: Question, ranges: Mapping[str, Sequence[Any]] | None) -> list[Assumption]:
    """Return the assumptions that a question hangs on, with their ranges."""
    variant = question.resolved.variants[0]
    asked = question.at({})
    members = [asked.variant.estimands[member.estimand] for member in asked.members]
    needed = {variant.outcomes[one.outcome] for one in members if one.endpoint.kind != "count"}
    if variant.dropout is not None:
        needed.add(variant.outcomes[variant.dropout.outcome])
    return assumptions(question.resolved, ranges, outcomes=needed)


def _measure(question: Question, place: Place, sample: Sample, metric: TornadoMetric) -> Measured:
    return sample.bias(question.truth(place.asked)) if metric == "bias" else sample.share


def _end(one: Assumption, share: float, measured: Measured | None, base: Measured, problem: str) -> End:
    name: Literal["low", "high"] = "low" if share == 0.0 else "high"
    if measured is None or math.isnan(measured.value):
        problem = problem or NO_ESTIMATE
        return End(name, one.value(share), None, None, None, None, False, False, problem)
    if math.isnan(base.value):
        return End(name, one.value(share), measured.value, measured.mcse, None, None, False, False, "")
    change, mcse = measured.minus(base)
    moves = is_beyond_noise(change, mcse)
    return End(name, one.value(share), measured.value, measured.mcse, change, mcse, moves, False, "")


def _tornado(
    question: Question,
    metric: TornadoMetric,
    n: int | None,
    replicates: int,
    target: float,
    base: Measured | Reading,
    found: Sequence[Assumption],
    ends: Sequence[End],
    *,
    null: bool = False,
) -> Tornado:
    value, mcse = (base.value, base.mcse) if isinstance(base, Measured) else base
    bars = [_bar(one, low, high, value) for one, low, high in zip(found, ends[::2], ends[1::2], strict=True)]
    bars.sort(key=lambda bar: _rank(bar, metric), reverse=True)
    notes = _notes(question, metric, found, null=null)
    if metric != "n" and math.isnan(value):
        notes = (f"With the scenario's own values {NO_ESTIMATE}, so there are no changes from them.", *notes)
    title, test = question.scenario.title, question.asked_of.hypothesis.kind
    asked = question.at({})
    if metric in ("bias", "type_i_error") or (metric == "power" and not asked.procedure):
        what = {"bias": "Bias", "type_i_error": "The type I error"}.get(metric, "Power")
        notes = (*notes, *alone_notes(question, what))
    return Tornado(
        title,
        question.estimand,
        metric,
        test,
        n,
        replicates,
        target,
        value,
        mcse,
        null,
        tuple(bars),
        notes,
        procedure=asked.procedure,
        members=len(asked.members),
    )


def _notes(question: Question, metric: TornadoMetric, found: Sequence[Assumption], *, null: bool) -> tuple[str, ...]:
    """Return what a reader of the bars must know: that nothing is to be found, or that a range is not there."""
    notes = []
    if metric == "power" and (why := nothing_to_find(question.at({})) or ("there is nothing to find" if null else "")):
        what = "the number is the type I error" if null else "the share of trials that claim it is no power"
        notes.append(f"With the scenario's own values {why}: {what}.")
    if not found:
        notes.append("No value here has a plausible range: give ranges with --range or under sensitivity.")
    elif metric != "type_i_error" and not any(one.is_effect for one in found):
        notes.append(
            "What the treatment does has no plausible range here, so it is not among these: give one with --range or "
            "under sensitivity."
        )
    return tuple(notes)


def _rank(bar: Bar, metric: TornadoMetric) -> float:
    """Return how far up a bar stands: on top where no number of patients is enough at an end."""
    if metric == "n" and any(NOT_REACHED in end.problem for end in (bar.low, bar.high)):
        return math.inf
    return -1.0 if bar.swing is None else bar.swing


def _bar(one: Assumption, low: End, high: End, base: float) -> Bar:
    values = [x for x in (base, low.measure, high.measure) if x is not None and not math.isnan(x)]
    swing = max(values) - min(values) if len(values) > 1 else None
    return Bar(one.path, one.base, low, high, swing, one.source, one.quantity, one.tag, one.citation, one.basis)


# The number of patients ------------------------------------------------------------------------------------------


def _by_size(question: Question, found: Sequence[Assumption], budget: Budget, target: float) -> Tornado:
    total = 1 + 2 * len(found)
    base, reason = _size(question, {}, budget, target)
    done = _told(budget, 1, total)
    ends = []
    for one in found:
        for share in (0.0, 1.0):
            try:
                reading, problem = _size(question, one.settings(share), budget, target)
            except InputError as error:
                reading, problem = None, words_of(error)
            ends.append(_size_end(one, share, reading, base, problem))
            done = _told(budget, done + 1, total)
    shown = base if base is not None else Reading((math.nan, math.nan))
    answer = _tornado(question, "n", None, 0, target, shown, found, ends)
    notes = (*answer.notes, *([f"With the scenario's own values: {reason}"] if base is None else []))
    return Tornado(**{**{name: getattr(answer, name) for name in Tornado.__slots__}, "notes": notes})


def _only_primary(question: Question) -> list[Fault]:
    first = question.resolved.variants[0].estimands[0].name
    return [Fault("estimand", f"the number of patients is searched for the first estimand, {first}, only")]


def _told(budget: Budget, done: int, total: int) -> int:
    if budget.progress is not None:
        budget.progress(done, total)
    return done


def _size(question: Question, settings: Mapping[str, Any], budget: Budget, target: float) -> tuple[Reading | None, str]:
    resolved = resolve(at_values(question.scenario, settings)) if settings else question.resolved
    answer = required_size(resolved, power=target, precision=_SIZE_PRECISION, workers=budget.workers)
    if answer.n_exact is None:
        return None, answer.reason
    half = 0.0 if answer.half_width is None or math.isnan(answer.half_width) else answer.half_width
    return Reading((answer.n_exact, half * answer.n_exact / _Z95)), ""


def _size_end(one: Assumption, share: float, reading: Reading | None, base: Reading | None, problem: str) -> End:
    name: Literal["low", "high"] = "low" if share == 0.0 else "high"
    value = one.value(share)
    if reading is None:
        return End(name, value, None, None, None, None, False, False, problem)
    if base is None:
        return End(name, value, reading[0], reading[1], None, None, False, False, "")
    change, mcse = reading[0] - base[0], math.hypot(reading[1], base[1])
    return End(name, value, reading[0], reading[1], change, mcse, is_beyond_noise(change, mcse), False, "")
