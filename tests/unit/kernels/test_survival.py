"""Survival kernels: bad replicates are marked with their reason, and their company goes on."""

import numpy as np
import pytest

from trialsim.kernels.survival import (
    REASONS,
    confidence_limits,
    fit_cox,
    kaplan_meier,
    log_rank,
    median_survival,
    restricted_mean,
    survival_at,
)


def reasons(status):
    return [REASONS[code].split(":")[0] for code in np.ravel(status)]


def block(n=20):
    rng = np.random.default_rng(1)
    time = rng.exponential(5.0, (6, n))
    event = rng.random((6, n)) < 0.7
    arm = np.tile(np.arange(n) % 2, (6, 1))
    return time, event, arm


def test_log_rank_marks_bad_replicates_and_goes_on():
    time, event, arm = block()
    good = log_rank(time, event, arm)
    assert good.estimable.all()
    time[0, 3], time[1, 3], time[2, 3] = np.nan, np.inf, -1.0
    event[3] = False
    arm = arm.copy()
    arm[4] = 0
    result = log_rank(time, event, arm)
    bad = "a time or covariate that is not finite, or a time below 0"
    assert reasons(result.status) == [bad, bad, bad, "no event", "an arm has nobody", "estimated"]
    for field in (result.estimate, result.se, result.statistic, result.p):
        assert np.isnan(field[:5]).all()
        assert np.isfinite(field[5])
    np.testing.assert_allclose(result.statistic[5], good.statistic[5], rtol=1e-10)


def test_log_rank_without_information():
    # Arm 1 is gone before the only events of arm 0.
    time = np.array([[1.0, 1.0, 2.0, 3.0]])
    result = log_rank(time, np.array([[False, False, True, True]]), np.array([[1, 1, 0, 0]]))
    assert reasons(result.status) == ["no information"]
    assert np.isnan(result.p[0])


def test_whoever_is_not_included_may_be_anything():
    time, event, arm = block()
    included = np.ones(time.shape, dtype=bool)
    included[:, :4] = False
    expected = log_rank(time[:, 4:], event[:, 4:], arm[:, 4:])
    time[:, :4] = np.nan
    np.testing.assert_allclose(log_rank(time, event, arm, included=included).p, expected.p, rtol=1e-12)
    nobody = log_rank(time, event, arm, included=np.zeros(time.shape, dtype=bool))
    assert reasons(nobody.status) == ["an arm has nobody"] * 6


def test_cox_marks_bad_replicates_and_goes_on():
    time, event, arm = block()
    rng = np.random.default_rng(2)
    x = np.stack([arm, rng.normal(size=arm.shape)], axis=2).astype(float)
    contrast = np.array([1.0, 0.0])
    good = fit_cox(time, event, x, contrast)
    assert good.estimable.all()
    x[0, 2, 1] = np.inf
    x[1, :, 1] = 7.3
    x[2, :, 1] = 3.0 - 2.0 * x[2, :, 0]
    event[3] = False
    event[4] &= arm[4] == 0
    result = fit_cox(time, event, x, contrast)
    assert reasons(result.status) == [
        "a time or covariate that is not finite, or a time below 0",
        "covariates are constant or collinear",
        "covariates are constant or collinear",
        "no event",
        "monotone likelihood",
        "estimated",
    ]
    for field in (result.estimate, result.se, result.p, result.loglik, result.score):
        assert np.isnan(field[:5]).all()
    np.testing.assert_allclose(result.coefficients[5], good.coefficients[5], rtol=1e-10)
    one = fit_cox(time[:, :1], event[:, :1], x[:, :1], contrast)
    assert not one.estimable.any()


def test_cox_refuses_other_ties():
    time, event, arm = block()
    with pytest.raises(ValueError, match="efron"):
        fit_cox(time, event, arm[..., None].astype(float), np.ones(1), ties="exact")


def test_curves_at_their_ends():
    time = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], [1.0, np.nan, 3.0, 4.0]])
    event = np.array([[True, True, True, True], [False, False, False, False], [True, True, True, True]])
    curve = kaplan_meier(time, event)
    np.testing.assert_allclose(curve.survival[0], [0.75, 0.5, 0.25, 0.0])
    np.testing.assert_allclose(curve.survival[1], 1.0)
    assert not curve.valid[2]
    np.testing.assert_allclose(median_survival(curve), [2.5, np.nan, np.nan])
    np.testing.assert_allclose(survival_at(curve, 0.5), [1.0, 1.0, np.nan])
    np.testing.assert_allclose(survival_at(curve, 9.0), [0.0, np.nan, np.nan])
    np.testing.assert_allclose(survival_at(curve, 0.5, curve.se, before=0.0), [0.0, 0.0, np.nan])
    for scale in ("log", "log-log", "plain"):
        lower, upper = confidence_limits(curve, scale=scale)
        np.testing.assert_allclose([lower[1], upper[1]], 1.0)
        assert np.isnan(lower[0, -1])
        assert np.all((lower[0, :-1] >= 0.0) & (lower[0, :-1] < curve.survival[0, :-1]))
    with pytest.raises(ValueError, match="scale must be"):
        confidence_limits(curve, scale="logit")


def test_restricted_mean_stops_where_follow_up_does():
    time = np.array([[1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 9.0, 9.0], [1.0, 2.0, 9.0, 9.0], [1.0, np.inf, 9.0, 9.0]])
    event = np.array([[True, False, True, False], [True, True, True, True]])[[0, 1, 0, 1]]
    arm = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1]])
    result = restricted_mean(time, event, arm, 5.0)
    assert [reasons(row) for row in result.status] == [
        ["follow-up ends before the horizon", "estimated"],
        ["estimated", "estimated"],
        ["estimated", "an arm has nobody"],
        ["a time or covariate that is not finite, or a time below 0", "estimated"],
    ]
    np.testing.assert_array_equal(result.estimable[:, 0], [False, True, False, False])
    np.testing.assert_allclose(result.mean[1], [1.5, 5.0])
    np.testing.assert_allclose(result.estimate[1], [3.5])
    with pytest.raises(ValueError, match="horizon"):
        restricted_mean(time, event, arm, 0.0)
