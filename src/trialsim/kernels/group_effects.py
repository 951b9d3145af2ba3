r"""Effects that the members of a group share, beside unchanged margins and correlations within a person.

The J scores of a participant are step functions of latent standard normals with correlation R, the baselines of all K
outcomes first, then the outcomes of each visit. Members of a group share a part of the later ones,

.. math:: z = L \varepsilon + D u, \qquad L L' = R - G, \qquad G = D\, C\, D',

with D the square roots of the latent intraclass correlations and C the correlation of the group's effects on two
outcomes. Every z stays standard normal and two scores of a person keep their correlation, so nothing about a person
taken alone tells of the groups. The latent intraclass correlation is solved so that two members' scores, once on their
scale, have the one asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.copula import latent_correlation
from trialsim.kernels.margins import BoundedMargins

Array = NDArray[np.float64]

SMALLEST_EIGENVALUE = 1e-9
"""Of what is left to the persons themselves, below which it does not count as a correlation matrix."""

_STEPS = 50
"""Halvings of the interval in which the largest possible intraclass correlation lies."""


def latent_icc(icc: Array, margins: Sequence[BoundedMargins | None], batch: tuple[int, ...]) -> Array:
    """Return the latent intraclass correlations that give the asked-for ones of the scores.

    Parameters
    ----------
    icc : ndarray, shape (J,)
        Of the scores of two members of a group, at least 0 and below 1; 0 for baselines.
    margins : sequence of J BoundedMargins or None
        Each of batch shape `batch`; None is a score on the real line.
    batch : tuple of int

    Returns
    -------
    ndarray, shape (*batch, J)
    """
    latent = np.broadcast_to(icc, (*batch, len(icc))).copy()
    for j, margin in enumerate(margins):
        if margin is not None and icc[j] > 0.0:
            pair = np.broadcast_to([[1.0, icc[j]], [icc[j], 1.0]], (*batch, 2, 2))
            latent[..., j] = latent_correlation(pair, [margin, margin])[..., 0, 1]
    return latent


def between_outcomes(correlation: Array, n_outcomes: int) -> Array:
    """Return the correlation of a group's effects on the outcomes: that of the scores at one later visit.

    Parameters
    ----------
    correlation : ndarray, shape (S, J, J)
        Of the scores; averaged over strata and later visits, which differ only where a matrix was repaired.
    n_outcomes : int

    Returns
    -------
    ndarray, shape (K, K)
    """
    n_visits = correlation.shape[-1] // n_outcomes - 1
    at = [slice(v * n_outcomes, (v + 1) * n_outcomes) for v in range(1, n_visits + 1)]
    return np.asarray(np.mean([correlation[:, rows, rows].mean(axis=0) for rows in at], axis=0))


def shared_covariance(latent: Array, between: Array) -> Array:
    """Return G, the covariance of two members' latent scores.

    Parameters
    ----------
    latent : ndarray, shape (..., J)
        Latent intraclass correlations.
    between : ndarray, shape (K, K)
        Of `between_outcomes`.

    Returns
    -------
    ndarray, shape (..., J, J)
    """
    loading = np.sqrt(latent)
    outcome = np.arange(latent.shape[-1]) % len(between)
    return np.asarray(loading[..., :, None] * loading[..., None, :] * between[np.ix_(outcome, outcome)])


class GroupError(ValueError):
    """Groups that would share more than the scores of one person have in common.

    Attributes
    ----------
    group : int
        The kind of groups with the largest intraclass correlation among those concerned.
    share : float
        By how much its intraclass correlations would have to be multiplied, the others staying as they are; 0 where
        even without it the others share too much.
    """

    def __init__(self, group: int, share: float) -> None:
        self.group, self.share = group, share
        super().__init__(f"groups {group} can share {share:.4g} of what they should")


def split(
    latent: Array,
    icc: Array,
    arms: Sequence[Sequence[int]],
    margins: Sequence[BoundedMargins | None],
    between: Array,
) -> tuple[Array, Array]:
    """Divide latent correlations into what groups share and what is left to the persons.

    Parameters
    ----------
    latent : ndarray, shape (A, S, J, J)
        R, of each arm and stratum.
    icc : ndarray, shape (C, J)
        Intraclass correlations of each kind of groups; 0 for baselines.
    arms : sequence of C sequences of int
        Arms that have such groups.
    margins : sequence of J BoundedMargins or None
        Batch shape (A, S).
    between : ndarray, shape (K, K)
        Of `between_outcomes`.

    Returns
    -------
    share : ndarray, shape (C, A, S, J)
        Latent intraclass correlations, 0 for arms without such groups.
    own : ndarray, shape (A, S, J, J)
        R − G.

    Raises
    ------
    GroupError
        If R − G is not positive definite.
    """
    share = np.zeros((len(icc), *latent.shape[:3]))
    for c, concerned in enumerate(arms):
        rows = list(concerned)
        share[c, rows] = latent_icc(icc[c], _rows(margins, rows), (len(rows), latent.shape[1]))
    shared = shared_covariance(share, between)
    own = latent - shared.sum(axis=0)
    lacking = np.flatnonzero(~np.all(_definite(own), axis=1))
    if lacking.size:
        blamed = max((c for c, rows in enumerate(arms) if set(rows) & set(lacking)), key=lambda c: float(icc[c].max()))
        rows = list(arms[blamed])
        without = (own + shared[blamed])[rows]
        raise GroupError(blamed, _largest_share(without, icc[blamed], _rows(margins, rows), between))
    return share, own


def _rows(margins: Sequence[BoundedMargins | None], rows: list[int]) -> list[BoundedMargins | None]:
    return [None if m is None else BoundedMargins(m.values, *(part[rows] for part in m[1:])) for m in margins]


def _definite(own: Array) -> NDArray[np.bool_]:
    return np.asarray(np.linalg.eigvalsh(own)[..., 0] > SMALLEST_EIGENVALUE)


def _largest_share(own: Array, icc: Array, margins: Sequence[BoundedMargins | None], between: Array) -> float:
    """Return by how much intraclass correlations must be multiplied to fit in what other groups leave."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        shared = shared_covariance(latent_icc(middle * icc, margins, own.shape[:2]), between)
        low, high = (middle, high) if _definite(own - shared).all() else (low, middle)
    return low
