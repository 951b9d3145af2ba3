"""Analyses of times, counts and groups, as a scenario names them, against R's survival, MASS, lmerTest and pbkrtest.

The data are put in the form that the analyst sees: a visit on every day on which somebody's time ends. A participant's
score is halved at the visit of the event; who is censored is not seen again. So that the endpoints are made on the
way, no kernel is called here. Numbers and tolerances are those of the kernels' own tests.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from oracle.comparison import Reference, release
from trialsim.analysis.contract import CONVERGED, Estimates, Observed
from trialsim.analysis.registry import analyse
from trialsim.scenario.resolved import Analysis, Criterion, Endpoint, Estimand

FOLDER = Path(__file__).parent / "data"
BASIC = FOLDER / "basic_tests"
MIXED = FOLDER / "mixed_models"
CASES = sorted(path.stem for path in BASIC.glob("*.json"))
NESTED = sorted(path.stem for pattern in ("pn*.json", "cr*.json") for path in MIXED.glob(pattern))
HALVED = Criterion("reduction", 0.5, favourable=True)
TIME = Endpoint("time", criterion=HALVED)
LOG_RANK, COX, CURVES, MEANS = (
    Reference(f"{kind}, as an analysis", release(BASIC / "b1_n200.json", "survival"))
    for kind in ("Log-rank", "Cox", "Kaplan-Meier", "Restricted mean survival time")
)
RATES = Reference("Negative binomial regression, as an analysis", release(BASIC / "b1_n200.json", "MASS"))
MIXED_MODEL = release(MIXED / "pn1_n120_size6.json", "lmerTest", "pbkrtest")
EXACT = {"relative": 1e-11, "absolute": 1e-12}
FITTED = {"relative": 1e-8, "absolute": 1e-12}


def read(folder: Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with open(folder / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return (
        {column: np.array([float(row[column] or "nan") for row in rows]) for column in rows[0]},
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")),
    )


def followed(data: dict[str, np.ndarray], *, until: float = np.inf) -> Observed:
    """Return one trial whose scores halve at the event and end with follow-up, with a visit on each such day."""
    days = np.union1d(data["time"], [until] if np.isfinite(until) else [])
    days = days[days <= until]
    baseline = data["baseline"] + 10.0
    scores = np.where(days <= data["time"][:, None], baseline[:, None], np.nan)
    scores[(days == data["time"][:, None]) & (data["event"][:, None] == 1.0)] /= 2.0
    return Observed(
        data["arm"].astype(int)[None],
        data["stratum"].astype(int)[None] - 1,
        int(data["arm"].max()) + 1,
        int(data["stratum"].max()),
        baseline[None, :, None],
        scores[None, ..., None],
        days,
    )


def analysed(trial: Observed, method: str, endpoint: Endpoint, *, active: int = 1, **settings: Any) -> Estimates:
    options = {"covariates": (), "df": "normal"} | settings
    analysis = Analysis(method, "none", alpha=0.05, fallback="none", name=method, **options)
    last = len(trial.days) - 1
    estimand = Estimand("primary", "", 0, last, active, 0, None, (analysis,), endpoint)
    (found,) = analyse(trial, estimand, analysis, (trial.arm.shape[1],))
    assert found.status[0] == CONVERGED, found.rungs[found.rung[0]]
    return found


@pytest.mark.parametrize("key", ["logrank", "logrank_stratified"])
@pytest.mark.parametrize("name", CASES)
def test_log_rank(name: str, key: str) -> None:
    data, results = read(BASIC, name)
    trial = followed(data)
    for active in range(1, trial.n_arms):
        found = analysed(trial, "log_rank", TIME, active=active, stratified=key == "logrank_stratified")
        expected = results[f"arm{active}_vs_0"][key]
        case = f"{name}: {key.replace('logrank', 'log-rank').replace('_', ' ')}, arm {active}"
        LOG_RANK.close(case, "estimate / SE", expected["z_second_arm"], found.estimate[0] / found.se[0], **EXACT)
        LOG_RANK.close(case, "p", expected["p"], found.p[0], **EXACT)


@pytest.mark.parametrize("key", ["efron", "efron_stratified"])
@pytest.mark.parametrize("name", CASES)
def test_cox(name: str, key: str) -> None:
    data, results = read(BASIC, name)
    trial = followed(data)
    for active in range(1, trial.n_arms):
        found = analysed(trial, "cox", TIME, active=active, stratified=key == "efron_stratified")
        expected = results["cox"][key]["coefficients"][f"arm{active}"]
        case = f"{name}: {key.replace('_', ', ')}, arm {active}"
        COX.close(case, "estimate", expected["est"], found.estimate[0], **FITTED)
        COX.close(case, "SE", expected["se"], found.se[0], **FITTED)
        COX.close(case, "p", expected["p"], found.p[0], **FITTED)
        COX.close(case, "limits", [expected["hr_lower"], expected["hr_upper"]], np.exp([found.low[0], found.high[0]]),
                  relative=1e-7)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_kaplan_meier(name: str) -> None:
    data, results = read(BASIC, name)
    expected = results["kaplan_meier"]["at_6"]
    trial = followed(data, until=6.0)
    for active in range(1, trial.n_arms):
        found = analysed(trial, "kaplan_meier", TIME, active=active)
        estimate = expected["surv"][active] - expected["surv"][0]
        se = np.hypot(expected["se"][active], expected["se"][0])
        case = f"{name}: day 6, arm {active}"
        CURVES.close(case, "difference", estimate, found.estimate[0], **EXACT)
        CURVES.close(case, "SE", se, found.se[0], **EXACT)
        CURVES.close(case, "p", 2 * ndtr(-abs(estimate / se)), found.p[0], **EXACT)


@pytest.mark.parametrize("name", CASES)
def test_restricted_mean(name: str) -> None:
    data, results = read(BASIC, name)
    expected = results["rmst"]
    trial = followed(data, until=expected["tau"])
    for active in range(1, trial.n_arms):
        found = analysed(trial, "rmst", TIME, active=active)
        case = f"{name}: arm {active}"
        MEANS.close(
            case, "difference", np.ravel(expected["difference_vs_arm0"])[active - 1], found.estimate[0], **EXACT
        )
        MEANS.close(case, "SE", np.ravel(expected["difference_se"])[active - 1], found.se[0], **EXACT)


@pytest.mark.parametrize("name", CASES)
def test_negative_binomial(name: str) -> None:
    data, results = read(BASIC, name)
    days = np.unique(data["follow"])
    counts = np.where(days <= data["follow"][:, None], 0.0, np.nan)
    counts[:, 0] = data["count"]
    trial = followed(data)
    trial = Observed(trial.arm, trial.stratum, trial.n_arms, trial.n_strata, trial.baseline, counts[None, ..., None],
                     days, counts=counts[None, ..., None])  # fmt: skip
    for active in range(1, trial.n_arms):
        found = analysed(trial, "negative_binomial", Endpoint("count"), active=active, covariates=("stratum",))
        expected = results["negative_binomial"]["coefficients"][f"arm{active}"]
        case = f"{name}: arm {active}"
        RATES.close(case, "estimate", expected["est"], found.estimate[0], relative=1e-5)
        RATES.close(case, "SE", expected["se"], found.se[0], relative=1e-5)
        RATES.close(case, "p", expected["p"], found.p[0], relative=2e-4)


@pytest.mark.parametrize("name", NESTED)
def test_nested(name: str) -> None:
    data, results = read(MIXED, name)
    partial = "group" in data
    expected = results["homoscedastic" if partial else "random_intercept"]["coefficients"]
    expected = expected["trt" if partial else "arm1"]
    group = (data["group"] - 1 if partial else data["cluster"]).astype(int)
    trial = Observed(data["arm"].astype(int)[None], np.zeros((1, len(group)), dtype=int), 2, 1,
                     data["baseline"][None, :, None], data["y"][None, :, None, None], np.array([1.0]),
                     groups={"group": group[None]})  # fmt: skip
    settings = {"covariates": ("baseline",), "group": "group", "residual_variance": "common"}
    r = Reference(f"{'Partially nested' if partial else 'Cluster'} models, as an analysis", MIXED_MODEL)
    for df, of_df, of_se, of_p in (
        ("satterthwaite", "df_satterthwaite", "se", "p"),
        ("kenward-roger", "df_kr", "se_kr", "p_kr"),
    ):
        found = analysed(trial, "nested", Endpoint(), df=df, **settings)
        case = f"{name}: {df}"
        r.close(case, "estimate", expected["est"], found.estimate[0], relative=1e-6)
        r.close(case, "SE", expected[of_se], found.se[0], relative=1e-5)
        r.close(case, "df", expected[of_df], found.df[0], relative=1e-3)
        r.close(case, "p", expected[of_p], found.p[0], absolute=1e-6)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
    assert len(NESTED) >= 7
