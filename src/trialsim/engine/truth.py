"""The true value of every hypothesis, from the model: exactly, or from potential outcomes.

The mean score had nobody left is known exactly, and so is the rate ratio of a count where all strata share it. Any
other estimand is found by its own analysis of very large trials without sampling of arms: the same patients, with the
same draws, under the active arm and under the control arm. For measures such as the odds ratio, whose value depends on
what is adjusted for, this is what the analysis would find in a trial without end. Patients are drawn without what
groups of them share: it changes no patient taken alone, and so no true value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trialsim.analysis.contract import FAILED, Observed
from trialsim.analysis.registry import analyse
from trialsim.engine.block import blinded, patient_source
from trialsim.engine.hypotheses import Hypothesis, hypotheses
from trialsim.errors import RunError
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.patients.cohort import Cohort, PatientSource
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.resolved import Estimand, Variant
from trialsim.streams import BLOCK_SIZE, Streams

TRUTH_SEED = -1
"""No scenario can have it: the patients that the truth is known from are in no simulated trial."""

PATIENTS_PER_TRIAL = 800
"""Under each arm; with 250 trials in a block, 200,000 patients under each arm."""


class Truth(NamedTuple):
    """A true value and its Monte Carlo standard error, 0 where it is exact."""

    value: float
    se: float


Truths = Mapping[Hypothesis, Truth]


def true_values(variant: Variant, key: str) -> dict[Hypothesis, Truth]:
    """Return the true value of every hypothesis of a variant.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.

    Raises
    ------
    RunError
        If an analysis fails on patients who are all seen under both arms.
    """
    found = {}
    worlds: dict[tuple[int, int, bool], Observed] = {}
    for hypothesis in hypotheses(variant):
        estimand = variant.estimands[hypothesis.estimand]
        known = _known(variant, estimand, hypothesis.analysis)
        if known is not None:
            found[hypothesis] = Truth(known, 0.0)
            continue
        leaving = estimand.endpoint.dropout != "hypothetical"
        pair = (estimand.active, estimand.control, leaving)
        if pair not in worlds:
            worlds[pair] = both_worlds(variant, patient_source(variant, key), estimand, leaving=leaving)
        found[hypothesis] = _by_analysis(worlds[pair], estimand, hypothesis.analysis)
    return found


def _known(variant: Variant, estimand: Estimand, position: int) -> float | None:
    """Return a true value that the model gives exactly, None where it does not."""
    measure = estimand.analyses[position].measure
    if measure == "difference":
        return estimand.true_value
    if measure != "log_rate_ratio":
        return None
    rate = variant.counts[estimand.outcome].rate_per_day
    ratio = np.log(rate[estimand.active] / rate[estimand.control])
    if estimand.interaction is not None:
        first, second = estimand.interaction
        value = float(ratio[first] - ratio[second])
    elif np.ptp(ratio) < NULL_TOLERANCE:
        value = float(ratio[0])
    else:
        return None
    return 0.0 if abs(value) < NULL_TOLERANCE else value


def is_null(truth: Truth, variant: Variant, hypothesis: Hypothesis) -> bool:
    """Return whether a rejection would be false: no difference, or one that reaches the margin.

    Parameters
    ----------
    truth : Truth
    variant : Variant
    hypothesis : Hypothesis
    """
    estimand = variant.estimands[hypothesis.estimand]
    margin = estimand.hypothesis.margin
    if margin is None:
        return abs(truth.value) <= NULL_TOLERANCE
    reach = margin - NULL_TOLERANCE
    if estimand.hypothesis.kind == "equivalence":
        return abs(truth.value) >= reach
    return -benefit_sign(estimand.endpoint, estimand.analyses[hypothesis.analysis].measure) * truth.value >= reach


def both_worlds(variant: Variant, source: PatientSource, estimand: Estimand, *, leaving: bool) -> Observed:
    """Return large trials in which every patient takes part twice, once in each arm.

    Parameters
    ----------
    variant : Variant
    source : PatientSource
    estimand : Estimand
        Names the arms.
    leaving : bool
        Whether patients leave as they would in each arm; otherwise everybody is seen to the end.

    Returns
    -------
    Observed
        R trials of twice `PATIENTS_PER_TRIAL`.
    """
    streams = Streams(TRUTH_SEED, 0)
    stratum = source.enrol(streams, PATIENTS_PER_TRIAL)
    worlds = []
    for arm in (estimand.active, estimand.control):
        cohort = source.follow(streams, stratum, np.full_like(stratum, arm), alone=True)
        worlds.append(blinded(variant, cohort if leaving else _staying(cohort)))
    first, second = worlds
    counted = first.counts is not None and second.counts is not None
    return replace(
        first,
        arm=np.concatenate([first.arm, second.arm], axis=1),
        stratum=np.concatenate([first.stratum, second.stratum], axis=1),
        baseline=np.concatenate([first.baseline, second.baseline], axis=1),
        scores=np.concatenate([first.scores, second.scores], axis=1),
        counts=np.concatenate([first.counts, second.counts], axis=1) if counted else None,
        groups={name: np.concatenate([first.groups[name], second.groups[name]], axis=1) for name in first.groups},
    )


def _staying(cohort: Cohort) -> Cohort:
    return replace(cohort, present=np.ones_like(cohort.present))


def _by_analysis(observed: Observed, estimand: Estimand, position: int) -> Truth:
    analysis = estimand.analyses[position]
    if analysis.method == "nested":
        # Without groups its random effect has nothing to tell; both estimate the same adjusted difference.
        analysis = replace(analysis, method="ancova", df="residual", variance="constant")
    found = analyse(observed, estimand, analysis, (observed.arm.shape[1],))[0]
    if (found.status == FAILED).any():
        raise RunError(
            f"The true value of estimand {estimand.name} by {analysis.name} cannot be found: the analysis fails "
            f"even on {2 * PATIENTS_PER_TRIAL} patients who are all seen ({found.rungs[int(found.rung.max())]}). Its "
            "endpoint may be met by nobody or by everybody."
        )
    if np.abs(found.estimate - found.estimate[0]).max() < NULL_TOLERANCE:
        # No patient fares otherwise under the other arm, or all alike: what is left is rounding.
        value = float(found.estimate[0])
        return Truth(0.0 if abs(value) < NULL_TOLERANCE else value, 0.0)
    return Truth(float(found.estimate.mean()), float(found.estimate.std(ddof=1) / math.sqrt(BLOCK_SIZE)))
