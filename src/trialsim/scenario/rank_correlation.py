"""Rank correlations between priors, as the factor that makes independent normals correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-9


class RankCorrelationError(ValueError):
    """Rank correlations that no variables have; `smallest` is the smallest eigenvalue of the normals' correlation."""

    def __init__(self, smallest: float) -> None:
        super().__init__(f"rank correlations that cannot hold together: smallest eigenvalue {smallest:g}")
        self.smallest = smallest


def rank_factor(paths: Sequence[str], ranks: Mapping[tuple[str, ...], float]) -> NDArray[np.float64]:
    r"""Return a factor L of the correlation of normals whose ranks are correlated as asked, shape (P, P).

    Parameters
    ----------
    paths : sequence of str
    ranks : mapping of (str, str) to float
        Spearman's correlation of pairs; the others are independent.

    Raises
    ------
    RankCorrelationError

    Notes
    -----
    A Gaussian copula with Pearson correlation :math:`2 \sin(\pi \rho_S / 6)` has Spearman's :math:`\rho_S` [1]_.
    Correlations of exactly ±1 are allowed, so L need not be invertible.

    References
    ----------
    .. [1] Pearson K (1907). On further methods of determining correlation. Drapers' Company Research Memoirs IV.
    """
    matrix = np.eye(len(paths))
    for (first, second), rank in ranks.items():
        i, j = paths.index(first), paths.index(second)
        matrix[i, j] = matrix[j, i] = 2.0 * np.sin(np.pi * rank / 6.0)
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -TOLERANCE:
        raise RankCorrelationError(smallest)
    return _cholesky(matrix)


def _cholesky(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower triangular factor of a correlation matrix that may be singular."""
    factor = np.zeros_like(matrix)
    for j in range(len(matrix)):
        rest = matrix[j, j] - factor[j, :j] @ factor[j, :j]
        if rest <= TOLERANCE:
            continue
        factor[j, j] = np.sqrt(rest)
        factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[j, j]
    return factor
