"""Analyses of times to an event: closed forms, who takes part, interactions, and trials that cannot be analysed."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from trialsim.analysis.contract import (
    CONVERGED,
    EMPTY_ARM,
    FAILED,
    NO_EVENTS,
    NOBODY_LEFT,
    NOT_ESTIMABLE,
    TOO_SHORT,
    Observed,
)
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Analysis, Criterion, Endpoint, Estimand

METHODS = ("log_rank", "cox", "kaplan_meier", "rmst")
DAYS = np.array([3.0, 7.0, 14.0, 28.0])
LOW = Endpoint("time", criterion=Criterion("at_most", 10.0, favourable=True))
RELAPSE = Endpoint("time", criterion=Criterion("lost_reduction", 0.5, favourable=False), from_visit=1)


def trials(n_replicates=8, n=80, *, dropout=0.08, n_arms=2, effect=-2.0, seed=0):
    """Scores of which some fall to 10 or below, in two strata; some leave."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % n_arms, (n_replicates, n)), axis=1)
    stratum = rng.integers(0, 2, (n_replicates, n))
    person = rng.normal(size=(n_replicates, n, 1))
    scores = 15.0 + effect * arm[..., None] + stratum[..., None] + 3 * person + 3 * rng.normal(size=(*arm.shape, 4))
    scores[np.cumsum(rng.random(scores.shape) < dropout, axis=2) > 0] = np.nan
    baseline = 20.0 + 2.0 * person[..., 0] + rng.normal(size=arm.shape)
    return Observed(arm, stratum, n_arms, 2, baseline[..., None], scores[..., None], DAYS)


def estimate(trial, method, *, sizes=None, endpoint=LOW, visit=3, active=1, control=0, interaction=None, **settings):
    options = {"covariates": (), "df": "normal"} | settings
    analysis = Analysis(method, "none", alpha=0.05, fallback="none", name=method, **options)
    estimand = Estimand("primary", "", 0, visit, active, control, None, (analysis,), endpoint, interaction=interaction)
    return analyse(trial, estimand, analysis, sizes or (trial.arm.shape[1],))


