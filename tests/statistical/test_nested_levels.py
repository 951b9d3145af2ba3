"""Trials with therapy groups in one arm or in both: what ignoring the groups costs, and that the models repair it.

Levels and power that are known exactly come from the variance of a mean of groups, 1 + (m − 1) × ICC times that of
independent participants (Moerbeek & Wong 2008, Stat Med 27:2850; Roberts & Roberts 2005, Clin Trials 2:152). Every
bound is 4.9 Monte Carlo standard errors: with 40,000 trials a level off by .008 would show, with 12,000 by .01. Run as
a script, the table is printed.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.special import ndtr

from trialsim.kernels.nested import Reason, fit_nested, group_statistics
from trialsim.kernels.nested.components import evaluate

BLOCK = 500
ARM = np.array([0.0, 1.0])


def block(rng, sizes, alone, icc, *, control_sd=1.0, effect=0.0, both=False, missing=0.0):
    """Scores, covariates, groups and arms of a block; total variance 1 in grouped arms, control_sd² elsewhere."""
    inside = np.repeat(np.arange(len(sizes)), sizes)
    control = inside + len(sizes) if both else np.full(alone, -1)
    group = np.tile(np.concatenate([control, inside]), (BLOCK, 1))
    arm = np.tile(np.repeat([0, 1], [len(control), len(inside)]), (BLOCK, 1))
    shared = rng.normal(0.0, np.sqrt(icc), (BLOCK, 2 * len(sizes)))[np.arange(BLOCK)[:, None], group]
    own = rng.normal(0.0, np.sqrt(1.0 - icc), group.shape)
    y = effect * arm + np.where(group >= 0, shared + own, rng.normal(0.0, control_sd, group.shape))
    y[rng.random(y.shape) < missing] = np.nan
    return y, np.stack([np.ones(y.shape), arm], axis=2), group, arm


def close(share, expected, trials):
    return abs(share - expected) < 4.9 * np.sqrt(expected * (1.0 - expected) / trials)


def ignoring(size, icc, both, *, trials=40_000, groups=4):
    """Return the share of trials without a difference that z rejects with the groups ignored, total variance known."""
    rng = np.random.default_rng(912)
    n = groups * size
    hits = 0
    for _ in range(trials // BLOCK):
        y, _, _, arm = block(rng, [size] * groups, n, icc, both=both)
        z = ((2 * arm - 1) * y).sum(axis=1) / n / np.sqrt(2.0 / n)
        hits += (2.0 * ndtr(-np.abs(z)) < 0.05).sum()
    return hits / trials


@pytest.mark.parametrize(
    ("size", "icc", "both", "expected"),
    [
        (10, 0.05, True, 0.1036),
        (10, 0.10, True, 0.1551),
        (8, 0.05, True, 0.0916),
        (10, 0.05, False, 0.0766),
        (10, 0.10, False, 0.1036),
        (8, 0.05, False, 0.0706),
    ],
)
def test_level_if_groups_are_ignored(size, icc, both, expected):
    assert close(ignoring(size, icc, both), expected, 40_000)


def test_power_with_known_variances():
    """80 in groups of 10, ICC .05, against 80 alone, difference .5: exactly .81519."""
    rng = np.random.default_rng(6)
    hits, trials = 0, 20_000
    for _ in range(trials // BLOCK):
        y, x, group, arm = block(rng, [10] * 8, 80, 0.05, effect=0.5)
        statistics = group_statistics(y, x, group, residual=arm, n_residual=2)
        state = evaluate(statistics, np.tile([1.0, 0.95, 0.05], (BLOCK, 1)))
        z = state.coefficients[:, 1] / np.sqrt(state.inverse[:, 1, 1])
        hits += (np.abs(z) > 1.959964).sum()
    assert close(hits / trials, 0.81519, trials)


SETTINGS = {
    "8 groups of 8 against 64, ICC 0": ([8] * 8, 64, 0.0),
    "8 groups of 8 against 64, ICC .1": ([8] * 8, 64, 0.1),
    "16 groups of 6 against 96, ICC .2": ([6] * 16, 96, 0.2),
    "3 groups of 4 against 12, ICC .1": ([4] * 3, 12, 0.1),
}
TRIALS = 12_000


@functools.cache
def levels(name: str) -> dict[str, tuple[float, float]]:
    """Return, for each model, the share of fitted trials without a difference that it rejects, and the share fitted."""
    sizes, alone, icc = SETTINGS[name]
    rng = np.random.default_rng(35)
    hits: dict[str, float] = {}
    fitted: dict[str, float] = {}
    for _ in range(TRIALS // BLOCK):
        y, x, group, arm = block(rng, sizes, alone, icc, control_sd=1.3, missing=0.2 if len(sizes) > 3 else 0.0)
        statistics = group_statistics(y, x, group, residual=arm, n_residual=2)
        for df in ("satterthwaite", "kenward-roger"):
            for negative in (False, True):
                fit = fit_nested(statistics, ARM, df=df, allow_negative=negative)
                label = f"{df}, group variance {'free' if negative else 'from 0'}"
                good = fit.reason == Reason.FITTED
                hits[label] = hits.get(label, 0.0) + (fit.p[good] < 0.05).sum()
                fitted[label] = fitted.get(label, 0.0) + good.sum()
    return {label: (hits[label] / fitted[label], fitted[label] / TRIALS) for label in hits}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SETTINGS if not name.startswith("3 ")])
def test_level_of_kenward_roger_with_a_free_group_variance_and_residual_variance_per_arm(name):
    level, fitted = levels(name)["kenward-roger, group variance free"]
    assert close(level, 0.05, TRIALS)
    assert fitted > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SETTINGS))
def test_a_group_variance_bounded_at_0_does_not_exceed_the_level(name):
    """A variance that cannot be negative is too large on average where there is little of it: the test is cautious."""
    results = levels(name)
    for df in ("satterthwaite", "kenward-roger"):
        level, fitted = results[f"{df}, group variance from 0"]
        assert level < 0.05 + 4.9 * np.sqrt(0.05 * 0.95 / TRIALS)
        assert fitted == 1.0


if __name__ == "__main__":
    for setting in SETTINGS:
        print(f"{setting}; residual SD 1.3 times as large without groups; {TRIALS:,} trials")
        for model, (share, answered) in levels(setting).items():
            mcse = np.sqrt(share * (1.0 - share) / (answered * TRIALS))
            print(f"    {model:45}{share:8.4f} (MCSE {mcse:.4f}), {answered:.1%} fitted")
