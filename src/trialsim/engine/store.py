"""Files written whole or not at all, and tables of rows as Parquet and CSV.

parts/estimates_variant0000_block000000_....parquet   estimates of whole blocks, checksum in the name
estimates.parquet                       one row per cell, hypothesis and replicate
summary.parquet, summary.csv            one row per cell and hypothesis
families.parquet, families.csv          one row per cell, where hypotheses are tested together
safety.parquet, safety.csv              one row per cell, event and arm, where safety is simulated
stopping.parquet, stopping.csv          one row per cell and hypothesis, where a rule may stop the trial
operations.parquet                      one row per cell and replicate, where the running of the trial is simulated
operations_NAME.parquet, .csv           summary, calendar and waits of the same
failures.csv                            one row per fit that failed or fell back, where there is one
answer.json, results.json               what is shown, to a person and to another program, without a table being read
manifest.json                           what was run: resolved scenario, versions, seed, checksums
run.json                                when, where and how long; nothing else depends on it
run.lock                                held by the process that works in the folder
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trialsim.engine.csv_cells import neutral

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

SCHEMA_VERSION = 5
"""Of the files in a run folder."""

TEMPORARY = ".tmp"
"""Ending of files that are being written; what a killed process leaves is removed by the next."""


def write_atomically(path: Path, write: Callable[[Path], object], *, sync_folder: bool = True) -> None:
    """Write a file whole or not at all: to a temporary neighbour, flushed to disk, then renamed.

    Parameters
    ----------
    path : Path
    write : callable
        Writes its argument, a path.
    sync_folder : bool
        Flush the folder's own entry too (POSIX; elsewhere renaming alone must do), so that the name outlives a power
        failure. Without it the file may be missing after one, but is never half there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_for(path)
    try:
        write(temporary)
        sync_rename(temporary, path, sync_folder=sync_folder)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_for(path: Path) -> Path:
    """Return the neighbour of a file that it is written to first."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def sync_rename(temporary: Path, path: Path, *, sync_folder: bool = True) -> None:
    """Flush a temporary file to disk and give it its name; `sync_folder` as of `write_atomically`."""
    with open(temporary, "rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(temporary, path)
    if sync_folder:
        sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Flush the entries of a folder to disk; POSIX only, nothing elsewhere."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that killed processes left in a folder; return them.

    Parameters
    ----------
    folder : Path
        Nobody else may be writing into it.
    """
    left = sorted(path for path in folder.glob(f".*{TEMPORARY}") if path.is_file())
    for path in left:
        path.unlink(missing_ok=True)
    return left


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def side_by_side(read: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """Yield what a function that reads a file returns for each, in their order; some are read at once."""
    with ThreadPoolExecutor() as readers:
        yield from readers.map(read, paths)


def write_bytes(path: Path, content: bytes, *, sync_folder: bool = True) -> None:
    """Write a file atomically; `sync_folder` as of `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content), sync_folder=sync_folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, UTF-8, line ends as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_rows(folder: Path, name: str, rows: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Write a table as Parquet and as CSV, with every digit; return both files.

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
    return folder / f"{name}.parquet", folder / f"{name}.csv"


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
        return neutral(json.dumps(value))
    return neutral(value)
