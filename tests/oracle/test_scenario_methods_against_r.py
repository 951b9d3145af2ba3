"""The analyses that a scenario names, on data that R analysed: ranks, tables, logistic regression, standardised risks.

The kernels are held against the same numbers elsewhere; here the whole way from patients' scores to the answer is. The
endpoint "response" is a score of 1, arms and strata are codes, and the baseline is the trial's. Tolerance: 1e-8
relative for what is iterated, 1e-10 otherwise.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtr

from asking import answer
from oracle.comparison import Reference, release
from oracle.mmrm_cases import LONG_NAMES
from trialsim.analysis.contract import CONVERGED, Estimates, Observed
from trialsim.scenario.resolved import Criterion, Endpoint

FOLDER = Path(__file__).parent / "data" / "basic_tests"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
RESULTS: dict[str, Any] = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in CASES}
COMPARISONS = [(name, k) for name in CASES for k in (1, 2) if f"arm{k}_vs_0" in RESULTS[name]]
RESPONSE = Endpoint("binary", criterion=Criterion("at_least", 1.0, favourable=True), name="response")
EXACT = {"relative": 1e-10, "absolute": 1e-13}
ITERATED = {"relative": 1e-8, "absolute": 1e-11}
SOURCES = {
    "Scenario analyses of scores": ("wilcox.test, t.test and lm", ()),
    "Scenario analyses of responses": ("fisher.test, mantelhaen.test and closed forms", ()),
    "Scenario analyses by logistic regression": ("glm", ()),
}
SCORES, RESPONSES, MODELS = (
    Reference(kind, release(FOLDER / "b1_n200.json", *packages, base=base))
    for kind, (base, packages) in SOURCES.items()
)

BY_ARM = Reference(
    "MMRM with a covariance for each arm, in a scenario", release(FOLDER.parent / "mmrm" / "mm17.json", "mmrm")
)


def trial(name: str, column: str, arms: tuple[int, ...] | None = None) -> Observed:
    """Return a data set as the analyst sees it, one column as the score of the only visit; some of its arms alone."""
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if arms is None or int(row["arm"]) in arms]
    codes = {arm: code for code, arm in enumerate(arms or range(3))}
    arm = np.array([[codes[int(row["arm"])] for row in rows]])
    stratum = np.array([[int(row["stratum"]) - 1 for row in rows]])
    baseline, y = (np.array([[float(row[field]) for row in rows]]) for field in ("baseline", column))
    return Observed(
        arm, stratum, int(arm.max()) + 1, int(stratum.max()) + 1, baseline[..., None], y[..., None, None], np.ones(1)
    )


def alone(found: list[Estimates]) -> dict[str, float]:
    """Return the numbers of the one trial, which must not have failed."""
    assert found[0].status[0] == CONVERGED
    return {name: float(getattr(found[0], name)[0]) for name in ("estimate", "se", "df", "p", "low", "high")}


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_scores(name: str, k: int) -> None:
    expected, data, label = RESULTS[name][f"arm{k}_vs_0"], trial(name, "y"), f"{name}: arm {k}"
    ranked = alone(answer(data, "wilcoxon", active=k))
    SCORES.close(label, "Wilcoxon p", expected["wilcoxon"]["p_normal_cc"], ranked["p"], **EXACT)
    sizes = [int((data.arm == arm).sum()) for arm in (k, 0)]
    superiority = expected["wilcoxon"]["W"] / (sizes[0] * sizes[1]) - 0.5
    SCORES.close(label, "W over all pairs, less a half", superiority, ranked["estimate"], **EXACT)
    for method, key in (("t_test", "t_pooled"), ("welch", "t_welch")):
        ours = alone(answer(data, method, active=k))
        for field in ("estimate", "se", "df", "p"):
            SCORES.close(label, f"{key} {field}", expected[key][field], ours[field], **EXACT)
        SCORES.close(label, f"{key} limits", expected[key]["ci"], [ours["low"], ours["high"]], **EXACT)


@pytest.mark.parametrize("name", CASES)
def test_ancova(name: str) -> None:
    expected = RESULTS[name]["ancova"]["baseline_stratum"]
    for k in (k for case, k in COMPARISONS if case == name):
        ours = alone(answer(trial(name, "y"), "ancova", active=k))
        row = expected["coefficients"][f"arm{k}"]
        SCORES.close(f"{name}: arm {k}", "ANCOVA estimate", row["est"], ours["estimate"], relative=1e-9)
        SCORES.close(f"{name}: arm {k}", "ANCOVA SE", row["se"], ours["se"], relative=1e-9)
        SCORES.close(f"{name}: arm {k}", "ANCOVA p", row["p"], ours["p"], relative=1e-8)
        robust = alone(answer(trial(name, "y"), "ancova", active=k, variance="hc3"))
        SCORES.close(
            f"{name}: arm {k}", "ANCOVA HC3 SE", expected["robust_se"]["HC3"][f"arm{k}"], robust["se"], relative=1e-9
        )


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_responses(name: str, k: int) -> None:
    result, data, label = RESULTS[name][f"arm{k}_vs_0"], trial(name, "resp"), f"{name}: arm {k}"
    expected, asked = result["binary"], {"active": k, "endpoint": RESPONSE}
    for interval in ("wald", "newcombe"):
        ours = alone(answer(data, "risk_difference", interval=interval, **asked))
        RESPONSES.close(label, "risk difference", expected["rd"], ours["estimate"], **EXACT)
        limits = expected[f"rd_{interval}_ci"]
        RESPONSES.close(label, f"{interval} limits", limits, [ours["low"], ours["high"]], **EXACT)
        if interval == "wald":
            RESPONSES.close(label, "SE of the difference", expected["rd_wald_se"], ours["se"], **EXACT)
    # Without its correction by N / (N - 1) the score test of no difference is Pearson's.
    score = alone(answer(data, "risk_difference", **asked))
    total = sum(expected["n"])
    pearson = 2.0 * stdtr(np.inf, -np.sqrt(expected["chisq_nocc"] * (total - 1) / total))
    RESPONSES.close(label, "Miettinen-Nurminen p", pearson, score["p"], **EXACT)
    RESPONSES.close(label, "Fisher p", expected["fisher_p"], alone(answer(data, "fisher", **asked))["p"], **EXACT)
    common = alone(answer(data, "cmh", **asked))
    RESPONSES.close(label, "CMH p", result["cmh"]["p_nocc"], common["p"], **EXACT)
    RESPONSES.close(label, "log common odds ratio", np.log(result["cmh"]["mh_common_or"]), common["estimate"], **EXACT)
    limits = np.log(result["cmh"]["mh_or_ci"])
    RESPONSES.close(label, "limits of its log", limits, [common["low"], common["high"]], **EXACT)


@pytest.mark.parametrize(("model", "covariates"), [("arm", ()), ("covariates", ("baseline", "stratum"))])
@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_logistic(name: str, k: int, model: str, covariates: tuple[str, ...]) -> None:
    expected, label = RESULTS[name]["logistic"][model], f"{name}: {model}, arm {k}"
    ours = alone(answer(trial(name, "resp"), "logistic", active=k, endpoint=RESPONSE, covariates=covariates))
    row = expected["coefficients"][f"arm{k}"]
    MODELS.close(label, "log odds ratio", row["est"], ours["estimate"], **ITERATED)
    MODELS.close(label, "SE", row["se"], ours["se"], **ITERATED)
    MODELS.close(label, "p", row["p"], ours["p"], absolute=1e-8)
    limits = expected["ci95_wald"][f"arm{k}"]
    MODELS.close(label, "limits", limits, [ours["low"], ours["high"]], relative=1e-8, absolute=1e-8)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_g_computation(name: str, k: int) -> None:
    expected = RESULTS[name][f"arm{k}_vs_0"]["standardised_risk"]
    ours = alone(answer(trial(name, "resp", (0, k)), "g_computation", endpoint=RESPONSE))
    MODELS.close(f"{name}: arm {k}", "standardised risk difference", expected["rd"], ours["estimate"], **ITERATED)
    MODELS.close(f"{name}: arm {k}", "its SE", expected["se_delta_fixed_covariates"], ours["se"], **ITERATED)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
    assert len(COMPARISONS) >= 7


def repeated(name: str) -> tuple[Observed, list[str], dict[str, Any]]:
    """Return an MMRM data set, its visits, and what R makes of it."""
    folder = FOLDER.parent / "mmrm"
    expected = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    levels = expected["factor_levels_first_is_reference"]
    with open(folder / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    ids, visits = list(dict.fromkeys(row["id"] for row in rows)), [str(visit) for visit in levels["visit"]]
    y = np.full((1, len(ids), len(visits), 1), np.nan)
    arm, baseline = np.zeros((1, len(ids)), dtype=np.intp), np.zeros((1, len(ids), 1))
    for row in rows:
        i = ids.index(row["id"])
        y[0, i, visits.index(row["visit"]), 0] = float(row["y"]) if row["y"] not in ("", "NA") else np.nan
        arm[0, i], baseline[0, i, 0] = levels["arm"].index(row["arm"]), float(row["baseline"])
    return Observed(arm, np.zeros_like(arm), len(levels["arm"]), 1, baseline, y), visits, expected


@pytest.mark.parametrize("short", ["us", "cs", "ar1h"])
@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "kenward-roger-mmrm"])
def test_mmrm_with_a_covariance_for_each_arm(short: str, df: str) -> None:
    data, visits, reference = repeated("mm17")
    model = "baseline * visit + arm * visit"
    (fit,) = (
        fit
        for fit in reference["fits"]
        if fit["covariance_per_arm"] and fit["model"] == model and fit["covariance"] == short and fit["reml"]
    )
    block = {"kenward-roger": "kenward_roger_linear", "kenward-roger-mmrm": "kenward_roger"}.get(df, df)
    for row in fit[block]["contrasts"]:
        ours = alone(
            answer(
                data,
                "mmrm",
                active=1,
                visit=visits.index(str(row["visit"])),
                covariance=LONG_NAMES[short],
                covariance_by="arm",
                covariates=("baseline",),
                df=df,
            )
        )
        label = f"mm17: {short} by arm, {df}, visit {row['visit']}"
        BY_ARM.close(label, "estimate", row["estimate"], ours["estimate"], absolute=1e-5, unit=("SE", row["se"]))
        BY_ARM.close(label, "SE", row["se"], ours["se"], relative=1e-6)
        BY_ARM.close(label, "df", row["df"], ours["df"], relative=1e-5)
        BY_ARM.close(label, "p", row["p"], ours["p"], absolute=1e-6)
