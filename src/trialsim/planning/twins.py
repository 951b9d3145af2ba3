"""The closed form that belongs to a simulated hypothesis, where there is one: a check on both.

A twin takes the scenario's own means, spread, correlations, losses, risks or events, and gives the power that the
simulation estimates, by the formulas of `planning.formulas` carried over to any number of arms, strata and covariates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.analysis.contract import Observed
from trialsim.analysis.endpoints import Times, analysis_set, response_at_visit, time_to_event
from trialsim.designs.allocation import allocate
from trialsim.engine.block import blinded, patient_source
from trialsim.engine.truth import TRUTH_SEED
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.kernels.survival import log_rank
from trialsim.patients.cohort import PatientSource
from trialsim.planning.formulas.longitudinal import variance_inflation
from trialsim.planning.formulas.proportions import farrington_manning
from trialsim.planning.formulas.ranks import mann_whitney
from trialsim.planning.known_scores import (
    cell_shares,
    effective_sizes,
    residual_covariance,
    seen_at,
    spread_of_arms,
    staying,
)
from trialsim.planning.nested_twin import nested_contrast
from trialsim.planning.twin_power import Contrast, Question, power_of
from trialsim.planning.twin_words import leaves_out
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.resolved import Analysis, Estimand, Variant
from trialsim.streams import Streams

Array = NDArray[np.float64]

EXACT, ASYMPTOTIC, CAUTIOUS = 0.005, 0.02, 0.05
"""By how much power may differ where a formula is exact but for a random number analysed; where it is not; and where an
analysis estimates a variance between groups that cannot fall below 0, so that with few groups it finds less."""

COUNTED = ("risk_difference", "log_rank", "cox")
"""Methods whose closed form needs risks or events, and the true value."""

PATIENTS_PER_TRIAL = 160
"""Of the trials that risks and events are counted in; with 250 of them, 40,000 patients."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A closed form beside a simulated power.

    Attributes
    ----------
    power : float
        Probability of the finding that the simulation counts as power.
    formula : str
        In words.
    allowance : float
        By how much the formula itself may be off.
    leaves_out : tuple of str
        What it takes no account of in this scenario, a sentence each.
    """

    power: float
    formula: str
    allowance: float
    leaves_out: tuple[str, ...]


def twin(
    variant: Variant,
    estimand: Estimand,
    analysis: Analysis,
    n: int,
    *,
    truth: float | None = None,
    seen: Observed | None = None,
) -> Twin | None:
    """Return the closed form of one hypothesis at one sample size; None where none applies or nothing is to be found.

    Parameters
    ----------
    variant : Variant
    estimand : Estimand
        Of the variant.
    analysis : Analysis
        Of the estimand.
    n : int
        Participants randomised.
    truth : float, optional
        The true value in the unit of the analysis's measure. Times have no twin without it, nor have scores whose means
        the model does not give; that of a difference of risks is taken from `seen` otherwise, with its Monte Carlo
        error.
    seen : Observed, optional
        Trials that risks and events are counted in, as `counted_trials` gives them; drawn where they are needed.
    """
    find = _FORMULAS.get(analysis.method)
    if find is None or estimand.analysis_set != "itt":
        return None
    if estimand.expectancy == "excluded" and variant.unblinding is not None:
        return None  # the trial finds expectancy too, so that its power is not that of the drug alone
    found = find(Question(variant, estimand, analysis, n, truth, seen))
    if found is None:
        return None
    power, formula, allowance = found
    return Twin(power, formula, allowance, leaves_out(variant, estimand, analysis))


def counted_trials(variant: Variant, key: str = "") -> Observed:
    """Return trials of a variant, as the analyst sees them, that no run holds: 40,000 patients to count events in.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario, by which the patient model of a run is found again.
    """
    source = patient_source(variant, key) if key else PatientSource(variant)
    streams = Streams(TRUTH_SEED, 0)
    stratum = source.enrol(streams, PATIENTS_PER_TRIAL)
    arm = allocate(variant.allocation, stratum, variant.strata, streams)
    return blinded(variant, source.follow(streams, stratum, arm, only_needed=True))


Found = tuple[float, str, float] | None
"""Power, the formula in words, and its allowance."""

# Means --------------------------------------------------------------------------------------------------------


def _two_means(asked: Question) -> Found:
    """Student's and Welch's t tests, of all strata together or within each of two."""
    variant, estimand = asked.variant, asked.estimand
    effect = _known_effect(asked)
    if effect is None or estimand.arm_weights:
        return None
    arms = [estimand.active, estimand.control]
    by_stratum = estimand.interaction is not None
    sizes = effective_sizes(variant, asked.n, estimand.visit, by_stratum=by_stratum)[arms]
    if estimand.interaction is None:
        variances = spread_of_arms(variant, estimand.outcome, estimand.visit)[arms]
        parts = [_t_test(variances, sizes.sum(axis=1), pooled=asked.analysis.method == "t_test")]
    else:
        sd = variant.sd[:, estimand.visit, estimand.outcome]
        parts = [
            _t_test(np.repeat(sd[s] ** 2, 2), sizes[:, s], pooled=asked.analysis.method == "t_test")
            for s in estimand.interaction
        ]
    if min(df for _, df in parts) < 1.0:
        return None
    variance = sum(v for v, _ in parts)
    df = variance**2 / sum(v**2 / df for v, df in parts)
    name = "two-sample t test" if asked.analysis.method == "t_test" else "Welch's t test, Satterthwaite's df"
    power = power_of(asked, Contrast(effect, math.sqrt(variance), df))
    return None if power is None else (power, f"{name}, noncentral t", EXACT)


def _t_test(variances: Array, sizes: Array, *, pooled: bool) -> tuple[float, float]:
    """Return the squared standard error of a difference and its degrees of freedom."""
    if pooled:
        df = float(sizes.sum()) - 2.0
        common = float((sizes - 1.0) @ variances) / df
        return common * float((1.0 / sizes).sum()), df
    of_means = variances / sizes
    total = float(of_means.sum())
    return total, total**2 / float((of_means**2 / (sizes - 1.0)).sum())


def _ancova(asked: Question) -> Found:
    """Analysis of covariance at the visit, of those seen there."""
    effect = _known_effect(asked)
    if effect is None:
        return None
    variant, visit = asked.variant, asked.estimand.visit
    variance = _residual(asked)[visit, visit]
    sizes = effective_sizes(variant, asked.n, visit, by_stratum=asked.estimand.interaction is not None)
    contrast = _adjusted(asked, effect, np.full(sizes.shape, variance), sizes)
    power = None if contrast is None else power_of(asked, contrast)
    return None if power is None else (power, "ANCOVA, noncentral t over chance imbalance", EXACT)


def _mixed_model(asked: Question) -> Found:
    """Mixed model for repeated measures with monotone dropout: Lu, Luo & Chen's variance of each mean."""
    effect = _known_effect(asked)
    if effect is None or asked.analysis.covariance != "unstructured":
        return None
    variant, visit = asked.variant, asked.estimand.visit
    covariance = _residual(asked)
    there = staying(variant)[..., : visit + 1]
    shares = cell_shares(variant)
    if asked.estimand.interaction is None:
        # Strata of an arm have one mean and leave together.
        there = np.broadcast_to(np.einsum("asv,s->av", there, variant.strata_share)[:, None], there.shape)
    inflation = np.array([[variance_inflation(covariance, cell) for cell in arm] for arm in there])
    contrast = _adjusted(asked, effect, covariance[-1, -1] * inflation, asked.n * shares)
    power = None if contrast is None else power_of(asked, contrast)
    return None if power is None else (power, "MMRM with dropout, Lu, Luo & Chen, t", ASYMPTOTIC)


