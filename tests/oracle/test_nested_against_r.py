"""Mixed models with a random group effect against R's lmerTest, pbkrtest and nlme.

The numbers come from R and were not made with the code they check. Tolerances are those of R's optimisers: estimates
1e-6, standard errors 1e-5, degrees of freedom 1e-3 relative; the restricted likelihood is at least as high as theirs.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.kernels.nested import NestedFit, Reason, fit_nested, group_statistics

FOLDER = Path(__file__).parent / "data" / "mixed_models"
PARTIAL = sorted(path.stem for path in FOLDER.glob("pn*.json"))
CLUSTER = sorted(path.stem for path in FOLDER.glob("cr*.json"))
PARTIAL_FITS = ("homoscedastic", "homoscedastic_own", "heteroscedastic_own", "heteroscedastic_nlme")
CLUSTER_FITS = ("random_intercept", "no_covariate")
TERMS = {"(Intercept)": None, "baseline": "baseline", "trt": "arm", "arm1": "arm"}


def read(name: str, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    data = {column: np.array([float(row[column]) for row in rows]) for column in rows[0]}
    return data, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))[key]


def fit(data: dict[str, np.ndarray], expected: dict[str, Any], key: str, df: str) -> NestedFit:
    terms = list(expected["coefficients"])
    ones = np.ones(len(data["y"]))
    x = np.stack([ones if TERMS[term] is None else data[TERMS[term]] for term in terms], axis=1)
    group = data["group"] - 1 if "group" in data else data["cluster"]
    per_arm = key.startswith("heteroscedastic")
    statistics = group_statistics(
        data["y"][None],
        x[None],
        group.astype(int)[None],
        residual=data["arm"].astype(int)[None] if per_arm else None,
        n_residual=2 if per_arm else 1,
    )
    result = fit_nested(statistics, np.eye(len(terms)), df=df, allow_negative=key.endswith("_own"))
    assert result.reason[0] == Reason.FITTED
    return result


def compare(actual: np.ndarray, expected: dict[str, Any], column: str, **tolerance: float) -> None:
    rows = expected["coefficients"].values()
    np.testing.assert_allclose(actual, [row[column] for row in rows], **tolerance)


CASES = [(name, key) for name in PARTIAL for key in PARTIAL_FITS] + [(n, k) for n in CLUSTER for k in CLUSTER_FITS]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_estimates_standard_errors_and_likelihood(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "satterthwaite")
    compare(result.estimate[0], expected, "est", rtol=1e-6)
    compare(result.se[0], expected, "se", rtol=1e-5)
    assert result.neg2_loglik[0] <= expected["neg2_reml"] + 1e-6
    assert result.neg2_loglik[0] == pytest.approx(expected["neg2_reml"], abs=1e-6)


@pytest.mark.parametrize(("name", "key"), [case for case in CASES if case[1] != "heteroscedastic_nlme"])
def test_satterthwaite(name: str, key: str) -> None:
    data, expected = read(name, key)
    column = "df" if key.endswith("_own") else "df_satterthwaite"
    result = fit(data, expected, key, "satterthwaite")
    compare(result.df[0], expected, column, rtol=1e-3)
    compare(result.p[0], expected, "p", atol=1e-6)


@pytest.mark.parametrize(
    ("name", "key"), [(n, k) for n, k in CASES if k in ("homoscedastic", "random_intercept", "no_covariate")]
)
def test_kenward_roger(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "kenward-roger")
    compare(result.se[0], expected, "se_kr", rtol=1e-5)
    compare(result.df[0], expected, "df_kr", rtol=1e-3)
    compare(result.p[0], expected, "p_kr", atol=1e-6)
    np.testing.assert_allclose(result.coefficient_covariance[0], expected["vcov_kr"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, k in CASES if k.endswith("_own")])
def test_variances(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "satterthwaite")
    theta = np.concatenate([result.group_variance, result.residual_variance[0]])
    np.testing.assert_allclose(theta, expected["theta"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, k in CASES if k in ("homoscedastic", *CLUSTER_FITS)])
def test_a_group_variance_on_its_bound(name: str, key: str) -> None:
    data, expected = read(name, key)
    assert fit(data, expected, key, "satterthwaite").at_bound[0] == expected["singular"]


def test_every_reference_case_is_read() -> None:
    assert len(PARTIAL) >= 4
    assert len(CLUSTER) >= 3
