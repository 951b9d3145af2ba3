"""One simulated trial of a run to look into: its patients, how they went through it, and what its analyses said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from trialsim.engine.block import CellBlock, analyse_block, draw_blocks
from trialsim.engine.estimates import estimates_content, trial_rows
from trialsim.engine.opening import RunFolder
from trialsim.engine.parts import find_parts, is_whole
from trialsim.engine.plan import Cell, Unit, cells
from trialsim.errors import Fault, InputError
from trialsim.patients.cohort import Cohort
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE, Streams

EVERYBODY = "all"
"""Stands for the arm of a row about all patients."""


class Inspected(NamedTuple):
    """A simulated trial.

    Attributes
    ----------
    cell : Cell
    variant : Variant
    replicate : int
    cohort : Cohort
        With R = 1.
    analyses : list of dict
        One row per hypothesis, with the columns of estimates.parquet.
    stored : list of dict or None
        The same as the run folder holds it; None where its block is not there.
    """

    cell: Cell
    variant: Variant
    replicate: int
    cohort: Cohort
    analyses: list[dict[str, Any]]
    stored: list[dict[str, Any]] | None

    @property
    def as_stored(self) -> bool | None:
        """Whether the analyses give the stored estimates to the bit; None where none are stored."""
        return None if self.stored is None else _bits(self.analyses) == _bits(self.stored)


class FlowRow(NamedTuple):
    """Patients at one stage of a trial, of one arm or of all."""

    stage: str
    arm: str
    patients: int


def inspect(run: RunFolder, *, replicate: int, cell: int) -> Inspected:
    """Return one simulated trial of a run, its block drawn and analysed again.

    Parameters
    ----------
    run : RunFolder
    replicate : int
        From 0.
    cell : int
        Its number in the summary.

    Raises
    ------
    InputError
        If the run has no such cell or replicate.
    """
    listed = cells(run.resolved.variants)
    faults = []
    if not 0 <= cell < len(listed):
        faults.append(Fault("cell", f"must be one of 0 to {len(listed) - 1}; got {cell}"))
    if not 0 <= replicate < run.replicates:
        faults.append(Fault("replicate", f"must be one of 0 to {run.replicates - 1}; got {replicate}"))
    if faults:
        raise InputError(faults)
    chosen = listed[cell]
    variant, (block, row) = run.resolved.variants[chosen.variant], divmod(replicate, BLOCK_SIZE)
    unit = Unit(variant.index, block)
    blocks: list[CellBlock] = []
    trials: list[Cohort] = []
    for drawn in draw_blocks(variant, run.resolved.hash, Streams(run.resolved.seed, block)):
        blocks += analyse_block(drawn.variant, drawn.cohort)
        if chosen.n in drawn.variant.sample_sizes:
            trials.append(drawn.cohort.trial(row, chosen.n))
    [trial] = trials
    content = estimates_content(variant, run.resolved.hash, unit, blocks)
    path = find_parts(run.path).get(unit, {}).get("estimates")
    kept = path.read_bytes() if path is not None and is_whole(path) else None
    analyses = trial_rows(content, variant, chosen, replicate)
    stored = trial_rows(kept, variant, chosen, replicate) if kept is not None else None
    return Inspected(chosen, variant, replicate, trial, analyses, stored)


def _bits(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with numbers as their bits, so that NaN equals NaN and 0.0 is not -0.0."""
    return [{name: value.hex() if isinstance(value, float) else value for name, value in row.items()} for row in rows]


def flow(trial: Inspected) -> list[FlowRow]:
    """Return how patients went through a trial, in the order of a CONSORT diagram.

    Parameters
    ----------
    trial : Inspected
    """
    cohort, variant = trial.cohort, trial.variant
    found = [*_entered(cohort), FlowRow("randomised", EVERYBODY, cohort.arm.shape[1])]
    for a, arm in enumerate(variant.arms):
        found.extend(FlowRow(stage, arm, count) for stage, count in _through(cohort, variant, a))
    for row in trial.analyses:
        stage = f"analysed: {row['estimand']}, {row['method']}"
        found.append(FlowRow(stage, EVERYBODY, row["n_analysed"]))
    return found


def _entered(cohort: Cohort) -> Iterator[FlowRow]:
    if "screened" not in cohort.records:
        return
    screened = int(cohort.records["screened"][0].sum())
    run_in = int(cohort.records["excluded_in_run_in"][0].sum()) if "excluded_in_run_in" in cohort.records else 0
    yield FlowRow("screened", EVERYBODY, screened)
    yield FlowRow("not eligible", EVERYBODY, screened - run_in - cohort.arm.shape[1])
    if "excluded_in_run_in" in cohort.records:
        yield FlowRow("left in the run-in", EVERYBODY, run_in)


def _through(cohort: Cohort, variant: Variant, arm: int) -> Iterator[tuple[str, int]]:
    """Yield the stages of one arm: allocated, started, seen at each visit, completed or left."""
    own = cohort.arm[0] == arm
    present = cohort.present[0][own]
    yield "allocated", int(own.sum())
    if cohort.started is not None:
        begun = cohort.started[0][own]
        yield "started treatment", int(begun.sum())
        yield "did not start", int((~begun).sum())
    for v, day in enumerate(variant.visits_days):
        yield f"seen on day {day:g}", int(present[:, v].sum())
    for name, visit in cohort.event_visit.items():
        yield f"with event: {name}", int((visit[0][own] < len(variant.visits_days)).sum())
    stayed = cohort.followed[0][own] == present.shape[1]
    yield "stayed to the last visit", int(stayed.sum())
    yield "left before the last visit", int((~stayed).sum())
