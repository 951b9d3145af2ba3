"""ANCOVA at one visit after multiple imputation of those who left, pooled by Rubin's rules.

The analyst has no random streams, so the draws come from the trial itself: the generator is seeded by a hash of who is
in which arm and stratum and which scores are missing. A trial then has one answer, wherever and beside whatever other
trials it is analysed. Were the same normals used in every trial, their chance mean would be a bias that no number of
replicates takes away; the scores' own digits are left out of the hash, so that neither a rounding nor a delta changes
the draws.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates, Observed, wald_estimates
from trialsim.analysis.reference_based import REASONS_OF_IMPUTATION, Imputation, plan_imputation
from trialsim.kernels.imputation import Model, Normals, draw_normals, multiple_imputation
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]

_NUMBERS_AT_ONCE = 2_000_000
"""Normals held at a time."""


def analyse_multiple_imputation(
    observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]
) -> list[Estimates]:
    """Return the contrast of two arms at one visit, for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
        Its control arm is the reference of the strategy.
    analysis : Analysis
        `strategy`, `delta` (points added to the imputed scores of the other arms), `imputations`.
    sizes : tuple of int

    Notes
    -----
    Imputations come from an approximate posterior of a model with an unstructured covariance and covariates crossed
    with visit (Carpenter, Roger & Kenward 2013); degrees of freedom are those of Barnard & Rubin (1999).
    """
    plan = plan_imputation(observed, estimand, analysis)
    results = []
    for n in sizes:
        estimate, se, df, reason, n_analysed = _pooled(plan, observed, analysis, n)
        # Without spread of the scores there is nothing to test against.
        rung = np.where((reason == 0) & ~(se > 0), 1, reason)
        results.append(
            wald_estimates(
                estimate,
                se,
                df,
                estimand,
                analysis,
                rung=rung,
                rungs=(analysis.strategy, *REASONS_OF_IMPUTATION[:3]),
                n_rungs=1,
                n_analysed=n_analysed,
            )
        )
    return results


def _pooled(
    plan: Imputation, observed: Observed, analysis: Analysis, n: int
) -> tuple[Array, Array, Array, NDArray[np.intp], NDArray[np.intp]]:
    """Return estimate, standard error, df, reason and participants of the first n of each trial, a few at a time."""
    n_replicates, _, n_visits = plan.y.shape
    parts = []
    at_once = max(1, _NUMBERS_AT_ONCE // (analysis.imputations * n * n_visits))
    for first in range(0, n_replicates, at_once):
        rows = (slice(first, first + at_once), slice(n))
        y, arm, x = plan.y[rows], observed.arm[rows], plan.x[rows].copy()
        if "baseline" in analysis.covariates:
            # The drawn coefficients depend on the origin of the baseline, which must be the trial's own.
            x[:, :, observed.n_arms] -= x[:, :, observed.n_arms].mean(axis=1, keepdims=True)
        found = multiple_imputation(
            y,
            x,
            arm,
            plan.left[rows],
            [plan.target],
            plan.model,
            _normals(y, arm, observed.stratum[rows], x.shape[2], plan.model, analysis.imputations),
            included=None if observed.included is None else observed.included[rows],
            delta=plan.delta[rows],
        )
        pooled = found.pooled
        parts.append((pooled.estimate[:, 0], pooled.se[:, 0], pooled.df[:, 0], found.reason, found.n_analysed))
    estimate, se, df, reason, n_analysed = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return estimate, se, df, reason, n_analysed


def _normals(
    y: Array, arm: NDArray[np.intp], stratum: NDArray[np.intp], n_covariates: int, model: Model, n_draws: int
) -> Normals:
    """Return the normals behind the draws, each trial's from a generator of its own."""
    n_visits = y.shape[2]
    codes = np.concatenate([arm[..., None], stratum[..., None], np.isnan(y)], axis=2).astype(np.uint8)
    drawn = []
    for content in codes:
        digest = hashlib.blake2b(content.tobytes(), digest_size=16, person=b"imputation").digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
        drawn.append(draw_normals(generator, (1, len(content), n_visits), n_covariates, model, 1, n_draws))
    return Normals(*(np.concatenate(pieces) for pieces in zip(*drawn, strict=True)))
