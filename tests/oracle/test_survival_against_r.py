"""Log-rank, Cox, Kaplan-Meier and restricted means against R's survival.

R's fits were run to 1e-13; the tolerance is 1e-8 relative, and what needs no iteration agrees to 1e-11.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.comparison import Reference, release
from trialsim.kernels.survival import (
    confidence_limits,
    fit_cox,
    kaplan_meier,
    log_rank,
    median_survival,
    restricted_mean,
    survival_at,
)

FOLDER = Path(__file__).parent / "data" / "basic_tests"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
TESTS = {"logrank": {}, "logrank_stratified": {"n_strata": 3}, "peto_rho1": {"rho": 1.0}}
WORDS = {"logrank": "plain", "logrank_stratified": "stratified", "peto_rho1": "rho = 1"}
EXACT = {"relative": 1e-11, "absolute": 1e-12}
FITTED = {"relative": 1e-8, "absolute": 1e-12}
LOG_RANK, COX, CURVES, MEANS = (
    Reference(kind, release(FOLDER / "b1_n200.json", "survival"))
    for kind in ("Log-rank", "Cox", "Kaplan-Meier", "Restricted mean survival time")
)
CURVE = {"time": "times", "n_risk": "at risk", "n_event": "events", "surv": "survival", "se": "SE"}


def read(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    data = {column: np.array([float(row[column]) for row in rows]) for column in ("arm", "stratum", "time", "event")}
    data |= {column: np.array([float(row[column]) for row in rows]) for column in ("baseline", "age")}
    data["arm"] = data["arm"].astype(int)
    data["stratum"] = data["stratum"].astype(int) - 1
    data["event"] = data["event"] == 1.0
    return data, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def numbers(values: Any) -> np.ndarray:
    """Return R's numbers, NaN for those not defined."""
    return np.array([np.nan if value is None else value for value in np.ravel(np.array(values, dtype=object))], float)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("name", CASES)
def test_log_rank(name: str, test: str) -> None:
    data, results = read(name)
    options = dict(TESTS[test])
    if "n_strata" in options:
        options["stratum"] = data["stratum"][None]
    for active in range(1, data["arm"].max() + 1):
        expected = results[f"arm{active}_vs_0"][test]
        included = (data["arm"] == 0) | (data["arm"] == active)
        result = log_rank(
            data["time"][None],
            data["event"][None],
            (data["arm"] == active).astype(int)[None],
            included=included[None],
            **options,
        )
        label = f"{name}: {WORDS[test]}, arm {active}"
        LOG_RANK.close(label, "observed", expected["observed"], result.observed[0], **EXACT)
        LOG_RANK.close(label, "expected", expected["expected"], result.expected[0], **EXACT)
        LOG_RANK.close(label, "variance", expected["variance"], result.variance[0], **EXACT)
        LOG_RANK.close(label, "chi-square", expected["chisq"], result.statistic[0], **EXACT)
        LOG_RANK.close(label, "z", expected["z_second_arm"], result.z[0, 1], **EXACT)
        LOG_RANK.close(label, "p", expected["p"], result.p[0], **EXACT)
        LOG_RANK.close(label, "estimate / SE", expected["z_second_arm"], result.estimate[0] / result.se[0], **EXACT)
        LOG_RANK.same(label, "df", expected["df"], result.df)
        assert result.estimable[0]


