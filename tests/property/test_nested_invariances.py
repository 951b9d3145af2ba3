"""What must not change the answer of a mixed model with groups: units, order, names of groups and arms, company."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.nested import fit_nested, group_statistics

SEEDS = st.integers(0, 2**32 - 1)
METHODS = st.sampled_from(["satterthwaite", "kenward-roger"])
CLOSE = {"rtol": 1e-7, "atol": 1e-7}
RUN = settings(max_examples=25, deadline=None)


def trials(seed, *, partial, n_replicates=3, n=60, n_groups=6):
    rng = np.random.default_rng(seed)
    if partial:
        arm = rng.permuted(np.broadcast_to(np.arange(n) % 2, (n_replicates, n)), axis=1)
        group = np.where(arm == 1, rng.integers(0, n_groups, (n_replicates, n)), -1)
    else:
        group = rng.integers(0, n_groups, (n_replicates, n))
        arm = group % 2
    effect = rng.normal(0.0, rng.uniform(0.0, 4.0), (n_replicates, n_groups + 1))
    effect[:, -1] = 0.0
    y = 15.0 - 2.0 * arm + effect[np.arange(n_replicates)[:, None], group] + rng.normal(0.0, 4.0, group.shape)
    y[rng.random(y.shape) < 0.1] = np.nan
    x = np.stack([np.ones(y.shape), arm, rng.normal(0.0, 3.0, y.shape)], axis=2)
    return y, x, group, arm


def fit(y, x, group, arm, df="kenward-roger", *, per_arm=True, **options):
    residual, n_residual = (arm, 2) if per_arm else (None, 1)
    statistics = group_statistics(y, x, group, residual=residual, n_residual=n_residual)
    result = fit_nested(statistics, np.array([0.0, 1.0, 0.0]), df=df, **options)
    return np.array([result.estimate, result.se, result.df])


@RUN
@given(SEEDS, st.booleans(), st.booleans(), METHODS, st.floats(-100, 100), st.floats(0.01, 100))
def test_shift_and_scale_of_the_scores(seed, partial, per_arm, df, shift, scale):
    y, x, group, arm = trials(seed, partial=partial)
    expected = fit(y, x, group, arm, df, per_arm=per_arm)
    actual = fit(scale * (shift + y), x, group, arm, df, per_arm=per_arm)
    np.testing.assert_allclose(actual / np.array([scale, scale, 1.0])[:, None], expected, rtol=1e-6, atol=1e-6)


@RUN
@given(SEEDS, st.booleans(), METHODS)
def test_order_of_the_participants(seed, partial, df):
    y, x, group, arm = trials(seed, partial=partial)
    order = np.random.default_rng(seed).permutation(y.shape[1])
    actual = fit(y[:, order], x[:, order], group[:, order], arm[:, order], df)
    np.testing.assert_allclose(actual, fit(y, x, group, arm, df), **CLOSE)


@RUN
@given(SEEDS, st.booleans(), METHODS)
def test_names_of_the_groups(seed, partial, df):
    y, x, group, arm = trials(seed, partial=partial)
    names = np.append(np.random.default_rng(seed).permutation(20)[:6], -1)
    np.testing.assert_allclose(fit(y, x, names[group], arm, df), fit(y, x, group, arm, df), **CLOSE)


@RUN
@given(SEEDS, st.booleans(), METHODS)
def test_arms_swapped_change_the_sign_only(seed, partial, df):
    y, x, group, arm = trials(seed, partial=partial)
    swapped = x.copy()
    swapped[:, :, 1] = 1.0 - x[:, :, 1]
    expected = fit(y, x, group, arm, df) * np.array([-1.0, 1.0, 1.0])[:, None]
    np.testing.assert_allclose(fit(y, swapped, group, 1 - arm, df), expected, **CLOSE)


@RUN
@given(SEEDS, st.booleans(), METHODS, st.booleans())
def test_company_of_other_trials(seed, partial, df, negative):
    here = trials(seed, partial=partial)
    other = trials(seed + 1, partial=not partial, n_replicates=2)
    both = [np.concatenate([a, b]) for a, b in zip(other, here, strict=True)]
    together = fit(*both, df, allow_negative=negative)[:, 2:]
    alone = np.concatenate(
        [fit(*(piece[r : r + 1] for piece in here), df, allow_negative=negative) for r in range(3)], axis=1
    )
    # Near the edge of what a negative variance may be, the information is close to singular: fewer digits survive.
    tolerance = 1e-8 if negative else 1e-10
    np.testing.assert_allclose(together, alone, rtol=tolerance, atol=tolerance)


@RUN
@given(SEEDS, st.booleans(), METHODS)
def test_participants_without_a_score(seed, partial, df):
    y, x, group, arm = trials(seed, partial=partial)
    more = [np.concatenate([piece, piece[:, :5]], axis=1) for piece in (y, x, group, arm)]
    more[0][:, -5:] = np.nan
    more[2][:, -5:] = 40
    np.testing.assert_allclose(fit(*more, df), fit(y, x, group, arm, df), rtol=1e-10, atol=1e-10)


@RUN
@given(SEEDS, METHODS)
def test_groups_of_one(seed, df):
    """They tell the group variance only where their residual variance is known from others."""
    y, x, group, arm = trials(seed, partial=True)
    group = np.where(group >= 0, np.cumsum(group >= 0, axis=1) - 1, -1)
    assert np.isnan(fit(y, x, group, arm, df)).all()
    assert np.isfinite(fit(y, x, group, arm, df, per_arm=False)).all()
