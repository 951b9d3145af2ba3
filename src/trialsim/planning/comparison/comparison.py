"""Simulate designs on the same virtual patients and hold them against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.engine.decided import CO_PRIMARY
from trialsim.errors import Fault, InputError
from trialsim.planning.comparison.contenders import Design, Prepared
from trialsim.planning.comparison.metrics import BUDGETS, BY_NAME, METRICS, OPERATIONAL, Simulated, Value
from trialsim.planning.comparison.operational import WITHOUT, has_operations
from trialsim.planning.comparison.pairs import differences
from trialsim.planning.comparison.questions import Question, not_the_same, questions, randomised_apart
from trialsim.planning.comparison.simulating import simulate, simulated
from trialsim.planning.comparison.standing import Rank, advantages, front, over_budget, ranks
from trialsim.planning.plain import without_nan
from trialsim.scenario.harm import is_harm
from trialsim.scenario.methods import MEASURES, power_sign
from trialsim.scenario.words import did_you_mean, listed

SCHEMA_VERSION = 1
ALONE = "the test alone"
USUAL_FRONT = ("power", "n", "control_patients")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a comparison.

    Parameters
    ----------
    reference : str or None
        Name of the design that the others are held against; the first by default.
    estimand : str or None
        The question; the first that all designs have by default.
    metric : str
        What designs are ranked by.
    front : tuple of str
        Measures of the Pareto front; by default power, patients in all and on control, and months and cost where all
        designs have them.
    target : float
        Power wanted.
    budget : mapping of str to float
        `max_patients`, `max_months`, `max_cost`.
    """

    reference: str | None = None
    estimand: str | None = None
    metric: str = "power"
    front: tuple[str, ...] = ()
    target: float = 0.8
    budget: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Designs held against each other.

    Parameters
    ----------
    title : str
    question : dict
        `estimand`, `label`, and the parts of the question as the reference asks it.
    reference, metric : str
    front_metrics : tuple of str
    target : float
    budget : dict of str to float
    replicates, seed : int
    designs : list of dict
        In the order given: who it is, its measures, rank and place towards the Pareto front.
    differences : list of dict
        One for each pair of designs.
    notes : tuple of str
    """

    title: str
    question: Mapping[str, str]
    reference: str
    metric: str
    front_metrics: tuple[str, ...]
    target: float
    budget: Mapping[str, float]
    replicates: int
    seed: int
    designs: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON's types; what does not exist is None."""
        told: dict[str, Any] = without_nan({"schema": SCHEMA_VERSION, "kind": "comparison", **asdict(self)})
        return told


def compare(
    prepared: Prepared,
    folder: Path,
    request: Request,
    *,
    replicates: int,
    workers: int = 1,
    progress: Progress | None = None,
    force: bool = False,
) -> tuple[Comparison, bool]:
    """Return a comparison, and whether anything was simulated for it.

    Parameters
    ----------
    prepared : Prepared
    folder : Path
        Run folders of the designs are below `designs`; what they hold is kept.
    request : Request
    replicates : int
        Of each design.
    workers : int
        The answer does not depend on it.
    progress : callable, optional
        Called with (blocks done, blocks in all).
    force : bool
        Run what is larger than somebody may have meant.

    Raises
    ------
    InputError
        If something asked for is not there, or designs share no estimand.
    RefusedError
        If a folder holds something else, or a design is too large.
    """
    designs = prepared.designs
    asked = questions(designs, request.estimand)
    reference = _index(designs, request.reference)
    check_request(request, designs)
    computed = simulate(prepared, folder, replicates, workers, progress, force=force)
    measured = simulated(designs, asked, folder, replicates)
    values = [{metric.name: metric.find(one) for metric in METRICS} for one in measured]
    chosen, notes = _front_metrics(request, values)
    return _told(prepared, request, asked, reference, measured, values, chosen, notes, replicates), computed


def check_request(request: Request, designs: Sequence[Design]) -> None:
    """Refuse what no design can answer, before anything is simulated.

    Raises
    ------
    InputError
    """
    faults = []
    names = [("--metric", request.metric), *(("--front", name) for name in request.front)]
    for option, name in names:
        if name not in BY_NAME:
            faults.append(Fault(option, f"there is no measure {name!r}{did_you_mean(name, BY_NAME)}"))
    if not 0.0 < request.target < 1.0:
        faults.append(Fault("--target", f"must lie between 0 and 1, not {request.target:g}"))
    for limit, value in request.budget.items():
        if not (math.isfinite(value) and value > 0.0):
            faults.append(Fault(_option(limit), f"must be above 0, not {value:g}"))
    wanted = [*names, *((_option(limit), BUDGETS[limit][0]) for limit in request.budget)]
    if not any(has_operations(design.variant) for design in designs):
        faults += [
            Fault(option, f"no design has {BY_NAME[name].within}: {WITHOUT}")
            for option, name in wanted
            if name in OPERATIONAL
        ]
    if request.reference is not None and request.reference not in {design.name for design in designs}:
        have = [design.name for design in designs]
        faults.append(
            Fault("--reference", f"there is no design {request.reference!r}{did_you_mean(request.reference, have)}")
        )
    if faults:
        raise InputError(faults)


