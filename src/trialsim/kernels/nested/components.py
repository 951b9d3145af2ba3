r"""Restricted maximum likelihood of variance components on whole blocks of trials.

For any model :math:`y \sim N(X\beta, V)`, :math:`V = \sum_i \theta_i G_i` linear in its parameters. With
:math:`Z = [X\ y]`, all that likelihood, derivatives and small-sample corrections need of the data are the (q + 1) ×
(q + 1) matrices :math:`Z'V^{-1}Z`, :math:`Z'V^{-1}G_iV^{-1}Z` and :math:`Z'V^{-1}G_iV^{-1}G_jV^{-1}Z`, and three
traces. With :math:`\Phi = (X'V^{-1}X)^{-1}`, :math:`H_i`, :math:`Q_{ij}` the X-blocks of the second and third,
:math:`P = V^{-1} - V^{-1}X\Phi X'V^{-1}`, and :math:`r = y - X\hat\beta`:

1. gradient :math:`\tfrac12[r'V^{-1}G_iV^{-1}r - \mathrm{tr}\,PG_i]`, :math:`\mathrm{tr}\,PG_i =
   \mathrm{tr}\,V^{-1}G_i - \mathrm{tr}\,\Phi H_i`;
2. expected information :math:`\tfrac12\mathrm{tr}\,PG_iPG_j`, where :math:`\mathrm{tr}\,PG_iPG_j =
   \mathrm{tr}\,V^{-1}G_iV^{-1}G_j - 2\,\mathrm{tr}\,\Phi Q_{ij} + \mathrm{tr}\,\Phi H_i\Phi H_j`;
3. observed information :math:`y'PG_iPG_jPy - \tfrac12\mathrm{tr}\,PG_iPG_j`.

A parameter may be bounded below by 0; one that rests on its bound is held there while its gradient is not positive. A
replicate stops at its own convergence, so its result does not depend on its neighbours in the block.

References
----------
Searle SR, Casella G, McCulloch CE (1992), Variance Components, Wiley, chapter 6.
Kenward MG, Roger JH (1997), Biometrics 53:983.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_MAX_STEPS = 100
_MAX_HALVINGS = 25
_NEAR = 0.1
"""Newton decrement below which the observed information takes over from the expected one."""
_FLATTEST = 0.01
"""Curvature, as a share of the expected information, below which the likelihood counts as this curved."""
_CONVERGED = 1e-12
"""Newton decrement below which one more step is the last: its error is rounding."""
_INSIDE = 0.9
"""Share of the way to where V is singular that one step may take."""
_IDENTIFIED = 1e-9
"""Share of a parameter's information that the fixed effects must leave over."""


class Moments(NamedTuple):
    """What the data say at one value of θ; d = q + 1, the last row and column are the response's.

    Attributes
    ----------
    definite : ndarray of bool, shape (R,)
        Whether V is positive definite; elsewhere the other fields are finite but mean nothing.
    log_det : ndarray, shape (R,)
        log|V|.
    trace : ndarray, shape (R, p)
        tr V⁻¹Gᵢ.
    trace_pair : ndarray, shape (R, p, p)
        tr V⁻¹GᵢV⁻¹Gⱼ.
    zz : ndarray, shape (R, d, d)
        Z'V⁻¹Z.
    zz_one : ndarray, shape (R, p, d, d)
        Z'V⁻¹GᵢV⁻¹Z.
    zz_two : ndarray, shape (R, p, p, d, d)
        Z'V⁻¹GᵢV⁻¹GⱼV⁻¹Z, symmetric part.
    """

    definite: Flags
    log_det: Array
    trace: Array
    trace_pair: Array
    zz: Array
    zz_one: Array
    zz_two: Array


class Searchable(Protocol):
    """A block of trials whose likelihood has a maximum to be looked for."""

    def room(self, theta: Array, step: Array) -> Array:
        """Return the share of a step, shape (R,), at which V becomes singular; infinite where it never does."""

    def take(self, replicates: Index) -> Self:
        """Return some of the replicates."""


