"""Hypotheses tested together: adjusted p-values of every replicate, and what they come to over a run."""

import numpy as np
import pandas as pd
import pytest

from trials import CONTINUOUS, resolve, simulated, write
from trialsim.engine.block import compute_block
from trialsim.kernels import multiplicity as kernel

MEANS = {"control": [18.0, 16.0, 15.0], "low": [18.0, 16.0, 15.0], "high": [18.0, 15.0, 12.0]}
THREE_ARMS = {
    "arms": {"control": {}, "low": {}, "high": {}},
    "allocation.block_sizes": [6],
    "course.means.score": MEANS,
    "estimands": {
        "primary": {"outcome": "score", "visit": 14, "contrast": ["high", "control"]},
        "low": {"outcome": "score", "visit": 14, "contrast": ["low", "control"]},
        "early": {"outcome": "score", "visit": 7, "contrast": ["high", "control"]},
    },
    "analysis": {name: {"method": "ancova"} for name in ("primary", "low", "early")},
    "sample_size": [90],
}
GRAPH = {
    "method": "graph",
    "weights": [0.5, 0.5, 0.0],
    "transitions": [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
}


def p_values(plan):
    """Return p and adjusted p, shape (R, H), of one block under a procedure."""
    resolved = resolve(CONTINUOUS, {**THREE_ARMS, "multiplicity": plan})
    cells = compute_block(resolved.variants[0], resolved.hash, resolved.seed, 0)
    return np.stack([cell.estimates.p for cell in cells], 1), np.stack([cell.p_adjusted for cell in cells], 1), cells


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"method": "bonferroni"}, lambda p: np.minimum(3 * p, 1)),
        ({"method": "bonferroni", "weights": [0.5, 0.25, 0.25]}, lambda p: np.minimum(p * [2, 4, 4], 1)),
        ({"method": "holm"}, lambda p: kernel.holm(p).adjusted),
        ({"method": "hochberg"}, lambda p: kernel.hochberg(p).adjusted),
        ({"method": "hommel"}, lambda p: kernel.hommel(p).adjusted),
        ({"method": "fixed_sequence"}, lambda p: np.maximum.accumulate(p, axis=1)),
        ({"method": "co_primary"}, lambda p: np.broadcast_to(p.max(axis=1, keepdims=True), p.shape)),
        ({"method": "fallback"}, lambda p: kernel.fallback(p, [1 / 3] * 3).adjusted),
        (GRAPH, lambda p: kernel.graph_test(p, kernel.Graph.of(GRAPH["weights"], GRAPH["transitions"])).adjusted),
    ],
    ids=lambda value: value["method"] if isinstance(value, dict) else "",
)
def test_each_procedure_is_that_of_its_kernel(plan, expected):
    p, adjusted, _ = p_values(plan)
    np.testing.assert_allclose(adjusted, expected(p), rtol=1e-12)


def test_hypotheses_are_taken_in_the_order_of_the_procedure_and_others_left_alone():
    p, adjusted, _ = p_values({"method": "fixed_sequence", "hypotheses": ["early", "primary"]})
    np.testing.assert_allclose(adjusted[:, 2], p[:, 2])
    np.testing.assert_allclose(adjusted[:, 0], np.maximum(p[:, 0], p[:, 2]))
    assert np.isnan(adjusted[:, 1]).all()


def test_dunnett_takes_the_planned_allocation_and_the_degrees_of_freedom_of_the_fits():
    _, adjusted, cells = p_values({"method": "dunnett", "hypotheses": ["primary", "low"]})
    t = np.stack([cells[h].estimates.estimate / cells[h].estimates.se for h in (0, 1)], axis=1)
    loadings = kernel.dunnett_loadings(1.0, np.ones(2))
    expected = kernel.dunnett(t, loadings, df=np.floor(cells[0].estimates.df), method="step-down")
    np.testing.assert_allclose(adjusted[:, :2], expected.adjusted, rtol=1e-10)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    path = write(folder, CONTINUOUS, {**THREE_ARMS, "multiplicity": GRAPH})
    return simulated(path, folder / "out")


def test_power_and_family_wise_error_are_shares_of_replicates(run):
    estimates = run.estimates()
    wide = estimates.pivot_table(
        index="replicate", columns="estimand", values=["estimate", "p_adjusted"], observed=True
    )
    rejected = wide["p_adjusted"] <= 0.05
    benefit = wide["estimate"] < 0
    found = (rejected & benefit)[["primary", "early"]]
    family = pd.read_csv(run.folder / "families.csv").iloc[0]
    assert (family["procedure"], family["hypotheses"], family["true_effects"]) == ("graph", "primary, low, early", 2)
    assert family["disjunctive_power"] == pytest.approx(found.any(axis=1).mean())
    assert family["conjunctive_power"] == pytest.approx(found.all(axis=1).mean())
    assert family["expected_rejections"] == pytest.approx(found.sum(axis=1).mean())
    assert family["family_wise_error"] == pytest.approx(rejected["low"].mean())
    assert 0 < family["conjunctive_power"] < family["disjunctive_power"] < 1
    adjusted = run.summary.set_index("estimand")["adjusted_power"]
    assert adjusted["primary"] == pytest.approx((rejected & benefit)["primary"].mean())


def test_adjusted_power_is_less_than_power(run):
    summary = run.summary.set_index("estimand")
    assert (summary["adjusted_power"] <= summary["power"]).all()
    assert summary.loc["primary", "adjusted_power"] < summary.loc["primary", "power"]


def test_without_a_procedure_there_is_no_family(tmp_path):
    made = simulated(write(tmp_path, CONTINUOUS, {"analysis.primary": {"method": "ancova"}}), tmp_path / "out")
    assert not (made.folder / "families.csv").exists()
    assert made.summary["adjusted_power"].isna().all()


@pytest.mark.parametrize(("low", "told"), [(18.0, "family_wise_error"), (21.0, "conjunctive_power")])
def test_co_primary_hypotheses_are_claimed_on_the_side_of_benefit_or_not_at_all(tmp_path, low, told):
    """Of one that has nothing to find, and of one that is a harm: a rejection for the control is no success."""
    made = simulated(
        write(
            tmp_path,
            CONTINUOUS,
            {
                **THREE_ARMS,
                "course.means.score": {**MEANS, "control": [18.0, 18.0, 18.0], "low": [18.0, 18.0, low]},
                "multiplicity": {"method": "co_primary", "hypotheses": ["primary", "low"]},
                "simulation.replicates": 250,
            },
        ),
        tmp_path / "out",
    )
    rows = made.estimates()
    both = [rows[rows["estimand"] == name].reset_index(drop=True) for name in ("primary", "low")]
    rejected = np.all([part["p"] <= 0.05 for part in both], axis=0)
    success = rejected & np.all([part["estimate"] < 0 for part in both], axis=0)
    assert rejected.sum() > success.sum()  # some are rejected for the control
    family = made.families.iloc[0]
    assert family[told] == success.mean()
    adjusted = made.summary.set_index("estimand")["adjusted_power"]
    assert (adjusted["primary"], adjusted["low"]) == (success.mean(), success.mean())
    assert family["disjunctive_power"] == success.mean()
