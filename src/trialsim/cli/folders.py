"""Folders that commands fill with files: never over something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trialsim.errors import RefusedError


def write_into(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, all or none; what is there already and differs is left as it is.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    files : mapping of str to bytes
        By name.

    Raises
    ------
    RefusedError
        If the folder is a file or lies in one, or one of the files is there with another content.
    """
    inside = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if inside is not None and not inside.is_dir():
        raise RefusedError(f"{inside} is a file, so nothing can be written into {folder}. Name another folder.")
    for name, content in files.items():
        path = folder / name
        link_to_nothing = path.is_symlink() and not path.exists()
        if path.is_dir() or link_to_nothing or (path.exists() and path.read_bytes() != content):
            raise RefusedError(f"{path} is there already and was left as it is. Name another folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
