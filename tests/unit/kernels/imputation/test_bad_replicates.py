"""A trial that cannot be analysed is marked with a reason; the others of its block are as they would be without it."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.kernels.imputation import (
    REASONS,
    Model,
    Target,
    conditional_mean,
    draw_normals,
    impute_conditional_means,
    multiple_imputation,
)

N, V = 30, 3
TARGET = [Target(V - 1, (0.0, 1.0, 0.0))]


def sound(n_replicates=3):
    rng = np.random.default_rng(2)
    arm = np.tile(np.arange(N) % 2, (n_replicates, 1))
    x = np.stack([np.ones((n_replicates, N)), arm.astype(float), rng.normal(size=(n_replicates, N))], axis=2)
    y = rng.normal(size=(n_replicates, N, 1)) + rng.normal(size=(n_replicates, N, V)) + x[..., 2:]
    event = np.full((n_replicates, N), V)
    event[:, ::6], event[:, 1::6] = 1, 2
    y[np.arange(V) >= event[..., None]] = np.nan
    return y, x, arm, event


def arm_gone(y, x, arm, event):
    event[1, arm[1] == 1] = V - 1
    y[1, arm[1] == 1, -1] = np.nan


def nobody_at_a_visit(y, x, arm, event):
    y[1, :, 1] = np.nan


def all_equal(y, x, arm, event):
    y[1] = np.where(np.isnan(y[1]), np.nan, 7.3)


def constant_covariate(y, x, arm, event):
    x[1, :, 2] = 4.0


def collinear(y, x, arm, event):
    x[1, :, 2] = 1.0 - 2.0 * x[1, :, 1]


def infinite_score(y, x, arm, event):
    y[1, 3, 0] = np.inf


def infinite_covariate(y, x, arm, event):
    x[1, 3, 2] = np.nan


def nothing_seen(y, x, arm, event):
    y[1] = np.nan


def one_left(y, x, arm, event):
    y[1, 1:] = np.nan


def one_holds_up_an_arm(y, x, arm, event):
    lost = np.setdiff1d(np.flatnonzero(arm[1] == 1), 3)
    event[1, lost] = np.minimum(event[1, lost], V - 1)
    y[1, lost, -1] = np.nan


SPOILERS = {
    arm_gone: 2,
    nobody_at_a_visit: 2,
    all_equal: 2,
    constant_covariate: 2,
    collinear: 2,
    infinite_score: 1,
    infinite_covariate: 1,
    nothing_seen: 2,
    one_left: 2,
    one_holds_up_an_arm: 4,
}
MODELS = [
    Model("jump_to_reference", (1,)),
    Model("jump_to_reference", (1,), n_constant=1),
    Model("jump_to_reference", (1,), n_constant=1, by_arm=True),
]


@pytest.mark.parametrize("intermittent", [False, True])
@pytest.mark.parametrize("jackknife", ["full", "one_step"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("spoil", SPOILERS)
def test_jackknife_goes_on(spoil, model, jackknife, intermittent):
    data = sound()
    if intermittent:
        data[0][:, 4, 1] = np.nan
    clean = conditional_mean(*data, TARGET, model, jackknife=jackknife)
    spoil(*data)
    result = conditional_mean(*data, TARGET, model, jackknife=jackknife)
    assert clean.estimable.all()
    if spoil is one_holds_up_an_arm and model.by_arm:
        assert result.reason[1] != 0
    elif not (spoil is nobody_at_a_visit and model.by_arm):
        assert REASONS[result.reason[1]] == REASONS[SPOILERS[spoil]]
    assert np.isnan(result.se[1]).all()
    assert np.isnan(result.p[1]).all()
    for r in (0, 2):
        assert result.reason[r] == 0
        np.testing.assert_allclose(result.estimate[r], clean.estimate[r], rtol=1e-10)
        np.testing.assert_allclose(result.se[r], clean.se[r], rtol=1e-8)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("spoil", SPOILERS)
def test_multiple_imputation_goes_on(spoil, model):
    data = sound()
    normals = draw_normals(np.random.default_rng(1), data[0].shape, 3, model, 2, 4)
    clean = multiple_imputation(*data, TARGET, model, normals)
    spoil(*data)
    result = multiple_imputation(*data, TARGET, model, normals)
    assert clean.estimable.all()
    if spoil is not one_holds_up_an_arm:
        assert result.reason[1] != 0
        assert np.isnan(result.pooled.p[1]).all()
    np.testing.assert_allclose(result.estimates[[0, 2]], clean.estimates[[0, 2]], rtol=1e-8)


def test_participants_not_included_do_not_count():
    y, x, arm, event = sound()
    included = np.ones((3, N), dtype=bool)
    included[:, -4:] = False
    part = conditional_mean(y[:, :-4], x[:, :-4], arm[:, :-4], event[:, :-4], TARGET, MODELS[1])
    y[:, -1], x[:, -2] = np.inf, np.nan
    result = conditional_mean(y, x, arm, event, TARGET, MODELS[1], included=included)
    np.testing.assert_allclose(result.estimate, part.estimate, rtol=1e-10)
    np.testing.assert_allclose(result.se, part.se, rtol=1e-9)
    np.testing.assert_array_equal(result.n_analysed, N - 4)
    scores, _ = impute_conditional_means(y, x, arm, event, MODELS[1], included=included)
    assert np.isfinite(scores[:, :-4]).all()
    assert np.isnan(scores[:, -4:]).all()
