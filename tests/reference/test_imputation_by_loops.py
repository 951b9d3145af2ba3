"""The batched jackknife and multiple imputation beside slow versions: participants deleted one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.kernels.imputation import (
    Model,
    Target,
    conditional_mean,
    draw_normals,
    impute_conditional_means,
    multiple_imputation,
)
from trialsim.kernels.imputation.groups import group_participants
from trialsim.kernels.imputation.likelihood import Problem, maximise
from trialsim.kernels.imputation.one_step import step_without_each
from trialsim.kernels.mmrm import LADDER, fit_mmrm, pattern_statistics

N_VISITS = 4
TARGETS = [Target(3, (0.0, 0.0, 1.0, 0.0)), Target(2, (0.0, 0.0, 1.0, 0.0), (1.0, 1.0, 0.0, 1.0))]
MODELS = [
    Model("jump_to_reference", (2,)),
    Model("copy_increments", (2,), n_constant=1),
    Model("copy_reference", (2,), n_constant=1, by_arm=True),
    Model("last_mean_carried_forward", (2,), by_arm=True),
]


def make_trials(n_replicates=2, n=40, *, intermittent=False, seed=3):
    rng = np.random.default_rng(seed)
    arm = np.tile(np.arange(n) % 2, (n_replicates, 1))
    x = np.stack(
        [
            np.ones((n_replicates, n)),
            rng.normal(18.0, 4.0, (n_replicates, n)),
            arm.astype(float),
            rng.integers(0, 2, (n_replicates, n)).astype(float),
        ],
        axis=2,
    )
    factor = np.linalg.cholesky(25.0 * 0.7 ** np.abs(np.subtract.outer(np.arange(N_VISITS), np.arange(N_VISITS))))
    y = 10.0 + 0.5 * x[..., 1:2] - 2.0 * arm[..., None] + rng.normal(size=(n_replicates, n, N_VISITS)) @ factor.T
    event = np.where(rng.random((n_replicates, n)) < 0.3, rng.integers(1, N_VISITS, (n_replicates, n)), N_VISITS)
    # Some stay on after their event; those scores are in the analysis and not in the model.
    stays = rng.random((n_replicates, n)) < 0.2
    y[(np.arange(N_VISITS) >= event[..., None]) & ~stays[..., None]] = np.nan
    if intermittent:
        hole = rng.random((n_replicates, n)) < 0.1
        y[..., 1][hole] = np.nan
    return y, x, arm, event


def analyse(scores, x, target):
    beta = np.linalg.lstsq(x, scores[:, target.visit], rcond=None)[0]
    weights = np.array(target.weights)
    if target.mean_weights:
        weights = weights + np.array(target.mean_weights) * x.mean(axis=0)
    return weights @ beta


@pytest.mark.parametrize("intermittent", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_jackknife_is_a_loop_over_deletions(model, intermittent):
    y, x, arm, event = make_trials(intermittent=intermittent)
    result = conditional_mean(y, x, arm, event, TARGETS, model)
    n = y.shape[1]
    for r in range(len(y)):
        values = np.empty((n + 1, len(TARGETS)))
        for i in range(n + 1):
            kept = np.arange(n) != i
            part = (y[r : r + 1, kept], x[r : r + 1, kept], arm[r : r + 1, kept], event[r : r + 1, kept])
            scores, _ = impute_conditional_means(*part, model)
            values[i] = [analyse(scores[0], x[r, kept], target) for target in TARGETS]
        se = np.sqrt((n - 1) / n * ((values[:n] - values[:n].mean(axis=0)) ** 2).sum(axis=0))
        np.testing.assert_allclose(result.estimate[r], values[n], rtol=1e-8)
        np.testing.assert_allclose(result.se[r], se, rtol=1e-6)


@pytest.mark.parametrize("n_constant", [0, 1])
@pytest.mark.parametrize("intermittent", [False, True])
def test_imputation_model_is_the_mixed_model(n_constant, intermittent):
    y, x, arm, event = make_trials(intermittent=intermittent)
    model = Model("missing_at_random", (2,), n_constant)
    _, fits = impute_conditional_means(y, x, arm, event, model)
    contrast = np.zeros((N_VISITS, 4))
    contrast[-1, 2] = 1.0
    mixed = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=LADDER, n_constant=n_constant)
    np.testing.assert_allclose(fits.covariance[:, 0, 0], mixed.covariance, rtol=1e-6)
    np.testing.assert_allclose(fits.coefficients[:, 0, -1, 2], mixed.estimate, rtol=1e-6)


@pytest.mark.parametrize("by_arm", [False, True])
def test_gradient_without_a_participant_is_exact(by_arm):
    y, x, arm, event = make_trials(intermittent=True)
    grouped = group_participants(y, x, arm, event, Model("jump_to_reference", (2,)))
    problem = Problem(grouped, 1, by_arm, 2)
    whole = problem.products(grouped)
    sigma, information, _, _ = maximise(problem, whole)
    moved, _, sound = step_without_each(problem, grouped, whole, sigma, information)
    n_replicates, n_rows = grouped.group.shape
    trial, left_out = np.divmod(np.arange(n_replicates * n_rows), n_rows)
    products = problem.without(grouped, whole, trial, left_out)
    theta = problem.likelihood.start(sigma)[trial]
    state = problem.likelihood.evaluate(theta, products)
    gradient = problem.likelihood.slope(theta, state, products).gradient
    step = np.linalg.solve(information[trial], gradient[..., None])[..., 0]
    expected = problem.likelihood.covariance(step).reshape(moved.shape)
    np.testing.assert_allclose(moved - sigma[:, None], expected, atol=1e-9)
    assert sound.all()


def test_information_is_the_slope_of_the_gradient():
    y, x, arm, event = make_trials(intermittent=True)
    grouped = group_participants(y, x, arm, event, Model("jump_to_reference", (2,)))
    problem = Problem(grouped, 1, True, 2)
    products = problem.products(grouped)
    likelihood = problem.likelihood
    theta = likelihood.start(problem.start(products))
    state = likelihood.evaluate(theta, products)
    gradient = likelihood.slope(theta, state, products).gradient
    information = likelihood.observed(theta, state, products)
    for j in range(information.shape[1]):
        h = 1e-4
        unit = np.zeros_like(theta)
        unit[:, j] = h
        ends = [(theta + s * unit, likelihood.evaluate(theta + s * unit, products)) for s in (1.0, -1.0)]
        high, low = (likelihood.slope(*end, products).gradient for end in ends)
        np.testing.assert_allclose((low - high) / (2.0 * h), information[:, j], rtol=1e-5, atol=1e-7)
        by_value = (ends[0][1].loglik - ends[1][1].loglik) / (2.0 * h)
        np.testing.assert_allclose(by_value, gradient[:, j], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("by_arm", [False, True])
def test_one_step_is_near_the_full_refit(by_arm):
    data = make_trials(n=120, intermittent=True)
    model = Model("jump_to_reference", (2,), 1, by_arm=by_arm)
    full = conditional_mean(*data, TARGETS, model)
    step = conditional_mean(*data, TARGETS, model, jackknife="one_step")
    np.testing.assert_allclose(step.estimate, full.estimate, rtol=1e-12)  # one fit, in other company
    np.testing.assert_allclose(step.se, full.se, rtol=5e-3)


@pytest.mark.parametrize("strategy", ["missing_at_random", "jump_to_reference"])
@pytest.mark.parametrize("by_arm", [False, True])
def test_multiple_imputation_centres_on_the_conditional_mean(strategy, by_arm):
    """Bound of 4.9 Monte Carlo standard errors over draws, each trial: a shift of 0.3 of the drawn spread is seen."""
    data = make_trials(n=120, intermittent=True)
    model = Model(strategy, (2,), 1, by_arm=by_arm)
    n_draws = 300
    normals = draw_normals(np.random.default_rng(5), data[0].shape, 4, model, 2, n_draws)
    drawn = multiple_imputation(*data, TARGETS, model, normals)
    fixed = conditional_mean(*data, TARGETS, model)
    error = np.sqrt(drawn.pooled.between / n_draws)
    assert drawn.estimable.all()
    assert np.all(np.abs(drawn.pooled.estimate - fixed.estimate) < 4.9 * error)


def test_rubin_s_variance_agrees_with_the_mixed_model_under_missing_at_random():
    y, x, arm, event = make_trials(n=300, seed=8)
    model = Model("missing_at_random", (2,))
    normals = draw_normals(np.random.default_rng(6), y.shape, 4, model, 2, 400)
    pooled = multiple_imputation(y, x, arm, event, TARGETS[:1], model, normals).pooled
    contrast = np.zeros((N_VISITS, 4))
    contrast[-1, 2] = 1.0
    mixed = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=LADDER)
    np.testing.assert_allclose(pooled.se[:, 0], mixed.se, rtol=0.05)
