"""Longitudinal random-effects models: closed forms of balanced trials, and trials that have no answer."""

import numpy as np
import pytest

from trialsim.kernels.nested import (
    Reason,
    fit_longitudinal,
    fit_nested,
    group_statistics,
    longitudinal_statistics,
)
from trialsim.kernels.nested.components import evaluate
from trialsim.kernels.two_sample import pooled_t_test

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
N = 30


def block(n_replicates=4, *, seed=1, level=9.0, slope=2.0, missing=0.0):
    """Scores, covariates 1, t, arm, arm × t, and groups: sites of five, in both arms."""
    rng = np.random.default_rng(seed)
    shape = (n_replicates, N, len(TIMES))
    arm = np.broadcast_to(np.arange(N) % 2, shape[:2]).astype(float)
    ones = np.ones(shape)
    x = np.stack([ones, ones * TIMES, ones * arm[..., None], arm[..., None] * TIMES], axis=3)
    y = x @ [20.0, -1.0, -0.5, -0.7] + rng.normal(0.0, np.sqrt(level), shape[:2])[..., None]
    y += rng.normal(0.0, np.sqrt(slope), shape[:2])[..., None] * TIMES + rng.normal(0.0, 2.0, shape)
    group = np.broadcast_to(np.arange(N) // 5, shape[:2])
    y += rng.normal(0.0, 2.0, (n_replicates, 6))[np.arange(n_replicates)[:, None], group][..., None]
    y[rng.random(shape) < missing] = np.nan
    return y, x, group.copy(), arm


def test_balanced_slopes_are_compared_by_a_t_test_of_the_patients_own_slopes():
    y, x, _, arm = block()
    centred = TIMES - TIMES.mean()
    slopes = y @ centred / (centred @ centred)
    expected = pooled_t_test(slopes, arm == 1, arm == 0)
    for df in ("satterthwaite", "kenward-roger"):
        result = fit_longitudinal(longitudinal_statistics(y, x, TIMES), np.array([0.0, 0.0, 0.0, 1.0]), df=df)
        assert not result.singular.any()
        for found, wanted in zip(result[:4], (expected.estimate, expected.se, expected.df, expected.p), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-8)


@pytest.mark.parametrize("random", ["intercept", "slope"])
def test_balanced_levels_are_compared_by_a_t_test_of_the_patients_means(random):
    y, x, _, arm = block()
    expected = pooled_t_test(y.mean(axis=2), arm == 1, arm == 0)
    statistics = longitudinal_statistics(y, x, TIMES, random=random)
    result = fit_longitudinal(statistics, np.array([0.0, 0.0, 1.0, TIMES.mean()]))
    for found, wanted in zip(result[:4], (expected.estimate, expected.se, expected.df, expected.p), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_variances_of_a_balanced_trial_are_those_of_the_patients_own_lines():
    """Between patients the covariance of intercepts and slopes is D + σ²(T'T)⁻¹."""
    y, x, _, arm = block()
    result = fit_longitudinal(longitudinal_statistics(y, x, TIMES), np.array([0.0, 0.0, 0.0, 1.0]))
    design = np.stack([np.ones(4), TIMES], axis=1)
    lines = y @ np.linalg.pinv(design).T
    left = y - lines @ design.T
    residual = (left**2).sum(axis=(1, 2)) / (2 * N)
    for a in (0, 1):
        lines[:, arm[0] == a] -= lines[:, arm[0] == a].mean(axis=1, keepdims=True)
    between = lines.swapaxes(1, 2) @ lines / (N - 2)
    np.testing.assert_allclose(result.residual_variance, residual, rtol=1e-8)
    own = between - residual[:, None, None] * np.linalg.inv(design.T @ design)
    np.testing.assert_allclose(result.patient_covariance, own, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_a_random_level_is_a_group_effect_of_the_patient(df):
    y, x, _, _ = block(missing=0.2)
    contrasts = np.vstack([np.eye(4), [0.0, 0.0, 1.0, 4.0]])
    actual = fit_longitudinal(longitudinal_statistics(y, x, TIMES, random="intercept"), contrasts, df=df)
    patient = np.broadcast_to(np.repeat(np.arange(N), 4), (4, N * 4))
    expected = fit_nested(group_statistics(y.reshape(4, -1), x.reshape(4, -1, 4), patient), contrasts, df=df)
    for found, wanted in zip(actual[:6], expected[:6], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(actual.patient_covariance[:, 0, 0], expected.group_variance, rtol=1e-8)
    np.testing.assert_allclose(actual.neg2_loglik, expected.neg2_loglik, rtol=1e-12)


def test_without_variance_between_patients_of_a_site_it_is_the_model_of_sites():
    y, x, group, _ = block(missing=0.2)
    statistics = longitudinal_statistics(y, x, TIMES, random="intercept", group=group)
    labels = np.repeat(group, 4, axis=1)
    expected = fit_nested(group_statistics(y.reshape(4, -1), x.reshape(4, -1, 4), labels), np.eye(4))
    theta = np.stack([expected.residual_variance[:, 0], np.zeros(4), expected.group_variance], axis=1)
    state = evaluate(statistics, theta)
    np.testing.assert_allclose(-2.0 * state.loglik, expected.neg2_loglik, rtol=1e-12)
    np.testing.assert_allclose(state.coefficients, expected.coefficients, rtol=1e-9)


def test_included_patients_only():
    y, x, group, _ = block(missing=0.2)
    inside = np.ones(y.shape[:2], dtype=bool)
    inside[:, [2, 7, 20]] = False
    masked = longitudinal_statistics(y, x, TIMES, group=group, included=inside)
    y[:, [2, 7, 20]] = np.nan
    without = longitudinal_statistics(y, x, TIMES, group=group)
    contrast = np.array([0.0, 0.0, 1.0, 4.0])
    for left, right in zip(fit_longitudinal(masked, contrast), fit_longitudinal(without, contrast), strict=True):
        np.testing.assert_array_equal(left, right)


def infinite_score(y, x, group):
    y[3, 1] = np.inf


def missing_covariate(y, x, group):
    x[3, 2, 1] = np.nan


def nobody(y, x, group):
    y[:] = np.nan


def three_scores(y, x, group):
    y[1:] = np.nan
    y[0, 3] = np.nan


def an_arm_with_nobody_left(y, x, group):
    y[1::2] = np.nan


def equal_scores(y, x, group):
    y[:] = 7.3


def patients_who_never_change(y, x, group):
    y[:] = y[:, :1]


def two_visits(y, x, group):
    y[:, 2:] = np.nan


def a_single_site(y, x, group):
    group[:] = 0


def no_site(y, x, group):
    group[:] = -1


CASES = [
    (infinite_score, Reason.NOT_FINITE),
    (missing_covariate, Reason.NOT_FINITE),
    (nobody, Reason.TOO_FEW),
    (three_scores, Reason.TOO_FEW),
    (an_arm_with_nobody_left, Reason.COLLINEAR),
    (equal_scores, Reason.NO_VARIATION),
    (patients_who_never_change, Reason.NO_VARIATION),
    (two_visits, Reason.RANDOM_EFFECT_NOT_ESTIMABLE),
    (a_single_site, Reason.GROUP_VARIANCE_NOT_ESTIMABLE),
    (no_site, Reason.GROUP_VARIANCE_NOT_ESTIMABLE),
]


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize(("spoil", "reason"), CASES)
def test_a_bad_trial_among_good_ones(spoil, reason, df):
    y, x, group, _ = block(3, seed=2, missing=0.1)
    contrast = np.array([0.0, 0.0, 1.0, 4.0])
    alone = fit_longitudinal(longitudinal_statistics(y, x, TIMES, group=group), contrast, df=df)
    spoil(y[1], x[1], group[1])
    result = fit_longitudinal(longitudinal_statistics(y, x, TIMES, group=group), contrast, df=df)
    assert [Reason(code) for code in result.reason] == [Reason.FITTED, reason, Reason.FITTED]
    for piece, whole in zip(alone[:10], result[:10], strict=True):
        np.testing.assert_allclose(whole[[0, 2]], piece[[0, 2]], rtol=1e-10, atol=1e-10)
        assert np.isnan(whole[1]).all()
    assert not result.singular[1]


def test_a_covariate_may_be_missing_where_there_is_no_score():
    y, x, _, _ = block(missing=0.2)
    x[np.isnan(y)] = np.nan
    result = fit_longitudinal(longitudinal_statistics(y, x, TIMES), np.array([0.0, 0.0, 1.0, 4.0]))
    assert (result.reason == Reason.FITTED).all()


def test_blocks_of_bad_trials_only_and_of_none():
    y, x, _, _ = block(2)
    y[:] = np.nan
    contrast = np.array([0.0, 0.0, 1.0, 4.0])
    result = fit_longitudinal(longitudinal_statistics(y, x, TIMES), contrast)
    assert (result.reason == Reason.TOO_FEW).all()
    assert np.isnan(result.p).all()
    assert np.isnan(result.group_variance).all()
    assert fit_longitudinal(longitudinal_statistics(y[:0], x[:0], TIMES), contrast).p.shape == (0,)


def test_choices_that_do_not_exist_are_named():
    y, x, group, _ = block(1)
    statistics = longitudinal_statistics(y, x, TIMES)
    with pytest.raises(ValueError, match="satterthwaite or kenward-roger"):
        fit_longitudinal(statistics, np.eye(4), df="residual")
    with pytest.raises(ValueError, match="needs the restricted likelihood"):
        fit_longitudinal(statistics, np.eye(4), df="kenward-roger", restricted=False)
    with pytest.raises(ValueError, match="intercept, slope, uncorrelated"):
        longitudinal_statistics(y, x, TIMES, random="quadratic")
    with pytest.raises(ValueError, match="level, growth"):
        longitudinal_statistics(y, x, TIMES, group=group, group_effect="slope")
    with pytest.raises(ValueError, match="two different times"):
        longitudinal_statistics(y, x, np.ones(4))
    with pytest.raises(ValueError, match="grows from time 0"):
        longitudinal_statistics(y, x, np.zeros(4), random="intercept", group=group, group_effect="growth")
    with pytest.raises(ValueError, match="at most 62 visits"):
        longitudinal_statistics(np.ones((1, 2, 63)), np.ones((1, 2, 63, 1)), np.arange(63.0))
