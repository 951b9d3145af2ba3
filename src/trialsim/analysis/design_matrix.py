"""Covariates of the models: intercept, arms, then what is adjusted for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed

Array = NDArray[np.float64]


def design_matrix(observed: Observed, outcome: int, covariates: tuple[str, ...]) -> Array:
    """Return the covariates, shape (R, N, q): intercept, arms 1.., baseline, strata 1.. (treatment coding).

    Parameters
    ----------
    observed : Observed
    outcome : int
        Whose baseline is adjusted for.
    covariates : tuple of str
        Any of 'baseline' and 'stratum'.

    Notes
    -----
    The baseline is centred at its mean over the block, which changes no contrast and keeps the
    cross-products well conditioned.
    """
    columns = [np.ones(observed.arm.shape)]
    columns += [(observed.arm == a).astype(float) for a in range(1, observed.n_arms)]
    if "baseline" in covariates:
        baseline = observed.baseline[:, :, outcome]
        columns.append(baseline - baseline.mean())
    if "stratum" in covariates:
        columns += [(observed.stratum == s).astype(float) for s in range(1, observed.n_strata)]
    return np.stack(columns, axis=2)


def arm_contrast(active: int, control: int, q: int) -> Array:
    """Return the weights, shape (q,), of active minus control; arm 0 is the reference."""
    weights = np.zeros(q)
    if active:
        weights[active] += 1.0
    if control:
        weights[control] -= 1.0
    return weights