class LinearCovariance(Searchable, Protocol):
    """Statistics of a block of trials whose V is linear in its parameters."""

    @property
    def n_observations(self) -> Array:
        """Observed scores, shape (R,)."""

    @property
    def offset(self) -> Array:
        """Coefficients b, shape (R, q), such that the moments are those of y − Xb."""

    def moments(self, theta: Array) -> Moments:
        """Return the moments at θ, shape (R, p)."""


class Components(NamedTuple):
    """One evaluation of the restricted likelihood.

    Attributes
    ----------
    theta : ndarray, shape (R, p)
    loglik : ndarray, shape (R,)
        With all constants; −inf where V or X'V⁻¹X is not positive definite.
    coefficients : ndarray, shape (R, q)
    inverse : ndarray, shape (R, q, q)
        Φ.
    gradient : ndarray, shape (R, p)
    expected, observed : ndarray, shape (R, p, p)
        Information of θ.
    """

    theta: Array
    loglik: Array
    coefficients: Array
    inverse: Array
    gradient: Array
    expected: Array
    observed: Array

    def take(self, rows: Index) -> Components:
        """Return the evaluation of some of the replicates."""
        return Components(*(piece[rows] for piece in self))

    def put(self, rows: Index, other: Components, chosen: Flags) -> None:
        """Take over another evaluation's replicates where chosen."""
        for mine, theirs in zip(self, other, strict=True):
            mine[rows[chosen]] = theirs[chosen]


def evaluate(model: LinearCovariance, theta: Array, *, restricted: bool = True) -> Components:
    """Return the restricted likelihood, its gradient and both informations at θ.

    Parameters
    ----------
    model : LinearCovariance
    theta : ndarray, shape (R, p)
    restricted : bool
        The restricted likelihood; otherwise the full one at the best coefficients, which has V⁻¹ in place of P in
        the traces, and neither log|X'V⁻¹X| nor its share of the constant.
    """
    m = model.moments(theta)
    q = m.zz.shape[-1] - 1
    factor, regular = cholesky(m.zz[:, :q, :q])
    root = solve_lower(factor, np.eye(q))
    inverse = root.transpose(0, 2, 1) @ root
    further = (inverse @ m.zz[:, :q, q:])[..., 0]
    residual = np.concatenate([-further, np.ones((len(theta), 1))], axis=1)
    square = (residual * (m.zz @ residual[..., None])[..., 0]).sum(axis=1)
    one = (m.zz_one @ residual[:, None, :, None])[..., 0]
    square_one = (one * residual[:, None]).sum(axis=-1)
    two = (m.zz_two @ residual[:, None, None, :, None])[..., 0]
    square_two = (two * residual[:, None, None]).sum(axis=-1)
    trace, trace_pair, log_det, n = m.trace, m.trace_pair, m.log_det, model.n_observations
    if restricted:
        one_q, pair_q = _traces_of_fixed_effects(m, inverse)
        trace, trace_pair = trace - one_q, trace_pair - pair_q
        log_det, n = log_det + 2.0 * np.log(np.einsum("rii->ri", factor)).sum(axis=1), n - q
    expected = 0.5 * trace_pair
    score = one[..., :q]
    observed = square_two - score @ inverse @ score.swapaxes(1, 2) - expected
    gradient = 0.5 * (square_one - trace)
    loglik = -0.5 * (log_det + square + n * np.log(2.0 * np.pi))
    loglik = np.where(m.definite & regular, loglik, -np.inf)
    return Components(theta.copy(), loglik, model.offset + further, inverse, gradient, expected, observed)


def _traces_of_fixed_effects(m: Moments, inverse: Array) -> tuple[Array, Array]:
    """Return what the coefficients take from the traces: tr ΦHᵢ, and 2 tr ΦQᵢⱼ − tr ΦHᵢΦHⱼ."""
    q = inverse.shape[-1]
    change = inverse[:, None] @ m.zz_one[..., :q, :q]
    flat = change.reshape(*change.shape[:2], q * q)
    turned = change.swapaxes(-1, -2).reshape(flat.shape)
    trace_q = (m.zz_two[..., :q, :q] * inverse[:, None, None]).sum(axis=(-1, -2))
    return np.einsum("rpii->rp", change), 2.0 * trace_q - flat @ turned.swapaxes(1, 2)


