"""How trials were run, on disk: stored by block, summed up by cell.

parts/operations_variant0000_block000000_....npz      numbers, series and waiting times of whole blocks
operations.parquet                                    one row per cell and replicate
operations_summary.parquet, operations_summary.csv    one row per cell and measure
operations_calendar.parquet, operations_calendar.csv  one row per cell, series and month
operations_waits.parquet, operations_waits.csv        one row per cell, queue and number of days
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.operations_block import WAITED_DAYS, OperationsBlock
from trialsim.engine.plan import Cell
from trialsim.engine.reading import read_arrays, strange
from trialsim.engine.store import SCHEMA_VERSION, write_atomically
from trialsim.kernels.montecarlo import mcse_mean, mcse_proportion, wilson_interval
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Operations
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]

PARTS = ("numbers", "series", "waits")
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
SHARES_OF_TRIALS = ("recruited", "recruited_by_target")
"""Measures that are yes or no for each trial."""

DECIMALS = 9
"""Kept of months, days and shares, so that the last bits of another machine's arithmetic do not show."""


MOST_BYTES_OF_A_SIZE = 50_000_000
"""Of what is kept of one block at one sample size, unpacked: far more than 120 months of anything."""


class MergedOperations(NamedTuple):
    """What a merge gave.

    Attributes
    ----------
    files : list of Path
        That were written.
    tables : dict of str to list of dict
        Rows of the other files, by name.
    """

    files: list[Path]
    tables: dict[str, list[dict[str, Any]]]


def operations_content(blocks: Sequence[OperationsBlock]) -> bytes:
    """Return how the trials of one unit were run as a file of NumPy's.

    Parameters
    ----------
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
    return content.getvalue()


def read_operations(paths: Sequence[Path], variant: Variant, n: int, replicates: int) -> OperationsBlock:
    """Return how the trials of one cell were run, replicates in order.

    Parameters
    ----------
    paths : sequence of Path
        How those of the variant were run, block by block.
    variant : Variant
    n : int
        Sample size of the cell.
    replicates : int
        Surplus replicates of the last block are left out.
    """
    return joined([_read_block(path, variant, n) for path in paths], replicates)


def _read_block(path: Path, variant: Variant, n: int) -> OperationsBlock:
    found: dict[str, dict[str, Array]] = {part: {} for part in PARTS}
    most = MOST_BYTES_OF_A_SIZE * len(variant.sample_sizes)
    for key, values in read_arrays(path, begin=f"{n}/", most=most).items():
        part, _, name = key.removeprefix(f"{n}/").partition("/")
        if part not in PARTS or values.shape[:1] != (BLOCK_SIZE,):
            raise strange(path, f"array {key}")
        found[part][name] = values
    if not (found["numbers"] and found["series"]):  # there are no waits where there is nothing to wait for
        raise strange(path, f"nothing of {n} patients")
    return OperationsBlock(n, *(found[part] for part in PARTS))


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
    folder: Path,
    paths: Callable[[Variant], Sequence[Path]],
    variants: Sequence[Variant],
    listed: Sequence[Cell],
    varied: Sequence[str],
    replicates: int,
) -> MergedOperations:
    """Write operations.parquet and return the rows of the other files, by name; nothing without operations.

    Parameters
    ----------
    folder : Path
        The run folder.
    paths : callable
        Of a variant: how its trials were run, block by block.
    variants : sequence of Variant
    listed : sequence of Cell
    varied : sequence of str
        Paths that the scenario varies; a column each.
    replicates : int
    """
    ran = [cell for cell in listed if variants[cell.variant].operations is not None]
    if not ran:
        return MergedOperations([], {})
    found: dict[str, list[dict[str, Any]]] = {}
    columns = {path: _in_one_column([cell.settings.get(path) for cell in ran]) for path in varied}

    def cells() -> Iterator[tuple[dict[str, Any], OperationsBlock]]:
        for place, cell in enumerate(ran):
            variant = variants[cell.variant]
            whole = read_operations(paths(variant), variant, cell.n, replicates)
            begin, end = {"cell": cell.index, "variant": cell.variant}, {"n": cell.n}
            settings = {path: cell.settings.get(path) for path in varied}
            about = {**begin, **settings, **end}
            for name, rows in cell_rows(whole, about, variant.operations).items():
                found.setdefault(name, []).extend(rows)
            yield {**begin, **{path: column[place] for path, column in columns.items()}, **end}, whole

    ran_variants = [variants[index] for index in sorted({cell.variant for cell in ran})]
    names = dict.fromkeys(name for variant in ran_variants for name in _measures(variant, paths(variant)[0]))
    return MergedOperations([_write_trials(folder, cells(), list(names))], found)


def _measures(variant: Variant, path: Path) -> list[str]:
    """Return the names of the numbers kept of each trial, the same at every size."""
    return list(_read_block(path, variant, variant.sample_sizes[0]).numbers)


def _write_trials(folder: Path, cells: Iterable[tuple[dict[str, Any], OperationsBlock]], names: Sequence[str]) -> Path:
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

    path = folder / "operations.parquet"
    write_atomically(path, write)
    return path


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
