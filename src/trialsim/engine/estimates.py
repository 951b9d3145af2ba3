"""Estimates on disk: those of a block as one part, those of a run in replicate order.

A part holds what its analyses gave and nothing that follows from its place in the plan. Its row groups are a few cells
each, so that a merge reads some cells at a time: memory does not grow with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates
from trialsim.engine.block import CellBlock
from trialsim.engine.environment import environment_text
from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.plan import Cell, Unit, cells
from trialsim.engine.reading import read_content, read_rows, strange
from trialsim.engine.store import SCHEMA_VERSION, sync_rename, temporary_for
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Column = NDArray[Any] | tuple[NDArray[Any], list[str]]
"""Values, or words as indices into the different ones."""

NUMBERS = ("estimate", "se", "df", "p", "ci_low", "ci_high")

ROWS_AT_ONCE = 500_000
"""Rows that a merge holds at once, or those of one cell if these are more: about 100 bytes each."""

ROWS_IN_GROUP = 10_000
"""Rows of a row group of a part, or those of one cell if these are more: each group costs time to write and to read."""

_METADATA = {"trialsim_schema": str(SCHEMA_VERSION)}
_FAST: dict[str, Any] = {"compression": "lz4", "use_dictionary": ["estimand", "method", "rung"]}
"""Digits of estimates hardly get shorter, however long one tries."""

_AS_PART = {**_FAST, "use_dictionary": ["rung"], "write_statistics": False}
_AS_RESULT = {**_FAST, "write_statistics": ["cell", "replicate", "status"]}
"""Statistics let a reader pass over row groups; nothing but a merge reads a part."""


@cache
def part_schema() -> pa.Schema:
    """Return the columns of parts: rows by cell, then hypothesis, then replicate, as in the plan."""
    import pyarrow as pa

    fields = [
        *((name, pa.float64()) for name in NUMBERS),
        ("p_adjusted", pa.float64()),
        ("status", pa.int8()),
        ("rung", pa.dictionary(pa.int8(), pa.string())),
        ("n_analysed", pa.int32()),
        ("share_missing", pa.float64()),
    ]
    return pa.schema(_in_every_row(fields), metadata=_METADATA)


@cache
def estimates_schema() -> pa.Schema:
    """Return the columns of estimates.parquet: what a row is about, then those of the parts."""
    import pyarrow as pa

    words = pa.dictionary(pa.int8(), pa.string())
    fields = [
        ("cell", pa.int32()),
        ("variant", pa.int32()),
        ("n", pa.int32()),
        ("estimand", words),
        ("method", words),
        ("replicate", pa.int32()),
    ]
    return pa.schema([*_in_every_row(fields), *part_schema()], metadata=_METADATA)


def _in_every_row(fields: Sequence[tuple[str, pa.DataType]]) -> list[pa.Field]:
    """Return columns without holes: what is not known is NaN. Parquet then writes and reads them in two thirds."""
    import pyarrow as pa

    return [pa.field(name, kind, nullable=False) for name, kind in fields]


def estimates_content(variant: Variant, key: str, unit: Unit, blocks: Sequence[CellBlock]) -> bytes:
    """Return the estimates of a unit as a Parquet file, in row groups of whole cells.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    unit : Unit
    blocks : sequence of CellBlock
        Ordered by sample size, then hypothesis.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    results = [block.estimates for block in blocks]
    columns: dict[str, Column] = {
        **{name: np.concatenate([getattr(r, name.removeprefix("ci_")) for r in results]) for name in NUMBERS},
        "p_adjusted": np.concatenate([block.p_adjusted for block in blocks]),
        "status": np.concatenate([r.status for r in results]),
        "rung": _rungs(results),
        "n_analysed": np.concatenate([r.n_analysed for r in results]),
        "share_missing": np.concatenate([block.share_missing for block in blocks]),
    }
    about = {"environment": environment_text(), "scenario_hash": key, "unit": unit.name}
    schema = part_schema().with_metadata({**_METADATA, **about})
    table = pa.Table.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)
    content = BytesIO()
    rows = _rows_of_cell(variant)
    pq.write_table(table, content, row_group_size=_cells_in_group(rows) * rows, **_AS_PART)
    return content.getvalue()


def _rows_of_cell(variant: Variant) -> int:
    """Return how many rows of a part are of one cell."""
    return len(hypotheses(variant)) * BLOCK_SIZE


