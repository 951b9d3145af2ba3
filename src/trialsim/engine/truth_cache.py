"""True values that were found before: in this process, and in the user's cache folder.

    truths/0123...cdef.json       one true value and its standard error; the name is the hash of all that they depend on

That hash is of the content a true value is computed from, and of what computes it: trialsim's version and source files,
Python, NumPy, SciPy and the kind of processor. The content is the very argument of the computation, less the labels, so
nothing can be left out of one and be used by the other. Whatever is wrong with a file or the folder only means that the
value is computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trialsim._version import LOADED_AT, __version__
from trialsim.engine.environment import environment_text
from trialsim.engine.store import write_json

VARIABLE = "TRIALSIM_CACHE_DIR"
"""Environment variable: the folder to keep true values in, or `off`."""

OFF = "off"
PART = "truths"
SOURCES = (".py", ".toml", ".yaml")

Pair = tuple[float, float]
"""A true value and its Monte Carlo standard error."""

_found: dict[tuple[Path, str], Pair] = {}


def remembered(content: object, find: Callable[[], Pair]) -> Pair:
    """Return what was found for the same content before, otherwise find it and remember it.

    Parameters
    ----------
    content : object
        All that the value depends on: dataclasses, arrays, tuples and plain values.
    find : callable
        Computes the value and its standard error.
    """
    folder = cache_folder()
    computer = None if folder is None else _computer()
    if folder is None or computer is None:
        return find()
    key = content_key([computer, content])
    if (folder, key) not in _found:
        _found[folder, key] = _read(folder, key) or _kept(folder, key, find())
    return _found[folder, key]


def cache_folder() -> Path | None:
    """Return the folder of true values, which need not be there yet; None where nothing is to be remembered."""
    named = os.environ.get(VARIABLE, "").strip()
    if named.lower() == OFF:
        return None
    if named:
        return Path(named).absolute() / PART
    from platformdirs import user_cache_path

    return user_cache_path("trialsim", appauthor=False) / PART


def content_key(content: object) -> str:
    """Return the SHA-256 of content, to the bit; labels are no part of it."""
    return _sha256(_plain(content))


def _plain(value: Any) -> Any:
    """Return content as JSON's types from which it could be made again to the bit, labels left out.

    Raises
    ------
    TypeError
        For what is neither a dataclass, an array of numbers, a tuple, a mapping nor a plain value.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return ["float", float(value).hex()]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return ["array", value.dtype.str, value.shape, value.tobytes().hex()]
    if isinstance(value, tuple | list):
        return ["row", *map(_plain, value)]
    if isinstance(value, Mapping):
        return ["mapping", *([_plain(key), _plain(item)] for key, item in value.items())]
    if is_dataclass(value):
        told = [field.name for field in fields(value) if not field.name.endswith(("label", "labels"))]
        return [type(value).__name__, {name: _plain(getattr(value, name)) for name in told}]
    raise TypeError(f"{type(value).__name__} has no place in the content of a true value")


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def _computer() -> tuple[str, ...] | None:
    """Return all that besides its content decides the bits of a true value; None where that cannot be told."""
    try:
        if not _runs_as_it_stands():
            return None
        sources = _source_digest()
    except OSError:
        return None
    machine = (sys.platform, platform.python_version(), *platform.libc_ver())
    return __version__, environment_text(), *machine, sources


def _source_files() -> list[Path]:
    place = Path(__file__).parents[1]
    return sorted(path for path in place.rglob("*") if path.suffix in SOURCES and path.is_file())


def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in _source_files():
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _runs_as_it_stands() -> bool:
    """Return whether the source files are those that this process loaded: there, and older than it is."""
    found = [path.stat() for path in _source_files()]
    return bool(found) and all(max(file.st_mtime, file.st_ctime) < LOADED_AT for file in found)


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.json"


def _read(folder: Path, key: str) -> Pair | None:
    """Return a true value from the disk; None where there is none that is whole and of this key."""
    try:
        kept = json.loads(_path(folder, key).read_bytes())
        if kept["sha256"] != _sha256([key, kept["value"], kept["se"]]):
            return None
        return float.fromhex(kept["value"]), float.fromhex(kept["se"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _kept(folder: Path, key: str, pair: Pair) -> Pair:
    """Return a true value after keeping it on the disk, where that can be done."""
    value, se = (number.hex() for number in pair)
    with suppress(OSError):
        if _runs_as_it_stands():
            write_json(_path(folder, key), {"value": value, "se": se, "sha256": _sha256([key, value, se])})
    return pair