def _nested(asked: Question) -> Found:
    """Model with a random effect of groups at the visit."""
    effect = _known_effect(asked)
    if effect is None or asked.estimand.interaction is not None:
        return None
    visit = asked.estimand.visit
    contrast = nested_contrast(asked, effect, float(_residual(asked)[visit, visit]))
    power = None if contrast is None else power_of(asked, contrast)
    return None if power is None else (power, "groups as a random effect, Satterthwaite t", CAUTIOUS)


def _residual(asked: Question) -> Array:
    """Return the covariance over visits given the covariates of the analysis; cLDA has the baseline in it always."""
    estimand, analysis = asked.estimand, asked.analysis
    return residual_covariance(
        asked.variant,
        estimand.outcome,
        baseline="baseline" in analysis.covariates or analysis.method == "clda",
        strata="stratum" in analysis.covariates,
        products=estimand.interaction is not None,
        last=estimand.visit,
    )


def _adjusted(asked: Question, effect: float, variances: Array, sizes: Array) -> Contrast | None:
    """Return the contrast of adjusted means from the variance of a score and the size of each arm and stratum, (A, S).

    Notes
    -----
    Σ w² σ²/n over the arms, or over the cells of an interaction. Baseline, and strata that are not allocated within,
    are out of balance by chance.
    """
    estimand, analysis, variant = asked.estimand, asked.analysis, asked.variant
    n_arms, n_strata = sizes.shape
    weights = np.asarray(estimand.weights(n_arms))
    used = weights != 0.0
    baseline = int("baseline" in analysis.covariates or analysis.method == "clda")
    if estimand.interaction is None:
        of_arms = (sizes * variances).sum(axis=1) / sizes.sum(axis=1)
        squared = float((weights**2 / sizes.sum(axis=1) * of_arms)[used].sum())
        strata = (n_strata - 1) * int("stratum" in analysis.covariates)
        means = n_arms + strata
        by_chance = baseline + (0 if variant.allocation.stratified else strata)
    else:
        pair = list(estimand.interaction)
        squared = float((weights[:, None] ** 2 * variances / sizes)[used][:, pair].sum())
        means, by_chance = n_arms * n_strata, baseline
    df = float(sizes.sum()) - means - baseline
    return None if df < 1.0 else Contrast(effect, math.sqrt(squared), df, by_chance)


