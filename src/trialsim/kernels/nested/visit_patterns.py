"""From the scores of a block of longitudinal trials to the sums that its random-effects models need."""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.nested.statistics import take_out
from trialsim.kernels.nested.trajectories import GroupEffect, LongitudinalStatistics, Patterns, RandomEffect

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.integer]
Index = NDArray[np.intp]

_PATIENTS_AT_ONCE = 8192
"""Patients, over replicates, worked on together, so that they stay in the processor's cache."""
_IN_BASIS = 1e-10
"""Singular value, as a share of the largest, below which a column adds nothing to those before it."""
_MOST_VISITS = 62


def longitudinal_statistics(
    y: Array,
    x: Array,
    times: Array,
    *,
    random: RandomEffect = "slope",
    group: Integers | None = None,
    group_effect: GroupEffect = "level",
    included: Flags | None = None,
) -> LongitudinalStatistics:
    """Return the sums per pattern of visits and per group of a block of trials, in time linear in their patients.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores; NaN where not observed.
    x : ndarray, shape (R, N, V, q)
        Covariates at each visit, the intercept among them; finite wherever a score is observed.
    times : ndarray, shape (V,)
        Time of each visit, in any unit, the same for all patients.
    random : {"intercept", "slope", "uncorrelated"}
        The patient's random effects: a level; a level and a slope in time, correlated; the same two, uncorrelated at
        time 0.
    group : ndarray of int, shape (R, N), optional
        The patient's group, such as site or therapy group, 0 or more, within the replicate; −1 for a patient who is in
        none.
    group_effect : {"level", "growth"}
        What the members of a group share: a level at all times, or a slope from time 0, whose variance is given for
        the time farthest from 0.
    included : ndarray of bool, shape (R, N), optional
        Patients in the analysis; everybody by default.

    Raises
    ------
    ValueError
        Where the times do not support the random effects asked for, or one of the choices has another name.
    """
    z, to_time = _random_design(np.asarray(times, dtype=np.float64), random)
    w = None if group is None else _group_weight(np.asarray(times, dtype=np.float64), group_effect)
    n_replicates, n_patients, n_visits = y.shape
    if n_visits > _MOST_VISITS:
        raise ValueError(f"times: at most {_MOST_VISITS} visits, not {n_visits}; leave out those not analysed")
    observed = ~np.isnan(y) if included is None else ~np.isnan(y) & included[:, :, None]
    valid = np.isfinite(y) & np.isfinite(x).all(axis=3)
    finite = np.all(valid | ~observed, axis=(1, 2))
    observed &= finite[:, None, None]
    code = observed @ (1 << np.arange(n_visits))
    patterns = _patterns(np.unique(np.append(code, (1 << n_visits) - 1)), z, w, random)
    index = np.searchsorted(patterns.codes, code)
    label = np.full(code.shape, -1) if group is None else np.where(code > 0, group, -1)
    n_groups = 0 if group is None else max(int(label.max(initial=-1)) + 1, 1)
    n_at_once = max(_PATIENTS_AT_ONCE // max(n_patients, 1), 1)
    parts = []
    for first in range(0, max(n_replicates, 1), n_at_once):
        rows = slice(first, first + n_at_once)
        scores = np.concatenate([x[rows], y[rows, ..., None]], axis=3)
        scores[~observed[rows]] = 0.0
        parts.append(_part(scores, observed[rows], index[rows], label[rows], n_groups, patterns))
    counts, left_count, left, products, members, sums, offset, squares = map(np.concatenate, zip(*parts, strict=True))
    return LongitudinalStatistics(
        patterns,
        random,
        to_time,
        counts,
        left_count,
        left,
        products,
        members,
        sums,
        offset,
        squares,
        finite,
    )


def _random_design(times: Array, random: RandomEffect) -> tuple[Array, Array]:
    """Return the random effects' columns, shape (V, k), well scaled, and T, which takes them to intercept and slope."""
    if random not in get_args(RandomEffect):
        raise ValueError(f"random: {', '.join(get_args(RandomEffect))}, not {random!r}")
    ones = np.ones((len(times), 1))
    if random == "intercept":
        return ones, np.eye(1)
    if len(np.unique(times)) < 2:
        raise ValueError("times: a random slope needs two different times; use random='intercept'")
    # Moved to the middle where the covariance lets it: there level and slope are least alike.
    middle = times.mean() if random == "slope" else 0.0
    unit = np.sqrt(((times - middle) ** 2).mean())
    to_time = np.array([[1.0, -middle / unit], [0.0, 1.0 / unit]])
    return np.column_stack([ones, (times - middle) / unit]), to_time


def _group_weight(times: Array, group_effect: GroupEffect) -> Array:
    """Return the weight of the group's effect at each time, shape (V,)."""
    if group_effect not in get_args(GroupEffect):
        raise ValueError(f"group_effect: {', '.join(get_args(GroupEffect))}, not {group_effect!r}")
    if group_effect == "level":
        return np.ones(len(times))
    if not np.any(times):
        raise ValueError("times: an effect that grows from time 0 needs a visit at another time; use 'level'")
    return np.asarray(times / np.abs(times).max())


def _patterns(codes: Index, z: Array, w: Array | None, random: RandomEffect) -> Patterns:
    """Return bases and covariance derivatives of the patterns."""
    seen = (codes[:, None] >> np.arange(len(z))) & 1
    columns = z if w is None else np.column_stack([z, w])
    basis, scale, _ = np.linalg.svd(columns * seen[..., None], full_matrices=False)
    needed = scale > _IN_BASIS * np.maximum(scale[:, :1], 1.0)
    size = max(int(needed.sum(axis=1).max()), 1)
    basis, needed = basis[:, :, :size] * needed[:, None, :size], needed[:, :size]
    turned = basis.swapaxes(1, 2)
    own = turned @ z
    diagonal = np.eye(size) * needed[:, None]
    pairs = [(i, j) for i in range(z.shape[1]) for j in range(i, z.shape[1]) if i == j or random == "slope"]
    elements = [own[:, :, i, None] * own[:, None, :, j] for i, j in pairs]
    whole = [e if i == j else e + e.swapaxes(1, 2) for e, (i, j) in zip(elements, pairs, strict=True)]
    derivative = np.stack([diagonal, *whole], axis=1)
    load = np.zeros((len(codes), size)) if w is None else turned @ w
    return Patterns(codes, basis, derivative, np.eye(size) - diagonal, load)


def _part(
    z: Array, observed: Flags, index: Index, label: Integers, n_groups: int, patterns: Patterns
) -> tuple[Array, ...]:
    """Return counts, products, sums, least-squares coefficients and squares for a few replicates."""
    n_replicates, n_patients, n_visits, d = z.shape
    flat = z.reshape(n_replicates, n_patients * n_visits, d)
    squares = (flat[..., -1] ** 2).sum(axis=1)
    offset = take_out(flat)
    basis = patterns.basis[index]
    u = basis.swapaxes(2, 3) @ z
    left = (z - basis @ u).reshape(flat.shape)
    n_patterns, size = patterns.load.shape
    rows = np.arange(n_replicates)[:, None]
    counts, products = _products(u, rows * n_patterns + index, n_replicates * n_patterns)
    slot = np.where(label >= 0, label, n_groups)
    address = (rows * (n_groups + 1) + slot) * n_patterns + index
    cells = n_replicates * (n_groups + 1) * n_patterns
    members = np.bincount(address.ravel(), minlength=cells).reshape(n_replicates, n_groups + 1, n_patterns)
    sums = _sums(u.reshape(-1, size * d), address.ravel(), cells) if n_groups else np.zeros((cells, size * d))
    sums = sums.reshape(n_replicates, n_groups + 1, n_patterns * size, d)[:, :n_groups].swapaxes(2, 3)
    counts = counts.reshape(n_replicates, n_patterns)
    dimensions = np.einsum("pmm->p", patterns.derivative[:, 0])
    return (
        counts,
        observed.sum(axis=(1, 2)) - counts @ dimensions,
        left.swapaxes(1, 2) @ left,
        products.reshape(n_replicates, n_patterns * size * size, d * d),
        members[:, :n_groups].astype(np.float64),
        np.ascontiguousarray(sums),
        offset,
        squares,
    )


def _products(u: Array, address: Index, n_cells: int) -> tuple[Array, Array]:
    """Return patients, shape (C,), and sums of u[s, a] u[t, b], shape (C, m · m · d · d), of each cell."""
    size, d = u.shape[2:]
    flat = u.reshape(-1, size, 1, d, 1)
    outer = (flat * flat.transpose(0, 2, 1, 4, 3)).reshape(len(flat), (size * d) ** 2)
    return np.bincount(address.ravel(), minlength=n_cells).astype(np.float64), _sums(outer, address.ravel(), n_cells)


def _sums(values: Array, address: Index, n_cells: int) -> Array:
    """Return the sums, shape (C, k), of the rows of values, shape (n, k), by their address."""
    order = np.argsort(address, kind="stable")
    address = address[order]
    starts = np.flatnonzero(np.diff(address, prepend=-1))
    sums = np.zeros((n_cells, values.shape[1]))
    if len(starts):
        sums[address[starts]] = np.add.reduceat(values[order], starts, axis=0)
    return sums
