"""Graphs of hypotheses: weights, and where a rejected hypothesis's weight goes.

The graph left after some rejections does not depend on their order (Bretz, Maurer, Brannath and Posch 2009), so the
weights of all 2^H sets of hypotheses are worked out once, and a decision is a walk through that table: the remaining
set is a number with one bit a hypothesis, H steps at most for any number of replicates at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.kernels.multiplicity.adjust import Array, Decision, Flags, check_weights, clean, decide
from trialsim.kernels.multiplicity.dunnett import probability_within

MOST_HYPOTHESES = 14
"""The table of sets grows as 2^H; beyond this it would no longer be small."""


class Graph(NamedTuple):
    """A weighted graph of hypotheses.

    Attributes
    ----------
    weights : tuple of float, length H
        Shares of alpha at the start, at most 1 in total.
    transitions : tuple of tuples of float, H by H
        Row i: the shares of hypothesis i's weight that go to the others when it is rejected; at most 1 in total, 0 on
        the diagonal.
    """

    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, weights: Sequence[float] | Array, transitions: Sequence[Sequence[float]] | Array) -> Graph:
        """Return a checked graph of any sequences or arrays."""
        w = check_weights(np.asarray(weights, dtype=np.float64), len(weights))
        g = np.asarray(transitions, dtype=np.float64)
        if g.shape != (len(w), len(w)):
            raise ValueError(f"transitions must be {len(w)} rows of {len(w)}; got shape {g.shape}")
        if not np.all(g >= 0.0) or np.any(g.sum(axis=1) > 1.0 + 1e-9) or np.any(np.diag(g) != 0.0):
            raise ValueError("transitions must be at least 0, add to at most 1 a row, and be 0 on the diagonal")
        if len(w) > MOST_HYPOTHESES:
            raise ValueError(f"a graph may have {MOST_HYPOTHESES} hypotheses at most; got {len(w)}")
        return cls(tuple(float(a) for a in w), tuple(tuple(float(a) for a in row) for row in g))


def holm_graph(weights: Sequence[float]) -> Graph:
    """Return (weighted) Holm: a rejected weight is spread over the others in proportion to theirs."""
    w = np.asarray(weights, dtype=np.float64)
    g = np.tile(w, (len(w), 1))
    np.fill_diagonal(g, 0.0)
    total = g.sum(axis=1, keepdims=True)
    return Graph.of(w, np.divide(g, total, out=np.zeros_like(g), where=total > 0.0))


def fixed_sequence_graph(count: int) -> Graph:
    """Return the fixed sequence 1, 2, .., H: everything on the first, passed on whole."""
    return fallback_graph([1.0] + [0.0] * (count - 1))


def fallback_graph(weights: Sequence[float]) -> Graph:
    """Return fallback (Wiens): each has a share of its own, and passes it to the next when rejected."""
    return Graph.of(weights, np.eye(len(weights), k=1))


def serial_gatekeeping_graph(primary: int, secondary: int) -> Graph:
    """Return serial gatekeeping of two families: primaries in sequence, then Holm over the secondaries."""
    if primary < 1 or secondary < 1:
        raise ValueError("both families must have a hypothesis")
    count = primary + secondary
    g = np.zeros((count, count))
    for i in range(primary - 1):
        g[i, i + 1] = 1.0
    g[primary - 1, primary:] = 1.0 / secondary
    g[primary:, primary:] = _spread(secondary)
    return Graph.of([1.0] + [0.0] * (count - 1), g)


def parallel_gatekeeping_graph(primary: int, secondary: int, *, back: float = 0.0) -> Graph:
    """Return parallel gatekeeping: any rejected primary opens its share of alpha to the secondaries.

    Parameters
    ----------
    primary, secondary : int
        Hypotheses in each family; Bonferroni shares in the first, Holm within the second.
    back : float
        Share of a rejected secondary's weight that returns to the primaries (the truncated, 'improved' form; a small
        number such as .0001 returns it only once all secondaries are rejected, next to nothing before).
    """
    if primary < 1 or secondary < 1 or not 0.0 <= back <= 1.0:
        raise ValueError("both families must have a hypothesis, and back must lie in [0, 1]")
    count = primary + secondary
    g = np.zeros((count, count))
    g[:primary, primary:] = 1.0 / secondary
    g[primary:, primary:] = (1.0 - back) * _spread(secondary)
    g[primary:, :primary] = back / primary
    return Graph.of([1.0 / primary] * primary + [0.0] * secondary, g)


def successive_graph(count: int, *, share: float = 0.5) -> Graph:
    """Return pairs of a primary and a secondary endpoint, one pair a dose or a subgroup.

    Parameters
    ----------
    count : int
        Pairs: hypotheses 0 .. count − 1 are the primaries, count .. 2 count − 1 their secondaries.
    share : float
        Of a rejected primary's weight, to the other primaries; the rest goes to its own secondary, whose weight when
        rejected goes back to the other primaries.
    """
    if count < 2 or not 0.0 <= share <= 1.0:
        raise ValueError("there must be two pairs at least, and share must lie in [0, 1]")
    g = np.zeros((2 * count, 2 * count))
    g[:count, :count] = share * _spread(count)
    g[:count, count:] = (1.0 - share) * np.eye(count)
    g[count:, :count] = _spread(count)
    return Graph.of([1.0 / count] * count + [0.0] * count, g)


def intersection_weights(graph: Graph) -> Array:
    """Return the weights of every set of hypotheses, shape (2^H, H).

    Row s is the set that holds hypothesis i where bit i of s is 1 (i = 0 the lowest bit); others have weight 0.
    """
    return _table(graph)[0].copy()


def reduced_graph(graph: Graph, rejected: Flags) -> tuple[Array, Array]:
    """Return weights (R, H) and transitions (R, H, H) of the graphs left after rejections (R, H)."""
    weights, transitions = _table(graph)
    left = (~rejected) @ _bits(len(graph.weights))
    return weights[left], transitions[left]


def graph_test(p: Array, graph: Graph, *, alpha: float = 0.05) -> Decision:
    """Reject one hypothesis after another, passing weights on (the sequentially rejective procedure).

    Parameters
    ----------
    p : ndarray, shape (R, H)
    graph : Graph
    alpha : float

    Notes
    -----
    At each step the hypothesis with the smallest p over weight goes; its adjusted value is the largest such ratio so
    far, at most 1. Equal to the closed test whose intersections are tested by weighted Bonferroni.
    """
    values, usable = clean(p)
    weights, _ = _table(graph)
    n_replicates, count = values.shape
    if count != len(graph.weights):
        raise ValueError(f"the graph has {len(graph.weights)} hypotheses; p has {count}")
    rows, bits = np.arange(n_replicates), _bits(count)
    inverse, any_zero = _inverse(weights), bool((values == 0.0).any())
    left = np.full(n_replicates, (1 << count) - 1)
    adjusted = np.ones((n_replicates, count))
    level = np.zeros(n_replicates)
    for _ in range(count):
        # What has no weight, or is gone, has an infinite ratio: also where p is 0, and 0 × inf is NaN.
        with np.errstate(invalid="ignore"):
            ratio = np.fmin(values * inverse[left], np.inf) if any_zero else values * inverse[left]
        smallest = ratio.argmin(axis=1)
        np.maximum(level, ratio[rows, smallest], out=level)
        adjusted[rows, smallest] = level
        left ^= bits[smallest]
    return decide(adjusted, usable, alpha)


def fallback(p: Array, weights: Sequence[float], *, alpha: float = 0.05) -> Decision:
    """Test in the order given, each at its own share of alpha and what those before it passed on (Wiens)."""
    return graph_test(p, fallback_graph(weights), alpha=alpha)


def closed_test(
    p: Array,
    graph: Graph,
    *,
    test: Literal["bonferroni", "simes", "parametric"] = "bonferroni",
    alpha: float = 0.05,
    loadings: Array | None = None,
) -> Decision:
    """Reject a hypothesis when every set that holds it is rejected by a test with the graph's weights.

    Parameters
    ----------
    p : ndarray, shape (R, H)
        One-sided where the test is parametric.
    graph : Graph
    test : {"bonferroni", "simes", "parametric"}
        Simes needs independence or positive dependence; parametric uses the correlation of the test statistics.
    alpha : float
    loadings : ndarray, shape (H,) or (H, m)
        For the parametric test: statistics i and j, jointly normal, correlate by the product of their loadings on
        common factors.
    """
    values, usable = clean(p)
    count = values.shape[1]
    if test == "parametric" and loadings is None:
        raise ValueError("the parametric test needs the loadings of the test statistics")
    weights, _ = _table(graph)
    if count != len(graph.weights):
        raise ValueError(f"the graph has {len(graph.weights)} hypotheses; p has {count}")
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    adjusted = np.zeros_like(values)
    for s in range(1, 1 << count):
        w = weights[s]
        if test == "simes":
            total = np.cumsum(w[order], axis=1)
            local = _smallest(ascending, total)
        else:
            local = _smallest(values, np.broadcast_to(w, values.shape))
            if test == "parametric" and loadings is not None:
                local = _parametric(local, w, np.asarray(loadings, dtype=np.float64))
        inside = (s >> np.arange(count)) & 1 == 1
        adjusted[:, inside] = np.maximum(adjusted[:, inside], local[:, None])
    return decide(adjusted, usable, alpha)


def _smallest(values: Array, weights: Array) -> Array:
    """Return the smallest value over weight by row, at most 1."""
    ratio = np.divide(values, weights, out=np.full(values.shape, np.inf), where=weights > 0.0)
    smallest: Array = ratio.min(axis=1)
    return np.minimum(smallest, 1.0)


def _parametric(ratio: Array, weights: Array, loadings: Array) -> Array:
    """Return the chance that the smallest p over weight is at most that seen, given the correlation.

    Divided by the sum of the weights: a set whose weights do not add to 1 is tested at that share of alpha.
    """
    held = weights > 0.0
    if held.sum() < 2:
        return ratio
    level = np.minimum(ratio[:, None] * weights[held], 1.0)
    bounds = -ndtri(level)
    inside = probability_within(np.full_like(bounds, -np.inf), bounds, loadings[held])
    return np.where(ratio < 1.0, np.minimum((1.0 - inside) / weights.sum(), 1.0), 1.0)


def _spread(count: int) -> Array:
    return np.asarray((1.0 - np.eye(count)) / max(count - 1, 1))


def _bits(count: int) -> NDArray[np.int64]:
    return np.left_shift(1, np.arange(count))


def _inverse(weights: Array) -> Array:
    """Return 1/weight, infinite where there is none."""
    return np.divide(1.0, weights, out=np.full_like(weights, np.inf), where=weights > 0.0)


@lru_cache(maxsize=64)
def _table(graph: Graph) -> tuple[Array, Array]:
    """Return weights (2^H, H) and transitions (2^H, H, H) of the graph reduced to every set."""
    count = len(graph.weights)
    weights = np.zeros((1 << count, count))
    transitions = np.zeros((1 << count, count, count))
    sets = np.array([(1 << count) - 1])
    weights[sets] = graph.weights
    transitions[sets] = graph.transitions
    for j in range(count):
        without = sets ^ (1 << j)
        weights[without], transitions[without] = _remove(weights[sets], transitions[sets], j)
        sets = np.concatenate([sets, without])
    weights.flags.writeable = transitions.flags.writeable = False
    return weights, transitions


def _remove(weights: Array, transitions: Array, j: int) -> tuple[Array, Array]:
    """Take hypothesis j out of a stack of graphs."""
    out, into = transitions[:, j, :], transitions[:, :, j]
    w = weights + weights[:, j, None] * out
    loop = into * out
    g = transitions + into[:, :, None] * out[:, None, :]
    left = 1.0 - loop
    # Where i and j pass everything to each other, nothing is left to pass on.
    open_ = left > 1e-12
    g = np.divide(g, left[:, :, None], out=np.zeros_like(g), where=open_[:, :, None])
    w[:, j] = 0.0
    g[:, j, :] = g[:, :, j] = 0.0
    np.einsum("sii->si", g)[:] = 0.0
    return w, g
