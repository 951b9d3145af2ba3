"""Latent correlations: exact cases, the way back, ends of the range, and the fast map from latent normals to scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trialsim.kernels.copula import (
    CorrelationError,
    ScoreTable,
    attainable_correlation,
    latent_correlation,
    rounded_correlation,
)
from trialsim.kernels.margins import BoundedMargins, fit_bounded_margins


def pair(r):
    return np.array([[1.0, r], [r, 1.0]])


def margin(mean, sd, maximum=27, step=1.0):
    return fit_bounded_margins(mean, sd, minimum=0, maximum=maximum, step=step)


def binary(p):
    return margin(p, np.sqrt(p * (1 - p)), maximum=1)


QIDS, QIDS_FLOOR = margin(15.4, 3.6), margin(0.7, 1.5)
MADRS = margin(31.5, 7.5, maximum=60)
BSL, BSL_CEILING = margin(2.2, 0.75, maximum=4, step=1 / 23), margin(3.8, 0.3, maximum=4, step=1 / 23)


@pytest.mark.parametrize("rho", [-1.0, -0.999, -0.96, -0.7, 0.0, 0.3, 0.9, 0.9499, 0.9501, 0.98, 0.999, 1.0])
def test_medians_follow_the_arcsine_law(rho):
    # Two normals cut at their medians correlate by 2 / pi arcsin(rho) (Sheppard 1899).
    halves = [binary(0.5), binary(0.5)]
    rounded = rounded_correlation(pair(rho), halves)[0, 1]
    assert rounded == pytest.approx(2 / np.pi * np.arcsin(rho), abs=1e-9)
    assert latent_correlation(pair(rounded), halves)[0, 1] == pytest.approx(rho, abs=1e-8)


@pytest.mark.parametrize("margins", [[QIDS, MADRS], [QIDS, BSL], [BSL, BSL], [QIDS_FLOOR, BSL], [BSL_CEILING, MADRS]])
@pytest.mark.parametrize("rho", [-0.97, -0.8, -0.2, 0.0, 0.45, 0.75, 0.949, 0.951, 0.99, 0.9999])
def test_the_way_there_and_back(margins, rho):
    rounded = rounded_correlation(pair(rho), margins)
    assert abs(rounded[0, 1]) <= abs(rho) + 1e-12  # rounding can only weaken a normal's correlation
    back = latent_correlation(rounded, margins)
    tolerance = 1e-8 if abs(rho) <= 0.95 else 1e-6
    assert back[0, 1] == pytest.approx(rho, abs=tolerance)
    assert back[1, 0] == back[0, 1]
    assert back[0, 0] == back[1, 1] == 1


@pytest.mark.parametrize("margins", [[binary(0.5)] * 2, [binary(0.05)] * 2, [QIDS, BSL], [QIDS_FLOOR] * 2])
def test_series_meets_the_exact_curve_at_its_limit(margins):
    # At 0.95 the truncated series answers, a hair above it the integral from the exact end.
    series = rounded_correlation(pair(0.95), margins)[0, 1]
    integral = rounded_correlation(pair(0.95 + 1e-13), margins)[0, 1]
    assert series == pytest.approx(integral, abs=1e-8)


def test_batches_and_mixed_grids():
    rng = np.random.default_rng(5)
    mean, sd = rng.uniform(6, 20, (3, 2)), rng.uniform(3, 5, (3, 2))
    margins = [margin(mean, sd), MADRS, None, margin(mean[:, :1] / 8, 0.7, maximum=4, step=1 / 23)]
    target = np.array([[1, 0.5, 0.3, 0.6], [0.5, 1, -0.2, 0.4], [0.3, -0.2, 1, 0.1], [0.6, 0.4, 0.1, 1]])
    latent = latent_correlation(np.broadcast_to(target, (3, 2, 4, 4)), margins)
    assert latent.shape == (3, 2, 4, 4)
    np.testing.assert_array_equal(latent, np.swapaxes(latent, -1, -2))
    np.testing.assert_allclose(rounded_correlation(latent, margins), np.broadcast_to(target, latent.shape), atol=1e-11)
    first = BoundedMargins(margins[0].values, *(part[2, 1] for part in margins[0][1:]))
    last = BoundedMargins(margins[3].values, *(part[2, 0] for part in margins[3][1:]))
    alone = latent_correlation(target, [first, MADRS, None, last])
    np.testing.assert_allclose(latent[2, 1], alone, atol=1e-10)


def test_continuous_variables_keep_their_correlation():
    target = np.array([[1, 0.99, -0.4], [0.99, 1, 1.0], [-0.4, 1.0, 1]])
    np.testing.assert_array_equal(latent_correlation(target, [None] * 3), target)
    np.testing.assert_array_equal(rounded_correlation(target, [None] * 3), target)


def test_continuous_with_bounded_is_linear():
    low, high = attainable_correlation(None, QIDS_FLOOR)
    assert low == -high
    latent = latent_correlation(pair(0.6), [None, QIDS_FLOOR])[0, 1]
    assert latent == pytest.approx(0.6 / high, rel=1e-12)
    assert latent_correlation(pair(-high), [QIDS_FLOOR, None])[0, 1] == pytest.approx(-1)
    assert rounded_correlation(pair(0.99), [None, QIDS_FLOOR])[0, 1] == pytest.approx(0.99 * high)


def test_same_margin_reaches_one_and_ends_are_latent_ones():
    assert attainable_correlation(QIDS_FLOOR, QIDS_FLOOR)[1] == pytest.approx(1, abs=1e-12)
    low, high = attainable_correlation(QIDS_FLOOR, BSL_CEILING)
    np.testing.assert_allclose(latent_correlation(pair(high), [QIDS_FLOOR, BSL_CEILING])[0, 1], 1)
    np.testing.assert_allclose(latent_correlation(pair(low), [QIDS_FLOOR, BSL_CEILING])[0, 1], -1)


def test_extreme_correlation_of_two_binaries_is_the_known_one():
    # Largest correlation of Bernoullis with p < q: sqrt(p (1 - q) / (q (1 - p))).
    p, q = 0.1, 0.6
    low, high = attainable_correlation(binary(p), binary(q))
    assert high == pytest.approx(np.sqrt(p * (1 - q) / (q * (1 - p))))
    assert low == pytest.approx(-np.sqrt(p * q / ((1 - p) * (1 - q))))


def test_impossible_pair_is_named_with_its_range():
    target = np.zeros((2, 3, 3)) + np.eye(3)
    target[1, 0, 2] = target[1, 2, 0] = 0.6
    target[0, 1, 2] = target[0, 2, 1] = 0.5
    margins = [QIDS_FLOOR, QIDS_FLOOR, BSL_CEILING]
    with pytest.raises(CorrelationError, match="variables 0 and 2 allow correlations from") as caught:
        latent_correlation(target, margins)
    assert caught.value.pair == (0, 2)
    assert caught.value.index == (1,)
    assert caught.value.target == 0.6
    assert caught.value.attainable == attainable_correlation(QIDS_FLOOR, BSL_CEILING)
    assert isinstance(caught.value, ValueError)


def test_impossible_with_a_continuous_variable():
    with pytest.raises(CorrelationError):
        latent_correlation(pair(0.9), [None, binary(0.02)])


@pytest.mark.parametrize("target", [pair(1.2), pair(np.nan), np.eye(3), np.ones(2)])
def test_targets_that_are_no_correlations(target):
    with pytest.raises(ValueError, match=r"between -1 and 1|need correlations of that size"):
        latent_correlation(target, [QIDS, MADRS])


def test_one_variable_has_no_pairs():
    np.testing.assert_array_equal(latent_correlation(np.eye(1), [QIDS]), np.eye(1))


def _searched(z, thresholds, values):
    return values[np.searchsorted(thresholds, z)]


@pytest.mark.parametrize("one", [QIDS, QIDS_FLOOR, MADRS, BSL, BSL_CEILING, binary(0.3), margin(13.5, 13.4)])
def test_scores_are_exactly_those_of_a_search(one):
    z = np.random.default_rng(3).standard_normal((40, 1000))
    z[0, : one.thresholds.size] = one.thresholds  # on the thresholds themselves, and one bit on either side
    z[1, : one.thresholds.size] = np.nextafter(one.thresholds, -np.inf)
    z[2, : one.thresholds.size] = np.nextafter(one.thresholds, np.inf)
    z[3, :2] = -np.inf, np.inf
    scores = ScoreTable(one.thresholds, one.values)(z)
    assert scores.shape == z.shape
    np.testing.assert_array_equal(scores, _searched(z, one.thresholds, one.values))


@settings(max_examples=100, deadline=None)
@given(
    thresholds=arrays(np.float64, st.integers(1, 40), elements=st.floats(-12, 12) | st.sampled_from([-np.inf, np.inf])),
    width=st.sampled_from([1.0, 1e-3, 1e-9, 1e-15]),
)
def test_scores_of_crowded_equal_and_infinite_thresholds(thresholds, width):
    cuts = np.sort(thresholds * width)
    values = np.linspace(0, 1, cuts.size + 1)
    z = np.concatenate([cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf), np.linspace(-9, 9, 101)])
    z = z[np.abs(z) != np.finfo(float).max]  # the neighbour of infinity is no latent value
    np.testing.assert_array_equal(ScoreTable(cuts, values)(z), _searched(z, cuts, values))


def test_scores_take_strided_and_empty_input():
    z = np.random.default_rng(4).standard_normal((50, 7))
    np.testing.assert_array_equal(
        ScoreTable(QIDS.thresholds, QIDS.values)(z[:, 3]), _searched(z[:, 3], QIDS.thresholds, QIDS.values)
    )
    assert ScoreTable(QIDS.thresholds, QIDS.values)(np.empty((0, 3))).shape == (0, 3)


def test_scores_of_nan_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        ScoreTable(QIDS.thresholds, QIDS.values)(np.array([0.0, np.nan]))
