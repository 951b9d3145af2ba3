"""Operating characteristics of one analysis in one cell: how it behaves over many simulated trials.

One row per replicate goes in, one number per measure comes out, and each measure has its Monte Carlo standard
error in the column of the same name plus `_mcse`. A fit that failed is never called 'not significant': it
leaves the denominator, its count stands beside the result, and two bounds say what power would be if every
failed fit had missed or found the effect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.kernels.montecarlo import (
    Measure,
    empirical_se,
    mean,
    mean_squared_error,
    model_se,
    proportion,
    relative_error,
    wilson_interval,
)

CONVERGED, FELL_BACK, FAILED = 0, 1, 2
"""Codes of the `status` column of the estimates: as asked for, by a simpler covariance, not at all."""

NULL_TOLERANCE = 1e-9
"""A true value this close to 0 is a null: it is summed over strata, so 0 may arrive as 1e-17."""

COLUMNS = (
    "replicates",
    "power", "power_mcse", "power_low", "power_high",
    "rejection_rate", "rejection_rate_mcse",
    "type_i_error", "type_i_error_mcse",
    "power_failures_as_0", "power_failures_as_1",
    "mean_estimate", "mean_estimate_mcse",
    "bias", "bias_mcse",
    "empirical_se", "empirical_se_mcse",
    "model_se", "model_se_mcse",
    "relative_error_model_se", "relative_error_model_se_mcse",
    "mse", "mse_mcse",
    "coverage", "coverage_mcse",
    "bias_eliminated_coverage", "bias_eliminated_coverage_mcse",
    "mean_n_analysed", "mean_n_analysed_mcse",
    "share_missing", "share_missing_mcse",
    "converged", "fell_back", "failed",
)  # fmt: skip
"""Keys of the returned dict, in order."""


def operating_characteristics(
    *,
    estimate: ArrayLike,
    se: ArrayLike,
    p: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    status: ArrayLike,
    n_analysed: ArrayLike,
    share_missing: ArrayLike,
    true_value: float,
    true_value_se: float = 0.0,
    alpha: float,
    benefit_sign: int,
    null: bool,
) -> dict[str, float | int]:
    """Return the performance measures of one analysis over the replicates of one cell.

    Parameters
    ----------
    estimate, se : array_like, shape (R,)
        Active against control in the unit of the estimand, and its standard error (NaN throughout for a method that
        has none), in replicate order.
    p : array_like, shape (R,)
        Two-sided p-values, or those of a test against a margin.
    ci_low, ci_high : array_like, shape (R,)
        Limits of the confidence interval of level 1 - alpha; NaN where a method has none.
    status : array_like of int, shape (R,)
        `CONVERGED`, `FELL_BACK` or `FAILED`. The arrays above may hold anything (NaN by custom) where a
        fit failed; estimate and p must be numbers elsewhere.
    n_analysed : array_like, shape (R,)
        Participants in the fit; averaged over the fits that gave an estimate.
    share_missing : array_like, shape (R,)
        Share of the planned measurements that are missing; averaged over all replicates.
    true_value, true_value_se : float
        Value of the estimand under the data-generating model, and its standard error where it was simulated.
    alpha : float
        Two-sided significance level.
    benefit_sign : {-1, 0, 1}
        Side of benefit; 0 where every rejection counts, as against a margin.
    null : bool
        Whether every rejection is a false one.

    Returns
    -------
    dict
        The keys of `COLUMNS`, in that order. A measure that nothing can be said about is NaN.

    Raises
    ------
    ValueError
        If lengths differ, a status is unknown, or a fit that did not fail lacks a number.

    Notes
    -----
    With U the usable fits (converged or fell back), a share of which is taken unless said otherwise:

    1. power: ``p <= alpha`` with the estimate on the side of benefit; 95 % Wilson interval beside it;
    2. rejection rate: ``p <= alpha`` on either side; under a null it is the type I error;
    3. bounds of power: failed fits counted as misses, and as rejections, out of all replicates;
    4. bias, empirical SE, model SE, by how many percent this is above that, MSE and their MCSEs as in Table 6 of
       Morris, White & Crowther (2019); the MCSE of bias holds that of a simulated true value too;
    5. coverage: share of the intervals, where there are any, that hold the true value, ends included; without bias,
       that hold the mean of the estimates instead, which tells wrong standard errors from bias.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in (0, 1); got {alpha}")
    columns = _checked(
        estimate=estimate,
        se=se,
        p=p,
        ci_low=ci_low,
        ci_high=ci_high,
        status=status,
        n_analysed=n_analysed,
        share_missing=share_missing,
    )
    usable = columns["status"] != FAILED
    fits = {name: values[usable] for name, values in columns.items()}
    replicates, count = int(usable.size), int(usable.sum())
    rejected = fits["p"] <= alpha
    found = int(np.sum(rejected & counts_as_power(fits["estimate"], benefit_sign)))
    failed = replicates - count
    interval = wilson_interval(found, count)
    rate = proportion(int(np.sum(rejected)), count)
    type_i = rate if null else Measure(math.nan, math.nan)
    average = mean(fits["estimate"])
    empirical, model = empirical_se(fits["estimate"]), model_se(fits["se"])
    return {
        "replicates": replicates,
        **_pair("power", proportion(found, count)),
        "power_low": interval.low,
        "power_high": interval.high,
        **_pair("rejection_rate", rate),
        **_pair("type_i_error", type_i),
        "power_failures_as_0": proportion(found, replicates).value,
        "power_failures_as_1": proportion(found + failed, replicates).value,
        **_pair("mean_estimate", average),
        **_pair("bias", Measure(average.value - true_value, math.hypot(average.mcse, true_value_se))),
        **_pair("empirical_se", empirical),
        **_pair("model_se", model),
        **_pair("relative_error_model_se", relative_error(model, empirical)),
        **_pair("mse", mean_squared_error(fits["estimate"], true_value)),
        **_pair("coverage", _coverage(fits, true_value)),
        **_pair("bias_eliminated_coverage", _coverage(fits, average.value)),
        **_pair("mean_n_analysed", mean(fits["n_analysed"])),
        **_pair("share_missing", mean(columns["share_missing"])),
        "converged": int(np.sum(columns["status"] == CONVERGED)),
        "fell_back": int(np.sum(columns["status"] == FELL_BACK)),
        "failed": failed,
    }


