"""The mixed model for repeated measures, whole: from statistics to estimate, SE, df and status of each trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.mmrm.design import Design
from trialsim.kernels.mmrm.inference import (
    BETWEEN_WITHIN,
    DF_METHODS,
    KENWARD_ROGER,
    KENWARD_ROGER_MMRM,
    SATTERTHWAITE,
    Contrast,
    Inference,
    fit_at,
    parameters_of,
)
from trialsim.kernels.mmrm.likelihood import Likelihood
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
Index = NDArray[np.intp]

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
    df: str = SATTERTHWAITE,
    design: Design | None = None,
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
    df : str
        One of `inference.DF_METHODS`. Between-within counts the contrast as one between participants.
    design : Design, optional
        Any other way in which coefficients stand for covariates, instead of `n_constant`.
    """
    if df not in DF_METHODS:
        raise ValueError(f"df must be one of {', '.join(DF_METHODS)}; got {df!r}")
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
    model = _Model(contrast, n_constant, reml, df, design)
    for group in _groups(statistics, n_constant):
        _climb_down(fit, group, model, ladder)
    return fit


class _Model(NamedTuple):
    contrast: Array
    n_constant: int
    reml: bool
    df: str
    given: Design | None

    @property
    def all_crossed(self) -> bool:
        """Whether every covariate has a coefficient at each visit, so that there is a closed form."""
        return self.given is None and self.n_constant == 0

    @property
    def design(self) -> Design:
        """Return which coefficient stands for which covariate at which visit."""
        if self.given is not None:
            return self.given
        n_visits, q = self.contrast.shape
        return design_map(n_visits, q - self.n_constant, self.n_constant)

    def counted_df(self, stats: PatternStatistics) -> Array:
        """Return the degrees of freedom that need no more than counting."""
        if self.df == BETWEEN_WITHIN:
            return np.asarray(stats.participants - self.contrast.shape[1])
        scores = (stats.counts * stats.observed.sum(axis=1)).sum(axis=1)
        return np.asarray(scores - self.design.matrix.shape[2])


class _Group(NamedTuple):
    """Replicates that are fitted alike: each by its own missingness, so that its answer does not hang on others."""

    rows: Index
    statistics: PatternStatistics
    closed: MonotoneFit | None  # of monotone data; None where it has none
    unbounded: bool  # monotone, but too few are left: the unstructured likelihood has no maximum


def _groups(statistics: PatternStatistics, n_constant: int) -> Iterator[_Group]:
    """Yield the replicates that can be fitted: monotone with a closed form, monotone without, not monotone."""
    if not len(statistics.observed):
        return
    orderly = np.all(statistics.observed[:, :-1] >= statistics.observed[:, 1:], axis=1)
    monotone = ~statistics.counts[:, ~orderly].any(axis=1)
    rows = np.flatnonzero(monotone)
    if len(rows):
        stats = _part(statistics, rows, orderly)
        closed = fit_monotone(stats)
        sound = np.flatnonzero(closed.estimable)
        if len(sound):
            part = _part(stats, sound)
            yield _Group(rows[sound], part, closed if part is stats else fit_monotone(part), False)
        left = _identifiable(stats, np.flatnonzero(~closed.estimable), n_constant)
        if len(left):
            yield _Group(rows[left], stats.take(left), None, n_constant == 0)
    rows = _identifiable(statistics, np.flatnonzero(~monotone), n_constant)
    if len(rows):
        yield _Group(rows, _part(statistics, rows), None, False)


def _part(statistics: PatternStatistics, rows: Index, patterns: Flags | None = None) -> PatternStatistics:
    """Return some replicates and patterns; without a copy where it is all of them."""
    if patterns is not None and not patterns.all():
        statistics = PatternStatistics(statistics.observed[patterns], *(piece[:, patterns] for piece in statistics[1:]))
    return statistics if len(rows) == len(statistics.counts) else statistics.take(rows)


