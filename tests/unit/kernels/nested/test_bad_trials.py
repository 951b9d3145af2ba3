"""Trials that have no answer are marked with the reason; the others of the block are not disturbed."""

import numpy as np
import pytest

from trialsim.kernels.nested import Reason, fit_nested, group_statistics

CONTRAST = np.array([0.0, 1.0, 0.0])
N = 40


def healthy(seed=1):
    """Scores, covariates, groups and arms of one trial: 20 alone, five groups of four."""
    rng = np.random.default_rng(seed)
    group = np.concatenate([np.full(20, -1), np.repeat(np.arange(5), 4)])
    arm = (group >= 0).astype(int)
    y = 15.0 + np.where(group >= 0, rng.normal(0.0, 2.0, 5)[group], 0.0) + rng.normal(0.0, 3.0, N)
    return y, np.stack([np.ones(N), arm, rng.normal(0.0, 3.0, N)], axis=1), group, arm


def infinite_score(y, x, group, arm):
    y[3] = np.inf


def missing_covariate(y, x, group, arm):
    x[3, 2] = np.nan


def group_in_two_arms(y, x, group, arm):
    group[0] = 2


def one_participant(y, x, group, arm):
    y[1:] = np.nan


def nobody(y, x, group, arm):
    y[:] = np.nan


def an_arm_with_nobody_left(y, x, group, arm):
    y[arm == 1] = np.nan


def constant_covariate(y, x, group, arm):
    x[:, 2] = 4.0


def equal_scores(y, x, group, arm):
    y[:] = 7.3


def equal_scores_in_an_arm(y, x, group, arm):
    y[:] = np.where(arm == 0, 7.3, y)
    x[:, 2] = np.where(arm == 0, x[0, 2], x[:, 2])


def one_left_in_an_arm(y, x, group, arm):
    y[1:20] = np.nan


def a_single_group(y, x, group, arm):
    group[arm == 1] = 0


def no_groups(y, x, group, arm):
    group[:] = -1


def groups_of_one(y, x, group, arm):
    group[20:] = np.arange(20)


CASES = [
    (infinite_score, Reason.NOT_FINITE),
    (missing_covariate, Reason.NOT_FINITE),
    (group_in_two_arms, Reason.GROUP_ACROSS_RESIDUALS),
    (one_participant, Reason.TOO_FEW),
    (nobody, Reason.TOO_FEW),
    (an_arm_with_nobody_left, Reason.COLLINEAR),
    (constant_covariate, Reason.COLLINEAR),
    (equal_scores, Reason.NO_VARIATION),
    (equal_scores_in_an_arm, Reason.NO_VARIATION),
    (one_left_in_an_arm, Reason.RESIDUAL_VARIANCE_NOT_ESTIMABLE),
    (a_single_group, Reason.GROUP_VARIANCE_NOT_ESTIMABLE),
    (no_groups, Reason.GROUP_VARIANCE_NOT_ESTIMABLE),
    (groups_of_one, Reason.GROUP_VARIANCE_NOT_ESTIMABLE),
]


def fit(trials, df="kenward-roger", **options):
    y, x, group, arm = (np.stack(piece) for piece in zip(*trials, strict=True))
    return fit_nested(group_statistics(y, x, group, residual=arm, n_residual=2), CONTRAST, df=df, **options)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(("spoil", "reason"), CASES)
def test_a_bad_trial_among_good_ones(spoil, reason, negative, df):
    bad = healthy(2)
    spoil(*bad)
    result = fit([healthy(1), bad, healthy(3)], df, allow_negative=negative)
    assert [Reason(code) for code in result.reason] == [Reason.FITTED, reason, Reason.FITTED]
    alone = fit([healthy(1), healthy(3)], df, allow_negative=negative)
    for piece, whole in zip(alone[:9], result[:9], strict=True):
        np.testing.assert_allclose(whole[[0, 2]], piece, rtol=1e-10, atol=1e-10)
        assert np.isnan(whole[1]).all()
    assert not result.at_bound[1]


def test_a_block_of_bad_trials_only():
    bad = healthy()
    nobody(*bad)
    result = fit([bad, bad])
    assert np.isnan(result.p).all()
    assert (result.reason == Reason.TOO_FEW).all()


def test_no_maximum_where_the_likelihood_rises_to_the_edge():
    """Two groups of unlike sizes whose means agree too well; the bounded model has an answer."""
    y, x, group, arm = healthy()
    group[20:] = np.repeat([0, 1, 2], [3, 4, 13])
    rng = np.random.default_rng(5)
    y[20:] = rng.normal(0.0, 3.0, 20)
    x[20:, 2] = rng.normal(0.0, 3.0, 20)
    for g in range(3):
        for column in (y, x[:, 2]):
            column[group == g] += 10.0 - column[group == g].mean()
    result = fit([(y, x, group, arm)], allow_negative=True)
    assert result.reason[0] == Reason.NO_INTERIOR_MAXIMUM
    bounded = fit([(y, x, group, arm)])
    assert bounded.reason[0] == Reason.FITTED
    assert bounded.at_bound[0]


def test_included_participants():
    y, x, group, _ = healthy()
    inside = np.ones(N, dtype=bool)
    inside[[2, 25, 30]] = False
    masked = group_statistics(y[None], x[None], group[None], included=inside[None])
    dropped = group_statistics(y[None, inside], x[None, inside], group[None, inside])
    for a, b in zip(fit_nested(masked, CONTRAST), fit_nested(dropped, CONTRAST), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_several_contrasts_at_once():
    y, x, group, _ = healthy()
    statistics = group_statistics(y[None], x[None], group[None])
    several = fit_nested(statistics, np.eye(3))
    one = fit_nested(statistics, CONTRAST)
    assert several.estimate.shape == (1, 3)
    np.testing.assert_allclose(several.estimate, several.coefficients)
    np.testing.assert_allclose([several.se[0, 1], several.df[0, 1]], [one.se[0], one.df[0]], rtol=1e-12)


def test_unknown_degrees_of_freedom():
    y, x, group, _ = healthy()
    with pytest.raises(ValueError, match="satterthwaite or kenward-roger"):
        fit_nested(group_statistics(y[None], x[None], group[None]), CONTRAST, df="residual")
