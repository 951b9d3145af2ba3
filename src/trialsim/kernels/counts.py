"""Rates of counted events: negative binomial regression with a log-exposure offset, Poisson as its limit.

The variance of a count with mean μ is μ + k μ², k ≥ 0 the dispersion (1/θ of R's glm.nb). The likelihood is maximised
over coefficients and dispersion together. Where counts vary no more than Poisson's, the maximum is at k = 0 and the fit
is the Poisson regression; the result says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
Codes = NDArray[np.int8]

REASONS = (
    "estimated",
    "estimated at the Poisson limit: no more variation than Poisson's",
    "a count that is no whole number of at least 0, or too large; an exposure not above 0; a covariate not finite",
    "nobody or no count above 0",
    "covariates are collinear",
    "monotone likelihood: a rate runs to zero or infinity",
    "not converged",
)
"""What a status says: the index of the reason in this list; 0 and 1 have an estimate."""

ESTIMATED, POISSON_LIMIT, BAD_INPUT, NO_COUNT, COLLINEAR, MONOTONE, NOT_CONVERGED = range(7)

LARGEST_COUNT = 20_000
"""A larger count is refused; one column of a table is kept for each count up to the largest."""

CONVERGED, NEARLY = 1e-20, 1e-12
RUNAWAY = (1e-8, 0.1)
"""As for proportional hazards: a tiny decrement with a large step means that the likelihood is monotone."""

_HALVINGS = 12
_LARGEST_LOG_STEP = 2.0
_SMALL = 1e-3


class CountFit(NamedTuple):
    """One contrast of a block of rate regressions.

    Attributes
    ----------
    estimate, se, z, p : ndarray, shape (R,)
        Log rate ratio, with a normal two-sided p-value.
    coefficients : ndarray, shape (R, q)
    covariance : ndarray, shape (R, q, q)
        Inverse of the expected information with the dispersion held, as in R's glm.nb.
    dispersion, dispersion_se : ndarray, shape (R,)
        k of variance μ + k μ²; 0, with a standard error of NaN, at the Poisson limit.
    loglik : ndarray, shape (R,)
        With all constants.
    status : ndarray of int, shape (R,)
        Index into `REASONS`; everything else is NaN where it is above 1.
    """

    estimate: Array
    se: Array
    z: Array
    p: Array
    coefficients: Array
    covariance: Array
    dispersion: Array
    dispersion_se: Array
    loglik: Array
    status: Codes

    @property
    def estimable(self) -> Flags:
        """Whether each replicate has an estimate, shape (R,)."""
        return self.status <= POISSON_LIMIT


class _Data(NamedTuple):
    """Counts and what goes with them; those not included have a weight of 0."""

    y: Array
    x: Array
    offset: Array
    weight: Array
    beyond: Array
    """How many counts are above j = 0, 1, ..; shape (R, J)."""
    constant: Array
    """What the log-likelihood has that depends on the counts alone; shape (R,)."""

    def rows(self, index: Index) -> _Data:
        """Return the data of some replicates."""
        return self if len(index) == len(self.y) else _Data(*(part[index] for part in self))


class _State(NamedTuple):
    """Log-likelihood (R,), its gradient (R, q + 1) and Hessian (R, q + 1, q + 1), the last place being k's."""

    value: Array
    gradient: Array
    hessian: Array


