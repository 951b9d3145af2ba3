"""Covariates of the models: intercept, arms, then what is adjusted for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed

Array = NDArray[np.float64]


def design_matrix(observed: Observed, outcome: int, covariates: tuple[str, ...], *, reference: int = 0) -> Array:
    """Return the covariates, shape (R, N, q): intercept, arms, baseline, strata 1.. (treatment coding).

    Parameters
    ----------
    observed : Observed
    outcome : int
        Whose baseline is adjusted for.
    covariates : tuple of str
        Any of 'baseline' and 'stratum'.
    reference : int
        The arm without a column; the others follow in order.

    Notes
    -----
    The baseline is centred at its mean over the block, which changes no contrast and keeps the
    cross-products well conditioned.
    """
    columns = [np.ones(observed.arm.shape)]
    columns += [(observed.arm == a).astype(float) for a in range(observed.n_arms) if a != reference]
    if "baseline" in covariates:
        baseline = observed.baseline[:, :, outcome]
        columns.append(baseline - baseline.mean())
    if "stratum" in covariates:
        columns += [(observed.stratum == s).astype(float) for s in range(1, observed.n_strata)]
    return np.stack(columns, axis=2)


def arm_contrast(active: int, control: int, q: int, *, reference: int = 0) -> Array:
    """Return the weights, shape (q,), of active minus control.

    Parameters
    ----------
    active, control : int
        Arms.
    q : int
        Columns of the design matrix.
    reference : int
        The arm without a column.
    """
    weights = np.zeros(q)
    for arm, sign in ((active, 1.0), (control, -1.0)):
        if arm != reference:
            weights[1 + arm - (arm > reference)] += sign
    return weights
