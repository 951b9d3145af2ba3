"""Wilcoxon's and van Elteren's tests as analyses: the estimate by counting pairs, and what trials can do to them."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from asking import answer, first, one, same
from trials import observed
from trialsim.analysis.contract import CONVERGED, EMPTY_ARM, FAILED, FELL_BACK, NO_SPREAD, NO_STRATUM

METHODS = ("wilcoxon", "van_elteren")


def block(n_replicates=8, n=60, *, shift=0.0, missing=0.1, seed=3):
    """Whole points, so that there are ties; two strata a good way apart."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    stratum = rng.permuted(np.broadcast_to(np.arange(n) // 2 % 2, (n_replicates, n)), axis=1)
    scores = np.round(12 + 6 * stratum + shift * arm + 4 * rng.normal(size=(n_replicates, n)))[..., None]
    scores[rng.random(scores.shape) < missing] = np.nan
    return observed(scores, arm=arm, stratum=stratum, n_strata=2)


def by_pairs(active, control):
    difference = active[:, None] - control[None, :]
    return np.mean((difference > 0) + 0.5 * (difference == 0))


def test_the_estimate_counts_pairs_and_the_p_is_wilcoxons():
    trials = block(shift=-2.0)
    found = answer(trials, "wilcoxon")[0]
    for r in range(len(trials.arm)):
        y, arm = trials.scores[r, :, 0, 0], trials.arm[r]
        active, control = (y[(arm == a) & ~np.isnan(y)] for a in (1, 0))
        assert found.estimate[r] == pytest.approx(by_pairs(active, control) - 0.5, abs=1e-12)
        expected = stats.mannwhitneyu(active, control, use_continuity=True, method="asymptotic")
        assert found.p[r] == pytest.approx(expected.pvalue, rel=1e-10)
        assert found.n_analysed[r] == len(active) + len(control)


def test_standard_error_and_df_are_brunner_and_munzels():
    trials = block(shift=-2.0)
    found = answer(trials, "wilcoxon")[0]
    for r in range(len(trials.arm)):
        y, arm = trials.scores[r, :, 0, 0], trials.arm[r]
        active, control = (y[(arm == a) & ~np.isnan(y)] for a in (1, 0))
        expected = stats.brunnermunzel(control, active)
        assert abs(found.estimate[r] / found.se[r]) == pytest.approx(abs(expected.statistic), rel=1e-9)
        p = 2 * stats.t.sf(abs(found.estimate[r] / found.se[r]), found.df[r])
        assert p == pytest.approx(expected.pvalue, rel=1e-9)
        half = stats.t.ppf(0.975, found.df[r]) * found.se[r]
        assert found.low[r] == pytest.approx(max(found.estimate[r] - half, -0.5))
        assert found.high[r] == pytest.approx(min(found.estimate[r] + half, 0.5))


def test_van_elteren_averages_strata_by_their_weights():
    trials = block(shift=-2.0)
    found = answer(trials, "van_elteren")[0]
    for r in range(len(trials.arm)):
        total = value = 0.0
        for s in range(2):
            inside = trials.stratum[r] == s
            y, arm = trials.scores[r, inside, 0, 0], trials.arm[r, inside]
            active, control = (y[(arm == a) & ~np.isnan(y)] for a in (1, 0))
            weight = len(active) * len(control) / (len(active) + len(control) + 1)
            total, value = total + weight, value + weight * by_pairs(active, control)
        assert found.estimate[r] == pytest.approx(value / total - 0.5, abs=1e-12)
    unstratified = answer(trials, "van_elteren", covariates=())[0]
    same_estimate = answer(trials, "wilcoxon")[0]
    np.testing.assert_allclose(unstratified.estimate, same_estimate.estimate, atol=1e-12)
    np.testing.assert_allclose(unstratified.se, same_estimate.se, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_strictly_rising_scores_leave_the_answer_alone(method):
    trials = block(shift=-2.0)
    other = dataclasses.replace(trials, scores=np.exp(trials.scores / 7.0))
    same(answer(trials, method)[0], answer(other, method)[0])


@pytest.mark.parametrize("method", METHODS)
def test_turning_the_contrast_turns_the_sign(method):
    trials = block(shift=-2.0)
    there, back = answer(trials, method)[0], answer(trials, method, active=0, control=1)[0]
    np.testing.assert_allclose(back.estimate, -there.estimate, atol=1e-12)
    np.testing.assert_allclose(back.low, -there.high, atol=1e-12)
    np.testing.assert_allclose(back.p, there.p, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_sizes_are_first_participants_and_blocks_do_not_matter(method):
    trials = block()
    small, large = answer(trials, method, sizes=(24, 60))
    same(small, answer(first(trials, 24), method)[0])
    same(large, answer(trials, method)[0])
    for r in range(len(trials.arm)):
        alone = answer(one(trials, r), method)[0]
        for name in ("estimate", "se", "df", "p", "low", "high"):
            np.testing.assert_allclose(getattr(large, name)[r], getattr(alone, name)[0], rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "method", "reason"),
    [
        ("an arm has nobody", "wilcoxon", EMPTY_ARM),
        ("an arm has nobody", "van_elteren", NO_STRATUM),
        ("nobody is seen", "wilcoxon", EMPTY_ARM),
        ("nobody is seen", "van_elteren", NO_STRATUM),
        ("all scores are equal", "wilcoxon", NO_SPREAD),
        ("all scores are equal", "van_elteren", NO_STRATUM),
        ("arms in strata of their own", "van_elteren", NO_STRATUM),
    ],
)
def test_what_cannot_be_compared_fails_alone(kind, method, reason):
    trials = block()
    before = answer(trials, method)[0]
    if kind == "an arm has nobody":
        trials.arm[3] = 1
    elif kind == "nobody is seen":
        trials.scores[3] = np.nan
    elif kind == "all scores are equal":
        trials.scores[3] = 9.0
    else:
        trials.stratum[3] = trials.arm[3]
    after = answer(trials, method)[0]
    assert after.status[3] == FAILED
    assert after.rungs[after.rung[3]] == reason
    assert np.isnan([getattr(after, name)[3] for name in ("estimate", "se", "p", "low", "high")]).all()
    same(before, after, np.arange(8) != 3)


@pytest.mark.parametrize("method", METHODS)
def test_arms_apart_have_the_cautious_standard_error(method):
    trials = block(missing=0.0)
    trials.scores[2, :, 0, 0] = np.arange(60.0) + 100.0 * trials.arm[2]
    trials.arm[5, trials.stratum[5] == 1] = 0
    found = answer(trials, method)[0]
    assert found.status[2] == FELL_BACK
    assert found.estimate[2] == 0.5
    assert found.high[2] == 0.5
    assert 0.0 < found.low[2] < 0.5
    assert found.p[2] < 1e-6
    # One stratum without an active arm adds nothing, and that is all.
    assert found.status[5] == CONVERGED


def test_one_patient_in_an_arm_is_compared_with_the_others():
    trials = block(missing=0.0)
    trials.arm[:] = 0
    trials.arm[:, 0] = 1
    found = answer(trials, "wilcoxon")[0]
    assert (found.status == FELL_BACK).all()
    assert np.isfinite(found.se).all()
    assert np.isfinite(found.p).all()
