"""Multiplicity against R: p.adjust, graphicalMCP, multcomp, and quadrature by other hands.

Tolerances: 1e-12 for p.adjust; 1e-10 for graphs, whose adjusted values R rounds to ten digits; 3e-4 for the parametric
test, a Monte Carlo value with an error of 1e-4; 1e-9 for Dunnett's tables; 1e-5 for multcomp on data. Multcomp's own
critical values are random in the third digit, so of those only the coverage is compared.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from oracle.comparison import Reference, release
from trialsim.kernels.multiplicity import (
    Graph,
    bonferroni,
    closed_test,
    dunnett,
    dunnett_critical_value,
    dunnett_loadings,
    factor_loadings,
    graph_test,
    hochberg,
    holm,
    hommel,
    intersection_weights,
    power_summary,
    probability_within,
    reduced_graph,
)

FOLDER = Path(__file__).parent / "data" / "multiplicity"
P_ADJUST = Reference("Adjusted p-values", release(FOLDER / "p_adjust.json", base="p.adjust"))
GRAPHS, CLOSED, PARAMETRIC, WEIGHTS, POWER = (
    Reference(kind, release(FOLDER / "graphs.json", "graphicalMCP"))
    for kind in (
        "Graphs",
        "Closed tests of graphs",
        "Parametric tests of graphs (theirs simulated)",
        "Weights of intersections",
        "Power of graphs (both simulated)",
    )
)
DUNNETT = Reference("Dunnett's test", release(FOLDER / "dunnett.json", base="nested quadrature"))
DUNNETT_DATA = Reference("Dunnett's test on data", release(FOLDER / "dunnett_data1.json", "multcomp"))
PROCEDURES = {"bonferroni": bonferroni, "holm": holm, "hochberg": hochberg, "hommel": hommel}


def cases(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_adjusted_p_values(procedure: str) -> None:
    for name, case in cases("p_adjust").items():
        p = np.atleast_2d(np.array(case["p"], float))
        ours = PROCEDURES[procedure](p).adjusted[0]
        theirs = np.ravel(case["adjusted"][procedure])
        P_ADJUST.close(f"{procedure}: {name}", "adjusted p", theirs, ours, relative=1e-12, absolute=1e-15)


@pytest.mark.parametrize("name", cases("graphs"))
def test_graphs(name: str) -> None:
    case = cases("graphs")[name]
    graph, alpha = Graph.of(case["weights"], case["transitions"]), case["alpha"]
    p = np.array([case["p"]])
    expected = case["shortcut_bonferroni"]
    decision = graph_test(p, graph, alpha=alpha)
    label = name.replace("_", ": ", 1)
    GRAPHS.close(label, "adjusted p", expected["adjusted_p"], decision.adjusted[0], absolute=1e-10)
    GRAPHS.same(label, "rejected", expected["rejected"], decision.rejected[0])
    weights, transitions = reduced_graph(graph, decision.rejected)
    GRAPHS.close(label, "final weights", expected["final_weights"], weights[0], absolute=1e-10)
    GRAPHS.close(label, "final transitions", expected["final_transitions"], transitions[0], absolute=1e-10)
    for test in ("bonferroni", "simes"):
        closed = closed_test(p, graph, test=test, alpha=alpha)
        expected = case[f"closure_{test}"]
        CLOSED.close(f"{label}, {test}", "adjusted p", expected["adjusted_p"], closed.adjusted[0], absolute=1e-10)
        CLOSED.same(f"{label}, {test}", "rejected", expected["rejected"], closed.rejected[0])
    if "closure_parametric" in case:
        expected = case["closure_parametric"]
        loadings = factor_loadings(np.array(expected["correlation"]))
        closed = closed_test(p, graph, test="parametric", alpha=alpha, loadings=loadings)
        PARAMETRIC.close(label, "adjusted p", expected["adjusted_p"], closed.adjusted[0], absolute=3e-4)
        PARAMETRIC.same(label, "rejected", expected["rejected"], closed.rejected[0])


@pytest.mark.parametrize("name", cases("intersection_weights"))
def test_intersection_weights(name: str) -> None:
    case = cases("intersection_weights")[name]
    count = len(case["weights"])
    weights = intersection_weights(Graph.of(case["weights"], case["transitions"]))
    assert len(case["table"]) == len(weights) - 1
    for row in case["table"]:
        member = np.array(row[:count], dtype=int)
        WEIGHTS.close(name, "weights", row[count:], weights[member @ (1 << np.arange(count))], absolute=1e-10)


@pytest.mark.parametrize("name", cases("dunnett"))
def test_dunnett(name: str) -> None:
    case = cases("dunnett")[name]
    allocation = np.array(case["allocation_control_first"], float)
    loadings = dunnett_loadings(allocation[0], allocation[1:])
    correlation = np.outer(loadings, loadings)
    np.fill_diagonal(correlation, 1.0)
    label = ": ".join(name.rsplit("_df", 1)).replace(": ", ": df ")
    DUNNETT.close(label, "correlation", case["correlation"], correlation, relative=1e-12)
    df = float(str(case["df"]).replace("Inf", "inf"))
    value = dunnett_critical_value(loadings, df=df, alpha=case["alpha"], two_sided=case["two_sided"])
    DUNNETT.close(label, "critical value", case["critical_value"], value, absolute=1e-9)
    t = np.repeat(np.array(case["t"])[:, None], len(loadings), axis=1)
    decision = dunnett(t, loadings, df=df, two_sided=case["two_sided"])
    for column in decision.adjusted.T:
        DUNNETT.close(label, "adjusted p", case["adjusted_p"], column, absolute=1e-9)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("dunnett_data*.json")), ids=lambda path: path.stem)
def test_dunnett_on_data(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    with open(path.with_suffix(".csv"), encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    arm = np.array([int(row["arm"]) for row in rows])
    x = np.array([float(row["x"]) for row in rows])
    n = np.bincount(arm)
    means = np.bincount(arm, x) / n
    within = ((x - means[arm]) ** 2).sum()
    loadings = dunnett_loadings(n[0], n[1:], ((means[1:] - means[0]) / np.sqrt(within))[:, None])
    t = np.array([case["t"]])
    single = dunnett(t, loadings, df=case["df"])
    DUNNETT_DATA.close(path.stem, "single-step p", case["single_step_p"], single.adjusted[0], absolute=1e-5)
    down = dunnett(t, loadings, df=case["df"], method="step-down")
    DUNNETT_DATA.close(path.stem, "step-down p", case["step_down_p"], down.adjusted[0], absolute=1e-5)
    bound = np.full((1, t.shape[1]), case["critical_value"])
    coverage = probability_within(-bound, bound, loadings, df=case["df"])[0]
    DUNNETT_DATA.close(path.stem, "coverage at their critical value", 0.95, coverage, absolute=5e-4)


@pytest.mark.parametrize("name", cases("graph_power_montecarlo"))
def test_power_of_graphs(name: str) -> None:
    """Both sides are simulations: within 4.9 of the standard errors of their difference."""
    case = cases("graph_power_montecarlo")[name]
    graph, alpha = Graph.of(case["weights"], case["transitions"]), case["alpha"]
    shift = ndtri(1.0 - alpha) + ndtri(np.array(case["marginal_power_at_alpha"]))
    rng = np.random.default_rng(20230419)
    count, n = len(shift), 100_000
    z = shift + np.sqrt(0.5) * rng.normal(size=(n, 1)) + np.sqrt(0.5) * rng.normal(size=(n, count))
    p = ndtr(-z)
    decision = closed_test(p, graph, test="simes", alpha=alpha) if case["test"] == "simes" else None
    decision = graph_test(p, graph, alpha=alpha) if decision is None else decision
    power = power_summary(decision.rejected)
    expected = [*case["power_local"], case["power_at_least_1"], case["power_all"]]
    for ours, theirs in zip([*power.per_hypothesis, power.disjunctive, power.conjunctive], expected, strict=True):
        error = np.sqrt(theirs * (1.0 - theirs) * (1.0 / n + 1.0 / case["simulations"]))
        POWER.close(name, "power", theirs, ours.value, absolute=4.9, unit=("standard errors", error))
    spread = power.expected_rejections.mcse * np.sqrt(1.0 + n / case["simulations"])
    expected, ours = case["expected_rejections"], power.expected_rejections.value
    POWER.close(name, "rejections", expected, ours, absolute=4.9, unit=("standard errors", spread))


def test_holm_by_hand() -> None:
    decision = holm(np.array([[0.01, 0.02, 0.04, 0.04, 0.70]]))
    np.testing.assert_allclose(decision.adjusted[0], [0.05, 0.08, 0.12, 0.12, 0.70], rtol=1e-12)
    np.testing.assert_array_equal(decision.rejected[0], [True, False, False, False, False])


def test_a_p_value_on_the_boundary() -> None:
    transitions = [
        [0, 0.5, 0.25, 0, 0.25, 0],
        [0.5, 0, 0, 0.25, 0, 0.25],
        [0, 0, 0, 0, 1, 0],
        [0.0001, 0, 0, 0, 0, 0.9999],
        [0, 0.0001, 0.9999, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
    ]
    graph = Graph.of([0.5, 0.5, 0, 0, 0, 0], transitions)
    p = np.array([[0.001, 0.01875, 0.013, 0.0002, 0.03, 0.04]])
    for decision in (graph_test(p, graph, alpha=0.025), closed_test(p, graph, alpha=0.025)):
        np.testing.assert_array_equal(decision.rejected[0], [True, True, False, True, False, False])
        assert decision.adjusted[0, 1] == pytest.approx(0.025, rel=1e-12)


@pytest.mark.parametrize(("correlation", "expected"), [(0.0, 0.9172), (0.3, 0.8804), (0.5, 0.8525), (0.8, 0.7994)])
def test_two_endpoints_of_which_one_must_succeed(correlation: float, expected: float) -> None:
    shift = ndtri(0.975) + ndtri(0.8)
    bound = np.full((1, 2), ndtri(1.0 - 0.025 / 2.0) - shift)
    loadings = np.full(2, np.sqrt(correlation))
    # Success in the wrong direction, .0000004, is left out.
    exact = 1.0 - probability_within(np.full((1, 2), -np.inf), bound, loadings)[0]
    assert exact == pytest.approx(expected, abs=1e-3)
    rng = np.random.default_rng(20230419)
    n = 200_000
    z = shift + np.sqrt(correlation) * rng.normal(size=(n, 1)) + np.sqrt(1.0 - correlation) * rng.normal(size=(n, 2))
    power = power_summary(bonferroni(2.0 * ndtr(-np.abs(z)), alpha=0.05).rejected)
    assert abs(power.disjunctive.value - exact) < 4.9 * power.disjunctive.mcse
