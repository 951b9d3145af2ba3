"""Closed forms of power and size against published values: textbooks, papers, and other programs' documentation.

The values stand in tests/oracle/data/external_cases.json with their sources. A tolerance is that of the source's
printed digits, or of its simulation where it simulated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from trialsim.planning import formulas
from trialsim.planning.formulas import factorial, longitudinal, recruitment, slopes, survival
from trialsim.planning.formulas.answer import Answer

FILE = Path(__file__).parents[1] / "oracle" / "data" / "external_cases.json"
CONTENT = json.loads(FILE.read_text(encoding="utf-8"))
CASES = CONTENT["cases"]
COVARIANCE = ("intercept_variance", "slope_variance", "intercept_slope_covariance", "residual_variance")


def slope_trial(given: dict[str, Any]) -> Answer:
    """Slopes with an exchangeable covariance (variance, correlation) or random intercepts and slopes."""
    given = dict(given)
    if "exchangeable" in given:
        variance, correlation = given.pop("exchangeable")
        size = len(given["times"])
        matrix = variance * (correlation + (1.0 - correlation) * np.eye(size))
    else:
        parts = {name: given.pop(name) for name in COVARIANCE if name in given}
        matrix = slopes.random_slope_covariance(given["times"], **parts)
    return slopes.slope_difference(visit_covariance=matrix, **given)


def antidepressant(given: dict[str, Any]) -> Answer:
    """A mixed model with a covariance given as variances and correlations above the diagonal, row by row."""
    given = dict(given)
    variances = given.pop("variances")
    correlation = np.eye(len(variances))
    correlation[np.triu_indices(len(variances), 1)] = given.pop("correlations")
    phi = longitudinal.variance_inflation(np.maximum(correlation, correlation.T), given.pop("staying"))
    return longitudinal.mmrm(sd=math.sqrt(variances[-1]), inflation=phi, reference="z", **given)


def lu_t(given: dict[str, Any]) -> Answer:
    """Lu, Luo & Chen's t formula is their z formula with t quantiles, at the degrees of freedom of the z size.

    Ours is noncentral t. Both are returned in one: the size is theirs, after ours was seen to lie within 0.15 of it.
    """
    by_z = longitudinal.mmrm(**given)
    by_t = longitudinal.mmrm(**{**given, "reference": "t"})
    df = by_z.n_total - 2.0
    share = (stdtrit(df, 0.975) + stdtrit(df, given["power"])) / (ndtri(0.975) + ndtri(given["power"]))
    total = by_z.n_total * share**2
    assert by_t.n_total == pytest.approx(total, abs=0.15)
    return Answer("size", total, by_t.power, by_t.effect, (total,), (math.ceil(total),), 0.05, 2, by_t.method)


def rosner(given: dict[str, Any]) -> float:
    """Participants of each arm: the events over the mean probability of one."""
    p_control, p_active = given["p_control"], given["p_active"]
    test = {key: value for key, value in given.items() if not key.startswith("p_")}
    return survival.logrank_events(**test).n_total / (p_control + p_active)


def one_way(given: dict[str, Any]) -> Answer:
    given = dict(given)
    means = given.pop("means")
    return factorial.one_way(f=factorial.cohens_f(means, given.pop("sd")), groups=len(means), **given)


def recruits(given: dict[str, Any]) -> Any:
    """The model itself, or what one of its methods says."""
    given = dict(given)
    asked = {name: given.pop(name) for name in ("at_least", "quantile") if name in given}
    model = recruitment.Recruitment(**given)
    return getattr(model, next(iter(asked)))(*asked.values()) if asked else model


EXPLAINED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "slopes": slope_trial,
    "antidepressant": antidepressant,
    "lu_t": lu_t,
    "rosner": rosner,
    "one_way": one_way,
    "recruitment.Recruitment": recruits,
}


def asked(case: dict[str, Any]) -> Any:
    """Return what the case's function answers, and of it what the case reads."""
    if case["asks"] in EXPLAINED:
        answer = EXPLAINED[case["asks"]](case["inputs"])
    else:
        answer = attrgetter(case["asks"])(formulas)(**case["inputs"])
    reads = case["reads"]
    if isinstance(answer, float | int):
        return answer
    if reads.startswith("details."):
        return answer.details[reads.removeprefix("details.")]
    if reads == "cluster_size":
        return math.ceil(answer.details["cluster_size"])
    name, _, first = reads.partition("[")
    value = getattr(answer, name)
    return value[0] if first else value


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{number}" for number, case in enumerate(CASES)])
def test_published(case: dict[str, Any]) -> None:
    ours, expected = asked(case), case["expected"]
    assert np.shape(ours) == np.shape(expected)
    assert np.all(np.abs(np.subtract(ours, expected)) <= case["tolerance"]), f"{case['id']}: {ours}, not {expected}"


def test_every_row_is_there_or_left_out_for_a_reason() -> None:
    sections = {case["id"][0] for case in CASES}
    assert sections == set("ABFGHIK")
    assert len({case["id"] for case in CASES}) == 52
    assert all(row["reason"] for row in CONTENT["left_out"])
    assert not {row["id"] for row in CONTENT["left_out"]} & {case["id"] for case in CASES}
