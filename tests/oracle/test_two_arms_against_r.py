"""Tests of two arms at one time point against R: t, Wilcoxon, robust regression, tables, logistic, standardised risks.

The numbers come from R's stats and sandwich and were not made with the code they check. Tolerance: 1e-8 relative for
what is iterated, 1e-10 otherwise.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.comparison import Reference, release
from trialsim.kernels.binary import (
    chi_square_test,
    count_responses,
    fisher_test,
    mantel_haenszel_test,
    newcombe_difference,
    odds_ratio,
    risk_ratio,
    standardised_risks,
    wald_difference,
)
from trialsim.kernels.binary.differences import clopper_pearson_limits, wilson_limits
from trialsim.kernels.logistic import MAXIMUM_LIKELIHOOD, fit_logistic, likelihood_ratio_test, wald_test
from trialsim.kernels.ranks import hodges_lehmann, rank_sum_test
from trialsim.kernels.robust import contrast, effects_by_stratum, joint_test, regress
from trialsim.kernels.tails import normal_limits, t_limits
from trialsim.kernels.two_sample import pooled_t_test, welch_t_test

FOLDER = Path(__file__).parent / "data" / "basic_tests"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
RESULTS: dict[str, Any] = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in CASES}
COMPARISONS = [(name, k) for name in CASES for k in (1, 2) if f"arm{k}_vs_0" in RESULTS[name]]
MODELS = ("no_covariate", "baseline", "baseline_stratum", "interaction", "arm_by_stratum")
EXACT = {"relative": 1e-10, "absolute": 1e-13}
ITERATED = {"relative": 1e-8, "absolute": 1e-11}
BASE = {
    kind: Reference(kind, release(FOLDER / "b1_n200.json", *packages, base=base))
    for kind, base, *packages in (
        ("t and Welch", "t.test"),
        ("Wilcoxon and Hodges-Lehmann", "wilcox.test"),
        ("Robust standard errors", "", "sandwich"),
        ("Drop-one F tests", "drop1"),
        ("Effects by stratum", "lm"),
        ("Fisher", "fisher.test"),
        ("Chi-square", "chisq.test"),
        ("Risk differences, risk and odds ratios", "closed forms"),
        ("Cochran-Mantel-Haenszel", "mantelhaen.test"),
        ("Logistic regression", "glm"),
        ("Standardised risks (g-computation)", "glm and delta method"),
    )
}


def read(name: str) -> dict[str, np.ndarray]:
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {column: np.array([[float(row[column]) for row in rows]]) for column in rows[0]}


def compared(name: str, k: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the data, the members of active arm k and of the control, and what R makes of the two."""
    data = read(name)
    return data, data["arm"] == k, data["arm"] == 0, RESULTS[name][f"arm{k}_vs_0"]


def column(data: dict[str, np.ndarray], term: str) -> np.ndarray:
    """Return the covariate that R calls `term`, such as `stratum2:arm1`."""
    value = np.ones(data["y"].shape)
    for factor in () if term == "(Intercept)" else term.split(":"):
        value = value * (data["baseline"] if factor == "baseline" else data[factor[:-1]] == float(factor[-1]))
    return value


def covariates(data: dict[str, np.ndarray], terms: list[str]) -> np.ndarray:
    return np.stack([column(data, term) for term in terms], axis=2)


def everybody(data: dict[str, np.ndarray]) -> np.ndarray:
    return np.ones(data["y"].shape, dtype=bool)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
