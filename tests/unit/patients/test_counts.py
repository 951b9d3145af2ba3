"""Counted events: exact quantiles, draws that stay where they are, and no more events under a lower rate."""

import numpy as np
import pytest
from scipy import stats

from trials import CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.patients.counts import poisson_quantile
from trialsim.streams import Streams

COUNT = {"rate_per_year": 20.0, "dispersion": 1.5, "rate_ratio": {"active": 0.5}}


def cohort(count=COUNT, *, changes=None, n=60, others=None):
    resolved = resolve(CONTINUOUS, {"counts": {"harm": count, **(others or {})}, **(changes or {})})
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


@pytest.mark.parametrize("mean", [1e-12, 0.01, 0.3, 1.0, 4.2, 37.0, 612.0, 9000.0])
def test_quantiles_are_exact(mean):
    # On both sides of every step near the middle, and far into both tails.
    steps = stats.poisson.cdf(np.arange(stats.poisson.ppf(0.999, mean) + 2), mean)
    u = np.concatenate([steps * (1 - 1e-9), steps * (1 + 1e-9), np.linspace(0.0, 0.9999999, 997), [1 - 1e-13]])
    u = u[u < 1.0]
    expected = np.maximum(stats.poisson.ppf(u, mean), 0.0)
    np.testing.assert_array_equal(poisson_quantile(u, np.full(len(u), mean)), expected)


def test_nobody_without_a_rate_has_an_event():
    np.testing.assert_array_equal(poisson_quantile(np.array([0.0, 0.5, 1 - 1e-16]), np.zeros(3)), 0.0)


def test_counts_have_their_axes_and_are_whole():
    counts = cohort(others={"visits": {"rate_per_year": 3.0}}).counts
    assert counts.shape == (250, 60, 3, 2)
    assert np.all((counts >= 0) & (counts == np.floor(counts)))


def test_without_counts_there_are_none():
    resolved = resolve(CONTINUOUS)
    trial = draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), 20)
    assert trial.counts is None
    assert trial.observed_counts is None


def test_the_first_patients_of_a_larger_trial_are_those_of_the_smaller_one():
    np.testing.assert_array_equal(cohort(n=160).counts[:, :80], cohort(n=80).counts)


def test_the_rate_of_an_arm_moves_nobody_of_another():
    base, other = cohort(), cohort({**COUNT, "rate_ratio": {"active": 0.2}})
    control = base.arm == 0
    np.testing.assert_array_equal(other.counts[control], base.counts[control])
    assert np.all(other.counts[~control] <= base.counts[~control])
    assert other.counts[~control].sum() < base.counts[~control].sum()


def test_neither_another_count_nor_another_visit_nor_scores_are_moved():
    base = cohort()
    more = cohort(others={"visits": {"rate_per_year": 3.0}})
    np.testing.assert_array_equal(more.counts[..., 0], base.counts[..., 0])
    np.testing.assert_array_equal(more.scores, base.scores)
    means = {"control": [18.0, 16.0, 15.0, 15.0], "active": [18.0, 16.0, 15.0, 15.0]}
    longer = cohort(changes={"schedule.visits": [3, 7, 14, 28], "course.means.score": means})
    np.testing.assert_array_equal(longer.counts[:, :, :3], base.counts)


def test_more_dispersion_keeps_the_mean_rate_of_nobody_but_the_order_of_all():
    calm, wild = cohort({**COUNT, "dispersion": 0.5}), cohort({**COUNT, "dispersion": 3.0})
    # The same uniform number ranks a patient's rate, so that who has many events has them in both.
    totals = [trial.counts.sum(axis=(2, 3)).reshape(-1) for trial in (calm, wild)]
    assert stats.spearmanr(*totals).statistic > 0.7


def test_who_leaves_is_not_followed():
    trial = cohort(changes={"dropout": {"model": "mcar", "missing_by": {3: 0.2, 14: 0.4}}})
    seen = trial.observed_counts[..., 0]
    np.testing.assert_array_equal(np.isnan(seen), ~trial.present)
    np.testing.assert_array_equal(seen[trial.present], trial.counts[..., 0][trial.present])
    complete = cohort()
    np.testing.assert_array_equal(trial.counts, complete.counts)
