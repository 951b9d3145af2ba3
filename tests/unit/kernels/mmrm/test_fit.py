"""The fit as a whole: the closed form, the ladder, and trials that cannot be fitted."""

import numpy as np
import pytest

from trialsim.kernels.mmrm import FAILED, LADDER, fit_mmrm, pattern_statistics
from trialsim.kernels.mmrm.fit import starting_covariance
from trialsim.kernels.mmrm.monotone import fit_monotone, monotone_contrast, monotone_neg2_reml
from trialsim.kernels.mmrm.reml import design_map, fit_reml, reml_contrast
from trialsim.kernels.mmrm.structures import structure

V = 3
CONTRAST = np.zeros((V, 3))
CONTRAST[-1, 1] = 1.0


def block(n_replicates=8, n=40, *, dropout=0.15, n_visits=V, seed=0):
    """Trials (R, N, V) with monotone dropout, and intercept, arm and baseline (R, N, 3)."""
    rng = np.random.default_rng(seed)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    y = rng.normal(size=(n_replicates, n, n_visits)) @ np.linalg.cholesky(16.0 * 0.7**lag).T + 15.0
    y[np.cumsum(rng.random(y.shape) < dropout, axis=2) > 0] = np.nan
    arm = np.broadcast_to(np.arange(n) % 2, (n_replicates, n))
    x = np.stack([np.ones((n_replicates, n)), arm, rng.normal(0.0, 4.0, (n_replicates, n))], axis=2)
    return y, x


def fit(y, x, ladder=LADDER, contrast=CONTRAST, **options):
    return fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=ladder, **options)


def same(new, old, rows):
    for a, b in zip(new, old, strict=True):
        np.testing.assert_allclose(a[rows], b[rows], rtol=1e-10, atol=1e-10)