def _ranks(asked: Question) -> Found:
    """Wilcoxon's test by Noether's formula, the probability that a score is better from normal scores."""
    variant, estimand = asked.variant, asked.estimand
    effect = _known_effect(asked)
    if effect is None or estimand.arm_weights or estimand.interaction is not None:
        return None
    arms = [estimand.active, estimand.control]
    variances = spread_of_arms(variant, estimand.outcome, estimand.visit)[arms]
    benefit = benefit_sign(estimand.endpoint, asked.analysis.measure) * effect
    if benefit <= NULL_TOLERANCE:
        return None
    sizes = effective_sizes(variant, asked.n, estimand.visit, by_stratum=False)[arms].sum(axis=1)
    found = mann_whitney(
        superiority=float(ndtr(benefit / math.sqrt(variances.sum()))),
        n_total=float(sizes.sum()),
        ratio=(float(sizes[1]), float(sizes[0])),
        alpha=asked.analysis.alpha,
    )
    return found.power, found.method, ASYMPTOTIC


def _known_effect(asked: Question) -> float | None:
    """Return the true difference of means: as the model gives it, or else as it was found; None if nobody is seen."""
    estimand = asked.estimand
    if estimand.endpoint.kind != "score" or not seen_at(asked.variant, estimand.visit).all():
        return None
    if estimand.true_value is None and asked.analysis.measure == "difference":
        return asked.truth
    return estimand.true_value


# Risks and times ----------------------------------------------------------------------------------------------


def _risks(asked: Question) -> Found:
    """Difference of risks: score test by Farrington & Manning, otherwise the normal approximation."""
    estimand, analysis = asked.estimand, asked.analysis
    if estimand.arm_weights:
        return None
    seen = analysis_set(asked.seen or counted_trials(asked.variant), estimand)
    met = response_at_visit(seen, estimand)
    cells = None if estimand.interaction is None else list(estimand.interaction)
    strata: list[int | None] = [None] if cells is None else [*cells]
    risk = np.array([[_mean(met, seen, arm, s) for s in strata] for arm in (estimand.active, estimand.control)])
    known = ~np.isnan(met)
    share = np.array([
        [float((known & _inside(seen, arm, s)).mean()) for s in strata] for arm in (estimand.active, estimand.control)
    ])  # fmt: skip
    sizes = asked.n * share
    if np.any(sizes < 1.0) or np.any(risk <= 0.0) or np.any(risk >= 1.0):
        return None
    drawn = float(risk[0, 0] - risk[1, 0]) - (float(risk[0, 1] - risk[1, 1]) if cells else 0.0)
    effect = drawn if asked.truth is None else asked.truth
    if cells is None and analysis.interval == "miettinen_nurminen" and estimand.hypothesis.kind != "equivalence":
        return _score_test(asked, float(risk[1, 0]), effect, sizes[:, 0])
    se = math.sqrt(float((risk * (1.0 - risk) / sizes).sum()))
    power = power_of(asked, Contrast(effect, se, math.inf))
    return None if power is None else (power, "difference of risks, normal approximation", ASYMPTOTIC)


