"""An effect as the clinic sees it, counted in simulated patients: points, responders, number needed, who does better.

The patients are those by which true values are found: each takes part once in either arm, with what the estimand says
of leaving and events, on the scenario's own scales.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.analysis.endpoints import response_at_visit, score_at_visit
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.successes import Asked
from trialsim.engine.truth import Worlds, truth_of, within, world_of
from trialsim.kernels.placements import superiority
from trialsim.planning.sampling import name_of
from trialsim.scenario.resolved import Criterion, Estimand, Variant

Array = NDArray[np.float64]

RESPONSE = 0.5
"""Improvement that is a response, as a share of the baseline score."""

PATIENTS_PER_TRIAL = 160
"""In each arm; with 250 trials, 40,000 patients under each arm."""

_Z95 = float(ndtri(0.975))


@dataclass(frozen=True, slots=True)
class Counted:
    """A number counted in simulated patients, with its Monte Carlo standard error (0 where it is exact)."""

    value: float
    mcse: float

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95 % Monte Carlo interval."""
        return self.value - _Z95 * self.mcse, self.value + _Z95 * self.mcse


@dataclass(frozen=True, slots=True)
class ClinicalEffect:
    """An effect in the words of the clinic.

    Parameters
    ----------
    estimand : str
    active, control : str
        Labels of the arms.
    endpoint : str
        Name of a binary endpoint, such as `remission`; empty for a score, of which `response` is counted.
    points : Counted or None
        Active − control, in points of the scale; None for a binary endpoint.
    d : Counted or None
        The same in standard deviations of the scores at the visit, within arms.
    responders : pair of Counted or None
        Share of the active and of the control arm who respond: whose score is half of the baseline or below, or who
        meet the endpoint where that is one. None where higher scores are better and no endpoint says what counts.
    more : Counted or None
        Difference of the two, active − control.
    favourable : bool
        Whether meeting it is wanted.
    better : Counted or None
        Probability that a patient on active does better than another on control, ties as a half.
    patients : int
        Simulated under each arm.
    """

    estimand: str
    active: str
    control: str
    endpoint: str
    points: Counted | None
    d: Counted | None
    responders: tuple[Counted, Counted] | None
    more: Counted | None
    favourable: bool
    better: Counted | None
    patients: int

    @property
    def number_needed(self) -> tuple[float, float, float] | None:
        """Patients to treat for one more with the better end, and the ends of its 95 % interval.

        Negative where treating harms. None where the interval of the difference holds 0, so that no number is told.
        """
        if self.more is None:
            return None
        sign = 1.0 if self.favourable else -1.0
        low, high = self.more.interval
        if low <= 0.0 <= high:
            return None
        ends = sorted((sign / low, sign / high))
        return sign / self.more.value, ends[0], ends[1]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types, with 95 % intervals and the number needed to treat."""
        needed = self.number_needed
        return {
            **asdict(self),
            **{name: _told(getattr(self, name)) for name in ("points", "d", "more", "better")},
            "responders": None if self.responders is None else [_told(share) for share in self.responders],
            "number_needed": None if needed is None else dict(zip(("value", "low", "high"), needed, strict=True)),
        }


def _told(counted: Counted | None) -> dict[str, float] | None:
    if counted is None:
        return None
    low, high = counted.interval
    return {"value": counted.value, "mcse": counted.mcse, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class TrueEffect:
    """The true effect of one of several hypotheses.

    Parameters
    ----------
    hypothesis, measure : str
        Its name, and what its analysis estimates.
    value, se : float
        With its Monte Carlo standard error, 0 where it is exact.
    clinical : ClinicalEffect or None
        In the words of the clinic, where it has some.
    """

    hypothesis: str
    measure: str
    value: float
    se: float
    clinical: ClinicalEffect | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {**asdict(self), "clinical": None if self.clinical is None else self.clinical.to_dict()}


def true_effects(asked: Asked) -> tuple[TrueEffect, ...]:
    """Return the true effect of each of several hypotheses that are to be found in the same trial; of one alone, none.

    Parameters
    ----------
    asked : Asked
    """
    if not asked.together or len(asked.members) < 2:
        return ()
    variant, worlds = asked.variant, Worlds(asked.variant, asked.key, PATIENTS_PER_TRIAL)
    found = []
    for member in asked.members:
        estimand = variant.estimands[member.estimand]
        clinical = clinical_effect(variant, asked.key, estimand, worlds=worlds)
        measure = estimand.analyses[member.analysis].measure
        found.append(TrueEffect(name_of(asked, member), measure, *truth_of(variant, member), clinical))
    return tuple(found)


def clinical_effects(variant: Variant, key: str) -> list[ClinicalEffect]:
    """Return the effects of a variant's estimands as the clinic sees them, of those that are a score or a response.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    """
    worlds = Worlds(variant, key, PATIENTS_PER_TRIAL)
    found = (clinical_effect(variant, key, estimand, worlds=worlds) for estimand in variant.estimands)
    return [effect for effect in found if effect is not None]


