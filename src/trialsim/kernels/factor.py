"""Cholesky factors of stacks of matrices of which some may be singular."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def cholesky(matrices: Array, *, tolerance: float = 1e-11) -> tuple[Array, Flags]:
    """Return lower Cholesky factors of a stack, and which of its matrices are positive definite.

    Parameters
    ----------
    matrices : ndarray, shape (R, m, m)
        Symmetric matrices; only the lower triangles are read.
    tolerance : float
        A matrix counts as singular when a pivot falls below this share of its diagonal element,
        that is, when a column is explained by those before it to within rounding.

    Returns
    -------
    factors : ndarray, shape (R, m, m)
        Lower triangular; the identity where the matrix is not positive definite.
    definite : ndarray of bool, shape (R,)
    """
    diagonal = np.einsum("rii->ri", matrices)
    definite = np.all(diagonal > 0, axis=1)
    if not definite.all():  # those that cannot be are not searched for one by one
        matrices = np.where(definite[:, None, None], matrices, np.eye(matrices.shape[-1]))
    factors = _factor(matrices, definite, np.arange(len(matrices)))
    pivots = np.einsum("rii->ri", factors) ** 2
    definite &= np.all(pivots > tolerance * diagonal, axis=1)
    if not definite.all():
        factors[~definite] = np.eye(matrices.shape[-1])
    return factors, definite


def _factor(matrices: Array, definite: Flags, index: NDArray[np.intp]) -> Array:
    """Factor a stack; halve it where LAPACK stops at a matrix, down to the guilty ones."""
    try:
        return np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        pass
    if len(matrices) == 1:
        definite[index] = False
        return np.eye(matrices.shape[-1])[None]
    half = len(matrices) // 2
    return np.concatenate(
        [_factor(matrices[:half], definite, index[:half]), _factor(matrices[half:], definite, index[half:])]
    )


def solve_lower(factor: Array, right: Array) -> Array:
    """Return L⁻¹ B for stacks of lower triangular L, by forward substitution over the short axis.

    Parameters
    ----------
    factor : ndarray, shape (..., m, m)
    right : ndarray, shape (..., m, k)
    """
    solution = np.empty(np.broadcast_shapes(factor.shape[:-2], right.shape[:-2]) + right.shape[-2:])
    for i in range(factor.shape[-1]):
        known = (factor[..., i, None, :i] @ solution[..., :i, :])[..., 0, :] if i else 0.0
        solution[..., i, :] = (right[..., i, :] - known) / factor[..., i, i, None]
    return solution


def solve_lower_transposed(factor: Array, right: Array) -> Array:
    """Return L⁻ᵀ B for stacks of lower triangular L, by back substitution over the short axis.

    Parameters
    ----------
    factor : ndarray, shape (..., m, m)
    right : ndarray, shape (..., m, k)
    """
    size = factor.shape[-1]
    solution = np.empty(np.broadcast_shapes(factor.shape[:-2], right.shape[:-2]) + right.shape[-2:])
    for i in reversed(range(size)):
        known = (factor[..., None, i + 1 :, i] @ solution[..., i + 1 :, :])[..., 0, :] if i + 1 < size else 0.0
        solution[..., i, :] = (right[..., i, :] - known) / factor[..., i, i, None]
    return solution
