"""Meta-analysis: closed forms, direct maximisation of the restricted likelihood, small sets, blocks."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from trialsim.kernels.meta_analysis import (
    FINE,
    NO_STUDY,
    NOT_USABLE,
    REASONS,
    between_study_interval,
    between_study_variance,
    heterogeneity,
    random_effects,
    restricted_log_likelihood,
)

METHODS = ("reml", "paule-mandel", "dersimonian-laird")
CHI2_95 = 3.841458820694124


def block(n_sets=200, k=7, tau=0.5, seed=3):
    rng = np.random.default_rng(seed)
    se = rng.uniform(0.1, 1.2, (n_sets, k))
    return rng.normal(-0.6, np.hypot(se, tau)), se


def contrasts(y, se):
    """Return z and d of the restricted likelihood: the error contrasts in the basis that makes them independent."""
    basis = null_space(np.ones((1, y.size)))
    d, vectors = np.linalg.eigh(basis.T @ np.diag(se**2) @ basis)
    return vectors.T @ basis.T @ y, d


def log_density(y, se, tau2):
    z, d = contrasts(y, se)
    return -0.5 * np.sum(np.log(2.0 * np.pi * (d + tau2)) + z**2 / (d + tau2))


# --- closed forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("v", [0.01, 0.4, 30.0])
def test_with_equal_variances_tau2_is_the_excess_of_the_sample_variance(method, v):
    y = np.array([[0.3, -1.2, 0.9, 2.2, -0.4], [1.0, 1.1, 0.9, 1.0, 1.2]])
    se = np.full(y.shape, np.sqrt(v))
    expected = np.maximum(0.0, y.var(axis=1, ddof=1) - v)
    np.testing.assert_allclose(between_study_variance(y, se, method=method), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_with_equal_variances_hartung_knapp_is_the_t_interval(method):
    y, _ = block(k=6)
    pooled = random_effects(y, np.full(y.shape, 0.3), method=method)
    half = stdtrit(5, 0.975) * y.std(axis=1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(pooled.mean, y.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(pooled.low, y.mean(axis=1) - half, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(pooled.high, y.mean(axis=1) + half, rtol=1e-10, atol=1e-12)
    assert np.all(pooled.df == 5)


def test_two_studies_by_hand():
    y, se = np.array([[1.0, 4.0]]), np.array([[0.5, 1.0]])
    pooled = random_effects(y, se)
    tau2 = (3.0**2 - 0.25 - 1.0) / 2.0  # the difference is N(0, v1 + v2 + 2 tau²)
    weights = 1.0 / (np.array([0.25, 1.0]) + tau2)
    mean = weights @ y[0] / weights.sum()
    error = np.sqrt(weights @ (y[0] - mean) ** 2 / weights.sum())
    assert pooled.tau2[0] == pytest.approx(tau2, rel=1e-12)
    assert pooled.mean[0] == pytest.approx(mean, rel=1e-12)
    assert pooled.se[0] == pytest.approx(error, rel=1e-12)
    assert pooled.high[0] == pytest.approx(mean + np.tan(np.pi * 0.475) * error, rel=1e-10)  # t on 1 df is Cauchy
    assert np.isnan(pooled.predictive_low[0])
    assert np.isnan(pooled.predictive_high[0])


def test_prediction_interval_has_k_minus_two_degrees_of_freedom():
    y, se = block(k=5)
    pooled = random_effects(y, se)
    half = stdtrit(3, 0.975) * np.sqrt(pooled.tau2 + 1.0 / (1.0 / (se**2 + pooled.tau2[:, None])).sum(axis=1))
    np.testing.assert_allclose(pooled.predictive_high, pooled.mean + half, rtol=1e-12)
    np.testing.assert_allclose(pooled.predictive_low, pooled.mean - half, rtol=1e-12)


def test_heterogeneity_by_hand():
    # Weights 1: Q is the squares about the mean.
    spread, near = np.array([-2.0, 0.0, 0.0, 2.0]), np.array([-0.5, 0.0, 0.0, 0.5])
    found = heterogeneity(np.stack([spread, near]), np.ones((2, 4)))
    np.testing.assert_allclose(found.q, [8.0, 0.5])
    np.testing.assert_allclose(found.i2, [1.0 - 3.0 / 8.0, 0.0])
    log_h, error = 0.5 * np.log(8.0 / 3.0), 0.5 * (np.log(8.0) - np.log(3.0)) / (np.sqrt(16.0) - np.sqrt(5.0))
    upper = log_h + 1.959963984540054 * error
    assert found.i2_high[0] == pytest.approx(1.0 - np.exp(-2.0 * upper), rel=1e-12)
    assert found.i2_low[0] == 0.0
    near_error = np.sqrt((1.0 - 1.0 / 12.0) / 4.0)
    assert found.i2_high[1] == pytest.approx(1.0 - np.exp(-2.0 * 1.959963984540054 * near_error), rel=1e-12)


# --- REML against direct maximisation -----------------------------------------------------------------------------


def test_restricted_likelihood_is_the_density_of_the_error_contrasts():
    y, se = block(20)
    for tau2 in (0.0, 0.1, 3.0):
        ours = restricted_log_likelihood(y, se, np.full(20, tau2))
        direct = [log_density(*row, tau2) for row in zip(y, se, strict=True)]
        np.testing.assert_allclose(ours, direct, rtol=1e-12)


@pytest.mark.parametrize("tau", [0.0, 0.3, 2.0])
def test_reml_is_the_maximum_of_the_restricted_likelihood(tau):
    y, se = block(60, tau=tau)
    found = between_study_variance(y, se)
    logs = np.linspace(-14.0, 4.0, 181)
    for row_y, row_se, tau2 in zip(y, se, found, strict=True):

        def fall(log, y=row_y, se=row_se):
            return -log_density(y, se, np.exp(log))

        start = logs[np.argmin([fall(log) for log in logs])]
        best = minimize_scalar(fall, bounds=(start - 0.1, start + 0.1), method="bounded", options={"xatol": 1e-9})
        top = max(-best.fun, log_density(row_y, row_se, 0.0))
        assert log_density(row_y, row_se, tau2) >= top - 1e-10
        if tau2 > 0.01:
            assert tau2 == pytest.approx(np.exp(best.x), rel=1e-5)
    assert np.any(found > 0.01)


def test_reml_takes_the_higher_of_two_peaks():
    # Two precise studies that agree, and two vague ones far apart: peaks at nothing and at a large variance.
    y = np.array([[0.0, 0.02, -9.0, 9.0]])
    se = np.array([[0.01, 0.01, 3.0, 3.0]])
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 200.0, 4001)])
    values = np.array([log_density(y[0], se[0], tau2) for tau2 in grid])
    peaks = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])) + 1
    assert peaks.size == 2
    tau2 = between_study_variance(y, se)[0]
    assert tau2 == pytest.approx(grid[values.argmax()], rel=0.01)
    assert log_density(y[0], se[0], tau2) >= values.max() - 1e-12


def test_paule_mandel_makes_the_weighted_squares_equal_their_expectation():
    y, se = block()
    tau2 = between_study_variance(y, se, method="paule-mandel")
    weights = 1.0 / (se**2 + tau2[:, None])
    mean = (weights * y).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
    squares = (weights * (y - mean) ** 2).sum(axis=1)
    above = tau2 > 0.0
    assert above.any()
    assert not above.all()
    np.testing.assert_allclose(squares[above], 6.0, rtol=1e-10)
    assert np.all(squares[~above] <= 6.0)


def test_dersimonian_laird_is_its_formula():
    y, se = block(5)
    w = se**-2.0
    mean = (w * y).sum(axis=1) / w.sum(axis=1)
    q = (w * (y - mean[:, None]) ** 2).sum(axis=1)
    expected = np.maximum(0.0, (q - 6.0) / (w.sum(axis=1) - (w**2).sum(axis=1) / w.sum(axis=1)))
    np.testing.assert_allclose(between_study_variance(y, se, method="dersimonian-laird"), expected, rtol=1e-12)


# --- profile likelihood -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 7])
def test_the_likelihood_has_fallen_by_half_a_chi_squared_at_the_limits(k):
    y, se = block(80, k=k, tau=1.0)
    peak = restricted_log_likelihood(y, se, between_study_variance(y, se))
    low, high = between_study_interval(y, se)
    np.testing.assert_allclose(peak - restricted_log_likelihood(y, se, high), CHI2_95 / 2.0, rtol=1e-8)
    drop = peak - restricted_log_likelihood(y, se, low)
    inside = low > 0.0
    assert inside.any()
    np.testing.assert_allclose(drop[inside], CHI2_95 / 2.0, rtol=1e-8)
    assert np.all(drop[~inside] <= CHI2_95 / 2.0)


def test_tau2_limits_enclose_the_estimate_and_widen_with_the_level():
    y, se = block(80)
    tau2 = between_study_variance(y, se)
    low, high = between_study_interval(y, se, level=0.8)
    lower, higher = between_study_interval(y, se, level=0.99)
    assert np.all((lower <= low) & (low <= tau2) & (tau2 <= high) & (high < higher))


# --- the fixed-effect floor ---------------------------------------------------------------------------------------


def test_studies_that_agree_too_well_are_given_the_fixed_effect_width():
    y, se = np.array([[1.0, 1.0, 1.0]]), np.array([[0.5, 0.7, 0.9]])
    plain, floored = random_effects(y, se), random_effects(y, se, at_least_fixed=True)
    half = 1.959963984540054 / np.sqrt((se**-2.0).sum())
    assert plain.high[0] - plain.low[0] == pytest.approx(0.0, abs=1e-12)
    assert floored.high[0] - floored.mean[0] == pytest.approx(half, rel=1e-12)
    assert floored.se[0] == plain.se[0]


def test_the_floor_never_narrows_and_leaves_wide_intervals_alone():
    y, se = block(tau=0.0)
    plain, floored = random_effects(y, se), random_effects(y, se, at_least_fixed=True)
    fixed = 1.959963984540054 / np.sqrt((se**-2.0).sum(axis=1))
    wide = plain.high - plain.mean >= fixed
    assert wide.any()
    assert not wide.all()
    np.testing.assert_array_equal(floored.high[wide], plain.high[wide])
    np.testing.assert_allclose((floored.high - floored.mean)[~wide], fixed[~wide], rtol=1e-12)


# --- invariances, small sets, blocks ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_shifting_scaling_and_reordering(method):
    y, se = block(50)
    plain = random_effects(y, se, method=method)
    moved = random_effects(-3.0 * y[:, ::-1] + 5.0, 3.0 * se[:, ::-1], method=method)
    np.testing.assert_allclose(moved.mean, 5.0 - 3.0 * plain.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moved.tau2, 9.0 * plain.tau2, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(moved.low, 5.0 - 3.0 * plain.high, rtol=1e-9, atol=1e-9)


def test_a_single_study_is_its_own_pooled_effect():
    y, se = np.array([[np.nan, -7.95, np.nan]]), np.array([[np.nan, 2.4, 1.0]])
    pooled = random_effects(y, se, at_least_fixed=True)
    assert (pooled.k[0], pooled.mean[0], pooled.se[0], pooled.df[0]) == (1.0, -7.95, 2.4, np.inf)
    assert pooled.high[0] == pytest.approx(-7.95 + 1.959963984540054 * 2.4, rel=1e-12)
    assert pooled.estimable[0]
    assert np.isnan([pooled.tau2[0], pooled.predictive_low[0], pooled.predictive_high[0]]).all()
    assert np.isnan([*heterogeneity(y, se)]).all()
    assert np.isnan([*between_study_interval(y, se)]).all()
    assert np.isnan(restricted_log_likelihood(y, se, np.zeros(1))[0])


def test_two_studies_that_agree_have_no_interval_for_i2():
    found = heterogeneity(np.array([[0.0, 1.0]]), np.ones((1, 2)))
    assert (found.q[0], found.i2[0]) == (0.5, 0.0)
    assert np.isnan(found.i2_low[0])
    assert np.isnan(found.i2_high[0])


def test_equal_estimates_have_no_variance_between_them():
    y, se = np.full((1, 4), -2.0), np.array([[0.1, 0.5, 1.0, 2.0]])
    for method in METHODS:
        assert between_study_variance(y, se, method=method)[0] == 0.0
    assert random_effects(y, se).mean[0] == pytest.approx(-2.0)


def test_a_study_that_is_not_there_changes_nothing():
    y, se = block(30, k=5)
    wider = np.insert(y, 2, np.nan, axis=1), np.insert(se, 2, 0.4, axis=1)
    for ours, theirs in zip(random_effects(*wider), random_effects(y, se), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("estimate", "error", "reason"),
    [(np.nan, 1.0, NO_STUDY), (np.inf, 1.0, NOT_USABLE), (1.0, 0.0, NOT_USABLE), (1.0, np.nan, NOT_USABLE)],
)
def test_a_bad_set_is_marked_and_its_mates_stay_the_same(estimate, error, reason):
    y, se = block(6)
    before = random_effects(y, se)
    limits = between_study_interval(y, se)
    y[2], se[2] = estimate, error
    after = random_effects(y, se)
    others = np.arange(6) != 2
    assert after.reason[2] == reason
    assert REASONS[after.reason[2]]
    np.testing.assert_array_equal(after.estimable, others)
    for new, old in zip(after[1:-1], before[1:-1], strict=True):
        assert np.isnan(new[2])
        np.testing.assert_array_equal(new[others], old[others])
    for new, old in zip(between_study_interval(y, se), limits, strict=True):
        assert np.isnan(new[2])
        np.testing.assert_array_equal(new[others], old[others])
    assert np.all(before.reason == FINE)


def test_a_block_equals_its_sets_one_by_one():
    y, se = block(25)
    y[:, 3:] = np.where(np.random.default_rng(1).random((25, 4)) < 0.5, np.nan, y[:, 3:])
    whole = (*random_effects(y, se), *between_study_interval(y, se), *heterogeneity(y, se))
    for i in range(25):
        one = y[i : i + 1], se[i : i + 1]
        alone = (*random_effects(*one), *between_study_interval(*one), *heterogeneity(*one))
        for ours, theirs in zip(alone, whole, strict=True):
            np.testing.assert_allclose(ours[0], theirs[i], rtol=1e-10)


def test_what_cannot_be_asked_is_refused():
    y, se = block(2)
    with pytest.raises(ValueError, match="one shape"):
        random_effects(y, se[:, 1:])
    with pytest.raises(ValueError, match="one shape"):
        random_effects(y[0], se[0])
    with pytest.raises(ValueError, match="level 95 is not between 0 and 1"):
        random_effects(y, se, level=95)
    with pytest.raises(ValueError, match="'dl' is none of reml, paule-mandel, dersimonian-laird"):
        random_effects(y, se, method="dl")
