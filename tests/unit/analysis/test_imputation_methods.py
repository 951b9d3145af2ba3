"""Imputation of those who left, as analyses: delta by arithmetic, the address of draws, and one way by the other."""

import dataclasses

import numpy as np
import pytest

from asking import FIELDS, answer, first, one, same
from trials import observed
from trialsim.analysis.contract import CONVERGED, FAILED, NO_COVARIANCE_CONVERGED, NOT_ESTIMABLE

METHODS = ("reference_based", "multiple_imputation")
STRATEGIES = (
    "missing_at_random",
    "jump_to_reference",
    "copy_reference",
    "copy_increments",
    "last_mean_carried_forward",
)


def block(n_replicates=6, n=60, *, dropout=0.12, effect=-2.0, seed=0, n_arms=2):
    """Scores at three visits that fall, faster in the active arms; patients leave and do not come back."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % n_arms, (n_replicates, n)), axis=1)
    stratum = rng.permuted(np.broadcast_to(np.arange(n) // n_arms % 2, (n_replicates, n)), axis=1)
    baseline = rng.normal(20.0, 4.0, (n_replicates, n))
    course = -2.0 * np.arange(1, 4) + effect / 3.0 * np.arange(1, 4) * (arm > 0)[..., None]
    shared = 3.0 * rng.normal(size=(n_replicates, n, 1)) + 0.5 * baseline[..., None] + 10.0
    scores = shared + course + 3.0 * rng.normal(size=(n_replicates, n, 3))
    scores[np.cumsum(rng.random(scores.shape) < dropout, axis=2) > 0] = np.nan
    return observed(scores, arm=arm, stratum=stratum, baseline=baseline, n_strata=2, n_arms=n_arms)


def share_gone(trials, arm=1):
    """Return the share of an arm without a score at the last visit."""
    gone = np.isnan(trials.scores[:, :, -1, 0])
    return (gone & (trials.arm == arm)).sum(axis=1) / (trials.arm == arm).sum(axis=1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_unadjusted_a_delta_moves_the_estimate_by_the_share_imputed(method, strategy):
    trials = block()
    plain, moved = (answer(trials, method, strategy=strategy, covariates=(), delta=d)[0] for d in (0.0, 3.0))
    np.testing.assert_allclose(moved.estimate - plain.estimate, 3.0 * share_gone(trials), rtol=1e-9)
    assert (moved.status == CONVERGED).all()
    np.testing.assert_array_equal(moved.low < moved.high, np.ones(6, dtype=bool))


@pytest.mark.parametrize("method", METHODS)
def test_delta_is_linear_and_leaves_the_control_arm_alone(method):
    trials = block()
    values = [answer(trials, method, delta=d)[0].estimate for d in (0.0, 2.0, 4.0)]
    np.testing.assert_allclose(values[2] - values[1], values[1] - values[0], rtol=1e-8)
    trials.scores[(trials.arm == 1) & np.isnan(trials.scores[:, :, -1, 0])] = 9.0
    same(answer(trials, method, delta=0.0)[0], answer(trials, method, delta=7.0)[0])


@pytest.mark.parametrize("method", METHODS)
def test_with_three_arms_every_arm_but_the_reference_is_shifted(method):
    trials = block(n=90, n_arms=3)
    for active, control in ((2, 0), (0, 1)):
        options = {"active": active, "control": control, "covariates": ()}
        plain, moved = (answer(trials, method, delta=d, **options)[0] for d in (0.0, 3.0))
        np.testing.assert_allclose(moved.estimate - plain.estimate, 3.0 * share_gone(trials, active), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_who_misses_a_visit_and_comes_back_is_not_shifted(method):
    trials = block(dropout=0.0)
    trials.scores[:, :10, 1] = np.nan
    for d in (0.0, 5.0):
        middle = answer(trials, method, visit=1, delta=d, strategy="missing_at_random")[0]
        assert (middle.status == CONVERGED).all()
    same(middle, answer(trials, method, visit=1, strategy="missing_at_random")[0])


@pytest.mark.parametrize("method", METHODS)
def test_complete_data_give_the_analysis_of_covariance(method):
    trials = block(dropout=0.0)
    found, plain = answer(trials, method)[0], answer(trials, "ancova")[0]
    np.testing.assert_allclose(found.estimate, plain.estimate, rtol=1e-9)
    if method == "multiple_imputation":
        np.testing.assert_allclose(found.se, plain.se, rtol=1e-9)
        # Barnard and Rubin without anything imputed.
        np.testing.assert_allclose(found.df, plain.df * (plain.df + 1) / (plain.df + 3), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_sizes_are_first_participants_and_blocks_do_not_matter(method):
    trials = block()
    small, large = answer(trials, method, sizes=(40, 60))
    same(small, answer(first(trials, 40), method)[0], rtol=1e-8, atol=1e-10)
    for r in range(len(trials.arm)):
        alone = answer(one(trials, r), method)[0]
        for name in FIELDS:
            np.testing.assert_allclose(getattr(large, name)[r], getattr(alone, name)[0], rtol=1e-8, err_msg=name)


def test_a_one_step_jackknife_is_near_the_full_one_and_the_same_where_nobody_comes_back():
    trials = block()
    full, short = (answer(trials, "reference_based", jackknife=kind)[0] for kind in ("full", "one_step"))
    np.testing.assert_allclose(short.se, full.se, rtol=1e-9)
    trials.scores[:, :9, 1] = np.nan
    full, short = (answer(trials, "reference_based", jackknife=kind)[0] for kind in ("full", "one_step"))
    assert not np.array_equal(short.se, full.se)
    np.testing.assert_allclose(short.se, full.se, rtol=0.02)
    np.testing.assert_allclose(short.estimate, full.estimate, rtol=1e-8)


def test_each_trial_has_draws_of_its_own_that_neither_rounding_nor_delta_changes():
    trials = block()
    twin = dataclasses.replace(trials, scores=trials.scores * (1.0 + 1e-12))
    there, again = answer(trials, "multiple_imputation")[0], answer(twin, "multiple_imputation")[0]
    np.testing.assert_allclose(there.estimate, again.estimate, rtol=1e-9)
    # The same scores with one patient's stratum changed, in a model without strata: other draws, near answer.
    trials.stratum[:, 0] = 1 - trials.stratum[:, 0]
    other = answer(trials, "multiple_imputation", covariates=("baseline",))[0]
    trials.stratum[:, 0] = 1 - trials.stratum[:, 0]
    before = answer(trials, "multiple_imputation", covariates=("baseline",))[0]
    assert (other.estimate != before.estimate).all()
    np.testing.assert_allclose(other.estimate, before.estimate, atol=before.se.max())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_imputations_come_near_the_conditional_means(strategy):
    """Over 150 trials the chance of the draws averages out, which it would not if trials shared them.

    The difference per trial has an SD of about .1 points; its mean is held within 4.9 of its standard errors, so a
    bias of some .05 points would show.
    """
    trials = block(n_replicates=150)
    drawn = answer(trials, "multiple_imputation", strategy=strategy, imputations=10)[0]
    mean = answer(trials, "reference_based", strategy=strategy)[0]
    difference = drawn.estimate - mean.estimate
    assert 0.0 < difference.std() < 0.5
    assert abs(difference.mean()) < 4.9 * difference.std() / np.sqrt(150)


def test_standard_errors_at_random_agree_with_the_mixed_model():
    trials = block(n_replicates=40)
    model = answer(trials, "mmrm")[0]
    drawn = answer(trials, "multiple_imputation", strategy="missing_at_random", imputations=50)[0]
    assert np.mean(drawn.se) == pytest.approx(np.mean(model.se), rel=0.03)
    exact = answer(trials, "reference_based", strategy="missing_at_random")[0]
    np.testing.assert_allclose(exact.estimate, model.estimate, rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nobody in an arm", NOT_ESTIMABLE),
        ("nobody at all", NOT_ESTIMABLE),
        ("nobody at the last visit", NOT_ESTIMABLE),
        ("all scores equal", NOT_ESTIMABLE),
    ],
)
def test_a_trial_that_cannot_be_analysed_fails_alone(method, kind, reason):
    trials = block()
    before = answer(trials, method)[0]
    if kind == "nobody in an arm":
        trials.arm[3] = 1
    elif kind == "nobody at all":
        trials.scores[3] = np.nan
    elif kind == "nobody at the last visit":
        trials.scores[3, :, -1] = np.nan
    else:
        trials.scores[3] = np.where(np.isnan(trials.scores[3]), np.nan, 7.0)
    after = answer(trials, method)[0]
    assert after.status[3] == FAILED
    assert after.rungs[after.rung[3]] in (reason, NO_COVARIANCE_CONVERGED)
    assert np.isnan([getattr(after, name)[3] for name in FIELDS]).all()
    same(before, after, np.arange(6) != 3, rtol=1e-8, atol=1e-10)
