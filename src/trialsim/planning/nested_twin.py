"""The closed form of a model with a random effect of groups: partially nested designs and groups across arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from trialsim.planning.known_scores import cell_shares, seen_at
from trialsim.planning.twin_power import Contrast, Question
from trialsim.scenario.resolved import Cluster

Array = NDArray[np.float64]


def nested_contrast(asked: Question, effect: float, variance: float) -> Contrast | None:
    """Return the contrast of arms of whom some are treated in groups; None where groups are not of this kind.

    Parameters
    ----------
    asked : Question
    effect : float
        True difference, points.
    variance : float
        Of a score at the visit given the covariates, what groups share included, points squared.

    Notes
    -----
    With a group variance τ² and σ² within groups, a group of whom m are seen tells m/(σ² + m τ²) of its arm's mean; m
    is binomial, and the last group of an arm is smaller (Roberts & Roberts 2005). Degrees of freedom are those of
    Satterthwaite, from groups less their arms and from patients outside groups. Groups that patients of all arms join
    have their differences taken out, which leaves σ². Covariates are out of balance by chance, and cost as in ANCOVA.
    """
    variant, estimand, analysis = asked.variant, asked.estimand, asked.analysis
    cluster = next(one for one in variant.clusters if one.name == analysis.group)
    k, visit = estimand.outcome, estimand.visit
    between = float(cluster.icc[k]) * float(variant.strata_share @ variant.sd[:, visit, k] ** 2)
    within = variance - between
    weights = np.asarray(estimand.weights(len(variant.arms)))
    shares = cell_shares(variant)
    seen = (shares * seen_at(variant, visit)).sum(axis=1) / shares.sum(axis=1)
    size = asked.n * shares.sum(axis=1)
    total = float((size * seen).sum())
    grouped = np.isin(np.arange(len(weights)), cluster.arms)
    if within <= 0.0 or not _is_this_kind(cluster, weights, grouped):
        return None
    own = size * seen / within
    covariates = len(analysis.covariates)
    df_within = total - len(weights) - covariates
    if cluster.number:
        squared = float((weights**2 / own)[weights != 0.0].sum())
        df = df_within - cluster.number + 1.0
    else:
        own = np.where(
            grouped, [_told(n, s, cluster.size, within, between) for n, s in zip(size, seen, strict=True)], own
        )
        parts = weights**2 / own
        nested, alone = float(parts[grouped].sum()), float(parts[~grouped].sum())
        groups = float(np.ceil(size[grouped] / cluster.size).sum()) - float(grouped.sum())
        others = float((size * seen)[~grouped].sum()) - float((~grouped).sum())
        squared = nested + alone
        if groups < 1.0 or (alone > 0.0 and others < 1.0):
            return None
        df = squared**2 / (nested**2 / groups + (alone**2 / others if alone > 0.0 else 0.0))
    if df < 1.0 or df_within < 3.0:
        return None
    by_chance = covariates - int(variant.allocation.stratified and "stratum" in analysis.covariates)
    return Contrast(effect, float(np.sqrt(squared * (1.0 + by_chance / (df_within - 1.0)))), df)


def _is_this_kind(cluster: Cluster, weights: Array, grouped: NDArray[np.bool_]) -> bool:
    """Return whether groups lie within arms that are compared, or across all of these."""
    used = weights != 0.0
    return bool(grouped[used].all()) if cluster.number else bool((grouped & used).any())


def _told(n: float, seen: float, size: int, within: float, between: float) -> float:
    """Return what the groups of an arm tell of its mean: the inverse of its variance."""
    full, last = divmod(n, size)
    return full * _of_group(size, seen, within, between) + _of_group(round(last), seen, within, between)


def _of_group(size: int, seen: float, within: float, between: float) -> float:
    """Return the mean of m / (σ² + m τ²) over the number m of a group's members that are seen."""
    m = np.arange(size + 1.0)
    if seen >= 1.0:
        chance = (m == size).astype(np.float64)
    else:
        log = gammaln(size + 1.0) - gammaln(m + 1.0) - gammaln(size - m + 1.0)
        chance = np.exp(log + m * np.log(seen) + (size - m) * np.log1p(-seen))
    return float(chance @ (m / (within + m * between)))
