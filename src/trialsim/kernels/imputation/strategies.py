"""What is assumed of a participant's scores after an intercurrent event: five strategies of one signature.

Each takes the parameters of the participant's own arm, those of the reference arm, and which visits came before the
event, and returns the parameters from which missing scores are imputed. As the strategies only choose and add rows, the
same functions serve means and the coefficients behind them.

References
----------
Carpenter JR, Roger JH, Kenward MG (2013), J Biopharm Stat 23:1352.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Parameters(NamedTuple):
    """Distribution of the scores of one kind of participant.

    Attributes
    ----------
    mean : ndarray, shape (..., V, q)
        Means per visit, or their coefficients of q covariates.
    covariance : ndarray, shape (..., V, V)
    """

    mean: Array
    covariance: Array


Strategy = Callable[[Parameters, Parameters, Flags], Parameters]


def missing_at_random(own: Parameters, reference: Parameters, before: Flags) -> Parameters:
    """Return the parameters of the own arm: after the event as without it.

    Parameters
    ----------
    own, reference : Parameters
    before : ndarray of bool, shape (V,)
        Visits before the event.
    """
    return own


def jump_to_reference(own: Parameters, reference: Parameters, before: Flags) -> Parameters:
    """Return means of the own arm before the event and of the reference arm from the event on.

    Parameters
    ----------
    own, reference : Parameters
    before : ndarray of bool, shape (V,)
        Visits before the event.
    """
    mean = np.where(before[:, None], own.mean, reference.mean)
    return Parameters(mean, _joined_covariance(own, reference, before))


def copy_reference(own: Parameters, reference: Parameters, before: Flags) -> Parameters:
    """Return the parameters of the reference arm, as if the participant had been there from the start.

    Parameters
    ----------
    own, reference : Parameters
    before : ndarray of bool, shape (V,)
        Visits before the event.
    """
    return own if before.all() else reference


def copy_increments(own: Parameters, reference: Parameters, before: Flags) -> Parameters:
    """Return the own mean up to the event, and from there the changes of the reference arm.

    Parameters
    ----------
    own, reference : Parameters
    before : ndarray of bool, shape (V,)
        Visits before the event; with none of them this is the reference arm.
    """
    if before.all():
        return own
    if not before.any():
        return reference
    last = int(before.sum()) - 1
    shifted = own.mean[..., last, None, :] + reference.mean - reference.mean[..., last, None, :]
    mean = np.where(before[:, None], own.mean, shifted)
    return Parameters(mean, _joined_covariance(own, reference, before))


def last_mean_carried_forward(own: Parameters, reference: Parameters, before: Flags) -> Parameters:
    """Return the own mean up to the event, and the last of them from there on.

    Parameters
    ----------
    own, reference : Parameters
    before : ndarray of bool, shape (V,)
        Visits before the event; with none of them this is the own arm.
    """
    if not before.any():
        return own
    last = int(before.sum()) - 1
    return own._replace(mean=np.where(before[:, None], own.mean, own.mean[..., last, None, :]))


def _joined_covariance(own: Parameters, reference: Parameters, before: Flags) -> Array:
    r"""Return own covariance before the event, and the reference arm's regression of later on earlier visits.

    Notes
    -----
    With 1 the visits before and 2 those after (Carpenter et al. 2013, appendix):
    :math:`\Sigma_{11} = A_{11}`, :math:`\Sigma_{21} = R_{21}R_{11}^{-1}A_{11}`,
    :math:`\Sigma_{22} = R_{22} - R_{21}R_{11}^{-1}(R_{11} - A_{11})R_{11}^{-1}R_{12}`.
    """
    if own.covariance is reference.covariance or before.all():
        return own.covariance
    if not before.any():
        return reference.covariance
    first, later = np.flatnonzero(before), np.flatnonzero(~before)
    a11 = own.covariance[..., first[:, None], first]
    r11 = reference.covariance[..., first[:, None], first]
    r12 = reference.covariance[..., first[:, None], later]
    slope = np.linalg.solve(r11, r12)
    joined = np.empty(np.broadcast_shapes(own.covariance.shape, reference.covariance.shape))
    joined[..., first[:, None], first] = a11
    joined[..., first[:, None], later] = a11 @ slope
    joined[..., later[:, None], first] = (a11 @ slope).swapaxes(-1, -2)
    shift = slope.swapaxes(-1, -2) @ (r11 - a11) @ slope
    joined[..., later[:, None], later] = reference.covariance[..., later[:, None], later] - shift
    return joined


STRATEGIES: dict[str, Strategy] = {
    "missing_at_random": missing_at_random,
    "jump_to_reference": jump_to_reference,
    "copy_reference": copy_reference,
    "copy_increments": copy_increments,
    "last_mean_carried_forward": last_mean_carried_forward,
}
"""The strategies by name."""
