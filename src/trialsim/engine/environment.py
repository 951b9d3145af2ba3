"""What besides the scenario and the seed decides the last bits of a number: versions and the kind of processor."""

from __future__ import annotations

import json
import platform
from functools import cache
from importlib.metadata import version

NUMERIC_PACKAGES = ("numpy", "scipy")
"""Packages that the numbers come out of; others decide how they are stored and shown."""


@cache
def cpu_family() -> str:
    """Return the kind of processor as arithmetic sees it: architecture, kernels of linear algebra, vector extensions.

    Two machines of one family give the same bytes; on another one sums may be taken in another order.
    """
    import numpy as np
    from threadpoolctl import threadpool_info

    np.linalg.inv(np.eye(2))  # so that the library of linear algebra is loaded
    libraries = [library for library in threadpool_info() if library.get("user_api") == "blas"]
    kernels = sorted({str(library.get("architecture") or library["internal_api"]) for library in libraries})
    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return ", ".join([platform.machine(), *kernels, *extensions[-1:]])


@cache
def environment_text() -> str:
    """Return the versions of the numeric packages and the CPU family as JSON: the same text, the same bits."""
    content = {**{name: version(name) for name in NUMERIC_PACKAGES}, "cpu_family": cpu_family()}
    return json.dumps(content, sort_keys=True)


def environment_words(text: str) -> str:
    """Return what `environment_text` gave, for people: `cpu_family ..., numpy 2.4.6, scipy 1.17.1`."""
    return ", ".join(f"{name} {value}" for name, value in json.loads(text).items())
