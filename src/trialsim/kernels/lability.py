r"""Scores that change more from visit to visit, with the same spread at each.

Two visits v, w of one person have the correlation R: a part R of the variance is common to both, 1 − R is not. If the
latter is f times as large, and the whole is scaled back to the variance it had, what is common is multiplied by

.. math:: M_{vw} = \frac{1}{R_{vw} + f\,(1 - R_{vw})}, \qquad M_{vv} = 1.

It applies to what is left of the scores given the baselines, so that the correlations with the baseline stay, as do
those between outcomes at one visit. For f of at least 1, M is a power series in the elements of R with coefficients
that are not negative, and so positive semidefinite; the product of its elements with those of another positive definite
matrix is positive definite (Schur 1911, J. reine angew. Math. 140:1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def with_lability(joint: ArrayLike, visits: ArrayLike, factor: ArrayLike) -> Array:
    """Return correlations with another share of change from visit to visit.

    Parameters
    ----------
    joint : array_like, shape (..., J, J)
        Of `kernels.correlation.joint_correlation`: J = K (V + 1), the baselines of all outcomes, then all outcomes at
        visit 1, and so on; another outcome's baseline tells nothing beside an outcome's own.
    visits : array_like, shape (V, V)
        Correlations R between visits of one outcome.
    factor : array_like, shape (...)
        f, above 0; 1 changes nothing.

    Returns
    -------
    ndarray, shape (..., J, J)
        Positive definite where `joint` is and f is at least 1.

    Raises
    ------
    ValueError
        If a factor is not above 0.
    """
    given, between = np.asarray(joint, dtype=np.float64), np.asarray(visits, dtype=np.float64)
    f = np.asarray(factor, dtype=np.float64)[..., None, None]
    if not (f > 0.0).all():
        raise ValueError("a factor of lability must be above 0")
    n_outcomes = given.shape[-1] // (len(between) + 1)
    later = slice(n_outcomes, None)
    multiplier = 1.0 / (between + f * (1.0 - between))
    baselines = np.tile(np.arange(n_outcomes), len(between))
    own = given[..., baselines, np.arange(n_outcomes, given.shape[-1])]
    by_baseline = own[..., :, None] * own[..., None, :] * given[..., baselines[:, None], baselines]
    changed = given.copy()
    spread = np.repeat(np.repeat(multiplier, n_outcomes, axis=-2), n_outcomes, axis=-1)
    changed[..., later, later] = by_baseline + (given[..., later, later] - by_baseline) * spread
    return np.where(f == 1.0, given, changed)
