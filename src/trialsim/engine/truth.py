"""The true value of every hypothesis, from the model: exactly, or from potential outcomes.

The mean score had nobody left is known exactly, and so is the rate ratio of a count where all strata share it. Any
other estimand is found by its own analysis of very large trials without sampling of arms: the same patients, with the
same draws, under each arm of the contrast, in a world in which events of a hypothetical strategy do not happen and all
others do. Visits are missed as they would be, which matters where an event goes by the last score seen; what is missed
is known all the same. A principal stratum are those spared in all these worlds. For measures such as the odds ratio,
whose value depends on what is adjusted for, this is what the analysis would find in a trial without end. Patients are
drawn without what groups of them share: it changes no patient taken alone, and so no true value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED, Observed
from trialsim.analysis.registry import analyse
from trialsim.engine.block import blinded, patient_source
from trialsim.engine.hypotheses import Hypothesis, hypotheses
from trialsim.engine.truth_cache import content_key, remembered
from trialsim.errors import RunError
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.patients.cohort import Cohort
from trialsim.scenario.known_events import EXPECTANCY
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.resolved import Allocation, Estimand, Variant
from trialsim.scenario.resolved import Hypothesis as Tested
from trialsim.streams import BLOCK_SIZE, Streams

Kind = TypeVar("Kind", bound=np.generic)

TRUTH_SEED = -1
"""No scenario can have it: the patients that the truth is known from are in no simulated trial."""

ANY_ALPHA = 0.05
"""No estimate depends on the level of its test."""

PATIENTS_PER_TRIAL = 800
"""Under each arm; with 250 trials in a block, 200,000 patients under each arm."""


class Truth(NamedTuple):
    """A true value and its Monte Carlo standard error, 0 where it is exact."""

    value: float
    se: float


Truths = Mapping[Hypothesis, Truth]


class World(NamedTuple):
    """What happens to the patients whom an estimand is about.

    Attributes
    ----------
    arms : tuple of int
        In which every patient takes part.
    leaving : bool
        Whether patients leave as they would in each arm; otherwise everybody is seen to the end.
    without : tuple of str
        Events that do not happen; and `expectancy`, where beliefs are worth nothing.
    spared : tuple of (str, int)
        Events that the patients would have in no arm by a visit: a principal stratum.
    """

    arms: tuple[int, ...]
    leaving: bool
    without: tuple[str, ...] = ()
    spared: tuple[tuple[str, int], ...] = ()


def true_values(variant: Variant, *, again: bool = False) -> dict[Hypothesis, Truth]:
    """Return the true value of every hypothesis of a variant.

    Parameters
    ----------
    variant : Variant
    again : bool
        Compute all of them, also those that were found before.

    Raises
    ------
    RunError
        If an analysis fails on patients who are all seen under both arms.
    """
    return _truths(variant, hypotheses(variant), again=again)


def truth_of(variant: Variant, hypothesis: Hypothesis) -> Truth:
    """Return the true value of one hypothesis of a variant, as `true_values` gives it."""
    return _truths(variant, [hypothesis], again=False)[hypothesis]


def _truths(variant: Variant, asked: Sequence[Hypothesis], *, again: bool) -> dict[Hypothesis, Truth]:
    found = {}
    content = _content(variant)
    worlds = Worlds(content, content_key(content), PATIENTS_PER_TRIAL)
    for hypothesis in asked:
        known = _known(variant, variant.estimands[hypothesis.estimand], hypothesis.analysis)
        if known is not None:
            found[hypothesis] = Truth(known, 0.0)
            continue
        simulated = partial(_simulated, worlds, content.estimands[hypothesis.estimand], hypothesis.analysis)
        alone = (PATIENTS_PER_TRIAL, _alone(content, hypothesis))
        found[hypothesis] = simulated() if again else Truth(*remembered(alone, simulated))
    return found


def _content(variant: Variant) -> Variant:
    """Return a variant less all that no true value depends on: true values are computed from what is left alone."""
    asked = [
        replace(
            estimand,
            true_value=None,
            analyses=tuple(replace(analysis, alpha=ANY_ALPHA) for analysis in estimand.analyses),
            hypothesis=Tested(),
            analysis_set="itt",
        )
        for estimand in variant.estimands
    ]
    return replace(
        variant,
        index=0,
        settings={},
        sample_sizes=(),
        # The arms' shares are kept: leaving is calibrated over all who are randomised.
        allocation=Allocation(variant.allocation.ratio, "complete", (), stratified=False),
        estimands=tuple(asked),
        multiplicity=None,
        operations=None,
    )


def _alone(content: Variant, hypothesis: Hypothesis) -> Variant:
    """Return what one true value depends on: other questions change none of its patients."""
    estimand = content.estimands[hypothesis.estimand]
    return replace(content, estimands=(replace(estimand, analyses=(estimand.analyses[hypothesis.analysis],)),))


def _simulated(worlds: Worlds, estimand: Estimand, position: int) -> Truth:
    """Return a true value by simulation; linear algebra on one thread, so that all who ask get the same bits."""
    from threadpoolctl import threadpool_limits

    world = world_of(worlds.variant, estimand)
    with threadpool_limits(limits=1):
        return _by_analysis(worlds.of(world), within(estimand, world), position)


def within(estimand: Estimand, world: World) -> Estimand:
    """Return an estimand with the arms of a world counted from 0."""
    weights = tuple(estimand.arm_weights[arm] for arm in world.arms) if estimand.arm_weights else ()
    active, control = (world.arms.index(arm) for arm in (estimand.active, estimand.control))
    return replace(estimand, active=active, control=control, arm_weights=weights, analysis_set="itt")


def world_of(variant: Variant, estimand: Estimand) -> World:
    """Return the world that an estimand is about."""
    endpoint = estimand.endpoint
    return World(
        tuple(a for a, weight in enumerate(estimand.weights(len(variant.arms))) if weight != 0.0),
        endpoint.dropout != "hypothetical",
        (*endpoint.handled("hypothetical"), *((EXPECTANCY,) if estimand.expectancy == "excluded" else ())),
        tuple((name, estimand.visit) for name in endpoint.handled("principal_stratum")),
    )


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


class Worlds:
    """Large trials in which every patient takes part several times, once in each arm; drawn when first asked for.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    patients : int
        Of each trial.
    """

    def __init__(self, variant: Variant, key: str, patients: int = PATIENTS_PER_TRIAL) -> None:
        self.variant, self._key, self._patients = variant, key, patients
        self._seen: dict[tuple[int, bool, tuple[str, ...]], Observed] = {}
        self._whole: dict[World, Observed] = {}

    def of(self, world: World) -> Observed:
        """Return the trials of a world: R of `patients` for each of its arms, which are counted from 0."""
        if world not in self._whole:
            self._whole[world] = self._together(world)
        return self._whole[world]

    def _together(self, world: World) -> Observed:
        parts = [self._in_arm(arm, world) for arm in world.arms]
        whole = _side_by_side(parts)
        if not world.spared:
            return whole
        spared = [part.event_visit[name] > visit for part in parts for name, visit in world.spared]
        return replace(whole, included=np.tile(np.logical_and.reduce(spared), len(parts)))

    def _in_arm(self, arm: int, world: World) -> Observed:
        key = (arm, world.leaving, world.without)
        if key not in self._seen:
            source, streams = patient_source(self.variant, self._key), Streams(TRUTH_SEED, 0)
            stratum = source.enrol(streams, self._patients)
            everybody = np.full_like(stratum, arm)
            cohort = source.follow(streams, stratum, everybody, alone=True, without=world.without, only_needed=True)
            cohort = _all_seen(cohort if world.leaving else _staying(self.variant, cohort))
            self._seen[key] = blinded(self.variant, cohort)
        return self._seen[key]


def _side_by_side(parts: Sequence[Observed]) -> Observed:
    """Return trials with the patients of all parts, an arm each; treatment as planned is no part of a true value."""

    def joined(arrays: Sequence[NDArray[Kind]]) -> NDArray[Kind]:
        return np.concatenate(arrays, axis=1)

    counts = [part.counts for part in parts if part.counts is not None]
    left = [part.left for part in parts if part.left is not None]
    first = parts[0]
    return replace(
        first,
        arm=joined([np.full_like(part.arm, position) for position, part in enumerate(parts)]),
        n_arms=len(parts),
        stratum=joined([part.stratum for part in parts]),
        baseline=joined([part.baseline for part in parts]),
        scores=joined([part.scores for part in parts]),
        counts=joined(counts) if counts else None,
        groups={name: joined([part.groups[name] for part in parts]) for name in first.groups},
        event_visit={name: joined([part.event_visit[name] for part in parts]) for name in first.event_visit},
        left=joined(left) if left else None,
        treated=None,
        adherent=None,
    )


def _staying(variant: Variant, cohort: Cohort) -> Cohort:
    """Return a cohort in which everybody is followed to the end, or to what ends the follow-up."""
    ends = [event.name for event in variant.events if event.ends_follow_up and event.name in cohort.event_visit]
    stay = np.full(cohort.arm.shape, cohort.present.shape[2])
    return replace(cohort, left=np.minimum.reduce([stay, *(cohort.event_visit[name] for name in ends)]))


def _all_seen(cohort: Cohort) -> Cohort:
    """Return a cohort in which no visit is missed by who is followed: a true value knows the score all the same."""
    return replace(cohort, present=np.arange(cohort.present.shape[2]) < cohort.followed[..., None])


_WHY_IT_FAILS = {
    "score": "Its scores may hardly differ between patients, because most have an event that ends the follow-up or "
    "counts as a failure: ask for fewer such events, another strategy, or an earlier visit."
}
"""What to look at, by endpoint."""


def _by_analysis(observed: Observed, estimand: Estimand, position: int) -> Truth:
    analysis = estimand.analyses[position]
    if analysis.method == "nested":
        # Without groups its random effect has nothing to tell; both estimate the same adjusted difference.
        analysis = replace(analysis, method="ancova", df="residual", variance="constant")
    found = analyse(observed, estimand, analysis, (observed.arm.shape[1],))[0]
    if (found.status == FAILED).any():
        raise RunError(
            f"The true value of estimand {estimand.name} by {analysis.name} cannot be found: the analysis fails "
            f"even on {observed.arm.shape[1]} patients who are all seen ({found.rungs[int(found.rung.max())]}). "
            + _WHY_IT_FAILS.get(estimand.endpoint.kind, "Its endpoint may be met by nobody or by everybody.")
        )
    if np.abs(found.estimate - found.estimate[0]).max() < NULL_TOLERANCE:
        # No patient fares otherwise under the other arm, or all alike: what is left is rounding.
        value = float(found.estimate[0])
        return Truth(0.0 if abs(value) < NULL_TOLERANCE else value, 0.0)
    return Truth(float(found.estimate.mean()), float(found.estimate.std(ddof=1) / math.sqrt(BLOCK_SIZE)))
