"""Coverage of 95 % intervals of the mean effect in simulated meta-analyses.

20,000 sets of studies each: a Monte Carlo standard error of .0015, so that 4.9 errors are .0076. Standard errors of the
studies are known; what is seen is what the estimate of tau² does. With equal standard errors the Hartung-Knapp interval
is exact and asserted to cover .95 (a true coverage below .935 or above .965 would almost surely show). With unequal
ones it is not exact; there it is asserted to be nearer to .95 than the classical normal interval, which covers too
little, and the floor at the fixed-effect width never to lower its coverage.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from trialsim.kernels.meta_analysis import between_study_interval, random_effects

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "from_evidence_to_effect.md"
ROW = re.compile(r"^\| (\d+) \| (0\.\d+) \| (\.\d+) \| (\.\d+) \| (\.\d+) \|$", re.MULTILINE)
SETS = 20_000
BOUND = 4.9 * np.sqrt(0.95 * 0.05 / SETS)
MEAN = -0.6

pytestmark = pytest.mark.slow


def simulate(k, tau, spread, seed=29):
    """Return estimates and standard errors: the latter equal, or from a third to three times 0.3."""
    rng = np.random.default_rng(seed)
    se = np.broadcast_to(0.3 * np.geomspace(1.0 / spread, spread, k), (SETS, k))
    return rng.normal(MEAN, np.hypot(se, tau)), se


def share_covering(low, high, truth=MEAN):
    return float(np.mean((low <= truth) & (truth <= high)))


@pytest.mark.parametrize("method", ["reml", "paule-mandel", "dersimonian-laird"])
@pytest.mark.parametrize(("k", "tau"), [(2, 0.0), (3, 0.3), (6, 0.6)])
def test_hartung_knapp_is_exact_with_equal_standard_errors(method, k, tau):
    pooled = random_effects(*simulate(k, tau, 1.0), method=method)
    assert abs(share_covering(pooled.low, pooled.high) - 0.95) <= BOUND


@pytest.mark.parametrize("k", [3, 6, 12])
@pytest.mark.parametrize("tau", [0.15, 0.3, 0.6])
def test_hartung_knapp_is_nearer_to_its_level_than_the_normal_interval(k, tau):
    pooled = random_effects(*simulate(k, tau, 3.0))
    ours = share_covering(pooled.low, pooled.high)
    half = 1.959963984540054 * pooled.se_model
    normal = share_covering(pooled.mean - half, pooled.mean + half)
    assert normal < 0.95 - BOUND
    assert abs(ours - 0.95) < 0.95 - normal


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_the_fixed_effect_floor_only_adds_coverage(tau):
    y, se = simulate(3, tau, 3.0)
    plain, floored = random_effects(y, se), random_effects(y, se, at_least_fixed=True)
    assert share_covering(floored.low, floored.high) > share_covering(plain.low, plain.high)


def test_prediction_interval_covers_a_new_study_with_many_studies():
    """With 40 equal studies tau is known well: a new true effect is covered at the level, to within .01."""
    pooled = random_effects(*simulate(40, 0.6, 1.0))
    new = np.random.default_rng(31).normal(MEAN, 0.6, SETS)
    assert abs(share_covering(pooled.predictive_low, pooled.predictive_high, new) - 0.95) <= 0.01


@pytest.mark.parametrize("tau", [0.3, 0.6])
def test_profile_likelihood_covers_tau2_with_many_studies(tau):
    """The chi-squared approximation is one for many studies: within .01 at 40."""
    low, high = between_study_interval(*simulate(40, tau, 1.0))
    assert abs(share_covering(low, high, tau**2) - 0.95) <= 0.01


def test_the_documented_coverages_are_these():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == 5
    for k, tau, *printed in rows:
        studies = simulate(int(k), float(tau), 3.0)
        pooled, floored = random_effects(*studies), random_effects(*studies, at_least_fixed=True)
        half = 1.959963984540054 * pooled.se_model
        found = [share_covering(each.low, each.high) for each in (pooled, floored)]
        found.append(share_covering(pooled.mean - half, pooled.mean + half))
        np.testing.assert_allclose(found, np.array(printed, dtype=float), atol=0.001)
