"""Power of a mixed model with monotone dropout against the closed form of Lu, Luo & Chen.

References
----------
Lu K, Luo X, Chen PY (2008), Int J Biostat 4(1):9. With R the correlation over visits and r_k the share still there at
visit k, an arm of n patients knows its mean at the last visit with variance phi sigma^2 / n, phi the last diagonal
element of the inverse of sum_k (r_k - r_{k+1}) [R_k^-1 0; 0 0], R_k the correlation of the first k visits.
"""

import numpy as np
import pytest
from scipy import optimize, stats

from trials import CONTINUOUS, simulate


def inflation(correlation, staying):
    """Variance inflation phi of one arm at its last visit."""
    n_visits = len(correlation)
    information = np.zeros((n_visits, n_visits))
    staying = [*staying, 0.0]
    for k in range(1, n_visits + 1):
        information[:k, :k] += (staying[k - 1] - staying[k]) * np.linalg.inv(correlation[:k, :k])
    return np.linalg.inv(information)[-1, -1]


def unit_variance(phi, ratio):
    """Variance of the difference times the total number, in sigma^2; arm 1 is `ratio` times arm 2."""
    return (1 + ratio) * (phi[0] / ratio + phi[1])


def total_by_z(effect, phi, ratio, alpha=0.05, power=0.9):
    return unit_variance(phi, ratio) * ((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) / effect) ** 2


def power_by_t(effect, phi, ratio, total, alpha=0.05):
    critical = stats.t.ppf(1 - alpha / 2, total - 2)
    return stats.nct.sf(critical, total - 2, effect * np.sqrt(total / unit_variance(phi, ratio)))


TABLE_1 = [
    ((1, 1), 1.0, 168.12, 170.15),
    ((1, 1), 2.0, 189.13, 191.16),
    ((1, 2), 0.7071, 244.97, 246.98),
    ((1, 2), 0.5, 252.18, 254.19),
    ((1, 2), 1.0, 252.18, 254.19),
    ((1, 2), 2.0, 315.22, 317.23),
    ((2, 2), 1.0, 336.24, 338.24),
    ((2, 2), 2.0, 378.27, 380.27),
]
TABLE_2 = {
    0.1: [1.1111, 1.1100, 1.1011, 1.0833, 1.0567, 1.0211],
    0.2: [1.2500, 1.2475, 1.2275, 1.1875, 1.1275, 1.0475],
    0.3: [1.4286, 1.4243, 1.3900, 1.3214, 1.2186, 1.0814],
    0.4: [1.6667, 1.6600, 1.6067, 1.5000, 1.3400, 1.1267],
}


@pytest.mark.parametrize(("phi", "ratio", "by_z", "by_t"), TABLE_1)
def test_printed_sample_sizes(phi, ratio, by_z, by_t):
    assert total_by_z(0.5, phi, ratio) == pytest.approx(by_z, abs=0.01)

    def short(total):
        t = stats.t.ppf(0.975, total - 2) + stats.t.ppf(0.9, total - 2)
        return unit_variance(phi, ratio) * (t / 0.5) ** 2 - total

    assert optimize.brentq(short, 20, 1000) == pytest.approx(by_t, abs=0.05)


@pytest.mark.parametrize("dropout", TABLE_2)
def test_printed_variance_inflation(dropout):
    for rho, printed in zip((0.0, 0.1, 0.3, 0.5, 0.7, 0.9), TABLE_2[dropout], strict=True):
        assert inflation(np.array([[1.0, rho], [rho, 1.0]]), [1.0, 1.0 - dropout]) == pytest.approx(printed, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.5, 0.8])
@pytest.mark.parametrize("ratio", [1, 2])
def test_simulated_power_with_dropout_at_random(rho, ratio):
    """10,000 trials of about 300 patients; bound 4.9 standard errors (0.015) and 0.008 for the asymptotic formula.

    The formula takes the share of those who stay, and the covariance, as known; both cost of order 1/n. The mean
    squared standard error is within 2 % of the formula's, which is the smallest bias of it that is seen.
    """
    compare(rho, ratio, 10_000)


def test_simulated_power_quickly():
    """1,000 trials: an error of 0.054 in power is seen, and one of 2 % in the squared standard error."""
    compare(0.5, 1, 1_000)


def compare(rho, ratio, replicates):
    missing = {3: 0.1, 7: 0.2, 14: 0.4}
    times = np.arange(3)
    correlation = rho ** np.abs(np.subtract.outer(times, times))
    staying = [1 - share for share in missing.values()]
    phi = 2 * [inflation(correlation, staying)]
    total = round(total_by_z(0.4, phi, ratio) / (6 * (1 + ratio))) * 6 * (1 + ratio)
    changes = {
        "course.means.score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 13.0]},
        "covariance.visits": {"structure": "ar1", "rho": rho},
        "dropout": {"model": "mcar", "missing_by": missing},
        "allocation.ratio": [1, ratio],
        "allocation.block_sizes": [2 * (1 + ratio)],
        "analysis.primary": [{"method": "mmrm", "covariates": []}],
        "sample_size": [total],
    }
    result = simulate(CONTINUOUS, changes, replicates=replicates)[0]
    assert np.mean(result["status"] == 0) > 0.9999
    expected = power_by_t(0.4, phi, ratio, total)
    assert expected == pytest.approx(0.9, abs=0.01)
    power = np.mean((result["p"] <= 0.05) & (result["estimate"] < 0))
    assert abs(power - expected) < 4.9 * np.sqrt(expected * (1 - expected) / replicates) + 0.008
    # The variance itself: its Monte Carlo standard error is sqrt(2 / R), 1 %, and the formula's error as above.
    variance = unit_variance(phi, ratio) * 25.0 / total
    assert np.var(result["estimate"]) == pytest.approx(variance, rel=4.9 * np.sqrt(2 / replicates) + 0.015)
    assert np.mean(result["se"] ** 2) == pytest.approx(variance, rel=0.02)