def fit_counts(
    y: Array,
    x: Array,
    contrast: Array,
    *,
    exposure: Array | None = None,
    included: Flags | None = None,
    poisson: bool = False,
    max_iterations: int = 60,
) -> CountFit:
    """Fit negative binomial (or Poisson) regressions of counts.

    Parameters
    ----------
    y : ndarray, shape (R, N)
        Counts; anything where not included.
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them.
    contrast : ndarray, shape (q,)
        Weights of the coefficients in the estimate.
    exposure : ndarray, shape (R, N), optional
        Time at risk, any unit; 1 by default. Its logarithm is the offset.
    included : ndarray of bool, shape (R, N), optional
    poisson : bool
        Hold the dispersion at 0; the status of an estimate is then 0.
    max_iterations : int
    """
    data, scale, status = _prepare(y, x, exposure, included)
    n_replicates, q = len(y), x.shape[2]
    beta, k = _start(data), np.zeros(n_replicates)
    everyone = np.flatnonzero(status == NOT_CONVERGED)
    with np.errstate(all="ignore"):
        state = _evaluate(data, beta, k)
    astray = np.flatnonzero(
        (status != NOT_CONVERGED) | ~np.isfinite(state.value) | ~np.isfinite(state.hessian).all((1, 2))
    )
    beta[astray] = 0.0
    for old, new in zip(state, _evaluate(data.rows(astray), beta[astray], k[astray]), strict=True):
        old[astray] = new
    _climb(data, beta, k, state, everyone, status, free=False, max_iterations=max_iterations)
    if not poisson:
        # Where counts vary less than Poisson's, likelihood falls as the dispersion leaves 0.
        settled = np.flatnonzero(status == ESTIMATED)
        at_limit = state.gradient[settled, q] <= 0.0
        status[settled[at_limit]] = POISSON_LIMIT
        free = settled[~at_limit]
        k[free] = _moment_dispersion(data.rows(free), beta[free])
        for old, new in zip(state, _evaluate(data.rows(free), beta[free], k[free]), strict=True):
            old[free] = new
        status[free] = NOT_CONVERGED
        _climb(data, beta, k, state, free, status, free=True, max_iterations=max_iterations)
    return _summarise(data, scale, contrast, beta, k, state, status)


def _prepare(y: Array, x: Array, exposure: Array | None, included: Flags | None) -> tuple[_Data, Array, Codes]:
    included = np.ones(y.shape, dtype=bool) if included is None else included
    exposure = np.ones(y.shape) if exposure is None else exposure
    with np.errstate(invalid="ignore"):
        good = (y >= 0) & (y <= LARGEST_COUNT) & (y == np.floor(y)) & (exposure > 0) & np.isfinite(exposure)
        good &= np.isfinite(x).all(axis=2)
    valid = (good | ~included).all(axis=1)
    included = included & valid[:, None]
    weight = included.astype(np.float64)
    count = np.where(included, y, 0.0)
    covariates = np.where(included[..., None], x, 0.0)
    scale = np.sqrt((covariates**2).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)[:, None])
    scale = np.where(scale > 0.0, scale, 1.0)
    covariates = covariates / scale[:, None, :]
    offset = np.log(np.where(included, exposure, 1.0))
    size = int(count.max(initial=0.0)) + 1
    code = (np.arange(len(y))[:, None] * size + count.astype(np.int64)).ravel()
    table = np.bincount(code, weight.ravel(), minlength=len(y) * size).reshape(len(y), size)
    beyond: Array = np.cumsum(table[:, ::-1], axis=1, dtype=np.float64)[:, ::-1][:, 1:]
    status = np.full(len(y), NOT_CONVERGED, dtype=np.int8)
    status[~cholesky(covariates.swapaxes(1, 2) @ covariates)[1]] = COLLINEAR
    status[count.sum(axis=1) == 0.0] = NO_COUNT
    status[~valid] = BAD_INPUT
    constant = -(weight * gammaln(count + 1.0)).sum(axis=1)
    return _Data(count, covariates, offset, weight, beyond, constant), scale, status


def _start(data: _Data) -> Array:
    """Return the first step of iterated weighted least squares, from means near the counts themselves."""
    mean = data.y + 0.1
    w = mean * data.weight
    response = np.log(mean) - data.offset + (data.y - mean) / mean
    wx = data.x * w[..., None]
    factor, _ = cholesky(wx.swapaxes(1, 2) @ data.x)
    right = wx.swapaxes(1, 2) @ response[..., None]
    return np.asarray(solve_lower_transposed(factor, solve_lower(factor, right))[:, :, 0], dtype=np.float64)


def _means(data: _Data, beta: Array) -> Array:
    eta = np.matmul(data.x, beta[..., None])[..., 0] + data.offset
    return np.asarray(np.exp(np.clip(eta, -700.0, 100.0)))


def _moment_dispersion(data: _Data, beta: Array) -> Array:
    mean = _means(data, beta)
    excess = (((data.y - mean) ** 2 - data.y) * data.weight).sum(axis=1)
    dispersion: Array = np.clip(excess / (mean**2 * data.weight).sum(axis=1), 1e-8, 1e4)
    return dispersion


