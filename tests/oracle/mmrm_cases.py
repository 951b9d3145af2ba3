"""Reading the MMRM reference cases: data as arrays, models as crossed and constant covariates."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOLDER = Path(__file__).parent / "data" / "mmrm"
LONG_NAMES = {
    "us": "unstructured",
    "cs": "compound_symmetry",
    "csh": "heterogeneous_compound_symmetry",
    "ar1": "ar1",
    "ar1h": "heterogeneous_ar1",
    "toep": "toeplitz",
    "toeph": "heterogeneous_toeplitz",
    "ad": "ante_dependence",
    "adh": "heterogeneous_ante_dependence",
}


@dataclass(frozen=True)
class Expected:
    """One contrast of one fit."""

    label: str
    fit: str
    covariance: str
    reml: bool
    terms: tuple[tuple[str, bool], ...]  # covariate, crossed with visit?
    active: str
    control: str
    visit: int
    estimate: float
    se: float
    df: float
    neg2_loglik: float


@dataclass(frozen=True)
class Case:
    """One data set as arrays of a block of one trial."""

    y: Array  # (1, N, V)
    columns: dict[str, Array]  # covariates (N, columns)
    arms: list[str]


def read_data(path: Path, visits: list[str], factors: dict[str, list[str]]) -> Case:
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    # A covariate may be missing where y is: such rows are not in R's fit either.
    rows = [row for row in rows if row["y"] not in ("", "NA")]
    ids = list(dict.fromkeys(row["id"] for row in rows))
    y = np.full((1, len(ids), len(visits)), np.nan)
    first = {row["id"]: row for row in reversed(rows)}
    for row in rows:
        y[0, ids.index(row["id"]), visits.index(row["visit"])] = float(row["y"])
    columns = {"intercept": np.ones((len(ids), 1))}
    columns["baseline"] = np.array([[float(first[i]["baseline"])] for i in ids])
    for name, levels in factors.items():
        columns[name] = np.array([[float(first[i][name] == level) for level in levels[1:]] for i in ids])
    return Case(y, columns, factors["arm"])


def covariates(case: Case, terms: tuple[tuple[str, bool], ...]) -> tuple[Array, int]:
    """Return X (1, N, q), crossed covariates first, and how many are constant over visits."""
    ordered = sorted(terms, key=lambda term: not term[1])
    parts = [case.columns[name] for name, _ in ordered]
    constant = sum(case.columns[name].shape[1] for name, crossed in ordered if not crossed)
    return np.concatenate(parts, axis=1)[None], constant


def arm_weights(case: Case, terms: tuple[tuple[str, bool], ...], active: str, control: str) -> Array:
    names = [n for name, crossed in sorted(terms, key=lambda t: not t[1]) for n in [name] * case.columns[name].shape[1]]
    start = names.index("arm")
    weights = np.zeros(len(names))
    for arm, sign in ((active, 1.0), (control, -1.0)):
        if case.arms.index(arm):
            weights[start + case.arms.index(arm) - 1] += sign
    return weights


def parse_model(model: str) -> tuple[tuple[str, bool], ...] | None:
    """Return the covariates of an R right-hand side; None for the three-way interaction."""
    terms = [("intercept", True)]
    for term in model.split(" + "):
        factors = [factor for factor in term.split(" * ") if factor != "visit"]
        if len(factors) > 1:
            return None
        terms.append((factors[0], " * visit" in term))
    return tuple(terms)


def fit_name(case: str, covariance: str, model: str, *, reml: bool = True, per_arm: bool = False) -> str:
    """Return a case and the fit of it in words, such as "mm01: ar1, REML, arm × visit + bpd"."""
    words = [covariance.replace("_", " "), "one per arm" if per_arm else "", "REML" if reml else "ML"]
    return f"{case}: {', '.join(word for word in words if word)}, {model.replace(' * ', ' × ')}"


def second_set(name: str) -> tuple[Case, list[Expected]]:
    """Read a case with a list of fits."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    levels: dict[str, Any] = dict(content["factor_levels_first_is_reference"])
    visits = levels.pop("visit")
    path = FOLDER / f"{name}.csv" if name != "fev" else FEV_DATA
    case = read_data(path, visits, levels)
    expected = []
    for fit in content["fits"]:
        terms = parse_model(fit["model"])
        if terms is None or fit["covariance_per_arm"]:
            continue
        for row in fit["satterthwaite"]["contrasts"]:
            active, control = row["contrast"].split(" - ")
            label = (
                f"{name} {fit['covariance']} {'REML' if fit['reml'] else 'ML'} {fit['model']} {row['visit']} {active}"
            )
            expected.append(
                Expected(
                    label,
                    fit_name(name, LONG_NAMES[fit["covariance"]], fit["model"], reml=fit["reml"]),
                    LONG_NAMES[fit["covariance"]],
                    fit["reml"],
                    terms,
                    active,
                    control,
                    visits.index(row["visit"]),
                    row["estimate"],
                    row["se"],
                    row["df"],
                    fit["deviance"],
                )
            )
    return case, expected


def first_set(name: str) -> tuple[Case, list[Expected]]:
    """Read a case with one model: baseline and arm crossed with visit, bpd constant."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    coding = content["coding"]
    visits = [str(visit) for visit in coding["visit_levels"]]
    case = read_data(FOLDER / f"{name}.csv", visits, {"arm": coding["arm_levels"], "bpd": ["0", "1"]})
    terms = (("intercept", True), ("baseline", True), ("arm", True), ("bpd", False))
    fits = {("us", True): content["unstructured"]["satterthwaite"]}
    if "ml_satterthwaite" in content["unstructured"]:
        fits["us", False] = content["unstructured"]["ml_satterthwaite"]
    for short, methods in (content["other_covariances"] or {}).items():
        fits[short, True] = methods["satterthwaite"]
    expected = []
    for (short, reml), fit in fits.items():
        for contrast, row in fit["contrast_last_visit"].items():
            active, control = contrast.split("_minus_")
            label = f"{name} {short} {'REML' if reml else 'ML'} {active}"
            last = len(visits) - 1
            values = (row["est"], row["se"], row["df"], fit["neg2_loglik"])
            model = "baseline * visit + arm * visit + bpd"
            names = (label, fit_name(name, LONG_NAMES[short], model, reml=reml), LONG_NAMES[short])
            expected.append(Expected(*names, reml, terms, active, control, last, *values))
    return case, expected


FEV_DATA = Path(__file__).parents[3] / "shared" / "reference" / "fev_data.csv"
