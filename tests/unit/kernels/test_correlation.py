"""Correlation matrices: structures over visits, the joint matrix, positive definiteness and its repair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.kernels.correlation import (
    is_positive_definite,
    joint_correlation,
    nearest_correlation,
    visit_correlation,
    worst_pair,
)

HIGHAM = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
DAYS = [3, 7, 10, 14]
ANCHORS = {3.5: 0.80, 14.0: 0.60, 84.0: 0.45}


def test_positive_definite_by_matrix():
    stack = np.stack([np.eye(3), HIGHAM, np.ones((3, 3))])
    np.testing.assert_array_equal(is_positive_definite(stack), [True, False, False])


def test_nearest_to_highams_example():
    # Higham (2002), section 4: 0.7607 and 0.1573 to four digits.
    near = nearest_correlation(HIGHAM, min_eigenvalue=0.0)
    np.testing.assert_allclose(near, [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]], atol=5e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 9), floor=st.sampled_from([0.0, 1e-8, 1e-3, 0.1]))
def test_nearest_is_a_correlation_matrix_with_the_eigenvalues(seed, size, floor):
    noise = np.random.default_rng(seed).uniform(-1, 1, (size, size))
    given_matrix = np.triu(noise, 1) + np.triu(noise, 1).T + np.eye(size)
    near = nearest_correlation(given_matrix, min_eigenvalue=floor)
    np.testing.assert_array_equal(near, near.T)
    np.testing.assert_array_equal(np.diag(near), 1)
    assert np.linalg.eigvalsh(near)[0] >= floor - 1e-13
    # Optimality: no feasible matrix on the way to another correlation matrix is nearer (the set is convex).
    for other in (np.eye(size), visit_correlation(np.arange(size) + 1, structure="ar1", rho=0.4)):
        step = 1e-3 * (other - near)
        if np.linalg.eigvalsh(other)[0] >= floor:
            assert np.linalg.norm(near + step - given_matrix) >= np.linalg.norm(near - given_matrix) - 1e-7


def test_nearest_leaves_a_good_matrix_alone_and_repairs_batches():
    good = visit_correlation(DAYS, structure="ar1", rho=0.7)[:3, :3]
    near = nearest_correlation(np.stack([good, HIGHAM]))
    np.testing.assert_array_equal(near[0], good)
    np.testing.assert_array_equal(near[1], nearest_correlation(HIGHAM))
    assert is_positive_definite(near).all()


def test_nearest_wants_a_minimum_below_one():
    with pytest.raises(ValueError, match="below 1"):
        nearest_correlation(HIGHAM, min_eigenvalue=1.0)


def test_worst_pair_is_the_odd_one_out():
    matrix = np.full((4, 4), 0.9)
    np.fill_diagonal(matrix, 1)
    matrix[1, 3] = matrix[3, 1] = -0.5
    assert worst_pair(matrix) == (1, 3)


def test_worst_pair_of_equals_is_the_first():
    matrix = np.full((3, 3), -0.8)
    np.fill_diagonal(matrix, 1)
    assert worst_pair(matrix) == (0, 1)


def test_worst_pair_needs_a_bad_matrix():
    with pytest.raises(ValueError, match="no pair is to blame"):
        worst_pair(np.eye(2))


def test_decay_passes_through_its_anchors():
    lags = visit_correlation([1, 4.5, 15, 85], structure="decay", anchors=ANCHORS)[0]
    np.testing.assert_allclose(lags, [1, 0.80, 0.60, 0.45], rtol=1e-14)


def test_decay_between_before_and_after_anchors():
    r = visit_correlation([1, 2, 8, 1000, 100_000_000], structure="decay", anchors=ANCHORS)[0]
    slope = 0.15 / np.log(6)
    assert r[1] == pytest.approx(1 - 0.2 / 3.5)
    assert r[2] == pytest.approx(0.8 - 0.2 * np.log(2) / np.log(4))
    assert r[3] == pytest.approx(0.45 - slope * np.log(999 / 84))
    assert r[4] == 0


def test_single_anchor_goes_on_as_it_came():
    r = visit_correlation([1, 8, 15, 10_000], structure="decay", anchors={7: 0.6})[0]
    np.testing.assert_allclose(r, [1, 0.6, 0.6 - 0.4 * np.log(2), 0])


@settings(max_examples=50, deadline=None)
@given(days=st.lists(st.integers(1, 2000), min_size=2, max_size=12, unique=True))
def test_decay_is_positive_definite_on_any_visits(days):
    assert is_positive_definite(visit_correlation(sorted(days), structure="decay", anchors=ANCHORS))


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        ({}, "at least one anchor"),
        ({0.0: 0.5}, "above 0 days"),
        ({7: 1.0}, "below 1"),
        ({7: -0.1}, "from 0"),
        ({7: 0.5, 14: 0.6}, "must not rise"),
        ({7: 0.9, 14: 0.2}, "convex: after the anchor at 7 days"),
        ({7: 0.8, 14: 0.75, 28: 0.4}, "convex: after the anchor at 14 days"),
    ],
)
def test_decays_that_are_none(anchors, message):
    with pytest.raises(ValueError, match=message):
        visit_correlation(DAYS, structure="decay", anchors=anchors)


def test_other_structures():
    np.testing.assert_array_equal(
        visit_correlation([1, 5, 9], structure="compound_symmetry", rho=0.5),
        [[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]],
    )
    np.testing.assert_allclose(
        visit_correlation([1, 5, 90], structure="ar1", rho=0.5), [[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]]
    )
    np.testing.assert_array_equal(visit_correlation([1, 5], structure="ar1", rho=0.0), np.eye(2))
    np.testing.assert_array_equal(
        visit_correlation([1, 5, 90], structure="toeplitz", correlations=[0.6, 0.3]),
        [[1, 0.6, 0.3], [0.6, 1, 0.6], [0.3, 0.6, 1]],
    )
    np.testing.assert_array_equal(visit_correlation([1, 5, 6], structure="unstructured", matrix=HIGHAM), HIGHAM)
    np.testing.assert_array_equal(visit_correlation([14], structure="toeplitz", correlations=[]), [[1.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"structure": "ar1"}, "takes rho and nothing else"),
        ({"structure": "ar1", "rho": 0.5, "matrix": np.eye(4)}, "takes rho and nothing else"),
        ({"structure": "spatial", "rho": 0.5}, "structure must be one of"),
        ({"structure": "ar1", "rho": 1.5}, "between -1 and 1"),
        ({"structure": "toeplitz", "correlations": [0.5]}, "4 visits need 3 correlations; got 1"),
        ({"structure": "unstructured", "matrix": np.eye(3)}, "4 visits need a 4 x 4 matrix"),
        ({"structure": "unstructured", "matrix": np.triu(np.full((4, 4), 0.5))}, "symmetric with 1"),
        ({"structure": "unstructured", "matrix": np.full((4, 4), np.nan)}, "between -1 and 1"),
    ],
)
def test_structures_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        visit_correlation(DAYS, **arguments)


@pytest.mark.parametrize("days", [[3, 3], [7, 3], [], [[1, 2]], [1, np.nan]])
def test_visits_must_increase(days):
    with pytest.raises(ValueError, match="increasing"):
        visit_correlation(days, structure="ar1", rho=0.5)


def test_joint_correlation_keeps_what_it_is_made_of():
    c0 = np.array([[1, 0.45], [0.45, 1]])
    c1 = np.array([[1, 0.75], [0.75, 1]])
    visits = visit_correlation(DAYS, structure="decay", anchors=ANCHORS)
    joint = joint_correlation(c0, c1, visits, [0.4, 0.27])
    assert joint.shape == (10, 10)
    np.testing.assert_array_equal(joint, joint.T)
    np.testing.assert_array_equal(np.diag(joint), 1)
    np.testing.assert_array_equal(joint[:2, :2], c0)
    np.testing.assert_allclose(joint[2:4, 2:4], c1)
    np.testing.assert_allclose(joint[2::2, 2::2], visits)  # first outcome over the visits
    np.testing.assert_allclose(joint[0, 2::2], 0.4)
    np.testing.assert_allclose(joint[1, 3::2], 0.27)
    np.testing.assert_allclose(joint[1, 2::2], 0.4 * 0.45)  # baseline of the second with the first's later scores
    np.testing.assert_allclose(joint[0, 3::2], 0.27 * 0.45)
    assert is_positive_definite(joint)


def test_joint_correlation_of_strata():
    c = np.array([[1, 0.6], [0.6, 1]])
    visits = visit_correlation(DAYS, structure="ar1", rho=0.8)
    by_stratum = np.array([[0.4, 0.3], [0.5, 0.2], [0.1, 0.0]])
    joint = joint_correlation(c, c, visits, by_stratum)
    assert joint.shape == (3, 10, 10)
    np.testing.assert_array_equal(joint[1], joint_correlation(c, c, visits, by_stratum[1]))


def test_joint_correlation_wants_the_same_outcomes():
    with pytest.raises(ValueError, match="same outcomes"):
        joint_correlation(np.eye(2), np.eye(3), np.eye(4), [0.1, 0.1])
