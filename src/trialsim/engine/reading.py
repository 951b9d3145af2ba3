"""Reading a run folder that may hold anything: a sound file, or a refusal that names it. Nothing in it can run code.

JSON, Parquet and arrays of numbers only; what is too large for what it says it is, is not read.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import RefusedError, TrialsimError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAXIMUM_JSON_BYTES = 500_000_000
REMEDY = "Delete it, or name another folder with --out."
NO_SPARE = "Without it the folder is no run: bring it back, or name another folder with --out."
"""Remedy for the manifest, which nothing else in the folder can replace."""


def strange(path: Path, why: object = "") -> RefusedError:
    """Return the refusal of a file that is not what trialsim writes there."""
    reason = f" ({why})" if str(why) else ""
    return RefusedError(f"{path} is not what trialsim writes there{reason}. {_remedy(path)}")


def _remedy(path: Path) -> str:
    return NO_SPARE if path.name == "manifest.json" else REMEDY


def require_file(path: Path) -> None:
    """Refuse a pipe, a device or a folder under the name of a file: reading it might never end."""
    if path.exists() and not path.is_file():
        raise strange(path, "no ordinary file")


@contextmanager
def refusing(*folders: Path, checked: Callable[[Path], object]) -> Iterator[None]:
    """Turn what goes wrong with the content of run folders into a refusal.

    Parameters
    ----------
    *folders : Path
        Hold what somebody else may have written.
    checked : callable
        Compares a folder's files with their checksums and raises RefusedError where they differ.
    """
    try:
        yield
    except (TrialsimError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's; pyarrow raises an OSError without a number for content that is none
        for folder in folders:
            checked(folder)
        what = f"{type(error).__name__}: {error}"[:200]
        raise RefusedError(
            f"What {' or '.join(map(str, folders))} holds cannot be read as a run ({what}), although the checksums are "
            "right: it was changed, or this is a fault of trialsim (--debug shows where)."
        ) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object from a file; None where there is no such file.

    Raises
    ------
    RefusedError
        If the file is there and is no such object, or cannot be read.
    """
    try:
        require_file(path)
        with path.open("rb") as stream:
            content = stream.read(MAXIMUM_JSON_BYTES + 1)
        if len(content) > MAXIMUM_JSON_BYTES:
            raise strange(path, f"more than {MAXIMUM_JSON_BYTES:,} bytes")
        found = json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except (FileNotFoundError, NotADirectoryError):  # nor is there one in a file that is taken for a folder
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RefusedError(f"{path} cannot be read ({error}). {_remedy(path)}") from error
    if not isinstance(found, dict):
        raise strange(path)
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


def open_parquet(path: Path, schema: pa.Schema | None = None) -> pq.ParquetFile:
    """Return a Parquet file that has been looked into, but not read.

    Parameters
    ----------
    path : Path
    schema : Schema, optional
        Columns that it must have, in order.

    Raises
    ------
    RefusedError
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    require_file(path)
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise strange(path, error) from error
    if schema is not None and not file.schema_arrow.equals(schema):
        file.close()
        raise strange(path, "other columns")
    return file


def read_rows(path: Path, groups: list[int], rows: int, schema: pa.Schema | None = None) -> pa.Table:
    """Return row groups of a part that must hold so many rows.

    Parameters
    ----------
    path : Path
    groups : list of int
    rows : int
        In all of these groups together; a file that claims more is not unpacked.
    schema : Schema, optional

    Raises
    ------
    RefusedError
    """
    import pyarrow as pa

    with open_parquet(path, schema) as file:
        if file.num_row_groups <= max(groups):
            raise strange(path, f"{file.num_row_groups} row groups")
        claimed = sum(file.metadata.row_group(group).num_rows for group in groups)
        if claimed != rows:
            raise strange(path, f"{claimed:,} rows and not {rows:,}")
        try:
            return file.read_row_groups(groups, use_threads=False)  # small ones: threads cost more than they bring
        except (OSError, pa.ArrowException) as error:
            raise strange(path, error) from error


def read_content(content: bytes) -> pa.Table:
    """Return the table of a Parquet file that is in memory.

    Read on this thread alone: one of Arrow's own that still holds Python's bytes when the program ends would end it
    by an abort, after all was said.

    Parameters
    ----------
    content : bytes
        What trialsim wrote, its checksum compared.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(use_threads=False)


def read_counts(path: Path, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return an array of counts of a known shape.

    Parameters
    ----------
    path : Path
    shape : tuple of int

    Raises
    ------
    RefusedError
    """
    require_file(path)
    most = 4 * int(np.prod(shape)) + 4096
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise strange(path, "too large")
        found = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise strange(path, error) from error
    if not isinstance(found, np.ndarray) or found.dtype != np.int32 or found.shape != shape or (found < 0).any():
        raise strange(path, "another array")
    return found


def read_arrays(path: Path, *, begin: str, most: int) -> dict[str, NDArray[np.float64]]:
    """Return some arrays of numbers of a file of several, by name.

    Parameters
    ----------
    path : Path
    begin : str
        Of the names that are wanted.
    most : int
        Bytes that all arrays of the file may have; one that claims more is not unpacked.

    Raises
    ------
    RefusedError
    """
    require_file(path)
    try:
        with zipfile.ZipFile(path) as packed:
            claimed = sum(member.file_size for member in packed.infolist())
        if claimed > most:
            raise strange(path, f"{claimed:,} bytes")
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files if name.startswith(begin)}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise strange(path, error) from error
    for name, values in found.items():
        if not isinstance(values, np.ndarray) or values.dtype != np.float64:
            raise strange(path, f"array {name}")
    return found
