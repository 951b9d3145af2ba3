"""What must not change a mixed model's answer, for any trial: units, order, names of arms, company."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.mmrm import fit_mmrm, pattern_statistics

SEEDS = st.integers(0, 2**32 - 1)
VISITS = st.integers(1, 4)
CLOSE = {"rtol": 1e-7, "atol": 1e-7}


def trials(seed, n_visits, *, intermittent, n_replicates=2, n=40):
    rng = np.random.default_rng(seed)
    sd = rng.uniform(2.0, 6.0, n_visits)
    lag = np.abs(np.subtract.outer(np.arange(n_visits), np.arange(n_visits)))
    covariance = np.outer(sd, sd) * rng.uniform(0.0, 0.9) ** lag
    y = 15.0 + rng.normal(size=(n_replicates, n, n_visits)) @ np.linalg.cholesky(covariance).T
    gone = rng.random(y.shape) < 0.1
    y[gone if intermittent else np.cumsum(gone, axis=2) > 0] = np.nan
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    x = np.stack([np.ones((n_replicates, n)), arm, rng.normal(0.0, 3.0, (n_replicates, n))], axis=2)
    return y, x


def fit(y, x):
    contrast = np.zeros((y.shape[2], x.shape[2]))
    contrast[-1, 1] = 1.0
    result = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=("unstructured",))
    assert np.all(result.rung == 0)
    return np.array([result.estimate, result.se, result.df])


@settings(max_examples=30, deadline=None)
@given(SEEDS, VISITS, st.booleans(), st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_of_the_scores(seed, n_visits, intermittent, shift, scale):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    expected = fit(y, x) * np.array([scale, scale, 1.0])[:, None]
    np.testing.assert_allclose(fit(scale * (shift + y), x) / scale, expected / scale, **CLOSE)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans())
def test_order_of_the_participants(seed, n_visits, intermittent):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    order = np.random.default_rng(seed).permutation(y.shape[1])
    np.testing.assert_allclose(fit(y[:, order], x[:, order]), fit(y, x), **CLOSE)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans())
def test_arms_swapped_change_the_sign_only(seed, n_visits, intermittent):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    swapped = x.copy()
    swapped[:, :, 1] = 1.0 - x[:, :, 1]
    np.testing.assert_allclose(fit(y, swapped), fit(y, x) * np.array([-1.0, 1.0, 1.0])[:, None], **CLOSE)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans(), st.floats(-5, 5), st.floats(-50, 50))
def test_covariates_in_other_units(seed, n_visits, intermittent, slope, shift):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    other = x.copy()
    other[:, :, 2] = shift + 3.0 * x[:, :, 2] + slope * x[:, :, 1]
    estimate, se, df = fit(y, x)
    moved = fit(y, other)
    # A covariate that carries part of the arm moves the contrast; one that does not, does not.
    if abs(slope) < 1e-12:
        np.testing.assert_allclose(moved, [estimate, se, df], **CLOSE)
    other[:, :, 2] -= slope * x[:, :, 1]
    np.testing.assert_allclose(fit(y, other), [estimate, se, df], **CLOSE)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans())
def test_a_pattern_that_nobody_has(seed, n_visits, intermittent):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    stats = pattern_statistics(y, x)[0]

    def with_empty(piece, axis):
        return np.concatenate([piece, np.zeros_like(np.take(piece, [0], axis=axis))], axis=axis)

    extra = np.ones((1, n_visits), dtype=bool)
    padded = stats._replace(
        observed=np.concatenate([stats.observed, extra]),
        counts=with_empty(stats.counts, 1),
        xx=with_empty(stats.xx, 1),
        xy=with_empty(stats.xy, 1),
        yy=with_empty(stats.yy, 1),
    )
    contrast = np.zeros((n_visits, 3))
    contrast[-1, 1] = 1.0
    for a, b in zip(
        fit_mmrm(padded, contrast, ladder=("unstructured",)),
        fit_mmrm(stats, contrast, ladder=("unstructured",)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans())
def test_company_of_other_trials(seed, n_visits, intermittent):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    other_y, other_x = trials(seed + 1, n_visits, intermittent=not intermittent, n_replicates=3)
    together = fit(np.concatenate([other_y, y]), np.concatenate([other_x, x]))[:, 3:]
    np.testing.assert_allclose(together, fit(y, x), rtol=1e-10, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(SEEDS, VISITS, st.booleans())
def test_participants_without_a_score(seed, n_visits, intermittent):
    y, x = trials(seed, n_visits, intermittent=intermittent)
    more_y = np.concatenate([y, np.full((2, 5, n_visits), np.nan)], axis=1)
    more_x = np.concatenate([x, x[:, :5]], axis=1)
    np.testing.assert_allclose(fit(more_y, more_x), fit(y, x), **CLOSE)
