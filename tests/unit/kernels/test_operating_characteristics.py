"""Operating characteristics against a loop that counts one replicate at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trialsim.kernels.operating_characteristics import COLUMNS, counts_as_power, operating_characteristics


def _replicates(count: int, seed: int, *, failing: float = 0.1) -> dict[str, Any]:
    """Return made-up rows in which about a tenth of the fits failed and carry NaN."""
    rng = np.random.default_rng(seed)
    status = rng.choice([0, 1, 2], count, p=[0.9 - failing, 0.1, failing])
    se = rng.uniform(0.6, 1.0, count)
    df = rng.uniform(20.0, 90.0, count)
    estimate = rng.normal(-1.6, 0.8, count)
    p = np.asarray(2.0 * stats.t.sf(np.abs(estimate / se), df))
    half = stats.t.ppf(0.975, df) * se
    low, high = estimate - half, estimate + half
    for column in (estimate, se, p, low, high):
        column[status == 2] = np.nan
    n_analysed = np.where(status == 2, np.nan, rng.integers(70, 80, count))
    return {
        "estimate": estimate, "se": se, "p": p, "ci_low": low, "ci_high": high, "status": status,
        "n_analysed": n_analysed,
        "share_missing": rng.uniform(0.0, 0.2, count),
    }  # fmt: skip


@pytest.mark.parametrize("lower_is_better", [True, False])
@pytest.mark.parametrize("true_value", [-1.5, 0.0])
def test_agrees_with_a_loop(true_value: float, lower_is_better: bool) -> None:
    rows = _replicates(400, seed=7)
    alpha = 0.05
    usable = found = rejected = covered = failed = fell_back = 0
    estimates, sizes = [], []
    for i in range(400):
        if rows["status"][i] == 2:
            failed += 1
            continue
        usable += 1
        fell_back += rows["status"][i] == 1
        estimate = rows["estimate"][i]
        if rows["p"][i] <= alpha:
            rejected += 1
            found += (estimate < 0) if lower_is_better else (estimate > 0)
        covered += rows["ci_low"][i] <= true_value <= rows["ci_high"][i]
        estimates.append(estimate)
        sizes.append(rows["n_analysed"][i])

    result = operating_characteristics(
        **rows, true_value=true_value, alpha=alpha, benefit_sign=-1 if lower_is_better else 1, null=true_value == 0.0
    )

    assert tuple(result) == COLUMNS
    assert result["replicates"] == 400
    counts = (result["converged"], result["fell_back"], result["failed"])
    assert counts == (usable - fell_back, fell_back, failed)
    power = found / usable
    assert result["power"] == pytest.approx(power, rel=1e-12)
    assert result["power_mcse"] == pytest.approx(math.sqrt(power * (1 - power) / usable), rel=1e-12)
    wilson = stats.binomtest(found, usable).proportion_ci(0.95, method="wilson")
    ends = (result["power_low"], result["power_high"])
    assert ends == pytest.approx((wilson.low, wilson.high), rel=1e-9, abs=1e-12)
    assert result["rejection_rate"] == pytest.approx(rejected / usable)
    assert result["power_failures_as_0"] == pytest.approx(found / 400)
    assert result["power_failures_as_1"] == pytest.approx((found + failed) / 400)
    assert result["coverage"] == pytest.approx(covered / usable)
    mean = sum(estimates) / usable
    mse = sum((e - true_value) ** 2 for e in estimates) / usable
    assert result["mean_estimate"] == pytest.approx(mean, rel=1e-12)
    assert result["bias"] == pytest.approx(mean - true_value, rel=1e-9)
    assert result["bias_mcse"] == result["mean_estimate_mcse"]
    assert result["mse"] == pytest.approx(mse, rel=1e-12)
    assert result["mean_n_analysed"] == pytest.approx(sum(sizes) / usable)
    assert result["share_missing"] == pytest.approx(sum(rows["share_missing"]) / 400)
    if true_value == 0.0:
        assert result["type_i_error"] == result["rejection_rate"]
    else:
        assert math.isnan(result["type_i_error"])
        assert math.isnan(result["type_i_error_mcse"])


def test_a_failed_fit_is_not_a_miss() -> None:
    """Case L1: one in ten fits fails; power is over the others, with the count and both bounds beside it."""
    rows = _simple(estimate=[-2.0] * 9 + [np.nan], p=[0.001] * 9 + [np.nan], status=[0] * 9 + [2])
    result = operating_characteristics(**rows, true_value=-2.0, alpha=0.05, benefit_sign=-1, null=False)
    assert result["power"] == 1.0
    assert result["failed"] == 1
    assert result["power_failures_as_0"] == 0.9
    assert result["power_failures_as_1"] == 1.0


def test_power_counts_the_direction_of_benefit_and_type_i_error_both() -> None:
    rows = _simple(estimate=[-2.0, 2.0, -0.1, 0.1], p=[0.01, 0.01, 0.9, 0.9], status=[0, 1, 0, 0])
    down = operating_characteristics(**rows, true_value=0.0, alpha=0.05, benefit_sign=-1, null=True)
    up = operating_characteristics(**rows, true_value=0.0, alpha=0.05, benefit_sign=1, null=True)
    assert (down["power"], up["power"]) == (0.25, 0.25)
    assert down["type_i_error"] == up["type_i_error"] == 0.5
    assert down["fell_back"] == 1


def test_p_equal_to_alpha_rejects() -> None:
    rows = _simple(estimate=[-1.0, -1.0], p=[0.05, np.nextafter(0.05, 1)], status=[0, 0])
    result = operating_characteristics(**rows, true_value=-1.0, alpha=0.05, benefit_sign=-1, null=False)
    assert result["power"] == 0.5


def test_coverage_counts_the_ends_of_intervals_and_leaves_out_who_has_none() -> None:
    rows = _simple(estimate=[-1.0, -1.0, -1.0], p=[0.05] * 3, status=[0, 0, 0])
    rows["ci_low"], rows["ci_high"] = np.array([-2.0, -2.0, np.nan]), np.array([0.0, -1e-9, np.nan])
    result = operating_characteristics(**rows, true_value=0.0, alpha=0.05, benefit_sign=-1, null=True)
    assert result["coverage"] == 0.5


def test_against_a_margin_every_rejection_counts() -> None:
    rows = _simple(estimate=[-0.5, 0.5], p=[0.01, 0.01], status=[0, 0])
    result = operating_characteristics(**rows, true_value=0.0, alpha=0.05, benefit_sign=0, null=False)
    assert result["power"] == 1.0


def test_a_simulated_truth_adds_its_error_to_that_of_the_bias() -> None:
    rows = _replicates(400, seed=7)
    settings = {"true_value": -1.5, "alpha": 0.05, "benefit_sign": -1, "null": False}
    exact = operating_characteristics(**rows, **settings)
    simulated = operating_characteristics(**rows, **settings, true_value_se=0.3)
    assert simulated["bias_mcse"] == pytest.approx(math.hypot(exact["bias_mcse"], 0.3), rel=1e-12)


def test_all_failed_says_nothing_and_counts_everything() -> None:
    rows = _simple(estimate=[np.nan] * 3, p=[np.nan] * 3, status=[2] * 3)
    result = operating_characteristics(**rows, true_value=-1.0, alpha=0.05, benefit_sign=-1, null=False)
    assert (result["replicates"], result["converged"], result["failed"]) == (3, 0, 3)
    assert (result["power_failures_as_0"], result["power_failures_as_1"]) == (0.0, 1.0)
    assert math.isnan(result["power"])
    assert math.isnan(result["coverage"])
    assert math.isnan(result["bias"])
    assert result["share_missing"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": [0.5]}, "one shape"),
        ({"status": [0, 3]}, "status must be"),
        ({"estimate": [np.nan, -1.0]}, r"estimate must be a number .* replicate 0"),
        ({"se": [0.5, -0.5]}, "se must not be negative; replicate 1"),
        ({"p": [0.5, 1.5]}, "p must lie"),
        ({"share_missing": [0.1, np.nan]}, "share_missing must be a number in every replicate"),
        ({"alpha": 1.0}, "alpha must lie"),
    ],
)
def test_rows_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    rows = _simple(estimate=[-1.0, -1.0], p=[0.5, 0.5], status=[0, 0])
    arguments = {**rows, "true_value": -1.0, "alpha": 0.05, "benefit_sign": -1, "null": False, **change}
    with pytest.raises(ValueError, match=message):
        operating_characteristics(**arguments)


def _simple(*, estimate: list[float], p: list[float], status: list[int]) -> dict[str, Any]:
    """Return rows with standard error 1, except NaN where the fit failed."""
    missing = np.array(status) == 2
    return {
        "estimate": np.array(estimate),
        "se": np.where(missing, np.nan, 1.0),
        "ci_low": np.array(estimate) - 2.0,
        "ci_high": np.array(estimate) + 2.0,
        "p": np.array(p),
        "status": np.array(status),
        "n_analysed": np.full(len(status), 80),
        "share_missing": np.full(len(status), 0.1),
    }


@pytest.mark.parametrize(
    ("sign", "expected"),
    [(-1, [True, False, False, False]), (1, [False, False, True, False]), (0, [True, True, True, True])],
)
def test_a_rejection_counts_on_the_side_of_benefit_and_on_any_where_there_is_none(sign, expected):
    assert counts_as_power(np.array([-1.0, 0.0, 1.0, np.nan]), sign).tolist() == expected
