r"""The imputation model for any missingness and one covariance an arm: REML by Newton's method, and its refits.

Parameters are the elements of one unstructured Σ for all, or of one for each arm. The pieces are those of
`kernels.mmrm.reml`, with :math:`W_p` from the covariance of the pattern's arm. Refits without a participant start
where `one_step` leaves them and take quasi-Newton steps that begin with the whole trial's information, which is
within O(1/N) of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.imputation.groups import Grouped
from trialsim.kernels.mmrm import PatternStatistics
from trialsim.kernels.mmrm.fit import starting_covariance

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_AT_ONCE = 64
"""Refits worked on together."""
_MAX_STEPS = 100
_MAX_HALVINGS = 30
_MAX_NEAR_STEPS = 20
"""Steps with the whole trial's information, before a refit gets its own."""
_CONVERGED = 1e-13
"""Newton decrement below which the step just taken is the last."""


class Products(NamedTuple):
    """Cross-products per pattern of the scores that the model is fitted to; counts (B, P), others (B, P, ., .)."""

    counts: Array
    xx: Array
    xy: Array
    yy: Array

    def take(self, rows: Index | Flags) -> Products:
        """Return some of the fits."""
        return Products(*(piece[rows] for piece in self))


class State(NamedTuple):
    """The likelihood and its pieces at Σ; all over B fits."""

    loglik: Array  # (B,) without constants; −inf where Σ or the information of the coefficients is not definite
    weights: Array  # (B, P, V, V)
    inverse: Array  # (B, b, b) covariance of the coefficients
    beta: Array  # (B, b)
    residual: Array  # (B, P, V, V)
    residual_x: Array  # (B, P, V, q)
    spread: Array  # (B, P, V, V)

    def take(self, rows: Index | Flags) -> State:
        """Return some of the fits."""
        return State(*(piece[rows] for piece in self))


