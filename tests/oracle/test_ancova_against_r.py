"""ANCOVA against R's lm: coefficients, standard errors and degrees of freedom, by kernel and by analysis.

The numbers come from R and were not made with the code they check. Tolerance: 1e-10 relative.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.comparison import Reference, release
from trialsim.analysis.ancova import analyse_ancova
from trialsim.analysis.contract import Observed
from trialsim.kernels.least_squares import coefficients, fit_least_squares, moments
from trialsim.scenario.resolved import Analysis, Estimand

FOLDER = Path(__file__).parent / "data" / "basic_tests"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
LM = Reference("ANCOVA", release(FOLDER / "b1_n200.json", base="lm"))
ANALYSIS = Reference("ANCOVA, as scenarios name it", release(FOLDER / "b1_n200.json", base="lm"))
MODELS = ("no_covariate", "baseline", "baseline_stratum", "interaction", "arm_by_stratum")


def read(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    data = {column: np.array([float(row[column]) for row in rows]) for column in ("arm", "stratum", "baseline", "y")}
    return data, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["ancova"]


def column(data: dict[str, np.ndarray], term: str) -> np.ndarray:
    """Return the covariate that R calls `term`, such as `stratum2:arm1`."""
    if term == "(Intercept)":
        return np.ones(len(data["y"]))
    value = np.ones(len(data["y"]))
    for factor in term.split(":"):
        value = value * (data["baseline"] if factor == "baseline" else data[factor[:-1]] == float(factor[-1]))
    return value


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_every_coefficient(name: str, model: str) -> None:
    data, fits = read(name)
    expected = fits[model]
    terms = list(expected["coefficients"])
    x = np.stack([column(data, term) for term in terms], axis=1)[None]
    products, counts = moments(x, data["y"][None], np.ones((1, len(data["y"])), dtype=bool))
    label = f"{name}: {' + '.join(terms[1:])}"
    theirs = [expected["coefficients"][term]["est"] for term in terms]
    LM.close(label, "coefficients", theirs, coefficients(products[0])[0], relative=1e-9)
    for i, term in enumerate(terms):
        fit = fit_least_squares(products[0], counts[0], np.eye(len(terms))[i])
        LM.close(label, "estimate", expected["coefficients"][term]["est"], fit.estimate[0], relative=1e-9)
        LM.close(label, "SE", expected["coefficients"][term]["se"], fit.se[0], relative=1e-10)
        LM.same(label, "df", expected["df_residual"], fit.df[0])
        LM.close(label, "residual SD", expected["sigma"], np.sqrt(fit.residual_variance[0]), relative=1e-10)


@pytest.mark.parametrize(
    ("model", "covariates"),
    [("no_covariate", ()), ("baseline", ("baseline",)), ("baseline_stratum", ("baseline", "stratum"))],
)
@pytest.mark.parametrize("name", CASES)
def test_the_analysis(name: str, model: str, covariates: tuple[str, ...]) -> None:
    data, fits = read(name)
    expected = fits[model]
    arm, stratum = data["arm"].astype(int)[None], data["stratum"].astype(int)[None] - 1
    observed = Observed(
        arm,
        stratum,
        int(arm.max()) + 1,
        int(stratum.max()) + 1,
        data["baseline"][None, :, None],
        data["y"][None, :, None, None],
    )
    analysis = Analysis("ancova", "none", "residual", covariates, 0.05, "none", "ancova")
    for active in range(1, observed.n_arms):
        estimand = Estimand("primary", "", 0, 0, active, 0, 0.0, (analysis,))
        result = analyse_ancova(observed, estimand, analysis, (len(data["y"]),))[0]
        row = expected["coefficients"][f"arm{active}"]
        label = f"{name}: {model}, arm {active}"
        ANALYSIS.close(label, "estimate", row["est"], result.estimate[0], relative=1e-10)
        ANALYSIS.close(label, "SE", row["se"], result.se[0], relative=1e-10)
        ANALYSIS.same(label, "df", expected["df_residual"], result.df[0])
        ANALYSIS.close(label, "p", row["p"], result.p[0], relative=1e-9)
        assert result.n_analysed[0] == len(data["y"])


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 3
