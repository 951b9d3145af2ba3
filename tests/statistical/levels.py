"""Type I error of every test in trials of 12 per arm without a difference, complete and with 20 % dropout.

One simulation for the page docs/type_i_error.md and for the tests that assert levels. Dropout is completely at random.
Each family of tests is given the same trials; a block of trials has a seed of its own, so that more trials begin with
the same ones. A test that has no answer for a trial (a model that cannot be fitted) is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from trialsim.kernels.binary import (
    chi_square_test,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    score_test,
    standardised_risks,
)
from trialsim.kernels.counts import fit_counts
from trialsim.kernels.imputation import Model, Target, conditional_mean, draw_normals, multiple_imputation
from trialsim.kernels.logistic import fit_logistic, likelihood_ratio_test, wald_test
from trialsim.kernels.mmrm import Design, fit_mmrm, pattern_statistics
from trialsim.kernels.nested import fit_nested, group_statistics
from trialsim.kernels.ranks import rank_sum_test, van_elteren_test
from trialsim.kernels.robust import contrast, effects_by_stratum, regress
from trialsim.kernels.survival import fit_cox, log_rank, restricted_mean
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test

Array = NDArray[np.float64]
PValues = dict[str, Array]

PER_ARM = 12
ALPHA = 0.05
COMPLETE, DROPOUT = 0.0, 0.2


class Level(NamedTuple):
    """How many of the trials with an answer a test rejects."""

    rejected: int
    answered: int
    trials: int

    @property
    def rate(self) -> float:
        """Share rejected of those with an answer."""
        return self.rejected / self.answered

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error of the rate."""
        return float(np.sqrt(self.rate * (1.0 - self.rate) / self.answered))


class Family(NamedTuple):
    """Tests of the same trials: p-values of a block, what the trials are, and how many a page can afford."""

    p_values: Callable[[np.random.Generator, int, float], PValues]
    trials: int
    block: int
    words: str