class Problem:
    """One imputation model; holds what is the same for every fit and step.

    Parameters
    ----------
    grouped : Grouped
    n_constant : int
        How many covariates, the last ones, have one coefficient for all visits.
    by_arm : bool
        Whether every arm has a covariance of its own.
    n_arms : int
        How many arms there are; the number S of covariances if each has its own.
    """

    def __init__(self, grouped: Grouped, n_constant: int, by_arm: bool, n_arms: int) -> None:
        v = grouped.modelled.shape[1]
        keys = np.column_stack([grouped.modelled, (grouped.arm if by_arm else 0 * grouped.arm)]).astype(np.intp)
        patterns, self.pattern_of_group = np.unique(keys, axis=0, return_inverse=True)
        self.observed = patterns[:, :v].astype(bool)
        self.kind = patterns[:, v]
        self.n_kinds = n_arms if by_arm else 1
        q = grouped.x.shape[2]
        self.crossed = q - n_constant
        self.k = _repeating(v, self.crossed, n_constant)
        self._both = self.observed[:, :, None] & self.observed[:, None, :]
        self._rows, self._columns = np.tril_indices(v)
        m = len(self._rows)
        self._basis = np.zeros((m, v, v))
        self._basis[np.arange(m), self._rows, self._columns] = 1.0
        self._basis[np.arange(m), self._columns, self._rows] = 1.0

    def products(self, grouped: Grouped) -> Products:
        """Return the cross-products of the whole trials, B = R."""
        r, _, q = grouped.x.shape
        p, v = self.observed.shape
        shape = (r, p)
        out = Products(np.zeros(shape), np.zeros((*shape, q, q)), np.zeros((*shape, q, v)), np.zeros((*shape, v, v)))
        pattern = np.append(self.pattern_of_group, -1)[grouped.group]
        for j in range(p):
            inside = pattern == j
            x = grouped.x * inside[..., None]
            y = grouped.y * (inside[..., None] & self.observed[j])
            out.counts[:, j] = inside.sum(axis=1) * bool(self.observed[j].any())
            out.xx[:, j] = x.transpose(0, 2, 1) @ x
            out.xy[:, j] = x.transpose(0, 2, 1) @ y
            out.yy[:, j] = y.transpose(0, 2, 1) @ y
        return out

    def without_each(self, grouped: Grouped, whole: Products) -> Products:
        """Return the cross-products without each participant in turn, B = R (N + 1)."""
        n = grouped.x.shape[1]
        pattern = np.append(self.pattern_of_group, -1)[grouped.group]
        member = (pattern[..., None] == np.arange(len(self.observed))).reshape(-1, len(self.observed))
        x = grouped.x.reshape(-1, grouped.x.shape[2])
        seen = np.concatenate([self.observed, np.zeros_like(self.observed[:1])])[pattern]
        y = (grouped.y * seen).reshape(-1, grouped.y.shape[2])
        own = Products(
            np.ones(len(x)),
            x[:, :, None] * x[:, None, :],
            x[:, :, None] * y[:, None, :],
            y[:, :, None] * y[:, None, :],
        )
        pieces = [np.repeat(piece, n, axis=0) for piece in whole]
        row, column = np.nonzero(member & self.observed.any(axis=1))
        for piece, part in zip(pieces, own, strict=True):
            piece[row, column] -= part[row]
        return Products(*pieces)

    def start(self, products: Products) -> Array:
        """Return Σ (B, S, V, V) from the residuals of all arms together."""
        seen = self.observed.any(axis=1)
        stats = PatternStatistics(self.observed[seen], *(piece[:, seen] for piece in products))
        return np.repeat(starting_covariance(stats)[:, None], self.n_kinds, axis=1)

    def identifiable(self, products: Products) -> Flags:
        """Whether the covariates have full rank, and the scores are not explained, at each visit."""
        v = self.observed.shape[1]
        crossed = self.crossed
        sound = np.ones(len(products.counts), dtype=bool)
        for visit in range(v):
            there = self.observed[:, visit]
            z = np.empty((len(sound), crossed + 1, crossed + 1))
            z[:, :crossed, :crossed] = products.xx[:, there, :crossed, :crossed].sum(axis=1)
            z[:, crossed, :crossed] = z[:, :crossed, crossed] = products.xy[..., visit][:, there, :crossed].sum(axis=1)
            z[:, crossed, crossed] = products.yy[:, there, visit, visit].sum(axis=1)
            sound &= cholesky(z)[1]
            for kind in range(self.n_kinds):
                sound &= products.counts[:, there & (self.kind == kind)].sum(axis=1) > 1
        return sound

    def evaluate(self, sigma: Array, products: Products, *, likelihood: bool = True) -> State:
        """Return the likelihood and its pieces at Σ (B, S, V, V); 0 for the likelihood where it is not asked for."""
        v, q = self.observed.shape[1], products.xx.shape[-1]
        n = len(sigma)
        padded, definite = self._padded(sigma)
        weights = np.linalg.inv(padded) * self._both
        information = self._information(weights, products.xx)
        xwy = (weights @ products.xy.swapaxes(-1, -2)).sum(axis=1).reshape(n, 1, v * q) @ self.k
        _, regular = cholesky(information)
        definite &= regular
        information = np.where(definite[:, None, None], information, np.eye(information.shape[1]))
        inverse = np.asarray(np.linalg.inv(information), dtype=float)
        beta = (inverse @ xwy.swapaxes(1, 2))[..., 0]
        b = (beta @ self.k.T).reshape(n, 1, v, q)
        fitted, bxx = b @ products.xy, b @ products.xx
        residual = products.yy - fitted - fitted.swapaxes(-1, -2) + bxx @ b.swapaxes(-1, -2)
        residual *= self._both
        residual_x = (products.xy.swapaxes(-1, -2) - bxx) * self.observed[:, :, None]
        wide = (self.k @ inverse @ self.k.T).reshape(n, v, q, v, q).transpose(0, 1, 3, 2, 4).reshape(n, v * v, q * q)
        spread = (wide @ products.xx.reshape(n, -1, q * q).swapaxes(1, 2)).reshape(n, v, v, -1)
        spread = np.moveaxis(spread, -1, 1) * self._both
        loglik = np.zeros(n)
        if likelihood:
            loglik -= 0.5 * (products.counts * np.linalg.slogdet(padded)[1]).sum(axis=1)
            loglik -= 0.5 * (weights * residual).sum(axis=(1, 2, 3)) + 0.5 * np.linalg.slogdet(information)[1]
        loglik[~definite] = -np.inf
        return State(loglik, weights, inverse, beta, residual, residual_x, spread)

    def _padded(self, sigma: Array) -> tuple[Array, Flags]:
        """Return Σ_p with the identity where not observed, (B, P, V, V), and whether each Σ is positive definite."""
        n, s, v = sigma.shape[:3]
        _, definite = cholesky(sigma.reshape(-1, v, v))
        definite = np.asarray(definite.reshape(n, s).all(axis=1))
        safe = sigma if definite.all() else np.where(definite[:, None, None, None], sigma, np.eye(v))
        return np.where(self._both, safe[:, self.kind], np.eye(v)), definite

    def _information(self, weights: Array, xx: Array) -> Array:
        """K'(Σ_p W_p ⊗ X'X_p)K for weights (..., P, V, V), shape (..., b, b)."""
        v, q = weights.shape[-1], xx.shape[-1]
        lead = weights.shape[:-3]
        right = xx.reshape(len(xx), *([1] * (len(lead) - 1)), -1, q * q)
        blocks = (weights.reshape(*lead, -1, v * v).swapaxes(-1, -2) @ right).reshape(*lead, v, v, q, q)
        wide = np.moveaxis(blocks, -2, -3).reshape(*lead, v * q, v * q)
        return np.asarray(self.k.T @ wide @ self.k)

    def gradient(self, state: State, products: Products) -> tuple[Array, Array]:
        """Return the gradient in the elements of Σ, (B, S·m), and M_p = W_p (R_p + C_p) W_p."""
        m = state.weights @ (state.residual + state.spread) @ state.weights
        g = 0.5 * (m - products.counts[..., None, None] * state.weights)
        elements = self.elements(g)
        parts = [elements[:, self.kind == kind].sum(axis=1) for kind in range(self.n_kinds)]
        return np.concatenate(parts, axis=1), m

    def information(self, state: State, products: Products, m: Array, *, observed: bool) -> Array:
        """Return the observed or expected information of the elements of Σ, (B, S·m, S·m)."""
        size = len(self._basis)
        result = np.zeros((len(m), self.n_kinds * size, self.n_kinds * size))
        half = 0.5 * products.counts[..., None, None] * state.weights
        right = m - half if observed else half
        for kind in range(self.n_kinds):
            mine, block = self.kind == kind, slice(kind * size, (kind + 1) * size)
            left = np.einsum("bpvw,bpxy->bvwxy", state.weights[:, mine], right[:, mine])
            result[:, block, block] = np.einsum("jyv,bvwxy,kwx->bjk", self._basis, left, self._basis, optimize=True)
        if not observed:
            return result
        s, d = self.sensitivities(state, products)
        d = state.inverse[:, None] @ d
        flat, turned = d.reshape(*d.shape[:2], -1), d.swapaxes(-1, -2).reshape(*d.shape[:2], -1)
        return np.asarray(result - s @ state.inverse @ s.swapaxes(1, 2) - 0.5 * flat @ turned.swapaxes(1, 2))

    def sensitivities(self, state: State, products: Products) -> tuple[Array, Array]:
        """Return Σ_i E'WJ_jWr (B, S·m, b) and Σ_i E'WJ_jWE (B, S·m, b, b) for every element j of Σ."""
        score, change = [], []
        for kind in range(self.n_kinds):
            mine = self.kind == kind
            w = state.weights[:, None, mine]
            moved = w @ self._basis[:, None] @ w
            along = np.einsum("bjpvw,bpwq->bjvq", moved, state.residual_x[:, mine])
            score.append(along.reshape(*along.shape[:2], -1) @ self.k)
            change.append(self._information(moved, products.xx[:, mine]))
        return np.concatenate(score, axis=1), np.concatenate(change, axis=1)

    def elements(self, matrix_gradient: Array) -> Array:
        """Return the gradient in the elements of one Σ, (..., m), of a gradient in the matrix (..., V, V)."""
        twice = np.where(self._rows == self._columns, 1.0, 2.0)
        return np.asarray(matrix_gradient[..., self._rows, self._columns] * twice)

    def step(self, direction: Array) -> Array:
        """Return elements of Σ (B, S·m) as matrices (B, S, V, V)."""
        v = self.observed.shape[1]
        parts = direction.reshape(len(direction), self.n_kinds, len(self._basis))
        sigma = np.empty((*parts.shape[:2], v, v))
        sigma[..., self._rows, self._columns] = parts
        sigma[..., self._columns, self._rows] = parts
        return sigma


