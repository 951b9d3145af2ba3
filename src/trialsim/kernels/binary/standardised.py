"""Risks standardised over the covariates of a trial (g-computation) from its logistic regression."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from trialsim.kernels.binary.counts import FINE, NO_FIT
from trialsim.kernels.logistic import LogisticFit
from trialsim.kernels.tails import normal_limits, normal_tail

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]


class StandardisedRisks(NamedTuple):
    """Mean risk of all participants had they been in either arm, and the difference; all (R,).

    Attributes
    ----------
    risk_active, risk_control : ndarray
    estimate, se, z, p, low, high : ndarray
        Of the difference, active minus control.
    reason : ndarray of int8
        All else is NaN where it is not 0.
    """

    risk_active: Array
    risk_control: Array
    estimate: Array
    se: Array
    z: Array
    p: Array
    low: Array
    high: Array
    reason: Codes


def standardised_risks(
    fit: LogisticFit, x_active: Array, x_control: Array, included: Flags, *, level: float = 0.95
) -> StandardisedRisks:
    """Return standardised risks and their difference.

    Parameters
    ----------
    fit : LogisticFit
    x_active, x_control : ndarray, shape (R, N, q)
        Covariates of the regression with everybody put into the active, or the control arm.
    included : ndarray of bool, shape (R, N)
        Over whom to average.
    level : float

    Notes
    -----
    The standard error is by the delta method from the covariance of the coefficients, with the participants'
    covariates taken as fixed.
    """
    n = np.maximum(included.sum(axis=1), 1)
    fine = (fit.reason == FINE) & included.any(axis=1)
    beta = np.where(fine[:, None], fit.coefficients, 0.0)
    risk_active, slope_active = _mean_risk(x_active, beta, included, n)
    risk_control, slope_control = _mean_risk(x_control, beta, included, n)
    slope = slope_active - slope_control
    variance = np.einsum("ri,rij,rj->r", slope, np.where(fine[:, None, None], fit.covariance, 0.0), slope)
    hide = np.where(fine, 1.0, np.nan)
    risk_active, risk_control, se = risk_active * hide, risk_control * hide, np.sqrt(variance) * hide
    estimate = risk_active - risk_control
    with np.errstate(divide="ignore", invalid="ignore"):
        z = estimate / se
    reason = np.where(fine, FINE, NO_FIT).astype(np.int8)
    limits = normal_limits(estimate, se, level)
    return StandardisedRisks(risk_active, risk_control, estimate, se, z, normal_tail(z), *limits, reason)


def _mean_risk(x: Array, beta: Array, included: Flags, n: NDArray[np.integer]) -> tuple[Array, Array]:
    """Return the mean risk (R,) and its derivatives by the coefficients (R, q)."""
    x = np.where(included[:, :, None], x, 0.0)
    risk = expit((x @ beta[:, :, None])[:, :, 0])
    weight = np.where(included, risk * (1.0 - risk), 0.0) / n[:, None]
    return np.where(included, risk, 0.0).sum(axis=1) / n, (weight[:, None, :] @ x)[:, 0]
