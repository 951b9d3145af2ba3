"""Files that commands write outside a run folder: never over something that is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trialsim.errors import RefusedError


def write_own(path: Path, text: str, *, replaceable: Callable[[str], bool] | None = None) -> None:
    """Write a text file, UTF-8 with unix line ends; a file that holds something else is left as it is.

    Parameters
    ----------
    path : Path
        Its folder is made where there is none.
    text : str
    replaceable : callable, optional
        Whether a file with that text may be written over; by default none may.

    Raises
    ------
    RefusedError
        If the path is a folder, lies in a file, or holds something else.
    """
    if path.is_dir():
        raise RefusedError(f"{path} is a folder. Name a file.")
    inside = next((parent for parent in path.parents if parent.exists()), None)
    if inside is not None and not inside.is_dir():
        raise RefusedError(f"{inside} is a file, so {path} cannot be written. Name a file in a folder.")
    if path.exists():
        there = path.read_bytes()
        if there == text.encode("utf-8"):
            return
        if replaceable is None or not replaceable(there.decode("utf-8", errors="replace")):
            raise RefusedError(f"{path} is there already and was left as it is. Name another file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and path.is_symlink():
        raise RefusedError(f"{path} is there already: a link that leads nowhere. Name another file.")
    path.write_text(text, encoding="utf-8", newline="\n")