def counts_as_power(estimate: NDArray[np.float64], benefit_sign: int) -> NDArray[np.bool_]:
    """Return whether a rejection with these estimates finds the effect.

    Parameters
    ----------
    estimate : ndarray, shape (R,)
        Active against control; NaN is on no side.
    benefit_sign : {-1, 0, 1}
        Side of benefit; 0 where every rejection counts.
    """
    return np.asarray((benefit_sign * estimate > 0.0) | (benefit_sign == 0))


def _pair(name: str, measure: Measure) -> dict[str, float]:
    """Return a measure as the two columns that hold it."""
    return {name: measure.value, f"{name}_mcse": measure.mcse}


def _coverage(fits: dict[str, NDArray[np.float64]], value: float) -> Measure:
    """Return the share of confidence intervals that hold a value, ends included."""
    have = ~np.isnan(fits["ci_low"]) & ~np.isnan(fits["ci_high"])
    holds = (fits["ci_low"] <= value) & (value <= fits["ci_high"])
    return proportion(int(np.sum(holds)), int(np.sum(have)))


def _checked(**arrays: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return the columns as float arrays of one length, or raise what is wrong with them."""
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}
    shapes = {name: values.shape for name, values in columns.items()}
    if len(set(shapes.values())) != 1 or columns["status"].ndim != 1:
        raise ValueError(f"all arrays must have one shape (R,); got {shapes}")
    status = columns["status"]
    if not ((status == CONVERGED) | (status == FELL_BACK) | (status == FAILED)).all():
        raise ValueError("status must be 0 (converged), 1 (fell back) or 2 (failed)")
    usable = status != FAILED
    for name in ("estimate", "p", "n_analysed"):
        _require(np.isfinite(columns[name]) | ~usable, name, "must be a number wherever the fit did not fail")
    _require(~(columns["se"] < 0.0) | ~usable, "se", "must not be negative")
    _require(((columns["p"] >= 0.0) & (columns["p"] <= 1.0)) | ~usable, "p", "must lie in [0, 1]")
    _require(np.isfinite(columns["share_missing"]), "share_missing", "must be a number in every replicate")
    return columns


def _require(holds: NDArray[np.bool_], name: str, rule: str) -> None:
    if not holds.all():
        raise ValueError(f"{name} {rule}; replicate {int(np.argmin(holds))} breaks this")
