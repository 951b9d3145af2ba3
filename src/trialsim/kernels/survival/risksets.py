"""Who is at risk when: participants in the order of their times, stratum by stratum.

A stratum is one more row: everything is laid out as (R, S, M), replicates by strata by places, M the size of the
largest stratum of the block. Places beyond a stratum's end hold nobody, carry no weight, and change no sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Codes = NDArray[np.int8]

REASONS = (
    "estimated",
    "a time or covariate that is not finite, or a time below 0",
    "an arm has nobody",
    "no event",
    "no information: whoever has the event, nobody else could have had it",
    "covariates are constant or collinear",
    "monotone likelihood: a coefficient runs to infinity",
    "not converged",
    "follow-up ends before the horizon",
)
"""What a status says: the index of the reason in this list; 0 is the only one with an estimate."""

ESTIMATED, BAD_INPUT, EMPTY_ARM, NO_EVENT, NO_INFORMATION, COLLINEAR, MONOTONE, NOT_CONVERGED, SHORT = range(9)


class RiskSets(NamedTuple):
    """Participants by stratum and ascending time.

    Attributes
    ----------
    order : ndarray of int, shape (R, S, M)
        The participant at each place.
    member : ndarray of bool, shape (R, S, M)
        Whether the place holds anybody.
    time : ndarray, shape (R, S, M)
        Infinite at empty places.
    event : ndarray of bool, shape (R, S, M)
    first, last : ndarray of int, shape (R, S, M), or None
        First and last place with the same time, counted through the whole of (R, S, M), since one flat take is several
        times faster than one along an axis; None where no two members of the block share a time.
    valid : ndarray of bool, shape (R,)
        False where a time is unusable; such a replicate has no members.
    """

    order: Index
    member: Flags
    time: Array
    event: Flags
    first: Index | None
    last: Index | None
    valid: Flags

    def rows(self, index: Index) -> RiskSets:
        """Return the risk sets of some replicates."""
        shift = ((np.arange(len(index)) - index) * self.member[0].size)[:, None, None]
        first = None if self.first is None else self.first[index] + shift
        last = None if self.last is None else self.last[index] + shift
        return RiskSets(
            self.order[index], self.member[index], self.time[index], self.event[index], first, last, self.valid[index]
        )

    def opens(self) -> Flags:
        """Return which places are the first of their time, shape (R, S, M)."""
        if self.first is None:
            return self.member
        return np.asarray(self.member & (self.first == np.arange(self.first.size).reshape(self.first.shape)))

    def take(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return values of shape (R, N) in the layout (R, S, M)."""
        flat = np.take_along_axis(values, self.order.reshape(len(values), -1), axis=1)
        return flat.reshape(self.order.shape)

    def at_first(self, values: Array) -> Array:
        """Return, at each place, the value at the first place of the same time; also of (R, q, S, M)."""
        return values if self.first is None else _along_last(values, self.first)

    def at_last(self, values: Array) -> Array:
        """Return, at each place, the value at the last place of the same time."""
        return values if self.last is None else _along_last(values, self.last)

    def over_ties(self, values: Array) -> Array:
        """Return, at each place, the sum over all places of the same time."""
        if self.first is None:
            return values
        total = np.cumsum(values, axis=-1)
        return self.at_last(total) - self.at_first(total - values)


def risk_sets(
    time: Array,
    event: Flags,
    *,
    included: Flags | None = None,
    stratum: NDArray[np.integer] | None = None,
    n_strata: int = 1,
) -> RiskSets:
    """Sort participants by stratum and time.

    Parameters
    ----------
    time : ndarray, shape (R, N), any unit
        Time to the event or to censoring; anything where not included. Equal means equal to the last bit: times
        that carry rounding are to be rounded before.
    event : ndarray of bool, shape (R, N)
        True for the event, False for censoring. At the same time events come before censoring.
    included : ndarray of bool, shape (R, N), optional
    stratum : ndarray of int, shape (R, N), optional
        0 .. n_strata − 1.
    n_strata : int
    """
    included = np.ones(time.shape, dtype=bool) if included is None else included
    bad = included & ~((time >= 0.0) & np.isfinite(time))
    valid = np.asarray(~bad.any(axis=1))
    if not valid.all():
        included = included & valid[:, None]
    key = np.where(included, time, np.inf)
    if stratum is None or n_strata == 1:
        order = np.argsort(key, axis=1)[:, None, :]
        counts = included.sum(axis=1)[:, None]
        size = max(int(counts.max(initial=0)), 1)
        order = order[:, :, :size]
    else:
        order, counts = _by_stratum(key, included, stratum, n_strata)
        size = order.shape[2]
    member = np.arange(size) < counts[:, :, None]
    flat = order.reshape(len(time), -1)
    ordered = np.where(member, np.take_along_axis(key, flat, axis=1).reshape(order.shape), np.inf)
    happened = np.take_along_axis(event, flat, axis=1).reshape(order.shape) & member
    first, last = _ties(ordered, member)
    return RiskSets(order, member, ordered, happened, first, last, valid)


def from_right(values: Array | Flags) -> Array:
    """Return, at each place, the sum over this place and all later ones."""
    return np.cumsum(values[..., ::-1], axis=-1, dtype=np.float64)[..., ::-1]


def _along_last(values: Array, index: Index) -> Array:
    if values.ndim == index.ndim:
        return np.take(values, index)
    return np.stack([np.take(values[:, k], index) for k in range(values.shape[1])], axis=1)


def _by_stratum(key: Array, included: Flags, stratum: NDArray[np.integer], n_strata: int) -> tuple[Index, Index]:
    """Return the participants at each place (R, S, M), and how many each stratum has (R, S)."""
    group = np.where(included, stratum, n_strata)
    flat = np.lexsort((key, group), axis=1)
    counts = np.stack([(group == s).sum(axis=1) for s in range(n_strata)], axis=1)
    size = max(int(counts.max(initial=0)), 1)
    start = np.cumsum(counts, axis=1) - counts
    place = np.minimum(start[:, :, None] + np.arange(size), key.shape[1] - 1)
    return np.take_along_axis(flat, place.reshape(len(key), -1), axis=1).reshape(place.shape), counts


def _ties(time: Array, member: Flags) -> tuple[Index | None, Index | None]:
    same = time[..., 1:] == time[..., :-1]
    if not (same & member[..., 1:]).any():
        return None, None
    place = np.arange(time.shape[-1])
    edge = np.ones((*time.shape[:-1], 1), dtype=bool)
    opens = np.concatenate([edge, ~same], axis=-1)
    closes = np.concatenate([~same, edge], axis=-1)
    first = np.maximum.accumulate(np.where(opens, place, 0), axis=-1)
    last = np.where(closes, place, place[-1])[..., ::-1]
    row = np.arange(0, time.size, time.shape[-1]).reshape(*time.shape[:-1], 1)
    return first + row, np.minimum.accumulate(last, axis=-1)[..., ::-1] + row
