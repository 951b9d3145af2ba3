"""Degrees of freedom, adjusted standard errors and joint F tests of MMRM against R, also with a covariance per arm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from oracle.comparison import Reference, release
from oracle.mmrm_cases import FOLDER, LONG_NAMES, Case, arm_weights, covariates, fit_name, parse_model, read_data
from trialsim.kernels.mmrm.design import Design, design_map
from trialsim.kernels.mmrm.fit import fit_mmrm, starting_covariance
from trialsim.kernels.mmrm.inference import Inference, fit_at, parameters_of
from trialsim.kernels.mmrm.likelihood import Likelihood
from trialsim.kernels.mmrm.reml import RemlFit, maximise
from trialsim.kernels.mmrm.statistics import PatternStatistics, pattern_statistics
from trialsim.kernels.mmrm.structures import structure

Array = NDArray[np.float64]

METHODS = {
    "satterthwaite": "satterthwaite",
    "kenward_roger_linear": "kenward-roger",
    "kenward_roger": "kenward-roger-mmrm",
}
KINDS = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-mmrm": "Kenward-Roger with mmrm's second derivatives",
    "residual": "residual df",
    "between-within": "between-within df",
}
COUNTED = {"residual": "residual", "between_within": "between-within"}
WORDS = {"F_arm_at_any_visit": "arm at any visit", "F_arm_by_visit": "arm × visit"}
TERMS = (("intercept", True), ("baseline", True), ("arm", True), ("bpd", False))
FIRST = sorted(path.stem for path in FOLDER.glob("m[01]*.json"))
SECOND = sorted(path.stem for path in FOLDER.glob("mm*.json"))


@dataclass
class Fitted:
    """One model fitted to one case."""

    case: Case
    terms: tuple[tuple[str, bool], ...]
    statistics: PatternStatistics
    design: Design
    covariance: str
    group: NDArray[np.intp] | None
    fit: RemlFit

    def inference(self, method: str) -> Inference:
        shape = parameters_of(self.covariance, self.case.y.shape[2], method)
        likelihood = Likelihood(self.statistics.observed, shape, self.design, group=self.group)
        return Inference(likelihood, fit_at(likelihood, self.statistics, self.fit.covariance), self.statistics, method)

    def weights(self, by_visit: dict[int, float], active: str) -> Array:
        arm = arm_weights(self.case, self.terms, active, self.case.arms[0])
        full = np.zeros((self.case.y.shape[2], len(arm)))
        for visit, weight in by_visit.items():
            full[visit] = weight * arm
        return full.reshape(-1) @ self.design.flat


def fitted(case: Case, terms: tuple[tuple[str, bool], ...], covariance: str, *, per_arm: bool) -> Fitted:
    x, constant = covariates(case, terms)
    n_visits = case.y.shape[2]
    design = design_map(n_visits, x.shape[2] - constant, constant)
    group = None
    statistics = pattern_statistics(case.y, x)[0]
    start: Array = starting_covariance(statistics)
    if per_arm:
        statistics, group = by_arm(case, x)
        start = np.repeat(start[:, None], len(case.arms), axis=1)
    likelihood = Likelihood(statistics.observed, structure(covariance, n_visits), design, group=group)
    return Fitted(case, terms, statistics, design, covariance, group, maximise(likelihood, statistics, start))


def by_arm(case: Case, x: Array) -> tuple[PatternStatistics, NDArray[np.intp]]:
    arm = case.columns["arm"] @ np.arange(1, len(case.arms))
    parts = [pattern_statistics(case.y, x, included=(arm == a)[None])[0] for a in range(len(case.arms))]
    group = np.concatenate([np.full(len(part.observed), a) for a, part in enumerate(parts)])
    joined = PatternStatistics(
        np.concatenate([part.observed for part in parts]),
        *(np.concatenate(pieces, axis=1) for pieces in zip(*(part[1:] for part in parts), strict=True)),
    )
    return joined, group


def reference(method: str, *, what: str = "") -> Reference:
    return Reference(f"MMRM, {KINDS[method]}{what}", release(FOLDER / "mm01.json", "mmrm"))


def check_one(model: Fitted, method: str, row: dict[str, float], weights: Array, label: str) -> None:
    ours = model.inference(method).contrast(weights)
    r = reference(method, what="" if model.group is None else ", a covariance per arm")
    r.close(label, "estimate", row["estimate"], ours.estimate[0], relative=1e-5)
    r.close(label, "SE", row["se"], np.sqrt(ours.variance[0]), relative=1e-6)
    r.close(label, "df", row["df"], ours.df[0], relative=1e-5)


def check_f(model: Fitted, method: str, row: dict[str, float], rows: Array, label: str) -> None:
    ours = model.inference(method).f_test(rows)
    r = reference(method, what=", F tests")
    r.same(label, "numerator df", row["num_df"], ours.n_contrasts)
    r.close(label, "F", row["f"], ours.statistic[0], relative=1e-6)
    r.close(label, "denominator df", row["den_df"], ours.df[0], relative=1e-5)


def second_fits(name: str) -> Iterator[tuple[dict[str, Any], Fitted, list[str]]]:
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    levels = dict(content["factor_levels_first_is_reference"])
    visits = levels.pop("visit")
    case = read_data(FOLDER / f"{name}.csv", visits, levels)
    for fit in content["fits"]:
        terms = parse_model(fit["model"])
        if terms is not None and fit["reml"]:
            yield fit, fitted(case, terms, LONG_NAMES[fit["covariance"]], per_arm=fit["covariance_per_arm"]), visits


@pytest.mark.parametrize("name", SECOND)
def test_methods_of_the_second_set(name: str) -> None:
    checked = 0
    for fit, model, visits in second_fits(name):
        for key in METHODS.keys() & fit.keys():
            label = fit_name(name, model.covariance, fit["model"], per_arm=fit["covariance_per_arm"])
            for row in fit[key]["contrasts"]:
                active = row["contrast"].split(" - ")[0]
                weights = model.weights({visits.index(row["visit"]): 1.0}, active)
                check_one(model, METHODS[key], row, weights, label)
                checked += 1
            joint = fit[key]["joint_arm"]
            # R's coefficients: the arm at the first visit, then how it changes.
            rows = [model.weights({0: 1.0}, active) for active in model.case.arms[1:]]
            later = range(1, len(visits))
            rows += [model.weights({v: 1.0, 0: -1.0}, active) for active in model.case.arms[1:] for v in later]
            check_f(model, METHODS[key], {**joint, "f": joint["F"]}, np.array(rows), f"{label}; arm at any visit")
    assert checked


@pytest.mark.parametrize("name", FIRST)
def test_methods_of_the_first_set(name: str) -> None:
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    coding = content["coding"]
    visits = [str(visit) for visit in coding["visit_levels"]]
    case = read_data(FOLDER / f"{name}.csv", visits, {"arm": coding["arm_levels"], "bpd": ["0", "1"]})
    models = [("us", content["unstructured"], False)]
    models += [(short, methods, False) for short, methods in (content["other_covariances"] or {}).items()]
    if content.get("unstructured_by_arm"):
        models.append(("us", content["unstructured_by_arm"], True))
    for short, methods, per_arm in models:
        model = fitted(case, TERMS, LONG_NAMES[short], per_arm=per_arm)
        for key in METHODS.keys() & methods.keys():
            label = fit_name(name, LONG_NAMES[short], "baseline * visit + arm * visit + bpd", per_arm=per_arm)
            for contrast, row in methods[key]["contrast_last_visit"].items():
                weights = model.weights({len(visits) - 1: 1.0}, contrast.split("_minus_")[0])
                check_one(model, METHODS[key], {"estimate": row["est"], **row}, weights, label)
            for test, base in (("F_arm_at_any_visit", False), ("F_arm_by_visit", True)):
                if test in methods[key]:
                    row = methods[key][test]
                    first = 1 if base else 0
                    rows = [
                        model.weights({v: 1.0, **({0: -1.0} if base else {})}, active)
                        for v in range(first, len(visits))
                        for active in case.arms[1:]
                    ]
                    target = {"num_df": row["num_df"], "den_df": row["denom_df"], "f": row["f_stat"]}
                    check_f(model, METHODS[key], target, np.array(rows), f"{label}; {WORDS[test]}")


@pytest.mark.parametrize("name", SECOND)
def test_batch_call_gives_the_same_as_r(name: str) -> None:
    for fit, model, visits in second_fits(name):
        if fit["covariance_per_arm"]:
            continue
        x, constant = covariates(model.case, model.terms)
        statistics = pattern_statistics(model.case.y, x)[0]
        for key, df in (METHODS | COUNTED).items():
            if key not in fit:
                continue
            row = next(r for r in fit[key]["contrasts"] if r["visit"] == visits[-1])
            contrast = np.zeros((len(visits), x.shape[2]))
            contrast[-1] = arm_weights(model.case, model.terms, row["contrast"].split(" - ")[0], model.case.arms[0])
            ours = fit_mmrm(statistics, contrast, ladder=(model.covariance,), n_constant=constant, df=df)
            r, label = reference(df), fit_name(name, model.covariance, fit["model"])
            r.close(label, "SE", row["se"], ours.se[0], relative=1e-6)
            r.close(label, "df", row["df"], ours.df[0], relative=1e-5)
