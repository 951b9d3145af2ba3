"""What must not change the answer of a test of two arms, for any trial: units, order, names of arms, company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.binary import (
    chi_square_test,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    newcombe_difference,
    score_interval,
    score_test,
    standardised_risks,
    wald_difference,
)
from trialsim.kernels.logistic import fit_logistic, likelihood_ratio_test, wald_test
from trialsim.kernels.ranks import hodges_lehmann, rank_sum_test, van_elteren_test
from trialsim.kernels.robust import contrast, effects_by_stratum, joint_test, regress
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test

SEEDS = st.integers(0, 2**32 - 1)
N = 30


def trials(seed, n_replicates=4, *, response=False):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, N))
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 3, (n_replicates, n)), axis=1)
    y = np.round(rng.normal(15.0, 4.0, (n_replicates, n)), int(rng.integers(0, 4)))
    if response:
        y = (y > 14.0).astype(float)
    y[rng.random(y.shape) < 0.1] = np.nan
    return y, arm == 1, arm == 0, rng.integers(0, 2, y.shape), rng.normal(size=y.shape)


def design(active, z):
    return np.stack([np.ones(z.shape), active, z], axis=2).astype(float)


def scores(y, active, control, stratum, z):
    """Return every result that a block of scores has, as fields with the replicate first."""
    included = (active | control) & ~np.isnan(y)
    yield from pooled_t_test(y, active, control)
    yield from welch_t_test(y, active, control)
    for settings_ in ({}, {"continuity": False}, {"exact": True}):
        yield from rank_sum_test(y, active, control, **settings_)
    yield from van_elteren_test(y, active, control, stratum, n_strata=2)
    yield from hodges_lehmann(y, active, control)
    for variance in ("constant", "hc2", "hc3"):
        fit = regress(design(active, z), y, included, variance=variance)
        yield from fit
        yield from contrast(fit, np.array([0.0, 1.0, 0.0]))
        yield joint_test(fit, np.eye(3)[1:]).p
    effects = effects_by_stratum(y, included, active, stratum, z[:, :, None], n_strata=2)
    yield from (effects.estimate, effects.p, effects.interaction.p)


def responses(y, active, control, stratum, z):
    """Return every result that a block of responses has, as fields with the replicate first."""
    included = (active | control) & ~np.isnan(y)
    counts = count_responses(y, active, control)
    for function in (fisher_test, chi_square_test, wald_difference, newcombe_difference, score_test, score_interval):
        yield from function(counts)
    yield from mantel_haenszel_test(count_responses(y, active, control, stratum, n_strata=2))
    x = design(active, z)
    fit = fit_logistic(x, y, included)
    yield from (fit.method, fit.reason)
    yield from wald_test(fit, np.array([0.0, 1.0, 0.0]))
    ratio = likelihood_ratio_test(x, y, included, (1,))
    yield from (ratio.chi_square, ratio.p)
    everybody = np.ones(active.shape)
    yield from standardised_risks(fit, design(everybody, z), design(0.0 * everybody, z), included)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("analyse", [scores, responses])
def test_a_block_is_its_trials(analyse, seed):
    data = trials(seed, response=analyse is responses)
    together = list(analyse(*data))
    for r in range(4):
        for whole, alone in zip(together, analyse(*(field[r : r + 1] for field in data)), strict=True):
            np.testing.assert_allclose(whole[r], alone[0], rtol=1e-10, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("analyse", [scores, responses])
def test_order_of_the_participants(analyse, seed):
    data = trials(seed, response=analyse is responses)
    order = np.random.default_rng(seed).permutation(data[0].shape[1])
    for first, again in zip(analyse(*data), analyse(*(field[:, order] for field in data)), strict=True):
        np.testing.assert_allclose(again, first, rtol=1e-7, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale(seed, shift, scale):
    y, active, control, stratum, z = trials(seed)
    included = (active | control) & ~np.isnan(y)
    for test in (pooled_t_test, welch_t_test):
        np.testing.assert_allclose(
            test(shift + scale * y, active, control).t, test(y, active, control).t, rtol=1e-7, atol=1e-7
        )
    # Ranks hold under any rising change that keeps ties.
    np.testing.assert_allclose(
        van_elteren_test(np.exp(0.1 * y), active, control, stratum, n_strata=2).z,
        van_elteren_test(y, active, control, stratum, n_strata=2).z,
        rtol=1e-10,
    )
    fits = [regress(design(active, z), a, included, variance="hc3") for a in (y, shift + scale * y)]
    plain, moved = (contrast(fit, np.array([0.0, 1.0, 0.0])) for fit in fits)
    np.testing.assert_allclose(moved.estimate, scale * plain.estimate, rtol=1e-6, atol=1e-6 * scale)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_arms_swapped(seed):
    y, active, control, stratum, _ = trials(seed)
    for test in (pooled_t_test, welch_t_test):
        np.testing.assert_allclose(test(y, control, active).t, -test(y, active, control).t, rtol=1e-12)
    swapped, plain = rank_sum_test(y, control, active), rank_sum_test(y, active, control)
    np.testing.assert_allclose(swapped.z, -plain.z, rtol=1e-12)
    np.testing.assert_allclose(swapped.superiority, 1.0 - plain.superiority, atol=1e-12)
    shift, back = hodges_lehmann(y, active, control), hodges_lehmann(y, control, active)
    np.testing.assert_allclose([back.low, back.high], [-shift.high, -shift.low], rtol=1e-12)
    counts = count_responses((y > 14.0) + 0.0 * y, active, control)
    other = count_responses((y > 14.0) + 0.0 * y, control, active)
    np.testing.assert_allclose(fisher_test(other).p, fisher_test(counts).p, rtol=1e-9)
    interval, mirrored = score_interval(counts), score_interval(other)
    np.testing.assert_allclose([mirrored.low, mirrored.high], [-interval.high, -interval.low], atol=1e-9)
    strata = mantel_haenszel_test(count_responses((y > 14.0) + 0.0 * y, active, control, stratum, n_strata=2))
    turned = mantel_haenszel_test(count_responses((y > 14.0) + 0.0 * y, control, active, stratum, n_strata=2))
    np.testing.assert_allclose(turned.p, strata.p, rtol=1e-9, atol=1e-12)
