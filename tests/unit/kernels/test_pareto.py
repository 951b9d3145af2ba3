"""Pareto dominance against a search over all pairs."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trialsim.kernels.pareto import dominance


def beats(first, second):
    """Return whether one tuple is no worse everywhere and better somewhere; larger is better."""
    return all(a >= b for a, b in zip(first, second, strict=True)) and any(
        a > b for a, b in zip(first, second, strict=True)
    )


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=8))
def test_by_brute_force(points):
    values = np.array(points, dtype=float).T
    advantage = values[:, :, None] - values[:, None, :]
    found = dominance(advantage, advantage)
    expected = [[beats(a, b) for b in points] for a in points]
    np.testing.assert_array_equal(found.certain, expected)
    np.testing.assert_array_equal(found.front, [not any(beats(a, b) for a in points) for b in points])


def test_what_error_may_explain_is_apparent_only():
    # The second costs more and has the lower power, but its power may be the higher one.
    advantage = np.array([[[0.0, 0.02], [-0.02, 0.0]], [[0.0, 10.0], [-10.0, 0.0]]])
    low = advantage - np.array([[[0.0, 0.03], [0.03, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = dominance(advantage, low)
    assert found.apparent.tolist() == [[False, True], [False, False]]
    assert found.front.tolist() == [True, True]
    assert dominance(advantage, advantage).front.tolist() == [True, False]


def test_what_is_not_known_beats_nobody():
    unknown = np.array([[[0.0, math.nan], [math.nan, 0.0]], [[0.0, 1.0], [-1.0, 0.0]]])
    assert dominance(unknown, unknown).front.all()
