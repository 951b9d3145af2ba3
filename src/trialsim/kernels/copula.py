"""The Gaussian copula of bounded scores: latent normal correlations that give the asked-for ones.

Each score is a step function of a latent standard normal (`kernels.margins`). Between two latent normals with
correlation rho the scores have the covariance sum_n c_n d_n rho^n (Mehler), c and d their Hermite
coefficients; it rises with rho, so each pair has one solution. Up to |rho| = 0.95 the series is summed;
beyond it would converge slowly, and the covariance is reached from the exact ends rho = -1 and 1 by
integrating its derivative, which is a sum of bivariate normal densities (Plackett 1954).

References
----------
Mehler FG (1866), J. reine angew. Math. 66:161. Plackett RL (1954), Biometrika 41:351, doi
10.1093/biomet/41.3-4.351.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from trialsim.kernels.margins import SERIES_ORDER, BoundedMargins, hermite_coefficients, step_coefficients

__all__ = ["CorrelationError", "ScoreTable", "attainable_correlation", "latent_correlation", "rounded_correlation"]

FloatArray = NDArray[np.float64]

_SERIES_LIMIT = 0.95  # largest |latent correlation| for which the series is summed
_TOLERANCE = 1e-12  # of the correlation after rounding
_END_TOLERANCE = 1e-9  # a target beyond an end of its range by less than this is taken as the end
_MAX_ITERATIONS = 100
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)

_CHUNK = 1 << 14  # latent values mapped at a time, so that the working arrays stay in the cache
_CELLS_A_VALUE, _MOST_CELLS = 12, 2048
_OUTERMOST = 8.5  # thresholds beyond it are met by one draw in 10^17; they share the outermost cells


class CorrelationError(ValueError):
    """A correlation that two margins cannot have.

    Attributes
    ----------
    pair : tuple of int
        The two variables, in increasing order.
    index : tuple of int
        Where in the batch; empty for a single matrix.
    target : float
        What was asked for.
    attainable : tuple of float
        Smallest and largest correlation of the two, with latent correlation -1 and 1.
    """

    def __init__(
        self, pair: tuple[int, int], target: float, *, attainable: tuple[float, float], index: tuple[int, ...] = ()
    ) -> None:
        self.pair, self.target, self.attainable, self.index = pair, target, attainable, index
        super().__init__(
            f"variables {pair[0]} and {pair[1]} allow correlations from {attainable[0]:.4f} "
            f"to {attainable[1]:.4f}; got {target:g}"
        )


class _Steps(NamedTuple):
    """The standardised step function of one margin: where it jumps, and by how much."""

    cuts: FloatArray
    jumps: FloatArray


def latent_correlation(
    target: FloatArray, margins: Sequence[BoundedMargins | None], *, order: int = SERIES_ORDER
) -> FloatArray:
    """Return the latent normal correlations that give the target correlations after rounding.

    Parameters
    ----------
    target : ndarray, shape (..., J, J)
        Pearson correlations of the scores; symmetric, only the upper triangle is read.
    margins : sequence of J BoundedMargins or None
        Each of batch shape (...) or one that broadcasts to it; None is a variable that stays on the real
        line. Grids may differ.
    order : int
        Terms of the series; the default suffices for any margins.

    Returns
    -------
    ndarray, shape (..., J, J)
        Symmetric with unit diagonal; each entry to 1e-8 up to 0.95 and to 1e-6 beyond. Solved pair by pair,
        so it need not be positive definite even if the target is: see `kernels.correlation`.

    Raises
    ------
    CorrelationError
        Naming the pair that is furthest outside its attainable range.
    """
    target = np.asarray(target, dtype=np.float64)
    batch, size = target.shape[:-2], _size(target, margins)
    first, second = np.triu_indices(size, k=1)
    asked = target[..., first, second].reshape(prod(batch), first.size).T  # (P, G): pairs lead, groups follow
    continuous = np.array([margin is None for margin in margins], dtype=bool)
    if continuous.all():
        return _matrix(asked, batch, size, first, second)  # nothing is rounded
    products = _products(margins, batch, order, first, second)
    alone = (continuous[first] | continuous[second])[:, None]
    # With a continuous variable in the pair the series is its first term alone, exact at any correlation.
    linear = asked / products[0]
    solved = np.where(alone, np.where(np.abs(linear) <= 1, linear, np.nan), _solve_series(products, asked))
    _close_ends(solved, asked, margins, batch, (first, second))
    return _matrix(solved, batch, size, first, second)


def rounded_correlation(
    latent: FloatArray, margins: Sequence[BoundedMargins | None], *, order: int = SERIES_ORDER
) -> FloatArray:
    """Return the correlations after rounding that latent normal correlations give.

    Parameters
    ----------
    latent : ndarray, shape (..., J, J)
        Latent correlations; symmetric, only the upper triangle is read.
    margins : sequence of J BoundedMargins or None
        As for `latent_correlation`.
    order : int
        Terms of the series.

    Returns
    -------
    ndarray, shape (..., J, J)
    """
    latent = np.asarray(latent, dtype=np.float64)
    batch, size = latent.shape[:-2], _size(latent, margins)
    first, second = np.triu_indices(size, k=1)
    rho = latent[..., first, second].reshape(prod(batch), first.size).T
    products = _products(margins, batch, order, first, second)
    rounded = _series(products, np.clip(rho, -_SERIES_LIMIT, _SERIES_LIMIT))[0]
    for pair, group in np.argwhere(np.abs(rho) > _SERIES_LIMIT):
        one, two = _single(margins[first[pair]], batch, group), _single(margins[second[pair]], batch, group)
        if one is None or two is None:
            rounded[pair, group] = products[0, pair, group] * rho[pair, group]
        else:
            curve = _end_curve(_steps(one), _steps(two), sign=1.0 if rho[pair, group] > 0 else -1.0)
            rounded[pair, group] = curve(float(np.sqrt(1 - rho[pair, group] ** 2)))
    return _matrix(rounded, batch, size, first, second)


def attainable_correlation(one: BoundedMargins | None, two: BoundedMargins | None) -> tuple[float, float]:
    """Return the smallest and largest correlation that two margins can have, by any copula.

    Parameters
    ----------
    one, two : BoundedMargins with empty batch shape, or None for a continuous (normal) variable

    Returns
    -------
    low, high : float
        At latent correlations -1 and 1 (the bounds of Hoeffding and Frechet).
    """
    if one is None or two is None:
        bounded = [margin for margin in (one, two) if margin is not None]
        high = float(hermite_coefficients(bounded[0], order=1)[0] / bounded[0].sd) if bounded else 1.0
        return -high, high
    a, b = _steps(one), _steps(two)
    return _extreme(a, b, sign=-1.0), _extreme(a, b, sign=1.0)


class ScoreTable:
    """Puts latent normals on the steps of one margin: exactly `values[np.searchsorted(thresholds, z)]`, but fast.

    Parameters
    ----------
    thresholds : ndarray, shape (L - 1,)
        Cut points of the margin, not decreasing; may be infinite.
    values : ndarray, shape (L,), points

    Notes
    -----
    The line is cut into equal cells; where a cell holds at most one threshold, two table look-ups and a
    comparison give the score. The few z in cells with several thresholds are searched for. Finding the cell
    is monotone in floating point too, so z and threshold can only be misordered within a cell, where they are
    compared: the result is exact.
    """

    def __init__(self, thresholds: FloatArray, values: FloatArray) -> None:
        self._thresholds, self._values = np.asarray(thresholds, np.float64), np.asarray(values, np.float64)
        cuts, passed = np.unique(self._thresholds, return_counts=True)
        # Scores below the first distinct cut, above it, above the second, ...
        scores_from = self._values[np.concatenate([[0], np.cumsum(passed)])]
        low, high = _cell_range(cuts)
        self._n_cells = min(_CELLS_A_VALUE * self._values.size, _MOST_CELLS)
        self._scale = self._n_cells / (high - low)
        self._shift = -low * self._scale
        cell_of_cut = self._cells(cuts)
        cuts_in_cell = np.bincount(cell_of_cut, minlength=self._n_cells)
        cuts_passed = np.cumsum(cuts_in_cell)
        # Two entries a cell: the scores below and above its cut.
        self._scores = scores_from[np.stack([cuts_passed - cuts_in_cell, cuts_passed], axis=-1)].reshape(-1)
        self._cut = np.full(self._n_cells, np.inf)
        self._cut[cell_of_cut] = cuts
        crowded = cuts_in_cell > 1
        self._crowded = crowded if crowded.any() else None

    def __call__(self, z: FloatArray) -> FloatArray:
        """Return the scores of latent standard normals, an array of the same shape, points.

        Raises
        ------
        ValueError
            If one of them is NaN.
        """
        flat = np.ascontiguousarray(z, dtype=np.float64).reshape(-1)
        scores = np.empty_like(flat)
        for start in range(0, flat.size, _CHUNK):
            part, out = flat[start : start + _CHUNK], scores[start : start + _CHUNK]
            cell = self._cells(part)
            self._scores.take(2 * cell + (part > self._cut.take(cell)), out=out, mode="clip")
            if self._crowded is not None:
                unsure = np.flatnonzero(self._crowded.take(cell))
                out[unsure] = self._values[np.searchsorted(self._thresholds, part[unsure])]
        return scores.reshape(np.shape(z))

    def _cells(self, z: FloatArray) -> NDArray[np.intp]:
        """Return the cell of each z; a NaN is refused."""
        place = z * self._scale
        place += self._shift
        np.clip(place, 0, self._n_cells - 1, out=place)
        if np.isnan(place.sum()):
            raise ValueError("latent values must not be NaN")
        return place.astype(np.intp)


def _cell_range(cuts: FloatArray) -> tuple[float, float]:
    """Return the stretch to cut into cells: that of the thresholds, without far or infinite ones."""
    near = cuts[np.abs(cuts) < _OUTERMOST]
    if near.size == 0:
        return -1.0, 1.0
    return float(near[0]) - 0.01, float(near[-1]) + 0.01


def _size(matrix: FloatArray, margins: Sequence[BoundedMargins | None]) -> int:
    """Return the number of variables, on which matrix and margins must agree."""
    if matrix.ndim < 2 or matrix.shape[-2:] != (len(margins), len(margins)):
        raise ValueError(f"{len(margins)} margins need correlations of that size; got {matrix.shape}")
    if not (np.abs(matrix) <= 1).all():
        raise ValueError("correlations must be between -1 and 1")
    return len(margins)


def _products(
    margins: Sequence[BoundedMargins | None],
    batch: tuple[int, ...],
    order: int,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> FloatArray:
    """Return c_n d_n of the standardised variables of each pair, shape (order, P, G)."""
    longest = max((margin.thresholds.shape[-1] for margin in margins if margin is not None), default=1)
    cuts = np.full((*batch, len(margins), longest), np.inf)
    jumps = np.zeros_like(cuts)
    for j, margin in enumerate(margins):
        if margin is not None:
            cuts[..., j, : margin.values.size - 1] = margin.thresholds
            jumps[..., j, : margin.values.size - 1] = np.diff(margin.values) / margin.sd[..., None]
    coefficients = step_coefficients(cuts, jumps, order=order).reshape(prod(batch), len(margins), order).T
    continuous = [j for j, margin in enumerate(margins) if margin is None]
    coefficients[0, continuous] = 1.0
    return coefficients[:, first] * coefficients[:, second]


def _matrix(
    pairs: FloatArray, batch: tuple[int, ...], size: int, first: NDArray[np.intp], second: NDArray[np.intp]
) -> FloatArray:
    """Return the symmetric matrices with unit diagonal whose upper triangles are given, shape (P, G)."""
    matrix = np.zeros((*batch, size, size))
    matrix[..., first, second] = pairs.T.reshape(*batch, first.size)
    matrix += np.swapaxes(matrix, -1, -2)
    matrix[..., range(size), range(size)] = 1.0
    return matrix


def _series(products: FloatArray, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the correlation after rounding and its derivative in rho, by Horner's rule."""
    # The terms of order n + 1 and up add less than rho^(n+1) in all (Cauchy and Schwarz).
    largest = float(np.max(np.abs(rho), initial=0.0))
    needed = int(np.ceil(np.log(1e-14) / np.log(max(largest, 1e-6)))) if largest < 1 else products.shape[0]
    needed = min(products.shape[0], max(needed, 2))
    value = np.zeros_like(rho)
    slope = np.zeros_like(rho)
    for n in range(needed - 1, -1, -1):
        slope *= rho
        slope += value
        value *= rho
        value += products[n]
    slope *= rho
    slope += value
    return value * rho, slope


