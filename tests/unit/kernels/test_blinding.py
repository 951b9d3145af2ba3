"""Guesses that follow dissociation, and Bang's and James' indices against hand computation and published output."""

import numpy as np
import pytest
from scipy.special import expit

from trialsim.kernels import blinding
from trialsim.kernels.blinding import (
    GuessError,
    bang_index,
    fit_guess_model,
    guess_counts,
    guess_probability,
    james_index,
)

ACTIVE = np.repeat([0, 1, 4, 9, 20, 45], [5, 10, 20, 30, 25, 10])
CONTROL = np.repeat([0, 1, 4, 9, 20], [50, 25, 15, 8, 2])


def james(share):
    """James' index of cell shares (2, 3) as the paper writes it, with weights 0.5 for wrong guesses."""
    unknown = share[:, 2].sum()
    arm, said = share[:, :2].sum(axis=1), share[:, :2].sum(axis=0)
    weight = np.array([[0.0, 0.5], [0.5, 0.0]])
    observed = (weight * share[:, :2]).sum() / (1 - unknown)
    expected = (weight * np.outer(arm, said)).sum() / (1 - unknown) ** 2
    return (1 + unknown + (1 - unknown) * (observed - expected) / expected) / 2


def numerical_variance(share, n):
    """The delta method with central differences."""
    slope = np.empty(6)
    for cell in range(6):
        step = np.zeros(6)
        step[cell] = 1e-6
        slope[cell] = (james(share + step.reshape(2, 3)) - james(share - step.reshape(2, 3))) / 2e-6
    p = share.reshape(-1)
    return (p @ slope**2 - (p @ slope) ** 2) / n


def test_published_output():
    """Printed to three decimals in the documentation of BlindingIndex.jl (after the R package BI) for this table."""
    table = [[48, 4, 330], [22, 30, 319]]
    bang, both = bang_index(table), james_index(table)
    np.testing.assert_allclose(bang.estimate, [0.115, 0.022], atol=5e-4)
    np.testing.assert_allclose(np.sqrt(bang.variance), [0.018, 0.019], atol=5e-4)
    np.testing.assert_allclose([bang.low, bang.high], [[0.08, -0.016], [0.15, 0.06]], atol=5e-4)
    np.testing.assert_allclose(
        [both.estimate, np.sqrt(both.variance), both.low, both.high], [0.896, 0.011, 0.875, 0.918], atol=5e-4
    )


def test_bang_by_hand():
    """Active: 30 right, 10 wrong, 10 in doubt; control: 12, 20, 8. (.6 - .2); (.3 - .5)."""
    found = bang_index([[30, 10, 10], [20, 12, 8]])
    np.testing.assert_allclose(found.estimate, [0.4, -0.2], rtol=1e-14)
    np.testing.assert_allclose(found.variance, [(0.8 - 0.16) / 50, (0.8 - 0.04) / 40], rtol=1e-14)
    np.testing.assert_allclose(found.high - found.estimate, 1.959963984540054 * np.sqrt(found.variance), rtol=1e-12)


def test_james_by_hand():
    """With 30, 10, 10 and 20, 12, 8: P = .2, O = 30/90, E = (40 22 + 32 50) / 90^2."""
    expected = 0.2 + 0.8**2 * (30 / 90) / (2 * (40 * 22 + 32 * 50) / 8100)
    assert james_index([[30, 10, 10], [20, 12, 8]]).estimate == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("table", [[[30, 10, 10], [20, 12, 8]], [[3, 9, 1], [8, 2, 40]], [[50, 1, 0], [1, 40, 3]]])
def test_james_agrees_with_the_paper_and_with_numerical_derivatives(table):
    table = np.array(table, dtype=float)
    found = james_index(table)
    assert found.estimate == pytest.approx(james(table / table.sum()), rel=1e-12)
    assert found.variance == pytest.approx(numerical_variance(table / table.sum(), table.sum()), rel=1e-7)


@pytest.mark.parametrize(
    ("table", "bang", "both"),
    [
        ([[40, 0, 0], [0, 40, 0]], [1, 1], 0.0),  # all right
        ([[0, 40, 0], [40, 0, 0]], [-1, -1], 1.0),  # all wrong
        ([[20, 20, 0], [20, 20, 0]], [0, 0], 0.5),  # by chance
        ([[40, 0, 0], [40, 0, 0]], [1, -1], 0.5),  # everybody hopes
        ([[0, 0, 40], [0, 0, 40]], [0, 0], 1.0),  # nobody has an opinion
    ],
)
def test_what_the_indices_mean(table, bang, both):
    np.testing.assert_allclose(bang_index(table).estimate, bang)
    assert james_index(table).estimate == pytest.approx(both)


def test_two_categories_are_three_without_doubt():
    two, three = [[30, 10], [20, 12]], [[30, 10, 0], [20, 12, 0]]
    for index in (bang_index, james_index):
        for a, b in zip(index(two), index(three), strict=True):
            np.testing.assert_array_equal(a, b)


