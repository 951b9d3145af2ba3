"""Cholesky factors of stacks: agreement with LAPACK, and singular members that harm nobody else."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed


def definite(n, size, seed=0):
    a = np.random.default_rng(seed).normal(size=(n, size, size + 3))
    return a @ a.transpose(0, 2, 1)


def test_factors_multiply_to_the_matrices():
    matrices = definite(7, 4)
    factors, sound = cholesky(matrices)
    assert sound.all()
    np.testing.assert_allclose(factors @ factors.transpose(0, 2, 1), matrices, rtol=1e-12)
    assert np.all(factors == np.tril(factors))


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((3, 3)),
        np.ones((3, 3)),
        np.diag([1.0, -1.0, 1.0]),
        np.diag([1.0, 1.0, 0.0]),
        np.full((3, 3), np.nan),
        np.array([[1.0, 1.0, 0.0], [1.0, 1.0 + 1e-13, 0.0], [0.0, 0.0, 1.0]]),
    ],
    ids=["zero", "rank one", "indefinite", "zero pivot", "nan", "collinear to rounding"],
)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_singular_member_is_named_and_the_others_are_untouched(bad, place):
    matrices = definite(7, 3)
    alone, _ = cholesky(matrices)
    matrices[place] = bad
    factors, sound = cholesky(matrices)
    others = np.arange(7) != place
    np.testing.assert_array_equal(sound, others)
    np.testing.assert_array_equal(factors[place], np.eye(3))
    np.testing.assert_array_equal(factors[others], alone[others])


def test_scale_of_a_column_does_not_make_a_matrix_singular():
    scale = np.diag([1e-6, 1.0, 1e6])
    _, sound = cholesky(scale @ definite(4, 3) @ scale)
    assert sound.all()


def test_triangular_solves_agree_with_scipy():
    factor, _ = cholesky(definite(5, 4))
    right = np.random.default_rng(1).normal(size=(5, 4, 2))
    for i in range(5):
        np.testing.assert_allclose(
            solve_lower(factor, right)[i], solve_triangular(factor[i], right[i], lower=True), rtol=1e-10
        )
        np.testing.assert_allclose(
            solve_lower_transposed(factor, right)[i],
            solve_triangular(factor[i], right[i], lower=True, trans=1),
            rtol=1e-10,
        )


def test_triangular_solves_broadcast():
    factor, _ = cholesky(definite(5, 4))
    inverse = solve_lower(factor, np.eye(4))
    assert inverse.shape == (5, 4, 4)
    np.testing.assert_allclose(inverse @ factor, np.broadcast_to(np.eye(4), (5, 4, 4)), atol=1e-12)
