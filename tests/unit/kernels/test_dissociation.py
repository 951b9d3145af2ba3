"""CADSS margins after rounding and bounding, what the scale cannot have, and draws that stay where they are."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trialsim import evidence
from trialsim.kernels import dissociation
from trialsim.kernels.copula import CorrelationError, rounded_correlation
from trialsim.kernels.dissociation import DissociationError, draw_dissociation, repeat_last
from trialsim.kernels.margins import BoundedMargins

INFUSIONS = ("ketamine", "midazolam", "saline")


def fit_dissociation(mean, sd, **options):
    """Margins on the scale of the CADSS."""
    return dissociation.fit_dissociation(mean, sd, maximum=92.0, **options)


def defaults():
    """Means and SDs (3, 4), shares of zeros (3, 1) of the three infusions."""
    each = [[evidence.get(f"defaults.cadss.{a}.infusion_{i}") for i in range(1, 5)] for a in INFUSIONS]
    zeros = [[evidence.get(f"defaults.dissociation.{a}.share_of_zeros").value] for a in INFUSIONS]
    return (
        np.array([[q.value for q in row] for row in each]),
        np.array([[q.spread for q in row] for row in each]),
        zeros,
    )


def fit_defaults(**changes):
    mean, sd, zeros = defaults()
    between = evidence.get("defaults.dissociation.correlation_between_infusions").value
    return fit_dissociation(mean, sd, **({"zeros": zeros, "correlation": between} | changes))


def moments(margins: BoundedMargins):
    """Mean and SD from the thresholds, the only part that draws use."""
    from scipy.special import ndtr

    below = np.concatenate([0 * margins.thresholds[..., :1], ndtr(margins.thresholds)], axis=-1)
    probability = np.diff(below, axis=-1, append=1.0)
    mean = probability @ margins.values
    return mean, np.sqrt(probability @ margins.values**2 - mean**2), probability[..., 0]


def test_the_defaults_have_their_means_spreads_and_zeros():
    mean, sd, zeros = defaults()
    fitted = fit_defaults()
    found = moments(fitted.margins)
    np.testing.assert_allclose(found[0], mean, atol=1e-9)
    np.testing.assert_allclose(found[1], sd, atol=1e-9)
    np.testing.assert_allclose(found[2], zeros + np.zeros((1, 4)), atol=1e-12)
    np.testing.assert_allclose([fitted.margins.mean, fitted.margins.sd], [mean, sd], atol=1e-9)
    np.testing.assert_array_equal(fitted.margins.values, np.arange(93))


def test_every_default_share_of_zeros_is_possible_over_its_whole_span():
    mean, sd, _ = defaults()
    for row, name in enumerate(INFUSIONS):
        span = evidence.get(f"defaults.dissociation.{name}.share_of_zeros")
        for zeros in (span.low, span.high):
            fitted = fit_dissociation(mean[row], sd[row], zeros=zeros, correlation=0.5)
            np.testing.assert_allclose(fitted.margins.mean, mean[row], atol=1e-9)


def test_after_rounding_infusions_correlate_as_asked():
    fitted = fit_defaults()
    each = [
        BoundedMargins(
            fitted.margins.values,
            fitted.margins.probabilities[:, i],
            fitted.margins.thresholds[:, i],
            fitted.margins.mean[:, i],
            fitted.margins.sd[:, i],
        )
        for i in range(4)
    ]
    found = rounded_correlation(fitted.correlation, each)
    np.testing.assert_allclose(found[:, ~np.eye(4, dtype=bool)], 0.5, atol=1e-9)
    np.testing.assert_allclose(fitted.factor @ fitted.factor.swapaxes(-1, -2), fitted.correlation, atol=1e-12)


def test_a_multiplier_raises_mean_and_spread_alike():
    mean, sd, zeros = defaults()
    fitted = fit_dissociation(mean[:, None], sd[:, None], zeros=np.array(zeros)[:, None], correlation=0.5,
                              multiplier=[[1.0], [1.3]])  # fmt: skip
    assert fitted.margins.mean.shape == (3, 2, 4)
    np.testing.assert_allclose(fitted.margins.mean[:, 1], 1.3 * mean, atol=1e-9)
    np.testing.assert_allclose(fitted.margins.sd[:, 1], 1.3 * sd, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    mean=st.floats(1.0, 91.0), share=st.floats(0.0, 1.0), zeros=st.sampled_from([0.0, 0.2, 0.6]),
)  # fmt: skip
def test_the_whole_attainable_range_is_reached(mean, share, zeros):
    """`mean` of those above zero, `share` of the way from the smallest to the largest variance; ends included."""
    fraction = mean % 1
    low, high = fraction * (1 - fraction), (mean - 1) * (92 - mean)
    variance = low + share * (high - low)
    whole = (1 - zeros) * mean
    sd = np.sqrt((1 - zeros) * (variance + mean**2) - whole**2)
    assume(sd >= 1e-3)
    fitted = fit_dissociation([whole], [sd], zeros=zeros, correlation=0.0)
    np.testing.assert_allclose([fitted.margins.mean[0], fitted.margins.sd[0]], [whole, sd], atol=1e-7)


def test_the_safe_solver_agrees_with_the_fast_one():
    values = np.arange(93.0)
    for mean, variance in [(11.1, 121.0), (2.5, 6.25), (1.2, 0.5), (60.0, 300.0)]:
        fast = dissociation._solve_gamma(mean, variance, values)
        sure = dissociation._solve_nested(mean, variance, values)
        np.testing.assert_allclose(fast, sure, rtol=1e-7)


def test_an_impossible_spread_names_the_possible_ones():
    """Those above zero have mean 2.5 and a variance from .25 to 1.5 89.5; half of all are zeros."""
    low, high = np.sqrt(0.5 * 6.5 - 1.5625), np.sqrt(0.5 * (1.5 * 89.5 + 6.25) - 1.5625)
    for sd in (1.2, 8.4):
        with pytest.raises(DissociationError, match=r"a CADSS mean of 1.25 with a share of 0.5 zeros allows") as caught:
            fit_dissociation([[3.0, 1.25]], [[4.0, sd]], zeros=0.5, correlation=0.0)
        assert caught.value.index == (0, 1)
        np.testing.assert_allclose(caught.value.attainable_sd, [low, high], rtol=1e-12)
        assert f"got {sd:g} (index (0, 1))" in str(caught.value)
    for sd in (low, high):
        assert fit_dissociation([1.25], [sd], zeros=0.5, correlation=0.0).margins.sd[0] == pytest.approx(sd, abs=1e-8)


def test_an_impossible_mean_names_the_possible_ones_and_the_zeros_it_needs():
    with pytest.raises(DissociationError, match=r"0.5 zeros allows a CADSS mean from 0.5 to 46; got 0.3; .* 0.7 zeros"):
        fit_dissociation([0.3], [1.0], zeros=0.5, correlation=0.0)
    with pytest.raises(DissociationError, match=r"from 0.5 to 46; got 50 \(index \(0,\)\)"):
        fit_dissociation([50.0], [10.0], zeros=0.5, correlation=0.0)
    for mean, sd in [(-1.0, 1.0), (np.nan, 1.0), (3.0, np.nan), (3.0, -4.0), (3.0, 0.0)]:
        with pytest.raises(DissociationError):
            fit_dissociation([mean], [sd], zeros=0.0, correlation=0.0)


def test_correlations_that_do_not_fit_are_errors():
    with pytest.raises(CorrelationError, match="variables 0 and 1 allow correlations"):
        fit_dissociation([10.0, 2.0], [11.0, 6.0], zeros=[0.1, 0.8], correlation=0.99)
    with pytest.raises(ValueError, match="between infusions makes a matrix that is not positive definite"):
        fit_dissociation([40.0] * 4, [9.0] * 4, zeros=0.0, correlation=-0.5)
    with pytest.raises(ValueError, match=r"depression must be between -0\.\d+ and 0\.\d+; got 0.9"):
        fit_defaults(depression_correlation=0.9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zeros": 1.0}, "shares of zeros must be at least 0 and below 1"),
        ({"zeros": -0.1}, "shares of zeros must be"),
        ({"multiplier": 0.0}, "multiplier must be above 0"),
    ],
)
def test_shares_and_multipliers_out_of_range(change, message):
    with pytest.raises(ValueError, match=message):
        fit_defaults(**change)
    with pytest.raises(ValueError, match="last axis of infusions"):
        fit_dissociation(3.0, 4.0, zeros=0.1, correlation=0.0)


def test_another_participant_or_group_moves_nobody_else():
    fitted = fit_defaults(depression_correlation=0.1)
    rng = np.random.default_rng(1)
    normals, depression = rng.standard_normal((4, 50, 6)), rng.standard_normal((50, 6))
    group = rng.integers(0, 3, (6, 50))
    whole = draw_dissociation(fitted, normals, group=group, depression=depression)
    assert whole.shape == (6, 50, 4)
    part = draw_dissociation(fitted, normals[:, :20], group=group[:, :20], depression=depression[:20])
    np.testing.assert_array_equal(part, whole[:, :20])
    one = draw_dissociation(fitted, normals[..., 2:3], group=group[2:3], depression=depression[:, 2:3])
    np.testing.assert_array_equal(one, whole[2:3])
    other = np.where(group == 0, 1, group)
    changed = draw_dissociation(fitted, normals, group=other, depression=depression)
    np.testing.assert_array_equal(changed[group != 0], whole[group != 0])


def test_a_draw_is_the_step_function_of_its_latent_normal():
    """Against a loop over participants; whole points from 0 to 92, and a ketamine score never below midazolam's."""
    fitted = fit_defaults()
    normals = np.random.default_rng(2).standard_normal((4, 30, 3))
    drawn = [draw_dissociation(fitted, normals, group=np.full((3, 30), g)) for g in range(3)]
    for g, r, n in np.ndindex(3, 3, 30):
        z = np.linalg.cholesky(fitted.correlation[g]) @ normals[:, n, r]
        expected = [np.sum(fitted.margins.thresholds[g, i] < z[i]) for i in range(4)]
        np.testing.assert_array_equal(drawn[g][r, n], expected)
    assert (drawn[0] % 1 == 0).all()
    assert (drawn[0][..., 0] >= drawn[1][..., 0]).all()