@pytest.mark.parametrize(("kind", "test"), [("t_pooled", pooled_t_test), ("t_welch", welch_t_test)])
def test_t(name: str, k: int, kind: str, test: Any) -> None:
    data, active, control, expected = compared(name, k)
    result = test(data["y"], active, control)
    r, label = BASE["t and Welch"], f"{name}: {kind.removeprefix('t_')}, arm {k}"
    for field, word in {"estimate": "estimate", "se": "SE", "df": "df", "t": "t", "p": "p"}.items():
        r.close(label, word, expected[kind][field], getattr(result, field)[0], **EXACT)
    limits = t_limits(result.estimate, result.se, result.df)
    r.close(label, "limits", expected[kind]["ci"], [limit[0] for limit in limits], **EXACT)
    if kind == "t_pooled":
        shifted = test(data["y"], active, control, null=1.0)
        r.close(label, "t against 1", expected["t_pooled_mu1"]["t"], shifted.t[0], **EXACT)
        r.close(label, "p against 1", expected["t_pooled_mu1"]["p"], shifted.p[0], **EXACT)
    else:
        less = test(data["y"], active, control, alternative="less")
        r.close(label, "one-sided p", expected["t_welch_less"]["p"], less.p[0], **EXACT)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_wilcoxon(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected, y = result["wilcoxon"], data["y"]
    r, label = BASE["Wilcoxon and Hodges-Lehmann"], f"{name}: arm {k}"
    plain = rank_sum_test(y, active, control, continuity=False)
    r.same(label, "W", expected["W"], plain.w[0])
    r.close(label, "p", expected["p_normal_nocc"], plain.p[0], **EXACT)
    corrected = rank_sum_test(y, active, control)
    r.close(label, "p, continuity", expected["p_normal_cc"], corrected.p[0], **EXACT)
    less = rank_sum_test(y, active, control, continuity=False, alternative="less")
    r.close(label, "one-sided p", expected["p_less_normal_nocc"], less.p[0], **EXACT)
    exact = rank_sum_test(y, active, control, exact=True)
    if expected["p_exact"] is not None:
        r.close(label, "exact p", expected["p_exact"], exact.p[0], **EXACT)
    shift = hodges_lehmann(y, active, control)
    if expected["hl_ci_exact"] is not None:
        r.close(label, "limits of the shift", expected["hl_ci_exact"], [shift.low[0], shift.high[0]], **EXACT)
        r.close(label, "shift", expected["hodges_lehmann"], shift.estimate[0], **EXACT)
    r.close(label, "shift by root search", expected["hodges_lehmann"], shift.estimate[0], absolute=1e-3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_robust_standard_errors(name: str, model: str) -> None:
    data, expected = read(name), RESULTS[name]["ancova"][model]
    terms = list(expected["coefficients"])
    x = covariates(data, terms)
    r, label = BASE["Robust standard errors"], f"{name}: {' + '.join(terms[1:])}"
    for kind, standard_errors in expected["robust_se"].items():
        fit = regress(x, data["y"], everybody(data), variance=kind.lower())
        for i, term in enumerate(terms):
            one = contrast(fit, np.eye(len(terms))[i])
            r.close(label, "estimate", expected["coefficients"][term]["est"], one.estimate[0], relative=1e-9)
            r.close(label, f"{kind} SE", standard_errors[term], one.se[0], relative=1e-9)
    plain = regress(x, data["y"], everybody(data))
    r.close(label, "constant-variance covariance", expected["vcov"], plain.covariance[0], relative=1e-9)
    for i, term in enumerate(terms):
        p = contrast(plain, np.eye(len(terms))[i]).p[0]
        r.close(label, "constant-variance p", expected["coefficients"][term]["p"], p, relative=1e-8)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_drop_one_f_tests(name: str, model: str) -> None:
    data, expected = read(name), RESULTS[name]["ancova"][model]
    terms = list(expected["coefficients"])
    fit = regress(covariates(data, terms), data["y"], everybody(data))
    for dropped, row in expected["drop1_F"].items():
        wanted = set(dropped.split(":"))
        rows = [i for i, term in enumerate(terms) if {part.rstrip("123456789") for part in term.split(":")} == wanted]
        test = joint_test(fit, np.eye(len(terms))[rows])
        r, label = BASE["Drop-one F tests"], f"{name}: {' + '.join(terms[1:])}, without {dropped}"
        r.same(label, "numerator df", row["df"], test.numerator_df)
        r.close(label, "F", row["F"], test.f[0], relative=1e-8)
        r.close(label, "p", row["p"], test.p[0], relative=1e-8)


@pytest.mark.parametrize("name", [name for name in CASES if "arm2_vs_0" not in RESULTS[name]])
def test_effects_by_stratum(name: str) -> None:
    data, expected = read(name), RESULTS[name]["ancova"]["arm_by_stratum"]
    n_strata = int(data["stratum"].max())
    result = effects_by_stratum(
        data["y"],
        everybody(data),
        data["arm"] == 1,
        data["stratum"].astype(int) - 1,
        data["baseline"][:, :, None],
        n_strata=n_strata,
    )
    rows, r = expected["coefficients"], BASE["Effects by stratum"]
    r.close(name, "estimate", rows["arm1"]["est"], result.estimate[0, 0], relative=1e-9)
    r.close(name, "SE", rows["arm1"]["se"], result.se[0, 0], relative=1e-9)
    r.close(name, "p", rows["arm1"]["p"], result.p[0, 0], relative=1e-8)
    for s in range(2, n_strata + 1):
        row = rows[f"stratum{s}:arm1"]
        r.close(name, "difference", row["est"], result.difference[0, s - 2], relative=1e-8)
        r.close(name, "SE of the difference", row["se"], result.difference_se[0, s - 2], relative=1e-9)
        r.close(name, "p of the difference", row["p"], result.difference_p[0, s - 2], relative=1e-8)
    r.same(name, "df", expected["df_residual"], result.df[0])
    theirs = expected["drop1_F"]["stratum:arm"]["p"]
    r.close(name, "p of the interaction", theirs, result.interaction.p[0], relative=1e-8)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_tables(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["binary"]
    counts = count_responses(data["resp"], active, control)
    assert [counts.active[0], counts.control[0]] == expected["events"]
    assert [counts.n_active[0], counts.n_control[0]] == expected["n"]
    label = f"{name}: arm {k}"
    greater = fisher_test(counts, alternative="greater")
    BASE["Fisher"].close(label, "p", expected["fisher_p"], fisher_test(counts).p[0], **EXACT)
    BASE["Fisher"].close(label, "one-sided p", expected["fisher_p_greater"], greater.p[0], **EXACT)
    for key, word, continuity in (("chisq_nocc", "", False), ("chisq_yates", ", continuity", True)):
        test = chi_square_test(counts, continuity=continuity)
        BASE["Chi-square"].close(label, f"chi-square{word}", expected[key], test.chi_square[0], **EXACT)
        BASE["Chi-square"].close(label, f"p{word}", expected[f"{key}_p"], test.p[0], **EXACT)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_risk_differences_and_ratios(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["binary"]
    counts = count_responses(data["resp"], active, control)
    r, label = BASE["Risk differences, risk and odds ratios"], f"{name}: arm {k}"
    wald, newcombe = wald_difference(counts), newcombe_difference(counts)
    r.close(label, "risk difference", expected["rd"], wald.estimate[0], **EXACT)
    r.close(label, "SE of the difference", expected["rd_wald_se"], wald.se[0], **EXACT)
    r.close(label, "Wald limits", expected["rd_wald_ci"], [wald.low[0], wald.high[0]], **EXACT)
    r.close(label, "Newcombe limits", expected["rd_newcombe_ci"], [newcombe.low[0], newcombe.high[0]], **EXACT)
    for key, word, ratio in (("rr", "risk ratio", risk_ratio(counts)), ("or", "odds ratio", odds_ratio(counts))):
        r.close(label, word, expected[key], ratio.estimate[0], **EXACT)
        r.close(label, f"limits of the {word}", expected[f"{key}_ci"], [ratio.low[0], ratio.high[0]], **EXACT)
    for key, word, limits in (
        ("clopper", "Clopper-Pearson limits", clopper_pearson_limits),
        ("wilson", "Wilson limits", wilson_limits),
    ):
        low, high = limits(counts.active, counts.n_active)
        r.close(label, word, expected[f"{key}_active"], [low[0], high[0]], **EXACT)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_cochran_mantel_haenszel(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["cmh"]
    counts = count_responses(
        data["resp"], active, control, data["stratum"].astype(int) - 1, n_strata=int(data["stratum"].max())
    )
    r, label = BASE["Cochran-Mantel-Haenszel"], f"{name}: arm {k}"
    for suffix, word, continuity in (("cc", ", continuity", True), ("nocc", "", False)):
        test = mantel_haenszel_test(counts, continuity=continuity)
        r.close(label, f"chi-square{word}", expected[f"chisq_{suffix}"], test.chi_square[0], **EXACT)
        r.close(label, f"p{word}", expected[f"p_{suffix}"], test.p[0], **EXACT)
    r.close(label, "common odds ratio", expected["mh_common_or"], test.odds_ratio[0], **EXACT)
    r.close(label, "limits", expected["mh_or_ci"], [test.low[0], test.high[0]], **EXACT)


@pytest.mark.parametrize("model", ["arm", "covariates"])
@pytest.mark.parametrize("name", CASES)
def test_logistic(name: str, model: str) -> None:
    data, expected = read(name), RESULTS[name]["logistic"][model]
    terms = list(expected["coefficients"])
    x, y, all_of_them = covariates(data, terms), data["resp"], everybody(data)
    fit = fit_logistic(x, y, all_of_them)
    assert fit.method[0] == MAXIMUM_LIKELIHOOD
    r, label = BASE["Logistic regression"], f"{name}: {model}"
    # Variances to twice what standard errors are held to: glm takes its weights a step before its end.
    r.close(label, "covariance", expected["vcov"], fit.covariance[0], relative=2e-8)
    r.close(label, "log-likelihood", expected["loglik"], fit.log_likelihood[0], **ITERATED)
    for i, term in enumerate(terms):
        row, test = expected["coefficients"][term], wald_test(fit, np.eye(len(terms))[i])
        r.close(label, "estimate", row["est"], test.estimate[0], **ITERATED)
        r.close(label, "SE", row["se"], test.se[0], **ITERATED)
        r.close(label, "p", row["p"], test.p[0], absolute=1e-8)
        ours = [limit[0] for limit in normal_limits(test.estimate, test.se)]
        r.close(label, "limits", expected["ci95_wald"][term], ours, relative=1e-8, absolute=1e-8)
    ratio = likelihood_ratio_test(x, y, all_of_them, tuple(range(1, len(terms))))
    theirs = expected["null_deviance"] - expected["deviance"]
    r.close(label, "likelihood ratio", theirs, ratio.chi_square[0], **ITERATED)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_standardised_risks(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["standardised_risk"]
    terms = [term for term in RESULTS[name]["logistic"]["covariates"]["coefficients"] if not term.startswith("arm")]
    base = covariates(data, terms)
    x, x_active, x_control = (
        np.concatenate([base, np.broadcast_to(arm, active.shape)[:, :, None]], axis=2)
        for arm in (active.astype(float), 1.0, 0.0)
    )
    included = active | control
    result = standardised_risks(fit_logistic(x, data["resp"], included), x_active, x_control, included)
    r, label = BASE["Standardised risks (g-computation)"], f"{name}: arm {k}"
    r.close(label, "risk, active", expected["risk1"], result.risk_active[0], **ITERATED)
    r.close(label, "risk, control", expected["risk0"], result.risk_control[0], **ITERATED)
    r.close(label, "estimate", expected["rd"], result.estimate[0], **ITERATED)
    r.close(label, "SE", expected["se_delta_fixed_covariates"], result.se[0], **ITERATED)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
    assert len(COMPARISONS) >= 7
