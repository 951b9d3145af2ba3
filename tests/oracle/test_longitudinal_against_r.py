"""Longitudinal random-effects models against R's lme4, lmerTest and pbkrtest.

The numbers come from R and were not made with the code they check. Tolerances are those of R's optimiser: estimates
1e-6 standard errors, standard errors 1e-5, degrees of freedom 1e-3 relative; the likelihood is at least as high as R's.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.comparison import Reference, release
from trialsim.kernels.nested import LongitudinalFit, Reason, fit_longitudinal, longitudinal_statistics

FOLDER = Path(__file__).parent / "data" / "mixed_models"
NAMES = sorted(path.stem for path in FOLDER.glob("rs*.json"))
REML, SATTERTHWAITE, KENWARD_ROGER, ML = (
    Reference(f"Longitudinal random effects, {what}", release(FOLDER / f"{NAMES[0]}.json", *packages))
    for what, *packages in (
        ("REML", "lme4"),
        ("Satterthwaite", "lmerTest"),
        ("Kenward-Roger", "pbkrtest"),
        ("ML", "lme4"),
    )
)
MODELS: dict[str, dict[str, Any]] = {
    "random_intercept": {"random": "intercept"},
    "random_intercept_slope": {"random": "slope"},
    "random_uncorrelated": {"random": "uncorrelated"},
    "site_and_patient": {"random": "intercept", "group": "site"},
    "groups_in_active_arm_and_patient": {"random": "intercept", "group": "group"},
    "groups_grow_with_time": {"random": "slope", "group": "group", "group_effect": "growth"},
}


def read(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Each column of the data as patients × visits, and R's fits."""
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    n_visits = len({row["time"] for row in rows})
    data = {column: np.array([float(row[column] or "nan") for row in rows]).reshape(-1, n_visits) for column in rows[0]}
    return data, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


CASES = [(name, model) for name in NAMES for model in MODELS if model in read(name)[1]]


def fit(name: str, model: str, **options: Any) -> tuple[LongitudinalFit, dict[str, Any], float]:
    """All coefficients and, last, the difference of arms at the last visit; R's fit; the last time."""
    data, expected = read(name)
    choices = dict(MODELS[model])
    if "group" in choices:
        # Group 0 means none; sites are numbered from 1.
        choices["group"] = data[choices["group"]][:, 0].astype(int)[None] - 1
    time, arm = data["time"], data["arm"]
    x = np.stack([np.ones_like(time), data["baseline"], time, arm, time * arm], axis=2)
    statistics = longitudinal_statistics(data["y"][None], x[None], time[0], **choices)
    contrasts = np.vstack([np.eye(5), [0.0, 0.0, 0.0, 1.0, time.max()]])
    result = fit_longitudinal(statistics, contrasts, **options)
    assert result.reason[0] == Reason.FITTED
    return result, expected, time.max()


def label(name: str, model: str) -> str:
    return f"{name}: {model.replace('_', ' ')}"


def column(expected: dict[str, Any], last: float, name: str) -> list[float]:
    contrast = expected["contrasts"]["difference_at_last_visit"]
    assert contrast["weights"] == {"arm1": 1, "time:arm1": last}
    return [row[name] for row in expected["coefficients"].values()] + [contrast[name]]


@pytest.mark.parametrize(("name", "model"), CASES)
def test_estimates_standard_errors_and_likelihood(name: str, model: str) -> None:
    result, every, last = fit(name, model)
    expected = every[model]
    se = np.array(column(expected, last, "se"))
    case, covariance = label(name, model), result.coefficient_covariance[0]
    REML.close(case, "estimate", column(expected, last, "est"), result.estimate[0], absolute=1e-6, unit=("SE", se))
    REML.close(case, "SE", se, result.se[0], relative=1e-5)
    REML.close(case, "covariance", expected["vcov"], covariance, relative=1e-5, absolute=1e-6)
    REML.close(case, "−2 log-likelihood", expected["neg2_reml"], result.neg2_loglik[0], absolute=1e-6)


@pytest.mark.parametrize(("name", "model"), CASES)
def test_satterthwaite(name: str, model: str) -> None:
    result, every, last = fit(name, model)
    df, p = (column(every[model], last, key) for key in ("df_satterthwaite", "p"))
    SATTERTHWAITE.close(label(name, model), "df", df, result.df[0], relative=1e-3)
    SATTERTHWAITE.close(label(name, model), "p", p, result.p[0], absolute=1e-6)


@pytest.mark.parametrize(("name", "model"), CASES)
def test_kenward_roger(name: str, model: str) -> None:
    result, every, last = fit(name, model, df="kenward-roger")
    expected = every[model]
    case, covariance = label(name, model), result.coefficient_covariance[0]
    KENWARD_ROGER.close(case, "SE", column(expected, last, "se_kr"), result.se[0], relative=1e-5)
    KENWARD_ROGER.close(case, "df", column(expected, last, "df_kr"), result.df[0], relative=1e-3)
    KENWARD_ROGER.close(case, "p", column(expected, last, "p_kr"), result.p[0], absolute=1e-6)
    KENWARD_ROGER.close(case, "covariance", expected["vcov_kr"], covariance, relative=1e-5, absolute=1e-6)


@pytest.mark.parametrize(("name", "model"), CASES)
def test_variances(name: str, model: str) -> None:
    """R's variances are good to about 1e-6 of θ, its relative Cholesky factor, so to a few 1e-6 relative."""
    result, every, _ = fit(name, model)
    rows = every[model]["variance"]
    residual = rows[-1]["vcov"]
    patient = [row for row in rows if row["group"].startswith("id")]
    own = result.patient_covariance[0]
    found = [own[0, 0], *([own[1, 1]] if len(own) == 2 else []), *([own[0, 1]] if len(patient) == 3 else [])]
    case, unit = label(name, model), ("residual variances", residual)
    theirs = [row["vcov"] for row in patient]
    REML.close(case, "variances of patients", theirs, found, relative=1e-5, absolute=1e-6, unit=unit)
    REML.close(case, "residual variance", residual, result.residual_variance[0], relative=1e-6)
    group = [row["vcov"] for row in rows if row["group"] in ("site", "grp")]
    if group:
        REML.close(case, "variance of groups", group, result.group_variance, relative=1e-5, absolute=1e-6, unit=unit)
    else:
        assert np.isnan(result.group_variance).all()
    REML.same(case, "variance at 0", every[model]["singular"], result.singular[0])


@pytest.mark.parametrize("name", NAMES)
def test_maximum_likelihood(name: str) -> None:
    result, every, _ = fit(name, "random_intercept_slope", restricted=False)
    expected = every["random_intercept_slope_ml"]
    se = np.array(list(expected["se"].values()))
    case, theirs = label(name, "random_intercept_slope"), list(expected["fixef"].values())
    ML.close(case, "estimate", theirs, result.estimate[0, :5], absolute=1e-6, unit=("SE", se))
    ML.close(case, "SE", se, result.se[0, :5], relative=1e-5)
    ML.close(case, "−2 log-likelihood", expected["neg2_loglik"], result.neg2_loglik[0], absolute=1e-6)


def test_every_reference_case_is_read() -> None:
    assert len(CASES) >= 16
    assert {model for _, model in CASES} == set(MODELS)
