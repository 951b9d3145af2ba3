"""Cross-products per missingness pattern."""

import numpy as np
import pytest

from trialsim.kernels.mmrm import pattern_statistics


@pytest.fixture
def trials():
    rng = np.random.default_rng(3)
    y = rng.normal(size=(40, 30, 3))
    y[rng.random(y.shape) < 0.3] = np.nan
    x = np.concatenate([np.ones((40, 30, 1)), rng.normal(size=(40, 30, 2))], axis=2)
    return y, x


def test_against_a_loop(trials):
    y, x = trials
    stats = pattern_statistics(y, x)[0]
    assert not stats.monotone
    for r in (0, 31, 32, 39):
        for p, pattern in enumerate(stats.observed):
            inside = [i for i in range(30) if np.array_equal(~np.isnan(y[r, i]), pattern)]
            seen = np.where(pattern, y[r, inside], 0.0)
            assert stats.counts[r, p] == len(inside)
            np.testing.assert_allclose(stats.xx[r, p], x[r, inside].T @ x[r, inside], atol=1e-12)
            np.testing.assert_allclose(stats.xy[r, p], x[r, inside].T @ seen, atol=1e-12)
            np.testing.assert_allclose(stats.yy[r, p], seen.T @ seen, atol=1e-12)


def test_every_pattern_but_the_empty_one_is_listed_once(trials):
    y, x = trials
    stats = pattern_statistics(y, x)[0]
    assert len(stats.observed) == 7
    assert len({tuple(row) for row in stats.observed}) == 7
    assert stats.observed.any(axis=1).all()
    np.testing.assert_array_equal(stats.participants, (~np.isnan(y)).any(axis=2).sum(axis=1))


def test_sizes_are_the_trials_of_the_first_participants(trials):
    y, x = trials
    for n, stats in zip((7, 20, 30), pattern_statistics(y, x, sizes=(7, 20, 30)), strict=True):
        alone = pattern_statistics(y[:, :n], x[:, :n])[0]
        for p, pattern in enumerate(stats.observed):
            same = np.flatnonzero((alone.observed == pattern).all(axis=1))
            if len(same):
                np.testing.assert_allclose(stats.yy[:, p], alone.yy[:, same[0]], atol=1e-12)
                np.testing.assert_array_equal(stats.counts[:, p], alone.counts[:, same[0]])
            else:
                assert not stats.counts[:, p].any()


@pytest.mark.parametrize("n_participants", [1500, 6000])
def test_trials_too_large_to_be_worked_on_together_are_all_summed_up(n_participants):
    """Of these, a few or one at a time fit into the processor's cache."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=(11, n_participants, 4))
    y[rng.random(y.shape[:2]) < 0.2, 3] = np.nan
    x = np.concatenate([np.ones((11, n_participants, 1)), rng.normal(size=(11, n_participants, 2))], axis=2)
    [stats] = pattern_statistics(y, x)
    whole = np.flatnonzero(stats.observed.all(axis=1))[0]
    for r in range(11):
        inside = ~np.isnan(y[r, :, 3])
        assert stats.counts[r, whole] == inside.sum()
        np.testing.assert_allclose(stats.xy[r, whole], x[r, inside].T @ y[r, inside], atol=1e-9)
        np.testing.assert_allclose(stats.xx[r].sum(axis=0), x[r].T @ x[r], atol=1e-9)


def test_those_not_included_are_left_out(trials):
    y, x = trials
    included = np.broadcast_to(np.arange(30) < 12, (40, 30))
    chosen = pattern_statistics(y, x, included=included)[0]
    alone = pattern_statistics(y[:, :12], x[:, :12])[0]
    np.testing.assert_array_equal(chosen.observed, alone.observed)
    np.testing.assert_allclose(chosen.yy, alone.yy, atol=1e-12)


def test_monotone_patterns_are_recognised():
    y = np.zeros((1, 4, 3))
    for i in range(4):
        y[0, i, i:] = np.nan
    x = np.ones((1, 4, 1))
    assert pattern_statistics(y, x)[0].monotone
    y[0, 1, 2] = 0.0
    assert not pattern_statistics(y, x)[0].monotone


def test_nobody_observed_at_all():
    stats = pattern_statistics(np.full((3, 5, 2), np.nan), np.ones((3, 5, 1)))[0]
    assert stats.observed.shape == (0, 2)
    np.testing.assert_array_equal(stats.participants, 0.0)