def _climb_down(fit: MmrmFit, group: _Group, model: _Model, ladder: tuple[str, ...]) -> None:
    """Fit every replicate of a group at the first rung of the ladder that holds it."""
    waiting = np.arange(len(group.rows))
    for rung, name in enumerate(ladder):
        free = name == "unstructured" or model.contrast.shape[0] == 1
        if not len(waiting):
            break
        if group.unbounded and free:
            continue
        stats, closed = _part(group.statistics, waiting), group.closed
        if closed is not None and stats is not group.statistics:
            closed = fit_monotone(stats)
        if closed is not None and free and model.all_crossed and model.reml:
            fitted = _closed_form(closed, stats, model)
        else:
            fitted = _iterate(stats, closed, name, model)
        done = fitted.rung >= 0
        rows = group.rows[waiting[done]]
        for whole, part in zip(fit, fitted, strict=True):
            whole[rows] = part[done]
        fit.rung[rows] = rung
        waiting = waiting[~done]


def _identifiable(statistics: PatternStatistics, rows: Index, n_constant: int) -> Index:
    """Return the rows with anything to estimate: at each visit full-rank covariates, and scores they do not explain."""
    if not len(rows):
        return rows
    statistics = statistics.take(rows)
    crossed = statistics.xx.shape[-1] - n_constant
    sound = np.ones(len(statistics.counts), dtype=bool)
    for v in range(statistics.observed.shape[1]):
        there = statistics.observed[:, v]
        z = np.empty((len(sound), crossed + 1, crossed + 1))
        z[:, :crossed, :crossed] = statistics.xx[:, there, :crossed, :crossed].sum(axis=1)
        z[:, crossed, :crossed] = z[:, :crossed, crossed] = statistics.xy[..., v][:, there, :crossed].sum(axis=1)
        z[:, crossed, crossed] = statistics.yy[:, there, v, v].sum(axis=1)
        sound &= cholesky(z)[1]
    return rows[sound]


def _closed_form(closed: MonotoneFit, stats: PatternStatistics, model: _Model) -> MmrmFit:
    estimate, variance, df = monotone_contrast(closed, model.contrast)
    if model.df in (KENWARD_ROGER, KENWARD_ROGER_MMRM):
        estimate, variance, df = _adjusted(stats, closed.covariance, "unstructured", model)
    elif model.df != SATTERTHWAITE:
        df = model.counted_df(stats)
    sound = closed.estimable & (variance > 0) & np.isfinite(df)
    rung = np.where(sound, 0, FAILED)
    with np.errstate(divide="ignore", invalid="ignore"):
        return MmrmFit(estimate, np.sqrt(variance), df, rung, monotone_neg2_reml(closed), closed.covariance)


def _iterate(
    stats: PatternStatistics,
    closed: MonotoneFit | None,
    name: str,
    model: _Model,
) -> MmrmFit:
    n_constant, design = model.n_constant, model.design
    shape = structure(name, len(model.contrast))
    if closed is None:
        start = starting_covariance(stats)
    elif n_constant == 0:
        start = closed.covariance
    else:
        start = alternate_constant(stats, closed, n_constant, _SWEEPS)
    fitted: RemlFit = fit_reml(stats, shape, start, design, reml=model.reml)
    weights = model.contrast.reshape(-1) @ design.flat
    estimate, variance, df = reml_contrast(fitted, stats, shape, design, weights)
    if model.df in (KENWARD_ROGER, KENWARD_ROGER_MMRM):
        estimate, variance, df = _adjusted(stats, fitted.covariance, name, model)
    elif model.df != SATTERTHWAITE:
        df = model.counted_df(stats)
    sound = fitted.converged & (variance > 0) & np.isfinite(df) & (df > 0)
    rung = np.where(sound, 0, FAILED)
    with np.errstate(invalid="ignore"):
        return MmrmFit(estimate, np.sqrt(variance), df, rung, fitted.neg2_loglik, fitted.covariance[:, 0])


def _adjusted(stats: PatternStatistics, covariance: Array, name: str, model: _Model) -> Contrast:
    """Return the contrast with Kenward and Roger's variance, at the optimum."""
    shape = parameters_of(name, covariance.shape[-1], model.df)
    likelihood = Likelihood(stats.observed, shape, model.design, reml=model.reml)
    fitted = fit_at(likelihood, stats, covariance)
    weights = model.contrast.reshape(-1) @ model.design.flat
    return Inference(likelihood, fitted, stats, model.df).contrast(weights)


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