def _evaluate(data: _Data, beta: Array, k: Array) -> _State:
    r"""Evaluate the log-likelihood and its first two derivatives in coefficients and dispersion.

    Notes
    -----
    :math:`\log\Gamma(y + 1/k) - \log\Gamma(1/k) + y \log k = \sum_{j < y} \log(1 + kj)`: summed over participants, a
    table of how many counts exceed j is all that is needed, and nothing cancels as k falls to 0.
    """
    y, x, offset, weight, beyond, constant = data
    mean = _means(data, beta)
    u = k[:, None] * mean
    spread = 1.0 / (1.0 + u)
    log_part, slope, curve = _log_ratio(u)
    j = np.arange(beyond.shape[1], dtype=np.float64)
    steps = 1.0 + k[:, None] * j
    value = constant + (beyond * np.log(steps)).sum(axis=1)
    # y log μ is taken as y η, so that a mean that underflows does no harm.
    eta = np.matmul(x, beta[..., None])[..., 0] + offset
    value += (weight * (y * eta - y * np.log1p(u) - mean * log_part)).sum(axis=1)
    residual = weight * (y - mean) * spread
    q = x.shape[2]
    gradient = np.empty((len(y), q + 1))
    gradient[:, :q] = np.matmul(x.swapaxes(1, 2), residual[..., None])[..., 0]
    gradient[:, q] = (beyond * j / steps).sum(axis=1) - (weight * mean * (y * spread + mean * slope)).sum(axis=1)
    hessian = np.empty((len(y), q + 1, q + 1))
    curvature = weight * mean * (1.0 + k[:, None] * y) * spread**2
    hessian[:, :q, :q] = -(x * curvature[..., None]).swapaxes(1, 2) @ x
    cross = -np.matmul(x.swapaxes(1, 2), (residual * mean * spread)[..., None])[..., 0]
    hessian[:, :q, q] = hessian[:, q, :q] = cross
    hessian[:, q, q] = -(beyond * (j / steps) ** 2).sum(axis=1)
    hessian[:, q, q] += (weight * mean**2 * (y * spread**2 - mean * curve)).sum(axis=1)
    return _State(value, gradient, hessian)


def _log_ratio(u: Array) -> tuple[Array, Array, Array]:
    """Return log(1 + u)/u and its first two derivatives; by their series where u is small and they would cancel."""
    if not u.any():
        return np.ones_like(u), np.full_like(u, -0.5), np.full_like(u, 2.0 / 3.0)
    safe = np.maximum(u, _SMALL)
    log = np.log1p(safe)
    share = safe / (1.0 + safe)
    inverse = 1.0 / safe
    value = log * inverse
    slope = (share - log) * inverse**2
    curve = (2.0 * log - 2.0 * share - share**2) * inverse**2 * inverse
    small = u < _SMALL
    if small.any():
        v = u[small]
        value[small] = 1.0 - v * (1.0 / 2.0 - v * (1.0 / 3.0 - v * (1.0 / 4.0 - v / 5.0)))
        slope[small] = -1.0 / 2.0 + v * (2.0 / 3.0 - v * (3.0 / 4.0 - v * (4.0 / 5.0 - v * 5.0 / 6.0)))
        curve[small] = 2.0 / 3.0 - v * (3.0 / 2.0 - v * (12.0 / 5.0 - v * 10.0 / 3.0))
    return value, slope, curve


def _climb(
    data: _Data,
    beta: Array,
    k: Array,
    state: _State,
    active: Index,
    status: Codes,
    *,
    free: bool,
    max_iterations: int,
) -> None:
    """Maximise by Newton's method, in (β, log k) where k is free; each replicate leaves when it has arrived."""
    for _ in range(max_iterations):
        if not len(active):
            return
        step, decrement = _newton_step(state, k, active, free=free)
        size = np.abs(step[:, : beta.shape[1]]).max(axis=1)
        runaway = (decrement < RUNAWAY[0]) & (size > RUNAWAY[1])
        arrived = ~runaway & (decrement < CONVERGED)
        status[active[runaway]] = MONOTONE
        status[active[arrived]] = ESTIMATED
        on = ~(runaway | arrived)
        active, step = active[on], step[on]
        _advance(data, beta, k, state, active, step)
    _, decrement = _newton_step(state, k, active, free=free)
    status[active[decrement < NEARLY]] = ESTIMATED