def same(a, b, rows=slice(None)):
    for name in ("estimate", "se", "p", "low", "high", "n_analysed", "status"):
        np.testing.assert_allclose(getattr(a, name)[rows], getattr(b, name)[rows], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_several_sizes_are_the_trials_of_the_first_participants(method):
    whole = trials()
    small, large = estimate(whole, method, sizes=(40, 80))
    cut = dataclasses.replace(
        whole, **{name: getattr(whole, name)[:, :40] for name in ("arm", "stratum", "baseline", "scores")}
    )
    same(small, estimate(cut, method)[0])
    same(large, estimate(whole, method)[0])
    assert np.all(small.status == CONVERGED)


@pytest.mark.parametrize("method", METHODS)
def test_a_block_is_its_trials_one_by_one(method):
    whole = trials()
    together = estimate(whole, method)[0]
    for r in range(len(whole.arm)):
        parts = {name: getattr(whole, name)[r : r + 1] for name in ("arm", "stratum", "baseline", "scores")}
        alone = estimate(dataclasses.replace(whole, **parts), method)[0]
        np.testing.assert_allclose(alone.estimate, together.estimate[r : r + 1], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(alone.se, together.se[r : r + 1], rtol=1e-10)


def first_days(trial, horizon):
    """Days to the first low score, and whether there was one, of complete data."""
    low = trial.scores[..., 0] <= 10.0
    return np.where(low.any(axis=2), DAYS[np.argmax(low, axis=2)], horizon), low.any(axis=2)


def test_without_censoring_event_free_shares_are_proportions():
    trial = trials(dropout=0.0)
    found = estimate(trial, "kaplan_meier")[0]
    _, event = first_days(trial, 28.0)
    shares = [np.mean(~event, axis=1, where=trial.arm == a) for a in (1, 0)]
    sizes = [(trial.arm == a).sum(axis=1) for a in (1, 0)]
    np.testing.assert_allclose(found.estimate, shares[0] - shares[1], atol=1e-12)
    variance = sum(p * (1 - p) / n for p, n in zip(shares, sizes, strict=True))
    np.testing.assert_allclose(found.se, np.sqrt(variance), rtol=1e-12)
    np.testing.assert_allclose(found.p, 2 * stats.norm.sf(np.abs(found.estimate / found.se)), rtol=1e-10)
    np.testing.assert_allclose(found.high - found.estimate, stats.norm.ppf(0.975) * found.se, rtol=1e-10)


def test_without_censoring_restricted_means_are_means():
    trial = trials(dropout=0.0)
    found = estimate(trial, "rmst")[0]
    time, _ = first_days(trial, 28.0)
    means = [np.mean(time, axis=1, where=trial.arm == a) for a in (1, 0)]
    variances = [np.var(time, axis=1, where=trial.arm == a) / (trial.arm == a).sum(axis=1) for a in (1, 0)]
    np.testing.assert_allclose(found.estimate, means[0] - means[1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.se, np.sqrt(sum(variances)), rtol=1e-10)


def log_rank_by_hand(time, event, active):
    difference = variance = 0.0
    for day in np.unique(time[event]):
        risk, now = time >= day, event & (time == day)
        n, d, share = risk.sum(), now.sum(), (risk & active).sum() / risk.sum()
        difference += (now & active).sum() - d * share
        variance += d * share * (1 - share) * (n - d) / max(n - 1, 1)
    return difference / variance, variance**-0.5


@pytest.mark.parametrize("stratified", [False, True])
def test_log_rank_is_observed_less_expected_over_its_variance(stratified):
    trial = trials(dropout=0.0)
    found = estimate(trial, "log_rank", stratified=stratified)[0]
    time, event = first_days(trial, 28.0)
    for r in range(len(time)):
        parts = [trial.stratum[r] == s for s in (0, 1)] if stratified else [np.ones(time.shape[1], dtype=bool)]
        by_hand = [log_rank_by_hand(time[r, p], event[r, p], trial.arm[r, p] == 1) for p in parts]
        weight = np.array([se**-2 for _, se in by_hand])
        estimates = np.array([value for value, _ in by_hand])
        assert found.estimate[r] == pytest.approx(weight @ estimates / weight.sum(), rel=1e-10)
        assert found.se[r] == pytest.approx(weight.sum() ** -0.5, rel=1e-10)


def test_cox_is_near_the_log_rank_test_and_gains_by_the_baseline():
    trial = trials(n=400)
    plain, adjusted = estimate(trial, "cox")[0], estimate(trial, "cox", covariates=("baseline", "stratum"))[0]
    test = estimate(trial, "log_rank")[0]
    np.testing.assert_allclose(plain.estimate / plain.se, test.estimate / test.se, atol=0.5)
    assert np.all(np.abs(adjusted.estimate) > 0.9 * np.abs(plain.estimate))
    assert (adjusted.p < plain.p).mean() > 0.5


def test_a_stratified_interaction_is_the_difference_of_two_models():
    trial = trials(n=200)
    both = estimate(trial, "cox", stratified=True, interaction=(1, 0))[0]
    apart = []
    for s in (1, 0):
        inside = dataclasses.replace(trial, included=trial.stratum == s)
        apart.append(estimate(inside, "cox")[0])
    np.testing.assert_allclose(both.estimate, apart[0].estimate - apart[1].estimate, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(both.se, np.hypot(apart[0].se, apart[1].se), rtol=1e-8)
    unstratified = estimate(trial, "cox", covariates=("baseline",), interaction=(1, 0))[0]
    assert np.all(unstratified.status == CONVERGED)
    assert not np.allclose(unstratified.estimate, both.estimate)


@pytest.mark.parametrize("method", ["kaplan_meier", "rmst"])
def test_an_interaction_is_the_difference_of_two_strata(method):
    trial = trials(n=200)
    both = estimate(trial, method, interaction=(0, 1))[0]
    apart = [
        estimate(dataclasses.replace(trial, included=trial.stratum == s), method)[0] for s in (0, 1)
    ]  # fmt: skip
    np.testing.assert_allclose(both.estimate, apart[0].estimate - apart[1].estimate, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(both.se, np.hypot(apart[0].se, apart[1].se), rtol=1e-10)
    np.testing.assert_allclose(both.p, 2 * stats.norm.sf(np.abs(both.estimate / both.se)), rtol=1e-9)


def test_an_arm_that_happens_to_be_a_stratum_keeps_its_column():
    trial = trials(1)
    alike = dataclasses.replace(trial, stratum=trial.arm)
    found = estimate(alike, "cox", covariates=("baseline",), stratified=False)[0]
    same(found, estimate(trial, "cox", covariates=("baseline",), stratified=False)[0])
    # Within strata there is nobody to compare with.
    assert estimate(alike, "cox", stratified=True)[0].status[0] == FAILED


@pytest.mark.parametrize("method", ["log_rank", "kaplan_meier", "rmst"])
def test_other_arms_take_no_part(method):
    trial = trials(n_arms=3, n=120)
    found = estimate(trial, method, active=2, control=0)[0]
    other = dataclasses.replace(trial, scores=np.where((trial.arm == 1)[..., None, None], 5.0, trial.scores))
    same(found, estimate(other, method, active=2, control=0)[0])
    np.testing.assert_array_equal(found.n_analysed, (trial.arm != 1).sum(axis=1))


@pytest.mark.parametrize("method", METHODS)
def test_a_clock_that_starts_later_counts_from_there(method):
    # Many never improve by half, and have their event at once: enough must be left to be followed.
    trial = trials(effect=-6.0, n=200, dropout=0.02)
    found = estimate(trial, method, endpoint=RELAPSE)[0]
    assert np.all(found.status == CONVERGED)
    if method == "rmst":
        assert np.all(np.abs(found.estimate) < DAYS[3] - DAYS[1])
        assert found.estimate.mean() > 1.0


@pytest.mark.parametrize("method", METHODS)
def test_arms_exchanged_change_the_sign_only(method):
    trial = trials()
    there, back = estimate(trial, method)[0], estimate(trial, method, active=0, control=1)[0]
    np.testing.assert_allclose(back.estimate, -there.estimate, rtol=1e-9)
    np.testing.assert_allclose(back.se, there.se, rtol=1e-9)


def spoiled(trial, kind, r=3):
    scores, arm = trial.scores.copy(), trial.arm.copy()
    if kind == "no event":
        scores[r] = 25.0
    elif kind == "everybody at once":
        scores[r] = 5.0
    elif kind == "an arm with nobody":
        arm[r] = 0
    elif kind == "nobody is seen":
        scores[r] = np.nan
    elif kind == "no event in one arm":
        scores[r, arm[r] == 1] = np.where(np.isnan(scores[r, arm[r] == 1]), np.nan, 25.0)
    elif kind == "nobody stays":
        scores[r, :, 2:] = np.nan
        scores[r, :, 0] = 25.0
    return dataclasses.replace(trial, scores=scores, arm=arm)


SHARES, HAZARDS = ("kaplan_meier", "rmst"), ("log_rank", "cox")
REASONS = {
    "no event": {method: NO_EVENTS for method in METHODS},
    "everybody at once": {method: NOBODY_LEFT for method in METHODS},
    "an arm with nobody": {**dict.fromkeys(METHODS, EMPTY_ARM), "cox": NOT_ESTIMABLE},
    "nobody is seen": {method: NO_EVENTS for method in METHODS},
    "no event in one arm": {"cox": NO_EVENTS},
    "nobody stays": {method: TOO_SHORT for method in SHARES},
}
CASES = [(kind, method) for kind, methods in REASONS.items() for method in methods]


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_a_trial_that_cannot_be_analysed_is_marked_and_harms_no_other(kind, method):
    trial = trials()
    before, after = estimate(trial, method)[0], estimate(spoiled(trial, kind), method)[0]
    assert np.all(before.status == CONVERGED)
    assert after.status[3] == FAILED
    assert after.rungs[after.rung[3]] == REASONS[kind][method]
    assert np.isnan([after.estimate[3], after.se[3], after.p[3], after.low[3], after.high[3]]).all()
    same(after, before, np.arange(8) != 3)


@pytest.mark.parametrize("method", ["log_rank", "kaplan_meier", "rmst"])
def test_an_arm_without_events_can_be_compared(method):
    found = estimate(spoiled(trials(), "no event in one arm"), method)[0]
    assert np.all(found.status == CONVERGED)
    assert np.isfinite(found.p).all()
    assert found.p[3] < 0.05