def test_undefined_tables_are_nan_and_leave_their_neighbours_alone():
    tables = np.array([[[30, 10, 10], [20, 12, 8]], [[5, 0, 3], [0, 0, 0]], [[0, 0, 4], [0, 0, 4]], np.zeros((2, 3))])
    bang, both = bang_index(tables), james_index(tables)
    np.testing.assert_array_equal(np.isnan(bang.estimate), [[0, 0], [0, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(np.isnan(both.estimate), [0, 1, 0, 1])
    np.testing.assert_array_equal(np.isnan(both.variance), [0, 1, 1, 1])
    for index, batch in ((bang_index, bang), (james_index, both)):
        for single, of_batch in zip(index(tables[0]), batch, strict=True):
            np.testing.assert_array_equal(single, of_batch[0])


def test_variances_and_intervals_against_simulation():
    """20,000 trials of 120 per arm. Bounds are 4.9 standard errors: sees 2.5 % in an SD, .8 points in coverage.

    Bang's index is unbiased and James' nearly so: 0.001 is left for the curvature of a ratio at 240 participants.
    """
    replicates, per_arm = 20_000, 120
    share = np.array([[0.5, 0.2, 0.3], [0.25, 0.4, 0.35]])
    rng = np.random.default_rng(11)
    cells = rng.multinomial(2 * per_arm, (share / 2).reshape(-1), size=replicates).reshape(-1, 2, 3)
    truth = [(bang_index, np.array([0.3, 0.15])), (james_index, np.array(james(share / 2)))]
    for index, value in truth:
        found = index(cells)
        spread = found.estimate.std(axis=0)
        assert np.all(np.abs(found.estimate.mean(axis=0) - value) < 4.9 * spread / np.sqrt(replicates) + 1e-3)
        mean_se = np.sqrt(found.variance.mean(axis=0))
        np.testing.assert_allclose(mean_se, spread, rtol=4.9 / np.sqrt(2 * replicates))
        covered = ((found.low <= value) & (value <= found.high)).mean(axis=0)
        assert np.all(np.abs(covered - 0.95) < 4.9 * np.sqrt(0.95 * 0.05 / replicates))


def test_counts_of_a_block_leave_out_who_was_not_asked():
    guess = np.array([[0, 1, 2, 0, -1, 1], [2, 2, 2, 1, 0, 9]])
    control = np.array([[False, False, False, True, True, True], [True, False, True, False, True, False]])
    np.testing.assert_array_equal(guess_counts(guess, control), [[[1, 1, 1], [1, 1, 0]], [[0, 1, 1], [1, 0, 2]]])


@pytest.mark.parametrize("shares", [(0.65, 0.25), (0.65, 0.6), (0.3, 0.5), (0.9, 0.4), (0.5, 0.5), (0.05, 0.005)])
def test_expected_shares_are_those_asked_for(shares):
    model = fit_guess_model(ACTIVE, CONTROL, active_share=shares[0], control_share=shares[1])
    found = [float(np.mean(expit(model.intercept + model.slope * np.log1p(x)))) for x in (ACTIVE, CONTROL)]
    np.testing.assert_allclose(found, shares, atol=1e-9)
    assert np.sign(model.slope) == np.sign(shares[0] - shares[1])
    assert model.other_cues == 0.0


def test_more_dissociation_is_taken_for_the_drug():
    model = fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.25)
    rising = guess_probability(model, np.arange(93), active=False)
    assert np.all(np.diff(rising) > 0)
    np.testing.assert_array_equal(rising, guess_probability(model, np.arange(93), active=True))


def test_the_limit_is_that_of_a_threshold_and_is_told():
    """At 0.65 active, 'above 4' gives all 65 of the active arm, and 10 of the control arm's 100."""
    near = fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.1001)
    assert near.slope > 5
    with pytest.raises(GuessError, match=r"'active' in 0.65 .* in 0.05 .* between 0.1000 and ") as caught:
        fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.05)
    assert caught.value.attainable[0] == pytest.approx(0.10)
    # 0.8 takes 15 of the 20 active patients at 4, so 15 of 20 of the control patients there: .10 + .75 * .15.
    with pytest.raises(GuessError) as caught:
        fit_guess_model(ACTIVE, CONTROL, active_share=0.8, control_share=0.05)
    assert caught.value.attainable[0] == pytest.approx(0.10 + 0.75 * 0.15)
    # The other way, the 65 who dissociate least: 35 of the 100 at 0 to 4, and 30 at 9; 90 and 8 of the control arm.
    with pytest.raises(GuessError) as caught:
        fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.985)
    assert caught.value.attainable[1] == pytest.approx(0.98)


def test_arms_alike_in_dissociation_can_not_be_told_apart():
    with pytest.raises(GuessError, match=r"lies between 0\.6000 and 0\.6000"):
        fit_guess_model(np.full(10, 3), np.full(10, 3), active_share=0.6, control_share=0.5)
    assert fit_guess_model([3], [3], active_share=0.6, control_share=0.6).slope == 0.0


def test_other_cues_give_what_dissociation_can_not():
    model = fit_guess_model(ACTIVE, CONTROL, active_share=0.95, control_share=0.05, slope=0.8)
    assert model.slope == 0.8
    assert model.other_cues > 0
    assert guess_probability(model, ACTIVE, active=True).mean() == pytest.approx(0.95, abs=1e-9)
    assert guess_probability(model, CONTROL, active=False).mean() == pytest.approx(0.05, abs=1e-9)
    same = fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.25)
    again = fit_guess_model(ACTIVE, CONTROL, active_share=0.65, control_share=0.25, slope=same.slope)
    assert again.other_cues == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_guess_model([1], [0], active_share=1.0, control_share=0.5), "active_share must be strictly"),
        (lambda: fit_guess_model([1], [0], active_share=0.5, control_share=0.0), "control_share must be strictly"),
        (lambda: fit_guess_model([], [0], active_share=0.5, control_share=0.4), "cadss_active must hold scores"),
        (lambda: fit_guess_model([1], [-1], active_share=0.5, control_share=0.4), "cadss_control must hold scores"),
        (lambda: bang_index([1, 2, 3]), r"shape \(..., 2, 3\)"),
        (lambda: james_index([[1, -2, 3], [1, 2, 3]]), "0 or more"),
        (lambda: bang_index([[1, 2], [3, 4]], confidence=1.0), "confidence must be strictly"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_codes_are_the_columns():
    assert (blinding.ACTIVE, blinding.CONTROL, blinding.DONT_KNOW) == (0, 1, 2)
