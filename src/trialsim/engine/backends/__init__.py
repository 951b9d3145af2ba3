"""Where units of work run: in this process, in worker processes of this machine, or on a Dask cluster.

Every process holds the linear algebra to one thread, so that sums are taken in the same order and results are the
same bytes wherever and in whatever order units are computed. A unit whose worker died is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from trialsim.engine.backends.cluster import check_address, run_on_cluster
from trialsim.engine.backends.local import available_workers, run_units, silent

T = TypeVar("T")
R = TypeVar("R")


class Backend(Protocol):
    """What computes units: hands each to a worker and gives the results back as they finish, each once."""

    @property
    def workers(self) -> int:
        """Workers of this machine; 0 where others compute."""

    def run(
        self,
        function: Callable[[T], R],
        units: Sequence[T],
        *,
        describe: Callable[[T], str] = str,
        lost: Callable[[str], None] = silent,
    ) -> Iterator[R]:
        """Yield what a picklable function returns for each unit, in any order; parameters as of `run_units`."""


@dataclass(frozen=True)
class Local:
    """The process itself, or worker processes of this machine.

    Parameters
    ----------
    asked : int or None
        1 computes in this process; None is as many as the machine runs at once.
    """

    asked: int | None = None

    @cached_property
    def workers(self) -> int:
        """Counted when first needed: a finished run needs none."""
        return self.asked or available_workers()

    def run(
        self,
        function: Callable[[T], R],
        units: Sequence[T],
        *,
        describe: Callable[[T], str] = str,
        lost: Callable[[str], None] = silent,
    ) -> Iterator[R]:
        """Yield results as they finish."""
        return run_units(function, units, self.workers, describe=describe, lost=lost)


@dataclass(frozen=True, slots=True)
class Dask:
    """The workers of a Dask scheduler, on this machine or others.

    Parameters
    ----------
    scheduler : str
        Address, such as ``tcp://10.0.0.5:8786``.
    """

    scheduler: str

    def __post_init__(self) -> None:
        check_address(self.scheduler)

    @property
    def workers(self) -> int:
        """None of this machine's."""
        return 0

    def run(
        self,
        function: Callable[[T], R],
        units: Sequence[T],
        *,
        describe: Callable[[T], str] = str,
        lost: Callable[[str], None] = silent,
    ) -> Iterator[R]:
        """Yield results as they finish."""
        return run_on_cluster(function, units, self.scheduler, describe=describe, lost=lost)


__all__ = ["Backend", "Dask", "Local", "available_workers", "run_on_cluster", "run_units"]
