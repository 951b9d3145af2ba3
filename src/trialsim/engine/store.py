"""The run folder: blocks written whole or not at all, then merged in replicate order.

    parts/variant0000_block000000.parquet   estimates of whole blocks
    estimates.parquet                       one row per cell, hypothesis and replicate
    summary.parquet, summary.csv            one row per cell and hypothesis
    families.parquet, families.csv          one row per cell, where hypotheses are tested together
    safety.parquet, safety.csv              one row per cell, event and arm, where safety is simulated
    stopping.parquet, stopping.csv          one row per cell and hypothesis, where a rule may stop the trial
    manifest.json                           what was run: resolved scenario, versions, seed, block size
    run.json                                when, where and how long; nothing else depends on it

Memory does not grow with the number of cells: one cell is in memory at a time.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.block import CellBlock
from trialsim.engine.plan import Unit
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
"""Of the files in a run folder."""

NUMBERS = ("estimate", "se", "df", "p", "ci_low", "ci_high")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all: to a temporary neighbour, flushed to disk, then renamed.

    Parameters
    ----------
    path : Path
    write : callable
        Writes its argument, a path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8, line ends as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def estimates_schema() -> pa.Schema:
    """Return the columns of parts and of estimates.parquet."""
    import pyarrow as pa

    words = pa.dictionary(pa.int8(), pa.string())
    fields = [
        ("cell", pa.int32()),
        ("variant", pa.int32()),
        ("n", pa.int32()),
        ("estimand", words),
        ("method", words),
        ("replicate", pa.int32()),
        *((name, pa.float64()) for name in NUMBERS),
        ("p_adjusted", pa.float64()),
        ("status", pa.int8()),
        ("rung", words),
        ("n_analysed", pa.int32()),
        ("share_missing", pa.float64()),
    ]
    return pa.schema(fields, metadata={"trialsim_schema": str(SCHEMA_VERSION)})


def write_part(folder: Path, unit: Unit, rows: Sequence[tuple[int, str, str, CellBlock]]) -> None:
    """Store one unit, one row group for each cell.

    Parameters
    ----------
    folder : Path
        The run folder.
    unit : Unit
    rows : sequence of (cell, estimand, method, CellBlock)
        Rows of one cell stand together.
    """
    import pyarrow.parquet as pq

    schema = estimates_schema()
    by_cell: dict[int, list[tuple[int, str, str, CellBlock]]] = {}
    for row in rows:
        by_cell.setdefault(row[0], []).append(row)

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in by_cell.values():
                writer.write_table(_cell_table(unit, group, schema))

    write_atomically(folder / "parts" / unit.name, write)


def _cell_table(unit: Unit, rows: list[tuple[int, str, str, CellBlock]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    replicate = np.arange(unit.block * BLOCK_SIZE, (unit.block + 1) * BLOCK_SIZE)
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for cell, estimand, method, block in rows:
        size = len(replicate)
        columns["cell"].append(np.full(size, cell))
        columns["variant"].append(np.full(size, unit.variant))
        columns["n"].append(np.full(size, block.n))
        columns["estimand"].append(np.full(size, estimand, dtype=object))
        columns["method"].append(np.full(size, method, dtype=object))
        columns["replicate"].append(replicate)
        for name in NUMBERS:
            columns[name].append(getattr(block.estimates, name.removeprefix("ci_")))
        columns["status"].append(block.estimates.status)
        columns["rung"].append(np.asarray(block.estimates.rungs, dtype=object)[block.estimates.rung])
        columns["n_analysed"].append(block.estimates.n_analysed)
        columns["share_missing"].append(block.share_missing)
        columns["p_adjusted"].append(block.p_adjusted)
    arrays = []
    for field in schema:
        values = np.concatenate(columns[field.name])
        if pa.types.is_dictionary(field.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode().cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def merge_parts(folder: Path, variants: Sequence[tuple[int, Sequence[int]]], replicates: int) -> Iterator[pa.Table]:
    """Write estimates.parquet in replicate order and yield the rows of each cell on the way.

    Parameters
    ----------
    folder : Path
    variants : sequence of (variant, cells)
        Cells of each variant in the order of the row groups of its parts.
    replicates : int
        Surplus replicates of the last block are left out.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    blocks = range(-(-replicates // BLOCK_SIZE))
    schema = estimates_schema()
    target = folder / "estimates.parquet"
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for variant, cell_indices in variants:
                paths = [folder / "parts" / Unit(variant, block).name for block in blocks]
                for group in range(len(cell_indices)):
                    tables = []
                    for path in paths:
                        with pq.ParquetFile(path) as part:
                            tables.append(part.read_row_group(group))
                    table = pa.concat_tables(tables).unify_dictionaries()
                    table = table.take(_replicate_order(table.num_rows, len(paths), replicates)).combine_chunks()
                    writer.write_table(table)
                    yield table
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _replicate_order(n_rows: int, n_parts: int, replicates: int) -> NDArray[np.intp]:
    """Return the rows of parts laid end to end, by hypothesis and then replicate, surplus replicates left out."""
    by_part = np.arange(n_rows).reshape(n_parts, -1, BLOCK_SIZE)
    by_hypothesis = by_part.transpose(1, 0, 2).reshape(by_part.shape[1], -1)
    return by_hypothesis[:, :replicates].reshape(-1)


def write_rows(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write a table as Parquet and as CSV, with every digit.

    Parameters
    ----------
    folder : Path
    name : str
        Of both files, without an ending.
    rows : list of dict
        All with the same keys.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(rows[0])
    columns = {column: _as_column([row[column] for row in rows]) for column in names}
    table = pa.table(columns).replace_schema_metadata({"trialsim_schema": str(SCHEMA_VERSION)})
    write_atomically(folder / f"{name}.parquet", lambda path: pq.write_table(table, path, compression="zstd"))

    def write_csv(path: Path) -> None:
        with open(path, "w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(names)
            for row in rows:
                writer.writerow([_csv_value(row[column]) for column in names])

    write_atomically(folder / f"{name}.csv", write_csv)


def _as_column(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # A varied path may take values of several kinds, such as a number and a name.
        return pa.array([json.dumps(value) if not isinstance(value, str) else value for value in values])


def _csv_value(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else repr(float(value))
    if isinstance(value, list | dict):
        return json.dumps(value)
    return value
