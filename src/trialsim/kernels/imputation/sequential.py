r"""The imputation model fitted to monotone data without each participant in turn, from regressions of visits on visits.

With one unstructured covariance and nobody back after a missed visit, the restricted likelihood splits into
regressions of each visit on the covariates and the visits before (see `kernels.mmrm.monotone`). Leaving participant i
out of such a regression takes a rank-one change: with residuals r of the later variables given the covariates x,
leverage h and :math:`a = (X'X)^{-1}x_i`,

.. math:: P_{(i)} = P - \frac{a r'}{1 - h}, \qquad M_{(i)} = M - \frac{r r'}{1 - h}

for the coefficients P of the later variables on x, and their residual cross-products M. So all N refits of a trial are
exact and cost little more than one. Covariates constant over visits are found by alternation with the regressions
(as `kernels.mmrm.monotone.alternate_constant`), every refit to its own convergence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower
from trialsim.kernels.imputation.groups import Grouped

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_MAX_SWEEPS = 60
_CONVERGED = 1e-10
_LEVERAGE = 1e-9
"""A participant whose 1 − h is below this alone holds up a coefficient."""
_EXPLAINED = 1e-13
"""Scores of which the covariates leave less than this share have no variance to estimate."""


class BaseFits(NamedTuple):
    """The imputation model of a block of trials, whole and without each participant in turn.

    Attributes
    ----------
    coefficients : ndarray, shape (R, L, V, q)
        Of the covariates at each visit; L = N + 1 fits, the last of the whole trial, or L = 1, the whole trial.
    covariance : ndarray, shape (R, L, S, V, V)
        One (S = 1) or one for each arm.
    estimable, converged : ndarray of bool, shape (R, L)
    """

    coefficients: Array
    covariance: Array
    estimable: Flags
    converged: Flags


class _Visit(NamedTuple):
    """The regression of (constant covariates Z, visits up to v) on the crossed covariates, among those at visit v."""

    coefficients: Array  # (B, q, c + v + 1)
    products: Array  # (B, c + v + 1, c + v + 1)
    free: Array  # (B,) participants less crossed covariates


def is_monotone(grouped: Grouped) -> Flags:
    """Return the trials, shape (R,), in which nobody of the imputation model comes back after a missed visit."""
    orderly = np.all(grouped.modelled[:, :-1] >= grouped.modelled[:, 1:], axis=1)
    disorderly = np.append(~orderly, False)
    return np.asarray(~disorderly[grouped.group].any(axis=1))


def fit_sequential(grouped: Grouped, n_constant: int, *, jackknife: bool, one_step: bool = False) -> BaseFits:
    """Return the REML fits of monotone trials.

    Parameters
    ----------
    grouped : Grouped
        Of trials that are monotone.
    n_constant : int
        How many covariates, the last ones, have one coefficient for all visits.
    jackknife : bool
        Also fit without each participant in turn.
    one_step : bool
        Stop every refit after its first alternation from the whole trial's fit. Without constant covariates there is
        nothing to alternate, and the refit is exact either way.
    """
    n_replicates, n_fits, n_visits = grouped.y.shape
    visits, estimable = _visits(grouped, n_constant, jackknife)
    n_fits = n_fits if jackknife else 1
    last = np.arange(n_replicates) * n_fits + n_fits - 1
    whole = [_take(visit, last) for visit in visits]
    phi, variance, sound = _regressions(whole, n_constant)
    estimable[:, -1] &= sound
    b = np.zeros((n_replicates, n_constant))
    converged = np.ones((n_replicates, n_fits), dtype=bool)
    if n_constant:
        phi, variance, b, converged[:, -1] = _alternate(whole, phi, variance, _MAX_SWEEPS)
    if jackknife and not n_constant:
        phi, variance, sound = _regressions(visits, 0)
        estimable &= sound.reshape(estimable.shape)
        b = np.zeros((len(phi), 0))
    elif jackknife:
        start = np.repeat(phi, n_fits, axis=0), np.repeat(variance, n_fits, axis=0)
        phi, variance, b, done = _alternate(visits, *start, 1 if one_step else _MAX_SWEEPS)
        converged[:, :-1] = True if one_step else done.reshape(converged.shape)[:, :-1]
        for v, visit in enumerate(visits):
            estimable &= (visit.free > v).reshape(estimable.shape)
    coefficients, covariance = _assemble(visits, phi, variance, b)
    shape = (n_replicates, n_fits)
    sound = np.isfinite(covariance).all(axis=(1, 2)).reshape(shape) & np.all(variance > 0, axis=1).reshape(shape)
    return BaseFits(
        coefficients.reshape(*shape, *coefficients.shape[1:]),
        covariance.reshape(*shape, 1, n_visits, n_visits),
        estimable & sound,
        converged,
    )


def _take(visit: _Visit, rows: Index) -> _Visit:
    return _Visit(*(piece[rows] for piece in visit))


def _visits(grouped: Grouped, n_constant: int, jackknife: bool) -> tuple[list[_Visit], Flags]:
    """Return the regressions per visit, (R·L) of each, and which can be estimated, (R, L)."""
    n_replicates, n_rows, n_visits = grouped.y.shape
    q = grouped.x.shape[2] - n_constant
    kept = slice(None) if jackknife else slice(-1, None)
    x, t = grouped.x[..., :q], np.concatenate([grouped.x[..., q:], grouped.y], axis=2)
    modelled = np.concatenate([grouped.modelled, np.zeros((1, n_visits), dtype=bool)])[grouped.group]
    estimable = np.ones((n_replicates, n_rows if jackknife else 1), dtype=bool)
    visits = []
    for v in range(n_visits):
        there = modelled[..., v].astype(float)
        later = t[..., : n_constant + v + 1]
        xs = x * there[..., None]
        xx = xs.transpose(0, 2, 1) @ x
        _, definite = cholesky(xx)
        inverse = np.linalg.inv(np.where(definite[:, None, None], xx, np.eye(q)))
        p = inverse @ (xs.transpose(0, 2, 1) @ later)
        residual = (later - x @ p) * there[..., None]
        products = residual.transpose(0, 2, 1) @ residual
        a = xs[:, kept] @ inverse
        r = residual[:, kept]
        room = 1.0 - (a * x[:, kept]).sum(axis=2)
        apart = room > _LEVERAGE
        shrink = (1.0 / np.where(apart, room, 1.0))[..., None, None]
        explained = products[:, -1, -1] <= _EXPLAINED * (there * grouped.y[..., v] ** 2).sum(axis=1)
        free = there.sum(axis=1)[:, None] - there[:, kept] - q
        estimable &= (definite & ~explained)[:, None] & apart & (free > v)
        visits.append(
            _Visit(
                _flat(p[:, None] - shrink * a[..., None] * r[..., None, :]),
                _flat(products[:, None] - shrink * r[..., None] * r[..., None, :]),
                free.reshape(-1),
            )
        )
    return visits, estimable


def _flat(stack: Array) -> Array:
    return stack.reshape(-1, *stack.shape[2:])


def _solve(matrices: Array, right: Array) -> tuple[Array, Flags]:
    """Return A⁻¹b for a stack of positive definite A, zero and flagged where one is not."""
    if matrices.shape[-1] == 0:
        return right, np.ones(len(matrices), dtype=bool)
    _, definite = cholesky(matrices)
    safe = matrices if definite.all() else np.where(definite[:, None, None], matrices, np.eye(matrices.shape[-1]))
    return np.asarray(np.linalg.solve(safe, right[..., None])[..., 0] * definite[:, None], dtype=float), definite


def _regressions(visits: list[_Visit], n_constant: int) -> tuple[Array, Array, Flags]:
    """Return φ, d of each visit on those before, the constant covariates taken as crossed, and which exist."""
    n_fits, n_visits = len(visits[0].free), len(visits)
    phi, variance = np.zeros((n_fits, n_visits, n_visits)), np.ones((n_fits, n_visits))
    sound = np.ones(n_fits, dtype=bool)
    for v, visit in enumerate(visits):
        size = n_constant + v
        m = visit.products
        slope, definite = _solve(m[:, :size, :size], m[:, :size, size])
        rest = m[:, size, size] - (slope * m[:, :size, size]).sum(axis=1)
        enough = definite & (visit.free > v) & (rest > 1e-11 * m[:, size, size])
        phi[:, v, :v] = slope[:, n_constant:]
        variance[:, v] = np.where(enough, rest / np.maximum(visit.free, 1.0), 1.0)
        sound &= enough
    return phi, variance, sound


def _alternate(visits: list[_Visit], phi: Array, variance: Array, max_sweeps: int) -> tuple[Array, Array, Array, Flags]:
    """Return φ, d and the constant coefficients b after alternation, and which converged."""
    n_constant = visits[0].products.shape[1] - 1
    phi, variance = phi.copy(), variance.copy()
    b = np.zeros((len(phi), n_constant))
    converged = np.zeros(len(phi), dtype=bool)
    active = np.arange(len(phi))
    for _ in range(max_sweeps):
        part = visits if len(active) == len(phi) else [_take(visit, active) for visit in visits]
        new_phi, new_variance, new_b, sound = _sweep(part, phi[active], variance[active], n_constant)
        change = np.abs(new_phi - phi[active]).max(axis=(1, 2))
        change = np.maximum(change, np.abs(new_variance / variance[active] - 1.0).max(axis=1))
        phi[active], variance[active], b[active] = new_phi, new_variance, new_b
        done = sound & (change < _CONVERGED)
        converged[active[done]] = True
        active = active[~done & sound & np.isfinite(change)]
        if not len(active):
            break
    return phi, variance, b, converged


def _sweep(visits: list[_Visit], phi: Array, variance: Array, n_constant: int) -> tuple[Array, Array, Array, Flags]:
    """Return φ, d, b after one alternation: b by generalised least squares, then each visit's regression given b."""
    c = n_constant
    u = 1.0 - phi.sum(axis=2)
    information, score = np.zeros((len(phi), c, c)), np.zeros((len(phi), c))
    for v, visit in enumerate(visits):
        m = visit.products
        weight = (u[:, v] / variance[:, v])[:, None]
        information += (weight * u[:, v, None])[:, :, None] * m[:, :c, :c]
        score += weight * (m[:, :c, -1] - (m[:, :c, c:-1] @ phi[:, v, :v, None])[..., 0])
    _, sound = cholesky(information)
    inverse = np.linalg.inv(np.where(sound[:, None, None], information, np.eye(c)))
    b = (inverse @ score[..., None])[..., 0]
    new_phi, new_variance = np.zeros_like(phi), np.ones_like(variance)
    for v, visit in enumerate(visits):
        m = visit.products
        slope = (inverse * m[:, :c, :c]).sum(axis=(1, 2))
        shared = (m[:, c:, :c] @ b[..., None])[..., 0]
        square = (b * (m[:, :c, :c] @ b[..., None])[..., 0]).sum(axis=1)
        e = m[:, c:, c:] - shared[:, :, None] - shared[:, None, :] + square[:, None, None]
        new, definite = _solve(e[:, :v, :v], e[:, :v, v] + (u[:, v] * slope)[:, None])
        residual = e[:, v, v] - 2.0 * (new * e[:, :v, v]).sum(axis=1)
        residual += (new * (e[:, :v, :v] @ new[..., None])[..., 0]).sum(axis=1)
        rest = residual + (1.0 - new.sum(axis=1)) ** 2 * slope
        positive = definite & (rest > 0) & (visit.free > 0)
        new_phi[:, v, :v] = new
        new_variance[:, v] = np.where(positive, rest / np.where(positive, visit.free, 1.0), 1.0)
        sound &= positive
    return new_phi, new_variance, b, sound


def _assemble(visits: list[_Visit], phi: Array, variance: Array, b: Array) -> tuple[Array, Array]:
    """Return the coefficients per visit (B, V, q), the constant ones repeated, and Σ = T D T' (B, V, V)."""
    n_visits, c = len(visits), b.shape[1]
    q = visits[0].coefficients.shape[1]
    eye = np.eye(n_visits)
    transform = solve_lower(eye - phi, np.broadcast_to(eye, phi.shape))
    gamma = np.empty((len(phi), n_visits, q))
    for v, visit in enumerate(visits):
        left = 1.0 - phi[:, v, :v].sum(axis=1)
        weights = np.concatenate([-left[:, None] * b, -phi[:, v, :v], np.ones((len(phi), 1))], axis=1)
        gamma[:, v] = (visit.coefficients @ weights[..., None])[..., 0]
    coefficients = np.empty((len(phi), n_visits, q + c))
    coefficients[..., :q] = transform @ gamma
    coefficients[..., q:] = b[:, None, :]
    return coefficients, (transform * variance[:, None, :]) @ transform.transpose(0, 2, 1)
