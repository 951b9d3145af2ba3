"""What a missing score is expected to be, given the scores seen and what is assumed after the event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.imputation.groups import Grouped, Model
from trialsim.kernels.imputation.strategies import STRATEGIES, Parameters

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Line(NamedTuple):
    """A missing score as a line in a participant's covariates and scores: x'a + y'c plus noise.

    Attributes
    ----------
    group : int
    along_x : ndarray, shape (R, L, q)
    along_y : ndarray, shape (R, L, V)
        Zero for visits that were not seen.
    """

    group: int
    along_x: Array
    along_y: Array


def group_parameters(
    coefficients: Array, covariance: Array, grouped: Grouped, model: Model, groups: Index
) -> Iterator[tuple[int, Parameters]]:
    """Yield for each group the parameters that its missing scores are imputed from.

    Parameters
    ----------
    coefficients : ndarray, shape (R, L, V, q)
    covariance : ndarray, shape (R, L, S, V, V)
    grouped : Grouped
    model : Model
    groups : ndarray of int
    """
    strategy = STRATEGIES[model.strategy]
    visits = np.arange(coefficients.shape[2])
    at_reference = coefficients.copy()
    at_reference[..., list(model.arm_columns)] = 0.0
    # One object for each covariance, so that the same one is recognised as such.
    kinds = [np.ascontiguousarray(covariance[:, :, kind]) for kind in range(covariance.shape[2])]
    reference = Parameters(at_reference, kinds[model.reference if model.by_arm else 0])
    for g in groups:
        own = Parameters(coefficients, kinds[grouped.arm[g] if model.by_arm else 0])
        yield int(g), strategy(own, reference, visits < grouped.event[g])


def conditional_lines(
    coefficients: Array, covariance: Array, grouped: Grouped, model: Model, visit: int
) -> Iterator[Line]:
    r"""Yield the conditional mean at one visit for each group that misses it.

    Parameters
    ----------
    coefficients : ndarray, shape (R, L, V, q)
    covariance : ndarray, shape (R, L, S, V, V)
        Positive definite.
    grouped : Grouped
    model : Model
    visit : int

    Notes
    -----
    With o the visits seen: :math:`\mu_v + \Sigma_{vo}\Sigma_{oo}^{-1}(y_o - \mu_o)`.
    """
    known: dict[tuple[bytes, int], Array] = {}
    missing = np.flatnonzero(~grouped.seen[:, visit])
    for g, (mean, sigma) in group_parameters(coefficients, covariance, grouped, model, missing):
        seen = np.flatnonzero(grouped.seen[g])
        along_y = np.zeros((*mean.shape[:2], mean.shape[2]))
        if not len(seen):
            yield Line(g, mean[..., visit, :], along_y)
            continue
        # With one covariance for all, groups that saw the same visits share the regression.
        key = (grouped.seen[g].tobytes(), id(sigma))
        if key not in known:
            inside = sigma[..., seen[:, None], seen]
            slope = np.linalg.solve(inside, sigma[..., seen, visit, None])[..., 0]
            known[key] = np.asarray(slope, dtype=float)
        slope = known[key]
        along_y[..., seen] = slope
        along_x = mean[..., visit, :] - (slope[..., None, :] @ mean[..., seen, :])[..., 0, :]
        yield Line(g, along_x, along_y)


def conditional_means(coefficients: Array, covariance: Array, grouped: Grouped, model: Model) -> Array:
    """Return the scores with the missing ones at their conditional means, shape (R, N, V).

    Parameters
    ----------
    coefficients : ndarray, shape (R, 1, V, q)
    covariance : ndarray, shape (R, 1, S, V, V)
    grouped : Grouped
    model : Model

    Returns
    -------
    ndarray, shape (R, N, V)
        NaN for participants not included.
    """
    filled = np.where(grouped.included[..., None], grouped.y, np.nan)
    for visit in range(filled.shape[2]):
        for line in conditional_lines(coefficients, covariance, grouped, model, visit):
            mean = (grouped.x * line.along_x).sum(axis=2) + (grouped.y * line.along_y).sum(axis=2)
            filled[..., visit] = np.where(grouped.group == line.group, mean, filled[..., visit])
    return filled[:, :-1]
