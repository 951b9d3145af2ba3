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
from numpy.typing import NDArray
from scipy.optimize import brentq

from trialsim.patients.model import PatientModel
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


def relative_hazard(dropout: Dropout, last: Array, current: Array, strata: Index, arms: Index) -> Array:
    """Return θ for one interval, shape (R, N).

    Parameters
    ----------
    dropout : Dropout
    last, current : ndarray, shape (R, N)
        Of `worse_by` for the last score seen and for that at the end of the interval.
    strata, arms : ndarray of int, shape (R, N)
    """
    ratio = dropout.arm_hazard_ratio[arms] * dropout.stratum_hazard_ratio[strata]
    if dropout.score_hazard_ratio_per_sd == 1.0:
        return np.asarray(ratio)
    return np.asarray(ratio * dropout.score_hazard_ratio_per_sd ** (current if dropout.model == "mnar" else last))


def worse_by(model: PatientModel, scores: Array, outcome: int, visit: int) -> Array:
    """Return z, by how many standard deviations scores are worse than the mean of their visit.

    Parameters
    ----------
    model : PatientModel
    scores : ndarray, shape (R, N), points
    outcome : int
    visit : int
        -1 is the baseline. Mean and SD within groups are those asked for, over arms and strata.
    """
    variant = model.variant
    share = np.asarray(variant.strata_share)
    if visit < 0:
        mean, sd = share @ variant.baseline_mean[:, outcome], share @ variant.baseline_sd[:, outcome]
    else:
        ratio = np.asarray(variant.allocation.ratio, dtype=float)
        mean = (ratio / ratio.sum()) @ variant.mean[:, :, visit, outcome] @ share
        sd = share @ variant.sd[:, visit, outcome]
    sign = 1.0 if variant.lower_is_better[outcome] else -1.0
    return np.asarray(sign * (scores - float(mean)) / float(sd))


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
    return float(brentq(excess, 0.0, highest, xtol=1e-14, rtol=1e-13))