def _solve_series(products: FloatArray, asked: FloatArray) -> FloatArray:
    """Return the latent correlations within +-0.95, NaN where there is none."""
    low = np.full_like(asked, -_SERIES_LIMIT)
    high = np.full_like(asked, _SERIES_LIMIT)
    inside = (asked >= _series(products, low)[0]) & (asked <= _series(products, high)[0])
    rho = np.where(inside, np.clip(asked / products[0], low, high), 0.0)
    for _ in range(_MAX_ITERATIONS):
        value, slope = _series(products, rho)
        gap = np.where(inside, value - asked, 0.0)
        settled = np.abs(gap) <= _TOLERANCE
        if settled.all():
            return np.where(inside, rho, np.nan)
        high = np.where(gap > 0, np.minimum(high, rho), high)
        low = np.where(gap < 0, np.maximum(low, rho), low)
        newton = rho - gap / np.maximum(slope, 1e-300)
        proposed = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        rho = np.where(settled, rho, proposed)
    raise ArithmeticError("the latent correlations did not settle")  # pragma: no cover - the bracket shrinks


def _single(margin: BoundedMargins | None, batch: tuple[int, ...], group: int) -> BoundedMargins | None:
    """Return one group's margin, with empty batch shape."""
    if margin is None:
        return None
    values, *parts = margin
    index = np.unravel_index(group, batch) if batch else ()
    probabilities, thresholds = (np.broadcast_to(part, (*batch, part.shape[-1]))[index] for part in parts[:2])
    mean, sd = (np.broadcast_to(part, batch)[index] for part in parts[2:])
    return BoundedMargins(values, probabilities, thresholds, np.asarray(mean), np.asarray(sd))


