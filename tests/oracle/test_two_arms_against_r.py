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
EXACT = {"rel": 1e-10, "abs": 1e-13}
ITERATED = {"rel": 1e-8, "abs": 1e-11}


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
    for field in ("estimate", "se", "df", "t", "p"):
        assert getattr(result, field)[0] == pytest.approx(expected[kind][field], **EXACT)
    limits = t_limits(result.estimate, result.se, result.df)
    assert [limit[0] for limit in limits] == pytest.approx(expected[kind]["ci"], **EXACT)
    if kind == "t_pooled":
        shifted = test(data["y"], active, control, null=1.0)
        assert shifted.t[0] == pytest.approx(expected["t_pooled_mu1"]["t"], **EXACT)
        assert shifted.p[0] == pytest.approx(expected["t_pooled_mu1"]["p"], **EXACT)
    else:
        less = test(data["y"], active, control, alternative="less")
        assert less.p[0] == pytest.approx(expected["t_welch_less"]["p"], **EXACT)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_wilcoxon(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected, y = result["wilcoxon"], data["y"]
    plain = rank_sum_test(y, active, control, continuity=False)
    assert plain.w[0] == expected["W"]
    assert plain.p[0] == pytest.approx(expected["p_normal_nocc"], **EXACT)
    assert rank_sum_test(y, active, control).p[0] == pytest.approx(expected["p_normal_cc"], **EXACT)
    less = rank_sum_test(y, active, control, continuity=False, alternative="less")
    assert less.p[0] == pytest.approx(expected["p_less_normal_nocc"], **EXACT)
    exact = rank_sum_test(y, active, control, exact=True)
    if expected["p_exact"] is not None:
        assert exact.p[0] == pytest.approx(expected["p_exact"], **EXACT)
    shift = hodges_lehmann(y, active, control)
    if expected["hl_ci_exact"] is not None:
        assert [shift.low[0], shift.high[0]] == pytest.approx(expected["hl_ci_exact"], **EXACT)
        assert shift.estimate[0] == pytest.approx(expected["hodges_lehmann"], **EXACT)
    assert shift.estimate[0] == pytest.approx(expected["hodges_lehmann"], abs=1e-3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_robust_standard_errors(name: str, model: str) -> None:
    data, expected = read(name), RESULTS[name]["ancova"][model]
    terms = list(expected["coefficients"])
    x = covariates(data, terms)
    for kind, standard_errors in expected["robust_se"].items():
        fit = regress(x, data["y"], everybody(data), variance=kind.lower())
        for i, term in enumerate(terms):
            one = contrast(fit, np.eye(len(terms))[i])
            assert one.estimate[0] == pytest.approx(expected["coefficients"][term]["est"], rel=1e-9)
            assert one.se[0] == pytest.approx(standard_errors[term], rel=1e-9)
    plain = regress(x, data["y"], everybody(data))
    np.testing.assert_allclose(plain.covariance[0], expected["vcov"], rtol=1e-9)
    for i, term in enumerate(terms):
        assert contrast(plain, np.eye(len(terms))[i]).p[0] == pytest.approx(
            expected["coefficients"][term]["p"], rel=1e-8
        )


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
        assert test.numerator_df == row["df"]
        assert test.f[0] == pytest.approx(row["F"], rel=1e-8)
        assert test.p[0] == pytest.approx(row["p"], rel=1e-8)


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
    rows = expected["coefficients"]
    assert result.estimate[0, 0] == pytest.approx(rows["arm1"]["est"], rel=1e-9)
    assert result.se[0, 0] == pytest.approx(rows["arm1"]["se"], rel=1e-9)
    assert result.p[0, 0] == pytest.approx(rows["arm1"]["p"], rel=1e-8)
    for s in range(2, n_strata + 1):
        row = rows[f"stratum{s}:arm1"]
        assert result.difference[0, s - 2] == pytest.approx(row["est"], rel=1e-8)
        assert result.difference_se[0, s - 2] == pytest.approx(row["se"], rel=1e-9)
        assert result.difference_p[0, s - 2] == pytest.approx(row["p"], rel=1e-8)
    assert result.df[0] == expected["df_residual"]
    assert result.interaction.p[0] == pytest.approx(expected["drop1_F"]["stratum:arm"]["p"], rel=1e-8)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_tables(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["binary"]
    counts = count_responses(data["resp"], active, control)
    assert [counts.active[0], counts.control[0]] == expected["events"]
    assert [counts.n_active[0], counts.n_control[0]] == expected["n"]
    assert fisher_test(counts).p[0] == pytest.approx(expected["fisher_p"], **EXACT)
    assert fisher_test(counts, alternative="greater").p[0] == pytest.approx(expected["fisher_p_greater"], **EXACT)
    for name_, continuity in (("chisq_nocc", False), ("chisq_yates", True)):
        test = chi_square_test(counts, continuity=continuity)
        assert test.chi_square[0] == pytest.approx(expected[name_], **EXACT)
        assert test.p[0] == pytest.approx(expected[f"{name_}_p"], **EXACT)
    wald, newcombe = wald_difference(counts), newcombe_difference(counts)
    assert wald.estimate[0] == pytest.approx(expected["rd"], **EXACT)
    assert wald.se[0] == pytest.approx(expected["rd_wald_se"], **EXACT)
    assert [wald.low[0], wald.high[0]] == pytest.approx(expected["rd_wald_ci"], **EXACT)
    assert [newcombe.low[0], newcombe.high[0]] == pytest.approx(expected["rd_newcombe_ci"], **EXACT)
    for field, ratio in (("rr", risk_ratio(counts)), ("or", odds_ratio(counts))):
        assert ratio.estimate[0] == pytest.approx(expected[field], **EXACT)
        assert [ratio.low[0], ratio.high[0]] == pytest.approx(expected[f"{field}_ci"], **EXACT)
    for field, limits in (("clopper", clopper_pearson_limits), ("wilson", wilson_limits)):
        low, high = limits(counts.active, counts.n_active)
        assert [low[0], high[0]] == pytest.approx(expected[f"{field}_active"], **EXACT)


@pytest.mark.parametrize(("name", "k"), COMPARISONS)
def test_cochran_mantel_haenszel(name: str, k: int) -> None:
    data, active, control, result = compared(name, k)
    expected = result["cmh"]
    counts = count_responses(
        data["resp"], active, control, data["stratum"].astype(int) - 1, n_strata=int(data["stratum"].max())
    )
    for suffix, continuity in (("cc", True), ("nocc", False)):
        test = mantel_haenszel_test(counts, continuity=continuity)
        assert test.chi_square[0] == pytest.approx(expected[f"chisq_{suffix}"], **EXACT)
        assert test.p[0] == pytest.approx(expected[f"p_{suffix}"], **EXACT)
    assert test.odds_ratio[0] == pytest.approx(expected["mh_common_or"], **EXACT)
    assert [test.low[0], test.high[0]] == pytest.approx(expected["mh_or_ci"], **EXACT)


@pytest.mark.parametrize("model", ["arm", "covariates"])
@pytest.mark.parametrize("name", CASES)
def test_logistic(name: str, model: str) -> None:
    data, expected = read(name), RESULTS[name]["logistic"][model]
    terms = list(expected["coefficients"])
    x, y, all_of_them = covariates(data, terms), data["resp"], everybody(data)
    fit = fit_logistic(x, y, all_of_them)
    assert fit.method[0] == MAXIMUM_LIKELIHOOD
    # Variances to twice what standard errors are held to: glm takes its weights a step before its end.
    np.testing.assert_allclose(fit.covariance[0], expected["vcov"], rtol=2e-8)
    assert fit.log_likelihood[0] == pytest.approx(expected["loglik"], **ITERATED)
    for i, term in enumerate(terms):
        row, test = expected["coefficients"][term], wald_test(fit, np.eye(len(terms))[i])
        assert test.estimate[0] == pytest.approx(row["est"], **ITERATED)
        assert test.se[0] == pytest.approx(row["se"], **ITERATED)
        assert test.p[0] == pytest.approx(row["p"], abs=1e-8)
        limits = normal_limits(test.estimate, test.se)
        assert [limit[0] for limit in limits] == pytest.approx(expected["ci95_wald"][term], rel=1e-8, abs=1e-8)
    ratio = likelihood_ratio_test(x, y, all_of_them, tuple(range(1, len(terms))))
    assert ratio.chi_square[0] == pytest.approx(expected["null_deviance"] - expected["deviance"], **ITERATED)


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
    assert result.risk_active[0] == pytest.approx(expected["risk1"], **ITERATED)
    assert result.risk_control[0] == pytest.approx(expected["risk0"], **ITERATED)
    assert result.estimate[0] == pytest.approx(expected["rd"], **ITERATED)
    assert result.se[0] == pytest.approx(expected["se_delta_fixed_covariates"], **ITERATED)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
    assert len(COMPARISONS) >= 7