def identified(model: LinearCovariance, theta: Array) -> tuple[Flags, Flags]:
    """Return whether the fixed effects are estimable, and which parameters are, given those before them.

    Parameters
    ----------
    model : LinearCovariance
    theta : ndarray, shape (R, p)
        Any value at which V is positive definite: what is identified does not depend on it.

    Returns
    -------
    regular : ndarray of bool, shape (R,)
    parameters : ndarray of bool, shape (R, p)
    """
    state = evaluate(model, theta)
    scale = np.sqrt(0.5 * np.einsum("rpp->rp", model.moments(theta).trace_pair))
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = state.expected / (scale[:, :, None] * scale[:, None, :])
    parameters = np.empty(theta.shape, dtype=bool)
    for i in range(theta.shape[1]):
        _, definite = cholesky(scaled[:, : i + 1, : i + 1], tolerance=_IDENTIFIED)
        parameters[:, i] = definite & (scaled[:, i, i] > _IDENTIFIED)
    return np.isfinite(state.loglik), parameters


def maximise(
    model: Searchable,
    start: Array,
    bounded: Flags,
    *,
    at: Callable[[Any, Array], Components] = evaluate,
    most_steps: int = _MAX_STEPS,
) -> tuple[Components, Flags]:
    """Return the likelihood's maximum for every trial of a block, and where it was found.

    Parameters
    ----------
    model : Searchable
    start : ndarray, shape (R, p)
        Positive definite; not below 0 where bounded.
    bounded : ndarray of bool, shape (p,)
        Parameters that may not fall below 0.
    at : function of model and θ
        The likelihood; other than `evaluate` where the search is in other parameters than the variances.
    most_steps : int

    Returns
    -------
    best : Components
    converged : ndarray of bool, shape (R,)
    """
    state = at(model, start)
    converged, close = np.zeros(len(start), dtype=bool), np.zeros(len(start), dtype=bool)
    active = np.flatnonzero(np.isfinite(state.loglik))
    for _ in range(most_steps):
        if not len(active):
            break
        here = state.take(active)
        step, decrement, newton, held = _steps(here, bounded)
        part = model if len(active) == len(start) else model.take(active)
        stretch = np.minimum(_room(here.theta, step, bounded & ~held), _INSIDE * part.room(here.theta, step))
        moved = _line_search(part, state, active, step, stretch, bounded, at)
        near = newton & (decrement < _CONVERGED) & (stretch == 1.0)
        finished = near & close[active] & moved
        close[active] = near
        converged[active[finished]] = True
        active = active[~finished & moved]
    return state, converged


def at_bound(theta: Array, bounded: Flags) -> Flags:
    """Return which parameters rest on their bound, shape (R, p)."""
    return np.asarray(bounded & (theta <= 0.0))


def parameter_covariance(fit: Components, bounded: Flags) -> Array:
    """Return the inverse of the observed information, shape (R, p, p); 0 for a parameter that rests on its bound.

    Parameters
    ----------
    fit : Components
        At the optimum.
    bounded : ndarray of bool, shape (p,)
        As given to `maximise`.
    """
    resting = at_bound(fit.theta, bounded)
    covariance, _ = invert(_without(fit.observed, resting))
    return np.where(resting[:, :, None] | resting[:, None, :], 0.0, covariance)


def _steps(here: Components, bounded: Flags) -> tuple[Array, Array, Flags, Flags]:
    """Return step, Newton decrement, whether it is Newton's, and which parameters are held at 0."""
    resting = at_bound(here.theta, bounded)
    held = resting & (here.gradient <= 0.0)
    step, decrement, newton = _newton(here, held)
    for _ in range(len(bounded)):
        # A parameter on its bound can be pushed outwards by the others although its own gradient points inwards.
        pushed = resting & ~held & (step < 0.0)
        again = np.flatnonzero(pushed.any(axis=1))
        if not len(again):
            break
        held |= pushed
        step[again], decrement[again], _ = _newton(here.take(again), held[again])
        newton[again] = False
    return step, decrement, newton, held


def _newton(here: Components, held: Flags) -> tuple[Array, Array, Flags]:
    step, decrement, usual = _direction(here.expected, here.gradient, held)
    newton_step, newton_decrement, definite = _direction(here.observed, here.gradient, held)
    close = decrement < _NEAR
    newton = definite & close
    flat = np.flatnonzero(close & usual & ~definite)
    if len(flat):
        step[flat] = _along_ridge(here.take(flat), held[flat])
    return (
        np.where(newton[:, None], newton_step, step),
        np.where(newton, newton_decrement, decrement),
        newton,
    )


