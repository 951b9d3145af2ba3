"""Analysis of covariance at a visit on imputed scores, whole and without each participant in turn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky
from trialsim.kernels.imputation.conditional import conditional_lines
from trialsim.kernels.imputation.groups import Grouped, Model
from trialsim.kernels.imputation.sequential import BaseFits

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LEVERAGE = 1e-9


class Target(NamedTuple):
    """What is asked of the analysis of covariance at a visit.

    Attributes
    ----------
    visit : int
    weights : tuple of float
        Of the coefficients: 1 at the arm's column for a difference between arms.
    mean_weights : tuple of float
        Multiples of the covariates' means over participants, for an arm's adjusted mean; empty for none.
    """

    visit: int
    weights: tuple[float, ...]
    mean_weights: tuple[float, ...] = ()


class Weights(NamedTuple):
    """How each score enters a target's estimate: estimate = (X'y)'w.

    Attributes
    ----------
    w : ndarray, shape (R, L, q)
    scale : ndarray, shape (R, L)
        c'(X'X)⁻¹c: the estimate's variance in residual variances.
    estimable : ndarray of bool, shape (R, L)
    """

    w: Array
    scale: Array
    estimable: Flags


def analysis_weights(grouped: Grouped, target: Target, *, jackknife: bool) -> Weights:
    """Return the weights of one target, whole and, for a jackknife, without each participant in turn.

    Parameters
    ----------
    grouped : Grouped
    target : Target
    jackknife : bool
        L = N + 1 analyses, the last of the whole trial; otherwise L = 1.
    """
    x = grouped.x
    kept = slice(None) if jackknife else slice(-1, None)
    xx = x.transpose(0, 2, 1) @ x
    _, definite = cholesky(xx)
    inverse = np.linalg.inv(np.where(definite[:, None, None], xx, np.eye(x.shape[2])))
    c = np.broadcast_to(np.asarray(target.weights), x[:, kept].shape)
    if target.mean_weights:
        n = grouped.included.sum(axis=1)[:, None] - grouped.included[:, kept]
        mean = (x.sum(axis=1)[:, None] - x[:, kept]) / np.maximum(n, 1)[..., None]
        c = c + np.asarray(target.mean_weights) * mean
    a = x[:, kept] @ inverse
    room = 1.0 - (a * x[:, kept]).sum(axis=2)
    apart = room > _LEVERAGE
    share = (a * c).sum(axis=2) / np.where(apart, room, 1.0)
    w = c @ inverse + a * share[..., None]
    return Weights(w, (w * c).sum(axis=2), definite[:, None] & apart)


def target_values(
    fits: BaseFits, grouped: Grouped, model: Model, target: Target, weights: Weights, *, jackknife: bool
) -> Array:
    """Return a target's estimate on conditional means, shape (R, L).

    Parameters
    ----------
    fits : BaseFits
    grouped : Grouped
    model : Model
    target : Target
    weights : Weights
        Of the target.
    jackknife : bool
        Leave out of analysis l the participant that fit l was made without.
    """
    kept = slice(None) if jackknife else slice(-1, None)
    x, y, visit = grouped.x, grouped.y, target.visit
    own_x, own_y, own_group = x[:, kept], y[:, kept], grouped.group[:, kept]
    # Scores seen at the visit; a missing one is zero here.
    seen = np.append(grouped.seen[:, visit], False)[grouped.group]
    at_visit = np.where(seen, y[..., visit], 0.0)
    total = (x.transpose(0, 2, 1) @ at_visit[..., None])[:, None, :, 0] - own_x * at_visit[:, kept, None]
    for line in conditional_lines(fits.coefficients, fits.covariance, grouped, model, visit):
        inside = grouped.group == line.group
        if not inside.any():
            continue
        members = (x * inside[..., None]).transpose(0, 2, 1)
        total += line.along_x @ (members @ x).transpose(0, 2, 1) + line.along_y @ (members @ y).transpose(0, 2, 1)
        mean = (own_x * line.along_x).sum(axis=2) + (own_y * line.along_y).sum(axis=2)
        total -= own_x * np.where(own_group == line.group, mean, 0.0)[..., None]
    return np.asarray((weights.w * total).sum(axis=2))


def shift_values(shift: Array, grouped: Grouped, weights: Weights, *, jackknife: bool) -> Array:
    """Return the estimate's change when participants' scores at the visit are shifted, shape (R, L).

    Parameters
    ----------
    shift : ndarray, shape (R, N + 1)
    grouped : Grouped
    weights : Weights
    jackknife : bool
    """
    kept = slice(None) if jackknife else slice(-1, None)
    total = (grouped.x.transpose(0, 2, 1) @ shift[..., None])[:, None, :, 0]
    return np.asarray((weights.w * (total - grouped.x[:, kept] * shift[:, kept, None])).sum(axis=2))
