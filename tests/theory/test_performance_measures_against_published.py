"""Performance measures and their Monte Carlo errors against the published analysis of a simulation study.

rsimsum's vignette A analyses 1,000 replicates of two methods, truth 0.5. The replicates are under the GPL and not here.
These have the moments that were published: their mean, standard deviations, and how many intervals hold the truth and
how many tests reject. From these the other numbers and all errors must follow, to the digits that were printed and what
the rounding of the moments does to them. The error of the mean squared error hangs on the fourth moment, which was not
published, and is left out here: that of normal estimates is held against its closed form below. So is the coverage
without bias, which hangs on each interval, and the gain in precision, which hangs on both methods together.
"""

import numpy as np
import pytest
from scipy.special import ndtri

from trialsim.kernels.montecarlo import mcse_proportion, relative_error_model_se
from trialsim.kernels.operating_characteristics import operating_characteristics

REPLICATES = 1_000
TRUTH = 0.5
J1 = {
    "bias": (0.0168, 0.0048),
    "empirical_se": (0.1511, 0.0034),
    "mse": (0.0231, None),
    "model_se": (0.1471, 0.0005),
    "coverage": (0.943, 0.0073),
    "power": (0.946, 0.0071),
}
J2 = {
    "bias": (0.0009, 0.0042),
    "empirical_se": (0.1320, 0.0030),
    "mse": (0.0174, None),
    "model_se": (0.1349, 0.0006),
    "coverage": (0.949, 0.0070),
    "power": (0.969, 0.0055),
}
RELATIVE_ERROR = {"J1": (-2.66, 2.21), "J2": (2.22, 2.33)}
CASES = pytest.mark.parametrize(("case", "published"), [("J1", J1), ("J2", J2)], ids=["J1", "J2"])


def standard():
    """Return normal scores with mean 0 and variance 1."""
    scores = ndtri((np.arange(REPLICATES) + 0.5) / REPLICATES)
    return (scores - scores.mean()) / scores.std(ddof=1)


def replicates(published):
    """Return replicates that have the published moments."""
    estimate = TRUTH + published["bias"][0] + published["empirical_se"][0] * standard()
    # The spread of the squared standard errors is what the error of their root mean square says.
    model, error = published["model_se"]
    squared = model**2 + 2.0 * error * model * np.sqrt(REPLICATES) * np.random.default_rng(1).permutation(standard())
    holds = np.arange(REPLICATES) < round(REPLICATES * published["coverage"][0])
    rejects = np.arange(REPLICATES) >= REPLICATES - round(REPLICATES * published["power"][0])
    return {
        "estimate": estimate,
        "se": np.sqrt(np.maximum(squared, 1e-6)),
        "p": np.where(rejects, 0.01, 0.5),
        "ci_low": np.where(holds, TRUTH - 0.1, TRUTH + 0.1),
        "ci_high": np.full(REPLICATES, TRUTH + 0.2),
        "status": np.zeros(REPLICATES),
        "n_analysed": np.full(REPLICATES, 100.0),
        "share_missing": np.zeros(REPLICATES),
    }


@CASES
def test_measures_and_errors(case, published):
    found = operating_characteristics(**replicates(published), true_value=TRUTH, alpha=0.05, benefit_sign=1, null=False)
    for name, (value, error) in published.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name
        assert error is None or found[f"{name}_mcse"] == pytest.approx(error, abs=1e-4), name


@CASES
def test_relative_error_of_the_model_standard_error(case, published):
    """Printed in percent to two digits; each standard error is rounded by up to 5e-5, which is .04 %."""
    value, error = RELATIVE_ERROR[case]
    found = replicates(published)
    ours = relative_error_model_se(found["estimate"], found["se"])
    rounding = 100.0 * 1e-4 / published["empirical_se"][0]
    assert ours.value == pytest.approx(value, abs=rounding)
    # The error of the model standard error is printed to one digit: 10 % of it, of which the share is small.
    spread = 0.00005 / published["model_se"][0] * 100.0
    assert ours.mcse == pytest.approx(error, abs=spread)


@CASES
def test_error_of_the_mean_squared_error_of_normal_estimates(case, published):
    """Var (X − θ)² = 2σ⁴ + 4b²σ²; the scores are quantiles, whose fourth moment lacks 1 % of what lies beyond them."""
    found = operating_characteristics(**replicates(published), true_value=TRUTH, alpha=0.05, benefit_sign=1, null=False)
    bias, sd = published["bias"][0], published["empirical_se"][0]
    assert found["mse_mcse"] == pytest.approx(np.sqrt((2.0 * sd**4 + 4.0 * bias**2 * sd**2) / REPLICATES), rel=0.01)


@CASES
def test_coverage_without_bias_is_that_of_unbiased_estimates(case, published):
    rows = replicates(published)
    reach = 1.96 * rows["se"]
    rows |= {"ci_low": rows["estimate"] - reach, "ci_high": rows["estimate"] + reach}
    mean = rows["estimate"].mean()
    asked = {"alpha": 0.05, "benefit_sign": 1, "null": False}
    found = operating_characteristics(**rows, true_value=TRUTH, **asked)
    unbiased = operating_characteristics(**rows, true_value=mean, **asked)
    assert found["bias_eliminated_coverage"] == unbiased["coverage"]
    assert found["bias_eliminated_coverage_mcse"] == unbiased["coverage_mcse"]
    moved = {name: rows[name] + 0.3 for name in ("estimate", "ci_low", "ci_high")}
    biased = operating_characteristics(**{**rows, **moved}, true_value=TRUTH, **asked)
    assert biased["bias_eliminated_coverage"] == found["bias_eliminated_coverage"]
    assert biased["coverage"] < found["coverage"] - 0.2


@pytest.mark.parametrize(
    ("share", "count", "error"),
    [
        (0.80, 1_000, 0.01265),
        (0.80, 10_000, 0.00400),
        (0.05, 10_000, 0.00218),
        (0.05, 100_000, 0.00069),
        (0.025, 100_000, 0.00049),
        (0.940, 1_000, 0.0075),
    ],
)
def test_j4_error_of_a_proportion(share, count, error):
    assert mcse_proportion(share, count) == pytest.approx(error, abs=1e-5)
