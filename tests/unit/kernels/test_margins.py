"""Margins of bounded scores: moments after rounding, what a scale can have, and the step function's coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.margins import (
    BoundedMargins,
    MarginError,
    attainable_sd,
    fit_bounded_margins,
    hermite_coefficients,
    step_coefficients,
)

QIDS = {"minimum": 0, "maximum": 27, "step": 1}
MADRS = {"minimum": 0, "maximum": 60, "step": 1}
BSL = {"minimum": 0, "maximum": 4, "step": 1 / 23}


@pytest.mark.parametrize(
    ("scale", "mean", "sd"),
    [
        (QIDS, 15.4, 3.6),
        (QIDS, 1.0, 1.4),  # near the floor
        (QIDS, 0.05, 0.4),
        (QIDS, 26.5, 1.1),  # near the ceiling
        (QIDS, 13.5, 12.9),  # two heaps, at the ends
        (QIDS, 13.5, 0.5000001),  # hardly more than the two scores next to the mean
        (QIDS, 13.0, 0.01),
        (MADRS, 31.5, 7.5),
        (MADRS, 3.0, 4.0),
        (BSL, 2.21, 0.74),
        (BSL, 0.1, 0.2),
        (BSL, 3.9, 0.15),
        ({"minimum": -2, "maximum": 7, "step": 0.5}, 6.1, 1.0),
        ({"minimum": 0, "maximum": 2, "step": 1}, 0.4, 0.6),
    ],
)
def test_mean_and_sd_after_rounding_are_those_asked_for(scale, mean, sd):
    margins = fit_bounded_margins(mean, sd, **scale)
    p, values = margins.probabilities, margins.values
    assert values[0] == scale["minimum"]
    assert values[-1] == scale["maximum"]
    np.testing.assert_allclose(np.diff(values), scale["step"], rtol=1e-12)
    assert p.sum() == pytest.approx(1, abs=1e-13)
    assert (p >= 0).all()
    assert p @ values == pytest.approx(mean, abs=1e-10)
    assert np.sqrt(p @ (values - p @ values) ** 2) == pytest.approx(sd, abs=1e-10)
    assert margins.mean == pytest.approx(mean, abs=1e-10)
    assert margins.sd == pytest.approx(sd, abs=1e-10)


def test_batched_fit_equals_one_at_a_time():
    mean = np.array([[18.0, 9.0, 0.4], [5.0, 26.0, 13.5]])
    sd = np.array([[3.6, 5.0, 0.9], [4.5, 1.0, 13.5]])
    margins = fit_bounded_margins(mean, sd, **QIDS)
    assert margins.probabilities.shape == (2, 3, 28)
    assert margins.thresholds.shape == (2, 3, 27)
    assert margins.mean.shape == margins.sd.shape == (2, 3)
    for index in np.ndindex(2, 3):
        alone = fit_bounded_margins(mean[index], sd[index], **QIDS)
        np.testing.assert_allclose(margins.probabilities[index], alone.probabilities, atol=1e-12)
        np.testing.assert_allclose(margins.thresholds[index], alone.thresholds, rtol=1e-9)


def test_mean_and_sd_broadcast():
    assert fit_bounded_margins(np.array([5.0, 9.0, 14.0]), 4.0, **QIDS).mean.shape == (3,)


@settings(max_examples=60, deadline=None)
@given(
    levels=st.integers(2, 100),
    step=st.sampled_from([0.1, 0.5, 1.0, 1 / 23]),
    place=st.floats(0.001, 0.999),
    share=st.floats(0.0, 1.0),
)
def test_every_attainable_pair_is_found(levels, step, place, share):
    scale = {"minimum": -1.0, "maximum": -1.0 + levels * step, "step": step}
    mean = -1.0 + place * levels * step
    low, high = attainable_sd(mean, **scale)
    sd = max(float(low + share * (high - low)), 1e-4 * step)
    margins = fit_bounded_margins(mean, sd, **scale)
    assert margins.mean == pytest.approx(mean, abs=1e-10)
    assert margins.sd == pytest.approx(sd, abs=1e-10)


def test_ends_of_the_attainable_range_are_two_scores():
    low, high = attainable_sd(10.25, **QIDS)
    assert low == pytest.approx(np.sqrt(0.25 * 0.75))
    assert high == pytest.approx(np.sqrt(10.25 * 16.75))
    lowest = fit_bounded_margins(10.25, low, **QIDS)
    np.testing.assert_allclose(lowest.probabilities[[10, 11]], [0.75, 0.25])
    highest = fit_bounded_margins(10.25, high, **QIDS)
    np.testing.assert_allclose(highest.probabilities[[0, 27]], [16.75 / 27, 10.25 / 27])


def test_a_mean_on_the_grid_has_a_lowest_sd_of_zero():
    low, _ = attainable_sd(np.arange(1, 92) / 23, **BSL)
    assert (low == 0).all()


@pytest.mark.parametrize(
    ("mean", "sd", "low", "high"),
    [(20.5, 0.4, 0.5, np.sqrt(20.5 * 6.5)), (26.0, 5.2, 0.0, np.sqrt(26.0)), (13.0, 0.0, 0.0, 13.490737563232042)],
)
def test_sd_out_of_reach_names_the_range(mean, sd, low, high):
    with pytest.raises(MarginError, match="allows an SD from") as caught:
        fit_bounded_margins(np.array([[10.0, mean]]), np.array([[4.0, sd]]), **QIDS)
    assert isinstance(caught.value, ValueError)
    assert caught.value.index == (0, 1)
    assert (caught.value.mean, caught.value.sd) == (mean, sd)
    assert caught.value.attainable_sd == pytest.approx((low, high))


@pytest.mark.parametrize("mean", [0.0, 27.0, -1.0, 28.5, np.nan])
def test_mean_outside_the_scale(mean):
    with pytest.raises(MarginError, match="not strictly inside") as caught:
        fit_bounded_margins(mean, 1.0, **QIDS)
    assert caught.value.index == ()
    assert np.isnan(caught.value.attainable_sd).all()


@pytest.mark.parametrize(
    "scale", [(0, 0, 1), (0, 10, 0), (0, 10, -1), (0, 10, 3), (0, np.inf, 1), (0, 0.4, 1), (np.nan, 1, 1)]
)
def test_scales_that_are_no_grid(scale):
    minimum, maximum, step = scale
    with pytest.raises(ValueError, match=r"a scale needs|whole number of steps"):
        fit_bounded_margins(0.2, 0.1, minimum=minimum, maximum=maximum, step=step)


def test_thresholds_cut_the_normal_into_the_probabilities():
    from scipy.special import ndtr

    margins = fit_bounded_margins(np.array([0.3, 14.0, 26.0]), np.array([0.8, 5.0, 1.2]), **QIDS)
    below = ndtr(margins.thresholds)
    np.testing.assert_allclose(np.diff(below, prepend=0, append=1, axis=-1), margins.probabilities, atol=1e-14)
    assert (margins.thresholds[:, 1:] >= margins.thresholds[:, :-1]).all()


@pytest.mark.parametrize(("scale", "mean", "sd"), [(QIDS, 12, 4.5), (MADRS, 25, 9), (BSL, 2, 0.8), (BSL, 0.2, 0.3)])
def test_squared_coefficients_add_to_the_variance(scale, mean, sd):
    # Steps make the sum converge as order^-1/2: the first 4,000 leave out 1 % at most.
    c = hermite_coefficients(fit_bounded_margins(mean, sd, **scale), order=4000)
    assert 0.99 * sd**2 < np.sum(c**2) < sd**2 * (1 + 1e-12)


def test_coefficients_of_one_cut_are_the_known_ones():
    # sign-like step at 0: c_1 = phi(0), c_2 = 0, c_3 = -phi(0) / sqrt(6).
    phi0 = 1 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(
        step_coefficients(np.array([0.0]), np.array([1.0]), order=3), [phi0, 0, -phi0 / np.sqrt(6)], atol=1e-16
    )


def test_infinite_thresholds_add_nothing():
    plain = step_coefficients(np.array([-0.5, 1.0]), np.array([1.0, 2.0]))
    padded = step_coefficients(np.array([-np.inf, -0.5, 1.0, np.inf]), np.array([5.0, 1.0, 2.0, 7.0]))
    np.testing.assert_array_equal(plain, padded)
    assert np.isfinite(plain).all()


def test_coefficients_of_a_batch_are_those_of_its_members():
    margins = fit_bounded_margins(np.array([[12.0, 3.0]]), 2.5, **QIDS)
    c = hermite_coefficients(margins, order=20)
    assert c.shape == (1, 2, 20)
    one = BoundedMargins(margins.values, *(part[0, 1] for part in margins[1:]))
    np.testing.assert_allclose(c[0, 1], hermite_coefficients(one, order=20), rtol=1e-12, atol=1e-15)


def test_order_below_one():
    with pytest.raises(ValueError, match="at least 1"):
        step_coefficients(np.array([0.0]), np.array([1.0]), order=0)