def _steps(margin: BoundedMargins) -> _Steps:
    """Return a single margin's jumps, in SDs; those that no draw meets are left out."""
    met = np.abs(margin.thresholds) < _OUTERMOST
    return _Steps(margin.thresholds[met], np.diff(margin.values)[met] / margin.sd)


def _extreme(one: _Steps, two: _Steps, *, sign: float) -> float:
    """Return the correlation after rounding at latent correlation `sign` 1 or -1 (Hoeffding's formula)."""
    a, b = scipy.special.ndtr(one.cuts)[:, None], scipy.special.ndtr(two.cuts)[None, :]
    both = np.minimum(a, b) if sign > 0 else np.maximum(a + b - 1, 0.0)
    return float(one.jumps @ (both - a * b) @ two.jumps)


def _end_curve(one: _Steps, two: _Steps, *, sign: float) -> Callable[[float], float]:
    """Return the correlation after rounding as a function of c = sqrt(1 - rho^2), for rho of this sign.

    In c, Plackett's derivative has no pole at |rho| = 1, but it changes fast where c is like the distance of
    two thresholds; with c proportional to x^3 the nodes crowd where such distances are small.
    """
    a, b = one.cuts[:, None], sign * two.cuts[None, :]
    apart, product = (a - b) ** 2 / 2, a * b
    end = _extreme(one, two, sign=sign)

    def correlation(largest: float) -> float:
        if largest == 0:
            return end
        lost = 0.0
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            x = (1 + node) / 2
            c = largest * x**3
            rho = np.sqrt(1 - c * c)
            density = np.exp(-apart / c**2 - product / (1 + rho)) / (2 * np.pi * rho)
            lost += weight / 2 * 3 * largest * x**2 * float(one.jumps @ density @ two.jumps)
        return end - sign * lost

    return correlation


