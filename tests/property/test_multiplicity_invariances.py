"""What holds of every multiplicity procedure, whatever the p-values."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.multiplicity import (
    Graph,
    bonferroni,
    closed_test,
    dunnett,
    dunnett_loadings,
    fallback_graph,
    fixed_sequence,
    graph_test,
    hochberg,
    holm,
    holm_graph,
    hommel,
    successive_graph,
)

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(2, 5)
SAME = {"rtol": 1e-10, "atol": 1e-12}
BY_NAME = {"bonferroni": bonferroni, "holm": holm, "hochberg": hochberg, "hommel": hommel}


def p_values(seed, count, n_replicates=20):
    rng = np.random.default_rng(seed)
    p = rng.random((n_replicates, count)) ** rng.choice([1, 3, 6])
    return np.round(p, 2) if rng.random() < 0.3 else p


@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, count=COUNTS)
def test_order_of_hypotheses_and_of_replicates(name, seed, count):
    p = p_values(seed, count)
    adjusted = BY_NAME[name](p).adjusted
    order = np.random.default_rng(seed).permutation(count)
    np.testing.assert_allclose(BY_NAME[name](p[:, order]).adjusted, adjusted[:, order], **SAME)
    for r in range(3):
        np.testing.assert_allclose(BY_NAME[name](p[[r]]).adjusted, adjusted[[r]], **SAME)
    assert np.all(adjusted >= p)


@settings(max_examples=25, deadline=None)
@given(SEEDS, COUNTS)
def test_from_least_to_most_powerful(seed, count):
    p = p_values(seed, count)
    chain = [procedure(p).adjusted for procedure in (bonferroni, holm, hochberg, hommel)]
    for weaker, stronger in pairwise(chain):
        assert np.all(stronger <= weaker * (1.0 + 1e-12))


@settings(max_examples=25, deadline=None)
@given(SEEDS, COUNTS)
def test_graphs_that_have_names(seed, count):
    p = p_values(seed, count)
    equal = holm_graph([1.0 / count] * count)
    np.testing.assert_allclose(graph_test(p, equal).adjusted, holm(p).adjusted, **SAME)
    np.testing.assert_allclose(closed_test(p, equal, test="simes").adjusted, hommel(p).adjusted, **SAME)
    first = fallback_graph([1.0] + [0.0] * (count - 1))
    np.testing.assert_allclose(graph_test(p, first).adjusted, fixed_sequence(p).adjusted, **SAME)
    none = Graph.of([1.0 / count] * count, np.zeros((count, count)))
    np.testing.assert_allclose(graph_test(p, none).adjusted, bonferroni(p).adjusted, **SAME)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.001, 0.2))
def test_a_graph_is_its_closed_test_and_batches_of_one(seed, alpha):
    p = p_values(seed, 6)
    graph = successive_graph(3, share=0.4)
    decision, closed = graph_test(p, graph, alpha=alpha), closed_test(p, graph, alpha=alpha)
    np.testing.assert_allclose(decision.adjusted, closed.adjusted, **SAME)
    np.testing.assert_array_equal(decision.rejected, closed.rejected)
    for r in range(5):
        np.testing.assert_array_equal(graph_test(p[[r]], graph, alpha=alpha).adjusted, decision.adjusted[[r]])
    smaller = p * np.random.default_rng(seed).random(p.shape)
    assert np.all(graph_test(smaller, graph, alpha=alpha).adjusted <= decision.adjusted * (1.0 + 1e-12))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(2, 4), st.booleans())
def test_dunnett(seed, count, two_sided):
    rng = np.random.default_rng(seed)
    t = rng.normal(1.0, 1.5, (4, count))
    loadings = dunnett_loadings(rng.uniform(5, 60), rng.uniform(5, 60, count))
    df = np.array([5.0, 5.0, 30.0, np.inf])
    single = dunnett(t, loadings, df=df, two_sided=two_sided)
    down = dunnett(t, loadings, df=df, two_sided=two_sided, method="step-down")
    assert np.all(down.adjusted <= single.adjusted + 1e-10)
    size = np.abs(t) if two_sided else t
    largest = size.argmax(axis=1)
    rows = np.arange(4)
    np.testing.assert_allclose(down.adjusted[rows, largest], single.adjusted[rows, largest], atol=1e-10)
    order = rng.permutation(count)
    moved = dunnett(t[:, order], loadings[order], df=df, two_sided=two_sided)
    np.testing.assert_allclose(moved.adjusted, single.adjusted[:, order], atol=1e-10)
    for r in range(4):
        alone = dunnett(t[[r]], loadings, df=df[r], two_sided=two_sided)
        np.testing.assert_allclose(alone.adjusted, single.adjusted[[r]], atol=1e-10)
