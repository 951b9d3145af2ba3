"""Monte Carlo standard errors against plain loops, published rows and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trialsim.kernels import montecarlo as mc


@pytest.mark.parametrize(
    ("share", "count", "expected"),
    [
        # Case J4 of the cross-package cases: sqrt(p (1 - p) / n), to five decimals.
        (0.80, 1_000, 0.01265),
        (0.80, 10_000, 0.00400),
        (0.05, 10_000, 0.00218),
        (0.05, 100_000, 0.00069),
        (0.025, 100_000, 0.00049),
    ],
)
def test_mcse_of_a_proportion_has_the_published_values(share: float, count: int, expected: float) -> None:
    assert mc.mcse_proportion(share, count) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    # Rows CC and MI_LOGT of the rsimsum vignette, 1,000 replicates (cases J1 and J2), to four decimals.
    ("empirical", "model", "model_mcse", "coverage", "power", "expected"),
    [
        (0.1511, 0.1471, 0.0005, 0.943, 0.946, (0.0048, 0.0034, -2.66, 2.21, 0.0073, 0.0071)),
        (0.1320, 0.1349, 0.0006, 0.949, 0.969, (0.0042, 0.0030, 2.22, 2.33, 0.0070, 0.0055)),
    ],
)
def test_published_rows_follow_from_their_own_columns(
    empirical: float,
    model: float,
    model_mcse: float,
    coverage: float,
    power: float,
    expected: tuple[float, ...],
) -> None:
    bias_mcse, empirical_mcse, relative, relative_mcse, coverage_mcse, power_mcse = expected
    replicates = 1000
    estimates = _with_mean_and_sd(replicates, 0.5, empirical)
    variances = _with_mean_and_sd(replicates, model**2, 2.0 * model * model_mcse * math.sqrt(replicates))
    standard_errors = np.sqrt(variances)
    assert mc.mcse_mean(estimates) == pytest.approx(bias_mcse, abs=1e-4)
    assert mc.empirical_se(estimates).mcse == pytest.approx(empirical_mcse, abs=1e-4)
    assert mc.model_se(standard_errors) == pytest.approx((model, model_mcse), abs=1e-9)
    error = mc.relative_error_model_se(estimates, standard_errors)
    # 0.06 is what rounding the two standard errors to four decimals can do to their ratio in percent.
    assert error.value == pytest.approx(relative, abs=0.06)
    assert error.mcse == pytest.approx(relative_mcse, abs=0.02)
    assert mc.mcse_proportion(coverage, replicates) == pytest.approx(coverage_mcse, abs=1e-4)
    assert mc.mcse_proportion(power, replicates) == pytest.approx(power_mcse, abs=1e-4)


def test_published_mean_squared_error_follows_from_bias_and_empirical_se() -> None:
    estimates = _with_mean_and_sd(1000, 0.5168, 0.1511)  # case J1: bias .0168, MSE .0231
    assert mc.mean_squared_error(estimates, 0.5).value == pytest.approx(0.0231, abs=1e-4)


def test_measures_agree_with_loops_written_from_the_definitions() -> None:
    rng = np.random.default_rng(20230419)
    estimates = rng.normal(-2.0, 0.7, 37)
    standard_errors = rng.uniform(0.5, 0.9, 37)
    true_value = -1.8
    n = len(estimates)

    average = sum(estimates) / n
    squares = sum((e - average) ** 2 for e in estimates)
    sd = math.sqrt(squares / (n - 1))
    assert mc.mean(estimates) == pytest.approx((average, math.sqrt(squares / (n * (n - 1)))), rel=1e-12)
    assert mc.empirical_se(estimates) == pytest.approx((sd, sd / math.sqrt(2 * (n - 1))), rel=1e-12)

    variances = [s**2 for s in standard_errors]
    mean_variance = sum(variances) / n
    variance_of_variance = sum((v - mean_variance) ** 2 for v in variances) / (n - 1)
    model = math.sqrt(mean_variance)
    model_mcse = math.sqrt(variance_of_variance / (4 * n * model**2))
    assert mc.model_se(standard_errors) == pytest.approx((model, model_mcse), rel=1e-12)

    under_root = variance_of_variance / (4 * n * model**4) + 1 / (2 * (n - 1))
    relative_mcse = 100 * (model / sd) * math.sqrt(under_root)
    relative = mc.relative_error_model_se(estimates, standard_errors)
    assert relative == pytest.approx((100 * (model / sd - 1), relative_mcse), rel=1e-12)

    errors = [(e - true_value) ** 2 for e in estimates]
    mse = sum(errors) / n
    mse_mcse = math.sqrt(sum((x - mse) ** 2 for x in errors) / (n * (n - 1)))
    assert mc.mean_squared_error(estimates, true_value) == pytest.approx((mse, mse_mcse), rel=1e-12)


def test_wilson_interval_solves_the_score_equation() -> None:
    z = 1.959963984540054
    for hits, count in [(1, 500), (37, 50), (400, 500), (7, 8)]:
        for end in mc.wilson_interval(hits, count):
            # Both ends are where the score statistic is exactly z.
            assert abs(hits / count - end) / math.sqrt(end * (1 - end) / count) == pytest.approx(z, rel=1e-9)


def test_zero_of_500_is_not_certainty() -> None:
    low, high = mc.wilson_interval(0, 500)
    assert low == 0.0
    assert high == pytest.approx(0.00762, abs=1e-5)
    assert mc.wilson_interval(500, 500) == pytest.approx((1.0 - high, 1.0))
    assert mc.mcse_proportion(0.0, 500) == 0.0


def test_nothing_to_measure_gives_nan_and_not_an_error() -> None:
    empty = np.array([])
    one = np.array([1.0])
    for measure in (
        mc.proportion(0, 0),
        mc.wilson_interval(0, 0),
        mc.mean(empty),
        mc.empirical_se(empty),
        mc.empirical_se(one),
        mc.model_se(empty),
        mc.relative_error_model_se(one, one),
        mc.mean_squared_error(empty, 0.0),
    ):
        assert all(math.isnan(number) for number in measure)
    assert mc.mean(one).value == 1.0
    assert math.isnan(mc.mean(one).mcse)
    assert math.isnan(mc.model_se(one).mcse)
    assert math.isnan(mc.mcse_sd(1.0, 1))


def test_equal_standard_errors_have_no_monte_carlo_error() -> None:
    value, mcse = mc.model_se(np.full(10, 0.5))
    assert value == pytest.approx(0.5)
    assert mcse == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("share", "target", "expected"), [(0.5, 0.01, 2500), (0.8, 0.0127, 993), (0.05, 0.05, 19)])
def test_replicates_for_a_wanted_mcse(share: float, target: float, expected: int) -> None:
    count = mc.replicates_for_mcse(share, target)
    assert count == expected
    assert mc.mcse_proportion(share, count) <= target * (1 + 1e-9)
    assert mc.mcse_proportion(share, count - 1) > target


@pytest.mark.parametrize("call", [
    lambda: mc.mcse_proportion(1.2, 10),
    lambda: mc.proportion(3, 2),
    lambda: mc.wilson_interval(-1, 2),
    lambda: mc.wilson_interval(1, 2, level=1.0),
    lambda: mc.replicates_for_mcse(0.5, 0.0),
    lambda: mc.replicates_for_mcse(-0.1, 0.1),
])  # fmt: skip
def test_impossible_input_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="must"):
        call()


def _with_mean_and_sd(count: int, mean: float, sd: float) -> np.ndarray:
    """Return `count` numbers with exactly this mean and standard deviation."""
    shape = np.linspace(-1.0, 1.0, count)
    return mean + sd * shape / np.std(shape, ddof=1)
