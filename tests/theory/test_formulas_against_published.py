"""Closed forms of power and size against published values: textbooks, papers, and other programs' documentation.

The values stand in tests/oracle/data/external_cases.json with their sources. A tolerance is that of the source's
printed digits, or of its simulation where it simulated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from trialsim.kernels.survival import log_rank
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


def clustered_slopes(given: dict[str, Any]) -> Any:
    """What ignoring clusters of slopes does to a trial's standard error and level; both arms have clusters.

    Members share `icc` of the slopes' variance: of the variance of a participant's estimated slope that is less.
    """
    given = dict(given)
    times = np.asarray(given["times"], dtype=np.float64)
    staying = given.pop("staying_at_end") ** ((times / times[-1]) ** given.pop("rate"))
    icc, size = given.pop("icc"), given.pop("cluster_size")
    answer = slope_trial({**given, "staying": staying, "difference": 1.0, "n_total": 100})
    shared = icc * given["slope_variance"] / answer.details["slope_variance"]
    level = formulas.partial_nesting.level_if_groups_ignored(icc=shared, group_size=size, nested="both")
    inflation = math.sqrt(formulas.clustered.design_effect(shared, size))
    return replace(answer, details={"design_effect": inflation, "level": level})


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
    "clustered_slopes": clustered_slopes,
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


PUBLISHED = {
    "A": (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 16, 17, 19, 20, 23, 25, 26, 27, 28, 30, 31, 32),
    "B": (1, 3, 4, 5, 6, 7, 10, 11, 14, 15, 17, 18, 19),
    "F": (1, 2, 6, 7, 9, 10),
    "G": (1, 2, 3, 6, 7),
    "H": (1, 2),
    "I": (1, 3),
    "J": (1, 2, 4),
    "K": (1, 2, 3),
}
"""Every case, by section: fixed designs; longitudinal; clusters; survival; parallel comparison; assurance; performance
measures; randomisation and recruitment."""


def test_every_row_is_there_or_tested_elsewhere() -> None:
    here, elsewhere = {case["id"] for case in CASES}, {row["id"]: row["reason"] for row in CONTENT["left_out"]}
    assert here | set(elsewhere) == {f"{section}{number}" for section, row in PUBLISHED.items() for number in row}
    assert not here & set(elsewhere)
    assert all(elsewhere.values())


@pytest.mark.slow
def test_g2_simulated_log_rank_at_40_events() -> None:
    """200 enter over a year, 20 and 40 % have an event within one; 10,000 published trials find .722 at the 40th event.

    The bound is 4.9 standard errors of the difference, .022; Schoenfeld's formula, which is .745, is 5 of ours away.
    """
    generator = np.random.default_rng(2)
    trials, patients, events = 20_000, 200, 40
    arm = np.tile(np.arange(patients) % 2, (trials, 1))
    entry = np.cumsum(generator.exponential(12.0 / patients, (trials, patients)), axis=1)
    hazard = -np.log1p(-np.where(arm == 1, 0.2, 0.4)) / 12.0
    happens = entry + generator.exponential(size=(trials, patients)) / hazard
    look = np.sort(happens, axis=1)[:, events - 1 : events]
    followed = np.minimum(happens, look) - entry
    found = log_rank(np.maximum(followed, 0.0), happens <= look, arm, included=followed > 0.0)
    power = float(np.mean(found.z[:, 1] < ndtri(0.025)))
    error = math.sqrt(0.722 * 0.278 * (1 / trials + 1 / 10_000))
    assert power == pytest.approx(0.722, abs=4.9 * error)
    assert power < 0.74508 - 4.9 * math.sqrt(0.722 * 0.278 / trials)
