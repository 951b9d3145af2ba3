"""Units of work that do harm to the worker that computes them, for tests of backends; workers import this module."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unit:
    """A number to be squared, and how many workers it takes down before it gives in; `seconds` is how long it takes."""

    number: int
    kills: int = 0
    folder: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"number {self.number}"


def square(unit: Unit) -> int:
    """Return the square, unless this worker is to die first."""
    time.sleep(unit.seconds)
    if unit.kills:
        killed = Path(unit.folder) / str(unit.number)
        done = int(killed.read_text()) if killed.exists() else 0
        if done < unit.kills:
            killed.write_text(str(done + 1))
            os._exit(9)
    return unit.number**2


def runs_out_of_memory(unit: Unit) -> int:
    """Raise as an allocation does that cannot be met, once."""
    killed = Path(unit.folder) / str(unit.number)
    if unit.kills and not killed.exists():
        killed.write_text("1")
        raise MemoryError
    return unit.number**2


def task(unit: Unit) -> str:
    """Return in which task of a Dask worker it is computed."""
    from distributed import get_worker

    time.sleep(unit.seconds)
    return str(get_worker().get_current_task())


def threads(unit: Unit) -> list[int]:
    """Return how many threads the linear algebra of this process may use."""
    import numpy  # noqa: F401 - its library is what is asked about
    from threadpoolctl import threadpool_info

    return [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]


def fails(unit: Unit) -> int:
    """Raise an ordinary error."""
    raise ValueError(f"{unit} is no good")
