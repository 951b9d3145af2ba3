r"""The search for a maximum over residual variance, positive semidefinite 2 × 2 covariance, and further variances.

With :math:`D = F\begin{pmatrix}a & ab\\ ab & ab^2 + c\end{pmatrix}F'` every D that is positive definite has one
:math:`a > 0`, b and :math:`c > 0`, and the bound is :math:`c \ge 0`: the second effect is b times the first and
something of its own, which may have no variance. So the search of `trialsim.kernels.nested.components`, which knows of
variances that stop at 0, can be used as it is. With a small a, though, b is known badly, and with :math:`a = 0` not at
all. So a search that takes long, or stops there while the likelihood still rises, goes on in another frame F, whose
first direction is that of the largest variance, or the one to go.

The derivatives are those of the variances' likelihood by the chain rule. An optimum at which D is singular is one
inside the singular matrices, so that Satterthwaite's degrees of freedom count what is left of D, and not c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.nested.components import (
    Components,
    LinearCovariance,
    at_bound,
    evaluate,
    maximise,
    parameter_covariance,
)

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_FRAMES = 10
"""Frames tried before a search counts as lost."""
_STEPS = 12
"""Steps within a frame."""
_RISING = 1e-8
"""Slope of the likelihood, as a share of the steepest descent there, that is not rounding."""
_A, _B, _C = 1, 2, 3
_D = slice(1, 4)


class Optimum(NamedTuple):
    """Where a search ended.

    Attributes
    ----------
    best : Components
        In the variances θ.
    covariance : ndarray, shape (R, p, p)
        Of θ, from the observed information; nothing for what rests on its bound.
    resting : ndarray of bool, shape (R,)
        Whether a variance is 0 or the covariance is singular.
    converged : ndarray of bool, shape (R,)
    """

    best: Components
    covariance: Array
    resting: Flags
    converged: Flags


class _Search(NamedTuple):
    """Statistics, the frame F of each replicate (R, 2, 2), none for variances only, and the likelihood meant."""

    statistics: LinearCovariance
    frame: Array | None
    restricted: bool

    def take(self, replicates: Index) -> _Search:
        frame = None if self.frame is None else self.frame[replicates]
        return _Search(self.statistics.take(replicates), frame, self.restricted)

    def room(self, place: Array, step: Array) -> Array:
        return self.statistics.room(place, step)


def find_optimum(statistics: LinearCovariance, start: Array, *, covariance: bool, restricted: bool) -> Optimum:
    """Return the best residual variance, covariance of two random effects, and other variances.

    Parameters
    ----------
    statistics : LinearCovariance
        θ is the residual variance, then, with `covariance`, the three elements of D, then variances.
    start : ndarray, shape (R, p)
        Variances inside their bounds; the covariance in D is not used.
    covariance : bool
        Whether θ holds a D; otherwise all of it are variances.
    restricted : bool
        The restricted likelihood, or the full one.
    """
    bounded = np.arange(start.shape[1]) > 0
    frame = np.tile(np.eye(2), (len(start), 1, 1)) if covariance else None
    if covariance:
        bounded[_B] = False
        start = start.copy()
        start[:, _B] = 0.0
    search = _Search(statistics, frame, restricted)
    if covariance:
        state, converged = maximise(search, start, bounded, at=_evaluate, most_steps=_STEPS)
        _other_frames(search, state, converged, bounded)
    else:
        state, converged = maximise(search, start, bounded, at=_evaluate)
    jacobian = _jacobian(search, state.theta)
    spread = jacobian @ parameter_covariance(state, bounded) @ jacobian.swapaxes(1, 2)
    best = evaluate(statistics, _variances(search, state.theta), restricted=restricted)
    resting = np.asarray(at_bound(state.theta, bounded).any(axis=1))
    return Optimum(best, spread, resting, converged)


def _evaluate(search: _Search, place: Array) -> Components:
    """Return the likelihood with its derivatives in residual variance, a, b, c and further variances."""
    state = evaluate(search.statistics, _variances(search, place), restricted=search.restricted)
    if search.frame is None:
        return state
    j = _jacobian(search, place)
    turned = j.swapaxes(1, 2)
    expected, observed = turned @ state.expected @ j, turned @ state.observed @ j
    slope = _slope(search, state.gradient)
    # ab and ab² + c are not linear in a and b.
    mixed = slope[:, 1] + 2.0 * place[:, _B] * slope[:, 2]
    observed[:, _A, _B] -= mixed
    observed[:, _B, _A] -= mixed
    observed[:, _B, _B] -= 2.0 * place[:, _A] * slope[:, 2]
    # With a = 0 the likelihood does not depend on b: it stays where it is.
    free = place[:, _A] <= 0.0
    expected[free, _B, _B] = observed[free, _B, _B] = 1.0
    gradient = (turned @ state.gradient[..., None])[..., 0]
    return state._replace(theta=place.copy(), gradient=gradient, expected=expected, observed=observed)


def _in_frame(search: _Search) -> Array:
    """Return the matrix, shape (R, 3, 3), that takes the elements 11, 12, 22 of E to those of FEF'."""
    if search.frame is None:
        raise ValueError("a search over variances only has no frame")
    (p, q), (r, s) = search.frame[:, 0].T, search.frame[:, 1].T
    rows = [[p * p, 2.0 * p * q, q * q], [p * r, p * s + q * r, q * s], [r * r, 2.0 * r * s, s * s]]
    return np.array(rows).transpose(2, 0, 1)


