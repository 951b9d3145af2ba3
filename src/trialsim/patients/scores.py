"""The scores of virtual patients: latent normals with the right correlations, put on each scale's steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    scores = np.empty((*arms.shape, len(model.variant.visits_days), len(model.variant.outcomes)))
    for visit in range(scores.shape[2]):
        course.scores(visit, {}, out=scores[:, :, visit])
    return course.baseline(), scores


class _Members(NamedTuple):
    """The participants of one arm and stratum.

    Attributes
    ----------
    arm, stratum : int
    at : ndarray of int, shape (n,)
        Where they are in a flat array (R, N).
    z : ndarray, shape (K, V + 1, n)
        Their latent normals, baseline first.
    """

    arm: int
    stratum: int
    at: Index
    z: Array


class LatentCourse:
    """The correlated latent normals of a block's participants, put on the scales one time at a time.

    Parameters
    ----------
    model, latent, strata, arms, shared, admitted
        As of `scores_in_arms`.
    wanted : collection of int, optional
        Outcomes whose scores are made, each the same to the bit whatever else is wanted; all by default.
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
        self.made = tuple(range(n_outcomes) if wanted is None else sorted(wanted))
        """Outcomes whose scores are made."""
        self._shape = n_replicates, n_participants = arms.shape
        flat = latent.reshape(len(latent), -1)
        group = (arms * n_strata + strata).T.reshape(-1)
        self._members: list[_Members] = []
        for arm in range(n_arms):
            for stratum in range(n_strata):
                inside = np.flatnonzero(group == arm * n_strata + stratum)
                if not len(inside):
                    continue
                z, normals = np.empty((n_outcomes, n_visits + 1, len(inside))), flat[:, inside]
                for k in self.made:
                    z[k] = _latent_scores(model, normals, shared, inside, arm, stratum, k)
                    if model.selection is not None and admitted is not None:
                        known = admitted.reshape(len(admitted), -1)[:, inside]
                        z[k] += model.selection.loading[arm, stratum, k::n_outcomes] @ known
                place, replicate = np.divmod(inside, n_replicates)
                self._members.append(_Members(arm, stratum, replicate * n_participants + place, z))

    def baseline(self) -> Array:
        """Return the baseline scores, shape (R, N, K), points; NaN for outcomes that are not made."""
        n_outcomes = len(self._model.variant.outcomes)
        found = np.full((n_outcomes, *self._shape), np.nan).transpose(1, 2, 0)
        self._put(-1, {}, found)
        return found

    def latent_baseline(self, outcome: int) -> Array:
        """Return the latent normals of the baseline scores of an outcome that is made, shape (R, N)."""
        found = np.empty(self._shape)
        for one in self._members:
            found.reshape(-1)[one.at] = one.z[outcome, 0]
        return found

    def scores(self, visit: int, moved: Mapping[int, Array], out: Array) -> None:
        """Put the scores of a visit in place, points.

        Parameters
        ----------
        visit : int
        moved : mapping of int to ndarray, shape (R, N), points
            Added to the mean of each participant, by outcome: on the latent scale, so that scores keep to the steps and
            bounds of theirs, and the mean moves by it to first order.
        out : ndarray, shape (R, N, K)
            Written for the outcomes that are made.
        """
        self._put(visit, moved, out)

    def _put(self, visit: int, moved: Mapping[int, Array], out: Array) -> None:
        for k in self.made:
            points = np.empty(self._shape)
            shift = None if k not in moved else moved[k].reshape(-1)
            for one in self._members:
                z = one.z[k, visit + 1]
                if shift is not None:
                    z = z + shift.take(one.at) / self._model.slope[one.arm, one.stratum, visit, k]
                points.reshape(-1)[one.at] = _on_scale(self._model, z, one.arm, one.stratum, visit, k)
            out[..., k] = points


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
    table = model.score_table(arm, stratum, visit, k)
    if table is not None:
        return table(z)
    if visit < 0:
        return np.asarray(variant.baseline_mean[stratum, k] + variant.baseline_sd[stratum, k] * z)
    return np.asarray(variant.mean[arm, stratum, visit, k] + variant.sd[stratum, visit, k] * z)