def test_one_group_and_one_infusion():
    fitted = fit_dissociation([8.0], [9.0], zeros=0.1, correlation=0.5)
    assert draw_dissociation(fitted, np.zeros((1, 5, 2))).shape == (2, 5, 1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"normals": np.zeros((3, 5, 2))}, r"normals must have shape \(4, N, R\)"),
        ({"group": None}, "3 groups; say to which"),
        ({"group": np.zeros((5, 2), dtype=int)}, r"group must have shape \(2, 5\)"),
        ({"group": np.full((2, 5), 3)}, "be from 0 to 2"),
        ({"depression": None}, "give depression"),
        ({"depression": np.zeros((2, 5))}, r"depression must have shape \(5, 2\)"),
    ],
)
def test_arrays_that_do_not_fit(arrays, message):
    fitted = fit_defaults(depression_correlation=0.1)
    given_arrays = {"group": np.zeros((2, 5), dtype=int), "depression": np.zeros((5, 2))} | arrays
    normals = given_arrays.pop("normals", np.zeros((4, 5, 2)))
    with pytest.raises(ValueError, match=message):
        draw_dissociation(fitted, normals, **given_arrays)


def test_infusions_that_are_repeated_are_like_the_last_two():
    """Seven infusions, of which the last four are alike, from four and from all seven."""
    mean, sd = np.array([10.0, 8, 7, 6, 6, 6, 6]), np.array([11.0, 9, 8, 7, 7, 7, 7])
    mean, sd = np.stack([mean, mean / 2]), np.stack([sd, sd / 2])
    whole = fit_dissociation(mean, sd, zeros=0.1, correlation=0.5)
    repeated = repeat_last(fit_dissociation(mean[:, :5], sd[:, :5], zeros=0.1, correlation=0.5), 7)
    np.testing.assert_array_equal(repeated.margins.thresholds, whole.margins.thresholds)
    np.testing.assert_allclose(repeated.correlation, whole.correlation, atol=1e-12)
    np.testing.assert_allclose(repeated.factor, whole.factor, atol=1e-12)
    same = fit_dissociation(mean, sd, zeros=0.1, correlation=0.5)
    np.testing.assert_allclose(repeat_last(same, 7).correlation, same.correlation, atol=1e-12)
