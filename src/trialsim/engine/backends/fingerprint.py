"""What a worker must have in common with who asks it: versions, and the code itself.

The kind of processor, which decides the last bits too, stands in every part (environment.py) and is told afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from trialsim._version import __version__

PACKAGES = ("numpy", "scipy", "pyarrow")
"""Packages that a worker computes and writes with."""


@cache
def fingerprint() -> Mapping[str, str]:
    """Return the versions that this process computes with."""
    return {
        "trialsim": __version__,
        "code of trialsim": _code(),
        **{name: version(name) for name in PACKAGES},
    }


def differences(mine: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return in words where two fingerprints differ; empty where they do not.

    Parameters
    ----------
    mine, theirs : mapping
    """
    names = [name for name in mine if theirs.get(name) != mine[name]]
    return ", ".join(f"{name} {theirs.get(name, 'absent')} (here {mine[name]})" for name in names)


def _code() -> str:
    """Return a hash of the package's source, so that two checkouts of one version can be told apart."""
    root = Path(__file__).parents[2]
    digest = sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        if path.suffix in (".py", ".toml") and path.is_file():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:12]