def _repeating(n_visits: int, n_crossed: int, n_constant: int) -> Array:
    """Return K (V·q, b): which coefficient stands for a covariate at a visit; crossed ones by visit, then constant."""
    q, b = n_crossed + n_constant, n_visits * n_crossed + n_constant
    k = np.zeros((n_visits, q, b))
    for v in range(n_visits):
        k[v, :n_crossed, v * n_crossed : (v + 1) * n_crossed] = np.eye(n_crossed)
        k[v, n_crossed:, n_visits * n_crossed :] = np.eye(n_constant)
    return k.reshape(n_visits * q, b)


def maximise(problem: Problem, products: Products, start: Array | None = None) -> tuple[Array, Array, Flags, Flags]:
    """Return Σ (B, S, V, V), its observed information, and which fits are estimable and which converged.

    Parameters
    ----------
    problem : Problem
    products : Products
    start : ndarray, shape (B, S, V, V), optional
        Where to start; from the residuals by default.
    """
    sigma = problem.start(products) if start is None else start.copy()
    sigma[~np.isfinite(sigma).all(axis=(1, 2, 3))] = np.eye(sigma.shape[-1])
    size = problem.n_kinds * sigma.shape[-1] * (sigma.shape[-1] + 1) // 2
    information = np.broadcast_to(np.eye(size), (len(sigma), size, size)).copy()
    estimable = problem.identifiable(products)
    sigma[~estimable] = np.eye(sigma.shape[-1])
    converged = np.zeros(len(sigma), dtype=bool)
    active = np.flatnonzero(estimable)
    for _ in range(_MAX_STEPS):
        if not len(active):
            break
        part = products.take(active)
        state = problem.evaluate(sigma[active], part)
        gradient, m = problem.gradient(state, part)
        observed = problem.information(state, part, m, observed=True)
        direction, decrement, newton = _direction(observed, gradient)
        if not newton.all():
            rest = ~newton
            expected = problem.information(state.take(rest), part.take(rest), m[rest], observed=False)
            direction[rest], decrement[rest], _ = _direction(expected, gradient[rest])
        information[active[newton]] = observed[newton]
        finished = newton & (decrement < _CONVERGED)
        moved = _move(problem, sigma, active, problem.step(direction), part, state.loglik)
        converged[active[finished]] = True
        active = active[~finished & moved & np.isfinite(decrement)]
    # What stands for a fit that there is not has to be harmless to what is worked out along with the others.
    sigma[~converged], information[~converged] = np.eye(sigma.shape[-1]), np.eye(size)
    return sigma, information, estimable, converged


