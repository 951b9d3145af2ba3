"""Cox's proportional hazards, by Newton's method over a block of trials."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.survival.risksets import (
    BAD_INPUT,
    COLLINEAR,
    ESTIMATED,
    MONOTONE,
    NO_EVENT,
    NOT_CONVERGED,
    Array,
    Codes,
    Flags,
    Index,
    RiskSets,
    from_right,
    risk_sets,
)

CONVERGED = 1e-20
"""Newton decrement at which a fit is done: the coefficients are within 1e-10 standard errors of the optimum."""

NEARLY = 1e-12
"""Newton decrement that will do when rounding allows no better."""

RUNAWAY = (1e-8, 0.1)
"""A decrement below the first with a step above the second (in SD of a covariate): the likelihood is monotone."""

_HALVINGS = 12


class CoxFit(NamedTuple):
    """One contrast of a block of proportional hazards models, and the tests of no covariate at all.

    Attributes
    ----------
    estimate, se, z, p : ndarray, shape (R,)
        Log hazard ratio, with a normal two-sided p-value.
    coefficients : ndarray, shape (R, q)
    covariance : ndarray, shape (R, q, q)
        Inverse of the observed information.
    loglik_null, loglik : ndarray, shape (R,)
        Log partial likelihood without covariates and at the optimum.
    score, wald, likelihood_ratio : ndarray, shape (R,)
        Chi-squares with q degrees of freedom.
    iterations : ndarray of int, shape (R,)
    status : ndarray of int, shape (R,)
        Index into `REASONS`; everything else is NaN where it is not 0.
    """

    estimate: Array
    se: Array
    z: Array
    p: Array
    coefficients: Array
    covariance: Array
    loglik_null: Array
    loglik: Array
    score: Array
    wald: Array
    likelihood_ratio: Array
    iterations: NDArray[np.int64]
    status: Codes

    @property
    def estimable(self) -> Flags:
        """Whether each replicate has an estimate, shape (R,)."""
        return np.asarray(self.status == ESTIMATED)


class _Data(NamedTuple):
    """Covariates (R, q, S, M) and the parts of the risk sets that the likelihood needs, by replicate."""

    sets: RiskSets
    x: Array
    fraction: Array | None
    """Of an event in a tie of d, how much of the tied risk Efron takes away: 0/d, 1/d .. (d − 1)/d."""

    def rows(self, index: Index) -> _Data:
        """Return the data of some replicates."""
        if len(index) == len(self.x):
            return self
        return _Data(self.sets.rows(index), self.x[index], None if self.fraction is None else self.fraction[index])


class _Likelihood(NamedTuple):
    """Log partial likelihood (R,), its gradient (R, q), and minus its second derivatives (R, q, q)."""

    value: Array
    gradient: Array
    information: Array


def fit_cox(
    time: Array,
    event: Flags,
    x: Array,
    contrast: Array,
    *,
    included: Flags | None = None,
    stratum: NDArray[np.integer] | None = None,
    n_strata: int = 1,
    ties: Literal["efron", "breslow"] = "efron",
    max_iterations: int = 40,
) -> CoxFit:
    """Fit proportional hazards models.

    Parameters
    ----------
    time : ndarray, shape (R, N), any unit
    event : ndarray of bool, shape (R, N)
    x : ndarray, shape (R, N, q)
        Covariates without an intercept; anything where not included.
    contrast : ndarray, shape (q,)
        Weights of the coefficients in the estimate.
    included : ndarray of bool, shape (R, N), optional
    stratum : ndarray of int, shape (R, N), optional
        Each stratum 0 .. n_strata − 1 has a baseline hazard of its own.
    n_strata : int
    ties : {"efron", "breslow"}
    max_iterations : int
    """
    if ties not in ("efron", "breslow"):
        raise ValueError(f"ties must be 'efron' or 'breslow'; got {ties!r}")
    included = np.ones(time.shape, dtype=bool) if included is None else included
    finite = np.asarray((np.isfinite(x).all(axis=2) | ~included).all(axis=1))
    sets = risk_sets(time, event, included=included & finite[:, None], stratum=stratum, n_strata=n_strata)
    sets = sets._replace(valid=sets.valid & finite)
    covariates, scale = _standardise(sets, x)
    data = _Data(sets, covariates, _efron_fractions(sets) if ties == "efron" else None)
    return _summarise(data, scale, contrast, *_newton(data, max_iterations))


def _standardise(sets: RiskSets, x: Array) -> tuple[Array, Array]:
    """Return covariates in standard deviations from their means, (R, q, S, M), and those deviations (R, q)."""
    n_replicates, q = len(x), x.shape[2]
    flat = np.take_along_axis(x, sets.order.reshape(n_replicates, -1, 1), axis=1)
    member = sets.member.reshape(n_replicates, -1, 1)
    flat = np.where(member, flat, 0.0)
    count = np.maximum(member.sum(axis=1), 1)
    mean = flat.sum(axis=1) / count
    centred = np.where(member, flat - mean[:, None], 0.0)
    sd = np.sqrt((centred**2).sum(axis=1) / count)
    # What rounding leaves of a constant column is set to nothing, and found collinear by the factor.
    constant = sd <= 1e-12 * np.abs(mean)
    scale = np.where(constant, 1.0, sd)
    centred = np.where(constant[:, None], 0.0, centred) / np.where(scale > 0.0, scale, 1.0)[:, None]
    shaped = np.ascontiguousarray(centred.transpose(0, 2, 1)).reshape(n_replicates, q, *sets.order.shape[1:])
    return shaped, np.where(scale > 0.0, scale, 1.0)


def _efron_fractions(sets: RiskSets) -> Array | None:
    if sets.first is None:
        return None
    happened = sets.event.astype(np.float64)
    total = np.cumsum(happened, axis=-1)
    earlier = total - happened
    number = sets.at_last(total) - sets.at_first(earlier)
    fraction = np.where(sets.event, (earlier - sets.at_first(earlier)) / np.maximum(number, 1.0), 0.0)
    return fraction if fraction.any() else None


def _likelihood(data: _Data, beta: Array) -> _Likelihood:
    r"""Evaluate the log partial likelihood.

    Notes
    -----
    With risks :math:`w = e^{x'\beta}`, each event divides by the risk :math:`D` at its time, so participant k gathers
    :math:`A_k = \sum 1/D` over the events that k was at risk for. Then the gradient is :math:`\sum_{events} x -
    \sum_k w_k A_k x_k`, and the information :math:`\sum_k w_k A_k x_k x_k' - \sum_{events} m m'`, m the mean covariate
    at the event: matrix products, without a running sum of squares.
    """
    sets, x, fraction = data
    happened = sets.event
    shape = x.shape[0], x.shape[1], -1
    eta = np.matmul(beta[:, None, :], x.reshape(shape)).reshape(sets.event.shape)
    eta -= eta.max(axis=(1, 2), keepdims=True)
    w = np.exp(eta) * sets.member
    wx = w[:, None] * x
    risk, moment = sets.at_first(from_right(w)), sets.at_first(from_right(wx))
    if fraction is not None:
        risk = risk - fraction * sets.over_ties(w * happened)
        moment = moment - fraction[:, None] * sets.over_ties(wx * happened[:, None])
    inverse = np.divide(1.0, risk, out=np.zeros_like(risk), where=happened)
    gathered = sets.at_last(np.cumsum(inverse, axis=-1))
    if fraction is not None:
        gathered = gathered - happened * sets.over_ties(fraction * inverse)
    mean = (moment * inverse[:, None]).reshape(shape)
    weighted = (wx * gathered[:, None]).reshape(shape)
    gradient = (x * happened[:, None]).sum(axis=(2, 3)) - weighted.sum(axis=2)
    information = weighted @ x.reshape(shape).swapaxes(1, 2) - mean @ mean.swapaxes(1, 2)
    value = np.where(happened, eta + np.log(np.where(happened, inverse, 1.0)), 0.0).sum(axis=(1, 2))
    return _Likelihood(value, gradient, information)


def _newton(data: _Data, max_iterations: int) -> tuple[Array, _Likelihood, _Likelihood, NDArray[np.int64], Codes]:
    """Climb from no effect; each replicate leaves when it has arrived, whatever the others do."""
    n_replicates, q = data.x.shape[:2]
    beta = np.zeros((n_replicates, q))
    null = _likelihood(data, beta)
    here = _Likelihood(*(part.copy() for part in null))
    status = np.full(n_replicates, NOT_CONVERGED, dtype=np.int8)
    _, definite = cholesky(null.information)
    status[~definite] = COLLINEAR
    status[~data.sets.event.any(axis=(1, 2))] = NO_EVENT
    status[~data.sets.valid] = BAD_INPUT
    iterations = np.zeros(n_replicates, dtype=np.int64)
    active = np.flatnonzero(status == NOT_CONVERGED)
    for _ in range(max_iterations):
        if not len(active):
            break
        step, decrement, definite = _newton_step(here, active)
        runaway = ~definite | ((decrement < RUNAWAY[0]) & (np.abs(step).max(axis=1) > RUNAWAY[1]))
        arrived = ~runaway & (decrement < CONVERGED)
        status[active[runaway]] = MONOTONE
        status[active[arrived]] = ESTIMATED
        beta[active[arrived]] += step[arrived]
        on = ~(runaway | arrived)
        active, step = active[on], step[on]
        iterations[active] += 1
        if len(active):
            _advance(data, beta, here, active, step)
    if len(active):
        _, decrement, definite = _newton_step(here, active)
        status[active[definite & (decrement < NEARLY)]] = ESTIMATED
    return beta, null, here, iterations, status


def _newton_step(here: _Likelihood, active: Index) -> tuple[Array, Array, Flags]:
    factor, definite = cholesky(here.information[active])
    whitened = solve_lower(factor, here.gradient[active][..., None])
    return solve_lower_transposed(factor, whitened)[..., 0], (whitened[..., 0] ** 2).sum(axis=1), definite


def _advance(data: _Data, beta: Array, here: _Likelihood, active: Index, step: Array) -> None:
    """Take the step, halved where it would lose likelihood; update `beta` and `here` in place.

    Where no halving helps, the replicate stays where it is, and is found not to converge.
    """
    for _ in range(_HALVINGS):
        trial = beta[active] + step
        # A step too far may overflow; it has no likelihood then, and is halved.
        with np.errstate(all="ignore"):
            there = _likelihood(data.rows(active), trial)
        slack = 1e-9 + 1e-12 * np.abs(here.value[active])
        good = there.value >= here.value[active] - slack
        good &= np.isfinite(there.information).all(axis=(1, 2))
        beta[active[good]] = trial[good]
        for old, new in zip(here, there, strict=True):
            old[active[good]] = new[good]
        active, step = active[~good], 0.5 * step[~good]
        if not len(active):
            return


def _summarise(
    data: _Data,
    scale: Array,
    contrast: Array,
    beta: Array,
    null: _Likelihood,
    here: _Likelihood,
    iterations: NDArray[np.int64],
    status: Codes,
) -> CoxFit:
    estimated = status == ESTIMATED
    hide = np.where(estimated, 1.0, np.nan)
    q = beta.shape[1]
    identity = np.broadcast_to(np.eye(q), here.information.shape)
    information = np.where(estimated[:, None, None], here.information, identity)
    factor, _ = cholesky(information)
    root = solve_lower(factor, identity) / scale[:, None, :]
    covariance = root.swapaxes(1, 2) @ root * hide[:, None, None]
    coefficients = beta / scale * hide[:, None]
    estimate = coefficients @ contrast
    se = np.sqrt(((root @ contrast) ** 2).sum(axis=1)) * hide
    null_factor, _ = cholesky(np.where(estimated[:, None, None], null.information, identity))
    score = (solve_lower(null_factor, null.gradient[..., None])[..., 0] ** 2).sum(axis=1) * hide
    wald = np.einsum("ri,rij,rj->r", beta, information, beta) * hide
    z = estimate / se
    return CoxFit(
        estimate,
        se,
        z,
        np.asarray(2.0 * ndtr(-np.abs(z))),
        coefficients,
        covariance,
        null.value * hide,
        here.value * hide,
        score,
        wald,
        2.0 * (here.value - null.value) * hide,
        iterations,
        status,
    )
