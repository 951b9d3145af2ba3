"""The bytes of a file that a user named: never more than asked for, and never from a pipe that nobody writes into."""

from __future__ import annotations

import re
from pathlib import Path

from trialsim.errors import Fault, InputError

# What a shell hands over is open already; opening any other pipe waits for somebody to write into it.
_HANDED_OVER = re.compile(r"/dev/stdin|/dev/fd/[0-9]+|/proc/self/fd/[0-9]+")


def read_bytes(path: Path, name: str, limit: int, *, what: str, endings: tuple[str, ...] = ()) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    path : Path
    name : str
        How the file is called in messages.
    limit : int
        Most bytes that are read.
    what : str
        What it holds, in words: `scenario`.
    endings : tuple of str
        Of files that might be meant where there is none of that name.

    Raises
    ------
    InputError
        If there is no such file, it is a folder, pipe or device, cannot be read, or is larger.
    """
    try:
        if path.is_dir():
            raise _fault(name, f"is a folder; a {what} is one file")
        if not path.exists() and path.is_symlink():
            raise _fault(name, f"is a link that leads to no file; name the {what} itself")
        if not path.exists():
            raise _fault(name, f"there is no such file{_neighbour(path, endings)}")
        if not path.is_file() and not _HANDED_OVER.fullmatch(name):
            raise _fault(name, f"is {_kind(path)}, not a file; save the {what} as a file and name that")
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _fault(name, f"cannot be read: {reason}") from error
    if len(content) > limit:
        raise _fault(name, f"too large to be a {what}: more than {limit:,} bytes")
    return content


def _fault(name: str, message: str) -> InputError:
    return InputError([Fault("", message, file=name)])


def _kind(path: Path) -> str:
    kinds = {"named pipe": path.is_fifo, "socket": path.is_socket}
    return f"a {next((kind for kind, fits in kinds.items() if fits()), 'device')}"


def _neighbour(path: Path, endings: tuple[str, ...]) -> str:
    from trialsim.scenario.words import nearest

    names = [p.name for p in path.parent.iterdir() if p.suffix in endings] if path.parent.is_dir() else []
    match = nearest(path.name, names)
    return f"; did you mean {path.with_name(match)}?" if match else ""