def _direction(information: Array, gradient: Array) -> tuple[Array, Array, Flags]:
    scale = np.sqrt(np.abs(np.einsum("bii->bi", information)))
    scale[~(scale > 0)] = 1.0
    scaled = information / (scale[:, :, None] * scale[:, None, :])
    scaled[~np.isfinite(scaled).all(axis=(1, 2))] = -np.eye(information.shape[-1])
    _, definite = cholesky(scaled)
    safe = np.where(definite[:, None, None], scaled, np.eye(information.shape[-1]))
    step = np.linalg.solve(safe, (gradient / scale)[..., None])[..., 0] / scale
    return step, (step * gradient).sum(axis=1), definite


def _move(problem: Problem, sigma: Array, active: Index, step: Array, products: Products, before: Array) -> Flags:
    """Move every fit along its step, halved until the likelihood does not fall."""
    waiting, length = np.arange(len(active)), 1.0
    moved = np.zeros(len(active), dtype=bool)
    for _ in range(_MAX_HALVINGS):
        trial = sigma[active[waiting]] + length * step[waiting]
        new = problem.evaluate(trial, products.take(waiting)).loglik
        accepted = new >= before[waiting] - 1e-10 * (1.0 + np.abs(before[waiting]))
        sigma[active[waiting[accepted]]] = trial[accepted]
        moved[waiting[accepted]] = True
        waiting = waiting[~accepted]
        if not len(waiting):
            break
        length /= 2.0
    return moved


