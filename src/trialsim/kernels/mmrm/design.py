"""Which coefficient stands for which covariate at which visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The fixed effects of a model for repeated measures.

    Parameters
    ----------
    matrix : ndarray, shape (V, q, b)
        K: the mean at visit v of a participant with covariates x is x'K_v β.
    n_crossed : int or None
        Where the first `n_crossed` covariates have a coefficient at each visit (visit by visit) and the others
        one for all visits, how many they are; None for any other K.
    """

    matrix: Array
    n_crossed: int | None = None

    @property
    def flat(self) -> Array:
        """K as a matrix, shape (V·q, b)."""
        return self.matrix.reshape(-1, self.matrix.shape[2])

    @property
    def all_crossed(self) -> bool:
        """Whether every covariate has a coefficient at each visit, so that K is the identity."""
        return bool(self.n_crossed == self.matrix.shape[1])

    def reduce(self, blocks: Array) -> Array:
        """Return K'MK, shape (..., b, b), for M in blocks (..., V, q, V, q)."""
        n_visits, q, b = self.matrix.shape
        lead = blocks.shape[:-4]
        if self.all_crossed:
            return np.ascontiguousarray(blocks).reshape(*lead, b, b)
        if self.n_crossed is None:
            whole = np.ascontiguousarray(blocks).reshape(*lead, n_visits * q, n_visits * q)
            return np.asarray(self.flat.T @ whole @ self.flat)
        # K sums the rows and columns of a constant covariate over visits.
        c = self.n_crossed
        edge = n_visits * c
        reduced = np.empty((*lead, b, b))
        reduced[..., :edge, :edge] = blocks[..., :c, :, :c].reshape(*lead, edge, edge)
        mixed = blocks[..., :c, :, c:].sum(axis=-2).reshape(*lead, edge, b - edge)
        reduced[..., :edge, edge:] = mixed
        reduced[..., edge:, :edge] = mixed.swapaxes(-1, -2)
        reduced[..., edge:, edge:] = blocks[..., c:, :, c:].sum(axis=(-4, -2))
        return reduced

    def reduce_vector(self, vectors: Array) -> Array:
        """Return K'x, shape (..., b), for x (..., V·q)."""
        return vectors if self.all_crossed else np.asarray(vectors @ self.flat)

    def expand(self, matrices: Array) -> Array:
        """Return KMK' in blocks (..., V, q, V, q), for M (..., b, b)."""
        n_visits, q, _ = self.matrix.shape
        whole = matrices if self.all_crossed else self.flat @ matrices @ self.flat.T
        return np.asarray(whole).reshape(*matrices.shape[:-2], n_visits, q, n_visits, q)

    def expand_vector(self, vectors: Array) -> Array:
        """Return Kx, shape (..., V, q), for x (..., b)."""
        n_visits, q, _ = self.matrix.shape
        whole = vectors if self.all_crossed else vectors @ self.flat.T
        return np.asarray(whole).reshape(*vectors.shape[:-1], n_visits, q)


def design_map(n_visits: int, n_crossed: int, n_constant: int) -> Design:
    """Return the design with some covariates crossed with visit and the others constant.

    Parameters
    ----------
    n_visits, n_crossed, n_constant : int
        V; the first `n_crossed` covariates have a coefficient at each visit, the last `n_constant`
        one for all visits.

    Notes
    -----
    Coefficients are ordered visit by visit, the constant ones last.
    """
    k = np.zeros((n_visits, n_crossed + n_constant, n_visits * n_crossed + n_constant))
    for v in range(n_visits):
        k[v, :n_crossed, v * n_crossed : (v + 1) * n_crossed] = np.eye(n_crossed)
        k[v, n_crossed:, n_visits * n_crossed :] = np.eye(n_constant)
    return Design(k, n_crossed)