def _solve_end(one: _Steps, two: _Steps, target: float) -> float:
    """Return the latent correlation beyond +-0.95 that gives an attainable target."""
    sign = 1.0 if target > 0 else -1.0
    if abs(target) >= abs(_extreme(one, two, sign=sign)) - _TOLERANCE:
        return sign
    curve = _end_curve(one, two, sign=sign)
    widest = float(np.sqrt(1 - _SERIES_LIMIT**2))
    if sign * (curve(widest) - target) >= 0:  # in the crack between the two ways to compute, below 1e-8 wide
        return sign * _SERIES_LIMIT
    c = float(scipy.optimize.brentq(lambda at: curve(at) - target, 0.0, widest, xtol=1e-10))
    return sign * float(np.sqrt(1 - c * c))


def _close_ends(
    solved: FloatArray,
    asked: FloatArray,
    margins: Sequence[BoundedMargins | None],
    batch: tuple[int, ...],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> None:
    """Fill in place the latent correlations that the series left open; raise for the pair furthest out."""
    worst: CorrelationError | None = None
    largest = 0.0
    for pair, group in np.argwhere(np.isnan(solved)):
        i, j = int(pairs[0][pair]), int(pairs[1][pair])
        target = float(asked[pair, group])
        one, two = _single(margins[i], batch, group), _single(margins[j], batch, group)
        low, high = attainable_correlation(one, two)
        excess = max(target - high, low - target)
        if excess > max(largest, _END_TOLERANCE):
            largest = excess
            index = tuple(int(k) for k in np.unravel_index(group, batch)) if batch else ()
            worst = CorrelationError((i, j), target, attainable=(low, high), index=index)
        elif excess <= _END_TOLERANCE:
            if one is None or two is None:
                solved[pair, group] = np.sign(target)
            else:
                solved[pair, group] = _solve_end(_steps(one), _steps(two), target)
    if worst is not None:
        raise worst
