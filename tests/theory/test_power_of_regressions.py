"""Simulated power of t-test and ANCOVA designs against the exact noncentral t.

Bounds are 4.9 Monte Carlo standard errors: a right program fails once in a million. At 20,000 replicates and power
near 0.8 that is 0.014, the smallest error in power that these tests see.
"""

import numpy as np
import pytest
from scipy import integrate, stats

from trials import CONTINUOUS, simulate

REPLICATES = 20_000


def power_of_t(d, per_arm, df=None, alpha=0.05):
    """Power in both directions of a two-sided t-test of two arms, effect d in residual standard deviations."""
    df = 2 * per_arm - 2 if df is None else df
    critical = stats.t.ppf(1 - alpha / 2, df)
    noncentrality = d * np.sqrt(per_arm / 2)
    return stats.nct.sf(critical, df, noncentrality) + stats.nct.cdf(-critical, df, noncentrality)


def power_of_ancova(d, per_arm, correlation):
    """Exact power with a normal baseline, over its chance imbalance between the arms.

    Given the baselines the variance of the difference is sigma^2 (1 - rho^2) (2/n) (1 + F / (2n - 2)), F the squared t
    statistic of the baselines, which has the F distribution with 1 and 2n - 2 degrees of freedom.
    """
    df = 2 * per_arm - 2

    def given(t):
        shrunk = d / np.sqrt(1 - correlation**2) / np.sqrt(1 + t**2 / df)
        return power_of_t(shrunk, per_arm, df - 1) * stats.t.pdf(t, df)

    return 2 * integrate.quad(given, 0, 12)[0]


def rejected(p, share):
    assert len(p) == REPLICATES
    assert abs(np.mean(p <= 0.05) - share) < 4.9 * np.sqrt(share * (1 - share) / len(p))


def design(d, per_arm, covariates, correlation=0.5):
    return {
        "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0 - 5.0 * d]},
        "outcomes.score.baseline_correlation": correlation,
        "analysis.primary": [
            {"method": "mmrm", "covariates": covariates},
            {"method": "ancova", "covariates": covariates},
        ],
        "sample_size": [2 * per_arm],
    }


@pytest.mark.parametrize(
    ("d", "per_arm", "printed"), [(0.5, 64, 0.80146), (1.0, 20, 0.8689530)], ids=["Cohen", "power.t.test"]
)
def test_the_formula_gives_the_printed_values(d, per_arm, printed):
    assert power_of_t(d, per_arm) == pytest.approx(printed, abs=1e-5)


@pytest.mark.parametrize(("d", "n"), [(0.2, 393.4057), (0.3, 175.3847), (0.4, 99.0803), (0.5, 63.7656), (0.8, 25.5246)])
def test_the_formula_at_published_sample_sizes_is_80_percent(d, n):
    assert power_of_t(d, n) == pytest.approx(0.8, abs=2e-6)


@pytest.mark.parametrize(("d", "per_arm"), [(0.5, 64), (1.0, 20), (0.0, 10)])
def test_comparison_of_means(d, per_arm):
    for result in simulate(CONTINUOUS, design(d, per_arm, []), replicates=REPLICATES):
        assert np.all(result["status"] == 0)
        rejected(result["p"], power_of_t(d, per_arm) if d else 0.05)


@pytest.mark.parametrize("correlation", [0.3, 0.5, 0.7])
def test_adjustment_for_baseline(correlation):
    exact = power_of_ancova(0.5, 40, correlation)
    # Adjustment is worth about n / (1 - rho^2) patients.
    assert exact == pytest.approx(power_of_t(0.5 / np.sqrt(1 - correlation**2), 40), abs=0.01)
    for result in simulate(CONTINUOUS, design(0.5, 40, ["baseline"], correlation), replicates=REPLICATES):
        rejected(result["p"], exact)


def test_both_directions_have_the_same_power():
    down, up = (simulate(CONTINUOUS, design(d, 30, []), replicates=REPLICATES)[1] for d in (0.5, -0.5))
    rejected(down["p"], power_of_t(0.5, 30))
    rejected(up["p"], power_of_t(0.5, 30))
    # The same patients, moved the other way.
    np.testing.assert_allclose(up["estimate"] - down["estimate"], 5.0, atol=1e-9)
