"""The primary effect in the words of the clinic: points beside d, responders, number needed to treat, who does better.

Shares are those of normal scores with the scenario's means, spread and correlation with baseline: on a bounded scale
they are near, not exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.report.benefit import Sides, benefit_words
from trialsim.report.measures import shown
from trialsim.report.questions import estimand_in, sides_in_words, variants_of
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import NO_BREAK_SPACE, fixed

Array = NDArray[np.float64]

RESPONSE = 0.5
"""Improvement that is a response, as a share of the baseline score."""

NOTE = (
    "By the normal approximation: shares of normal scores with the means, standard deviations and correlation with "
    "baseline of the scenario, all patients seen. Cohen's d divides by the standard deviation of the scores at the "
    "visit."
)


class ClinicWords(NamedTuple):
    """What one true value means in the clinic.

    Attributes
    ----------
    setting : str
        The varied values; empty where nothing is varied.
    words : str
    """

    setting: str
    words: str


class Effect(NamedTuple):
    """A true difference of scores as a clinician may look at it.

    Attributes
    ----------
    points : float
        Active − control.
    d : float
        The same in standard deviations at the visit, within arms and strata.
    response : tuple of float or None
        Share of active and of control arm whose score is at most half of the baseline; None where higher is better.
    better : float
        Probability that a patient on active does better than another on control.
    """

    points: float
    d: float
    response: tuple[float, float] | None
    better: float


def clinic_effect(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> Effect | None:
    """Return the primary effect as the clinic sees it; None for what is no difference of scores between two arms.

    Parameters
    ----------
    variant : mapping
        A variant of the resolved scenario, as JSON's types.
    estimand : mapping
        Of the variant.

    Notes
    -----
    Strata by their shares. A response is y ≤ b/2: normal with mean μ_y − μ_b/2 and variance σ_y² + σ_b²/4 − ρ σ_y σ_b.
    On a scale of steps h the bound is raised by h/4: by half a step where b/2 is a score itself, by none where it lies
    between two.
    A patient on active does better than one on control with probability Σ_s Σ_t π_s π_t Φ(benefit_st / √(σ_s² + σ_t²)).
    """
    if estimand["endpoint"]["kind"] != "score" or estimand["true_value"] is None:
        return None
    if estimand.get("interaction") or estimand.get("arm_weights"):
        return None
    k, visit = estimand["outcome"], estimand["visit"]
    share = np.asarray(variant["strata_share"], dtype=np.float64)
    sd = np.asarray(variant["sd"], dtype=np.float64)[:, visit, k]
    active, control = (
        np.asarray(variant["mean"], dtype=np.float64)[estimand[side], :, visit, k] for side in ("active", "control")
    )
    points = float(estimand["true_value"])
    lower = bool(variant["lower_is_better"][k])
    ahead = (control[None, :] - active[:, None]) * (1.0 if lower else -1.0)
    better = float(share @ ndtr(ahead / np.hypot(sd[:, None], sd[None, :])) @ share)
    response = None
    if lower:
        response = (_responders(variant, k, visit, active), _responders(variant, k, visit, control))
    return Effect(points, points / math.sqrt(float(share @ sd**2)), response, better)


def _responders(variant: Mapping[str, Any], k: int, visit: int, mean: Array) -> float:
    """Return the share whose score at the visit is at most half of the baseline, means by stratum given."""
    share, baseline, spread = (
        np.asarray(variant[name], dtype=np.float64) for name in ("strata_share", "baseline_mean", "baseline_sd")
    )
    sd = np.asarray(variant["sd"], dtype=np.float64)[:, visit, k]
    later = (visit + 1) * len(variant["outcomes"]) + k
    correlation = np.asarray(variant["correlation"], dtype=np.float64)[:, k, later]
    step = 0.0 if variant["scales"][k] is None else float(variant["scales"][k]["step"])
    at, of_baseline = RESPONSE * baseline[:, k] + 0.25 * step, RESPONSE * spread[:, k]
    variance = sd**2 + of_baseline**2 - 2.0 * correlation * sd * of_baseline
    return float(share @ ndtr((at - mean) / np.sqrt(variance)))


def clinic_words(
    resolved: Mapping[str, Any], name: str, summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> list[ClinicWords]:
    """Return what the true value of an estimand means in the clinic, for each variant; none where it is not a score.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    name : str
        Of the estimand.
    summary : DataFrame
        The summary of its run.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    paths = varied_paths(summary)
    rows = summary[summary["estimand"] == name].drop_duplicates("variant")
    found = []
    for record in records_of(rows):
        variant = variants_of(resolved)[record["variant"]]
        estimand = estimand_in(variant, name)
        effect = clinic_effect(variant, estimand)
        if effect is None:
            continue
        found.append(
            ClinicWords(
                setting_words({path: record[path] for path in paths}, labels=labels), _words(effect, variant, estimand)
            )
        )
    return found


def _words(effect: Effect, variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    sides = sides_in_words(variant, estimand)
    if float(shown(abs(effect.points), "difference")) == 0.0:
        return f"No difference between {sides.active} and {sides.control}."
    fewer = "fewer" if effect.points < 0 else "more"
    told = [
        f"{shown(abs(effect.points), 'difference')} points {fewer} with {sides.active} than with {sides.control} "
        f"(d = {fixed(abs(effect.d), 2)})"
    ]
    if effect.response is not None:
        active, control = effect.response
        told.append(
            f"responders, at half of their baseline score or below: {_per_hundred(active)} per 100 on {sides.active}, "
            f"{_per_hundred(control)} on {sides.control}"
        )
        if round(abs(active - control), 3) > 0.0:
            who = Sides(sides.active, sides.control, "response", "responders")
            told.append(benefit_words(active - control, measure="risk_difference", sign=1, sides=who))
    chance = f"{fixed(100 * effect.better, 1)}{NO_BREAK_SPACE}%"
    told.append(f"a patient on {sides.active} does better than one on {sides.control} with a probability of {chance}")
    return f"{'; '.join(told)}."


def _per_hundred(share: float) -> str:
    return fixed(100 * share, 1)
