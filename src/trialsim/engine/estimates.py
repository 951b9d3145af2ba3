"""Estimates on disk: those of a block as one part, those of a run in replicate order.

Row groups of a part are a few cells each, so that a merge reads some cells at a time: memory does not grow with their
number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates
from trialsim.engine.block import CellBlock
from trialsim.engine.environment import environment_text
from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.plan import Unit
from trialsim.engine.reading import open_parquet, read_rows, strange
from trialsim.engine.store import SCHEMA_VERSION, sync_rename, temporary_for
from trialsim.scenario.resolved import Variant
from trialsim.streams import BLOCK_SIZE

if TYPE_CHECKING:
    import pyarrow as pa

Column = NDArray[Any] | tuple[NDArray[Any], list[str]]
"""Values, or words as indices into the different ones."""

NUMBERS = ("estimate", "se", "df", "p", "ci_low", "ci_high")
WORDS = ["estimand", "method", "rung"]

ROWS_AT_ONCE = 500_000
"""Rows that a merge holds at once, or those of one cell if these are more: about 100 bytes each."""

ROWS_IN_GROUP = 2_500
"""Rows of a row group of a part, or those of one cell if these are more: each group costs time to write and to read."""

_METADATA = {"trialsim_schema": str(SCHEMA_VERSION)}
_AS_PART: dict[str, Any] = {"compression": "lz4", "use_dictionary": WORDS, "write_statistics": False}
"""Parts are written fast: they are read once or twice, and by nothing but a merge."""

_AS_RESULT = {**_AS_PART, "write_statistics": ["cell", "replicate", "status"]}
"""Digits of estimates hardly get shorter, however long one tries; statistics let a reader pass over row groups."""


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
    return pa.schema(fields, metadata=_METADATA)


def estimates_content(
    variant: Variant, key: str, unit: Unit, cells: Mapping[int, int], blocks: Sequence[CellBlock]
) -> bytes:
    """Return the estimates of a unit as a Parquet file, in row groups of whole cells.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    unit : Unit
    cells : mapping of int to int
        Cell by sample size.
    blocks : sequence of CellBlock
        Ordered by sample size, then hypothesis.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    replicate = np.arange(unit.block * BLOCK_SIZE, (unit.block + 1) * BLOCK_SIZE)
    estimands = [variant.estimands[block.hypothesis.estimand] for block in blocks]
    methods = [e.analyses[b.hypothesis.analysis].name for e, b in zip(estimands, blocks, strict=True)]
    results = [block.estimates for block in blocks]
    columns: dict[str, Column] = {
        "cell": np.repeat([cells[block.n] for block in blocks], BLOCK_SIZE),
        "variant": np.full(len(blocks) * BLOCK_SIZE, unit.variant),
        "n": np.repeat([block.n for block in blocks], BLOCK_SIZE),
        "estimand": _repeated([estimand.name for estimand in estimands]),
        "method": _repeated(methods),
        "replicate": np.tile(replicate, len(blocks)),
        **{name: np.concatenate([getattr(r, name.removeprefix("ci_")) for r in results]) for name in NUMBERS},
        "p_adjusted": np.concatenate([block.p_adjusted for block in blocks]),
        "status": np.concatenate([r.status for r in results]),
        "rung": _rungs(results),
        "n_analysed": np.concatenate([r.n_analysed for r in results]),
        "share_missing": np.concatenate([block.share_missing for block in blocks]),
    }
    schema = estimates_schema().with_metadata(
        {**_METADATA, "environment": environment_text(), "scenario_hash": key, "unit": unit.name}
    )
    table = pa.Table.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)
    content = BytesIO()
    rows = len(blocks) // len(cells) * BLOCK_SIZE
    pq.write_table(table, content, row_group_size=_cells_in_group(rows) * rows, **_AS_PART)
    return content.getvalue()