def _newton_step(state: _State, k: Array, active: Index, *, free: bool) -> tuple[Array, Array]:
    """Return steps of (β, log k), (A, q + 1), and Newton decrements (A,); log k's is 0 where k is held."""
    q = state.gradient.shape[1] - 1
    gradient, information = state.gradient[active].copy(), -state.hessian[active]
    dispersion = k[active]
    if free:
        information[:, q, :] *= dispersion[:, None]
        information[:, :, q] *= dispersion[:, None]
        gradient[:, q] *= dispersion
        information[:, q, q] -= gradient[:, q]
    else:
        gradient[:, q] = 0.0
        information[:, q, :] = information[:, :, q] = 0.0
        information[:, q, q] = 1.0
    factor, definite = cholesky(information)
    if not definite.all():
        # Far from the optimum the surface need not be concave in the dispersion: climb along the blocks.
        bent = ~definite
        information[bent, :q, q] = information[bent, q, :q] = 0.0
        information[bent, q, q] = np.maximum(np.abs(information[bent, q, q]), 1e-8)
        factor[bent] = cholesky(information[bent], tolerance=0.0)[0]
    whitened = solve_lower(factor, gradient[..., None])
    step = np.asarray(solve_lower_transposed(factor, whitened)[..., 0])
    step[:, q] = np.clip(step[:, q], -_LARGEST_LOG_STEP, _LARGEST_LOG_STEP)
    return step, np.where(definite, (whitened[..., 0] ** 2).sum(axis=1), np.inf)


def _advance(data: _Data, beta: Array, k: Array, state: _State, active: Index, step: Array) -> None:
    """Take the step, halved where it would lose likelihood; update `beta`, `k` and `state` in place.

    Where no halving helps, the replicate stays where it is, and is found not to converge.
    """
    q = beta.shape[1]
    for _ in range(_HALVINGS):
        if not len(active):
            return
        trial = beta[active] + step[:, :q]
        dispersion = k[active] * np.exp(step[:, q])
        # A step too far may overflow; it has no likelihood then, and is halved.
        with np.errstate(all="ignore"):
            there = _evaluate(data.rows(active), trial, dispersion)
        slack = 1e-9 + 1e-12 * np.abs(state.value[active])
        good = there.value >= state.value[active] - slack
        good &= np.isfinite(there.hessian).all(axis=(1, 2))
        beta[active[good]] = trial[good]
        k[active[good]] = dispersion[good]
        for old, new in zip(state, there, strict=True):
            old[active[good]] = new[good]
        active, step = active[~good], 0.5 * step[~good]


def _summarise(
    data: _Data, scale: Array, contrast: Array, beta: Array, k: Array, state: _State, status: Codes
) -> CountFit:
    estimated = status <= POISSON_LIMIT
    hide = np.where(estimated, 1.0, np.nan)
    mean = np.where(estimated[:, None], _means(data, beta), 1.0)
    weight = data.weight * mean / (1.0 + k[:, None] * mean)
    factor, definite = cholesky((data.x * weight[..., None]).swapaxes(1, 2) @ data.x)
    status = np.where(estimated & ~definite, np.int8(MONOTONE), status)
    hide = np.where(definite, hide, np.nan)
    root = solve_lower(factor, np.broadcast_to(np.eye(beta.shape[1]), factor.shape)) / scale[:, None, :]
    coefficients = beta / scale * hide[:, None]
    estimate = coefficients @ contrast
    se = np.sqrt(((root @ contrast) ** 2).sum(axis=1)) * hide
    z = estimate / se
    curvature = -state.hessian[:, -1, -1]
    inside = (k > 0.0) & (curvature > 0.0)
    dispersion_se = np.where(inside, 1.0 / np.sqrt(np.where(inside, curvature, 1.0)), np.nan)
    return CountFit(
        estimate,
        se,
        z,
        np.asarray(2.0 * ndtr(-np.abs(z))),
        coefficients,
        root.swapaxes(1, 2) @ root * hide[:, None, None],
        k * hide,
        dispersion_se * hide,
        state.value * hide,
        status,
    )