def levels(name: str, dropout: float, trials: int | None = None, *, only: str | None = None) -> dict[str, Level]:
    """Return the level of every test of a family.

    Parameters
    ----------
    name : str
        One of `FAMILIES`.
    dropout : float
        Share without the last score.
    trials : int, optional
        A multiple of the family's block; as many as the page shows by default.
    only : str, optional
        The one test to run, where a family can run them one at a time (repeated scores).
    """
    family = FAMILIES[name]
    trials = family.trials if trials is None else trials
    if trials % family.block:
        raise ValueError(f"trials: whole blocks of {family.block}, not {trials}")
    counts: dict[str, list[int]] = {}
    for block in range(trials // family.block):
        rng = np.random.default_rng([12, list(FAMILIES).index(name), round(100 * dropout), block])
        options = {} if only is None else {"only": only}
        for test, p in family.p_values(rng, family.block, dropout, **options).items():
            answered = ~np.isnan(p)
            count = counts.setdefault(test, [0, 0])
            count[0] += int(np.sum(p[answered] <= ALPHA))
            count[1] += int(answered.sum())
    return {test: Level(*count, trials) for test, count in counts.items()}


def _arms(trials: int, per_arm: int = PER_ARM) -> NDArray[np.bool_]:
    return np.broadcast_to(np.arange(2 * per_arm) % 2 == 1, (trials, 2 * per_arm))


def _one_visit(rng: np.random.Generator, trials: int, dropout: float) -> tuple[Array, Array, Array]:
    """Return scores (NaN where missing), baseline, and the covariates intercept, baseline, arm."""
    active = _arms(trials)
    baseline = rng.normal(size=active.shape)
    y = 0.5 * baseline + rng.normal(size=active.shape)
    y[rng.random(y.shape) < dropout] = np.nan
    return y, baseline, np.stack([np.ones(y.shape), baseline, active], axis=2)


LAST = np.array([0.0, 0.0, 1.0])


def score_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Tests of a score at one visit: normal, correlation with baseline .45, two strata that say nothing."""
    active = _arms(trials)
    y, baseline, x = _one_visit(rng, trials, dropout)
    included = ~np.isnan(y)
    stratum = np.broadcast_to(np.arange(y.shape[1]) // 2 % 2, y.shape)
    t = pooled_t_test(y, active, ~active)
    by_stratum = effects_by_stratum(y, included, active, stratum, baseline[:, :, None], n_strata=2)
    return {
        "t": t.p,
        "**z in place of t**": 2.0 * ndtr(-np.abs(t.t)),
        "Welch": welch_t_test(y, active, ~active).p,
        "ANCOVA": contrast(regress(x, y, included), LAST).p,
        "ANCOVA, HC2": contrast(regress(x, y, included, variance="hc2"), LAST).p,
        "ANCOVA, HC3": contrast(regress(x, y, included, variance="hc3"), LAST).p,
        "Interaction of arm and stratum": by_stratum.interaction.p,
        "Wilcoxon": rank_sum_test(y, active, ~active).p,
        "Wilcoxon, exact": rank_sum_test(y, active, ~active, exact=True).p,
        "van Elteren": van_elteren_test(y, active, ~active, stratum, n_strata=2).p,
    }


def larger_t_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """The t test and its normal approximation at 20 per arm, where 2 P(T < −1.96) with 38 df is .0573."""
    active = _arms(trials, 20)
    y = rng.normal(size=active.shape)
    y[rng.random(y.shape) < dropout] = np.nan
    t = pooled_t_test(y, active, ~active)
    return {"t, 20 per arm": t.p, "**z in place of t, 20 per arm**": 2.0 * ndtr(-np.abs(t.t))}


def table_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Tests of responses counted in tables: 37 % respond; two strata of 6 per arm each."""
    active = _arms(trials)
    response = (rng.random(active.shape) < 0.37).astype(float)
    response[rng.random(response.shape) < dropout] = np.nan
    stratum = np.broadcast_to(np.arange(active.shape[1]) // 2 % 2, active.shape)
    counts = count_responses(response, active, ~active)
    by_stratum = count_responses(response, active, ~active, stratum, n_strata=2)
    return {
        "Fisher": fisher_test(counts).p,
        "Chi-square": chi_square_test(counts).p,
        "Chi-square, continuity": chi_square_test(counts, continuity=True).p,
        "Miettinen-Nurminen score": score_test(counts).p,
        "Cochran-Mantel-Haenszel, continuity": mantel_haenszel_test(by_stratum).p,
        "Cochran-Mantel-Haenszel": mantel_haenszel_test(by_stratum, continuity=False).p,
    }


def logistic_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Logistic regressions on arm and baseline: 40 % respond, more of those with a high baseline."""
    y, _, x = _one_visit(rng, trials, dropout)
    included = ~np.isnan(y)
    response = np.where(included, (y > 0.3).astype(float), np.nan)
    on, off = x.copy(), x.copy()
    on[:, :, 2], off[:, :, 2] = 1.0, 0.0
    fit = fit_logistic(x, response, included)
    return {
        "Logistic, Wald": wald_test(fit, LAST).p,
        "Logistic, likelihood ratio": likelihood_ratio_test(x, response, included, (2,)).p,
        "Firth, Wald": wald_test(fit_logistic(x, response, included, penalty="always"), LAST).p,
        "Firth, likelihood ratio": likelihood_ratio_test(x, response, included, (2,), penalty="always").p,
        "Standardised risk difference (g-computation)": standardised_risks(fit, on, off, included).p,
    }


def _repeated(rng: np.random.Generator, trials: int, dropout: float) -> tuple[Array, Array, Array]:
    """Return three visits with monotone dropout, covariates (intercept, baseline, arm), and first visits missed."""
    active = _arms(trials)
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    scores = rng.normal(size=(*active.shape, 4)) @ np.linalg.cholesky(0.7**lag).T
    baseline, y = scores[..., 0], scores[..., 1:]
    leaves = rng.random(active.shape) < dropout
    event = np.where(leaves, rng.integers(0, 3, active.shape), 3)
    y[np.arange(3) >= event[..., None]] = np.nan
    return y, np.stack([np.ones(active.shape), baseline, active], axis=2), event


MIXED = {
    "MMRM, Kenward-Roger": "kenward-roger",
    "MMRM, Kenward-Roger as mmrm has it": "kenward-roger-mmrm",
    "MMRM, Satterthwaite": "satterthwaite",
    "cLDA, Kenward-Roger": "kenward-roger",
    "cLDA, Satterthwaite": "satterthwaite",
}


def repeated_tests(rng: np.random.Generator, trials: int, dropout: float, only: str | None = None) -> PValues:
    """Mixed models of three visits, correlation .7 from one visit to the next, unstructured covariance; last visit."""
    y, x, _ = _repeated(rng, trials, dropout)
    p: PValues = {}
    for name, df in MIXED.items() if only is None else [(only, MIXED[only])]:
        fit = _clda(y, x, df) if name.startswith("cLDA") else _mmrm(y, x, df)
        t = np.abs(fit.estimate / fit.se)
        p[name] = 2.0 * stdtr(fit.df, -t)
        if name == "MMRM, Satterthwaite":
            p["**MMRM, z in place of t**"] = 2.0 * ndtr(-t)
    return p


def _mmrm(y: Array, x: Array, df: str) -> NamedTuple:
    return fit_mmrm(pattern_statistics(y, x)[0], np.stack([0 * LAST, 0 * LAST, LAST]), ladder=("unstructured",), df=df)


def _clda(y: Array, x: Array, df: str) -> NamedTuple:
    """The baseline as a response, with one mean for both arms."""
    y, x = np.concatenate([x[:, :, 1:2], y], axis=2), x[:, :, [0, 2]]
    design = Design(np.delete(np.eye(8).reshape(4, 2, 8), 1, axis=2))
    weights = np.zeros((4, 2))
    weights[3, 1] = 1.0
    return fit_mmrm(pattern_statistics(y, x)[0], weights, ladder=("unstructured",), df=df, design=design)


def imputation_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Jump to reference at the last of three visits."""
    y, x, event = _repeated(rng, trials, dropout)
    arm, target = x[:, :, 2].astype(np.intp), [Target(2, tuple(LAST))]
    model = Model("jump_to_reference", arm_columns=(2,))
    normals = draw_normals(rng, y.shape, 3, model, 2, 20)
    return {
        "Jump to reference, jackknife": conditional_mean(y, x, arm, event, target, model).p[:, 0],
        "Jump to reference, 20 imputations": multiple_imputation(y, x, arm, event, target, model, normals).pooled.p[
            :, 0
        ],
    }


def survival_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Times to relapse over 26 weeks, exponential with mean 20 (73 % relapse); who drops out is censored at random."""
    active = _arms(trials)
    to_event = rng.exponential(20.0, active.shape)
    leaves = rng.random(active.shape) < dropout
    censored = np.where(leaves, rng.uniform(0.0, 26.0, active.shape), 26.0)
    time, event, arm = np.minimum(to_event, censored), to_event <= censored, active.astype(np.intp)
    return {
        "Log-rank": log_rank(time, event, arm).p,
        "Cox, Wald": fit_cox(time, event, active[..., None].astype(float), np.ones(1)).p,
        "Restricted mean survival time, 20 weeks": restricted_mean(time, event, arm, 20.0).p[:, 0],
    }


def count_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Counts with mean 2 and dispersion .8; who drops out is counted for part of the time."""
    active = _arms(trials)
    leaves = rng.random(active.shape) < dropout
    exposure = np.where(leaves, rng.uniform(0.1, 1.0, active.shape), 1.0)
    y = rng.poisson(2.0 * exposure * rng.gamma(1.25, 0.8, active.shape)).astype(float)
    x = np.stack([np.ones(active.shape), active], axis=2)
    return {"Negative binomial, Wald": fit_counts(y, x, np.array([0.0, 1.0]), exposure=exposure).p}


def nested_tests(rng: np.random.Generator, trials: int, dropout: float) -> PValues:
    """Three therapy groups of 4, ICC .1, in the active arm (partially nested) or in both arms (cluster model)."""
    p: PValues = {}
    arm = np.repeat([0, 1], PER_ARM)
    for name, control in (("Partially nested", np.full(PER_ARM, -1)), ("Cluster model", 3 + np.arange(PER_ARM) // 4)):
        group = np.broadcast_to(np.concatenate([control, np.arange(PER_ARM) // 4]), (trials, 2 * PER_ARM))
        shared = rng.normal(0.0, np.sqrt(0.1), (trials, 7))
        own = rng.normal(size=group.shape) * np.where(group < 0, 1.0, np.sqrt(0.9))
        y = own + np.where(group < 0, 0.0, np.take_along_axis(shared, group % 7, axis=1))
        y[rng.random(y.shape) < dropout] = np.nan
        x = np.stack([np.ones(y.shape), np.broadcast_to(arm, y.shape)], axis=2)
        residual = np.broadcast_to(arm, y.shape) if name == "Partially nested" else None
        statistics = group_statistics(y, x, group, residual=residual, n_residual=1 if residual is None else 2)
        for negative, words in ((True, "variance free"), (False, "variance from 0")):
            fit = fit_nested(statistics, np.array([0.0, 1.0]), df="kenward-roger", allow_negative=negative)
            p[f"{name}, Kenward-Roger, group {words}"] = fit.p
    return p


FAMILIES = {
    "A score at one visit": Family(score_tests, 100_000, 5_000, score_tests.__doc__ or ""),
    "20 per arm": Family(larger_t_tests, 100_000, 5_000, larger_t_tests.__doc__ or ""),
    "Repeated scores": Family(repeated_tests, 30_000, 1_000, repeated_tests.__doc__ or ""),
    "Imputation": Family(imputation_tests, 10_000, 200, imputation_tests.__doc__ or ""),
    "Responses in tables": Family(table_tests, 100_000, 5_000, table_tests.__doc__ or ""),
    "Responses in regressions": Family(logistic_tests, 20_000, 2_000, logistic_tests.__doc__ or ""),
    "Times to an event": Family(survival_tests, 50_000, 2_000, survival_tests.__doc__ or ""),
    "Counts": Family(count_tests, 50_000, 2_000, count_tests.__doc__ or ""),
    "Therapy groups": Family(nested_tests, 10_000, 1_000, nested_tests.__doc__ or ""),
}
