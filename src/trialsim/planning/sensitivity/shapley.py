r"""Shapley values of assumptions: over all orders in which they can be changed, or over a sample of these.

With v(S) the power of the first scenario in which the assumptions S are those of the second, the contribution of i is

.. math:: \phi_i = \sum_{S \not\ni i} \frac{|S|!\,(m - |S| - 1)!}{m!}\,[v(S \cup i) - v(S)],

the mean of what it adds over all orders in which the m assumptions can be changed. Contributions add up to the whole
difference, exactly: whatever is simulated, the sum telescopes.

References
----------
Shapley LS (1953). A value for n-person games. Contributions to the Theory of Games II, 307-317.
Castro J, Gomez D, Tejada J (2009). Polynomial calculation of the Shapley value based on sampling. Computers &
Operations Research 36:1726-1730.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from trialsim.planning.sensitivity.trials import standard_error
from trialsim.streams import Streams

Array = NDArray[np.float64]
Coalition = frozenset[int]


def all_subsets(m: int) -> list[Coalition]:
    """Return all sets of m assumptions, from none to all."""
    return [frozenset(i for i in range(m) if mask >> i & 1) for mask in range(1 << m)]


def sampled_orders(m: int, seed: int, number: int) -> list[tuple[int, ...]]:
    """Return sampled orders, each followed by its reverse, so that an early place is paid for by a late one."""
    generator = Streams(seed, 0).generator("permutation")
    orders: list[tuple[int, ...]] = []
    for _ in range(max(number // 2, 2)):
        order = tuple(int(i) for i in generator.permutation(m))
        orders += [order, order[::-1]]
    return orders


def steps_of(order: Iterable[int]) -> list[Coalition]:
    """Return the sets that are changed on the way through an order, from none to all."""
    steps: list[Coalition] = [frozenset()]
    for i in order:
        steps.append(steps[-1] | {i})
    return steps


def coalitions(m: int, orders: Sequence[Sequence[int]]) -> list[Coalition]:
    """Return the sets whose values are needed: all, or those on the way through orders; each alone, all but each.

    Parameters
    ----------
    m : int
        Assumptions.
    orders : sequence of sequences of int
        Sampled; empty for all sets.
    """
    every = frozenset(range(m))
    wanted = [step for order in orders for step in steps_of(order)] or all_subsets(m)
    single = [frozenset({i}) for i in every] + [every - {i} for i in every]
    return list(dict.fromkeys([*wanted, *single]))


def shapley_weights(i: int, m: int) -> dict[Coalition, float]:
    """Return the weight of the value of every coalition in the Shapley value of i; they add up to 0."""
    weights: dict[Coalition, float] = {}
    for coalition in all_subsets(m):
        size = len(coalition)
        if i in coalition:
            weights[coalition] = math.factorial(size - 1) * math.factorial(m - size) / math.factorial(m)
        else:
            weights[coalition] = -math.factorial(size) * math.factorial(m - size - 1) / math.factorial(m)
    return weights


def sampled_value(
    i: int, value: Mapping[Coalition, float], influence: Mapping[Coalition, Array], orders: Sequence[Sequence[int]]
) -> tuple[float, float]:
    """Return the mean of what i adds over sampled orders, with the error of the orders and that of the trials."""
    added, moved = [], []
    for order in orders:
        before, after = next((s, t) for s, t in pairwise(steps_of(order)) if i in t - s)
        added.append(value[after] - value[before])
        moved.append(influence[after] - influence[before])
    pairs = np.array(added).reshape(-1, 2).mean(axis=1)
    of_orders = float(pairs.std(ddof=1) / math.sqrt(len(pairs)))
    of_trials = standard_error(np.mean(moved, axis=0))
    return math.fsum(added) / len(added), math.hypot(of_orders, of_trials)