def _option(limit: str) -> str:
    return f"--{limit.replace('_', '-')}"


def _index(designs: Sequence[Design], reference: str | None) -> int:
    names = [design.name for design in designs]
    return names.index(reference) if reference in names else 0


def _front_metrics(request: Request, values: Sequence[Mapping[str, Value]]) -> tuple[list[str], list[str]]:
    """Return the measures of the Pareto front that all designs have, and a sentence for each that is left out.

    A design in which no fit gave an estimate is on no front, and takes no measure away.
    """
    wanted = request.front or (*USUAL_FRONT, *OPERATIONAL)
    chosen, notes = [], []
    values = [value for value in values if _has_power(value)]
    for name in dict.fromkeys(wanted):
        lacking = [i for i, value in enumerate(values) if math.isnan(value[name].value)]
        if not lacking:
            chosen.append(name)
        elif request.front or len(lacking) < len(values):
            reason = values[lacking[0]][name].reason
            notes.append(f"{BY_NAME[name].words} is left out of the Pareto front: not all designs have it ({reason}).")
    return chosen, notes


def _has_power(values: Mapping[str, Value]) -> bool:
    return not math.isnan(values["power"].value)


def _told(
    prepared: Prepared,
    request: Request,
    asked: Sequence[Question],
    reference: int,
    measured: Sequence[Simulated],
    values: Sequence[Mapping[str, Value]],
    chosen: Sequence[str],
    notes: Sequence[str],
    replicates: int,
) -> Comparison:
    over = [over_budget(value, request.budget) for value in values]
    feasible = [i for i, reason in enumerate(over) if not reason]
    by_metric = advantages(BY_NAME[request.metric], measured, values)
    placed = ranks(by_metric, feasible)
    beaten = _beaten(measured, values, chosen, [i for i in feasible if _has_power(values[i])])
    rows = [_design_row(one, values[i], over[i], placed.get(i), beaten.get(i)) for i, one in enumerate(measured)]
    question = asked[reference]
    return Comparison(
        title=prepared.title,
        question={
            "estimand": question.estimand.name,
            "label": question.estimand.label,
            "measure": question.analysis.measure,
            "unit": MEASURES[question.analysis.measure].unit,
            **{part.replace(" ", "_"): words for part, words in question.words.items() if part != "measure"},
        },
        reference=prepared.designs[reference].name,
        metric=request.metric,
        front_metrics=tuple(chosen),
        target=request.target,
        budget=dict(request.budget),
        replicates=replicates,
        seed=prepared.seed,
        designs=rows,
        differences=differences(measured, reference),
        notes=(
            *prepared.notes,
            *not_the_same(prepared.designs, asked),
            *randomised_apart(prepared.designs),
            *_null_notes(measured),
            *_failures(measured),
            *_decided(measured),
            *notes,
        ),
    )


def _beaten(
    measured: Sequence[Simulated],
    values: Sequence[Mapping[str, Value]],
    chosen: Sequence[str],
    feasible: Sequence[int],
) -> dict[int, tuple[list[str], list[str]]]:
    """Return for each feasible design which others beat it on all measures: certainly, and by the values found."""
    if not feasible or not chosen:
        return {}
    found = front([advantages(BY_NAME[name], measured, values) for name in chosen], feasible)
    names = [measured[i].design.name for i in feasible]
    beaten = {}
    for place, i in enumerate(feasible):
        certain, apparent = (
            [names[j] for j in np.flatnonzero(who[:, place])] for who in (found.certain, found.apparent)
        )
        beaten[i] = (certain, apparent)
    return beaten


