"""The scores of virtual patients: latent normals with the right correlations, put on each scale's steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.copula import to_scores
from trialsim.patients.model import PatientModel
from trialsim.streams import Streams

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def draw_latent(model: PatientModel, n_participants: int, n_replicates: int, streams: Streams, purpose: str) -> Array:
    """Return independent standard normals, one for each score of each participant.

    Parameters
    ----------
    model : PatientModel
    n_participants, n_replicates : int
    streams : Streams
    purpose : str
        Purpose under which the draws are addressed.

    Returns
    -------
    ndarray, shape (J, N, R)
        Another outcome, visit or participant moves nobody else's draws.
    """
    variant = model.variant
    times = ["baseline", *(f"day {day:g}" for day in variant.visits_days)]
    latent = np.empty((len(times) * len(variant.outcomes), n_participants, n_replicates))
    row = 0
    for time in times:
        for outcome in variant.outcomes:
            streams.generator(purpose, outcome, time).standard_normal(out=latent[row])
            row += 1
    return latent


def scores_in_arms(model: PatientModel, latent: Array, strata: Index, arms: Index) -> tuple[Array, Array]:
    """Return baseline and later scores of participants in given arms.

    Parameters
    ----------
    model : PatientModel
    latent : ndarray, shape (J, N, R)
        Of `draw_latent`.
    strata, arms : ndarray of int, shape (R, N)

    Returns
    -------
    baseline : ndarray, shape (R, N, K), points
        The same under every arm.
    scores : ndarray, shape (R, N, V, K), points
        Had nobody left.
    """
    variant = model.variant
    n_arms, n_strata, n_visits, n_outcomes = variant.mean.shape
    flat = latent.reshape(len(latent), -1)
    group = (arms * n_strata + strata).T.reshape(-1)
    points = np.empty_like(flat)
    for arm in range(n_arms):
        for stratum in range(n_strata):
            inside = np.flatnonzero(group == arm * n_strata + stratum)
            if len(inside):
                z = model.factor[arm, stratum] @ flat[:, inside]
                points[:, inside] = _on_scale(model, z, arm, stratum)
    ordered = points.reshape(n_visits + 1, n_outcomes, latent.shape[1], latent.shape[2])
    whole = np.ascontiguousarray(ordered.transpose(3, 2, 0, 1))
    return whole[:, :, 0], whole[:, :, 1:]


def _on_scale(model: PatientModel, z: Array, arm: int, stratum: int) -> Array:
    """Return the scores (J, n) of latent normals (J, n) of one arm and stratum."""
    variant = model.variant
    n_outcomes = len(variant.outcomes)
    points = np.empty_like(z)
    for j in range(len(z)):
        time, k = divmod(j, n_outcomes)
        margins = model.baseline_margins[k] if time == 0 else model.margins[k]
        at = (stratum,) if time == 0 else (arm, stratum, time - 1)
        if margins is not None:
            points[j] = to_scores(z[j], margins.thresholds[at], margins.values)
        elif time == 0:
            points[j] = variant.baseline_mean[stratum, k] + variant.baseline_sd[stratum, k] * z[j]
        else:
            points[j] = variant.mean[arm, stratum, time - 1, k] + variant.sd[stratum, time - 1, k] * z[j]
    return points