@pytest.mark.parametrize("model", ["efron", "breslow", "efron_covariates", "efron_stratified"])
@pytest.mark.parametrize("name", CASES)
def test_cox(name: str, model: str) -> None:
    data, results = read(name)
    expected = results["cox"][model]
    columns = [data["arm"] == g for g in range(1, data["arm"].max() + 1)]
    if model == "efron_covariates":
        columns += [data["baseline"], data["age"]]
    x = np.stack(columns, axis=1).astype(float)[None]
    options: dict[str, Any] = {"ties": expected["ties"]}
    if model == "efron_stratified":
        options |= {"stratum": data["stratum"][None], "n_strata": 3}
    rows = list(expected["coefficients"].values())
    label = f"{name}: {model.replace('_', ' ')}"
    for i, row in enumerate(rows):
        fit = fit_cox(data["time"][None], data["event"][None], x, np.eye(len(rows))[i], **options)
        COX.close(label, "estimate", row["est"], fit.estimate[0], **FITTED)
        COX.close(label, "SE", row["se"], fit.se[0], **FITTED)
        COX.close(label, "z", row["z"], fit.z[0], **FITTED)
        COX.close(label, "p", row["p"], fit.p[0], **FITTED)
    COX.close(label, "coefficients", [row["est"] for row in rows], fit.coefficients[0], **FITTED)
    COX.close(label, "covariance", expected["vcov"], fit.covariance[0], **FITTED)
    logliks = [expected["loglik_null"], expected["loglik"]]
    COX.close(label, "log-likelihoods", logliks, [fit.loglik_null[0], fit.loglik[0]], **FITTED)
    tests = [expected[key] for key in ("score_chisq", "wald_chisq", "lr_chisq")]
    COX.close(label, "chi-squares", tests, [fit.score[0], fit.wald[0], fit.likelihood_ratio[0]], **FITTED)


@pytest.mark.parametrize("name", CASES)
def test_kaplan_meier(name: str) -> None:
    data, results = read(name)
    expected = results["kaplan_meier"]
    arm_of_row = np.array(expected["log"]["arm"])
    for g in range(data["arm"].max() + 1):
        rows, label = arm_of_row == g, f"{name}: arm {g}"
        curve = kaplan_meier(data["time"][None], data["event"][None], included=(data["arm"] == g)[None])
        shown = curve.distinct[0] & (curve.events[0] > 0)
        for key, values in {
            "time": curve.time,
            "n_risk": curve.at_risk,
            "n_event": curve.events,
            "surv": curve.survival,
            "se": curve.se,
        }.items():
            CURVES.close(label, CURVE[key], np.array(expected["log"][key])[rows], values[0, shown], **EXACT)
        for scale, limits in {"log": "log", "log-log": "loglog_ci", "plain": "plain_ci"}.items():
            ours = confidence_limits(curve, scale=scale)
            for side, values in zip(("lower", "upper"), ours, strict=True):
                theirs = numbers(expected[limits][side])[rows]
                CURVES.close(label, f"{scale} limits", theirs, values[0, shown], undefined=True, **EXACT)
        for scale, key in {"log": "median_log", "log-log": "median_loglog"}.items():
            lower, upper = confidence_limits(curve, scale=scale)
            ours_median = [median_survival(curve, values)[0] for values in (None, lower, upper)]
            row = expected[key][g]
            theirs = numbers([row["median"], row["lower"], row["upper"]])
            CURVES.same(label, f"median, {scale} limits", theirs, ours_median, undefined=True)
        lower, upper = confidence_limits(curve)
        at_6 = [survival_at(curve, 6.0, values)[0] for values in (None, lower, upper)]
        at_6.append(survival_at(curve, 6.0, curve.se, before=0.0)[0])
        theirs = [expected["at_6"][key][g] for key in ("surv", "lower", "upper", "se")]
        CURVES.close(label, "at time 6", theirs, at_6, **EXACT)


@pytest.mark.parametrize("name", CASES)
def test_restricted_mean(name: str) -> None:
    data, results = read(name)
    expected = results["rmst"]
    result = restricted_mean(
        data["time"][None], data["event"][None], data["arm"][None], expected["tau"], n_arms=data["arm"].max() + 1
    )
    MEANS.close(name, "mean", expected["rmst"], result.mean[0], **EXACT)
    MEANS.close(name, "SE of the mean", expected["se"], result.mean_se[0], **EXACT)
    MEANS.close(name, "estimate", np.ravel(expected["difference_vs_arm0"]), result.estimate[0], **EXACT)
    MEANS.close(name, "SE", np.ravel(expected["difference_se"]), result.se[0], **EXACT)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
