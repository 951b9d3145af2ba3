"""Slow, plain versions of the multiplicity kernels: one trial at a time, straight from the definitions."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import dblquad

from trialsim.kernels.multiplicity import (
    Graph,
    closed_test,
    dunnett,
    dunnett_loadings,
    graph_test,
    hochberg,
    holm,
    hommel,
    parallel_gatekeeping_graph,
    serial_gatekeeping_graph,
    successive_graph,
)


def remove(weights, transitions, j):
    w, g = weights.copy(), np.zeros_like(transitions)
    for k in range(len(w)):
        w[k] += weights[j] * transitions[j, k]
        for m in range(len(w)):
            loop = transitions[k, j] * transitions[j, k]
            if j not in (k, m) and k != m and loop < 1.0:
                g[k, m] = (transitions[k, m] + transitions[k, j] * transitions[j, m]) / (1.0 - loop)
    w[j] = 0.0
    return w, g


def one_graph_test(p, weights, transitions, alpha):
    w, g, left = np.array(weights), np.array(transitions), set(range(len(p)))
    while True:
        found = [j for j in left if p[j] <= alpha * w[j]]
        if not found:
            return np.array([j not in left for j in range(len(p))])
        w, g = remove(w, g, found[0])
        left.remove(found[0])


def one_closed_adjusted(p, local):
    """Return the largest p-value over all sets that hold each hypothesis."""
    count, adjusted = len(p), np.zeros(len(p))
    for size in range(1, count + 1):
        for members in combinations(range(count), size):
            value = min(local(members), 1.0)
            adjusted[list(members)] = np.maximum(adjusted[list(members)], value)
    return adjusted


def random_graph(rng, count):
    weights = rng.dirichlet(np.ones(count)) * rng.uniform(0.6, 1.0)
    weights[rng.random(count) < 0.3] = 0.0
    transitions = np.zeros((count, count))
    for i in range(count):
        others = [j for j in range(count) if j != i]
        transitions[i, others] = rng.dirichlet(np.ones(count - 1)) * rng.choice([1.0, 0.7])
    return Graph.of(weights, transitions)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("seed", range(6))
def test_graphs_equal_the_step_by_step_algorithm(seed, count):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, count)
    p = rng.random((60, count)) ** 4
    decision = graph_test(p, graph, alpha=0.05)
    for r in range(len(p)):
        np.testing.assert_array_equal(
            decision.rejected[r], one_graph_test(p[r], graph.weights, graph.transitions, 0.05)
        )
    closed = closed_test(p, graph, alpha=0.05)
    np.testing.assert_allclose(decision.adjusted, closed.adjusted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "graph", [serial_gatekeeping_graph(2, 3), parallel_gatekeeping_graph(2, 3, back=0.001), successive_graph(3)]
)
def test_ready_made_graphs(graph):
    rng = np.random.default_rng(3)
    p = rng.random((80, len(graph.weights))) ** 5
    decision = graph_test(p, graph, alpha=0.05)
    for r in range(len(p)):
        np.testing.assert_array_equal(
            decision.rejected[r], one_graph_test(p[r], graph.weights, graph.transitions, 0.05)
        )


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_step_up_and_step_down_procedures(count):
    rng = np.random.default_rng(count)
    p = np.round(rng.random((40, count)) ** 2, 2)
    by_holm, by_hommel, by_hochberg = holm(p), hommel(p), hochberg(p)
    for r in range(len(p)):

        def bonferroni_of(members, r=r):
            return len(members) * min(p[r, list(members)])

        def simes_of(members, r=r):
            ordered = sorted(p[r, list(members)])
            return min(len(members) * value / (i + 1) for i, value in enumerate(ordered))

        np.testing.assert_allclose(by_holm.adjusted[r], one_closed_adjusted(p[r], bonferroni_of), rtol=1e-12)
        np.testing.assert_allclose(by_hommel.adjusted[r], one_closed_adjusted(p[r], simes_of), rtol=1e-12)
        order = np.argsort(p[r])
        stepped = [min((count - i) * p[r, order[i]] for i in range(k, count)) for k in range(count)]
        np.testing.assert_allclose(by_hochberg.adjusted[r, order], np.minimum(stepped, 1.0), rtol=1e-12)


@pytest.mark.parametrize("df", [8, 40])
def test_dunnett_equals_adaptive_quadrature(df):
    loadings = dunnett_loadings(20.0, np.array([10.0, 25.0]))
    own = np.sqrt(1.0 - loadings**2)
    t = np.array([[2.4, 1.1]])
    decision = dunnett(t, loadings, df=df)

    def density(x):
        """Of a chi-squared variable."""
        return math.exp((df / 2.0 - 1.0) * math.log(x) - x / 2.0 - df / 2.0 * math.log(2.0) - math.lgamma(df / 2.0))

    def below(x):
        return 0.5 * math.erfc(-x / math.sqrt(2.0))

    def inside(z, s, c):
        boxes = (below((c * s - a * z) / b) - below((-c * s - a * z) / b) for a, b in zip(loadings, own, strict=True))
        return math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi) * math.prod(boxes) * 2.0 * df * s * density(df * s * s)

    for h in range(2):
        value, _ = dblquad(inside, 1e-12, 4.0, -8.0, 8.0, args=(t[0, h],), epsabs=1e-9)
        assert decision.adjusted[0, h] == pytest.approx(1.0 - value, abs=1e-7)
