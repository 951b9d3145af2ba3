"""Adjusted p-values of the classical procedures.

All procedures take p-values (R, H) and return a `Decision`. A hypothesis is rejected when its adjusted p-value is at
most alpha. A p-value that is missing or not within [0, 1] is taken as 1 by the procedure, so that the other hypotheses
of the replicate keep their protection; its own adjusted value is NaN, and it is not rejected.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

BOUNDARY = 1e-10
"""How far above alpha, as a share of it, an adjusted p-value still counts as equal to it.

Adjusted values are quotients and sums of p-values and weights: one that is alpha on paper may arrive a few units in the
last place above. Ten digits are more than any p-value is good for.
"""


class Decision(NamedTuple):
    """What a procedure says of each hypothesis of each replicate.

    Attributes
    ----------
    rejected : ndarray of bool, shape (R, H)
    adjusted : ndarray, shape (R, H)
        The smallest family-wise alpha at which the hypothesis is rejected; NaN where its p-value is missing.
    """

    rejected: Flags
    adjusted: Array


def is_rejected(adjusted: Array, alpha: float) -> Flags:
    """Return whether adjusted p-values are at most alpha, equality being judged to ten digits."""
    return np.asarray(adjusted <= alpha * (1.0 + BOUNDARY))


def clean(p: Array) -> tuple[Array, Flags]:
    """Return p-values with 1 in place of unusable ones, and which are usable."""
    usable = (p >= 0.0) & (p <= 1.0)
    return np.where(usable, p, 1.0), usable


def decide(adjusted: Array, usable: Flags, alpha: float) -> Decision:
    """Return the decision at alpha, adjusted values cut at 1 and hidden where the p-value was unusable."""
    adjusted = np.where(usable, np.minimum(adjusted, 1.0), np.nan)
    return Decision(is_rejected(adjusted, alpha), adjusted)


def bonferroni(p: Array, *, alpha: float = 0.05, weights: Array | None = None) -> Decision:
    """Compare each p-value with its share of alpha.

    Parameters
    ----------
    p : ndarray, shape (R, H)
    alpha : float
    weights : ndarray, shape (H,), optional
        Shares of alpha, at most 1 in total; equal by default.
    """
    values, usable = clean(p)
    share = check_weights(weights, p.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return decide(np.where(share > 0.0, values / share, 1.0), usable, alpha)


def holm(p: Array, *, alpha: float = 0.05) -> Decision:
    """Step down from the smallest p-value (Holm). Parameters as `bonferroni`."""
    values, usable = clean(p)
    order = np.argsort(values, axis=1, kind="stable")
    n = p.shape[1]
    stepped = np.maximum.accumulate(np.take_along_axis(values, order, 1) * np.arange(n, 0, -1), axis=1)
    return decide(_unsort(stepped, order), usable, alpha)


def hochberg(p: Array, *, alpha: float = 0.05) -> Decision:
    """Step up from the largest p-value (Hochberg): needs independence or positive dependence."""
    values, usable = clean(p)
    order = np.argsort(values, axis=1, kind="stable")
    n = p.shape[1]
    scaled = np.take_along_axis(values, order, 1) * np.arange(n, 0, -1)
    stepped = np.minimum.accumulate(scaled[:, ::-1], axis=1)[:, ::-1]
    return decide(_unsort(stepped, order), usable, alpha)


def hommel(p: Array, *, alpha: float = 0.05) -> Decision:
    """Close the Simes test (Hommel): needs independence or positive dependence.

    Notes
    -----
    For each size m of an intersection, the hardest one that holds the i-th smallest p-value has the m − 1 largest
    others (Wright 1992); the adjusted value is the largest over m.
    """
    values, usable = clean(p)
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, 1)
    n = p.shape[1]
    adjusted = np.repeat((n * ascending / np.arange(1, n + 1)).min(axis=1, keepdims=True), n, axis=1)
    for m in range(n - 1, 1, -1):
        head = n - m + 1
        tail = (m * ascending[:, head:] / np.arange(2, m + 1)).min(axis=1, keepdims=True)
        simes = np.empty_like(ascending)
        simes[:, :head] = np.minimum(m * ascending[:, :head], tail)
        simes[:, head:] = simes[:, head - 1 : head]
        adjusted = np.maximum(adjusted, simes)
    return decide(_unsort(np.maximum(adjusted, ascending), order), usable, alpha)


def fixed_sequence(p: Array, *, alpha: float = 0.05, order: tuple[int, ...] | None = None) -> Decision:
    """Test one after another, each at full alpha, until one is not rejected.

    Parameters
    ----------
    p : ndarray, shape (R, H)
    alpha : float
    order : tuple of int, optional
        The hypotheses in order of testing; as they stand by default.
    """
    values, usable = clean(p)
    sequence = np.arange(p.shape[1]) if order is None else np.asarray(order)
    if sorted(sequence) != list(range(p.shape[1])):
        raise ValueError(f"order must name each of the {p.shape[1]} hypotheses once; got {order}")
    adjusted = np.empty_like(values)
    adjusted[:, sequence] = np.maximum.accumulate(values[:, sequence], axis=1)
    return decide(adjusted, usable, alpha)


def co_primary(p: Array, *, alpha: float = 0.05) -> Decision:
    """Reject all or none: every endpoint must succeed at full alpha (intersection-union test)."""
    values, usable = clean(p)
    largest = values.max(axis=1, keepdims=True)
    return decide(np.broadcast_to(largest, p.shape), usable, alpha)


def check_weights(weights: Array | None, count: int) -> Array:
    """Return shares of alpha, shape (H,); equal ones by default."""
    if weights is None:
        return np.full(count, 1.0 / count)
    share = np.asarray(weights, dtype=np.float64)
    if share.shape != (count,) or not np.all(share >= 0.0) or share.sum() > 1.0 + 1e-9:
        raise ValueError(f"weights must be {count} numbers of at least 0 that add to at most 1; got {weights}")
    return share


def _unsort(values: Array, order: NDArray[np.intp]) -> Array:
    out = np.empty_like(values)
    np.put_along_axis(out, order, values, axis=1)
    return out
