"""How trials were run, on disk: stored by block, summed up by cell.

parts/variant0000_block000000_operations.npz          numbers, series and waiting times of whole blocks
operations.parquet                                    one row per cell and replicate
operations_summary.parquet, operations_summary.csv    one row per cell and measure
operations_calendar.parquet, operations_calendar.csv  one row per cell, series and month
operations_waits.parquet, operations_waits.csv        one row per cell, queue and number of days
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.operations_block import WAITED_DAYS, OperationsBlock
from trialsim.engine.plan import Cell, Unit, n_blocks
from trialsim.engine.store import write_bytes
from trialsim.kernels.montecarlo import mcse_mean, mcse_proportion, wilson_interval
from trialsim.scenario.resolved import Variant

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


def operations_rows(
    folder: Path, variants: Sequence[Variant], listed: Sequence[Cell], varied: Sequence[str], replicates: int
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all files on operations, by name; nothing where no variant says how trials are run.

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
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in listed:
        variant = variants[cell.variant]
        if variant.operations is None:
            continue
        whole = read_operations(folder, variant, cell.n, replicates)
        about = {
            "cell": cell.index,
            "variant": cell.variant,
            **{path: cell.settings.get(path) for path in varied},
            "n": cell.n,
        }
        for name, rows in cell_rows(whole, about).items():
            found.setdefault(name, []).extend(rows)
    return _filled(found)


def cell_rows(whole: OperationsBlock, about: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one cell for each file.

    Parameters
    ----------
    whole : OperationsBlock
        Of all its replicates.
    about : mapping
        First columns of every row.
    """
    return {
        "operations": list(_trials(whole, about)),
        "operations_summary": [{**about, **row} for row in summarise(whole)],
        "operations_calendar": [{**about, **row} for row in _calendar(whole)],
        "operations_waits": [{**about, **row} for row in _waits(whole)],
    }


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


def _trials(whole: OperationsBlock, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rounded = {name: np.round(values, DECIMALS).tolist() for name, values in whole.numbers.items()}
    for replicate in range(len(next(iter(whole.numbers.values())))):
        yield {**about, "replicate": replicate, **{name: values[replicate] for name, values in rounded.items()}}


def _calendar(whole: OperationsBlock) -> Iterator[dict[str, Any]]:
    last = min(int(np.ceil(np.nanmax(whole.numbers["months_to_last_visit"], initial=1.0))) + 1, _months(whole))
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


def _filled(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows that all have the same columns: of what a variant has not, NaN."""
    for name, rows in found.items():
        columns = dict.fromkeys(key for row in rows[:: max(1, len(rows) // 200)] for key in row)
        if any(len(row) != len(columns) for row in rows):
            columns = dict.fromkeys(key for row in rows for key in row)
            found[name] = [{key: row.get(key, float("nan")) for key in columns} for row in rows]
    return found


def _path(folder: Path, unit: Unit) -> Path:
    return folder / "parts" / unit.name.replace(".parquet", "_operations.npz")
