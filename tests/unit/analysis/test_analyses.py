"""The two analyses: what they give, when they fail, and that they see no more than the trial's statistician."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from trials import observed
from trialsim.analysis.contract import (
    CONVERGED,
    FAILED,
    FELL_BACK,
    NO_COVARIANCE_CONVERGED,
    NOT_ESTIMABLE,
    Observed,
    two_sided_p,
)
from trialsim.analysis.mmrm import ladder
from trialsim.analysis.registry import METHODS
from trialsim.kernels.mmrm import LADDER
from trialsim.scenario.resolved import Analysis, Estimand

SIZES = (20, 60)


def analysis(method, covariates=("baseline", "stratum"), covariance="unstructured", fallback="default"):
    if method == "ancova":
        return Analysis("ancova", "none", "residual", covariates, 0.05, "none", "ancova")
    return Analysis("mmrm", covariance, "satterthwaite", covariates, 0.05, fallback, "mmrm")


def estimate(trials, method, *, sizes=None, visit=-1, active=1, control=0, **options):
    chosen = analysis(method, **options)
    n, n_visits = trials.scores.shape[1:3]
    estimand = Estimand("primary", "", 0, visit % n_visits, active, control, 0.0, (chosen,))
    return METHODS[method](trials, estimand, chosen, sizes or (n,))


def block(n_replicates=10, n=60, *, dropout=0.1, n_arms=2, seed=0):
    rng = np.random.default_rng(seed)
    scores = 15 + 4 * rng.normal(size=(n_replicates, n, 1)) + 3 * rng.normal(size=(n_replicates, n, 3))
    scores[np.cumsum(rng.random(scores.shape) < dropout, axis=2) > 0] = np.nan
    stratum = rng.permuted(np.broadcast_to(np.arange(n) // n_arms % 2, (n_replicates, n)), axis=1)
    return observed(scores, stratum=stratum, n_strata=2, n_arms=n_arms, baseline=rng.normal(20, 4, (n_replicates, n)))


def test_p_values_are_those_of_students_t():
    t, df = np.array([-2.5, 0.0, 1.7]), np.array([5.0, 12.3, 400.0])
    np.testing.assert_allclose(two_sided_p(t * 2.0, np.full(3, 2.0), df), 2 * stats.t.sf(np.abs(t), df), rtol=1e-12)
    assert np.isnan(two_sided_p(np.array([np.nan]), np.array([np.nan]), np.array([np.nan])))[0]


@pytest.mark.parametrize("covariates", [(), ("baseline",), ("stratum",), ("baseline", "stratum")])
@pytest.mark.parametrize("visit", [0, 1, 2])
def test_with_complete_data_the_two_agree_visit_by_visit(covariates, visit):
    # With every covariate crossed with visit, the mixed model is one regression for each visit.
    trials = block(dropout=0.0)
    by_model = estimate(trials, "mmrm", covariates=covariates, visit=visit)[0]
    by_regression = estimate(trials, "ancova", covariates=covariates, visit=visit)[0]
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(getattr(by_model, name), getattr(by_regression, name), rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("method", ["mmrm", "ancova"])
def test_several_sizes_are_the_trials_of_the_first_participants(method):
    trials = block()
    small, large = estimate(trials, method, sizes=SIZES)
    cut = dataclasses.replace(
        trials,
        **{name: getattr(trials, name)[:, : SIZES[0]] for name in ("arm", "stratum", "baseline", "scores")},
    )
    for together, alone in ((small, estimate(cut, method)[0]), (large, estimate(trials, method)[0])):
        for name in ("estimate", "se", "df", "p"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-8, err_msg=name)
        np.testing.assert_array_equal(together.n_analysed, alone.n_analysed)


@pytest.mark.parametrize("method", ["mmrm", "ancova"])
def test_a_batch_equals_the_trials_one_by_one(method):
    trials = block()
    together = estimate(trials, method)[0]
    for r in range(10):
        alone = Observed(trials.arm[[r]], trials.stratum[[r]], 2, 2, trials.baseline[[r]], trials.scores[[r]])
        result = estimate(alone, method)[0]
        for name in ("estimate", "se", "df", "p"):
            np.testing.assert_allclose(getattr(together, name)[r], getattr(result, name)[0], rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("method", ["mmrm", "ancova"])
def test_three_arms_and_their_contrasts(method):
    trials = block(n_arms=3)
    first, second, between = (estimate(trials, method, active=a, control=c)[0] for a, c in ((1, 0), (2, 0), (2, 1)))
    np.testing.assert_allclose(between.estimate, second.estimate - first.estimate, rtol=1e-9, atol=1e-9)
    back = estimate(trials, method, active=1, control=2)[0]
    np.testing.assert_allclose(back.estimate, -between.estimate, rtol=1e-9)
    np.testing.assert_allclose(back.se, between.se, rtol=1e-9)


def test_who_is_analysed():
    trials = block(dropout=0.3)
    seen = ~np.isnan(trials.scores[..., 0])
    np.testing.assert_array_equal(estimate(trials, "ancova")[0].n_analysed, seen[:, :, -1].sum(axis=1))
    np.testing.assert_array_equal(estimate(trials, "mmrm")[0].n_analysed, seen.any(axis=2).sum(axis=1))


def test_baseline_in_other_units_changes_nothing():
    trials = block()
    other = dataclasses.replace(trials, baseline=1000 + 10 * trials.baseline)
    for method in ("mmrm", "ancova"):
        a, b = estimate(trials, method)[0], estimate(other, method)[0]
        np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-9)
        np.testing.assert_allclose(a.se, b.se, rtol=1e-9)


def spoiled(trials, kind, r=4):
    copy = {name: getattr(trials, name).copy() for name in ("arm", "stratum", "baseline", "scores")}
    scores = copy["scores"]
    if kind == "nobody at the last visit":
        scores[r, :, -1] = np.nan
    elif kind == "nobody at all":
        scores[r] = np.nan
    elif kind == "one participant":
        scores[r, 1:] = np.nan
    elif kind == "one arm":
        copy["arm"][r] = 1
    elif kind == "constant baseline":
        copy["baseline"][r] = 21.0
    elif kind == "one stratum":
        copy["stratum"][r] = 1
    elif kind == "all scores equal":
        scores[r] = np.where(np.isnan(scores[r]), np.nan, 27.0)
    return dataclasses.replace(trials, **copy)


KINDS = (
    "nobody at the last visit",
    "nobody at all",
    "one participant",
    "one arm",
    "constant baseline",
    "one stratum",
    "all scores equal",
)


@pytest.mark.parametrize("method", ["mmrm", "ancova"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_that_cannot_be_analysed_is_marked_failed_and_harms_no_other(kind, method):
    trials = block()
    before, after = estimate(trials, method)[0], estimate(spoiled(trials, kind), method)[0]
    assert np.all(before.status == CONVERGED)
    assert after.status[4] == FAILED
    assert np.isnan([after.estimate[4], after.se[4], after.df[4], after.p[4]]).all()
    reason = NOT_ESTIMABLE if method == "ancova" else NO_COVARIANCE_CONVERGED
    assert after.rungs[after.rung[4]] == reason
    others = np.arange(10) != 4
    for name in ("estimate", "se", "df", "p", "status", "n_analysed"):
        np.testing.assert_allclose(
            getattr(after, name)[others], getattr(before, name)[others], rtol=1e-10, err_msg=name
        )


def test_a_trial_with_few_at_the_end_falls_back_and_says_so():
    trials = block(dropout=0.0)
    trials.scores[4, 5:, -1] = np.nan
    result = estimate(trials, "mmrm", covariates=())[0]
    assert result.status[4] == CONVERGED
    trials.scores[4, 4:, -1] = np.nan
    result = estimate(trials, "mmrm", covariates=())[0]
    assert result.status[4] == FELL_BACK
    assert result.rungs[result.rung[4]] in LADDER[1:]
    assert np.isfinite([result.estimate[4], result.se[4], result.df[4], result.p[4]]).all()
    assert np.all(np.delete(result.status, 4) == CONVERGED)
    alone = estimate(trials, "mmrm", covariates=(), fallback="none")[0]
    assert alone.status[4] == FAILED
    np.testing.assert_allclose(np.delete(alone.estimate, 4), np.delete(result.estimate, 4), rtol=1e-10)


def test_the_ladder_goes_from_what_was_asked_to_what_is_simpler():
    assert ladder(analysis("mmrm")) == LADDER
    assert ladder(analysis("mmrm", covariance="heterogeneous_ar1")) == ("heterogeneous_ar1", "compound_symmetry")
    assert ladder(analysis("mmrm", covariance="ar1")) == ("ar1", "compound_symmetry")
    assert ladder(analysis("mmrm", covariance="compound_symmetry")) == ("compound_symmetry",)
    assert ladder(analysis("mmrm", fallback="none")) == ("unstructured",)
    own = analysis("mmrm", fallback=("heterogeneous_compound_symmetry", "ar1"))
    assert ladder(own) == ("unstructured", "heterogeneous_compound_symmetry", "ar1")
