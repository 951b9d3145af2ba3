"""Covariates of the models: intercept, arms, then what is adjusted for, then what an interaction needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed
from trialsim.scenario.resolved import Analysis, Estimand

Array = NDArray[np.float64]


class LinearModel(NamedTuple):
    """Covariates and the contrast that an estimand asks for.

    Attributes
    ----------
    x : ndarray, shape (R, N, q)
        Intercept, arms without the reference, baseline, strata 1.., and with an interaction arm by stratum.
    weights : ndarray, shape (q,)
        Active minus control; with an interaction the difference of that between two strata.
    """

    x: Array
    weights: Array


def linear_model(observed: Observed, estimand: Estimand, analysis: Analysis, *, reference: int = 0) -> LinearModel:
    """Return the covariates of an analysis (treatment coding) and its contrast.

    Parameters
    ----------
    observed : Observed
    estimand : Estimand
    analysis : Analysis
    reference : int
        The arm without a column; the others follow in order.

    Notes
    -----
    The baseline is centred at its mean over the block, which changes no contrast and keeps the
    cross-products well conditioned. Strata are in the model wherever there is an interaction with them.
    """
    arms = [a for a in range(observed.n_arms) if a != reference]
    in_arm = [(observed.arm == a).astype(float) for a in arms]
    columns = [np.ones(observed.arm.shape), *in_arm]
    if "baseline" in analysis.covariates:
        baseline = observed.baseline[:, :, estimand.outcome]
        columns.append(baseline - baseline.mean())
    strata = range(1, observed.n_strata)
    in_stratum = [(observed.stratum == s).astype(float) for s in strata]
    if "stratum" in analysis.covariates or estimand.interaction is not None:
        columns += in_stratum
    first_product = len(columns)
    if estimand.interaction is not None:
        columns += [arm * stratum for arm in in_arm for stratum in in_stratum]
    weights = np.zeros(len(columns))
    for arm, sign in enumerate(estimand.weights(observed.n_arms)):
        if arm == reference or sign == 0.0:
            continue
        position = arms.index(arm)
        if estimand.interaction is None:
            weights[1 + position] += sign
            continue
        for stratum, side in zip(estimand.interaction, (1.0, -1.0), strict=True):
            if stratum > 0:
                weights[first_product + position * len(in_stratum) + stratum - 1] += sign * side
    return LinearModel(np.stack(columns, axis=2), weights)
