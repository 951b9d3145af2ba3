r"""All that a mixed model with a random group effect needs to know of a trial: sums per group.

Within a group of n with residual variance :math:`\sigma^2` and group variance :math:`\tau`, the deviations from the
group's mean have variance :math:`\sigma^2` and :math:`\sqrt n` times the mean has variance :math:`\sigma^2 + n\tau`,
all independent. So V is diagonal after a rotation that is the same for every parameter, and the data come in *cells*
of one variance:

- one for each residual variance: participants without a group, and deviations from group means;
- one for each residual variance and group size: the means of the groups of that size.

A cell needs its cross-products and how many independent pieces it holds. After these, which take time linear in N, a
fit costs the same at N = 100 and N = 100,000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.nested.components import Moments

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.integer]
Index = NDArray[np.intp]

_AT_ONCE = 32
"""Replicates worked on together, so that they stay in the processor's cache."""


_EDGE = 1e-8
"""Share of the largest residual variance below which a variance counts as 0, and V as not positive definite."""


class GroupStatistics(NamedTuple):
    """Cross-products per cell of one variance; p − 1 residual variances come first, the group variance last.

    Attributes
    ----------
    counts : ndarray, shape (R, C)
        Independent pieces in the cell; the first p − 1 cells are those within groups, in order.
    design : ndarray, shape (R, C, p)
        The cell's variance is design @ θ.
    products : ndarray, shape (R, C, q + 1, q + 1)
        [X e]'[X e] of the rotated data, e what least squares leave of the scores; X includes the intercept.
    offset : ndarray, shape (R, q)
        Coefficients of least squares; any others would do, but these leave no digits to be lost.
    squares : ndarray, shape (R,)
        Sum of squares of the scores.
    groups : ndarray, shape (R,)
        Groups with at least one observed participant.
    finite : ndarray of bool, shape (R,)
        False where a score or a covariate of an observed participant is infinite or a covariate is missing.
    nested : ndarray of bool, shape (R,)
        False where a group has members with different residual variances.
    """

    counts: Array
    design: Array
    products: Array
    offset: Array
    squares: Array
    groups: Array
    finite: Flags
    nested: Flags

    @property
    def n_observations(self) -> Array:
        """Observed participants, shape (R,)."""
        return np.asarray(self.counts.sum(axis=1))

    def take(self, replicates: Index) -> GroupStatistics:
        """Return the statistics of some of the replicates."""
        return GroupStatistics(
            self.counts[replicates],
            self.design[replicates],
            self.products[replicates],
            self.offset[replicates],
            self.squares[replicates],
            self.groups[replicates],
            self.finite[replicates],
            self.nested[replicates],
        )

    def smallest_variance(self, theta: Array) -> Array:
        """Return the smallest variance of a cell at θ as a share of the largest residual variance, shape (R,)."""
        variance = np.where(self.counts > 0, (self.design @ theta[..., None])[..., 0], np.inf)
        return np.asarray(variance.min(axis=1) / np.abs(theta[:, :-1]).max(axis=1))

    def room(self, theta: Array, step: Array) -> Array:
        """Return the share of a step, shape (R,), at which the variance of a cell becomes 0."""
        both = self.design @ np.stack([theta, step], axis=2)
        leaving = (both[..., 1] < 0.0) & (self.counts > 0)
        return np.asarray(np.where(leaving, both[..., 0] / np.where(leaving, -both[..., 1], 1.0), np.inf).min(axis=1))

    def moments(self, theta: Array) -> Moments:
        """Return the moments at θ, shape (R, p)."""
        n_parameters = theta.shape[1]
        variance = (self.design @ theta[..., None])[..., 0]
        empty = self.counts == 0
        floor = _EDGE * np.abs(theta[:, :-1]).max(axis=1, keepdims=True)
        definite = np.all((variance > floor) | empty, axis=1)
        weight = 1.0 / np.where(~empty & definite[:, None], variance, 1.0)
        first, second = np.triu_indices(n_parameters)
        one = self.design * weight[..., None]
        two = one[..., first] * one[..., second]
        traces = (self.counts[:, None] @ np.concatenate([one, two], axis=2))[:, 0]
        weights = np.concatenate([np.ones_like(weight)[..., None], one, two], axis=2) * weight[..., None]
        size = self.products.shape[-1]
        sums = weights.swapaxes(1, 2) @ self.products.reshape(*self.counts.shape, size * size)
        sums = sums.reshape(len(theta), weights.shape[2], size, size)
        square = np.zeros((n_parameters, n_parameters), dtype=np.intp)
        square[first, second] = square[second, first] = np.arange(len(first))
        return Moments(
            definite,
            -(self.counts * np.log(weight)).sum(axis=1),
            traces[:, :n_parameters],
            traces[:, n_parameters:][:, square],
            sums[:, 0],
            sums[:, 1 : 1 + n_parameters],
            sums[:, 1 + n_parameters :][:, square],
        )


