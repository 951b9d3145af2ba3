"""Lability: the share of change from visit to visit, the correlations that stay, and matrices that remain possible."""

import numpy as np
import pytest

from trialsim.kernels.correlation import is_positive_definite, joint_correlation, visit_correlation
from trialsim.kernels.lability import with_lability

VISITS = visit_correlation([3, 7, 14, 84], structure="decay", anchors={3.5: 0.8, 14: 0.6, 84: 0.45})
BASELINE = np.array([[1.0, 0.45], [0.45, 1.0]])
LATER = np.array([[1.0, 0.75], [0.75, 1.0]])


def joint(correlations=(0.41, 0.27), visits=VISITS):
    return joint_correlation(BASELINE, LATER, visits, np.array(correlations))


def test_the_part_not_in_common_is_so_many_times_as_large():
    """Without a tie to the baseline: a person's part has variance R, that of a visit f (1 - R), and they are scaled."""
    visits = visit_correlation([1, 2, 3], structure="compound_symmetry", rho=0.6)
    alone = joint_correlation([[1.0]], [[1.0]], visits, [0.0])
    changed = with_lability(alone, visits, 2.0)
    np.testing.assert_allclose(changed[1:, 1:][~np.eye(3, dtype=bool)], 0.6 / (0.6 + 2 * 0.4), rtol=1e-12)
    np.testing.assert_array_equal(np.diag(changed), 1.0)


def test_what_is_told_by_the_baseline_stays():
    changed = with_lability(joint(), VISITS, 3.0)
    np.testing.assert_allclose(changed[:2], joint()[:2], rtol=1e-12)
    for v in range(4):
        rows = slice(2 + 2 * v, 4 + 2 * v)
        np.testing.assert_allclose(changed[rows, rows], LATER, rtol=1e-12)
    # Given the baselines, what two visits share is multiplied by M.
    base, later = joint()[:2, :2], joint()[:2, 2:]
    explained = later.T @ np.linalg.solve(base, later)
    left = (changed[2:, 2:] - explained) / (joint()[2:, 2:] - explained)
    m = 1 / (VISITS + 3.0 * (1 - VISITS))
    np.testing.assert_allclose(left, np.kron(m, np.ones((2, 2))), rtol=1e-9)


@pytest.mark.parametrize("factor", [1.0, 1.5, 5.0, 100.0])
def test_more_labile_scores_are_always_possible(factor):
    rng = np.random.default_rng(2)
    for _ in range(50):
        root = rng.normal(size=(4, 4)) + rng.normal()
        visits = root @ root.T
        visits /= np.sqrt(np.outer(np.diag(visits), np.diag(visits)))
        whole = joint(rng.uniform(-0.3, 0.3, 2), visits)
        if is_positive_definite(whole):
            assert is_positive_definite(with_lability(whole, visits, factor), min_eigenvalue=1e-12)


def test_a_factor_of_one_changes_nothing_and_strata_are_apart():
    both = np.stack([joint(), joint()])
    changed = with_lability(both, VISITS, [2.0, 1.0])
    np.testing.assert_array_equal(changed[1], joint())
    np.testing.assert_allclose(changed[0], with_lability(joint(), VISITS, 2.0), rtol=1e-14)
    with pytest.raises(ValueError, match="above 0"):
        with_lability(both, VISITS, [2.0, 0.0])
