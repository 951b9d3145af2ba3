"""What a formula answers: power, size or detectable effect, with all that it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd
from types import MappingProxyType

import numpy as np

ROUNDING = 1e-7
"""Share by which a size may lie above a whole number and still count as that number: the solver's own error."""
MOST_PARTS = 50
"""Largest number of a ratio that is read as whole participants of a block."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a closed form.

    Attributes
    ----------
    quantity : str
        What was solved for: "power", "size", "effect", or the name of another argument.
    value : float
        The answer itself: the power, the unrounded total size, the effect.
    power : float
        Probability of rejection, given or found.
    effect : float
        True effect, given or found, on the scale of the function's effect argument.
    n : tuple of float
        Size of each arm in the order control, active (or of the one sample), unrounded.
    n_rounded : tuple of int
        The same, rounded up: to whole blocks of the allocation ratio where the ratio is one of small whole numbers,
        each arm for itself otherwise.
    unit : str
        What `n` counts: "participants", "events", "clusters" or "groups".
    alpha : float
    sides : int
        1 or 2.
    method : str
        The formula and its reference distribution, in words.
    inputs : mapping
        Everything else the function was given.
    details : mapping
        Further numbers, such as the events expected or the design effect.
    """

    quantity: str
    value: float
    power: float
    effect: float
    n: tuple[float, ...]
    n_rounded: tuple[int, ...]
    alpha: float
    sides: int
    method: str
    unit: str = "participants"
    inputs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    details: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n_total(self) -> float:
        """Return the unrounded size of all arms together."""
        return float(sum(self.n))

    @property
    def n_total_rounded(self) -> int:
        """Return the size of all arms together after rounding up."""
        return sum(self.n_rounded)

    def __str__(self) -> str:
        """Return the answer in one line."""
        arms = " + ".join(str(n) for n in self.n_rounded) if self.quantity == "size" else _plain(self.n)
        level = f"{'two' if self.sides == 2 else 'one'}-sided {self.alpha:.4g}"
        return f"power {self.power:.4f}, effect {self.effect:.4g}, {arms} {self.unit} ({self.method}; {level})"


def _plain(n: tuple[float, ...]) -> str:
    return " + ".join(f"{size:.6g}" for size in n)


def rounded_up(n: tuple[float, ...], parts: tuple[float, ...] = ()) -> tuple[int, ...]:
    """Return sizes rounded up to whole blocks of an allocation ratio.

    Parameters
    ----------
    n : tuple of float
        Unrounded sizes of the arms, in the ratio of `parts`.
    parts : tuple of float
        The allocation ratio; none if the arms have no ratio to keep. Whole numbers up to 50 make blocks, (2, 1) a block
        of three; other ratios do not, and each arm is rounded for itself.
    """
    whole = tuple(round(part) for part in parts)
    if parts and all(
        abs(part - near) < 1e-12 and 0 < near <= MOST_PARTS for part, near in zip(parts, whole, strict=True)
    ):
        divisor = gcd(*whole)
        block = tuple(part // divisor for part in whole)
        blocks = max(_ceiling(size / part) for size, part in zip(n, block, strict=True))
        return tuple(blocks * part for part in block)
    return tuple(_ceiling(size) for size in n)


def _ceiling(size: float) -> int:
    return int(np.ceil(size - ROUNDING * max(size, 1.0)))
