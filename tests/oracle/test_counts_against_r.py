"""Negative binomial and Poisson regression against R's MASS::glm.nb and glm.

Tolerance 1e-5 relative for the negative binomial, which R fits by turns, and 1e-7 for Poisson standard errors, whose
weights R takes from the step before the last. R's standard error of theta comes from the step before the last too, and
is off by up to 6e-5; it is compared with the same formula at the optimum.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import polygamma

from oracle.comparison import Reference, release
from trialsim.kernels.counts import ESTIMATED, fit_counts

FOLDER = Path(__file__).parent / "data" / "basic_tests"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
REFERENCES = {
    "poisson": Reference("Poisson regression", release(FOLDER / "b1_n200.json", base="glm")),
    "negative_binomial": Reference("Negative binomial regression", release(FOLDER / "b1_n200.json", "MASS")),
}


def read(name: str, model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    data = {c: np.array([float(row[c]) for row in rows]) for c in ("arm", "stratum", "count", "follow")}
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))[model]
    columns = [
        np.ones(len(rows)) if term == "(Intercept)" else data[term[:-1]] == float(term[-1])
        for term in expected["coefficients"]
    ]
    return data["count"], np.stack(columns, axis=1).astype(float), data["follow"], expected


@pytest.mark.parametrize("model", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("name", CASES)
def test_every_coefficient(name: str, model: str) -> None:
    y, x, exposure, expected = read(name, model)
    rows = list(expected["coefficients"].values())
    relative = 1e-7 if model == "poisson" else 1e-5
    reference = REFERENCES[model]
    for i, row in enumerate(rows):
        fit = fit_counts(y[None], x[None], np.eye(len(rows))[i], exposure=exposure[None], poisson=model == "poisson")
        assert fit.status[0] == ESTIMATED
        reference.close(name, "estimate", row["est"], fit.estimate[0], relative=relative)
        reference.close(name, "SE", row["se"], fit.se[0], relative=relative)
        reference.close(name, "p", row["p"], fit.p[0], relative=20 * relative)
    reference.close(name, "covariance", expected["vcov"], fit.covariance[0], relative=relative, absolute=1e-8)
    reference.close(name, "log-likelihood", expected["loglik"], fit.loglik[0], relative=1e-10)
    reference.at_most(name, "−log-likelihood", -expected["loglik"], -fit.loglik[0], slack=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_dispersion(name: str) -> None:
    y, x, exposure, expected = read(name, "negative_binomial")
    fit = fit_counts(y[None], x[None], np.eye(x.shape[1])[1], exposure=exposure[None])
    theta = 1.0 / fit.dispersion[0]
    reference = REFERENCES["negative_binomial"]
    reference.close(name, "theta", expected["theta"], theta, relative=1e-5)
    mean = exposure * np.exp(x @ fit.coefficients[0])
    information = np.sum(
        polygamma(1, theta) - polygamma(1, theta + y) - 1.0 / theta + 2.0 / (mean + theta)
        - (y + theta) / (mean + theta) ** 2
    )  # fmt: skip
    ours = fit.dispersion_se[0] / fit.dispersion[0] ** 2
    np.testing.assert_allclose(ours, 1.0 / np.sqrt(information), rtol=1e-7)
    reference.close(name, "SE of theta", expected["theta_se"], ours, relative=1e-4)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 6
