"""`trialsim.mmrm` on data frames against R: coefficients, contrasts, LS-means, F tests, AIC and BIC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from oracle.mmrm_cases import FEV_DATA, FOLDER

DF = {
    "satterthwaite": "satterthwaite",
    "kenward_roger_linear": "kenward-roger",
    "kenward_roger": "kenward-roger-mmrm",
    "residual": "residual",
    "between_within": "between-within",
}
FIRST = sorted(path.stem for path in FOLDER.glob("m[01]*.json"))
SECOND = sorted(path.stem for path in FOLDER.glob("mm*.json"))


def read_second(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    path: Path = FEV_DATA if name == "fev" else FOLDER / f"{name}.csv"
    data = pd.read_csv(path)
    for factor, levels in content["factor_levels_first_is_reference"].items():
        data[factor] = pd.Categorical(data[factor], categories=levels)
    return data, content


def close(ours: float, theirs: float, relative: float, label: str) -> None:
    assert ours == pytest.approx(theirs, rel=relative, abs=1e-12), label


def check_fit(data: pd.DataFrame, content: dict[str, Any], fit: dict[str, Any]) -> None:
    for key, df in DF.items():
        if key not in fit:
            continue
        label = f"{content['case']} {fit['covariance']} {fit['model']} {key} {fit['covariance_per_arm']}"
        ours = ts.mmrm(
            f"y ~ {fit['model']}",
            data,
            subject="id",
            visit="visit",
            covariance=fit["covariance"],
            df=df,
            method="reml" if fit["reml"] else "ml",
            by="arm" if fit["covariance_per_arm"] else None,
        )
        assert ours.neg2_loglik <= fit["deviance"] + 1e-6, label
        close(ours.aic, fit["AIC"], 1e-9, label)
        close(ours.bic, fit["BIC"], 1e-9, label)
        assert ours.n_observations == fit["n_obs"], label
        table = ours.coefficients
        for term, theirs in zip(sorted(table["se"]), sorted(fit[key]["se"].values()), strict=True):
            close(term, theirs, 1e-6, label)
        check_means(ours, content, fit[key], label, interaction="arm * bpd" in fit["model"])


def check_means(
    ours: ts.MmrmResult, content: dict[str, Any], expected: dict[str, Any], label: str, *, interaction: bool
) -> None:
    for row in expected["contrasts"]:
        if interaction and ("weights" in row or "bpd" in row):
            continue
        one = ours.contrast(arm=tuple(row["contrast"].split(" - ")), visit=row["visit"])
        close(one["estimate"], row["estimate"], 1e-5, label)
        close(one["se"], row["se"], 1e-6, label)
        close(one["df"], row["df"], 1e-5, label)
        assert one["p"] == pytest.approx(row["p"], abs=1e-6), label
        assert one["ci_low"] == pytest.approx(row["lower"], rel=1e-5), label
    means = {row["visit"]: ours.lsmeans("arm", visit=row["visit"]) for row in expected["lsmeans"] if "bpd" not in row}
    for row in expected["lsmeans"]:
        if "bpd" in row or "weights" in row:
            continue
        close(means[row["visit"]].loc[row["arm"], "estimate"], row["estimate"], 1e-6, label)
        close(means[row["visit"]].loc[row["arm"], "se"], row["se"], 1e-6, label)
    if not interaction:
        joint = expected["joint_arm"]
        test = ours.f_test("arm", "visit:arm")
        close(test["f"], joint["F"], 1e-6, label)
        close(test["den_df"], joint["den_df"], 1e-5, label)


@pytest.mark.parametrize("name", SECOND)
def test_frames_of_the_second_set(name: str) -> None:
    data, content = read_second(name)
    for fit in content["fits"]:
        check_fit(data, content, fit)


@pytest.mark.skipif(
    not FEV_DATA.exists(), reason="the FEV data set belongs to R's mmrm and is not part of this project"
)
def test_frames_of_the_fev_data() -> None:
    data, content = read_second("fev")
    for fit in content["fits"]:
        check_fit(data, content, fit)


@pytest.mark.parametrize("name", FIRST)
def test_frames_of_the_first_set(name: str) -> None:
    data = pd.read_csv(FOLDER / f"{name}.csv")
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for key in ("satterthwaite", "kenward_roger_linear", "kenward_roger"):
        expected = content["unstructured"][key]
        ours = ts.mmrm("y ~ baseline*visit + arm*visit + bpd", data, subject="id", visit="visit", df=DF[key])
        close(ours.neg2_reml_loglik, expected["neg2_loglik"], 1e-9, f"{name} {key}")
        theirs = pd.DataFrame(expected["coefficients"]).T
        for column, relative in (("se", 1e-6), ("df", 1e-5)):
            np.testing.assert_allclose(
                np.sort(ours.coefficients[column]), np.sort(theirs[column].astype(float)), rtol=relative
            )
        at = {"baseline": expected["lsmeans"]["baseline_at"], "bpd": expected["lsmeans"]["bpd_at"]}
        for row in expected["lsmeans"]["table"]:
            mean = ours.lsmeans("arm", visit=row["visit"], at=at).loc[row["arm"]]
            close(mean["estimate"], row["est"], 1e-6, name)
            close(mean["se"], row["se"], 1e-6, name)
            close(mean["df"], row["df"], 1e-5, name)
        np.testing.assert_allclose(ours.covariance, expected["covariance"], rtol=1e-5)