def test_closed_form_and_iteration_agree():
    stats = pattern_statistics(*block())[0]
    closed = fit_monotone(stats)
    shape, design = structure("unstructured", V), design_map(V, 3, 0)
    iterated = fit_reml(stats, shape, starting_covariance(stats), design)
    assert iterated.converged.all()
    np.testing.assert_allclose(closed.covariance, iterated.covariance[:, 0], rtol=1e-8)
    np.testing.assert_allclose(closed.coefficients.reshape(8, -1), iterated.coefficients, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(monotone_neg2_reml(closed), iterated.neg2_loglik, rtol=1e-11)
    for a, b in zip(
        monotone_contrast(closed, CONTRAST),
        reml_contrast(iterated, stats, shape, design, CONTRAST.reshape(-1)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_the_start_does_not_matter():
    y, x = block(dropout=0.0)
    y[np.random.default_rng(4).random(y.shape) < 0.2] = np.nan
    stats = pattern_statistics(y, x)[0]
    shape, design = structure("unstructured", V), design_map(V, 3, 0)
    near = fit_reml(stats, shape, starting_covariance(stats), design)
    far = fit_reml(stats, shape, np.broadcast_to(np.eye(V), (8, V, V)), design)
    assert near.converged.all()
    assert far.converged.all()
    np.testing.assert_allclose(near.covariance, far.covariance, rtol=1e-8, atol=1e-8)


def test_covariates_given_as_constant_cost_one_coefficient():
    y, x = block(dropout=0.0)
    crossed, constant = fit(y, x), fit(y, x, n_constant=1)
    assert not np.allclose(crossed.estimate, constant.estimate, rtol=1e-4)
    np.testing.assert_allclose(crossed.estimate, constant.estimate, atol=1.0)


def test_one_visit_is_a_regression():
    y, x = block(n_visits=1)
    result = fit(y, x, contrast=CONTRAST[-1:])
    for r in range(8):
        seen = ~np.isnan(y[r, :, 0])
        beta, rss, *_ = np.linalg.lstsq(x[r, seen], y[r, seen, 0])
        df = seen.sum() - 3
        se = np.sqrt(rss[0] / df * np.linalg.inv(x[r, seen].T @ x[r, seen])[1, 1])
        np.testing.assert_allclose((result.estimate[r], result.se[r], result.df[r]), (beta[1], se, df), rtol=1e-10)


def spoil(y, x, kind, r):
    """Make one trial impossible to fit; return what the ladder should end with."""
    if kind == "nobody at the last visit":
        y[r, :, -1] = np.nan
    elif kind == "nobody at any visit":
        y[r] = np.nan
    elif kind == "one participant":
        y[r, 1:] = np.nan
    elif kind == "one arm":
        x[r, :, 1] = 0.0
    elif kind == "constant covariate":
        x[r, :, 2] = 5.0
    elif kind == "one arm gone by the last visit":
        y[r, x[r, :, 1] == 1, -1] = np.nan
    elif kind == "all scores equal":
        y[r] = np.where(np.isnan(y[r]), np.nan, 12.0)
    elif kind == "perfect fit":
        y[r] = np.where(np.isnan(y[r]), np.nan, 12.0 + x[r, :, [1]].T + 0.5 * x[r, :, [2]].T)


KINDS = [
    "nobody at the last visit",
    "nobody at any visit",
    "one participant",
    "one arm",
    "constant covariate",
    "one arm gone by the last visit",
    "all scores equal",
    "perfect fit",
]


@pytest.mark.parametrize("missingness", ["monotone", "intermittent"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_without_an_answer_fails_and_its_mates_are_unchanged(kind, missingness):
    y, x = block()
    if missingness == "intermittent":
        y[np.random.default_rng(6).random(y.shape) < 0.1] = np.nan
    before = fit(y, x)
    assert np.all(before.rung == 0)
    spoil(y, x, kind, 3)
    after = fit(y, x)
    assert after.rung[3] == FAILED
    assert np.isnan([after.estimate[3], after.se[3], after.df[3]]).all()
    same(after, before, np.arange(8) != 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_visits", [1, 2])
def test_few_visits_fail_as_quietly(kind, n_visits):
    y, x = block(n_visits=n_visits)
    contrast = CONTRAST[-n_visits:]
    before = fit(y, x, contrast=contrast)
    spoil(y, x, kind, 3)
    after = fit(y, x, contrast=contrast)
    assert after.rung[3] == FAILED
    same(after, before, np.arange(8) != 3)


@pytest.mark.parametrize("kind", ["nobody at any visit", "nobody at the last visit", "all scores equal"])
def test_a_whole_block_without_an_answer(kind):
    y, x = block()
    for r in range(8):
        spoil(y, x, kind, r)
    result = fit(y, x)
    assert np.all(result.rung == FAILED)
    assert np.isnan(result.estimate).all()


def few_at_the_end(y, stay=4):
    """Leave so few at the last visit that the unstructured covariance has no estimate."""
    y[3, stay:, -1] = np.nan
    y[3, :stay] = 15.0 + np.random.default_rng(9).normal(0.0, 4.0, (stay, V))


def test_the_ladder_is_climbed_down_by_those_who_must():
    y, x = block(n=40)
    before = fit(y, x)
    few_at_the_end(y)
    after = fit(y, x)
    assert after.rung[3] > 0
    alone = fit(y[3:4], x[3:4], ladder=(LADDER[after.rung[3]],))
    same(after._replace(rung=alone.rung.repeat(8)), type(alone)(*(np.repeat(a, 8, axis=0) for a in alone)), [3])
    same(after, before, np.arange(8) != 3)
    for rung in range(after.rung[3]):
        assert fit(y[3:4], x[3:4], ladder=(LADDER[rung],)).rung[0] == FAILED


def test_without_a_ladder_the_trial_fails():
    y, x = block(n=40)
    few_at_the_end(y)
    result = fit(y, x, ladder=("unstructured",))
    assert result.rung[3] == FAILED
    assert np.all(result.rung[np.arange(8) != 3] == 0)


@pytest.mark.parametrize("missingness", ["monotone", "intermittent"])
def test_a_visit_that_repeats_another_never_keeps_the_unstructured_covariance(missingness):
    y, x = block()
    if missingness == "intermittent":
        y[np.random.default_rng(6).random(y.shape) < 0.1] = np.nan
    before = fit(y, x)
    y[3, :, 1] = np.where(np.isnan(y[3, :, 1]), np.nan, y[3, :, 0])
    after = fit(y, x)
    assert after.rung[3] != 0
    same(after, before, np.arange(8) != 3)
