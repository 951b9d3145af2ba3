"""Robust regressions of whole blocks: what one variance gives, and replicates without an answer."""

import numpy as np
import pytest

from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.kernels.robust import (
    COLLINEAR,
    LEVERAGE_ONE,
    NO_DF,
    NO_SPREAD,
    NOT_FINITE,
    contrast,
    effects_by_stratum,
    joint_test,
    regress,
)
from trialsim.kernels.two_sample import welch_t_test

VARIANCES = ("constant", "hc0", "hc1", "hc2", "hc3", "hc4")


def block(seed=0, n_replicates=5, n=24):
    rng = np.random.default_rng(seed)
    arm = np.broadcast_to(np.arange(n) % 2, (n_replicates, n)).astype(float)
    x = np.stack([np.ones((n_replicates, n)), arm, rng.normal(size=(n_replicates, n))], axis=2)
    return x, rng.normal(20.0, 4.0, (n_replicates, n)), rng.random((n_replicates, n)) < 0.9


def test_constant_variance_is_least_squares():
    x, y, included = block()
    weights = np.array([0.0, 1.0, 0.0])
    got = contrast(regress(x, y, included), weights)
    products, count = moments(x, y, included)
    expected = fit_least_squares(products[0], count[0], weights)
    np.testing.assert_allclose([got.estimate, got.se, got.df], expected[:3], rtol=1e-11)


def test_hc2_of_two_arms_is_welch():
    x, y, included = block()
    got = contrast(regress(x[:, :, :2], y, included, variance="hc2"), np.array([0.0, 1.0]))
    active = x[:, :, 1] == 1
    np.testing.assert_allclose(got.se, welch_t_test(y, active & included, ~active & included).se, rtol=1e-12)


def test_f_of_one_contrast_is_its_t_squared():
    x, y, included = block()
    fit = regress(x, y, included, variance="hc3")
    one, joint = contrast(fit, np.eye(3)[1]), joint_test(fit, np.eye(3)[[1]])
    np.testing.assert_allclose(joint.f, one.t**2, rtol=1e-11)
    np.testing.assert_allclose(joint.p, one.p, rtol=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("one arm", COLLINEAR),
        ("nobody", COLLINEAR),
        ("constant covariate", COLLINEAR),
        ("as many as coefficients", NO_DF),
        ("infinite", NOT_FINITE),
        ("missing covariate", NOT_FINITE),
        ("all equal", NO_SPREAD),
    ],
)
def test_a_bad_replicate_is_marked_and_its_mates_stay_the_same(variance, case, reason):
    x, y, included = block()
    before = regress(x, y, included, variance=variance)
    first = np.flatnonzero(included[2])[:3]
    if case == "one arm":
        x[2, :, 1] = 1.0
    elif case == "nobody":
        included[2] = False
    elif case == "constant covariate":
        x[2, :, 2] = 5.0
    elif case == "as many as coefficients":
        included[2] = np.isin(np.arange(24), first)
    elif case == "all equal":
        y[2] = 19.7
    else:
        (y if case == "infinite" else x[:, :, 2])[2, first[0]] = np.inf if case == "infinite" else np.nan
    after = regress(x, y, included, variance=variance)
    others = np.arange(5) != 2
    assert after.reason[2] == reason
    np.testing.assert_array_equal(after.estimable, others)
    for new, old in zip(after[:3], before[:3], strict=True):
        assert np.isnan(new[2]).all()
        np.testing.assert_array_equal(new[others], old[others])
    test = joint_test(after, np.eye(3)[1:])
    np.testing.assert_array_equal(np.isnan(test.p), ~others)


def test_what_is_not_included_does_not_matter():
    x, y, included = block()
    first = regress(x, y, included, variance="hc3")
    x[~included], y[~included] = np.nan, np.inf
    np.testing.assert_array_equal(regress(x, y, included, variance="hc3").covariance, first.covariance)


@pytest.mark.parametrize("variance", ["hc2", "hc3", "hc4"])
def test_a_participant_with_a_coefficient_to_himself(variance):
    x, y, included = block()
    included[:] = True
    x[2, :, 2] = np.arange(24) == 7
    fit = regress(x, y, included, variance=variance)
    assert fit.reason.tolist() == [0, 0, LEVERAGE_ONE, 0, 0]
    assert regress(x, y, included, variance="hc1").estimable.all()


def test_a_stratum_without_an_arm_is_marked():
    x, y, included = block()
    active, stratum = x[:, :, 1] == 1, np.broadcast_to(np.arange(24) // 12, y.shape).copy()
    stratum[1] = active[1]
    result = effects_by_stratum(y, included, active, stratum, x[:, :, 2:], n_strata=2)
    assert result.reason.tolist() == [0, COLLINEAR, 0, 0, 0]
    assert result.interaction.reason.tolist() == [0, COLLINEAR, 0, 0, 0]
    assert np.isnan(result.p[1]).all()
    np.testing.assert_allclose(
        result.difference[[0, 2, 3, 4], 0], np.diff(result.estimate[[0, 2, 3, 4]], axis=1)[:, 0], rtol=1e-12
    )
