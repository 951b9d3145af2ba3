"""How trials were run, on disk: stored by block, summed up by cell.

parts/variant0000_block000000_operations.npz          numbers, series and waiting times of whole blocks
operations.parquet                                    one row per cell and replicate
operations_summary.parquet, operations_summary.csv    one row per cell and measure
operations_calendar.parquet, operations_calendar.csv  one row per cell, series and month
operations_waits.parquet, operations_waits.csv        one row per cell, queue and number of days
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.operations_block import WAITED_DAYS, OperationsBlock
from trialsim.engine.plan import Cell, Unit, n_blocks
from trialsim.engine.store import SCHEMA_VERSION, write_atomically, write_bytes
from trialsim.kernels.montecarlo import mcse_mean, mcse_proportion, wilson_interval
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Operations

Array = NDArray[np.float64]

PARTS = ("numbers", "series", "waits")
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
SHARES_OF_TRIALS = ("recruited", "recruited_by_target")
"""Measures that are yes or no for each trial."""

DECIMALS = 9
"""Kept of months, days and shares, so that the last bits of another machine's arithmetic do not show."""


def write_operations_part(folder: Path, unit: Unit, blocks: Sequence[OperationsBlock]) -> None:
    """Store how the trials of one unit were run.

    Parameters
    ----------
    folder : Path
        The run folder.
    unit : Unit
    blocks : sequence of OperationsBlock
        Sample sizes rising.
    """
    arrays = {
        f"{block.n}/{part}/{name}": values
        for block in blocks
        for part in PARTS
        for name, values in getattr(block, part).items()
    }
    content = BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(_path(folder, unit), content.getvalue())


def read_operations(folder: Path, variant: Variant, n: int, replicates: int) -> OperationsBlock:
    """Return how the trials of one cell were run, replicates in order.

    Parameters
    ----------
    folder : Path
    variant : Variant
    n : int
        Sample size of the cell.
    replicates : int
        Surplus replicates of the last block are left out.
    """
    blocks = []
    for block in range(n_blocks(replicates)):
        with np.load(_path(folder, Unit(variant.index, block)), allow_pickle=False) as stored:
            found: dict[str, dict[str, Array]] = {part: {} for part in PARTS}
            for key in stored.files:
                size, part, name = key.split("/")
                if int(size) == n:
                    found[part][name] = stored[key]
        blocks.append(OperationsBlock(n, *(found[part] for part in PARTS)))
    return joined(blocks, replicates)


def joined(blocks: Sequence[OperationsBlock], replicates: int) -> OperationsBlock:
    """Return blocks of one size as one, surplus replicates of the last left out.

    Parameters
    ----------
    blocks : sequence of OperationsBlock
        In order.
    replicates : int
    """
    first = blocks[0]
    parts = (
        {
            name: np.concatenate([getattr(block, part)[name] for block in blocks])[:replicates]
            for name in getattr(first, part)
        }
        for part in PARTS
    )
    return OperationsBlock(first.n, *parts)


def merge_operations(
    folder: Path, variants: Sequence[Variant], listed: Sequence[Cell], varied: Sequence[str], replicates: int
) -> dict[str, list[dict[str, Any]]]:
    """Write operations.parquet and return the rows of the other files, by name; nothing without operations.

    Parameters
    ----------
    folder : Path
        The run folder.
    variants : sequence of Variant
    listed : sequence of Cell
    varied : sequence of str
        Paths that the scenario varies; a column each.
    replicates : int
    """
    ran = [cell for cell in listed if variants[cell.variant].operations is not None]
    if not ran:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    columns = {path: _in_one_column([cell.settings.get(path) for cell in ran]) for path in varied}

    def cells() -> Iterator[tuple[dict[str, Any], OperationsBlock]]:
        for place, cell in enumerate(ran):
            whole = read_operations(folder, variants[cell.variant], cell.n, replicates)
            begin, end = {"cell": cell.index, "variant": cell.variant}, {"n": cell.n}
            settings = {path: cell.settings.get(path) for path in varied}
            about = {**begin, **settings, **end}
            for name, rows in cell_rows(whole, about, variants[cell.variant].operations).items():
                found.setdefault(name, []).extend(rows)
            yield {**begin, **{path: column[place] for path, column in columns.items()}, **end}, whole

    names = dict.fromkeys(name for cell in ran for name in _measures(folder, variants[cell.variant], cell.n))
    _write_trials(folder, cells(), list(names))
    return found


def _measures(folder: Path, variant: Variant, n: int) -> list[str]:
    """Return the names of the numbers kept of each trial."""
    begin = f"{n}/numbers/"
    with np.load(_path(folder, Unit(variant.index, 0)), allow_pickle=False) as stored:
        return [key.removeprefix(begin) for key in stored.files if key.startswith(begin)]


