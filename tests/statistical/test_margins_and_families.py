"""Levels and power of tests against a margin, of interactions, and of procedures for several hypotheses.

Bounds are 4.9 Monte Carlo standard errors: a right program fails once in a million.
"""

import numpy as np
import pytest
from scipy import stats
from scipy.special import stdtrit

from trials import CONTINUOUS, changed, resolve, simulate
from trialsim.engine.block import compute_block

COMPLETE = {"analysis.primary": {"method": "t_test"}, "sample_size": [80]}
SD, PER_ARM = 5.0, 40
SE = SD * np.sqrt(2 / PER_ARM)


def effect(points):
    return {"course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0 + points]}}


def share(p, level=0.05):
    return np.mean(p <= level), np.sqrt(0.05 * 0.95 / len(p))


@pytest.mark.slow
def test_on_the_margin_non_inferiority_is_claimed_in_half_of_alpha():
    """10,000 trials of 80: sees a level that is off by 0.008."""
    changes = {**COMPLETE, **effect(2.0), "estimands.primary.non_inferiority_margin": 2.0}
    rate, _ = share(simulate(CONTINUOUS, changes, replicates=10_000)[0]["p"])
    assert abs(rate - 0.025) < 4.9 * np.sqrt(0.025 * 0.975 / 10_000)


@pytest.mark.slow
def test_power_of_non_inferiority_is_that_of_the_noncentral_t():
    """10,000 trials: sees a difference of 0.024."""
    changes = {**COMPLETE, **effect(0.0), "estimands.primary.non_inferiority_margin": 3.0}
    rate, _ = share(simulate(CONTINUOUS, changes, replicates=10_000)[0]["p"])
    df = 2 * PER_ARM - 2
    power = stats.nct.sf(stdtrit(df, 0.975), df, 3.0 / SE)
    assert abs(rate - power) < 4.9 * np.sqrt(power * (1 - power) / 10_000)


@pytest.mark.slow
def test_power_of_equivalence_is_that_of_two_one_sided_tests():
    """10,000 trials against the integral over the estimated variance: sees a difference of 0.025."""
    changes = {**COMPLETE, **effect(0.0), "estimands.primary.equivalence_margin": 4.0}
    rate, _ = share(simulate(CONTINUOUS, changes, replicates=10_000)[0]["p"])
    df = 2 * PER_ARM - 2
    scale = np.sqrt(stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, df) / df)
    room = np.maximum(4.0 / SE - stdtrit(df, 0.975) * scale, 0.0)
    power = np.mean(2 * stats.norm.cdf(room) - 1)
    assert abs(rate - power) < 4.9 * np.sqrt(power * (1 - power) / 10_000)


INTERACTION = {
    "population.strata": {
        "one": {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
        "two": {"share": 0.5, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}},
    },
    "population.strata_by": "quota",
    "allocation.stratify_by": ["stratum"],
    "estimands.primary.interaction": ["one", "two"],
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ancova", "mmrm", "t_test"])
def test_an_interaction_has_twice_the_standard_error_and_the_right_level(method):
    """10,000 trials of 80, no difference between strata: sees a level off by 0.011, a bias of 0.11 points."""
    changes = {**INTERACTION, "analysis.primary": {"method": method}, **effect(-3.0)}
    found = simulate(CONTINUOUS, changes, replicates=10_000)[0]
    rate, error = share(found["p"])
    assert abs(rate - 0.05) < 4.9 * error
    spread = found["estimate"].std()
    assert abs(found["estimate"].mean()) < 4.9 * spread / 100
    adjusted = SD if method == "t_test" else SD * np.sqrt(1 - 0.5**2)
    assert spread == pytest.approx(2 * adjusted * np.sqrt(2 / PER_ARM), rel=0.06)


NULL_FAMILY = {
    "arms": {"control": {}, "low": {}, "high": {}},
    "allocation.block_sizes": [6],
    "course.means.score": {arm: [18.0, 16.0, 15.0] for arm in ("control", "low", "high")},
    "estimands": {
        "primary": {"outcome": "score", "visit": 14, "contrast": ["high", "control"]},
        "low": {"outcome": "score", "visit": 14, "contrast": ["low", "control"]},
    },
    "analysis": {"primary": {"method": "ancova"}, "low": {"method": "ancova"}},
    "sample_size": [60],
}
PLANS = {
    "bonferroni": {"method": "bonferroni"},
    "holm": {"method": "holm"},
    "hochberg": {"method": "hochberg"},
    "hommel": {"method": "hommel"},
    "fixed_sequence": {"method": "fixed_sequence"},
    "fallback": {"method": "fallback"},
    "dunnett": {"method": "dunnett"},
    "graph": {"method": "graph", "transitions": [[0, 1], [1, 0]]},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_no_procedure_claims_more_than_alpha_and_dunnett_claims_all_of_it(name):
    """5,000 trials under the global null: sees a family-wise error of 0.065; without a procedure it is 0.09."""
    resolved = resolve(changed(CONTINUOUS, NULL_FAMILY), {"multiplicity": PLANS[name]})
    blocks = [compute_block(resolved.variants[0], resolved.hash, resolved.seed, b) for b in range(20)]
    adjusted = np.concatenate([np.stack([cell.p_adjusted for cell in block], axis=1) for block in blocks])
    raw = np.concatenate([np.stack([cell.estimates.p for cell in block], axis=1) for block in blocks])
    error = np.sqrt(0.05 * 0.95 / len(adjusted))
    rate = np.mean((adjusted <= 0.05).any(axis=1))
    assert rate < 0.05 + 4.9 * error
    assert np.mean((raw <= 0.05).any(axis=1)) > 0.05 + 4.9 * error
    if name in ("dunnett", "fixed_sequence"):
        assert rate > 0.05 - 4.9 * error