def clinical_effect(
    variant: Variant, key: str, estimand: Estimand, *, worlds: Worlds | None = None
) -> ClinicalEffect | None:
    """Return the effect of an estimand as the clinic sees it; None for what is no score or response of two arms.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    estimand : Estimand
        Of the variant.
    worlds : Worlds, optional
        Of the variant, where several estimands share patients; of `PATIENTS_PER_TRIAL`.

    Notes
    -----
    Each number is the mean over 250 trials, and its standard error comes from their spread; but the points are the
    true value of the estimand, wherever an analysis of it estimates points. d divides them by the root mean square of
    the arms' standard deviations.
    """
    kind = estimand.endpoint.kind
    if kind not in ("score", "binary") or estimand.interaction is not None or estimand.arm_weights:
        return None
    world = world_of(variant, estimand)
    seen = (worlds or Worlds(variant, key, PATIENTS_PER_TRIAL)).of(world)
    own = within(estimand, world)
    included = np.ones_like(seen.arm, bool) if seen.included is None else seen.included
    active, control = ((seen.arm == arm) & included for arm in (own.active, own.control))
    if min(active.sum(axis=1).min(), control.sum(axis=1).min()) < 2:
        return None  # a principal stratum of next to nobody
    score = kind == "score"
    points = d = better = responders = more = None
    favourable = True
    if score:
        y = score_at_visit(seen, own)
        points, d = _difference(y, active, control, _true_points(variant, estimand))
        above = superiority(y, active, control, np.zeros_like(seen.stratum), n_strata=1).estimate
        better = _over_trials(1.0 - above if own.endpoint.lower_is_better else above)
    if not score or own.endpoint.lower_is_better:
        criterion = own.endpoint.criterion or Criterion("reduction", RESPONSE, favourable=True)
        favourable = criterion.favourable
        met = response_at_visit(seen, replace(own, endpoint=replace(own.endpoint, kind="binary", criterion=criterion)))
        shares = [_mean(met, arm) for arm in (active, control)]
        responders = (_over_trials(shares[0]), _over_trials(shares[1]))
        more = _over_trials(shares[0] - shares[1])
    return ClinicalEffect(
        estimand=estimand.name,
        active=variant.arm_labels[estimand.active],
        control=variant.arm_labels[estimand.control],
        endpoint="" if score else estimand.endpoint.name,
        points=points,
        d=d,
        responders=responders,
        more=more,
        favourable=favourable,
        better=better,
        patients=int(active.sum()),
    )


def _true_points(variant: Variant, estimand: Estimand) -> Counted | None:
    """Return the true value of an estimand in points, which its analyses are held against; None where none has it."""
    measures = [analysis.measure for analysis in estimand.analyses]
    if "difference" not in measures:
        return None if estimand.true_value is None else Counted(estimand.true_value, 0.0)
    return Counted(*truth_of(variant, Hypothesis(variant.estimands.index(estimand), measures.index("difference"))))


def _difference(y: Array, active: Array, control: Array, known: Counted | None) -> tuple[Counted, Counted]:
    """Return the difference of means, its true value where that is known, and in standard deviations."""
    difference = _mean(y, active) - _mean(y, control)
    variance = 0.5 * (_variance(y, active) + _variance(y, control))
    points = known or _over_trials(difference)
    sd = _over_trials(variance)
    root = math.sqrt(sd.value)
    # The standard deviation's own error is that of the variance, halved and relative.
    mcse = math.hypot(points.mcse / root, points.value / root * 0.5 * sd.mcse / sd.value)
    return points, Counted(points.value / root, mcse)


def _mean(values: Array, chosen: Array) -> Array:
    return np.asarray(np.nanmean(np.where(chosen, values, np.nan), axis=1))


def _variance(values: Array, chosen: Array) -> Array:
    return np.asarray(np.nanvar(np.where(chosen, values, np.nan), axis=1, ddof=1))


def _over_trials(values: Array) -> Counted:
    return Counted(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))
