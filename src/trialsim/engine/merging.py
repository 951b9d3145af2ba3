"""From the parts of a run to its results: estimates in replicate order, and what they add up to."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from trialsim.engine.aggregate import summarise_cell
from trialsim.engine.blinding import summarise_blinding
from trialsim.engine.estimates import EstimatesMerge, estimates_file
from trialsim.engine.failures import FailureFiles
from trialsim.engine.families import summarise_family
from trialsim.engine.operations_files import merge_operations
from trialsim.engine.parts import Parts
from trialsim.engine.plan import Unit, cells, n_blocks
from trialsim.engine.safety_files import cell_rows
from trialsim.engine.store import write_rows
from trialsim.engine.truth_files import truths_of
from trialsim.scenario.resolved import Resolved, Variant


class Merged(NamedTuple):
    """What a merge gave.

    Attributes
    ----------
    files : list of Path
        The results.
    environments : dict of str to int
        With which versions and processors the parts were computed, as JSON, and how many with each.
    """

    files: list[Path]
    environments: dict[str, int]


def merge(resolved: Resolved, folder: Path, parts: Parts, replicates: int, *, again: bool = False) -> Merged:
    """Write the results of a run from its parts; linear algebra on one thread, as in workers.

    Parameters
    ----------
    resolved : Resolved
    folder : Path
    parts : dict
        Of every unit.
    replicates : int
        Surplus replicates of the last block are left out.
    again : bool
        Compute true values that the folder does not hold, also where they were found elsewhere before.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _merge(resolved, folder, parts, replicates, again=again)


def _merge(resolved: Resolved, folder: Path, parts: Parts, replicates: int, *, again: bool) -> Merged:
    listed, blocks = cells(resolved.variants), range(n_blocks(replicates))

    def paths(variant: Variant, kind: str) -> list[Path]:
        return [parts[Unit(variant.index, block)][kind] for block in blocks]

    varied = tuple(resolved.variants[0].settings)
    tables: dict[str, list[dict[str, Any]]] = {}
    truths = {variant.index: truths_of(folder, variant, resolved.hash, again=again) for variant in resolved.variants}
    own = [paths(variant, "estimates") for variant in resolved.variants]
    estimates = EstimatesMerge(resolved.variants, own, resolved.hash, replicates)
    path = folder / "estimates.parquet"
    with estimates_file(path) as file, FailureFiles(folder) as failures:
        for cell, table in zip(listed, estimates.cells(), strict=True):
            file.add(table)
            variant = resolved.variants[cell.variant]
            about = (table, variant, cell, varied, truths[cell.variant])
            tables.setdefault("summary", []).extend(summarise_cell(*about))
            family = summarise_family(*about)
            if family is not None:
                tables.setdefault("families", []).append(family)
            if variant.safety is not None:
                for name, rows in cell_rows(paths(variant, "safety"), replicates, *about).items():
                    tables.setdefault(name, []).extend(rows)
            failures.add(cell, table)
        file.finish()
        for variant in resolved.variants:
            if variant.unblinding is not None:
                own_cells = [cell for cell in listed if cell.variant == variant.index]
                guesses = summarise_blinding(paths(variant, "guesses"), variant, own_cells, varied, replicates)
                tables.setdefault("blinding", []).extend(guesses)
        ran = merge_operations(folder, partial(paths, kind="operations"), resolved.variants, listed, varied, replicates)
        tables |= ran.tables
        written = [path for name, rows in tables.items() if rows for path in write_rows(folder, name, rows)]
    return Merged([path, *ran.files, *written, *failures.paths], estimates.environments)