def _design_row(
    one: Simulated,
    values: Mapping[str, Value],
    over: str,
    rank: Rank | None,
    beaten: tuple[list[str], list[str]] | None,
) -> dict[str, Any]:
    row, design = one.row, one.design
    return {
        "name": design.name,
        "label": design.label,
        "file": design.contender.file,
        "folder": f"designs/{design.contender.folder}",
        "scenario_hash": design.contender.resolved.hash,
        "cell": design.cell.index,
        "settings": dict(design.cell.settings),
        "changes": dict(design.contender.changes),
        "arms": list(design.variant.arm_labels),
        "ratio": list(design.variant.allocation.ratio),
        "analysis": one.question.analysis.name,
        "contrast": one.question.words["contrast"],
        "outcome": one.question.words["outcome"],
        "visit_days": float(row["visit_days"]),
        "measure": one.question.analysis.measure,
        "unit": MEASURES[one.question.analysis.measure].unit,
        "null": one.null,
        "procedure": "" if one.decided is None else one.decided.procedure,
        "decided_by": [one.question.estimand.name]
        if one.decided is None
        else [str(own["estimand"]) for own in one.decided.rows],
        "harm": _harm(one),
        "true_value": float(row["true_value"]),
        "true_value_se": float(row["true_value_se"]),
        "mean_estimate": float(row["mean_estimate"]),
        "mean_estimate_mcse": float(row["mean_estimate_mcse"]),
        "power_low": values["power"].low,
        "power_high": values["power"].high,
        "usable": one.usable,
        "failed": one.failed,
        "metrics": {name: value._asdict() for name, value in values.items()},
        "rank": None if rank is None else asdict(rank),
        "feasible": not over,
        "over_budget": over,
        "on_front": beaten is not None and not beaten[0],
        "beaten_by": [] if beaten is None else beaten[0],
        "apparently_beaten_by": [] if beaten is None else beaten[1],
    }


def _harm(one: Simulated) -> dict[str, Any] | None:
    """Return the true effect that surely lies on the wrong side, of co-primary hypotheses the first that does."""
    rows = [one.row] if one.decided is None else one.decided.rows
    by_name = {estimand.name: estimand for estimand in one.design.variant.estimands}
    for row in rows:
        estimand, measure = by_name[str(row["estimand"])], str(row["measure"])
        value, error = float(row["true_value"]), float(row["true_value_se"])
        if is_harm(estimand, measure, value, error):
            sides = {"active": estimand.active, "control": estimand.control, "arm_weights": list(estimand.arm_weights)}
            return {"label": estimand.label, **sides, "measure": measure, "true_value": value, "true_value_se": error}
    return None


def _null_notes(measured: Sequence[Simulated]) -> list[str]:
    """Return what power is in the designs with nothing to find: the type I error, or the part of it that counts."""
    nulls = [one for one in measured if one.null]
    together = [one for one in nulls if one.decided is not None and one.decided.procedure == CO_PRIMARY]
    return [*_co_primary_nulls(together), *_own_nulls([one for one in nulls if one not in together])]


def _co_primary_nulls(nulls: Sequence[Simulated]) -> list[str]:
    if not nulls:
        return []
    names = listed([one.design.name for one in nulls])
    return [
        f"Not all co-primary hypotheses have something to find in {names}: power there is the type I error, of trials "
        "that find all of them all the same."
    ]


def _own_nulls(nulls: Sequence[Simulated]) -> list[str]:
    if not nulls:
        return []
    errors = listed(
        [
            f"{one.design.name} (type I error of the test {100 * one.row['type_i_error']:.1f} % ± "
            f"{100 * one.row['type_i_error_mcse']:.1f})"
            for one in nulls
        ]
    )
    sides = [power_sign(one.question.estimand, one.question.analysis.measure, 0.0) for one in nulls]
    what = "power there counts the false claims of benefit alone" if any(sides) else "power there is that error"
    return [f"There is nothing to find in {errors}: {what}."]


def _failures(measured: Sequence[Simulated]) -> list[str]:
    """Return the sentence on designs with fits that failed: these leave the power, and are no misses."""
    failed = [f"{one.failed:,} in {one.design.name}" for one in measured if one.failed]
    if not failed:
        return []
    return [f"Fits failed ({listed(failed)}, of {int(measured[0].row['replicates']):,}); power is over the others."]


def _decided(measured: Sequence[Simulated]) -> list[str]:
    """Return what power is of, where hypotheses are tested together in any design."""
    told: dict[str, list[str]] = {}
    for one in measured:
        told.setdefault(_decided_words(one), []).append(one.design.name)
    if list(told) == [ALONE]:
        return []
    if len(told) == 1:
        words = next(iter(told))
        return [f"Power is that of {words}; that of the test alone, at its own level (power_alone), is beside it."]
    each = "; ".join(f"in {listed(names)} that of {words}" for words, names in told.items())
    return [f"Power is not of the same in all designs: {each}. That of the test alone (power_alone) is beside it."]


def _decided_words(one: Simulated) -> str:
    plan, name = one.design.variant.multiplicity, one.question.estimand.name
    if plan is None:
        return ALONE
    procedure = plan.method.replace("_", " ")
    if one.decided is None:
        return f"the test of {name} alone, which is outside the procedure ({procedure}) that decides the trial"
    if plan.method == CO_PRIMARY:
        return (
            f"trials that find all co-primary hypotheses ({listed([str(row['estimand']) for row in one.decided.rows])})"
        )
    return f"{name} within the procedure ({procedure})"
