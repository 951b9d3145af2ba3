"""Whatever the data, a fit is an answer or a failure: never a crash, a warning or half an answer."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.least_squares import fit_least_squares, moments
from trialsim.kernels.mmrm import FAILED, LADDER, fit_mmrm, pattern_statistics


@st.composite
def trials(draw):
    """Blocks of 1 to 4 trials of 1 to 14 participants, 1 to 4 visits, coarse scores, any missingness."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_replicates, n, n_visits = draw(st.integers(1, 4)), draw(st.integers(1, 14)), draw(st.integers(1, 4))
    spread = draw(st.sampled_from([0.3, 3.0, 30.0]))
    common = rng.normal(size=(n_replicates, n, 1))
    y = np.round(10 + spread * (common + rng.normal(size=(n_replicates, n, n_visits))))
    y[rng.random(y.shape) < draw(st.sampled_from([0.0, 0.2, 0.6]))] = np.nan
    if draw(st.booleans()):
        y[np.cumsum(np.isnan(y), axis=2) > 0] = np.nan
    arm = rng.integers(0, 2, (n_replicates, n))
    x = np.stack([np.ones((n_replicates, n)), arm, np.round(rng.normal(20, 2, (n_replicates, n)))], axis=2)
    return y, x


@settings(max_examples=60, deadline=None)
@given(trials())
def test_mixed_models(block):
    y, x = block
    contrast = np.zeros((y.shape[2], 3))
    contrast[-1, 1] = 1.0
    fit = fit_mmrm(pattern_statistics(y, x)[0], contrast, ladder=LADDER)
    numbers = np.array([fit.estimate, fit.se, fit.df])
    done = fit.rung != FAILED
    assert np.isfinite(numbers[:, done]).all()
    assert np.isnan(numbers[:, ~done]).all()
    assert np.all(fit.se[done] > 0)
    assert np.all(fit.df[done] > 0)


@settings(max_examples=60, deadline=None)
@given(trials())
def test_regressions(block):
    y, x = block
    seen = ~np.isnan(y[:, :, -1])
    products, counts = moments(x, y[:, :, -1], seen)
    fit = fit_least_squares(products[0], counts[0], np.array([0.0, 1.0, 0.0]))
    for r in range(len(y)):
        rank = np.linalg.matrix_rank(x[r, seen[r]]) if seen[r].any() else 0
        assert fit.estimable[r] == (rank == 3 and counts[0, r] > 3)
    numbers = np.array(fit[:3])
    assert np.isfinite(numbers[:, fit.estimable]).all()
    assert np.isnan(numbers[:, ~fit.estimable]).all()