def _cells_in_group(rows: int) -> int:
    """Return how many cells of so many rows stand in a row group of a part."""
    return max(1, ROWS_IN_GROUP // rows)


def _array(values: Column, kind: pa.DataType) -> pa.Array:
    """Return a column from memory as it is: `pyarrow.array` would bring pandas into every worker, .3 s of its start."""
    import pyarrow as pa

    if isinstance(values, tuple):
        indices, words = values
        return pa.DictionaryArray.from_arrays(_array(indices, pa.int8()), _words(tuple(words)), safe=False)
    whole = np.ascontiguousarray(values, dtype=kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(whole), [None, pa.py_buffer(whole)])


@cache
def _words(words: tuple[str, ...]) -> pa.Array:
    import pyarrow as pa

    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _rungs(results: Sequence[Estimates]) -> Column:
    """Return the rung of every row, as an index into the different ones of all analyses."""
    words = list(dict.fromkeys(name for result in results for name in result.rungs))
    indices = [np.array([words.index(name) for name in result.rungs])[result.rung] for result in results]
    return np.concatenate(indices), words


def trial_rows(content: bytes, variant: Variant, cell: Cell, replicate: int) -> list[dict[str, Any]]:
    """Return what a part says of one simulated trial, a row for each hypothesis.

    Parameters
    ----------
    content : bytes
        Of the part that holds the replicate.
    variant : Variant
    cell : Cell
        Of the variant.
    replicate : int
        Counted from the beginning of the run.
    """
    place, rows = sorted(variant.sample_sizes).index(cell.n), _rows_of_cell(variant)
    of_trial = place * rows + np.arange(replicate % BLOCK_SIZE, rows, BLOCK_SIZE)
    table = read_content(content).take(of_trial)
    columns = [column.combine_chunks() for column in table.columns]
    found: list[dict[str, Any]] = _named(columns, variant, cell, np.array([replicate])).to_pylist()
    return found


def _named(columns: Sequence[pa.Array], variant: Variant, cell: Cell, replicates: NDArray[np.int64]) -> pa.Table:
    """Return the rows of a cell, hypotheses in order and replicates within, with what each row is about."""
    import pyarrow as pa

    listed = hypotheses(variant)
    estimands = [variant.estimands[hypothesis.estimand] for hypothesis in listed]
    methods = [e.analyses[h.analysis].name for e, h in zip(estimands, listed, strict=True)]
    count = len(listed) * len(replicates)
    about: list[Column] = [
        np.full(count, cell.index),
        np.full(count, cell.variant),
        np.full(count, cell.n),
        _repeated([estimand.name for estimand in estimands], len(replicates)),
        _repeated(methods, len(replicates)),
        np.tile(replicates, len(listed)),
    ]
    schema = estimates_schema()
    named = [_array(values, kind) for values, kind in zip(about, schema.types, strict=False)]
    return pa.Table.from_arrays([*named, *columns], schema=schema)


def _repeated(names: Sequence[str], times: int) -> Column:
    """Return each word so many times, as an index into the different ones."""
    words = list(dict.fromkeys(names))
    return np.repeat([words.index(name) for name in names], times), words


class EstimatesFile:
    """A file of estimates that is written while its caller looks at them; of `estimates_file`.

    Parameters
    ----------
    writer : ParquetWriter
    temporary, path : Path
        Where it writes, and the name that the whole file is given.
    disk : Executor
        Of one thread.
    """

    def __init__(self, writer: pq.ParquetWriter, temporary: Path, path: Path, disk: Executor) -> None:
        self._writer, self._temporary, self._path, self._disk = writer, temporary, path, disk
        self._waiting: Future[None] | None = None

    def add(self, table: pa.Table) -> None:
        """Write the rows of a cell, once those before are written."""
        self._then(partial(self._writer.write_table, table))

    def finish(self) -> None:
        """Flush the whole file to disk and give it its name."""
        self._then(self._publish)

    def wait(self) -> None:
        """Wait for what was asked for, and raise what went wrong with it."""
        if self._waiting is not None:
            self._waiting.result()

    def _then(self, work: Callable[[], None]) -> None:
        self.wait()
        self._waiting = self._disk.submit(work)

    def _publish(self) -> None:
        self._writer.close()
        sync_rename(self._temporary, self._path)


@contextmanager
def estimates_file(path: Path) -> Iterator[EstimatesFile]:
    """Give a file of estimates to write to, cell by cell; it is there whole once it is finished, or not at all.

    Parameters
    ----------
    path : Path
    """
    import pyarrow.parquet as pq

    temporary = temporary_for(path)
    try:
        with pq.ParquetWriter(temporary, estimates_schema(), **_AS_RESULT) as writer, ThreadPoolExecutor(1) as disk:
            file = EstimatesFile(writer, temporary, path, disk)
            yield file
            file.wait()
    finally:
        temporary.unlink(missing_ok=True)


class EstimatesMerge:
    """The estimates of a run, put together from its parts.

    Parameters
    ----------
    variants : sequence of Variant
    paths : sequence of sequence of Path
        The parts of each variant, block by block.
    key : str
        Hash of the scenario.
    replicates : int
        Surplus replicates of the last block are left out.
    """

    def __init__(self, variants: Sequence[Variant], paths: Sequence[Sequence[Path]], key: str, replicates: int) -> None:
        self._variants, self._paths, self._key, self._replicates = variants, paths, key, replicates
        self._environment: dict[Path, str] = {}

    @property
    def environments(self) -> dict[str, int]:
        """With which versions and processors the parts read so far were computed, and how many with each."""
        return dict(sorted(Counter(self._environment.values()).items()))

    def cells(self) -> Iterator[pa.Table]:
        """Yield the rows of each cell: hypotheses in order, replicates in order within.

        Raises
        ------
        RefusedError
            If a part does not hold what the scenario says.
        """
        import pyarrow as pa

        replicates = np.arange(self._replicates)
        listed = cells(tuple(self._variants))
        for variant, paths in zip(self._variants, self._paths, strict=True):
            own = [cell for cell in listed if cell.variant == variant.index]
            rows = _rows_of_cell(variant)
            at_once = max(1, ROWS_AT_ONCE // (rows * len(paths)))
            for first in range(0, len(own), at_once):
                wanted = range(first, min(first + at_once, len(own)))
                tables = [self._read(variant, block, wanted) for block in range(len(paths))]
                whole = pa.concat_tables(tables).unify_dictionaries()
                del tables
                shape = (len(paths), len(wanted), rows // BLOCK_SIZE, BLOCK_SIZE)
                columns = [_in_replicate_order(column, shape, self._replicates) for column in whole.columns]
                del whole
                for place, of_cell in zip(wanted, zip(*columns, strict=True), strict=True):
                    yield _named(of_cell, variant, own[place], replicates)

    def _read(self, variant: Variant, block: int, wanted: range) -> pa.Table:
        """Return the rows of some of the cells of a part, and hold no more than these."""
        path, rows, count = self._paths[variant.index][block], _rows_of_cell(variant), len(variant.sample_sizes)
        in_group = _cells_in_group(rows)
        groups = list(range(wanted.start // in_group, (wanted.stop - 1) // in_group + 1))
        start, stop = groups[0] * in_group, min((groups[-1] + 1) * in_group, count)
        table = read_rows(path, groups, (stop - start) * rows, part_schema())
        told = table.schema.metadata
        # A checksum covers a part's content, and not its name and place.
        unit = Unit(variant.index, block).name
        if (told.get(b"scenario_hash"), told.get(b"unit")) != (self._key.encode(), unit.encode()):
            raise strange(path, "of another scenario or block")
        self._environment[path] = told.get(b"environment", b"{}").decode()
        if len(wanted) == stop - start:
            return table.replace_schema_metadata(_METADATA)
        chosen = np.arange((wanted.start - start) * rows, (wanted.stop - start) * rows)
        return table.take(chosen).replace_schema_metadata(_METADATA)


def _in_replicate_order(column: pa.ChunkedArray, shape: tuple[int, ...], replicates: int) -> list[pa.Array]:
    """Return a column of each cell from parts laid end to end: by hypothesis, then replicate; no surplus replicates.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
    shape : tuple of int
        Numbers of parts, of cells, of hypotheses, and of replicates in a part.
    replicates : int
    """
    import pyarrow as pa

    words = pa.types.is_dictionary(column.type)
    whole = column.combine_chunks() if words else column
    values = (whole.indices if words else whole).to_numpy()
    n_parts, n_cells, n_hypotheses, size = shape
    by_cell = values.reshape(shape).transpose(1, 2, 0, 3).reshape(n_cells, n_hypotheses, n_parts * size)
    by_cell = by_cell[:, :, :replicates].reshape(n_cells, -1)
    if not words:
        return [_array(one, column.type) for one in by_cell]
    of_cells = [_array(one, column.type.index_type) for one in by_cell]
    return [pa.DictionaryArray.from_arrays(one, whole.dictionary) for one in of_cells]
