"""Rank tests of whole blocks: cases by hand, infinite scores, and replicates without an answer."""

import numpy as np
import pytest

from trialsim.kernels.ranks import (
    EMPTY_ARM,
    FINE,
    NO_SPREAD,
    NO_STRATUM,
    TIES,
    hodges_lehmann,
    null_distribution,
    rank_sum_test,
    van_elteren_test,
)


def block(seed=0, n_replicates=5, n=16):
    rng = np.random.default_rng(seed)
    active = np.broadcast_to(np.arange(n) % 2 == 1, (n_replicates, n))
    return rng.normal(20.0, 4.0, (n_replicates, n)), active, ~active


def test_by_hand():
    y = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    active = np.array([[False, False, False, True, True, True]])
    exact = rank_sum_test(y, active, ~active, exact=True)
    assert exact.w[0] == 9
    assert exact.p[0] == pytest.approx(2.0 / 20.0, rel=1e-14)
    assert exact.superiority[0] == 1.0
    assert hodges_lehmann(y, active, ~active).estimate[0] == 3.0


def test_worst_outcomes_rank_below_all_scores():
    y, active, control = block()
    finite = np.where(active & (np.arange(16) < 4), 1000.0, y)
    infinite = np.where(finite == 1000.0, np.inf, finite)
    for a, b in zip(rank_sum_test(infinite, active, control), rank_sum_test(finite, active, control), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("case", "reason"), [("empty arm", EMPTY_ARM), ("nobody", EMPTY_ARM), ("all equal", NO_SPREAD), ("ties", TIES)]
)
def test_a_bad_replicate_is_marked_and_its_mates_stay_the_same(case, reason):
    y, active, control = block()
    before = rank_sum_test(y, active, control, exact=True)
    y = y.copy()
    if case == "empty arm":
        y[2, active[2]] = np.nan
    elif case == "ties":
        y[2, :2] = 3.0
    else:
        y[2] = np.nan if case == "nobody" else 7.0
    after = rank_sum_test(y, active, control, exact=True)
    others = np.arange(5) != 2
    assert after.reason[2] == reason
    np.testing.assert_array_equal(after.estimable, others)
    for new, old in zip(after[:4], before[:4], strict=True):
        assert np.isnan(new[2])
        np.testing.assert_array_equal(new[others], old[others])


def test_one_stratum_is_the_rank_sum_test():
    y, active, control = block()
    stratum = np.zeros(y.shape, dtype=int)
    one = van_elteren_test(y, active, control, stratum, n_strata=1)
    plain = rank_sum_test(y, active, control, continuity=False)
    np.testing.assert_allclose(one.z, plain.z, rtol=1e-13)
    np.testing.assert_allclose(one.superiority, plain.superiority, rtol=1e-13)


def test_a_stratum_with_one_arm_adds_nothing():
    y, active, control = block()
    stratum = np.broadcast_to((np.arange(16) >= 10) & (np.arange(16) % 2 == 1), y.shape).astype(int)
    both = van_elteren_test(y, active, control, stratum, n_strata=2)
    kept = stratum == 0
    alone = van_elteren_test(y, active & kept, control & kept, stratum, n_strata=1)
    np.testing.assert_allclose(both.z, alone.z, rtol=1e-13)
    none = van_elteren_test(y, active, control, active.astype(int), n_strata=2)
    assert (none.reason == NO_STRATUM).all()
    assert np.isnan(none.p).all()


def test_small_arms_have_endless_shifts():
    y, active, control = block(n=4)
    shift = hodges_lehmann(y, active, control)
    assert (shift.reason == FINE).all()
    assert np.isinf(shift.low).all()
    assert np.isinf(shift.high).all()
    y = y.copy()
    y[:, active[0]] = np.nan
    assert np.isnan(hodges_lehmann(y, active, control).estimate).all()


def test_null_distribution_is_one_and_symmetric():
    for m, n in ((1, 1), (5, 9), (40, 30)):
        probabilities = null_distribution(m, n)
        assert probabilities.sum() == pytest.approx(1.0, rel=1e-13)
        np.testing.assert_allclose(probabilities, probabilities[::-1], rtol=1e-11)
