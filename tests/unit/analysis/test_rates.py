"""Negative binomial rates: closed forms, follow-up that differs, and trials that cannot be analysed."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from trialsim.analysis.contract import CONVERGED, FAILED, NO_EVENTS, NOT_ESTIMABLE, Observed
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Analysis, Endpoint, Estimand

DAYS = np.array([30.0, 60.0, 120.0])
LENGTHS = np.diff(DAYS, prepend=0.0)


def trials(n_replicates=8, n=80, *, leaving=0.1, dispersion=1.0, ratio=0.6, strata=True, seed=0):
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    stratum = rng.integers(0, 2, arm.shape)
    own = rng.gamma(1 / dispersion, dispersion, arm.shape) if dispersion else 1.0
    rate = 0.03 * np.where(arm == 1, ratio, 1.0) * (1 + strata * stratum) * own
    counts = rng.poisson(rate[..., None] * LENGTHS).astype(float)
    counts[np.cumsum(rng.random(counts.shape) < leaving, axis=2) > 0] = np.nan
    return Observed(arm, stratum, 2, 2, np.zeros((*arm.shape, 1)), counts[..., None], DAYS, counts=counts[..., None])


def estimate(trial, *, sizes=None, visit=2, covariates=("stratum",), interaction=None, active=1, control=0):
    analysis = Analysis("negative_binomial", "none", "normal", covariates, 0.05, "none", "negative_binomial")
    estimand = Estimand("primary", "", 0, visit, active, control, None, (analysis,), Endpoint("count"),
                        interaction=interaction)  # fmt: skip
    return analyse(trial, estimand, analysis, sizes or (trial.arm.shape[1],))


def test_several_sizes_are_the_trials_of_the_first_participants():
    whole = trials()
    small, large = estimate(whole, sizes=(40, 80))
    parts = ("arm", "stratum", "baseline", "scores", "counts")
    cut = dataclasses.replace(whole, **{name: getattr(whole, name)[:, :40] for name in parts})
    for together, alone in ((small, estimate(cut)[0]), (large, estimate(whole)[0])):
        for name in ("estimate", "se", "p", "n_analysed"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-9, err_msg=name)


def test_with_one_follow_up_it_is_the_ratio_of_the_mean_counts():
    trial = trials(leaving=0.0)
    found = estimate(trial, covariates=())[0]
    total = trial.counts.sum(axis=(2, 3))
    means = [np.mean(total, axis=1, where=trial.arm == a) for a in (1, 0)]
    np.testing.assert_allclose(found.estimate, np.log(means[0] / means[1]), rtol=1e-8)
    np.testing.assert_allclose(found.p, 2 * stats.norm.sf(np.abs(found.estimate / found.se)), rtol=1e-9)
    assert np.all(np.isinf(found.df))


def test_without_overdispersion_it_is_poisson_and_no_failure():
    trial = trials(dispersion=0.0, leaving=0.2, n=60, strata=False)
    found = estimate(trial, covariates=())[0]
    assert np.all(found.status == CONVERGED)
    assert np.all(found.rung == 0)
    seen = np.nan_to_num(trial.counts[..., 0])
    followed = (~np.isnan(trial.counts[..., 0]) * LENGTHS).sum(axis=2)
    events, days = (
        np.stack([(part * (trial.arm == a)).sum(axis=1) for a in (1, 0)]) for part in (seen.sum(axis=2), followed)
    )
    at_limit = np.isclose(found.se, np.sqrt((1 / events).sum(axis=0)), rtol=1e-8)
    rates = np.log(events / days)
    np.testing.assert_allclose(found.estimate[at_limit], (rates[0] - rates[1])[at_limit], rtol=1e-8)
    assert at_limit.any()


def test_an_earlier_visit_counts_what_came_before_it():
    trial = trials()
    early = dataclasses.replace(trial, counts=trial.counts[:, :, :2], scores=trial.scores[:, :, :2], days=DAYS[:2])
    a, b = estimate(trial, visit=1)[0], estimate(early, visit=1)[0]
    np.testing.assert_allclose(a.estimate, b.estimate, rtol=1e-12)
    np.testing.assert_array_equal(a.n_analysed, (~np.isnan(trial.counts[:, :, 0, 0])).sum(axis=1))


def test_an_interaction_is_the_ratio_of_two_ratios():
    trial = trials(leaving=0.0, n=200)
    found = estimate(trial, interaction=(0, 1))[0]
    total = trial.counts.sum(axis=(2, 3))
    log_ratio = []
    for s in (0, 1):
        means = [np.mean(total, axis=1, where=(trial.arm == a) & (trial.stratum == s)) for a in (1, 0)]
        log_ratio.append(np.log(means[0] / means[1]))
    np.testing.assert_allclose(found.estimate, log_ratio[0] - log_ratio[1], rtol=1e-7, atol=1e-9)


def test_arms_exchanged_change_the_sign_only():
    trial = trials()
    there, back = estimate(trial)[0], estimate(trial, active=0, control=1)[0]
    np.testing.assert_allclose(back.estimate, -there.estimate, rtol=1e-8)
    np.testing.assert_allclose(back.se, there.se, rtol=1e-8)


def spoiled(trial, kind, r=3):
    counts, arm = trial.counts.copy(), trial.arm.copy()
    if kind == "no event":
        counts[r] = np.where(np.isnan(counts[r]), np.nan, 0.0)
    elif kind == "no event in one arm":
        counts[r, arm[r] == 1] = np.where(np.isnan(counts[r, arm[r] == 1]), np.nan, 0.0)
    elif kind == "an arm with nobody":
        arm[r] = 0
    elif kind == "nobody is followed":
        counts[r] = np.nan
    return dataclasses.replace(trial, counts=counts, arm=arm)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no event", NO_EVENTS),
        ("no event in one arm", NO_EVENTS),
        ("an arm with nobody", NOT_ESTIMABLE),
        ("nobody is followed", NO_EVENTS),
    ],
)
def test_a_trial_that_cannot_be_analysed_is_marked_and_harms_no_other(kind, reason):
    trial = trials()
    before, after = estimate(trial)[0], estimate(spoiled(trial, kind))[0]
    assert np.all(before.status == CONVERGED)
    assert after.status[3] == FAILED
    assert after.rungs[after.rung[3]] == reason
    assert np.isnan([after.estimate[3], after.se[3], after.p[3]]).all()
    others = np.arange(8) != 3
    for name in ("estimate", "se", "p", "n_analysed", "status"):
        np.testing.assert_allclose(getattr(after, name)[others], getattr(before, name)[others], rtol=1e-10)


def test_without_counts_there_is_nothing_to_analyse():
    with pytest.raises(ValueError, match="no events are counted"):
        estimate(dataclasses.replace(trials(), counts=None))