def refit(problem: Problem, products: Products, start: Array, information: Array) -> tuple[Array, Array, Flags]:
    """Return Σ, coefficients (B, b) and convergence of fits that start near their optimum.

    Parameters
    ----------
    problem : Problem
    products : Products
        Of the B fits.
    start : ndarray, shape (B, S, V, V)
    information : ndarray, shape (B, S·m, S·m)
        Of the trials they are part of.
    """
    sigma = start.copy()
    beta = np.zeros((len(sigma), problem.k.shape[1]))
    converged = np.zeros(len(sigma), dtype=bool)
    # A few at a time, so that they stay in the processor's cache.
    for first in range(0, len(sigma), _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, len(sigma)))
        inverse = np.asarray(np.linalg.inv(information[rows]), dtype=float)
        result = _approach(problem, products.take(rows), start[rows], inverse)
        sigma[rows], beta[rows], converged[rows] = result
    far = np.flatnonzero(~converged)
    if len(far):
        part = products.take(far)
        sigma[far], _, _, converged[far] = maximise(problem, part, start[far])
        beta[far] = problem.evaluate(sigma[far], part).beta
    return sigma, beta, converged


def _approach(problem: Problem, products: Products, start: Array, inverse: Array) -> tuple[Array, Array, Flags]:
    """Take quasi-Newton steps from a near optimum; each gradient betters the inverse information (Broyden 1965)."""
    sigma = start.copy()
    beta = np.zeros((len(sigma), problem.k.shape[1]))
    converged = np.zeros(len(sigma), dtype=bool)
    step, before = np.zeros((2, *inverse.shape[:2]))
    active = np.arange(len(sigma))
    for n_steps in range(_MAX_NEAR_STEPS):
        part = products if len(active) == len(sigma) else products.take(active)
        state = problem.evaluate(sigma[active], part, likelihood=False)
        beta[active] = state.beta
        gradient, _ = problem.gradient(state, part)
        if n_steps:
            inverse[active] = _bettered(inverse[active], step[active], before[active] - gradient)
        direction = (inverse[active] @ gradient[..., None])[..., 0]
        decrement = np.abs((direction * gradient).sum(axis=1))
        sound = np.isfinite(state.loglik) & np.isfinite(decrement)
        done = sound & (decrement < _CONVERGED)
        converged[active[done]] = True
        going = sound & ~done
        active = active[going]
        step[active], before[active] = direction[going], gradient[going]
        sigma[active] += problem.step(direction[going])
        if not len(active):
            break
    return sigma, beta, converged


def _bettered(inverse: Array, step: Array, fall: Array) -> Array:
    """Return H with the rank-one change that makes H × (fall of the gradient) the step taken."""
    predicted = (inverse @ fall[..., None])[..., 0]
    along = (step[:, None, :] @ inverse)[:, 0]
    scale = (along * fall).sum(axis=1)
    # A step too small to tell anything leaves H as it is.
    telling = np.abs(scale) > 1e-8 * np.abs((along * step).sum(axis=1))
    share = np.where(telling[:, None], step - predicted, 0.0) / np.where(telling, scale, 1.0)[:, None]
    return np.asarray(inverse + share[:, :, None] * along[:, None, :])
