r"""Who leaves: how many by each visit, and who rather than others.

Between two visits a participant leaves with probability :math:`1 - \exp(-\lambda_v\,\theta)`, where
:math:`\theta = \mathrm{HR}_{arm}\,\mathrm{HR}_{stratum}\,\mathrm{HR}_{score}^{z}` and z is a score in standard
deviations worse than the mean at its time: the last one seen (missing at random), the one that would be seen at the end
of the interval (missing not at random), or 0 (completely at random). The baseline hazards :math:`\lambda_v` are solved
in `patients.missing`, where it is drawn who is seen. Who leaves does not come back.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import NDArray

from trialsim.scenario.resolved import Dropout

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_HIGH_HAZARD = 60.0
"""Mostly above what is looked for."""


def missing_by_visit(dropout: Dropout, visits_days: Array) -> Array:
    """Return the cumulative share that left by each visit, shape (V,), by constant hazards between the given days.

    A day by which everyone has left has an infinite hazard before it: they leave right after the day given before.
    """
    days, missing = np.array([0.0, *dropout.days]), np.array([dropout.never_starts, *dropout.missing])
    anyone = missing < 1.0
    if not anyone.any():
        return np.ones(len(visits_days))
    staying = np.interp(visits_days, days[anyone], np.log1p(-missing[anyone]))
    everyone_left = not anyone.all() and visits_days > days[anyone][-1]
    return np.where(everyone_left, 1.0, -np.expm1(staying))


def relative_hazard(dropout: Dropout, by_score: Array, strata: Index, arms: Index) -> Array:
    """Return θ of participants for one interval.

    Parameters
    ----------
    dropout : Dropout
    by_score : ndarray
        What the score makes of it, of `ScoreRatio`.
    strata, arms : ndarray of int, to whose shape the others broadcast
    """
    return np.asarray(dropout.arm_hazard_ratio[arms] * dropout.stratum_hazard_ratio[strata] * by_score)


def solve_hazard(weights: Array, ratio: Array, target: float) -> float:
    """Return λ with which the weighted share that is spared, Σ w exp(−λθ) / n, is the one asked for.

    Parameters
    ----------
    weights, ratio : ndarray of one shape
        Chance to be concerned at all, and θ > 0, of n pseudo-patients.
    target : float
        0 is returned where even λ = 0 spares no more than this; infinity where nobody is to be spared.
    """

    def excess(hazard: float) -> float:
        return float(np.mean(weights * np.exp(-hazard * ratio)) - target)

    if excess(0.0) <= 0.0:
        return 0.0
    if target <= 0.0:
        return math.inf
    highest = _HIGH_HAZARD
    while excess(highest) > 0.0 and highest < 1e300:
        highest *= 2.0
    if highest >= 1e300:  # ratios of 0 in the computer's numbers: whoever can leave has left
        return highest
    return float(scipy.optimize.brentq(excess, 0.0, highest, xtol=1e-14, rtol=1e-13))
