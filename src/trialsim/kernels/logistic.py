"""Logistic regression for whole blocks of trials, with Firth's penalty where maximum likelihood has no answer."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.tails import normal_tail

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]
Index = NDArray[np.intp]
Penalty = Literal["never", "where separated", "always"]

FINE, NOT_BINARY, COLLINEAR, SEPARATED, NOT_CONVERGED = range(5)
REASONS = (
    "",
    "a value is missing, infinite, or a response not 0 or 1",
    "the covariates are collinear or constant",
    "the covariates separate the responses",
    "no maximum found",
)
"""Why a fit can fail, by code."""

MAXIMUM_LIKELIHOOD, FIRTH = 0, 1
"""How a fit was made."""

PIECE = 64
"""Trials worked on at once, so that they stay in the processor's cache."""

STEPS = 30
FIRTH_STEPS = 200
LARGEST = 500.0
"""Log odds beyond which a response is as surprising as a number can say."""

FAR = 8.0
"""Log odds of an observed response beyond which it is fitted beyond doubt."""

CLOSE = 1e-18
"""Squared Newton step, in standard errors, at which a fit is at its maximum to within rounding."""


class LogisticFit(NamedTuple):
    """A block of logistic regressions.

    Attributes
    ----------
    coefficients : ndarray, shape (R, q)
        Log odds ratios.
    covariance : ndarray, shape (R, q, q)
        Inverse Fisher information at the coefficients.
    log_likelihood : ndarray, shape (R,)
        With half the log determinant of the information added where `method` is `FIRTH`.
    iterations : ndarray of int, shape (R,)
    method : ndarray of int8, shape (R,)
        `MAXIMUM_LIKELIHOOD` or `FIRTH`.
    reason : ndarray of int8, shape (R,)
        Index into `REASONS`; coefficients, covariance and likelihood are NaN where it is not 0.
    """

    coefficients: Array
    covariance: Array
    log_likelihood: Array
    iterations: Index
    method: Codes
    reason: Codes

    @property
    def estimable(self) -> Flags:
        """Return which trials have a fit, shape (R,)."""
        return np.asarray(self.reason == FINE)


class WaldTest(NamedTuple):
    """One contrast of each regression, on the log odds scale; all (R,), NaN where `reason` is not 0."""

    estimate: Array
    se: Array
    z: Array
    p: Array
    method: Codes
    reason: Codes


class LikelihoodRatioTest(NamedTuple):
    """Likelihood-ratio test that some coefficients are 0; all (R,) but `df`, NaN where `reason` is not 0."""

    chi_square: Array
    df: int
    p: Array
    method: Codes
    reason: Codes


class _State(NamedTuple):
    """What a point says: objective (R,), score (R, q), Fisher's factor (R, q, q) and whether there is one.

    `curvature` is what the next step is measured by, None where it is Fisher's information itself.
    """

    objective: Array
    score: Array
    information: Array
    factor: Array
    definite: Flags
    curvature: Array | None


class _Search(NamedTuple):
    """Where a search ended: coefficients, factor of the information, objective, steps, end code, last step taken."""

    beta: Array
    factor: Array
    objective: Array
    iterations: Index
    reason: Codes
    direction: Array


def fit_logistic(x: Array, y: Array, included: Flags, *, penalty: Penalty = "where separated") -> LogisticFit:
    """Return logistic regressions by Newton's method.

    Parameters
    ----------
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them; anything where not included.
    y : ndarray, shape (R, N)
        0 or 1; anything where not included.
    included : ndarray of bool, shape (R, N)
    penalty : {"never", "where separated", "always"}
        Where Firth's penalty, half the log determinant of the information, is added. By default where some
        combination of covariates separates the responses (all responses alike in an arm, for one), so that
        maximum likelihood runs to infinity; `method` tells which trials these are.

    References
    ----------
    Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.
    Heinze G, Schemper M (2002). A solution to the problem of separation in logistic regression. Statistics in
    Medicine 21:2409-2419.
    """
    return _fit(x, y, included, np.arange(x.shape[2]), penalty, None)


def wald_test(fit: LogisticFit, weights: Array) -> WaldTest:
    """Return one contrast of each regression with its Wald test.

    Parameters
    ----------
    fit : LogisticFit
    weights : ndarray, shape (q,)
    """
    estimate = fit.coefficients @ weights
    se = np.sqrt((fit.covariance @ weights) @ weights)
    z = estimate / se
    return WaldTest(estimate, se, z, normal_tail(z), fit.method, fit.reason)


