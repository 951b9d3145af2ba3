"""Carry out a run: compute the blocks that are missing, merge them, sum them up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trialsim.engine.aggregate import summarise_cell
from trialsim.engine.backends import run_units
from trialsim.engine.blinding import summarise_blinding, write_guesses
from trialsim.engine.block import CellBlock, analyse_block, draw_blocks
from trialsim.engine.families import summarise_family
from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.manifest import build_manifest, check_folder, read_json
from trialsim.engine.operations_block import OperationsBlock, operations_block
from trialsim.engine.operations_files import merge_operations, write_operations_part
from trialsim.engine.plan import Unit, cells, units
from trialsim.engine.safety import SafetyBlock, safety_block
from trialsim.engine.safety_files import cell_rows, write_safety_part
from trialsim.engine.store import merge_parts, write_json, write_part, write_rows
from trialsim.engine.truth import Truth, Truths, true_values
from trialsim.scenario.resolved import Resolved, Variant
from trialsim.streams import Streams

RESULTS = ("estimates.parquet", "summary.parquet", "summary.csv")
"""What a finished run folder holds besides its manifest, run.json and parts, before anything is drawn."""

Progress = Callable[[int, int], None]
"""Called with (units done, units in all)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a call of `execute` did.

    Parameters
    ----------
    folder : Path
    manifest : dict
    replicates, workers : int
    units_computed, units_total : int
        A finished run asked for again computes none.
    started_unix : float
        Seconds since 1970.
    compute_seconds : float
        Summed over workers.
    """

    folder: Path
    manifest: dict[str, Any]
    replicates: int
    workers: int
    units_computed: int
    units_total: int
    started_unix: float
    compute_seconds: float
    done_before: bool = False
    """Whether the folder held the finished run and nothing was done."""


def execute(
    resolved: Resolved,
    folder: Path,
    *,
    replicates: int,
    workers: int,
    progress: Progress | None = None,
) -> Execution:
    """Compute a run into a folder, or what is missing of it there.

    Parameters
    ----------
    resolved : Resolved
    folder : Path
        New, empty, or holding a run of the same scenario; replicates that it has are kept.
    replicates : int
        Per cell.
    workers : int
    progress : callable, optional

    Raises
    ------
    RefusedError
        If the folder holds something else.
    """
    started = time.time()
    manifest = build_manifest(resolved, replicates)
    there = check_folder(folder, manifest)
    planned = units(resolved, replicates)
    if there is not None and same_words(there, manifest):
        done_replicates = max(int(there["replicates"]), replicates)
        if finished(folder, done_replicates):
            return Execution(folder, there, done_replicates, workers, 0, len(planned), started, 0.0, done_before=True)
    if there is not None and int(there["replicates"]) > replicates:
        # Nothing that was computed is taken back.
        replicates = int(there["replicates"])
        manifest, planned = build_manifest(resolved, replicates), units(resolved, replicates)
    (folder / "run.json").unlink(missing_ok=True)
    write_json(folder / "manifest.json", manifest)
    waiting = [unit for unit in planned if not (folder / "parts" / unit.name).exists()]
    function = partial(compute_unit, resolved.variants, resolved.hash, resolved.seed, folder)
    done = len(planned) - len(waiting)
    cpu_seconds = 0.0
    if progress is not None:
        progress(done, len(planned))
    for seconds in run_units(function, waiting, workers) if waiting else ():
        cpu_seconds += seconds
        done += 1
        if progress is not None:
            progress(done, len(planned))
    _merge(resolved, folder, replicates)
    return Execution(folder, manifest, replicates, workers, len(waiting), len(planned), started, cpu_seconds)


def finished(folder: Path, replicates: int) -> bool:
    """Return whether a folder's run was carried through to the end with that many replicates."""
    run = read_json(folder / "run.json")
    whole = all((folder / name).exists() for name in RESULTS)
    return whole and run is not None and run.get("replicates") == replicates


def same_words(there: dict[str, Any], manifest: dict[str, Any]) -> bool:
    """Return whether titles and labels, which are no part of the hash, are those of the folder's report."""
    return bool(
        there.get("title") == manifest["title"]
        and json.dumps(_words(there.get("scenario", {}))) == json.dumps(_words(manifest["scenario"]))
    )


