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

from oracle.comparison import Reference, release
from trialsim.kernels.nested import NestedFit, Reason, fit_nested, group_statistics

FOLDER = Path(__file__).parent / "data" / "mixed_models"
PARTIAL = sorted(path.stem for path in FOLDER.glob("pn*.json"))
CLUSTER = sorted(path.stem for path in FOLDER.glob("cr*.json"))
PARTIAL_FITS = ("homoscedastic", "homoscedastic_own", "heteroscedastic_own", "heteroscedastic_nlme")
CLUSTER_FITS = ("random_intercept", "no_covariate")
FILE = FOLDER / "pn1_n120_size6.json"
SOURCES = {
    "homoscedastic": release(FILE, "lmerTest", "pbkrtest"),
    "homoscedastic_own": release(FILE, base="REML written in R"),
    "heteroscedastic_own": release(FILE, base="REML written in R"),
    "heteroscedastic_nlme": release(FILE, "nlme"),
    "random_intercept": release(FILE, "lmerTest", "pbkrtest"),
    "no_covariate": release(FILE, "lmerTest", "pbkrtest"),
}
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


def reference(name: str, key: str, what: str) -> Reference:
    return Reference(f"{'Partially nested' if name in PARTIAL else 'Cluster'} models, {what}", SOURCES[key])


def label(name: str, key: str) -> str:
    return f"{name}: {key.removesuffix('_own').removesuffix('_nlme').replace('_', ' ')}"


def column(expected: dict[str, Any], name: str) -> list[float]:
    return [row[name] for row in expected["coefficients"].values()]


CASES = [(name, key) for name in PARTIAL for key in PARTIAL_FITS] + [(n, k) for n in CLUSTER for k in CLUSTER_FITS]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_estimates_standard_errors_and_likelihood(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "satterthwaite")
    r, case = reference(name, key, "REML"), label(name, key)
    r.close(case, "estimate", column(expected, "est"), result.estimate[0], relative=1e-6)
    r.close(case, "SE", column(expected, "se"), result.se[0], relative=1e-5)
    r.close(case, "−2 log-likelihood", expected["neg2_reml"], result.neg2_loglik[0], absolute=1e-6)


@pytest.mark.parametrize(("name", "key"), [case for case in CASES if case[1] != "heteroscedastic_nlme"])
def test_satterthwaite(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "satterthwaite")
    r, case = reference(name, key, "Satterthwaite"), label(name, key)
    theirs = column(expected, "df" if key.endswith("_own") else "df_satterthwaite")
    r.close(case, "df", theirs, result.df[0], relative=1e-3)
    r.close(case, "p", column(expected, "p"), result.p[0], absolute=1e-6)


@pytest.mark.parametrize(
    ("name", "key"), [(n, k) for n, k in CASES if k in ("homoscedastic", "random_intercept", "no_covariate")]
)
def test_kenward_roger(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "kenward-roger")
    r, case = reference(name, key, "Kenward-Roger"), label(name, key)
    r.close(case, "SE", column(expected, "se_kr"), result.se[0], relative=1e-5)
    r.close(case, "df", column(expected, "df_kr"), result.df[0], relative=1e-3)
    r.close(case, "p", column(expected, "p_kr"), result.p[0], absolute=1e-6)
    covariance = result.coefficient_covariance[0]
    r.close(case, "covariance", expected["vcov_kr"], covariance, relative=1e-5, absolute=1e-6)


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, k in CASES if k.endswith("_own")])
def test_variances(name: str, key: str) -> None:
    data, expected = read(name, key)
    result = fit(data, expected, key, "satterthwaite")
    theta = np.concatenate([result.group_variance, result.residual_variance[0]])
    r = reference(name, key, "REML")
    r.close(label(name, key), "variances", expected["theta"], theta, relative=1e-6, absolute=1e-6)


@pytest.mark.parametrize(("name", "key"), [(n, k) for n, k in CASES if k in ("homoscedastic", *CLUSTER_FITS)])
def test_a_group_variance_on_its_bound(name: str, key: str) -> None:
    data, expected = read(name, key)
    at_bound = fit(data, expected, key, "satterthwaite").at_bound[0]
    reference(name, key, "REML").same(label(name, key), "variance at 0", expected["singular"], at_bound)


def test_every_reference_case_is_read() -> None:
    assert len(PARTIAL) >= 4
    assert len(CLUSTER) >= 3