def likelihood_ratio_test(
    x: Array, y: Array, included: Flags, columns: tuple[int, ...], *, penalty: Penalty = "where separated"
) -> LikelihoodRatioTest:
    """Return the likelihood-ratio test that the coefficients of some columns are 0.

    Parameters
    ----------
    x, y, included, penalty : as in `fit_logistic`
    columns : tuple of int
        Columns of x that the null hypothesis takes away.

    Notes
    -----
    Under Firth's penalty both fits are penalised by the information of all columns, so that the profile of
    one penalised likelihood is compared with its top.
    """
    full = fit_logistic(x, y, included, penalty=penalty)
    free = np.setdiff1d(np.arange(x.shape[2]), columns)
    reduced = _fit(x, y, included, free, penalty, full.method == FIRTH)
    reason = np.where(full.reason != FINE, full.reason, reduced.reason)
    chi_square = np.maximum(2.0 * (full.log_likelihood - reduced.log_likelihood), 0.0)
    chi_square[reason != FINE] = np.nan
    return LikelihoodRatioTest(chi_square, len(columns), chdtrc(len(columns), chi_square), full.method, reason)


def _fit(x: Array, y: Array, included: Flags, free: Index, penalty: Penalty, firth: Flags | None) -> LogisticFit:
    """Return fits with the free coefficients only, piece by piece; `firth` may say which are penalised."""
    parts = []
    for start in range(0, max(len(y), 1), PIECE):
        here = slice(start, start + PIECE)
        known = None if firth is None else firth[here]
        parts.append(_fit_piece(x[here], y[here], included[here], free, penalty, known))
    return LogisticFit(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _fit_piece(x: Array, y: Array, included: Flags, free: Index, penalty: Penalty, firth: Flags | None) -> LogisticFit:
    n_replicates, _, q = x.shape
    good = np.all(((y == 0) | (y == 1)) & np.isfinite(x).all(axis=2) | ~included, axis=1)
    used = included & good[:, None]
    columns = np.ascontiguousarray(np.where(used[:, :, None], x, 0.0).transpose(0, 2, 1))
    sign = np.where(used, np.where(y == 1, 1.0, -1.0), 0.0)
    ranked = good & (used.sum(axis=1) >= q) & cholesky(columns @ columns.transpose(0, 2, 1))[1]
    result = LogisticFit(
        np.full((n_replicates, q), np.nan),
        np.full((n_replicates, q, q), np.nan),
        np.full(n_replicates, np.nan),
        np.zeros(n_replicates, dtype=np.intp),
        np.zeros(n_replicates, dtype=np.int8),
        np.where(good, np.where(ranked, FINE, COLLINEAR), NOT_BINARY).astype(np.int8),
    )
    if firth is None:
        firth = np.full(n_replicates, penalty == "always")
    plain = np.flatnonzero(ranked & ~firth)
    _put(result, plain, columns, sign, free, MAXIMUM_LIKELIHOOD)
    if penalty == "where separated":
        firth = firth | (result.reason == SEPARATED)
    _put(result, np.flatnonzero(ranked & firth), columns, sign, free, FIRTH)
    return result


def _put(result: LogisticFit, index: Index, columns: Array, sign: Array, free: Index, method: int) -> None:
    """Fit the trials of an index and put what comes out into the result."""
    if len(index) == 0:
        return
    if len(index) < len(columns):
        columns, sign = columns[index], sign[index]
    search = _climb(columns, sign, free, firth=method == FIRTH)
    reason = search.reason.copy()
    failed = reason != FINE
    if method == MAXIMUM_LIKELIHOOD:
        reason[failed & _separates(columns, sign, search.beta, search.direction)] = SEPARATED
    root = solve_lower(search.factor, np.broadcast_to(np.eye(columns.shape[1]), search.factor.shape))
    hide = np.where(failed, np.nan, 1.0)
    result.coefficients[index] = search.beta * hide[:, None]
    result.covariance[index] = root.transpose(0, 2, 1) @ root * hide[:, None, None]
    result.log_likelihood[index] = search.objective * hide
    result.iterations[index] = search.iterations
    result.method[index] = method
    result.reason[index] = reason


def _climb(columns: Array, sign: Array, free: Index, *, firth: bool) -> _Search:
    """Climb to the maximum of each trial's likelihood; each stops for itself.

    One evaluation a round. A trial whose objective fell goes half the way back; the others take a full step,
    and have arrived once the step asked for is below rounding.
    """
    n_replicates, q, _ = columns.shape
    end = _Search(
        np.zeros((n_replicates, q)),
        np.broadcast_to(np.eye(q), (n_replicates, q, q)).copy(),
        np.full(n_replicates, -np.inf),
        np.zeros(n_replicates, dtype=np.intp),
        np.full(n_replicates, NOT_CONVERGED, dtype=np.int8),
        np.zeros((n_replicates, q)),
    )
    running, searching = np.arange(n_replicates), np.ones(n_replicates, dtype=bool)
    beta, origin, step = (np.zeros((n_replicates, q)) for _ in range(3))
    best = np.full(n_replicates, -np.inf)
    for iteration in range(FIRTH_STEPS if firth else STEPS):
        state = _evaluate(columns, sign, beta, firth=firth)
        ahead, decrement, solvable = _newton(state, free)
        fell = ~(state.objective >= best - 1e-10 * (1.0 + np.abs(best)))
        arrived = searching & solvable & ~fell & (decrement < CLOSE)
        # A step halved to nothing is a failure of the arithmetic: the search ends there.
        lost = np.where(fell, (np.abs(step) < 1e-14).all(axis=1), ~solvable)
        here = running[searching]
        end.beta[here] = (beta + np.where(arrived[:, None], ahead, 0.0))[searching]
        end.factor[here], end.objective[here] = state.factor[searching], state.objective[searching]
        end.iterations[here], end.direction[here] = iteration, step[searching]
        end.reason[running[arrived]] = FINE
        searching = searching & ~(arrived | lost)
        if not searching.any():
            break
        origin = np.where(fell[:, None], origin, beta)
        step = np.where(fell[:, None], 0.5 * step, ahead)
        best = np.where(fell, best, state.objective)
        beta = origin + step
        # Copying costs about as much as a round: worth it only when many have arrived.
        if 4 * searching.sum() <= 3 * len(searching):
            running, beta, origin, step = running[searching], beta[searching], origin[searching], step[searching]
            best, columns, sign = best[searching], columns[searching], sign[searching]
            searching = np.ones(len(running), dtype=bool)
    return end


def _evaluate(columns: Array, sign: Array, beta: Array, *, firth: bool) -> _State:
    """Return the objective and its derivatives; `sign` is 1 or −1 for a response of 1 or 0, and 0 where masked."""
    margin = np.matmul(beta[:, None, :], columns)[:, 0]
    margin *= sign
    odds = np.exp(-np.maximum(margin, -LARGEST, out=margin), out=margin)
    right = 1.0 / (1.0 + odds)
    missed = odds * right
    weight = missed * right
    missed *= sign
    objective = np.einsum("rn,rn->r", np.log(right), np.abs(sign))
    information = (columns * weight[:, None, :]) @ columns.transpose(0, 2, 1)
    factor, definite = cholesky(information)
    curvature = None
    if firth:
        leverage = (solve_lower(factor, columns) ** 2).sum(axis=1) * weight
        missed = missed + leverage * (missed - 0.5 * sign)
        curvature = (columns * (weight * (1.0 + leverage))[:, None, :]) @ columns.transpose(0, 2, 1)
        objective = objective + np.log(np.einsum("rii->ri", factor)).sum(axis=1)
        objective[~definite] = -np.inf
    score = np.matmul(columns, missed[:, :, None])[:, :, 0]
    return _State(objective, score, information, factor, definite, curvature)


def _newton(state: _State, free: Index) -> tuple[Array, Array, Flags]:
    """Return the step that the curvature asks for, its squared length in standard errors, and whether there is one."""
    step = np.zeros_like(state.score)
    if len(free) == 0:
        return step, np.zeros(len(step)), state.definite
    factor, definite = state.factor, state.definite
    if state.curvature is not None or len(free) < step.shape[1]:
        matrix = state.information if state.curvature is None else state.curvature
        factor, definite = cholesky(matrix[:, free[:, None], free[None, :]])
    whitened = solve_lower(factor, state.score[:, free, None])
    step[:, free] = solve_lower_transposed(factor, whitened)[:, :, 0]
    return step, (whitened[:, :, 0] ** 2).sum(axis=1), definite & state.definite


def _separates(columns: Array, sign: Array, beta: Array, direction: Array) -> Flags:
    """Return in which trials a search that found no maximum was running to infinity.

    It was, where the coefficients fit every response on the right side of even odds: the same ones times any
    number fit better. And it was, where the last step made no response fit worse but those beyond doubt.
    """
    margin = np.matmul(beta[:, None, :], columns)[:, 0] * sign
    gain = np.matmul(direction[:, None, :], columns)[:, 0] * sign
    far = margin > FAR
    complete = ((margin > 0.0) | (sign == 0.0)).all(axis=1)
    onward = (far | (gain >= -1e-3)).all(axis=1) & (far | (gain > 0.1)).any(axis=1)
    return np.asarray(complete | onward)