def _words(scenario: dict[str, Any]) -> list[Any]:
    variants = scenario.get("variants") or [{}]
    labels = [variants[0].get(name) for name in ("arm_labels", "strata_labels", "outcome_labels")]
    labelled = ("estimands", "clusters", "counts", "therapies")
    return [
        scenario.get("description"),
        *labels,
        *([item.get("label") for item in variants[0].get(part, [])] for part in labelled),
    ]


def finish(execution: Execution) -> None:
    """Write run.json, the last file of a run: from then on it is finished.

    Parameters
    ----------
    execution : Execution
    """
    import platform

    content = {
        "replicates": execution.replicates,
        "host": platform.node(),
        "workers": execution.workers,
        "units_computed": execution.units_computed,
        "started_unix": execution.started_unix,
        "compute_seconds": execution.compute_seconds,
        "wall_seconds": time.time() - execution.started_unix,
    }
    write_json(execution.folder / "run.json", content)


def compute_unit(variants: tuple[Variant, ...], key: str, seed: int, folder: Path, unit: Unit) -> float:
    """Compute and store one unit; return the seconds it took."""
    started = time.perf_counter()
    variant = variants[unit.variant]
    index = {cell.n: cell.index for cell in cells(variants) if cell.variant == unit.variant}
    blocks: list[CellBlock] = []
    watched: list[SafetyBlock] = []
    ran: list[OperationsBlock] = []
    for drawn in draw_blocks(variant, key, Streams(seed, unit.block)):
        blocks += analyse_block(drawn.variant, drawn.cohort)
        if variant.safety is not None:
            watched += safety_block(drawn.variant, drawn.cohort)
        ran += [operations_block(variant, outcome) for outcome in drawn.outcomes]
    rows = []
    for block in blocks:
        estimand = variant.estimands[block.hypothesis.estimand]
        rows.append((index[block.n], estimand.name, estimand.analyses[block.hypothesis.analysis].name, block))
    # Before the part, which says that the unit is done.
    if watched:
        write_safety_part(folder, unit, watched)
    if ran:
        write_operations_part(folder, unit, ran)
    write_guesses(folder, unit, blocks)
    write_part(folder, unit, rows)
    return time.perf_counter() - started


def _merge(resolved: Resolved, folder: Path, replicates: int) -> None:
    listed = cells(resolved.variants)
    by_variant = [
        (variant.index, [cell.index for cell in listed if cell.variant == variant.index])
        for variant in resolved.variants
    ]
    varied = tuple(resolved.variants[0].settings)
    rows: list[dict[str, Any]] = []
    families: list[dict[str, Any]] = []
    watched: dict[str, list[dict[str, Any]]] = {}
    truths = {variant.index: _truths(folder, variant, resolved.hash) for variant in resolved.variants}
    for cell, table in zip(listed, merge_parts(folder, by_variant, replicates), strict=True):
        about = (table, resolved.variants[cell.variant], cell, varied, truths[cell.variant])
        rows.extend(summarise_cell(*about))
        family = summarise_family(*about)
        if family is not None:
            families.append(family)
        for name, part in cell_rows(folder, replicates, *about).items():
            watched.setdefault(name, []).extend(part)
    write_rows(folder, "summary", rows)
    if families:
        write_rows(folder, "families", families)
    for name, part in watched.items():
        write_rows(folder, name, part)
    for name, part in merge_operations(folder, resolved.variants, listed, varied, replicates).items():
        write_rows(folder, name, part)
    blinding = [
        row
        for variant in resolved.variants
        for row in summarise_blinding(
            folder, variant, [cell for cell in listed if cell.variant == variant.index], varied, replicates
        )
    ]
    if blinding:
        write_rows(folder, "blinding", blinding)


def _truths(folder: Path, variant: Variant, key: str) -> Truths:
    """Return the true values of a variant, found once in a run folder: they do not change when it grows."""
    path = folder / "parts" / f"variant{variant.index:04d}_truths.json"
    kept = read_json(path)
    if kept is not None and kept.get("scenario_hash") == key:
        return {h: Truth(*pair) for h, pair in zip(hypotheses(variant), kept["true_values"], strict=True)}
    found = true_values(variant, key)
    write_json(path, {"scenario_hash": key, "true_values": [list(found[h]) for h in hypotheses(variant)]})
    return found
