r"""How far the scores of two arms overlap, from placements: each score's share of the other arm below it.

With :math:`V_i` the placement of active score i among the n controls and :math:`W_j` that of control score j among the
m active ones, the probability :math:`\theta` that an active score is the higher, ties as a half, is estimated by the
mean of V, with variance :math:`S_V^2/m + S_W^2/n` whatever the two distributions are.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL (1988), Biometrics 44:837.
Brunner E, Munzel U (2000), Biometrical Journal 42:17 (degrees of freedom).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Superiority(NamedTuple):
    """Probability that an active score is above a control score; all (R,).

    Attributes
    ----------
    estimate : ndarray
        Ties count as a half; NaN where no stratum has scores of both arms.
    se, df : ndarray
        Degrees of freedom after Satterthwaite, infinite where nothing was estimated from the spread of placements.
    stood_in : ndarray of bool
        Whether in some stratum the placements do not vary or an arm has a single score, so that the variance under
        equal distributions, which is the larger, stands in.
    """

    estimate: Array
    se: Array
    df: Array
    stood_in: Flags


class _Stratum(NamedTuple):
    """One stratum of each trial; all (R,)."""

    weight: Array
    estimate: Array
    variance: Array
    spread: Array  # sum of squared components of the variance over their degrees of freedom
    stood_in: Flags


def superiority(y: Array, active: Flags, control: Flags, stratum: NDArray[np.integer], *, n_strata: int) -> Superiority:
    """Return the probability that an active score is above a control score, averaged over strata.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        Scores; NaN where not observed, which leaves the participant out.
    active, control : ndarray of bool, shape (R, N)
    stratum : ndarray of int, shape (R, N)
        From 0 to n_strata − 1.
    n_strata : int

    Notes
    -----
    Strata are weighted by m n / (m + n + 1), as in van Elteren's test; one without both arms adds nothing.
    """
    parts = [_within(y, active & (stratum == s), control & (stratum == s)) for s in range(n_strata)]
    total = np.sum([part.weight for part in parts], axis=0)
    share = [part.weight / np.where(total > 0, total, 1.0) for part in parts]
    variance = np.sum([w**2 * part.variance for w, part in zip(share, parts, strict=True)], axis=0)
    spread = np.sum([w**4 * part.spread for w, part in zip(share, parts, strict=True)], axis=0)
    estimate = np.sum([w * part.estimate for w, part in zip(share, parts, strict=True)], axis=0)
    known = np.where(total > 0, 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(spread > 0, variance**2 / spread, np.inf)
    stood_in = np.any([part.stood_in for part in parts], axis=0)
    return Superiority(estimate * known, np.sqrt(variance) * known, df * known, stood_in)


def _within(y: Array, active: Flags, control: Flags) -> _Stratum:
    """Return a stratum's estimate, its variance and what its degrees of freedom need."""
    one, zero = active & ~np.isnan(y), control & ~np.isnan(y)
    m, n = one.sum(axis=1).astype(float), zero.sum(axis=1).astype(float)
    together = midranks(y, one | zero)
    above = np.where(one, together - midranks(y, one), 0.0) / np.maximum(n, 1.0)[:, None]
    below = np.where(zero, together - midranks(y, zero), 0.0) / np.maximum(m, 1.0)[:, None]
    estimate = above.sum(axis=1) / np.maximum(m, 1.0)
    parts, spread = np.zeros_like(m), np.zeros_like(m)
    for placements, members, size in ((above, one, m), (below, zero, n)):
        mean = placements.sum(axis=1) / np.maximum(size, 1.0)
        square = np.where(members, placements - mean[:, None], 0.0) ** 2
        part = square.sum(axis=1) / np.maximum(size - 1.0, 1.0) / np.maximum(size, 1.0)
        parts += part
        spread += part**2 / np.maximum(size - 1.0, 1.0)
    both = (m > 0) & (n > 0)
    # Placements of equal spread in exact arithmetic leave roundings.
    stood_in = both & ((m < 2) | (n < 2) | (parts < 1e-14))
    total = m + n
    ranks = np.where(one | zero, together - 0.5 * (total[:, None] + 1.0), 0.0)
    pairs = np.where(both, m * n, 1.0)
    null = (ranks**2).sum(axis=1) / (np.maximum(total * (total - 1.0), 1.0) * pairs)
    weight = np.where(both, m * n / (total + 1.0), 0.0)
    return _Stratum(weight, estimate, np.where(stood_in, null, parts), np.where(stood_in, 0.0, spread), stood_in)


def midranks(y: Array, inside: Flags) -> Array:
    """Return the ranks of some scores among each other, ties at their mean rank.

    Parameters
    ----------
    y : ndarray, shape (R, N)
    inside : ndarray of bool, shape (R, N)
        Scores that are ranked, not NaN.

    Returns
    -------
    ndarray, shape (R, N)
        From 1; NaN elsewhere.
    """
    order = np.argsort(np.where(inside, y, np.nan), axis=1)
    ranked = np.take_along_axis(inside, order, axis=1)
    scores = np.where(ranked, np.take_along_axis(y, order, axis=1), np.nan)
    position = np.broadcast_to(np.arange(y.shape[1]), y.shape)
    new, ends = np.ones(y.shape, dtype=bool), np.ones(y.shape, dtype=bool)
    new[:, 1:] = scores[:, 1:] != scores[:, :-1]
    ends[:, :-1] = new[:, 1:]
    first = np.maximum.accumulate(np.where(new, position, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, position, y.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(y.shape)
    np.put_along_axis(ranks, order, np.where(ranked, 0.5 * (first + last) + 1.0, np.nan), axis=1)
    return ranks