def _cells_in_group(rows: int) -> int:
    """Return how many cells of so many rows stand in a row group of a part."""
    return max(1, ROWS_IN_GROUP // rows)


def _array(values: Column, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if isinstance(values, tuple):
        return pa.DictionaryArray.from_arrays(values[0].astype(np.int8), values[1])
    return pa.array(values, kind)


def _repeated(names: Sequence[str]) -> Column:
    """Return a word for each block of rows, as an index into the different ones."""
    words = list(dict.fromkeys(names))
    return np.repeat([words.index(name) for name in names], BLOCK_SIZE), words


def _rungs(results: Sequence[Estimates]) -> Column:
    """Return the rung of every row, as an index into the different ones of all analyses."""
    words = list(dict.fromkeys(name for result in results for name in result.rungs))
    indices = [np.array([words.index(name) for name in result.rungs])[result.rung] for result in results]
    return np.concatenate(indices), words


def merge_parts(
    folder: Path, variants: Sequence[Variant], paths: Sequence[Sequence[Path]], replicates: int
) -> Iterator[pa.Table]:
    """Write estimates.parquet in replicate order and yield the rows of each cell on the way.

    Parameters
    ----------
    folder : Path
        The run folder.
    variants : sequence of Variant
    paths : sequence of sequence of Path
        The parts of each variant, block by block.
    replicates : int
        Surplus replicates of the last block are left out.

    Raises
    ------
    RefusedError
        If a part does not hold what the scenario says.
    """
    import pyarrow.parquet as pq

    target = folder / "estimates.parquet"
    temporary = temporary_for(target)
    try:
        # A cell is written while its rows are looked at.
        with pq.ParquetWriter(temporary, estimates_schema(), **_AS_RESULT) as writer, ThreadPoolExecutor(1) as disk:
            written: Future[None] | None = None
            for variant, parts in zip(variants, paths, strict=True):
                rows = len(hypotheses(variant)) * BLOCK_SIZE
                for table in _cells_in_order(parts, len(variant.sample_sizes), rows, replicates):
                    if written is not None:
                        written.result()
                    written = disk.submit(writer.write_table, table)
                    yield table
            if written is not None:
                written.result()
        sync_rename(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _cells_in_order(paths: Sequence[Path], count: int, rows: int, replicates: int) -> Iterator[pa.Table]:
    """Yield the rows of each cell of a variant: hypotheses in order, replicates in order within."""
    import pyarrow as pa

    at_once = max(1, ROWS_AT_ONCE // (rows * len(paths)))
    first = 0
    while first < count:
        wanted = range(first, min(first + at_once, count))
        tables = []
        for path in paths:
            tables.append(_rows_of_cells(path, wanted, count, rows))
        whole = pa.concat_tables(tables).replace_schema_metadata(_METADATA).unify_dictionaries().combine_chunks()
        del tables
        for place in range(len(wanted)):
            yield whole.take(_replicate_order(place, rows, len(wanted), len(paths), replicates))
        first += len(wanted)


def _rows_of_cells(path: Path, wanted: range, count: int, rows: int) -> pa.Table:
    """Return the rows of some of the cells of a part, and hold no more than these."""
    in_group = _cells_in_group(rows)
    groups = list(range(wanted.start // in_group, (wanted.stop - 1) // in_group + 1))
    start, stop = groups[0] * in_group, min((groups[-1] + 1) * in_group, count)
    table = read_rows(path, groups, (stop - start) * rows, estimates_schema())
    if len(wanted) == stop - start:
        return table
    return table.take(np.arange((wanted.start - start) * rows, (wanted.stop - start) * rows))


def environments_of(variants: Sequence[Variant], paths: Sequence[Sequence[Path]], key: str) -> dict[str, int]:
    """Return with which versions and processors the parts of a run were computed, and how many with each.

    Parameters
    ----------
    variants, paths
        As of `merge_parts`.
    key : str
        Hash of the scenario.

    Raises
    ------
    RefusedError
        If a part is of another scenario or unit: its checksum covers its content, and not its name and place.
    """
    found: dict[str, int] = {}
    for variant, parts in zip(variants, paths, strict=True):
        for block, path in enumerate(parts):
            with open_parquet(path, estimates_schema()) as part:
                told = part.schema_arrow.metadata
            unit = Unit(variant.index, block).name
            if (told.get(b"scenario_hash"), told.get(b"unit")) != (key.encode(), unit.encode()):
                raise strange(path, "of another scenario or block")
            environment = told.get(b"environment", b"{}").decode()
            found[environment] = found.get(environment, 0) + 1
    return dict(sorted(found.items()))


def _replicate_order(place: int, rows: int, cells: int, parts: int, replicates: int) -> NDArray[np.intp]:
    """Return the rows of one cell in parts laid end to end: by hypothesis, then replicate, without surplus replicates.

    Parameters
    ----------
    place : int
        The cell's place among `cells` in each part.
    rows : int
        Rows of a cell in a part.
    """
    by_part = np.arange(parts * cells * rows).reshape(parts, cells, -1, BLOCK_SIZE)[:, place]
    by_hypothesis = by_part.transpose(1, 0, 2).reshape(by_part.shape[1], -1)
    return by_hypothesis[:, :replicates].reshape(-1)
