"""What must not change the answer of a longitudinal model: units, clock, order, names of groups and arms, company."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.nested import fit_longitudinal, longitudinal_statistics

SEEDS = st.integers(0, 2**32 - 1)
METHODS = st.sampled_from(["satterthwaite", "kenward-roger"])
RANDOM = st.sampled_from(["intercept", "slope", "uncorrelated"])
EFFECTS = st.sampled_from([None, "level", "growth"])
CLOSE = {"rtol": 1e-6, "atol": 1e-6}
RUN = settings(max_examples=25, deadline=None)
TIMES = np.array([0.0, 1.0, 2.0, 3.0])


def trials(seed, n_replicates=3, n=40, n_groups=5):
    """Scores, baseline, arm (R, N), group (−1 for none); the variances, and the share of missing scores, any."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
    group = np.where(arm == 1, rng.integers(0, n_groups, (n_replicates, n)), -1)
    effect = rng.normal(0.0, rng.uniform(0.0, 3.0), (n_replicates, n_groups + 1))
    effect[:, -1] = 0.0
    own = rng.normal(0.0, 1.0, (n_replicates, n, 2)) @ rng.normal(0.0, rng.uniform(0.2, 2.0), (2, 2))
    y = 15.0 - 2.0 * arm[..., None] + own[..., :1] + own[..., 1:] * TIMES + rng.normal(0.0, 3.0, (*arm.shape, 4))
    y += effect[np.arange(n_replicates)[:, None], group][..., None]
    y[rng.random(y.shape) < rng.uniform(0.0, 0.3)] = np.nan
    return y, rng.normal(0.0, 3.0, arm.shape), arm, group


def fit(y, baseline, arm, group, *, random="slope", effect=None, df="kenward-roger", times=TIMES):
    """Estimate, standard error and degrees of freedom of the difference at the last visit."""
    ones = np.ones(y.shape)
    arms = ones * arm[..., None]
    x = np.stack([ones, ones * baseline[..., None], ones * times, arms, arms * times], axis=3)
    chosen = {} if effect is None else {"group": group, "group_effect": effect}
    statistics = longitudinal_statistics(y, x, times, random=random, **chosen)
    result = fit_longitudinal(statistics, np.array([0.0, 0.0, 0.0, 1.0, times[-1]]), df=df)
    assert (result.reason == 0).all()
    return np.array([result.estimate, result.se, result.df])


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS, st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_of_the_scores(seed, random, effect, df, shift, scale):
    data = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    actual = fit(scale * (shift + data[0]), *data[1:], **options)
    np.testing.assert_allclose(actual / np.array([scale, scale, 1.0])[:, None], fit(*data, **options), **CLOSE)


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS, st.floats(0.001, 1000))
def test_unit_of_time(seed, random, effect, df, unit):
    data = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    np.testing.assert_allclose(fit(*data, **options, times=TIMES * unit), fit(*data, **options), **CLOSE)


@RUN
@given(SEEDS, st.sampled_from(["intercept", "slope"]), st.sampled_from([None, "level"]), METHODS, st.floats(-50, 50))
def test_start_of_the_clock(seed, random, effect, df, start):
    """A correlated level and slope, or a level alone, do not depend on where time 0 is."""
    data = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    np.testing.assert_allclose(fit(*data, **options, times=TIMES + start), fit(*data, **options), **CLOSE)


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS)
def test_order_of_patients_and_names_of_groups(seed, random, effect, df):
    data = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    rng = np.random.default_rng(seed)
    order = rng.permutation(data[0].shape[1])
    names = np.append(rng.permutation(20)[:5], -1)
    y, baseline, arm, group = (piece[:, order] for piece in data)
    np.testing.assert_allclose(fit(y, baseline, arm, names[group], **options), fit(*data, **options), **CLOSE)


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS)
def test_arms_swapped_change_the_sign_only(seed, random, effect, df):
    y, baseline, arm, group = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    expected = fit(y, baseline, arm, group, **options) * np.array([-1.0, 1.0, 1.0])[:, None]
    np.testing.assert_allclose(fit(y, baseline, 1 - arm, group, **options), expected, **CLOSE)


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS)
def test_company_of_other_trials(seed, random, effect, df):
    here, other = trials(seed), trials(seed + 1, n_replicates=2)
    options = {"random": random, "effect": effect, "df": df}
    both = [np.concatenate([a, b]) for a, b in zip(other, here, strict=True)]
    alone = np.concatenate([fit(*(piece[r : r + 1] for piece in here), **options) for r in range(3)], axis=1)
    np.testing.assert_allclose(fit(*both, **options)[:, 2:], alone, rtol=1e-10, atol=1e-10)


@RUN
@given(SEEDS, RANDOM, EFFECTS, METHODS)
def test_patients_without_a_score(seed, random, effect, df):
    data = trials(seed)
    options = {"random": random, "effect": effect, "df": df}
    more = [np.concatenate([piece, piece[:, :5]], axis=1) for piece in data]
    more[0][:, -5:] = np.nan
    more[3][:, -5:] = 30
    np.testing.assert_allclose(fit(*more, **options), fit(*data, **options), rtol=1e-9, atol=1e-9)


@RUN
@given(SEEDS, EFFECTS, METHODS)
def test_a_random_effect_more_does_not_lower_the_likelihood(seed, effect, df):
    y, _, arm, group = trials(seed)
    x = np.stack([np.ones(y.shape), np.ones(y.shape) * arm[..., None]], axis=3)
    chosen = {} if effect is None else {"group": group, "group_effect": effect}
    neg2 = {
        random: fit_longitudinal(
            longitudinal_statistics(y, x, TIMES, random=random, **chosen), np.array([0.0, 1.0]), df=df
        ).neg2_loglik
        for random in ("intercept", "uncorrelated", "slope")
    }
    assert (neg2["slope"] <= neg2["uncorrelated"] + 1e-8).all()
    assert (neg2["uncorrelated"] <= neg2["intercept"] + 1e-8).all()