def _along_ridge(here: Components, held: Flags) -> Array:
    """Return a step where the likelihood is not concave: Newton's with the size of each curvature, whatever its sign.

    Scoring would creep there, as the expected information is not small where the observed one is. Curvatures are
    relative to the expected information (Dauphin et al. 2014, Advances in Neural Information Processing Systems 27).
    """
    expected, observed = _without(here.expected, held), _without(here.observed, held)
    gradient = np.where(held, 0.0, here.gradient)
    scale = 1.0 / np.sqrt(np.einsum("rpp->rp", expected))
    factor, _ = cholesky(expected * scale[:, :, None] * scale[:, None, :])
    root = solve_lower(factor, np.eye(factor.shape[1])) * scale[:, None]
    curvature, axes = np.linalg.eigh(root @ observed @ root.swapaxes(1, 2))
    axes = root.swapaxes(1, 2) @ axes
    along = (gradient[:, None] @ axes)[:, 0] / np.maximum(np.abs(curvature), _FLATTEST)
    return np.asarray((axes @ along[..., None])[..., 0])


def _without(information: Array, held: Flags) -> Array:
    """Return the information, shape (R, p, p), with the identity in place of the parameters held, shape (R, p)."""
    out = held[:, :, None] | held[:, None, :]
    return np.where(out, np.eye(held.shape[1]), information)


def _direction(information: Array, gradient: Array, held: Flags) -> tuple[Array, Array, Flags]:
    """Return the step I⁻¹g of the free parameters, its decrement g'I⁻¹g, and whether I is positive definite."""
    information, gradient = _without(information, held), np.where(held, 0.0, gradient)
    inverse, definite = invert(information)
    step = (inverse @ gradient[..., None])[..., 0]
    decrement = (step * gradient).sum(axis=1)
    return step, np.where(np.isfinite(decrement), decrement, np.inf), definite


def invert(information: Array) -> tuple[Array, Flags]:
    """Return I⁻¹, shape (R, p, p), and whether I is positive definite; diag(1/|Iᵢᵢ|) where it is not."""
    diagonal = np.abs(np.einsum("rpp->rp", information))
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    both = scale[:, :, None] * scale[:, None, :]
    factor, definite = cholesky(information * both)
    root = solve_lower(factor, np.eye(factor.shape[1]))
    return root.transpose(0, 2, 1) @ root * both, definite


def _room(theta: Array, step: Array, bounded: Flags) -> Array:
    """Return the share of each step, at most 1, that leaves no bounded parameter below 0."""
    leaving = bounded & (theta + step < 0.0)
    share = np.where(leaving, theta / np.where(leaving, -step, 1.0), 1.0)
    return np.asarray(share.min(axis=1))


def _line_search(
    model: Searchable,
    state: Components,
    active: Index,
    step: Array,
    stretch: Array,
    bounded: Flags,
    at: Callable[[Any, Array], Components],
) -> Flags:
    """Move every active replicate along its step, halved until the likelihood does not fall; `model` is of these."""
    waiting = np.arange(len(active))
    moved = np.zeros(len(active), dtype=bool)
    before = state.loglik[active].copy()
    length = 1.0
    for _ in range(_MAX_HALVINGS):
        rows = active[waiting]
        trial = state.theta[rows] + (length * stretch[waiting])[:, None] * step[waiting]
        # The parameter that ends the stretch comes to lie on 0 exactly, not within rounding of it.
        reached = bounded & (trial < 1e-14 * np.abs(step[waiting])) & (step[waiting] < 0.0)
        trial[reached] = 0.0
        new = at(model if len(waiting) == len(active) else model.take(waiting), trial)
        # Rounding of the likelihood may hide the last, tiny gains.
        slack = 1e-10 * (1.0 + np.abs(before[waiting]))
        accepted = new.loglik >= before[waiting] - slack
        state.put(rows, new, accepted)
        moved[waiting[accepted]] = True
        waiting = waiting[~accepted]
        if not len(waiting):
            break
        length /= 2.0
    return moved
