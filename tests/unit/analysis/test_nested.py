"""Partially nested and cluster models as analyses: what they reduce to, sizes, and trials that cannot be analysed."""

import dataclasses

import numpy as np
import pytest

from trialsim.analysis.contract import CONVERGED, FAILED, NO_GROUPS, NOT_ESTIMABLE, Observed
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Analysis, Endpoint, Estimand

SETTINGS = [(df, variance) for df in ("satterthwaite", "kenward-roger") for variance in ("common", "by_arm")]


def trials(n_replicates=8, n=96, *, size=6, icc=0.2, missing=0.1, seed=0, n_strata=2):
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    group = np.where(arm == 1, (np.cumsum(arm, axis=1) - 1) // size, -1)
    effect = np.take_along_axis(rng.normal(size=(n_replicates, n)), np.maximum(group, 0), axis=1) * (arm == 1)
    baseline = rng.normal(20, 4, arm.shape)
    y = 10 + 0.4 * baseline - arm + 4 * (np.sqrt(icc) * effect + np.sqrt(1 - icc * arm) * rng.normal(size=arm.shape))
    y[rng.random(y.shape) < missing] = np.nan
    stratum = rng.integers(0, n_strata, arm.shape)
    return Observed(arm, stratum, 2, n_strata, baseline[..., None], y[..., None, None], np.array([140.0]),
                    groups={"dbt": group})  # fmt: skip


def estimate(trial, method="nested", *, sizes=None, df="kenward-roger", variance="common", interaction=None,
             covariates=("baseline", "stratum")):  # fmt: skip
    settings = {"group": "dbt", "residual_variance": variance} if method == "nested" else {}
    df = df if method == "nested" else "residual"
    analysis = Analysis(method, "none", df, covariates, 0.05, "none", method, **settings)
    estimand = Estimand("primary", "", 0, 0, 1, 0, None, (analysis,), Endpoint(), interaction=interaction)
    return analyse(trial, estimand, analysis, sizes or (trial.arm.shape[1],))


@pytest.mark.parametrize(("df", "variance"), SETTINGS)
def test_several_sizes_are_the_trials_of_the_first_participants(df, variance):
    whole = trials()
    small, large = estimate(whole, sizes=(64, 96), df=df, variance=variance)
    parts = {name: getattr(whole, name)[:, :64] for name in ("arm", "stratum", "baseline", "scores")}
    cut = dataclasses.replace(whole, **parts, groups={"dbt": whole.groups["dbt"][:, :64]})
    for together, alone in (
        (small, estimate(cut, df=df, variance=variance)[0]),
        (large, estimate(whole, df=df, variance=variance)[0]),
    ):
        for name in ("estimate", "se", "df", "p", "n_analysed"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), rtol=1e-7, err_msg=name)


def test_without_a_correlation_in_the_groups_it_is_near_an_ancova_and_with_one_it_is_less_sure():
    apart = trials(n=400, icc=0.0)
    nested, plain = estimate(apart)[0], estimate(apart, "ancova")[0]
    np.testing.assert_allclose(nested.estimate, plain.estimate, atol=0.25)
    alike = trials(n=400, icc=0.3)
    nested, plain = estimate(alike)[0], estimate(alike, "ancova")[0]
    assert np.all(nested.se > plain.se)
    assert nested.se.mean() > 1.2 * plain.se.mean()
    assert np.all(nested.df < plain.df)
    np.testing.assert_array_equal(nested.n_analysed, plain.n_analysed)


def test_a_group_variance_on_its_bound_gives_least_squares():
    trial = trials(missing=0.0)
    # Alternating deviations within groups: members are less alike than strangers.
    place = np.cumsum(trial.arm, axis=1) % 2
    y = 10 + 3.0 * np.where(trial.arm == 1, 2 * place - 1, np.sin(np.arange(96)))
    flat = dataclasses.replace(trial, scores=y[..., None, None])
    nested, plain = estimate(flat)[0], estimate(flat, "ancova")[0]
    np.testing.assert_allclose(nested.estimate, plain.estimate, rtol=1e-6, atol=1e-8)


def test_an_interaction_with_a_stratum_is_in_the_model():
    trial = trials(n=200)
    found = estimate(trial, interaction=(0, 1))[0]
    assert np.all(found.status == CONVERGED)
    assert np.all(found.se > 1.5 * estimate(trial)[0].se)


def test_a_group_of_one_is_a_group():
    trial = trials(missing=0.0)
    group = trial.groups["dbt"].copy()
    last = (trial.arm == 1) & (np.cumsum(trial.arm, axis=1) == trial.arm.sum(axis=1, keepdims=True))
    group[last] = group.max() + 1
    found = estimate(dataclasses.replace(trial, groups={"dbt": group}))[0]
    assert np.all(found.status == CONVERGED)
    near = estimate(trial)[0]
    np.testing.assert_allclose(found.se, near.se, rtol=0.15)


def spoiled(trial, kind, r=3):
    scores, arm, group = trial.scores.copy(), trial.arm.copy(), trial.groups["dbt"].copy()
    if kind == "all groups are of one":
        group[r] = np.where(arm[r] == 1, np.arange(arm.shape[1]), -1)
    elif kind == "nobody has a group":
        group[r] = -1
    elif kind == "an arm with nobody":
        arm[r] = 1
    elif kind == "all scores equal":
        scores[r] = 12.0
    elif kind == "nobody is seen":
        scores[r] = np.nan
    return dataclasses.replace(trial, scores=scores, arm=arm, groups={"dbt": group})


@pytest.mark.parametrize(
    ("kind", "variance", "reason"),
    [
        ("all groups are of one", "by_arm", NO_GROUPS),
        ("nobody has a group", "common", NO_GROUPS),
        ("an arm with nobody", "common", NOT_ESTIMABLE),
        ("all scores equal", "common", NOT_ESTIMABLE),
        ("nobody is seen", "common", NOT_ESTIMABLE),
    ],
)
def test_a_trial_that_cannot_be_analysed_is_marked_and_harms_no_other(kind, variance, reason):
    trial = trials()
    before = estimate(trial, variance=variance)[0]
    after = estimate(spoiled(trial, kind), variance=variance)[0]
    assert np.all(before.status == CONVERGED)
    assert after.status[3] == FAILED
    assert after.rungs[after.rung[3]] == reason
    assert np.isnan([after.estimate[3], after.se[3], after.df[3], after.p[3]]).all()
    others = np.arange(8) != 3
    for name in ("estimate", "se", "df", "p", "n_analysed", "status"):
        np.testing.assert_allclose(getattr(after, name)[others], getattr(before, name)[others], rtol=1e-9)


def test_groups_that_nobody_knows_are_told():
    with pytest.raises(ValueError, match="nobody's group is known in these data: 'dbt'"):
        estimate(dataclasses.replace(trials(), groups={}))
