"""Logistic regressions of whole blocks: closed forms, separation, and replicates without an answer."""

import numpy as np
import pytest

from trialsim.kernels.logistic import (
    COLLINEAR,
    FIRTH,
    MAXIMUM_LIKELIHOOD,
    NOT_BINARY,
    PIECE,
    SEPARATED,
    fit_logistic,
    likelihood_ratio_test,
    wald_test,
)

ARM = np.array([0.0, 1.0])


def two_arms(responders, n=10):
    """Return blocks of two arms of n with given numbers of responders, shape (R, 2): control, active."""
    responders = np.asarray(responders)
    arm = np.repeat([0, 1], n)
    y = np.concatenate([np.arange(n) < responders[:, [k]] for k in (0, 1)], axis=1).astype(float)
    x = np.broadcast_to(np.stack([np.ones(2 * n), arm], axis=1), (len(responders), 2 * n, 2)).copy()
    return x, y, np.ones(y.shape, dtype=bool)


def block(seed=0, n_replicates=5, n=60):
    rng = np.random.default_rng(seed)
    arm = np.broadcast_to(np.arange(n) % 2, (n_replicates, n)).astype(float)
    x = np.stack([np.ones((n_replicates, n)), arm, rng.normal(size=(n_replicates, n))], axis=2)
    y = (rng.random((n_replicates, n)) < 0.4).astype(float)
    return x, y, rng.random((n_replicates, n)) < 0.9


def test_two_arms_are_the_log_odds_ratio():
    result = wald_test(fit_logistic(*two_arms([[3, 6], [5, 5], [9, 1]])), ARM)
    np.testing.assert_allclose(result.estimate, np.log([6 * 7 / (4 * 3), 1.0, 1 / 81]), rtol=1e-12, atol=1e-12)
    cells = np.array([[3, 7, 6, 4], [5, 5, 5, 5], [9, 1, 1, 9]])
    np.testing.assert_allclose(result.se, np.sqrt((1.0 / cells).sum(axis=1)), rtol=1e-10)


@pytest.mark.parametrize("responders", [[0, 10], [0, 4], [10, 4], [0, 0], [10, 10]])
def test_firth_adds_half_a_response_to_every_cell(responders):
    never = fit_logistic(*two_arms([responders, [3, 6]]), penalty="never")
    assert never.reason.tolist() == [SEPARATED, 0]
    assert np.isnan(never.coefficients[0]).all()
    fit = fit_logistic(*two_arms([responders, [3, 6]]))
    assert fit.method.tolist() == [FIRTH, MAXIMUM_LIKELIHOOD]
    cells = [(k + 0.5) / (10.5 - k) for k in responders]
    assert wald_test(fit, ARM).estimate[0] == pytest.approx(np.log(cells[1] / cells[0]), abs=1e-9)
    assert likelihood_ratio_test(*two_arms([responders]), (1,)).reason[0] == 0


def test_likelihood_ratio_of_two_arms_by_hand():
    test = likelihood_ratio_test(*two_arms([[3, 6]]), (1,))
    seen, expected = np.array([3, 7, 6, 4]), np.array([4.5, 5.5, 4.5, 5.5])
    assert test.chi_square[0] == pytest.approx(2.0 * np.sum(seen * np.log(seen / expected)), rel=1e-12)
    everything = likelihood_ratio_test(*two_arms([[3, 6]]), (0, 1))
    assert everything.chi_square[0] == pytest.approx(2.0 * np.sum(seen * np.log(seen / 5.0)), rel=1e-12)


@pytest.mark.parametrize("penalty", ["never", "where separated", "always"])
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("one arm", COLLINEAR),
        ("nobody", COLLINEAR),
        ("one participant", COLLINEAR),
        ("infinite", NOT_BINARY),
        ("missing response", NOT_BINARY),
        ("a half", NOT_BINARY),
    ],
)
def test_a_bad_replicate_is_marked_and_its_mates_stay_the_same(penalty, case, reason):
    x, y, included = block()
    before = fit_logistic(x, y, included, penalty=penalty)
    first = np.flatnonzero(included[2])[0]
    if case == "one arm":
        x[2, :, 1] = 0.0
    elif case in ("nobody", "one participant"):
        included[2] = (np.arange(60) == first) & (case == "one participant")
    elif case == "infinite":
        x[2, first, 2] = np.inf
    else:
        y[2, first] = np.nan if case == "missing response" else 0.5
    after = fit_logistic(x, y, included, penalty=penalty)
    others = np.arange(5) != 2
    assert after.reason[2] == reason
    np.testing.assert_array_equal(after.estimable, others)
    for new, old in zip(after[:3], before[:3], strict=True):
        assert np.isnan(new[2]).all()
        np.testing.assert_allclose(new[others], old[others], rtol=1e-12, atol=1e-12)


def test_pieces_do_not_show():
    x, y, included = block(n_replicates=2 * PIECE + 3, n=30)
    fit = fit_logistic(x, y, included)
    part = fit_logistic(x[PIECE - 1 : PIECE + 1], y[PIECE - 1 : PIECE + 1], included[PIECE - 1 : PIECE + 1])
    np.testing.assert_allclose(fit.coefficients[PIECE - 1 : PIECE + 1], part.coefficients, rtol=1e-12)
    assert fit_logistic(x[:0], y[:0], included[:0]).coefficients.shape == (0, 3)


def test_covariates_on_odd_scales():
    x, y, included = block()
    plain = fit_logistic(x, y, included)
    x[:, :, 2] = 300.0 + 0.01 * x[:, :, 2]
    moved = fit_logistic(x, y, included)
    np.testing.assert_allclose(moved.coefficients[:, 1], plain.coefficients[:, 1], rtol=1e-6)
    np.testing.assert_allclose(moved.coefficients[:, 2], 100.0 * plain.coefficients[:, 2], rtol=1e-5)