def group_statistics(
    y: Array,
    x: Array,
    group: Integers,
    *,
    residual: Integers | None = None,
    n_residual: int = 1,
    included: Flags | None = None,
) -> GroupStatistics:
    """Return the cross-products per cell of a block of trials.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        Scores; NaN where not observed.
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them; finite for every observed participant.
    group : ndarray of int, shape (R, N)
        The group, 0 or more, within the replicate; −1 for a participant who is in none.
    residual : ndarray of int, shape (R, N), optional
        Which of the `n_residual` residual variances, such as the arm; one for all by default. The members of a group
        share theirs.
    n_residual : int
    included : ndarray of bool, shape (R, N), optional
        Participants in the analysis; everybody by default.
    """
    observed = ~np.isnan(y) if included is None else ~np.isnan(y) & included
    valid = np.isfinite(y) & np.isfinite(x).all(axis=2)
    finite = np.all(valid | ~observed, axis=1)
    observed &= finite[:, None]
    label = np.where(observed, group, -1)
    kind = np.zeros(y.shape, dtype=np.intp) if residual is None else np.asarray(residual, dtype=np.intp)
    n_groups = max(int(label.max(initial=-1)) + 1, 1)
    offset, squares = np.empty((len(y), x.shape[2])), np.empty(len(y))
    parts = []
    for first in range(0, max(len(y), 1), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        z = np.concatenate([x[rows], y[rows, :, None]], axis=2)
        z[~observed[rows]] = 0.0
        squares[rows] = (z[..., -1] ** 2).sum(axis=1)
        offset[rows] = take_out(z)
        parts.append(_part(z, label[rows], kind[rows], observed[rows], n_groups, n_residual))
    n_cells = max(part[0].shape[1] for part in parts)
    return GroupStatistics(
        np.concatenate([_padded(part[0], n_cells) for part in parts]),
        np.concatenate([_padded(part[1], n_cells) for part in parts]),
        np.concatenate([_padded(part[2], n_cells) for part in parts]),
        offset,
        squares,
        np.concatenate([part[3] for part in parts]),
        finite,
        np.concatenate([part[4] for part in parts]),
    )


def take_out(z: Array) -> Array:
    """Take least squares out of the last column, in place; return the coefficients, 0 for collinear covariates."""
    x = z[..., :-1]
    products = x.swapaxes(1, 2) @ z
    factor, definite = cholesky(products[:, :, :-1])
    solution = solve_lower_transposed(factor, solve_lower(factor, products[:, :, -1:]))
    solution[~definite] = 0.0
    z[..., -1:] -= x @ solution
    return solution[..., 0]


def _padded(piece: Array, n_cells: int) -> Array:
    """Return a piece with empty cells, shape (R, ..., ...), up to n_cells of them."""
    return np.pad(piece, [(0, 0), (0, n_cells - piece.shape[1]), *[(0, 0)] * (piece.ndim - 2)])


def _part(
    z: Array, label: Integers, kind: Index, observed: Flags, n_groups: int, n_residual: int
) -> tuple[Array, Array, Array, Array, Flags]:
    """Return counts, design, products, number of groups and whether they are nested for a few replicates."""
    n_replicates, _, d = z.shape
    rows = np.arange(n_replicates)[:, None]
    slot = np.where(label >= 0, label, n_groups)
    address = (rows * (n_groups + 1) + slot).reshape(-1)

    def per_group(values: Array | None) -> Array:
        flat = None if values is None else values.reshape(-1)
        sums = np.bincount(address, flat, minlength=n_replicates * (n_groups + 1))
        return sums.reshape(n_replicates, n_groups + 1).astype(np.float64)[:, :n_groups]

    sizes = per_group(None)
    sums = np.stack([per_group(z[:, :, i]) for i in range(d)], axis=2)
    kinds = per_group(kind.astype(np.float64))
    # Members of one kind only: Cauchy-Schwarz with equality, exact for whole numbers.
    nested = np.all(sizes * per_group(kind.astype(np.float64) ** 2) == kinds**2, axis=1)
    whole = np.maximum(sizes, 1.0)
    means = np.zeros((n_replicates, n_groups + 1, d))
    means[:, :n_groups] = sums / whole[..., None]
    centred = z - means[rows, slot]
    group_kind = np.rint(kinds / whole).astype(np.intp)
    counts, products = _within(centred, kind, observed, sizes, group_kind, n_residual)
    between = _between(sums / np.sqrt(whole)[..., None], sizes, group_kind, n_residual)
    own = np.broadcast_to(np.eye(n_residual, n_residual + 1), (n_replicates, n_residual, n_residual + 1))
    return (
        np.concatenate([counts, between[0]], axis=1),
        np.concatenate([own, between[1]], axis=1),
        np.concatenate([products, between[2]], axis=1),
        (sizes > 0).sum(axis=1).astype(np.float64),
        nested,
    )


def _within(
    centred: Array, kind: Index, observed: Flags, sizes: Array, group_kind: Index, n_residual: int
) -> tuple[Array, Array]:
    """Return counts and products of the cells within groups, one for each residual variance."""
    counts = np.empty((len(centred), n_residual))
    products = np.empty((len(centred), n_residual, centred.shape[2], centred.shape[2]))
    for k in range(n_residual):
        mine = observed & (kind == k)
        np.matmul((centred * mine[..., None]).swapaxes(1, 2), centred, out=products[:, k])
        counts[:, k] = mine.sum(axis=1) - ((sizes > 0) & (group_kind == k)).sum(axis=1)
    return counts, products


def _between(scaled: Array, sizes: Array, kind: Index, n_residual: int) -> tuple[Array, Array, Array]:
    """Return counts, design and products of the cells of group means; groups of one size and kind share a cell."""
    n_replicates, n_groups, d = scaled.shape
    key = np.where(sizes > 0, sizes * n_residual + kind, 0.0)
    order = np.argsort(key, axis=1, kind="stable")
    key = np.take_along_axis(key, order, axis=1)
    new = (key > 0) & (np.diff(key, axis=1, prepend=0.0) > 0)
    rank = np.where(key > 0, np.cumsum(new, axis=1) - 1, -1)
    n_cells = int(rank.max()) + 1
    inside = (rank[:, None, :] == np.arange(n_cells)[:, None]).astype(np.float64)
    rows = np.arange(n_replicates)[:, None]
    scaled = scaled[rows, order]
    outer = (scaled[..., :, None] * scaled[..., None, :]).reshape(n_replicates, n_groups, d * d)
    # Size and kind of a cell: those of its first group.
    size = inside @ (new * sizes[rows, order])[..., None]
    of_kind = (kind[rows, order][..., None] == np.arange(n_residual)) & new[..., None]
    design = np.concatenate([inside @ of_kind.astype(np.float64), size], axis=2)
    return inside.sum(axis=2), design, (inside @ outer).reshape(n_replicates, n_cells, d, d)
