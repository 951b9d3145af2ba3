"""Estimates are right on average and intervals hold the truth as often as they say, under dropout that MMRM can bear.

Scores on the real line, so that the truth is exact. Bounds are 4.9 Monte Carlo standard errors: a right program fails
once in a million. Each test says the smallest bias it sees.
"""

import numpy as np
import pytest
from scipy.special import stdtrit

from trials import CONTINUOUS, simulate

EFFECT = -4.0
STRONG = {
    "course.means.score": {"control": [19.0, 18.0, 17.0], "active": [17.0, 15.0, 17.0 + EFFECT]},
    "dropout": {"model": "mar", "missing_by": {3: 0.1, 7: 0.3, 14: 0.5}, "score_hazard_ratio_per_sd": 2.5},
    "sample_size": [200],
}
"""Half are gone by the end; one standard deviation worse means 2.5 times the hazard, and the arms differ early."""

REPLICATES = [1_000, pytest.param(10_000, marks=pytest.mark.slow)]


def coverage(result):
    half = stdtrit(result["df"], 0.975) * result["se"]
    return np.mean(np.abs(result["estimate"] - EFFECT) <= half)


@pytest.mark.parametrize("replicates", REPLICATES)
def test_the_mixed_model_is_unbiased_under_strong_dropout_at_random(replicates):
    """Sees a bias of 0.13 points with 1,000 trials, 0.041 with 10,000; coverage to 0.034 and 0.011."""
    result = simulate(CONTINUOUS, STRONG, replicates=replicates)[0]
    assert np.all(result["status"] == 0)
    error = result["estimate"].std() / np.sqrt(replicates)
    assert error < 1.0 / np.sqrt(replicates)
    assert abs(result["estimate"].mean() - EFFECT) < 4.9 * error
    assert abs(coverage(result) - 0.95) < 4.9 * np.sqrt(0.95 * 0.05 / replicates)
    # The standard error is that of the estimates: the SD of R numbers is known to 1 in sqrt(2 R).
    assert np.sqrt(np.mean(result["se"] ** 2)) == pytest.approx(
        result["estimate"].std(), rel=4.9 / np.sqrt(2 * replicates)
    )


@pytest.mark.parametrize("replicates", REPLICATES)
def test_those_who_stayed_alone_are_a_biased_sample(replicates):
    """The control arm loses its worst: a regression on completers must be seen to give less than the effect.

    It gives about 0.3 points less of 4, with coverage 0.934; the bound asks for 0.13 (1,000 trials) and 0.042 (10,000).
    """
    by_model, by_completers = simulate(CONTINUOUS, STRONG, replicates=replicates)
    error = by_completers["estimate"].std() / np.sqrt(replicates)
    assert by_completers["estimate"].mean() - EFFECT > 4.9 * error
    assert coverage(by_completers) < coverage(by_model)


@pytest.mark.parametrize("dropout", ["none", "mcar"])
def test_both_analyses_are_unbiased_where_dropout_asks_for_nothing(dropout):
    """2,000 trials: sees a bias of 0.08 points and 0.024 in coverage."""
    changes = {**STRONG, "dropout": None if dropout == "none" else {"model": "mcar", "missing_by": {14: 0.3}}}
    for result in simulate(CONTINUOUS, changes, replicates=2_000):
        assert abs(result["estimate"].mean() - EFFECT) < 4.9 * result["estimate"].std() / np.sqrt(2_000)
        assert abs(coverage(result) - 0.95) < 4.9 * np.sqrt(0.95 * 0.05 / 2_000)


def test_strata_of_different_size_and_effect_average_with_their_shares():
    """The estimand is the share-weighted mean effect; complete data, 2,000 trials: sees a bias of 0.08 points."""
    changes = {
        "population": {
            "strata": {
                "small": {"share": 0.25, "baseline": {"score": {"mean": 22.0, "sd": 4.0}}},
                "large": {"share": 0.75, "baseline": {"score": {"mean": 18.0, "sd": 5.0}}},
            }
        },
        "course.means.score": {
            "control": [18.0, 16.0, 15.0],
            "active": {"small": [18.0, 16.0, 7.0], "large": [18.0, 16.0, 13.0]},
        },
        "allocation": {"block_sizes": [4], "stratify_by": ["stratum"]},
        "sample_size": [200],
    }
    for result in simulate(CONTINUOUS, changes, replicates=2_000):
        truth = -8.0 * 0.25 - 2.0 * 0.75
        assert abs(result["estimate"].mean() - truth) < 4.9 * result["estimate"].std() / np.sqrt(2_000)
