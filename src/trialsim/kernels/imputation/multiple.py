r"""Multiple imputation from an approximate posterior of the imputation model, pooled by Rubin's rules.

The covariance is drawn from a normal around its REML optimum in the regressions of visits on visits before
(:math:`\Sigma = TDT'`; :math:`\phi` free, :math:`\log d`), with the observed information as precision, so that every
draw is positive definite; the coefficients then from their normal posterior given that covariance under a flat prior;
the missing scores from their normal distribution given the scores seen and the strategy. All draws come from
standard normals that the caller passes, so the answer is a function of its arguments.

References
----------
Rubin DB (1987), Multiple Imputation for Nonresponse in Surveys.
Carpenter JR, Roger JH, Kenward MG (2013), J Biopharm Stat 23:1352.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed
from trialsim.kernels.imputation.conditional import group_parameters
from trialsim.kernels.imputation.endpoint import Target, analysis_weights
from trialsim.kernels.imputation.groups import (
    INFINITE,
    NOT_CONVERGED,
    NOT_ESTIMABLE,
    SOUND,
    Grouped,
    Model,
    group_participants,
)
from trialsim.kernels.imputation.likelihood import Problem, maximise
from trialsim.kernels.imputation.rubin import Pooled, pool_rubin

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_AT_ONCE = 20_000
"""Participants, over trials and draws, worked on together."""


class Normals(NamedTuple):
    """Independent standard normals behind the draws.

    Attributes
    ----------
    covariance : ndarray, shape (R, M, S·V(V + 1)/2)
    coefficients : ndarray, shape (R, M, V·crossed + constant)
    scores : ndarray, shape (R, M, N, V)
    """

    covariance: Array
    coefficients: Array
    scores: Array


class MultipleImputation(NamedTuple):
    """Pooled estimates of a block of trials.

    Attributes
    ----------
    pooled : Pooled
        Arrays of shape (R, H); NaN where there is no fit.
    estimates, ses : ndarray, shape (R, H, M)
        Of each imputed data set.
    n_analysed : ndarray of int, shape (R,)
    reason : ndarray of int, shape (R,)
        Index into `groups.REASONS`.
    """

    pooled: Pooled
    estimates: Array
    ses: Array
    n_analysed: Index
    reason: Index

    @property
    def estimable(self) -> Flags:
        """Whether the replicate has a result, shape (R,)."""
        return np.asarray(self.reason == SOUND)


def draw_normals(
    generator: np.random.Generator, shape: tuple[int, ...], n_covariates: int, model: Model, n_arms: int, n_draws: int
) -> Normals:
    """Return the normals that `multiple_imputation` needs.

    Parameters
    ----------
    generator : numpy.random.Generator
    shape : tuple of int
        (R, N, V).
    n_covariates : int
        Number q of covariates.
    model : Model
    n_arms : int
        Number of arms; counts where each has a covariance of its own.
    n_draws : int
        Number M of imputed data sets.
    """
    n_replicates, n_participants, v = shape
    parameters = v * (v + 1) // 2 * (n_arms if model.by_arm else 1)
    coefficients = v * (n_covariates - model.n_constant) + model.n_constant
    return Normals(
        generator.standard_normal((n_replicates, n_draws, parameters)),
        generator.standard_normal((n_replicates, n_draws, coefficients)),
        generator.standard_normal((n_replicates, n_draws, n_participants, v)),
    )


def multiple_imputation(
    y: Array,
    x: Array,
    arm: Index,
    event: Index,
    targets: Sequence[Target],
    model: Model,
    normals: Normals,
    *,
    included: Flags | None = None,
    delta: Array | None = None,
) -> MultipleImputation:
    """Return estimates pooled over multiply imputed data sets, each analysed by analysis of covariance.

    Parameters
    ----------
    y, x, arm, event, targets, model, included, delta
        As for `conditional_mean`.
    normals : Normals
        From `draw_normals`; M is theirs.
    """
    n_replicates, n_participants, _ = y.shape
    n_arms = int(arm.max(initial=model.reference)) + 1
    n_draws = normals.scores.shape[1]
    estimates, ses = np.full((2, n_replicates, len(targets), n_draws), np.nan)
    n_analysed, reason = np.zeros((2, n_replicates), dtype=np.intp)
    shifts = np.broadcast_to(0.0 if delta is None else delta, y.shape)
    at_once = max(1, _AT_ONCE // (n_draws * (n_participants + 1)))
    for first in range(0, n_replicates, at_once):
        rows = slice(first, first + at_once)
        inside = None if included is None else included[rows]
        grouped = group_participants(y[rows], x[rows], arm[rows], event[rows], model, inside)
        part = Normals(*(piece[rows] for piece in normals))
        coefficients, covariance, reason[rows] = _draw_parameters(grouped, model, n_arms, part)
        scores = _impute(grouped, model, coefficients, covariance, part.scores)
        missing = ~(np.concatenate([grouped.seen, np.ones_like(grouped.seen[:1])])[grouped.group])[:, :-1]
        scores[:, :, :-1] += np.where(missing, shifts[rows], 0.0)[:, None]
        n_analysed[rows] = grouped.included.sum(axis=1)
        for h, target in enumerate(targets):
            estimates[rows, h], ses[rows, h], sound = _analyse(grouped, scores[..., target.visit], target)
            reason[rows] = np.where((reason[rows] == SOUND) & ~sound, NOT_ESTIMABLE, reason[rows])
    bad = reason != SOUND
    estimates[bad], ses[bad] = np.nan, np.nan
    df = (n_analysed - x.shape[2]).astype(float)[:, None]
    return MultipleImputation(pool_rubin(estimates, ses, df), estimates, ses, n_analysed, reason)


def _draw_parameters(grouped: Grouped, model: Model, n_arms: int, normals: Normals) -> tuple[Array, Array, Index]:
    """Return drawn coefficients (R, M, V, q), covariances (R, M, S, V, V) and reasons (R,)."""
    problem = Problem(grouped, model.n_constant, model.by_arm, n_arms)
    products = problem.products(grouped)
    sigma, information, estimable, converged = maximise(problem, products)
    n_draws = normals.scores.shape[1]
    drawn, definite = _draw_covariance(sigma, information, normals.covariance)
    flat = drawn.reshape(-1, *drawn.shape[2:])
    state = problem.evaluate(flat, products.take(np.repeat(np.arange(len(drawn)), n_draws)))
    factor, regular = cholesky(state.inverse)
    z = normals.coefficients.reshape(len(flat), -1, 1)
    beta = problem.design.expand_vector(state.beta + (factor @ z)[..., 0])
    coefficients = beta.reshape(*drawn.shape[:2], *beta.shape[1:])
    sound = converged & definite & regular.reshape(drawn.shape[:2]).all(axis=1)
    conditions = [grouped.infinite, ~estimable, ~sound]
    reason = np.select(conditions, [INFINITE, NOT_ESTIMABLE, NOT_CONVERGED], SOUND)
    coefficients[reason != SOUND] = 0.0
    drawn[reason != SOUND] = np.eye(sigma.shape[-1])
    return coefficients, drawn, reason


def _draw_covariance(sigma: Array, information: Array, z: Array) -> tuple[Array, Flags]:
    r"""Return M draws of Σ (R, M, S, V, V), and which trials have a proper information.

    Notes
    -----
    In :math:`\Sigma = TDT'`, :math:`\partial\Sigma/\partial\log d_v = d_v t_v t_v'` and
    :math:`\partial\Sigma/\partial\phi_{vw} = t_v \sigma_w' + \sigma_w t_v'`, with :math:`t_v` and :math:`\sigma_w`
    columns of T and Σ. At the optimum the gradient is zero, so the information changes by the Jacobian alone.
    """
    n, kinds, v = sigma.shape[:3]
    factor, _ = cholesky(sigma.reshape(-1, v, v))
    sd = np.einsum("bvv->bv", factor)
    transform = factor / sd[:, None, :]
    rows, columns = np.tril_indices(v, -1)
    t, s = transform.swapaxes(1, 2), sigma.reshape(-1, v, v)
    by_phi = t[:, rows, :, None] * s[:, columns, None, :]
    by_phi += by_phi.swapaxes(-1, -2)
    by_log = (sd**2)[:, :, None, None] * t[:, :, :, None] * t[:, :, None, :]
    lower = np.tril_indices(v)
    block = np.concatenate([by_phi, by_log], axis=1)[..., lower[0], lower[1]]
    size = block.shape[1]
    jacobian = np.zeros((n, kinds * size, kinds * size))
    for kind in range(kinds):
        part = slice(kind * size, (kind + 1) * size)
        jacobian[:, part, part] = block.reshape(n, kinds, size, size)[:, kind]
    precision, definite = cholesky(jacobian @ information @ jacobian.swapaxes(1, 2))
    step = solve_lower_transposed(precision, z.swapaxes(1, 2)).swapaxes(1, 2).reshape(n, -1, kinds, size)
    eye = np.eye(v)
    phi = np.broadcast_to((eye - solve_lower(transform, np.broadcast_to(eye, transform.shape))), transform.shape)
    drawn = np.broadcast_to(phi.reshape(n, 1, kinds, v, v), (*step.shape[:3], v, v)).copy()
    drawn[..., rows, columns] += step[..., : len(rows)]
    # A step of the logarithm beyond this is an information without meaning; the trial is flagged elsewhere.
    log_sd = np.log(sd).reshape(n, 1, kinds, v) + np.clip(0.5 * step[..., len(rows) :], -50.0, 50.0)
    scaled = solve_lower(eye - drawn, np.broadcast_to(eye, drawn.shape)) * np.exp(log_sd)[..., None, :]
    return scaled @ scaled.swapaxes(-1, -2), definite


def _impute(grouped: Grouped, model: Model, coefficients: Array, covariance: Array, z: Array) -> Array:
    """Return the scores (R, M, N + 1, V) with the missing ones drawn."""
    n_replicates, n_draws, n_participants, n_visits = z.shape
    scores = np.broadcast_to(grouped.y[:, None], (n_replicates, n_draws, n_participants + 1, n_visits)).copy()
    groups = np.flatnonzero(~grouped.seen.all(axis=1))
    for g, (mean, sigma) in group_parameters(coefficients, covariance, grouped, model, groups):
        r, i = np.nonzero(grouped.group == g)
        seen, missing = np.flatnonzero(grouped.seen[g]), np.flatnonzero(~grouped.seen[g])
        across = sigma[..., seen[:, None], missing]
        inside = sigma[..., seen[:, None], seen]
        slope = np.linalg.solve(inside, across) if len(seen) else across
        rest = sigma[..., missing[:, None], missing] - slope.swapaxes(-1, -2) @ across
        factor, _ = cholesky(rest.reshape(-1, len(missing), len(missing)))
        factor = factor.reshape(*rest.shape)
        # (members, M, V): each member's own trial's draws.
        expected = np.einsum("kq,kmvq->kmv", grouped.x[r, i], mean[r])
        deviation = grouped.y[r, i][:, None, seen] - expected[..., seen]
        filled = expected[..., missing] + np.einsum("kmo,kmou->kmu", deviation, slope[r])
        filled += np.einsum("kmuw,kmw->kmu", factor[r], z[r, :, i][..., missing])
        scores[r[:, None], :, i[:, None], missing] = filled.swapaxes(1, 2)
    return scores


def _analyse(grouped: Grouped, scores: Array, target: Target) -> tuple[Array, Array, Flags]:
    """Return estimate and standard error (R, M) of one target, and which trials have them (R,)."""
    x = grouped.x
    weights = analysis_weights(grouped, target, jackknife=False)
    xx = x.transpose(0, 2, 1) @ x
    sound = weights.estimable[:, 0]
    df = grouped.included.sum(axis=1) - x.shape[2]
    xy = scores @ x
    safe = np.where(sound[:, None, None], xx, np.eye(x.shape[2]))
    beta = np.linalg.solve(safe[:, None], xy[..., None])[..., 0]
    residual = np.where(grouped.included[:, None], scores - beta @ x.transpose(0, 2, 1), 0.0)
    variance = (residual**2).sum(axis=2) / np.maximum(df, 1)[:, None]
    estimate = (weights.w @ xy.transpose(0, 2, 1))[:, 0]
    return estimate, np.sqrt(variance * np.maximum(weights.scale, 0.0)), sound & (df > 0)
