"""The mixed model for repeated measures, whole: from statistics to estimate, SE, df and status of each trial."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.mmrm.monotone import (
    MonotoneFit,
    alternate_constant,
    fit_monotone,
    monotone_contrast,
    monotone_neg2_reml,
)
from trialsim.kernels.mmrm.reml import RemlFit, design_map, fit_reml, reml_contrast
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import structure

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FAILED = -1
"""Rung of a replicate that no covariance of the ladder could fit."""


_SWEEPS = 4
"""Alternations between constant covariates and the closed form before Newton's method takes over."""


class MmrmFit(NamedTuple):
    """One contrast of a block of fits.

    Attributes
    ----------
    estimate, se, df : ndarray, shape (R,)
        NaN where every rung failed. `se` in points, `df` Satterthwaite's.
    rung : ndarray of int, shape (R,)
        Index into the ladder of the covariance that converged; −1 where none did.
    neg2_loglik : ndarray, shape (R,)
        −2 × (restricted) log-likelihood with all constants.
    covariance : ndarray, shape (R, V, V)
    """

    estimate: Array
    se: Array
    df: Array
    rung: NDArray[np.int64]
    neg2_loglik: Array
    covariance: Array


def fit_mmrm(
    statistics: PatternStatistics,
    contrast: Array,
    *,
    ladder: tuple[str, ...],
    n_constant: int = 0,
    reml: bool = True,
) -> MmrmFit:
    """Return one contrast of every trial of a block, each at the first rung of the ladder that converges.

    Parameters
    ----------
    statistics : PatternStatistics
        With the covariates that are not crossed with visit last.
    contrast : ndarray, shape (V, q)
        Weights of the coefficients; those of a constant covariate go in any one row and are summed.
    ladder : tuple of str
        Covariance structures in the order of trial, names of `structures.STRUCTURES`.
    n_constant : int
        How many of the q covariates have one coefficient for all visits.
    reml : bool
        Restricted likelihood; False for the ordinary one.
    """
    n_replicates = len(statistics.counts)
    n_visits = contrast.shape[0]
    nan = np.full(n_replicates, np.nan)
    fit = MmrmFit(
        nan,
        nan.copy(),
        nan.copy(),
        np.full(n_replicates, FAILED),
        nan.copy(),
        np.full((n_replicates, n_visits, n_visits), np.nan),
    )
    waiting = np.arange(n_replicates if len(statistics.observed) else 0)
    for rung, name in enumerate(ladder):
        if not len(waiting):
            break
        stats = statistics if len(waiting) == n_replicates else statistics.take(waiting)
        closed = fit_monotone(stats) if stats.monotone else None
        if name == "unstructured" and closed is not None and n_constant == 0 and reml:
            fitted = _closed_form(closed, contrast)
        else:
            sound = closed is not None and bool(closed.estimable.all())
            if not sound:
                identifiable = _identifiable(stats, n_constant)
                waiting, stats, closed = waiting[identifiable], stats.take(identifiable), None
            if not len(waiting):
                break
            fitted = _iterate(stats, closed, name, n_constant, contrast, reml)
        done = fitted.rung >= 0
        for whole, part in zip(fit, fitted, strict=True):
            whole[waiting[done]] = part[done]
        fit.rung[waiting[done]] = rung
        waiting = waiting[~done]
    return fit


def _identifiable(statistics: PatternStatistics, n_constant: int) -> Flags:
    """Whether every fixed effect can be estimated: full-rank covariates among those seen at each visit."""
    crossed = statistics.xx.shape[-1] - n_constant
    full_rank = np.ones(len(statistics.counts), dtype=bool)
    for v in range(statistics.observed.shape[1]):
        xx = statistics.xx[:, statistics.observed[:, v], :crossed, :crossed].sum(axis=1)
        diagonal = np.einsum("rii->ri", xx)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        smallest = np.linalg.eigvalsh(xx / (scale[:, :, None] * scale[:, None, :]))[:, 0]
        full_rank &= smallest > 1e-9
    return full_rank


def _closed_form(closed: MonotoneFit, contrast: Array) -> MmrmFit:
    estimate, variance, df = monotone_contrast(closed, contrast)
    sound = closed.estimable & (variance > 0) & np.isfinite(df)
    rung = np.where(sound, 0, FAILED)
    with np.errstate(divide="ignore", invalid="ignore"):
        return MmrmFit(estimate, np.sqrt(variance), df, rung, monotone_neg2_reml(closed), closed.covariance)


def _iterate(
    stats: PatternStatistics,
    closed: MonotoneFit | None,
    name: str,
    n_constant: int,
    contrast: Array,
    reml: bool,
) -> MmrmFit:
    n_visits, q = contrast.shape
    shape = structure(name, n_visits)
    design = design_map(n_visits, q - n_constant, n_constant)
    if closed is None:
        start = starting_covariance(stats)
    elif n_constant == 0:
        start = closed.covariance
    else:
        start = alternate_constant(stats, closed, n_constant, _SWEEPS)
    fitted: RemlFit = fit_reml(stats, shape, start, design, reml=reml)
    weights = contrast.reshape(-1) @ design
    estimate, variance, df = reml_contrast(fitted, stats, shape, design, weights)
    sound = fitted.converged & (variance > 0) & np.isfinite(df) & (df > 0)
    rung = np.where(sound, 0, FAILED)
    with np.errstate(invalid="ignore"):
        return MmrmFit(estimate, np.sqrt(variance), df, rung, fitted.neg2_loglik, fitted.covariance)


def starting_covariance(stats: PatternStatistics) -> Array:
    """Return least-squares residual covariances from the available pairs of visits, made positive definite.

    Parameters
    ----------
    stats : PatternStatistics

    Returns
    -------
    ndarray, shape (R, V, V)
    """
    observed = stats.observed.astype(float)
    xx = np.einsum("pv,rpij->rvij", observed, stats.xx)
    xy = np.einsum("rpqv->rvq", stats.xy)
    beta = np.linalg.pinv(xx, hermitian=True) @ xy[..., None]
    b = beta[..., 0][:, None]
    fitted = b @ stats.xy
    residual = stats.yy - fitted - fitted.swapaxes(-1, -2) + b @ stats.xx @ b.swapaxes(-1, -2)
    both = observed[:, :, None] * observed[:, None, :]
    pairs = np.einsum("rp,pvw->rvw", stats.counts, both)
    covariance = (residual * both).sum(axis=1) / np.maximum(pairs - stats.xx.shape[-1], 1.0)
    variance = np.einsum("rvv->rv", covariance)
    typical = np.maximum(variance.mean(axis=1, keepdims=True), np.finfo(float).tiny)
    sd = np.sqrt(np.maximum(variance, 1e-3 * typical))
    correlation = covariance / (sd[:, :, None] * sd[:, None, :])
    values, vectors = np.linalg.eigh(correlation)
    correlation = (vectors * np.maximum(values, 0.05)[:, None, :]) @ vectors.swapaxes(-1, -2)
    scale = np.sqrt(np.einsum("rvv->rv", correlation))
    return np.asarray(correlation * (sd / scale)[:, :, None] * (sd / scale)[:, None, :])
