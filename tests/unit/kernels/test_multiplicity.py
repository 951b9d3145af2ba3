"""Multiplicity kernels: boundaries, missing p-values, graphs that are none, power."""

import numpy as np
import pytest

from trialsim.kernels.multiplicity import (
    BOUNDARY,
    Graph,
    bonferroni,
    closed_test,
    co_primary,
    dunnett,
    dunnett_critical_value,
    dunnett_loadings,
    factor_loadings,
    fallback,
    fixed_sequence,
    fixed_sequence_graph,
    graph_test,
    hochberg,
    holm,
    holm_graph,
    hommel,
    is_rejected,
    parallel_gatekeeping_graph,
    power_summary,
    probability_within,
    serial_gatekeeping_graph,
    successive_graph,
)

PROCEDURES = {
    "bonferroni": bonferroni,
    "holm": holm,
    "hochberg": hochberg,
    "hommel": hommel,
    "fixed sequence": fixed_sequence,
    "co-primary": co_primary,
    "graph": lambda p, alpha=0.05: graph_test(p, holm_graph([1 / 3] * 3), alpha=alpha),
    "closed": lambda p, alpha=0.05: closed_test(p, holm_graph([1 / 3] * 3), test="simes", alpha=alpha),
}


@pytest.mark.parametrize("name", PROCEDURES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1.5])
def test_an_unusable_p_value_counts_as_1_and_is_hidden(name, bad):
    p = np.array([[0.001, 0.01, bad], [0.001, 0.01, 1.0]])
    decision = PROCEDURES[name](p)
    assert np.isnan(decision.adjusted[0, 2])
    assert not decision.rejected[0, 2]
    np.testing.assert_array_equal(decision.adjusted[0, :2], decision.adjusted[1, :2])
    np.testing.assert_array_equal(decision.rejected[0, :2], decision.rejected[1, :2])


