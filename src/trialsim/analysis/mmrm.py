"""Mixed models for repeated measures, with the baseline as a covariate (MMRM) or as a response (cLDA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import NO_COVARIANCE_CONVERGED, Estimates, Observed, wald_estimates
from trialsim.analysis.design_matrix import linear_model
from trialsim.analysis.endpoints import visit_scores
from trialsim.kernels.mmrm import LADDER, Design, MmrmFit, PatternStatistics, fit_mmrm, pattern_statistics
from trialsim.kernels.mmrm.by_group import fit_mmrm_by_group
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]


def ladder(analysis: Analysis) -> tuple[str, ...]:
    """Return the covariances to try in turn: the one asked for, then what is simpler than it."""
    if analysis.fallback == "none":
        return (analysis.covariance,)
    if analysis.fallback != "default":
        return tuple(dict.fromkeys((analysis.covariance, *analysis.fallback)))
    start = LADDER.index(analysis.covariance) + 1 if analysis.covariance in LADDER else len(LADDER) - 1
    return tuple(dict.fromkeys((analysis.covariance, *LADDER[start:])))


def analyse_mmrm(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the contrast of two arms at one visit for trials of the first n participants, for each n.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    sizes : tuple of int
        Increasing.

    Notes
    -----
    Arm, baseline and stratum are crossed with visit. Participants without a score after baseline say
    nothing about the model and are not in it. With `covariance_by`, arms or strata have covariances of their own,
    and the simpler ones that are tried in turn are by arm or stratum too.
    """
    y = visit_scores(observed, estimand)
    x, weights = linear_model(observed, estimand, analysis)
    contrast = np.zeros((y.shape[2], x.shape[2]))
    contrast[estimand.visit] = weights
    return _fit_sizes(observed, y, x, contrast, estimand, analysis, sizes, None)


def analyse_clda(observed: Observed, estimand: Estimand, analysis: Analysis, sizes: tuple[int, ...]) -> list[Estimates]:
    """Return the contrast of two arms at one visit from a constrained longitudinal data analysis.

    The baseline is a response like the later scores, with one mean for all arms, as randomisation has it (Liang &
    Zeger 2000, Sankhya B 62:134). A participant with a baseline alone stays in the analysis. Parameters as of
    `analyse_mmrm`; stratum is crossed with visit.
    """
    baseline = observed.baseline[:, :, None, estimand.outcome]
    if observed.included is not None:
        baseline = np.where(observed.included[:, :, None], baseline, np.nan)
    y = np.concatenate([baseline, visit_scores(observed, estimand)], axis=2)
    x, weights = linear_model(observed, estimand, analysis)
    n_visits, q = y.shape[2], x.shape[2]
    contrast = np.zeros((n_visits, q))
    contrast[estimand.visit + 1] = weights
    of_arms = list(range(1, observed.n_arms))
    if estimand.interaction is not None:
        of_arms += range(q - (observed.n_arms - 1) * (observed.n_strata - 1), q)
    everything = np.eye(n_visits * q).reshape(n_visits, q, n_visits * q)
    design = Design(np.delete(everything, of_arms, axis=2))
    return _fit_sizes(observed, y, x, contrast, estimand, analysis, sizes, design)


def _fit_sizes(
    observed: Observed,
    y: Array,
    x: Array,
    contrast: Array,
    estimand: Estimand,
    analysis: Analysis,
    sizes: tuple[int, ...],
    design: Design | None,
) -> list[Estimates]:
    names = ladder(analysis)
    # A shift of all scores changes no contrast, and small sums of squares keep more digits.
    if not np.isnan(y).all():
        y = y - np.nanmean(y)
    results = []
    for parts in zip(*_statistics(observed, y, x, analysis, sizes), strict=True):
        fit = _fit(parts, contrast, names, analysis, design)
        results.append(
            wald_estimates(
                fit.estimate,
                fit.se,
                fit.df,
                estimand,
                analysis,
                rung=np.where(fit.rung < 0, len(names), fit.rung),
                rungs=(*names, NO_COVARIANCE_CONVERGED),
                n_rungs=len(names),
                n_analysed=np.sum([part.participants for part in parts], axis=0),
            )
        )
    return results


def _statistics(
    observed: Observed, y: Array, x: Array, analysis: Analysis, sizes: tuple[int, ...]
) -> list[list[PatternStatistics]]:
    """Return the statistics of each group with a covariance of its own (one for all, or by arm or stratum), by size."""
    if analysis.covariance_by == "none":
        return [pattern_statistics(y, x, sizes=sizes)]
    member, n_groups = (
        (observed.arm, observed.n_arms) if analysis.covariance_by == "arm" else (observed.stratum, observed.n_strata)
    )
    return [pattern_statistics(y, x, included=member == g, sizes=sizes) for g in range(n_groups)]


def _fit(
    parts: tuple[PatternStatistics, ...],
    contrast: Array,
    names: tuple[str, ...],
    analysis: Analysis,
    design: Design | None,
) -> MmrmFit:
    if len(parts) == 1:
        return fit_mmrm(parts[0], contrast, ladder=names, df=analysis.df, design=design)
    return fit_mmrm_by_group(parts, contrast, ladder=names, df=analysis.df, design=design)
