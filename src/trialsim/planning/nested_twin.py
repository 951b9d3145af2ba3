"""The closed form of a model with a random effect of groups: partially nested designs and groups across arms."""

from __future__ import annotations

import math
from typing import NamedTuple

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
    weights = np.asarray(estimand.weights(len(variant.arms)))
    shares = cell_shares(variant)
    arms = _Arms(
        weights,
        np.isin(np.arange(len(weights)), cluster.arms),
        asked.n * shares.sum(axis=1),
        (shares * seen_at(variant, visit)).sum(axis=1) / shares.sum(axis=1),
    )
    covariates = len(analysis.covariates)
    df_within = float(arms.analysed.sum()) - len(weights) - covariates
    if between >= variance or df_within < 3.0 or not _is_this_kind(cluster, arms):
        return None
    if cluster.number:
        squared = float((weights**2 * (variance - between) / arms.analysed)[weights != 0.0].sum())
        df = df_within - cluster.number + 1.0
    else:
        squared, df = _within_arms(arms, cluster.size, variance, between)
    if not df >= 1.0:
        return None
    by_chance = covariates - int(variant.allocation.stratified and "stratum" in analysis.covariates)
    return Contrast(effect, float(np.sqrt(squared * (1.0 + by_chance / (df_within - 1.0)))), df)


class _Arms(NamedTuple):
    """Weight in the contrast, whether treated in groups, patients, and share of them who are seen, by arm."""

    weights: Array
    grouped: NDArray[np.bool_]
    size: Array
    seen: Array

    @property
    def analysed(self) -> Array:
        """Patients who are seen."""
        return np.asarray(self.size * self.seen)


def _within_arms(arms: _Arms, group_size: int, variance: float, between: float) -> tuple[float, float]:
    """Return the variance of the contrast and its degrees of freedom; NaN for these where there are too few groups."""
    told = [
        _told(n, seen, group_size, variance - between, between) for n, seen in zip(arms.size, arms.seen, strict=True)
    ]
    parts = arms.weights**2 / np.where(arms.grouped, told, arms.analysed / variance)
    nested, alone = float(parts[arms.grouped].sum()), float(parts[~arms.grouped].sum())
    groups = float(np.ceil(arms.size[arms.grouped] / group_size).sum()) - float(arms.grouped.sum())
    others = float(arms.analysed[~arms.grouped].sum()) - float((~arms.grouped).sum())
    if groups < 1.0 or (alone > 0.0 and others < 1.0):
        return nested + alone, math.nan
    return nested + alone, (nested + alone) ** 2 / (nested**2 / groups + (alone**2 / others if alone > 0.0 else 0.0))


def _is_this_kind(cluster: Cluster, arms: _Arms) -> bool:
    """Return whether groups lie within arms that are compared, or across all of these."""
    used = arms.weights != 0.0
    return bool(arms.grouped[used].all()) if cluster.number else bool((arms.grouped & used).any())


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
