r"""The baseline hazards with which as many leave, and as many miss each visit, as a scenario asks for.

They are solved in turn, visit by visit, over pseudo-patients, so that the share that left by each visit and the share
of those still there who miss it, over all arms and strata, are the ones asked for. What is missed may change the scores
that follow, by an event that goes by the last score seen: so they are solved in the course of the pseudo-patients.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.dropout import missing_by_visit, relative_hazard, solve_hazard
from trialsim.patients.mechanisms.base import State
from trialsim.patients.missing import Hazards
from trialsim.patients.model import PatientModel
from trialsim.patients.trajectory import run_course
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_CALIBRATION_PATIENTS = 20_000
"""Pseudo-patients over whom the baseline hazards are solved; the same for every seed."""

_CALIBRATION_SEED = -2
"""No scenario can have it."""

_ALL = slice(None)


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
    if variant.dropout is None and variant.intermittent is None:
        return Hazards(None, None)
    ratio = np.asarray(variant.allocation.ratio, dtype=float)
    weights = np.outer(ratio / ratio.sum(), variant.strata_share).reshape(-1)
    group = np.searchsorted(np.cumsum(weights), (np.arange(_CALIBRATION_PATIENTS) + 0.5) / _CALIBRATION_PATIENTS)
    group = np.minimum(group, len(weights) - 1)
    arms, strata = (part[None] for part in np.divmod(group, len(variant.strata)))
    solving, streams = _SolvedVisits(), Streams(_CALIBRATION_SEED, 0)
    run_course(
        _alone(model), streams, strata, arms, purpose="calibration", alone=True, visits=solving, only_needed=True
    )
    return solving.hazards


class _SolvedVisits:
    """Solves the hazards of each visit of a course, in which visits then are missed as they say."""

    def __init__(self) -> None:
        self.hazards = Hazards(None, None)
        self._staying: Array = np.ones(())
        self._asked: Array = np.zeros(0)

    def begin(self, state: State) -> None:
        """Start with those who start."""
        dropout, n_visits = state.variant.dropout, state.scores.shape[2]
        self._staying = np.ones(state.shape)
        if dropout is not None:
            self._staying *= 1.0 - dropout.never_starts
            self._asked = 1.0 - missing_by_visit(dropout, state.variant.visits_days)
        missing = None if state.variant.intermittent is None else np.zeros(n_visits)
        self.hazards = Hazards(None if dropout is None else np.zeros(n_visits), missing)

    def at(self, state: State, visit: int) -> Flags | None:
        """Solve the hazards of a visit and return who misses it, shape (R, N); None for nobody."""
        dropout, intermittent = state.variant.dropout, state.variant.intermittent
        leaving, missing = self.hazards
        if dropout is not None and leaving is not None:
            ratio = relative_hazard(dropout, state.seen.ratio(dropout).of(_ALL), state.stratum, state.arm)
            leaving[visit] = solve_hazard(self._staying, ratio, self._asked[visit])
            self._staying = self._staying * np.exp(-leaving[visit] * ratio)
        if intermittent is None or missing is None:
            return None
        ratio = np.broadcast_to(state.seen.ratio(intermittent).of(_ALL), state.shape)
        coming = (1.0 - intermittent.share[visit]) * float(self._staying.mean())
        missing[visit] = solve_hazard(self._staying, ratio, coming)
        uniform = state.uniform("missed", time=f"day {state.day(visit):g}")
        return np.asarray(uniform < -np.expm1(-missing[visit] * ratio))


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
