"""What a run consists of: its cells, and the units of work that compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialsim.scenario.resolved import Resolved, Variant
from trialsim.streams import BLOCK_SIZE


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """One block of one variant, at all its sample sizes: the unit of work and of storage."""

    variant: int
    block: int

    @property
    def name(self) -> str:
        """Name of the unit in file names and messages."""
        return f"variant{self.variant:04d}_block{self.block:06d}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A variant at one sample size."""

    index: int
    variant: int
    n: int
    settings: dict[str, Any]


def n_blocks(replicates: int) -> int:
    """Return how many blocks hold that many replicates."""
    return -(-replicates // BLOCK_SIZE)


def units(resolved: Resolved, replicates: int) -> list[Unit]:
    """Return the units of work, block by block, so that an early look has seen every variant.

    Parameters
    ----------
    resolved : Resolved
    replicates : int
    """
    return [Unit(variant.index, block) for block in range(n_blocks(replicates)) for variant in resolved.variants]


def cells(variants: tuple[Variant, ...]) -> list[Cell]:
    """Return the cells of a run: variants in order, sample sizes rising within."""
    listed: list[Cell] = []
    for variant in variants:
        for n in sorted(variant.sample_sizes):
            listed.append(Cell(len(listed), variant.index, n, dict(variant.settings)))
    return listed
