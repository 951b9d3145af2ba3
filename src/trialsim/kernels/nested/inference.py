r"""Standard errors and degrees of freedom of contrasts in models whose V is linear in its parameters.

The notation is that of `trialsim.kernels.nested.components`.

References
----------
Satterthwaite FE (1946), Biometrics Bulletin 2:110.
Kenward MG, Roger JH (1997), Biometrics 53:983.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from trialsim.kernels.nested.components import Components, LinearCovariance, invert

Array = NDArray[np.float64]


class Contrasts(NamedTuple):
    """Estimates of m contrasts of the coefficients, each field of shape (R, m)."""

    estimate: Array
    se: Array
    df: Array
    p: Array


def satterthwaite(model: LinearCovariance, fit: Components, covariance: Array, contrasts: Array) -> Contrasts:
    r"""Return contrasts with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    model : LinearCovariance
    fit : Components
        At the optimum.
    covariance : ndarray, shape (R, p, p)
        Of θ; from the observed information, see `parameter_covariance`.
    contrasts : ndarray, shape (m, q)

    Notes
    -----
    :math:`\nu = 2f^2/(g'Cg)` with :math:`f = c'\Phi c`, :math:`g_i = c'\Phi H_i\Phi c`, and C the covariance of θ.
    """
    return _contrasts(model, fit, fit.inverse, covariance, contrasts)


def kenward_roger(model: LinearCovariance, fit: Components, contrasts: Array) -> Contrasts:
    r"""Return contrasts with Kenward and Roger's standard errors and degrees of freedom.

    Parameters
    ----------
    model : LinearCovariance
    fit : Components
        At the optimum.
    contrasts : ndarray, shape (m, q)

    Notes
    -----
    For a single contrast the degrees of freedom are :math:`2f^2/(g'Wg)` with W the inverse of the expected
    information of all parameters, also of those on their bound, and the scale factor of the statistic is 1.
    """
    w, _ = invert(fit.expected)
    return _contrasts(model, fit, adjusted_covariance(model, fit), w, contrasts)


def adjusted_covariance(model: LinearCovariance, fit: Components) -> Array:
    r"""Return Kenward and Roger's covariance of the coefficients, shape (R, q, q).

    Notes
    -----
    :math:`\Phi + 2\Phi\{\sum_{ij} W_{ij}(Q_{ij} - H_i\Phi H_j)\}\Phi`; V is linear in θ, so there is no term in its
    second derivatives.
    """
    w, _ = invert(fit.expected)
    m = model.moments(fit.theta)
    q = fit.inverse.shape[-1]
    h, phi = m.zz_one[..., :q, :q], fit.inverse
    pairs = m.zz_two[..., :q, :q] - h[:, :, None] @ phi[:, None, None] @ h[:, None, :]
    lack = (w[..., None, None] * pairs).sum(axis=(1, 2))
    return np.asarray(phi + 2.0 * phi @ (0.5 * (lack + lack.transpose(0, 2, 1))) @ phi)


def _contrasts(model: LinearCovariance, fit: Components, spread: Array, covariance: Array, c: Array) -> Contrasts:
    """Return contrasts given the coefficients' covariance for the standard error and that of θ for the df."""
    q = fit.inverse.shape[-1]
    h = model.moments(fit.theta).zz_one[..., :q, :q]
    z = c @ fit.inverse
    variance = np.einsum("rmq,mq->rm", z, c)
    # c'ΦHᵢΦc for every contrast and parameter.
    slope = np.einsum("rpmq,rmq->rmp", z[:, None] @ h, z)
    noise = ((slope @ covariance) * slope).sum(axis=-1)
    estimate = fit.coefficients @ c.T
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.sqrt(np.einsum("mq,rqk,mk->rm", c, spread, c))
        df = 2.0 * variance**2 / noise
        p = 2.0 * stdtr(df, -np.abs(estimate / se))
    return Contrasts(estimate, se, df, p)
