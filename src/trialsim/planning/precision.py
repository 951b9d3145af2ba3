"""How many replicates a precision takes: until the 95 % Wilson interval of every power is narrow enough.

The number depends on results alone: on those of the first blocks, then of ever more. So it is the same whatever the
number of workers, and after an interruption.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from scipy.special import ndtri

from trialsim.streams import BLOCK_SIZE

LEAST = 500
"""Replicates that are always simulated: whole blocks, so that one may be timed after another."""

_Z95 = float(ndtri(0.975))


class Seen(NamedTuple):
    """A power of a cell, or another share of its replicates.

    Attributes
    ----------
    share : float
    usable : int
        Replicates in its denominator.
    """

    share: float
    usable: int


class Estimate(NamedTuple):
    """What a run to a precision will take, after its first blocks.

    Attributes
    ----------
    precision : float
        Half-width of the 95 % intervals.
    replicates : int
        For each cell, in all.
    seconds : float
        Still to come.
    """

    precision: float
    replicates: int
    seconds: float


def half_width(share: float, count: float) -> float:
    r"""Return half the width of the 95 % Wilson interval of a share of a number of replicates.

    Notes
    -----
    .. math:: \frac{z}{1 + z^2/n}\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}
    """
    z = _Z95
    return z / (1.0 + z * z / count) * math.sqrt(share * (1.0 - share) / count + (z / (2.0 * count)) ** 2)


def count_for(share: float, precision: float) -> int:
    """Return the smallest number of replicates at which a share has that half-width."""
    low, high = 0, 1
    while half_width(share, high) > precision:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if half_width(share, middle) > precision else (low, middle)
    return high


def next_replicates(done: int, least: int, seen: Iterable[Seen], precision: float) -> int | None:
    """Return up to how many replicates a run has to grow; None where it has enough.

    Parameters
    ----------
    done : int
        Replicates so far.
    least : int
        Asked for at least.
    seen : iterable of Seen
        Every power so far; those without a usable replicate can have no precision, and are left out.
    precision : float
        Half-width of the 95 % Wilson interval, as a share.
    """
    least = max(least, LEAST)
    wanted = 0
    for one in seen:
        if one.usable and half_width(one.share, one.usable) > precision:
            # Fits that fail are in no denominator, so more replicates are needed for as many that do not.
            whole = math.ceil(count_for(one.share, precision) * done / one.usable)
            wanted = max(wanted, BLOCK_SIZE * math.ceil(whole / BLOCK_SIZE), done + BLOCK_SIZE)
    if wanted == 0 and done >= least:
        return None
    return max(wanted, least)
