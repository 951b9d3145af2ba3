r"""Who is seen at which visit: those who have not left and do not miss it.

Of those still in the trial a visit v is missed with probability :math:`1 - \exp(-\mu_v\,\theta)`,
:math:`\theta = \mathrm{HR}^{z}`, where z is, in standard deviations worse than the mean of its visit, the last score
seen (missing at random) or the one that is missed (missing not at random); it is 0 completely at random. A missed visit
tells nothing of those that follow: who misses one may be seen at the next. The last score seen is that of the last
visit that was not missed, for leaving too.

The baseline hazards, of leaving between visits (`patients.dropout`) and of missing one, are solved in turn over
pseudo-patients, so that the share that left by each visit and the share of those still there who miss it, over all arms
and strata, are the ones asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.dropout import missing_by_visit, relative_hazard, solve_hazard, worse_by
from trialsim.patients.model import PatientModel
from trialsim.patients.trajectory import run_course
from trialsim.patients.unseen import Gaps
from trialsim.scenario.resolved import Dropout
from trialsim.scenario.resolved_variation import Intermittent
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_CALIBRATION_PATIENTS = 20_000
"""Pseudo-patients over whom the baseline hazards are solved; the same for every seed."""

_CALIBRATION_SEED = -2
"""No scenario can have it."""


class Hazards(NamedTuple):
    """Baseline hazards, each of shape (V,); None where the variant has no such thing.

    Attributes
    ----------
    leaving : ndarray or None
        λ, per interval that ends at a visit.
    missing : ndarray or None
        μ, per visit.
    """

    leaving: Array | None
    missing: Array | None


def baseline_hazards(model: PatientModel) -> Hazards:
    """Return the baseline hazards that give the shares asked for.

    Parameters
    ----------
    model : PatientModel

    Returns
    -------
    Hazards
        A group's shares follow from its hazard ratios and scores; the overall ones are exact up to the calibration
        sample (20,000 patients).
    """
    variant = model.variant
    dropout, intermittent = variant.dropout, variant.intermittent
    if dropout is None and intermittent is None:
        return Hazards(None, None)
    course = _calibration_course(model)
    streams = Streams(_CALIBRATION_SEED, 0)
    leaving, missing = np.zeros(len(variant.visits_days)), np.zeros(len(variant.visits_days))
    staying = np.ones(course.strata.shape)
    if dropout is not None:
        staying *= 1.0 - dropout.never_starts
        asked = 1.0 - missing_by_visit(dropout, variant.visits_days)
    seen = _LastSeen(model, course)
    for v in range(len(leaving)):
        if dropout is not None:
            ratio = seen.leaving_ratio(dropout, v)
            leaving[v] = solve_hazard(staying, ratio, asked[v])
            staying = staying * np.exp(-leaving[v] * ratio)
        missed = None
        if intermittent is not None:
            ratio = seen.missing_ratio(intermittent, v)
            missing[v] = solve_hazard(staying, ratio, (1.0 - intermittent.share[v]) * float(staying.mean()))
            missed = _uniform(streams, "missed", variant.visits_days[v], staying.shape) < -np.expm1(-missing[v] * ratio)
        seen.visit(v, missed)
    return Hazards(leaving if dropout is not None else None, missing if intermittent is not None else None)


def draw_gaps(
    model: PatientModel,
    hazards: Hazards,
    baseline: Array,
    scores: Array,
    strata: Index,
    arms: Index,
    streams: Streams,
    *,
    held: Flags | None = None,
) -> Gaps:
    """Return who is not seen at each visit, for reasons of their own.

    Parameters
    ----------
    model : PatientModel
    hazards : Hazards
        Of `baseline_hazards`.
    baseline : ndarray, shape (R, N, K), points
    scores : ndarray, shape (R, N, V, K), points
    strata, arms : ndarray of int, shape (R, N)
    streams : Streams
    held : ndarray of bool, shape (R, N, V), optional
        Whether a visit takes place for those who would come; all do by default.

    Returns
    -------
    Gaps
    """
    variant = model.variant
    dropout, intermittent = variant.dropout, variant.intermittent
    gaps = Gaps(np.zeros(scores.shape[:3], dtype=bool), np.zeros(scores.shape[:3], dtype=bool))
    if dropout is None and intermittent is None:
        return gaps
    shape = strata.shape
    there = np.ones(shape, dtype=bool)
    if dropout is not None:
        there = dropout.never_starts <= _uniform(streams, "never_starts", None, shape)
    seen = _LastSeen(model, _Course(baseline, scores, strata, arms))
    for v, day in enumerate(variant.visits_days):
        if dropout is not None and hazards.leaving is not None:
            leaves = -np.expm1(-hazards.leaving[v] * seen.leaving_ratio(dropout, v))
            there = there & (_uniform(streams, "dropout", day, shape) >= leaves)
        missed = None
        if intermittent is not None and hazards.missing is not None:
            misses = -np.expm1(-hazards.missing[v] * seen.missing_ratio(intermittent, v))
            missed = _uniform(streams, "missed", day, shape) < misses
            gaps.missed[:, :, v] = missed & there
        gaps.left[:, :, v] = ~there
        if held is not None:
            missed = ~held[:, :, v] if missed is None else missed | ~held[:, :, v]
        seen.visit(v, missed)
    return gaps


class _Course(NamedTuple):
    """Baseline (R, N, K) and later scores (R, N, V, K), strata and arms (R, N)."""

    baseline: Array
    scores: Array
    strata: Index
    arms: Index


class _LastSeen:
    """By how much the last score seen is worse than the mean of its visit, for each outcome that matters."""

    def __init__(self, model: PatientModel, course: _Course) -> None:
        variant = model.variant
        self._model, self._course = model, course
        parts = (variant.dropout, variant.intermittent)
        outcomes = {part.outcome for part in parts if part is not None and part.score_hazard_ratio_per_sd != 1.0}
        self._last = {k: worse_by(model, course.baseline[..., k], k, -1) for k in outcomes}
        self._current = dict(self._last)
        self._at = -1

    def leaving_ratio(self, dropout: Dropout, visit: int) -> Array:
        """Return θ of leaving in the interval that ends at a visit."""
        last, current = self._scores(dropout.outcome, visit)
        return relative_hazard(dropout, last, current, self._course.strata, self._course.arms)

    def missing_ratio(self, intermittent: Intermittent, visit: int) -> Array:
        """Return θ of missing a visit."""
        last, current = self._scores(intermittent.outcome, visit)
        z = current if intermittent.model == "mnar" else last
        return np.asarray(intermittent.score_hazard_ratio_per_sd**z)

    def visit(self, visit: int, missed: Flags | None) -> None:
        """Take note of the scores seen at a visit."""
        for k, last in self._last.items():
            current = self._scores(k, visit)[1]
            self._last[k] = current if missed is None else np.where(missed, last, current)

    def _scores(self, outcome: int, visit: int) -> tuple[Array, Array]:
        """Return z of the last score seen before a visit and of the score at it; zeros where scores play no part."""
        if outcome not in self._last:
            none = np.zeros(self._course.strata.shape)
            return none, none
        if visit != self._at:
            for k in self._last:
                self._current[k] = worse_by(self._model, self._course.scores[:, :, visit, k], k, visit)
            self._at = visit
        return self._last[outcome], self._current[outcome]


def _uniform(streams: Streams, purpose: str, day: float | None, shape: tuple[int, ...]) -> Array:
    """Return addressed uniform numbers, shape (R, N)."""
    time = "" if day is None else f"day {day:g}"
    return streams.generator(purpose, time=time).random(shape[::-1]).T


def _calibration_course(model: PatientModel) -> _Course:
    """Return pseudo-patients with strata and arms in their shares, as one trial."""
    variant = model.variant
    streams = Streams(_CALIBRATION_SEED, 0)
    ratio = np.asarray(variant.allocation.ratio, dtype=float)
    weights = np.outer(ratio / ratio.sum(), variant.strata_share).reshape(-1)
    group = np.searchsorted(np.cumsum(weights), (np.arange(_CALIBRATION_PATIENTS) + 0.5) / _CALIBRATION_PATIENTS)
    group = np.minimum(group, len(weights) - 1)
    arms, strata = (part[None] for part in np.divmod(group, len(variant.strata)))
    state = run_course(_alone(model), streams, strata, arms, purpose="calibration", alone=True, only_needed=True)
    return _Course(state.baseline, state.scores, strata, arms)


def _alone(model: PatientModel) -> PatientModel:
    """Return the model of patients who share site and rater with nobody, lest the luck of a few enter the hazards."""
    variant = model.variant
    varying, raters = variant.heterogeneity, variant.raters
    return replace(
        model,
        variant=replace(
            variant,
            heterogeneity=None if varying is None else varying.alone(),
            raters=None if raters is None else replace(raters, number=_CALIBRATION_PATIENTS),
        ),
    )