@pytest.mark.parametrize("name", PROCEDURES)
def test_p_values_of_0_and_1(name):
    decision = PROCEDURES[name](np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    assert decision.rejected[0].all()
    assert not decision.rejected[1].any()
    np.testing.assert_array_equal(decision.adjusted, [[0.0] * 3, [1.0] * 3])


def test_what_is_alpha_on_paper_is_rejected():
    # Three times .1 is .30000000000000004 in binary.
    assert holm(np.array([[0.1, 0.9, 0.9]]), alpha=0.3).rejected[0, 0]
    assert is_rejected(np.array([0.05 * (1.0 + 0.5 * BOUNDARY)]), 0.05)[0]
    assert not is_rejected(np.array([0.05 * (1.0 + 5.0 * BOUNDARY)]), 0.05)[0]


def test_fixed_sequence_in_an_order_and_as_a_graph():
    p = np.array([[0.01, 0.2, 0.001], [0.01, 0.02, 0.03]])
    np.testing.assert_allclose(fixed_sequence(p).adjusted, [[0.01, 0.2, 0.2], [0.01, 0.02, 0.03]])
    np.testing.assert_allclose(graph_test(p, fixed_sequence_graph(3)).adjusted, fixed_sequence(p).adjusted)
    np.testing.assert_allclose(fixed_sequence(p, order=(2, 0, 1)).adjusted[0], [0.01, 0.2, 0.001])
    with pytest.raises(ValueError, match="each of the 3 hypotheses once"):
        fixed_sequence(p, order=(0, 0, 1))


def test_fallback_keeps_a_share_for_the_later_ones():
    decision = fallback(np.array([[0.5, 0.02]]), [0.5, 0.5])
    np.testing.assert_array_equal(decision.rejected[0], [False, True])
    assert decision.adjusted[0, 1] == pytest.approx(0.04)


def test_gatekeeping_opens_only_when_it_should():
    p = np.array([[0.04, 0.04, 0.001, 0.001], [0.02, 0.9, 0.001, 0.9]])
    serial = graph_test(p, serial_gatekeeping_graph(2, 2))
    np.testing.assert_array_equal(serial.rejected, [[True, True, True, True], [True, False, False, False]])
    parallel = graph_test(p, parallel_gatekeeping_graph(2, 2))
    np.testing.assert_array_equal(parallel.rejected, [[False] * 4, [True, False, True, False]])


def test_co_primary_is_all_or_none():
    decision = co_primary(np.array([[0.01, 0.06], [0.01, 0.04]]))
    np.testing.assert_array_equal(decision.rejected, [[False, False], [True, True]])
    np.testing.assert_allclose(decision.adjusted, [[0.06, 0.06], [0.04, 0.04]])


@pytest.mark.parametrize(
    ("weights", "transitions", "message"),
    [
        ([0.6, 0.6], [[0, 1], [1, 0]], "weights must be"),
        ([-0.1, 0.6], [[0, 1], [1, 0]], "weights must be"),
        ([0.5, 0.5], [[0, 1.1], [1, 0]], "transitions must be at least 0"),
        ([0.5, 0.5], [[0.1, 0.5], [1, 0]], "0 on the diagonal"),
        ([0.5, 0.5], [[0, 1, 0], [1, 0, 0]], "2 rows of 2"),
        ([1 / 15] * 15, np.zeros((15, 15)), "14 hypotheses at most"),
    ],
)
def test_what_is_no_graph(weights, transitions, message):
    with pytest.raises(ValueError, match=message):
        Graph.of(weights, transitions)


def test_p_values_that_do_not_fit_the_graph():
    with pytest.raises(ValueError, match="the graph has 4 hypotheses"):
        graph_test(np.ones((1, 3)), successive_graph(2))
    with pytest.raises(ValueError, match="the graph has 4 hypotheses"):
        closed_test(np.ones((1, 3)), successive_graph(2))
    with pytest.raises(ValueError, match="needs the loadings"):
        closed_test(np.ones((1, 4)), successive_graph(2), test="parametric")


def test_normal_probabilities_known_in_closed_form():
    loadings = np.full(2, np.sqrt(0.5))
    quadrant = probability_within(np.zeros((1, 2)), np.full((1, 2), np.inf), loadings)[0]
    assert quadrant == pytest.approx(0.25 + np.arcsin(0.5) / (2.0 * np.pi), abs=1e-11)
    steep = np.full(3, np.sqrt(0.98))
    octant = probability_within(np.zeros((1, 3)), np.full((1, 3), np.inf), steep)[0]
    assert octant == pytest.approx(0.125 + 3.0 * np.arcsin(0.98) / (4.0 * np.pi), abs=1e-10)


def test_factors_reproduce_a_correlation_matrix():
    correlation = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
    loadings = factor_loadings(correlation)
    product = loadings @ loadings.T
    np.fill_diagonal(product, 1.0)
    np.testing.assert_allclose(product, correlation, atol=1e-12)
    assert factor_loadings(np.eye(4)).shape == (4, 1)
    assert factor_loadings(np.full((5, 5), 0.5) + 0.5 * np.eye(5)).shape == (5, 1)
    with pytest.raises(ValueError, match="positive definite"):
        factor_loadings(np.ones((2, 2)))


def test_one_comparison_is_the_t_test():
    loadings = dunnett_loadings(10.0, np.array([10.0]))
    assert dunnett_critical_value(loadings, df=18.0) == pytest.approx(2.10092204024104, abs=1e-9)
    assert dunnett_critical_value(loadings, alpha=0.025, two_sided=False) == pytest.approx(1.95996398454005, abs=1e-9)


def test_dunnett_with_a_missing_statistic_and_bad_df():
    loadings = dunnett_loadings(20.0, np.array([20.0, 20.0]))
    for method in ("single-step", "step-down"):
        t = np.array([[3.0, np.nan], [3.0, 1.0], [3.0, 0.0]])
        decision = dunnett(t, loadings, df=np.array([30.0, np.nan, 30.0]), method=method)
        assert np.isnan(decision.adjusted[0, 1])
        assert np.isnan(decision.adjusted[1]).all()
        assert not decision.rejected[1].any()
        assert decision.adjusted[0, 0] == pytest.approx(decision.adjusted[2, 0], abs=1e-12)


def test_power():
    rejected = np.array([[True, True], [True, False], [False, False], [True, True]])
    power = power_summary(rejected)
    assert [measure.value for measure in power.per_hypothesis] == [0.75, 0.5]
    assert (power.disjunctive.value, power.conjunctive.value) == (0.75, 0.5)
    assert power.expected_rejections.value == 1.25
    assert power_summary(rejected, among=(1,)).disjunctive.value == 0.5
    some = power_summary(rejected, estimable=np.array([True, True, False, False]))
    assert some.disjunctive.value == 1.0