def _inside(seen: Observed, arm: int, stratum: int | None) -> NDArray[np.bool_]:
    inside = seen.arm == arm
    return np.asarray(inside if stratum is None else inside & (seen.stratum == stratum))


def _mean(met: Array, seen: Observed, arm: int, stratum: int | None) -> float:
    return float(np.nanmean(met[_inside(seen, arm, stratum)]))


def _score_test(asked: Question, control: float, effect: float, sizes: Array) -> Found:
    """Return the power of the score test against no difference or a margin; None on the wrong side of either."""
    estimand, analysis = asked.estimand, asked.analysis
    sign, margin = benefit_sign(estimand.endpoint, analysis.measure), estimand.hypothesis.margin
    if not 0.0 < control + effect < 1.0 or sign * effect + (margin or 0.0) <= NULL_TOLERANCE:
        return None
    found = farrington_manning(
        p_control=control,
        p_active=control + effect,
        null=0.0 if margin is None else -sign * margin,
        n_total=float(sizes.sum()),
        ratio=(float(sizes[1]), float(sizes[0])),
        alpha=analysis.alpha / (1.0 if margin is None else 2.0),
        sides=2 if margin is None else 1,
    )
    return found.power, found.method, ASYMPTOTIC


def _times(asked: Question) -> Found:
    """Log-rank test or Cox model, with the events that are expected to be seen.

    Notes
    -----
    The noncentrality is |log HR| √I. The log-rank test has Schoenfeld's I, D p (1 − p) with D events and p the share of
    the active arm, as the hypergeometric variance: visits tie events, and tied events tell it less. Wald's test of a
    Cox model has 1/I = 1/D₀ + 1/D₁, the same where both arms have events in the ratio of their patients.
    """
    estimand, analysis = asked.estimand, asked.analysis
    if asked.truth is None or estimand.arm_weights or estimand.interaction is not None:
        return None
    seen = analysis_set(asked.seen or counted_trials(asked.variant), estimand)
    times = time_to_event(seen, estimand)
    analysed = np.isin(seen.arm, (estimand.active, estimand.control)) & ~np.isnan(times.time)
    events = [
        asked.n * float((times.event & analysed & (seen.arm == arm)).mean())
        for arm in (estimand.active, estimand.control)
    ]
    if min(events) < 1.0:
        return None
    if analysis.method == "log_rank":
        words = "log-rank test, Schoenfeld, ties by the hypergeometric variance"
        information = asked.n * _hypergeometric(seen, times, analysed, asked) / seen.arm.size
    else:
        words, information = "Cox model, Wald test by the events of each arm", 1.0 / sum(1.0 / d for d in events)
    power = power_of(asked, Contrast(asked.truth, 1.0 / math.sqrt(information), math.inf))
    return None if power is None else (power, f"{words}, {sum(events):.1f} events expected", ASYMPTOTIC)


def _hypergeometric(seen: Observed, times: Times, analysed: NDArray[np.bool_], asked: Question) -> float:
    """Return the variance of the log-rank numerator over all counted trials taken as one."""
    found = log_rank(
        times.time.reshape(1, -1),
        times.event.reshape(1, -1),
        (seen.arm == asked.estimand.active).astype(np.intp).reshape(1, -1),
        included=analysed.reshape(1, -1),
        stratum=seen.stratum.reshape(1, -1) if asked.analysis.stratified else None,
        n_strata=seen.n_strata if asked.analysis.stratified else 1,
    )
    return float(found.variance[0, 1, 1])


_FORMULAS: MappingProxyType[str, Callable[[Question], Found]] = MappingProxyType(
    {
        "t_test": _two_means,
        "welch": _two_means,
        "ancova": _ancova,
        "mmrm": _mixed_model,
        "clda": _mixed_model,
        "nested": _nested,
        "wilcoxon": _ranks,
        "risk_difference": _risks,
        "log_rank": _times,
        "cox": _times,
    }
)
"""Closed forms by method of analysis."""
