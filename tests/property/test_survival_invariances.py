"""What must not change a survival or rate analysis: units, order, names of arms, company."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.counts import fit_counts
from trialsim.kernels.survival import fit_cox, kaplan_meier, log_rank, restricted_mean

SEEDS = st.integers(0, 2**32 - 1)
SAME = {"rtol": 1e-10, "atol": 1e-10}


def trials(seed, *, tied, n_replicates=3, n=40):
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    to_event = rng.exponential(10.0, (n_replicates, n)) * np.exp(0.4 * arm)
    censored = rng.uniform(5.0, 25.0, (n_replicates, n))
    time, event = np.minimum(to_event, censored), to_event <= censored
    time = np.ceil(time) if tied else time
    stratum = rng.integers(0, 2, (n_replicates, n))
    x = np.stack([arm, rng.normal(30.0, 5.0, (n_replicates, n))], axis=2).astype(float)
    return time, event, arm, stratum, x


def analyses(time, event, arm, stratum, x, included=None):
    """Return all results by name, replicates first."""
    options = {"included": included, "stratum": stratum, "n_strata": 2}
    test = log_rank(time, event, arm, rho=0.5, **options)
    cox = fit_cox(time, event, x, np.array([1.0, 0.0]), **options)
    area = restricted_mean(time, event, arm, 4.0, included=included)
    return {
        "log-rank": np.stack([test.estimate, test.se, test.z[:, 1], test.statistic, test.p], axis=1),
        "cox": np.stack([cox.estimate, cox.se, cox.p, cox.loglik, cox.score, cox.wald], axis=1),
        "area": np.concatenate([area.estimate, area.se, area.mean], axis=1),
    }


def equal(ours, expected, **tolerance):
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, err_msg=name, **(tolerance or SAME))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_a_batch_is_batches_of_one(seed, tied):
    data = trials(seed, tied=tied)
    together = analyses(*data)
    for r in range(len(data[0])):
        alone = analyses(*(part[r : r + 1] for part in data))
        equal({name: values[r : r + 1] for name, values in together.items()}, alone)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_order_of_the_participants(seed, tied):
    data = trials(seed, tied=tied)
    order = np.random.default_rng(seed).permutation(data[0].shape[1])
    equal(analyses(*(part[:, order] for part in data)), analyses(*data))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_participants_who_are_not_included(seed, tied):
    data = trials(seed, tied=tied)
    more = [np.concatenate([part, part[:, :7]], axis=1) for part in data]
    included = np.ones(more[0].shape, dtype=bool)
    included[:, -7:] = False
    more[0][:, -7:] = np.nan
    more[4][:, -7:] = np.nan
    equal(analyses(*more, included), analyses(*data))


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans(), st.floats(0.01, 100.0))
def test_units_of_time(seed, tied, factor):
    time, event, arm, stratum, x = trials(seed, tied=tied)
    # A power of two keeps ties ties, and what is no tie none.
    factor = 2.0 ** np.round(np.log2(factor))
    expected, ours = analyses(time, event, arm, stratum, x), analyses(time * factor, event, arm, stratum, x)
    for name in ("log-rank", "cox"):
        np.testing.assert_allclose(ours[name], expected[name], **SAME)
    scaled = restricted_mean(time * factor, event, arm, 4.0 * factor)
    np.testing.assert_allclose(scaled.estimate, expected["area"][:, :1] * factor, **SAME)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans(), st.floats(-50, 50), st.floats(0.05, 20))
def test_units_of_a_covariate(seed, tied, shift, scale):
    time, event, arm, stratum, x = trials(seed, tied=tied)
    other = x.copy()
    other[:, :, 1] = shift + scale * x[:, :, 1]
    expected, ours = analyses(time, event, arm, stratum, x), analyses(time, event, arm, stratum, other)
    np.testing.assert_allclose(ours["cox"], expected["cox"], rtol=1e-8, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_arms_swapped_change_the_sign_only(seed, tied):
    time, event, arm, stratum, x = trials(seed, tied=tied)
    other = x.copy()
    other[:, :, 0] = 1.0 - x[:, :, 0]
    expected, ours = analyses(time, event, arm, stratum, x), analyses(time, event, 1 - arm, stratum, other)
    np.testing.assert_allclose(ours["log-rank"], expected["log-rank"] * [-1, 1, -1, 1, 1], **SAME)
    np.testing.assert_allclose(ours["cox"], expected["cox"] * [-1, 1, 1, 1, 1, 1], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours["area"][:, 0], -expected["area"][:, 0], **SAME)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_score_test_of_cox_is_the_log_rank_test_without_ties(seed):
    time, event, arm, _, x = trials(seed, tied=False)
    cox = fit_cox(time, event, x[:, :, :1], np.ones(1))
    np.testing.assert_allclose(cox.score, log_rank(time, event, arm).statistic, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_curves_fall_from_1_and_never_rise(seed, tied):
    time, event, arm, _, _ = trials(seed, tied=tied)
    curve = kaplan_meier(time, event, included=arm == 0)
    assert np.all((curve.survival >= 0.0) & (curve.survival <= 1.0))
    assert np.all(np.diff(curve.survival, axis=1) <= 0.0)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.0, 2.0), st.floats(0.05, 20))
def test_rates(seed, dispersion, unit):
    rng = np.random.default_rng(seed)
    n_replicates, n = 3, 40
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    x = np.stack([np.ones(arm.shape), arm, rng.normal(size=arm.shape)], axis=2)
    exposure = rng.uniform(0.5, 1.5, arm.shape)
    y = rng.poisson(3.0 * exposure * (rng.gamma(1.0 / dispersion, dispersion, arm.shape) if dispersion > 0.01 else 1.0))
    contrast = np.array([0.0, 1.0, 0.0])

    def results(y, x, exposure, included=None):
        fit = fit_counts(y.astype(float), x, contrast, exposure=exposure, included=included)
        return np.stack([fit.estimate, fit.se, fit.p, fit.dispersion, fit.status], axis=1)

    expected = results(y, x, exposure)
    for r in range(n_replicates):
        np.testing.assert_allclose(results(y[[r]], x[[r]], exposure[[r]]), expected[[r]], **SAME)
    order = rng.permutation(n)
    close = {"rtol": 1e-7, "atol": 1e-8}
    np.testing.assert_allclose(results(y[:, order], x[:, order], exposure[:, order]), expected, **close)
    np.testing.assert_allclose(results(y, x, exposure * unit), expected, **close)
    more = [np.concatenate([part, part[:, :3]], axis=1) for part in (y, x, exposure)]
    included = np.arange(n + 3) < n
    np.testing.assert_allclose(results(*more, np.tile(included, (n_replicates, 1))), expected, **close)
    swapped = x.copy()
    swapped[:, :, 1] = 1.0 - x[:, :, 1]
    np.testing.assert_allclose(results(y, swapped, exposure), expected * [-1, 1, 1, 1, 1], **close)
