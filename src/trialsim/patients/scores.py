"""The scores of virtual patients: latent normals with the right correlations, put on each scale's steps."""

from __future__ import annotations

from collections.abc import Collection

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


def scores_in_arms(
    model: PatientModel,
    latent: Array,
    strata: Index,
    arms: Index,
    shared: Array | None = None,
    admitted: Array | None = None,
) -> tuple[Array, Array]:
    """Return baseline and later scores of participants in given arms, to whom nothing happens besides.

    Parameters
    ----------
    model : PatientModel
    latent : ndarray, shape (J, N, R)
        Of `draw_latent`.
    strata, arms : ndarray of int, shape (R, N)
    shared : ndarray, shape (C, K, N, R), optional
        What the groups of everybody add, of `clusters.draw_shared`; without it patients are on their own, with the
        same margins and the same correlations within a patient.
    admitted : ndarray, shape (E, N, R), optional
        What participants were selected by, of `entry.admit`; needed where the model has a selection.

    Returns
    -------
    baseline : ndarray, shape (R, N, K), points
        The same under every arm.
    scores : ndarray, shape (R, N, V, K), points
        Had nobody left.
    """
    course = LatentCourse(model, latent, strata, arms, shared, admitted)
    visits = range(len(model.variant.visits_days))
    return course.baseline(), np.stack([course.scores(v) for v in visits], axis=2)


class LatentCourse:
    """The correlated latent normals of a block's participants, put on the scales one time at a time.

    Parameters
    ----------
    model, latent, strata, arms, shared, admitted
        As of `scores_in_arms`.
    wanted : collection of int, optional
        Outcomes whose scores are made, each the same to the bit whatever else is wanted; all by default. The scores of
        the others are NaN.
    """

    def __init__(
        self,
        model: PatientModel,
        latent: Array,
        strata: Index,
        arms: Index,
        shared: Array | None = None,
        admitted: Array | None = None,
        wanted: Collection[int] | None = None,
    ) -> None:
        if (model.selection is None) != (admitted is None):
            raise ValueError("what participants were selected by is needed where a model selects, and only there")
        self._model = model
        n_arms, n_strata, n_visits, n_outcomes = model.variant.mean.shape
        self._wanted = range(n_outcomes) if wanted is None else sorted(wanted)
        flat = latent.reshape(len(latent), -1)
        group = (arms * n_strata + strata).T.reshape(-1)
        self._shape = latent.shape[1:]
        self._members: list[tuple[int, int, Index]] = []
        self._z = np.empty((n_visits + 1, n_outcomes, flat.shape[1]))
        for arm in range(n_arms):
            for stratum in range(n_strata):
                inside = np.flatnonzero(group == arm * n_strata + stratum)
                if len(inside):
                    self._members.append((arm, stratum, inside))
                    normals = flat[:, inside]
                    for k in self._wanted:
                        z = _latent_scores(model, normals, shared, inside, arm, stratum, k)
                        if model.selection is not None and admitted is not None:
                            known = admitted.reshape(len(admitted), -1)[:, inside]
                            z += model.selection.loading[arm, stratum, k::n_outcomes] @ known
                        self._z[:, k, inside] = z

    def baseline(self) -> Array:
        """Return the baseline scores, shape (R, N, K), points; NaN for outcomes that are not wanted."""
        return self._at(-1, None)

    def latent_baseline(self, outcome: int) -> Array:
        """Return the latent normals of the baseline scores of an outcome that is wanted, shape (R, N)."""
        return np.ascontiguousarray(self._z[0, outcome].reshape(self._shape).T)

    def scores(self, visit: int, shift: Array | None = None) -> Array:
        """Return the scores at a visit, shape (R, N, K), points; NaN for outcomes that are not wanted.

        Parameters
        ----------
        visit : int
        shift : ndarray, shape (R, N, K), points, optional
            Added to the mean of each participant: on the latent scale, so that scores keep to the steps and bounds of
            theirs, and the mean moves by the shift to first order.
        """
        return self._at(visit, shift)

    def _at(self, visit: int, shift: Array | None) -> Array:
        n_outcomes = len(self._model.variant.outcomes)
        points = np.full((n_outcomes, self._z.shape[2]), np.nan)
        moved = None if shift is None else np.ascontiguousarray(shift.transpose(2, 1, 0)).reshape(n_outcomes, -1)
        for k in self._wanted:
            row = self._z[visit + 1, k]
            for arm, stratum, inside in self._members:
                z = row[inside]
                if moved is not None:
                    z = z + moved[k, inside] / self._model.slope[arm, stratum, visit, k]
                points[k, inside] = _on_scale(self._model, z, arm, stratum, visit, k)
        return np.ascontiguousarray(points.reshape(n_outcomes, *self._shape).transpose(2, 1, 0))


def _latent_scores(
    model: PatientModel, normals: Array, shared: Array | None, inside: Index, arm: int, stratum: int, outcome: int
) -> Array:
    """Return the latent normals (V + 1, n) of an outcome for participants of one arm and stratum.

    The product is taken outcome by outcome, so that its rounding does not depend on which outcomes are made.
    """
    rows = slice(outcome, None, len(model.variant.outcomes))
    if shared is None or model.groups is None:
        return np.asarray(model.factor[arm, stratum, rows] @ normals)
    z = np.asarray(model.groups.factor[arm, stratum, rows] @ normals)
    for loading, effect in zip(model.groups.loading[:, arm, stratum, rows], shared[:, outcome], strict=True):
        if loading.any():
            z += loading[:, None] * effect.reshape(-1)[inside]
    return z


def _on_scale(model: PatientModel, z: Array, arm: int, stratum: int, visit: int, k: int) -> Array:
    """Return the scores of latent normals of one arm, stratum and outcome at a visit; -1 is the baseline."""
    variant = model.variant
    margins = model.baseline_margins[k] if visit < 0 else model.margins[k]
    if margins is not None:
        thresholds = margins.thresholds[stratum] if visit < 0 else margins.thresholds[arm, stratum, visit]
        return to_scores(z, thresholds, margins.values)
    if visit < 0:
        return np.asarray(variant.baseline_mean[stratum, k] + variant.baseline_sd[stratum, k] * z)
    return np.asarray(variant.mean[arm, stratum, visit, k] + variant.sd[stratum, visit, k] * z)
