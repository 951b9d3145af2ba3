"""What must not change a reference-based imputation, or change it in a known way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from trialsim.kernels.imputation import (
    STRATEGIES,
    Model,
    Target,
    conditional_mean,
    draw_normals,
    multiple_imputation,
)

TARGETS = [Target(2, (0.0, 0.0, 1.0))]
V = 3


def make_trials(seed, n_replicates=3, n=30, *, intermittent=True):
    rng = np.random.default_rng(seed)
    arm = np.tile(np.arange(n) % 2, (n_replicates, 1))
    baseline = rng.normal(0.0, 1.0, (n_replicates, n))
    x = np.stack([np.ones((n_replicates, n)), baseline, arm.astype(float)], axis=2)
    shared = rng.normal(size=(n_replicates, n, 1))
    y = shared + baseline[..., None] - arm[..., None] + rng.normal(size=(n_replicates, n, V))
    event = np.where(rng.random((n_replicates, n)) < 0.3, rng.integers(1, V, (n_replicates, n)), V)
    y[np.arange(V) >= event[..., None]] = np.nan
    if intermittent:
        # Only some trials, so that trials with and without share a block.
        y[0, :4, 1] = np.nan
    return y, x, arm, event


models = st.builds(
    Model,
    strategy=st.sampled_from(sorted(STRATEGIES)),
    arm_columns=st.just((2,)),
    n_constant=st.sampled_from([0, 1]),
    by_arm=st.booleans(),
    reference=st.just(0),
)
seeds = st.integers(0, 10_000)


def constant_last(data, model):
    """Put the baseline last, so that it, not the arm, is what may be constant over visits."""
    y, x, arm, event = data
    return (y, x[..., [0, 2, 1]], arm, event), [Target(2, (0.0, 1.0, 0.0))], model._replace(arm_columns=(1,))


@settings(max_examples=15, deadline=None)
@given(seeds, models, st.sampled_from(["full", "one_step"]))
def test_a_block_is_its_trials_one_by_one(seed, model, jackknife):
    data, targets, model = constant_last(make_trials(seed), model)
    block = conditional_mean(*data, targets, model, jackknife=jackknife)
    for r in range(len(data[0])):
        one = conditional_mean(*(piece[r : r + 1] for piece in data), targets, model, jackknife=jackknife)
        assert one.reason[0] == block.reason[r]
        np.testing.assert_allclose(one.estimate[0], block.estimate[r], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(one.se[0], block.se[r], rtol=1e-10)


@settings(max_examples=15, deadline=None)
@given(seeds, models, st.floats(0.1, 20.0), st.floats(-50.0, 50.0))
def test_shifting_and_scaling_scores(seed, model, scale, shift):
    data, targets, model = constant_last(make_trials(seed), model)
    plain = conditional_mean(*data, targets, model)
    moved = conditional_mean(shift + scale * data[0], *data[1:], targets, model)
    np.testing.assert_array_equal(moved.reason, plain.reason)
    np.testing.assert_allclose(moved.estimate, scale * plain.estimate, rtol=1e-6, atol=1e-6 * scale)
    np.testing.assert_allclose(moved.se, scale * plain.se, rtol=1e-5)


@settings(max_examples=10, deadline=None)
@given(seeds, models)
def test_reordering_participants(seed, model):
    data, targets, model = constant_last(make_trials(seed), model)
    order = np.random.default_rng(seed).permutation(data[0].shape[1])
    plain = conditional_mean(*data, targets, model)
    moved = conditional_mean(*(piece[:, order] for piece in data), targets, model)
    # Sums in another order move where an iteration stops: far below anything that matters beside a standard error.
    assert np.all(np.abs(moved.estimate - plain.estimate) <= 1e-6 * plain.se)
    np.testing.assert_allclose(moved.se, plain.se, rtol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seeds, models)
def test_complete_data_need_no_imputation(seed, model):
    (_, x, arm, event), targets, model = constant_last(make_trials(seed), model)
    y = np.random.default_rng(seed).normal(size=(*arm.shape, V))
    result = conditional_mean(y, x, arm, np.full_like(event, V), targets, model)
    for r in range(len(y)):
        beta = np.linalg.lstsq(x[r], y[r, :, 2], rcond=None)[0]
        assert result.estimate[r, 0] == pytest.approx(beta[1], abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(-3.0, 3.0))
def test_delta_is_linear_and_the_tipping_point_tips(seed, points):
    y, x, arm, event = make_trials(seed, intermittent=False)
    y = y - 2.0 * arm[..., None]
    model = Model("jump_to_reference", (2,))
    unit = np.where(arm == 1, 1.0, 0.0)[..., None]
    one = conditional_mean(y, x, arm, event, TARGETS, model, delta=unit)
    some = conditional_mean(y, x, arm, event, TARGETS, model, delta=points * unit)
    np.testing.assert_allclose(some.estimate, one.estimate + (points - 1.0) * one.slope, atol=1e-9)
    tipping = one.tipping_point()
    for r in np.flatnonzero(np.isfinite(tipping[:, 0]) & (tipping[:, 0] > 0)):
        rows = slice(r, r + 1)
        data = y[rows], x[rows], arm[rows], event[rows]
        at = conditional_mean(*data, TARGETS, model, delta=tipping[r, 0] * unit[rows])
        assert at.p[0, 0] == pytest.approx(0.05, abs=1e-8)
        assert at.p[0, 0] == pytest.approx(2 * ndtr(-abs(at.statistic[0, 0])))
        before = conditional_mean(*data, TARGETS, model, delta=0.5 * tipping[r, 0] * unit[rows])
        assert before.p[0, 0] < 0.05


@settings(max_examples=6, deadline=None)
@given(seeds, models)
def test_multiple_imputation_of_a_block_is_its_trials_one_by_one(seed, model):
    data, targets, model = constant_last(make_trials(seed), model)
    normals = draw_normals(np.random.default_rng(seed), data[0].shape, 3, model, 2, 5)
    block = multiple_imputation(*data, targets, model, normals)
    for r in range(len(data[0])):
        rows = slice(r, r + 1)
        part = type(normals)(*(piece[rows] for piece in normals))
        one = multiple_imputation(*(piece[rows] for piece in data), targets, model, part)
        assert one.reason[0] == block.reason[r]
        np.testing.assert_allclose(one.estimates[0], block.estimates[r], rtol=1e-10, atol=1e-10)
