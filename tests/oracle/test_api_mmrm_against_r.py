"""`trialsim.mmrm` on data frames against R: coefficients, contrasts, LS-means, F tests, AIC and BIC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from oracle.comparison import Reference, release
from oracle.mmrm_cases import FEV_DATA, FOLDER, LONG_NAMES, fit_name

DF = {
    "satterthwaite": "satterthwaite",
    "kenward_roger_linear": "kenward-roger",
    "kenward_roger": "kenward-roger-mmrm",
    "residual": "residual",
    "between_within": "between-within",
}
COEFFICIENTS, CONTRASTS, MEANS, JOINT = (
    Reference(f"trialsim.mmrm: {what}", release(FOLDER / "mm01.json", *packages))
    for what, packages in (
        ("fits and coefficients", ("mmrm",)),
        ("contrasts", ("mmrm", "emmeans")),
        ("LS-means", ("mmrm", "emmeans")),
        ("F tests", ("mmrm",)),
    )
)
TERM = 1e-12  # of terms that may be 0
FIRST = sorted(path.stem for path in FOLDER.glob("m[01]*.json"))
SECOND = sorted(path.stem for path in FOLDER.glob("mm*.json"))


def read_second(name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    path: Path = FEV_DATA if name == "fev" else FOLDER / f"{name}.csv"
    data = pd.read_csv(path)
    for factor, levels in content["factor_levels_first_is_reference"].items():
        data[factor] = pd.Categorical(data[factor], categories=levels)
    return data, content


def check_fit(data: pd.DataFrame, content: dict[str, Any], fit: dict[str, Any]) -> None:
    for key, df in DF.items():
        if key not in fit:
            continue
        options = {"reml": fit["reml"], "per_arm": fit["covariance_per_arm"]}
        label = f"{fit_name(content['case'], LONG_NAMES[fit['covariance']], fit['model'], **options)}; {df}"
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
        COEFFICIENTS.at_most(label, "−2 log-likelihood", fit["deviance"], ours.neg2_loglik, slack=1e-6)
        COEFFICIENTS.close(label, "AIC", fit["AIC"], ours.aic, relative=1e-9, absolute=TERM)
        COEFFICIENTS.close(label, "BIC", fit["BIC"], ours.bic, relative=1e-9, absolute=TERM)
        COEFFICIENTS.same(label, "observations", fit["n_obs"], ours.n_observations)
        theirs = sorted(fit[key]["se"].values())
        COEFFICIENTS.close(label, "SE", theirs, sorted(ours.coefficients["se"]), relative=1e-6, absolute=TERM)
        check_means(ours, content, fit[key], label, interaction="arm * bpd" in fit["model"])


def check_means(
    ours: ts.MmrmResult, content: dict[str, Any], expected: dict[str, Any], label: str, *, interaction: bool
) -> None:
    for row in expected["contrasts"]:
        if interaction and ("weights" in row or "bpd" in row):
            continue
        one = ours.contrast(arm=tuple(row["contrast"].split(" - ")), visit=row["visit"])
        CONTRASTS.close(label, "estimate", row["estimate"], one["estimate"], relative=1e-5, absolute=TERM)
        CONTRASTS.close(label, "SE", row["se"], one["se"], relative=1e-6, absolute=TERM)
        CONTRASTS.close(label, "df", row["df"], one["df"], relative=1e-5, absolute=TERM)
        CONTRASTS.close(label, "p", row["p"], one["p"], absolute=1e-6)
        CONTRASTS.close(label, "lower limit", row["lower"], one["ci_low"], relative=1e-5)
    visits = {row["visit"] for row in expected["lsmeans"] if "bpd" not in row}
    means = {visit: ours.lsmeans("arm", visit=visit) for visit in visits}
    for row in expected["lsmeans"]:
        if "bpd" in row or "weights" in row:
            continue
        mean = means[row["visit"]].loc[row["arm"]]
        MEANS.close(label, "estimate", row["estimate"], mean["estimate"], relative=1e-6, absolute=TERM)
        MEANS.close(label, "SE", row["se"], mean["se"], relative=1e-6, absolute=TERM)
    if not interaction:
        joint = expected["joint_arm"]
        test = ours.f_test("arm", "visit:arm")
        JOINT.close(label, "F", joint["F"], test["f"], relative=1e-6, absolute=TERM)
        JOINT.close(label, "denominator df", joint["den_df"], test["den_df"], relative=1e-5, absolute=TERM)


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
        label = f"{fit_name(name, 'unstructured', 'baseline * visit + arm * visit + bpd')}; {DF[key]}"
        ours_2 = ours.neg2_reml_loglik
        COEFFICIENTS.close(label, "−2 log-likelihood", expected["neg2_loglik"], ours_2, relative=1e-9, absolute=TERM)
        theirs = pd.DataFrame(expected["coefficients"]).T
        for column, word, relative in (("se", "SE", 1e-6), ("df", "df", 1e-5)):
            sorted_theirs, sorted_ours = np.sort(theirs[column].astype(float)), np.sort(ours.coefficients[column])
            COEFFICIENTS.close(label, word, sorted_theirs, sorted_ours, relative=relative)
        at = {"baseline": expected["lsmeans"]["baseline_at"], "bpd": expected["lsmeans"]["bpd_at"]}
        for row in expected["lsmeans"]["table"]:
            mean = ours.lsmeans("arm", visit=row["visit"], at=at).loc[row["arm"]]
            MEANS.close(label, "estimate", row["est"], mean["estimate"], relative=1e-6, absolute=TERM)
            MEANS.close(label, "SE", row["se"], mean["se"], relative=1e-6, absolute=TERM)
            MEANS.close(label, "df", row["df"], mean["df"], relative=1e-5, absolute=TERM)
        COEFFICIENTS.close(label, "covariance", expected["covariance"], ours.covariance, relative=1e-5)
