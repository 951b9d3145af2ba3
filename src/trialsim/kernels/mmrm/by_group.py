"""The mixed model for repeated measures with a covariance for each group of participants, such as the arms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.mmrm.design import Design, design_map
from trialsim.kernels.mmrm.fit import FAILED, MmrmFit, starting_covariance
from trialsim.kernels.mmrm.inference import (
    BETWEEN_WITHIN,
    KENWARD_ROGER,
    KENWARD_ROGER_MMRM,
    SATTERTHWAITE,
    Inference,
    fit_at,
    parameters_of,
)
from trialsim.kernels.mmrm.likelihood import Likelihood
from trialsim.kernels.mmrm.reml import maximise
from trialsim.kernels.mmrm.statistics import PatternStatistics
from trialsim.kernels.mmrm.structures import structure

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


def fit_mmrm_by_group(
    parts: Sequence[PatternStatistics],
    contrast: Array,
    *,
    ladder: tuple[str, ...],
    df: str = SATTERTHWAITE,
    design: Design | None = None,
) -> MmrmFit:
    """Return one contrast of every trial of a block, each at the first rung of the ladder that converges.

    Parameters
    ----------
    parts : sequence of PatternStatistics
        G groups with the same covariates; every group has a covariance of its own, of the same structure.
    contrast : ndarray, shape (V, q)
    ladder : tuple of str
        Covariance structures in the order of trial.
    df : str
        One of `inference.DF_METHODS`.
    design : Design, optional
        Which coefficient stands for which covariate; by default each covariate is crossed with visit.

    Returns
    -------
    MmrmFit
        Its `covariance` has shape (R, G, V, V).
    """
    n_visits, q = contrast.shape
    design = design_map(n_visits, q, 0) if design is None else design
    # A group that nobody is in has no patterns, and an empty array no type.
    parts = [part._replace(observed=part.observed.astype(bool)) for part in parts]
    group = np.concatenate([np.full(len(part.observed), g, dtype=np.intp) for g, part in enumerate(parts)])
    stats = join(parts)
    n_replicates = len(stats.counts)
    nan = np.full(n_replicates, np.nan)
    covariance = np.full((n_replicates, len(parts), n_visits, n_visits), np.nan)
    fit = MmrmFit(nan, nan.copy(), nan.copy(), np.full(n_replicates, FAILED), nan.copy(), covariance)
    waiting = np.flatnonzero(_identifiable(stats, design) & _enough(parts, free=False))
    enough = _enough(parts, free=True)
    for rung, name in enumerate(ladder):
        # A free covariance of a group that is too small has a likelihood without a maximum.
        rows = waiting[enough[waiting]] if name == "unstructured" else waiting
        if not len(rows):
            continue
        done, found = _fit(stats.take(rows), group, len(parts), contrast, name, df, design)
        for whole, piece in zip(fit, found, strict=True):
            whole[rows[done]] = piece
        fit.rung[rows[done]] = rung
        waiting = np.setdiff1d(waiting, rows[done])
    return fit


def join(parts: Sequence[PatternStatistics]) -> PatternStatistics:
    """Return the statistics of all groups, the patterns of each kept apart."""
    return PatternStatistics(
        np.concatenate([part.observed for part in parts]),
        *(np.concatenate(pieces, axis=1) for pieces in zip(*(part[1:] for part in parts), strict=True)),
    )


def _fit(
    stats: PatternStatistics, group: Index, n_groups: int, contrast: Array, name: str, df: str, design: Design
) -> tuple[Flags, MmrmFit]:
    """Return which trials can be fitted with one structure, and their fits."""
    n_visits = len(contrast)
    kept = np.flatnonzero(stats.counts.any(axis=0))
    stats = PatternStatistics(stats.observed[kept], *(piece[:, kept] for piece in stats[1:]))
    shape = structure(name, n_visits)
    plain = Likelihood(stats.observed, shape, design, group=group[kept], n_groups=n_groups)
    fitted = maximise(plain, stats, starting_covariance(stats))
    done = fitted.converged.copy()
    if not done.any():
        nothing = np.empty(0)
        return done, MmrmFit(
            nothing, nothing, nothing, np.empty(0, dtype=np.int64), nothing, np.empty((0, n_groups, n_visits, n_visits))
        )
    stats, covariance = stats.take(done), fitted.covariance[done]
    method = df if df in (KENWARD_ROGER, KENWARD_ROGER_MMRM) else SATTERTHWAITE
    shape = parameters_of(name, n_visits, method)
    likelihood = Likelihood(stats.observed, shape, design, group=group[kept], n_groups=n_groups)
    inference = Inference(likelihood, fit_at(likelihood, stats, covariance), stats, method)
    one = inference.contrast(contrast.reshape(-1) @ design.flat)
    degrees = one.df if df == method else _counted(stats, df, design)
    sound = (one.variance > 0) & np.isfinite(degrees) & (degrees > 0)
    done[done] = sound
    rung = np.zeros(int(sound.sum()), dtype=np.int64)
    se = np.sqrt(one.variance[sound])
    return done, MmrmFit(one.estimate[sound], se, degrees[sound], rung, fitted.neg2_loglik[done], covariance[sound])


def _counted(stats: PatternStatistics, df: str, design: Design) -> Array:
    """Return degrees of freedom that need no more than counting."""
    if df == BETWEEN_WITHIN:
        return np.asarray(stats.participants - stats.xx.shape[-1])
    scores = (stats.counts * stats.observed.sum(axis=1)).sum(axis=1)
    return np.asarray(scores - design.matrix.shape[2])


def _identifiable(stats: PatternStatistics, design: Design) -> Flags:
    """Whether the coefficients can be told apart, and at each visit there are scores that covariates do not explain."""
    seen = stats.observed.astype(float)
    v, q = stats.observed.shape[1], stats.xx.shape[-1]
    blocks = np.zeros((len(stats.counts), v, q, v, q))
    sound = np.ones(len(stats.counts), dtype=bool)
    for visit in range(v):
        xx = np.einsum("p,rpij->rij", seen[:, visit], stats.xx)
        blocks[:, visit, :, visit] = xx
        xy = stats.xy[..., visit].sum(axis=1)
        yy = stats.yy[..., visit, visit].sum(axis=1)
        _, regular = cholesky(xx)
        safe = np.where(regular[:, None, None], xx, np.eye(q))
        explained = np.einsum("ri,ri->r", xy, np.linalg.solve(safe, xy[..., None])[..., 0])
        sound &= ~regular | (yy - explained > 1e-12 * yy)
    return sound & cholesky(design.reduce(blocks))[1]


def _enough(parts: Sequence[PatternStatistics], *, free: bool) -> Flags:
    """Whether every group can tell of its own covariance: at each visit two participants, or of a free one, more.

    A single participant with a mean of its own leaves no residual; a visit's regression on the v before it and a mean
    needs more than v + 1.
    """
    sound = np.ones(len(parts[0].counts), dtype=bool)
    for part in parts:
        for v in range(part.observed.shape[1]):
            sound &= part.counts[:, part.observed[:, v]].sum(axis=1) > (v + 1 if free else 1)
    return sound
