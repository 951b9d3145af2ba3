"""Margins and interactions: what is tested, for estimates of any kind."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import t as t_distribution

from trialsim.analysis.contract import Observed
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Analysis, Endpoint, Estimand, Hypothesis

ANCOVA = Analysis("ancova", "none", "residual", ("baseline",), 0.05, "none", "ancova")
T_TEST = Analysis("t_test", "none", "residual", (), 0.05, "none", "t_test")
WELCH = dataclasses.replace(T_TEST, method="welch", name="welch")
MMRM = Analysis("mmrm", "unstructured", "satterthwaite", ("baseline", "stratum"), 0.05, "default", "mmrm")


def trials(n=80, effect=(-2.0, -2.0), seed=1, replicates=40):
    """Return trials of two arms and two strata, with an effect in each stratum, over two visits."""
    rng = np.random.default_rng(seed)
    shape = (replicates, n)
    arm = np.broadcast_to(np.arange(n) % 2, shape)
    stratum = np.broadcast_to((np.arange(n) // 2) % 2, shape)
    baseline = rng.normal(20, 4, shape)
    mean = np.asarray(effect)[stratum] * arm
    scores = 0.5 * baseline[..., None] + mean[..., None] + rng.normal(0, 4, (*shape, 2))
    return Observed(arm, stratum, 2, 2, baseline[..., None], scores[..., None], np.array([7.0, 14.0]))


def estimand(**settings):
    return Estimand("primary", "", 0, 1, 1, 0, 0.0, (), **settings)


def one(observed, asked, analysis=ANCOVA):
    return analyse(observed, asked, analysis, (observed.arm.shape[1],))[0]


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("analysis", [ANCOVA, T_TEST, MMRM], ids=lambda a: a.method)
def test_non_inferiority_is_shown_where_the_interval_stays_above_the_margin(analysis, lower_is_better):
    observed, endpoint = trials(effect=(0.0, 0.0)), Endpoint(lower_is_better=lower_is_better)
    found = one(observed, estimand(endpoint=endpoint, hypothesis=Hypothesis("non_inferiority", 1.5)), analysis)
    within = found.high < 1.5 if lower_is_better else found.low > -1.5
    np.testing.assert_array_equal(found.p <= 0.05, within)
    assert 0 < within.sum() < len(within)


def test_equivalence_is_shown_where_the_interval_lies_between_the_margins():
    found = one(trials(effect=(0.0, 0.0)), estimand(hypothesis=Hypothesis("equivalence", 2.0)))
    np.testing.assert_array_equal(found.p <= 0.05, (found.low > -2.0) & (found.high < 2.0))
    assert 0 < (found.p <= 0.05).sum() < len(found.p)


def test_p_against_a_margin_is_twice_the_one_sided_one():
    found = one(trials(), estimand(hypothesis=Hypothesis("non_inferiority", 1.0)))
    one_sided = t_distribution.cdf((found.estimate - 1.0) / found.se, found.df)
    np.testing.assert_allclose(found.p, np.minimum(2 * one_sided, 1), rtol=1e-9)


def test_an_interaction_in_a_regression_is_the_coefficient_of_the_product():
    observed = trials(effect=(-4.0, -1.0))
    found = one(observed, estimand(interaction=(0, 1)))
    for r in (0, 7):
        arm, stratum = observed.arm[r].astype(float), observed.stratum[r].astype(float)
        x = np.stack([np.ones_like(arm), arm, stratum, arm * stratum, observed.baseline[r, :, 0]], axis=1)
        y = observed.scores[r, :, 1, 0]
        beta, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
        se = np.sqrt(rss[0] / (len(y) - 5) * np.linalg.inv(x.T @ x)[3, 3])
        # The first stratum is the reference: its effect minus the other's is minus the coefficient.
        assert found.estimate[r] == pytest.approx(-beta[3], rel=1e-10)
        assert found.se[r] == pytest.approx(se, rel=1e-10)
        assert found.df[r] == len(y) - 5
    turned = one(observed, estimand(interaction=(1, 0)))
    np.testing.assert_allclose(turned.estimate, -found.estimate, rtol=1e-12)


def test_a_mixed_model_has_the_product_at_every_visit():
    """Complete data, everything crossed with visit: the estimate at a visit is that of least squares there."""
    observed = trials(effect=(-4.0, -1.0))
    mixed = one(observed, estimand(interaction=(0, 1)), dataclasses.replace(MMRM, covariates=("baseline",)))
    np.testing.assert_allclose(mixed.estimate, one(observed, estimand(interaction=(0, 1))).estimate, rtol=1e-8)


def test_an_interaction_without_a_model_is_a_difference_of_two_tests():
    observed = trials(effect=(-4.0, -1.0))
    found = one(observed, estimand(interaction=(0, 1)), WELCH)
    parts = []
    for stratum in (0, 1):
        inside = observed.stratum[0] == stratum
        part = Observed(
            observed.arm[:, inside],
            observed.stratum[:, inside],
            2,
            2,
            observed.baseline[:, inside],
            observed.scores[:, inside],
        )
        parts.append(one(part, estimand(), WELCH))
    np.testing.assert_allclose(found.estimate, parts[0].estimate - parts[1].estimate, rtol=1e-10)
    np.testing.assert_allclose(found.se, np.hypot(parts[0].se, parts[1].se), rtol=1e-10)
    df = found.se**4 / sum(part.se**4 / part.df for part in parts)
    np.testing.assert_allclose(found.df, df, rtol=1e-10)


def test_a_stratum_with_one_arm_only_fails_with_a_reason():
    observed = trials()
    arm = np.where(observed.stratum == 0, 0, observed.arm)
    found = one(dataclasses.replace(observed, arm=arm), estimand(interaction=(0, 1)), T_TEST)
    assert (found.status == 2).all()
    assert found.rungs[int(found.rung[0])] == "contrast not estimable"
    assert np.isnan(found.p).all()