def _write_trials(folder: Path, cells: Iterable[tuple[dict[str, Any], OperationsBlock]], names: Sequence[str]) -> None:
    """Write one row per cell and replicate, a cell in memory at a time; NaN where a variant has no such number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write(path: Path) -> None:
        writer = None
        for about, whole in cells:
            n_trials = len(whole.numbers["randomised"])
            numbers = {name: whole.numbers.get(name, np.full(n_trials, np.nan)) for name in names}
            told = {name: [value] * n_trials for name, value in about.items()}
            table = pa.table({**told, "replicate": np.arange(n_trials), **numbers})
            if writer is None:
                schema = table.schema.with_metadata({"trialsim_schema": str(SCHEMA_VERSION)})
                writer = pq.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
        if writer is not None:
            writer.close()

    write_atomically(folder / "operations.parquet", write)


def _in_one_column(values: Sequence[Any]) -> list[Any]:
    """Return varied values as one column can hold them: as they are where all are of one kind, otherwise as JSON."""
    if all(isinstance(value, str) for value in values):
        return list(values)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        whole = all(isinstance(value, int) for value in values)
        return list(values) if whole else [float(value) for value in values]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def cell_rows(
    whole: OperationsBlock, about: Mapping[str, Any], operations: Operations | None
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one cell for each file but that of the trials.

    Parameters
    ----------
    whole : OperationsBlock
        Of all its replicates.
    about : mapping
        First columns of every row.
    operations : Operations or None
        That were run, for the closed forms beside what is simulated; none without.
    """
    known = {} if operations is None else closed_forms(operations, whole.n)
    found = {
        "operations_summary": [
            {**about, **row, "closed_form": known.get(row["measure"], math.nan)} for row in summarise(whole)
        ],
        "operations_calendar": [{**about, **row} for row in _calendar(whole)],
        "operations_waits": [{**about, **row} for row in _waits(whole)],
    }
    return {name: rows for name, rows in found.items() if rows}


def closed_forms(operations: Operations, n: int) -> dict[str, float]:
    """Return the chances that recruitment is done by its end and by the target, by measure; nothing with quotas.

    Parameters
    ----------
    operations : Operations
    n : int
        Number to be randomised.
    """
    from trialsim.operations.expected import expected_recruitment

    days = (operations.recruitment.horizon_days, operations.target_months * DAYS_PER_MONTH)
    expected = expected_recruitment(operations, days)
    if expected is None:
        return {}
    return dict(zip(SHARES_OF_TRIALS, expected.reached(n).tolist(), strict=True))


def trial_rows(whole: OperationsBlock, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each trial of a cell.

    Parameters
    ----------
    whole : OperationsBlock
    about : mapping
        First columns of every row.
    """
    columns = {name: values.tolist() for name, values in whole.numbers.items()}
    n_trials = len(whole.numbers["randomised"])
    return [{**about, "replicate": r, **{name: values[r] for name, values in columns.items()}} for r in range(n_trials)]


def summarise(whole: OperationsBlock) -> Iterator[dict[str, Any]]:
    """Yield one row for each measure: its mean over trials, Monte Carlo standard error, and quantiles over trials.

    Parameters
    ----------
    whole : OperationsBlock

    Notes
    -----
    Trials in which a measure has no value, such as the month of the last randomisation where recruitment was not done,
    are not in its mean; `trials` says how many are. Of what is yes or no the interval is Wilson's.
    """
    for name, values in whole.numbers.items():
        known = values[~np.isnan(values)]
        row: dict[str, Any] = {"measure": name, "trials": len(known), **_spread(known)}
        row["low"], row["high"] = row["value"] - 1.96 * row["mcse"], row["value"] + 1.96 * row["mcse"]
        if name in SHARES_OF_TRIALS and len(known):
            hits = int(known.sum())
            interval = wilson_interval(hits, len(known))
            row |= {"mcse": mcse_proportion(hits / len(known), len(known)), "low": interval.low, "high": interval.high}
        yield row


def _calendar(whole: OperationsBlock) -> Iterator[dict[str, Any]]:
    over = np.fmax(whole.numbers["months_to_last_visit"], whole.numbers["months_recruiting"]).max()
    last = min(math.ceil(over) + 2, _months(whole))
    for name, values in whole.series.items():
        for month in range(last):
            known = values[:, month][~np.isnan(values[:, month])]
            row = _spread(known)
            yield {"series": name, "month": month, "trials": len(known), "mean": row.pop("value"), **row}


def _waits(whole: OperationsBlock) -> Iterator[dict[str, Any]]:
    for name, values in whole.waits.items():
        for place, days in enumerate(WAITED_DAYS):
            known = values[:, place][~np.isnan(values[:, place])]
            row = _spread(known)
            yield {"queue": name, "days": days, "trials": len(known), "mean": row.pop("value"), **row}


def _months(whole: OperationsBlock) -> int:
    return int(next(iter(whole.series.values())).shape[1])


def _spread(known: Array) -> dict[str, float]:
    """Return mean, Monte Carlo standard error and quantiles; NaN of nothing."""
    if not len(known):
        return dict.fromkeys(("value", "mcse", *QUANTILES), float("nan"))
    cuts = np.quantile(known, list(QUANTILES.values()))
    found = {"value": float(known.mean()), "mcse": mcse_mean(known), **dict(zip(QUANTILES, cuts.tolist(), strict=True))}
    return {name: round(value, DECIMALS) for name, value in found.items()}


def _path(folder: Path, unit: Unit) -> Path:
    return folder / "parts" / unit.name.replace(".parquet", "_operations.npz")
