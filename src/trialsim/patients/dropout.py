r"""Who leaves, and when.

Between two visits a participant leaves with probability :math:`1 - \exp(-\lambda_v\,\theta)`, where
:math:`\theta = \mathrm{HR}_{arm}\,\mathrm{HR}_{stratum}\,\mathrm{HR}_{score}^{z}` and z is the last observed score
in standard deviations worse than the mean at that time (missing at random; z = 0 under MCAR). The
baseline hazards :math:`\lambda_v` are solved so that the share missing at each visit, over all arms and
strata, is the one asked for. Who leaves does not come back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from trialsim.patients.model import PatientModel
from trialsim.patients.scores import draw_latent, scores_in_arms
from trialsim.scenario.resolved import Dropout
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_CALIBRATION_PATIENTS = 20_000
"""Pseudo-patients over whom the baseline hazards are solved; the same for every seed."""

_HIGHEST_HAZARD = 60.0


def missing_by_visit(dropout: Dropout, visits_days: Array) -> Array:
    """Return the cumulative share missing at each visit, shape (V,), by constant hazards between the given days."""
    days = np.array([0.0, *dropout.days])
    staying = np.log1p(-np.array([dropout.never_starts, *dropout.missing]))
    return np.asarray(-np.expm1(np.interp(visits_days, days, staying)))


def baseline_hazards(model: PatientModel) -> Array:
    """Return the hazard λ between consecutive visits that gives the share missing that was asked for.

    Parameters
    ----------
    model : PatientModel
        Of a variant with dropout.

    Returns
    -------
    ndarray, shape (V,)
        Per interval. A group's share missing follows from its hazard ratios; the overall one is exact
        up to the calibration sample (20,000 patients).
    """
    variant = model.variant
    dropout = variant.dropout
    if dropout is None:
        raise ValueError("the variant has no dropout")
    baseline, scores, strata, arms = _calibration_sample(model)
    staying = np.full(strata.shape, 1.0 - dropout.never_starts)
    asked = 1.0 - missing_by_visit(dropout, variant.visits_days)
    hazards = np.empty(len(asked))
    last = baseline
    for v, target in enumerate(asked):
        ratio = _hazard_ratio(model, dropout, last, v, strata, arms)
        hazards[v] = _solve_hazard(staying, ratio, target)
        staying = staying * np.exp(-hazards[v] * ratio)
        last = scores[:, :, v]
    return hazards


def _solve_hazard(staying: Array, ratio: Array, target: float) -> float:
    def excess(hazard: float) -> float:
        return float(np.mean(staying * np.exp(-hazard * ratio)) - target)

    if excess(0.0) <= 0.0:
        return 0.0
    return float(brentq(excess, 0.0, _HIGHEST_HAZARD, xtol=1e-14, rtol=1e-13))


def _calibration_sample(model: PatientModel) -> tuple[Array, Array, Index, Index]:
    """Return scores of the outcome that drives dropout, strata and arms in their shares, (1, n, ...)."""
    variant = model.variant
    outcome = 0 if variant.dropout is None else variant.dropout.outcome
    streams = Streams(seed=0, block=0)
    latent = draw_latent(model, _CALIBRATION_PATIENTS, 1, streams, "calibration")
    ratio = np.asarray(variant.allocation.ratio, dtype=float)
    weights = np.outer(ratio / ratio.sum(), variant.strata_share).reshape(-1)
    group = np.searchsorted(np.cumsum(weights), (np.arange(_CALIBRATION_PATIENTS) + 0.5) / _CALIBRATION_PATIENTS)
    group = np.minimum(group, len(weights) - 1)
    arms, strata = (part[None] for part in np.divmod(group, len(variant.strata)))
    baseline, scores = scores_in_arms(model, latent, strata, arms)
    return baseline[..., outcome], scores[..., outcome], strata, arms


def _hazard_ratio(model: PatientModel, dropout: Dropout, last: Array, visit: int, strata: Index, arms: Index) -> Array:
    """Return θ for the interval that ends at a visit, shape (R, N)."""
    ratio = dropout.arm_hazard_ratio[arms] * dropout.stratum_hazard_ratio[strata]
    if dropout.score_hazard_ratio_per_sd == 1.0:
        return np.asarray(ratio)
    centre, spread = _reference(model, dropout.outcome, visit)
    worse = 1.0 if model.variant.lower_is_better[dropout.outcome] else -1.0
    return np.asarray(ratio * dropout.score_hazard_ratio_per_sd ** (worse * (last - centre) / spread))


def _reference(model: PatientModel, outcome: int, visit: int) -> tuple[float, float]:
    """Return mean and mean within-group SD of the last score before a visit, over arms and strata."""
    variant = model.variant
    share = np.asarray(variant.strata_share)
    if visit == 0:
        return float(share @ variant.baseline_mean[:, outcome]), float(share @ variant.baseline_sd[:, outcome])
    ratio = np.asarray(variant.allocation.ratio, dtype=float)
    mean = (ratio / ratio.sum()) @ variant.mean[:, :, visit - 1, outcome] @ share
    return float(mean), float(share @ variant.sd[:, visit - 1, outcome])


def draw_presence(
    model: PatientModel,
    hazards: Array | None,
    baseline: Array,
    scores: Array,
    strata: Index,
    arms: Index,
    streams: Streams,
) -> Flags:
    """Return whether each participant is still there at each visit.

    Parameters
    ----------
    model : PatientModel
    hazards : ndarray, shape (V,), or None
        Of `baseline_hazards`; None where nobody leaves.
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
    strata, arms : ndarray of int, shape (R, N)
    streams : Streams

    Returns
    -------
    ndarray of bool, shape (R, N, V)
    """
    variant = model.variant
    n_replicates, n_participants, n_visits, _ = scores.shape
    present = np.ones((n_replicates, n_participants, n_visits), dtype=bool)
    dropout = variant.dropout
    if dropout is None or hazards is None:
        return present
    shape = (n_participants, n_replicates)
    there = dropout.never_starts <= streams.generator("never_starts").random(shape).T
    last = baseline[..., dropout.outcome]
    for v, day in enumerate(variant.visits_days):
        ratio = _hazard_ratio(model, dropout, last, v, strata, arms)
        uniform = streams.generator("dropout", time=f"day {day:g}").random(shape).T
        there = there & (uniform >= -np.expm1(-hazards[v] * ratio))
        present[:, :, v] = there
        last = scores[:, :, v, dropout.outcome]
    return present
