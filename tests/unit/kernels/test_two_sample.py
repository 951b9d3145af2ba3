"""t tests of whole blocks: a case by hand, and replicates without an answer."""

import numpy as np
import pytest

from trialsim.kernels.two_sample import FINE, NO_SPREAD, NOT_FINITE, REASONS, TOO_FEW, pooled_t_test, welch_t_test

TESTS = pytest.mark.parametrize("test", [pooled_t_test, welch_t_test])


def block(seed=0, n_replicates=5, n=12):
    rng = np.random.default_rng(seed)
    active = np.broadcast_to(np.arange(n) % 2 == 1, (n_replicates, n))
    return rng.normal(20.0, 4.0, (n_replicates, n)), active, ~active


def test_by_hand():
    y = np.array([[1.0, 2.0, 3.0, 7.0, 8.0, 12.0]])
    active = np.array([[False, False, False, True, True, True]])
    result = pooled_t_test(y, active, ~active)
    assert result.estimate[0] == 7.0
    assert result.se[0] == pytest.approx(np.sqrt((2.0 + 14.0) / 4.0 * 2.0 / 3.0), rel=1e-14)
    assert result.df[0] == 4
    assert welch_t_test(y, active, ~active).df[0] == pytest.approx((1 + 7) ** 2 / (1 / 2 + 49 / 2), rel=1e-14)


@TESTS
@pytest.mark.parametrize(
    ("case", "reason"),
    [("empty arm", TOO_FEW), ("all equal", NO_SPREAD), ("infinite", NOT_FINITE), ("nobody", TOO_FEW)],
)
def test_a_bad_replicate_is_marked_and_its_mates_stay_the_same(test, case, reason):
    y, active, control = block()
    before = test(y, active, control)
    y = y.copy()
    if case == "empty arm":
        y[2, active[2]] = np.nan
    elif case == "nobody":
        y[2] = np.nan
    else:
        y[2] = 19.7 if case == "all equal" else np.where(np.arange(12) == 3, np.inf, y[2])
    after = test(y, active, control)
    others = np.arange(5) != 2
    assert after.reason[2] == reason
    assert REASONS[after.reason[2]]
    np.testing.assert_array_equal(after.estimable, others)
    for new, old in zip(after[:5], before[:5], strict=True):
        assert np.isnan(new[2])
        np.testing.assert_array_equal(new[others], old[others])


@TESTS
def test_one_participant(test):
    result = test(np.array([[3.0]]), np.array([[True]]), np.array([[False]]))
    assert result.reason[0] == TOO_FEW


def test_the_third_arm_does_not_count():
    y, active, control = block()
    wide = np.concatenate([y, np.full((5, 4), 1e6)], axis=1)
    pad = np.zeros((5, 4), dtype=bool)
    first, again = (
        welch_t_test(y, active, control),
        welch_t_test(wide, np.hstack([active, pad]), np.hstack([control, pad])),
    )
    np.testing.assert_allclose(again.t, first.t, rtol=1e-13)


def test_large_scores_lose_no_digits():
    y, active, control = block()
    np.testing.assert_allclose(
        pooled_t_test(y + 1e8, active, control).t, pooled_t_test(y, active, control).t, rtol=1e-6
    )
    assert (pooled_t_test(y, active, control).reason == FINE).all()