def _slope(search: _Search, gradient: Array) -> Array:
    """Return the gradient in the elements 11, 12, 22 of D within the frame."""
    return np.asarray((_in_frame(search).swapaxes(1, 2) @ gradient[:, _D, None])[..., 0])


def _variances(search: _Search, place: Array) -> Array:
    """Return θ."""
    if search.frame is None:
        return place
    a, b, c = place[:, _A], place[:, _B], place[:, _C]
    theta = place.copy()
    theta[:, _D] = (_in_frame(search) @ np.stack([a, a * b, a * b**2 + c], axis=1)[..., None])[..., 0]
    return theta


def _jacobian(search: _Search, place: Array) -> Array:
    """Return the derivatives, shape (R, p, p), of θ (rows) in the place of the search."""
    jacobian = np.tile(np.eye(place.shape[1]), (len(place), 1, 1))
    if search.frame is None:
        return jacobian
    a, b = place[:, _A], place[:, _B]
    zero, one = np.zeros(len(place)), np.ones(len(place))
    inner = np.array([[one, zero, zero], [b, a, zero], [b**2, 2.0 * a * b, one]]).transpose(2, 0, 1)
    jacobian[:, _D, _D] = _in_frame(search) @ inner
    return jacobian


def _other_frames(search: _Search, state: Components, converged: Flags, bounded: Flags) -> None:
    """Go on, in place, with searches that have not ended, or stopped at a = 0 while the likelihood still rises."""
    for frames_left in reversed(range(_FRAMES)):
        rows = np.flatnonzero(~converged | (state.theta[:, _A] <= 0.0))
        turn, start, rises = _next_frame(search.take(rows), state.theta[rows])
        going = rises | ~converged[rows]
        rows, turn, start = rows[going], turn[going], start[going]
        converged[rows] = False
        if not len(rows) or not frames_left or search.frame is None:
            return
        search.frame[rows] = search.frame[rows] @ turn
        new, found = maximise(search.take(rows), start, bounded, at=_evaluate, most_steps=_STEPS)
        state.put(rows, new, np.ones(len(rows), dtype=bool))
        converged[rows] = found


def _next_frame(search: _Search, place: Array) -> tuple[Array, Array, Flags]:
    """Return the rotation to the next frame, the same D in it, and whether D may grow in its first direction."""
    a, b, c = place[:, _A], place[:, _B], place[:, _C]
    state = evaluate(search.statistics, _variances(search, place), restricted=search.restricted)
    first, mixed, second = _slope(search, state.gradient).T
    none = (a <= 0.0) & (c <= 0.0)
    rise, way = _eigen(first, mixed / 2.0, second)
    variance, main = _eigen(a, a * b, a * b**2 + c)
    x, y = np.where(none[:, None], way, main).T
    start = place.copy()
    start[:, _A], start[:, _B] = variance[:, 1], 0.0
    # A singular D stays so, not within rounding of it.
    start[:, _C] = np.where((a <= 0.0) | (c <= 0.0), 0.0, np.maximum(variance[:, 0], 0.0))
    rises = (a <= 0.0) & ((c > 0.0) | (rise[:, 1] > _RISING * np.abs(rise[:, 0])))
    return np.array([[x, -y], [y, x]]).transpose(2, 0, 1), start, rises


def _eigen(first: Array, mixed: Array, second: Array) -> tuple[Array, Array]:
    """Return eigenvalues of symmetric 2 × 2 matrices, shape (R, 2), rising, and the last one's vector, shape (R, 2)."""
    values, vectors = np.linalg.eigh(np.array([[first, mixed], [mixed, second]]).transpose(2, 0, 1))
    return values, vectors[:, :, 1]
