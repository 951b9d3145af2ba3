"""Two assumptions at once: a measure over a grid of both ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trialsim.errors import Fault, InputError
from trialsim.planning.plain import without_nan
from trialsim.planning.sensitivity.null import without_effect
from trialsim.planning.sensitivity.tornado import assumptions_of
from trialsim.planning.sensitivity.trials import (
    NO_ESTIMATE,
    Budget,
    Place,
    Question,
    alone_notes,
    blocks_for,
    checked_size,
    simulate,
    size_for,
    words_of,
)
from trialsim.scenario import Scenario
from trialsim.scenario.plausible import Assumption
from trialsim.scenario.words import did_you_mean

STEPS = (2, 15)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One cell: values of both assumptions, the share of trials that find it, or why there is none.

    Beside the share stand its error and Wilson's 95 % interval. Where there is nothing to find (`null`) the share is
    the type I error.
    """

    row: Any
    column: Any
    share: float | None
    mcse: float | None
    low: float | None
    high: float | None
    null: bool
    problem: str


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """A measure over two assumptions.

    Parameters
    ----------
    title, estimand, metric
        As of a tornado.
    test : {'superiority', 'non_inferiority', 'equivalence'}
    rows, columns : str
        Paths.
    n, replicates : int
    cells : tuple of HeatCell
        Rows outside, columns inside.
    notes : tuple of str
    procedure : str
        The multiplicity procedure that power is within; empty for the test alone.
    members : int
        Hypotheses that a success finds.
    """

    title: str
    estimand: str
    metric: Literal["power", "type_i_error"]
    test: Literal["superiority", "non_inferiority", "equivalence"]
    rows: str
    columns: str
    n: int
    replicates: int
    target: float
    cells: tuple[HeatCell, ...]
    notes: tuple[str, ...] = ()
    procedure: str = ""
    members: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "heat_map", **asdict(self)})
        return told


def heat_map(
    scenario: Scenario,
    rows: str,
    columns: str,
    *,
    budget: Budget,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    metric: Literal["power", "type_i_error"] = "power",
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    steps: int = 5,
) -> HeatMap:
    """Return power (or type I error) over a grid of two assumptions, all cells with the same patients.

    Parameters
    ----------
    scenario : Scenario
    rows, columns : str
        Paths that have a range, by hand or in the catalogue.
    budget, ranges, metric, estimand, n, target
        As of `tornado`.
    steps : int
        Values of each, from one end to the other.

    Raises
    ------
    InputError
        If a path has no range, or both are one.
    """
    if not STEPS[0] <= steps <= STEPS[1]:
        raise InputError([Fault("steps", f"must lie between {STEPS[0]} and {STEPS[1]}; got {steps}")])
    question = Question(scenario, estimand, within=metric == "power")
    known = {one.path: one for one in assumptions_of(question, ranges)}
    first, second = (_known(path, known) for path in (rows, columns))
    if set(first.low_settings) & set(second.low_settings):
        raise InputError([Fault(columns, f"sets the same value as {rows}; name two different ones")])
    own = question
    if n is not None:
        checked_size(own.resolved.variants[0], n)
    if metric == "type_i_error":
        question = Question(without_effect(scenario, estimand), estimand)
    budget.begin()
    at = size_for(own, n, target, budget)
    shares = [i / (steps - 1) for i in range(steps)]
    places: list[Place] = []
    cells: list[tuple[Any, Any, int | None, str]] = []
    for a in shares:
        for b in shares:
            settings = {**first.settings(a), **second.settings(b)}
            try:
                place = question.place(settings, at)
            except InputError as error:
                cells.append((first.value(a), second.value(b), None, words_of(error)))
                continue
            cells.append((first.value(a), second.value(b), len(places), ""))
            places.append(place)
    samples = simulate(places, blocks_for(budget.replicates), question.seed, budget)
    shown = []
    for row, column, i, problem in cells:
        null = i is not None and places[i].null
        if i is None or math.isnan((share := samples[i].share).value):
            shown.append(HeatCell(row, column, None, None, None, None, null, problem or NO_ESTIMATE))
        else:
            shown.append(HeatCell(row, column, share.value, share.mcse, *samples[i].interval, null, ""))
    replicates = len(blocks_for(budget.replicates)) * 250
    test = own.asked_of.hypothesis.kind
    asked = own.at({})
    what = "The type I error" if metric == "type_i_error" else "Power"
    notes = () if asked.procedure else alone_notes(own, what)
    return HeatMap(
        scenario.title,
        estimand,
        metric,
        test,
        rows,
        columns,
        at,
        replicates,
        target,
        tuple(shown),
        notes,
        procedure=asked.procedure,
        members=len(asked.members),
    )


def _known(path: str, known: Mapping[str, Assumption]) -> Assumption:
    if path not in known:
        hint = did_you_mean(path, list(known))
        raise InputError([Fault(path, f"has no range; give one with --range {path}=low,high{hint}")])
    return known[path]
