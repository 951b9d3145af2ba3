"""The resolved scenario: every number a simulation needs, checked once and then trusted.

A `Resolved` holds one `Variant` per combination of the scenario's `vary` lists. Arrays are read-only and keep their
axes in one order: `A` arms, `S` strata, `V` visits after baseline, `K` outcomes. `J = K (V + 1)` counts all scores of
one participant, the baselines of all outcomes first, then visit 1 of all outcomes, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from trialsim.scenario.resolved_questions import (
    Analysis,
    Criterion,
    Endpoint,
    Estimand,
    Hypothesis,
    Multiplicity,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trialsim.scenario.loading import Scenario
    from trialsim.scenario.resolved_entry import Entry
    from trialsim.scenario.resolved_events import Event
    from trialsim.scenario.resolved_masking import Dissociation, Unblinding
    from trialsim.scenario.resolved_operations import Operations
    from trialsim.scenario.resolved_safety import Safety
    from trialsim.scenario.resolved_variation import Attendance, Heterogeneity, Intermittent, Raters

    FloatArray = NDArray[np.float64]

__all__ = [
    "Allocation",
    "Analysis",
    "Cluster",
    "Count",
    "Criterion",
    "Dropout",
    "Endpoint",
    "Estimand",
    "Hypothesis",
    "InfusionModel",
    "Multiplicity",
    "Provenance",
    "Resolved",
    "Scale",
    "Therapy",
    "Variant",
]

UNLESS_DEFAULT = MappingProxyType({"unless_default": True})
"""Marks a field that is told, and enters the hash of a scenario, only where it differs from its default."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where one value of the resolved scenario comes from.

    Parameters
    ----------
    path : str
        The scenario path that would set this value, such as `outcomes.qids_sr16.post_sd`.
    value : object
        The value, made of JSON's types.
    source : {'given', 'default', 'evidence'}
        Written by the user, a documented default, or taken from the evidence catalogue.
    tag : {'measured', 'derived', 'assumed'} or None
        How firm the evidence is; None for what the user gave.
    citation : str or None
        Citation key of the evidence.
    note : str
        One sentence for the reader; may be empty.
    quantity : str or None
        Name in the evidence catalogue.
    """

    path: str
    value: Any
    source: Literal["given", "default", "evidence"]
    tag: str | None = None
    citation: str | None = None
    note: str = ""
    quantity: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """The grid that a bounded score lives on, in points."""

    minimum: float
    maximum: float
    step: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """How participants are randomised.

    Parameters
    ----------
    ratio : tuple of int
        One whole number per arm.
    method : {'permuted_blocks', 'complete'}
        Randomly permuted blocks, or an independent draw for every participant.
    block_sizes : tuple of int
        Sizes that are drawn from with equal chance; empty for complete randomisation.
    stratified : bool
        Whether each stratum has an allocation list of its own.
    """

    ratio: tuple[int, ...]
    method: Literal["permuted_blocks", "complete"]
    block_sizes: tuple[int, ...]
    stratified: bool


@dataclass(frozen=True, slots=True)
class Dropout:
    """Who leaves and when.

    Parameters
    ----------
    model : {'mcar', 'mar', 'mnar'}
        Completely at random, or with a hazard that depends on the last observed score, or on the one that would be
        seen next.
    days : tuple of float
        Days, rising, at which the cumulative share missing is given; the last is no earlier than the last visit.
    missing : tuple of float
        Cumulative share of the randomised missing by each of `days`, those who never start included.
    never_starts : float
        Share of the randomised who leave before any visit after baseline.
    outcome : int
        Index of the outcome whose score drives the hazard.
    score_hazard_ratio_per_sd : float
        Hazard ratio for a score one standard deviation worse; 1 for `mcar`.
    arm_hazard_ratio : ndarray, shape (A,)
    stratum_hazard_ratio : ndarray, shape (S,)
    delta : ndarray, shape (A, K), points
        Added to the scores of who has left.
    """

    model: Literal["mcar", "mar", "mnar"]
    days: tuple[float, ...]
    missing: tuple[float, ...]
    never_starts: float
    outcome: int
    score_hazard_ratio_per_sd: float
    arm_hazard_ratio: FloatArray
    stratum_hazard_ratio: FloatArray
    delta: FloatArray


@dataclass(frozen=True, slots=True)
class InfusionModel:
    """How the effect of infusions builds up and fades; see `kernels.infusion_course`.

    Parameters
    ----------
    gain, half_life_days, onset_days : float
    reference_level : float
        Level on the day that the scenario's changes and effects are told for.
    specific : ndarray, shape (A, S, K), points
        What the drug adds to the natural course by that day.
    """

    gain: float
    half_life_days: float
    onset_days: float
    reference_level: float
    specific: FloatArray


@dataclass(frozen=True, slots=True)
class Therapy:
    """A course of sessions beside the infusions.

    Parameters
    ----------
    name, label : str
    arms : tuple of int
        Arms that have it.
    effect : ndarray, shape (A, S, K), points
        What it adds by its end without synergy; 0 in other arms.
    progress : ndarray, shape (A, V)
        Share of that at each visit, with synergy, for a patient who goes on and gets all infusions.
    start_day, end_day : float
    onset_day : float
        Day from which the effect grows, evenly up to `end_day`.
    attendance : Attendance or None
        None where everybody attends alike; otherwise `effect` is that of the average attendance.
    synergy : ndarray, shape (A,)
        Share by which what is gained is more in each arm.
    synergy_window_days : float
        Days after an infusion in which it is; infinite where it always is.
    """

    name: str
    label: str
    arms: tuple[int, ...]
    effect: FloatArray
    progress: FloatArray
    start_day: float
    end_day: float
    onset_day: float
    synergy: FloatArray
    synergy_window_days: float = math.inf
    attendance: Attendance | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Groups of patients whose scores after baseline hang together.

    Parameters
    ----------
    name, label : str
    arms : tuple of int
        Arms that have such groups.
    size : int
        Smallest number of patients in a group, filled in order of enrolment within the arm; 0 where groups are joined
        in turn.
    number : int
        Number of groups that patients of `arms` join in turn, with `rolling` in each arm; 0 where groups are filled.
    icc : ndarray, shape (K,)
        Intraclass correlation of the scores after baseline, by outcome.
    growth : ndarray, shape (V,)
        Share of what a group shares that there is at each visit: the correlation is `growth**2 * icc`.
    largest : int
        Largest number of patients in a group; every one from `size` on is as likely.
    rolling : bool
        Whether places are taken again: `size` members at a time of each of `number` groups.
    of : str
        Groups that these lead, by name; empty where they lead none.
    groups_each : int
        How many groups each of them leads.
    made_by : {'', 'sites', 'therapy_groups'}
        What of the simulated operations they are; `size` or `number` then are those planned.
    """

    name: str
    label: str
    arms: tuple[int, ...]
    size: int
    number: int
    icc: FloatArray
    growth: FloatArray
    largest: int = 0
    rolling: bool = False
    of: str = ""
    groups_each: int = 0
    made_by: Literal["", "sites", "therapy_groups"] = field(default="", metadata=UNLESS_DEFAULT)

    @property
    def within_arms(self) -> bool:
        """Whether no two arms share a group."""
        return self.size > 0 and not self.made_by


@dataclass(frozen=True, slots=True)
class Count:
    """Events that are counted.

    Parameters
    ----------
    name, label : str
    rate_per_day : ndarray, shape (A, S)
        Mean events a day.
    dispersion : float
        Variance of the patients' rates over their squared mean.
    lower_is_better : bool
    """

    name: str
    label: str
    rate_per_day: FloatArray
    dispersion: float
    lower_is_better: bool


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One fully specified truth and design; a cell is a variant at one sample size.

    Parameters
    ----------
    index : int
        Position among the variants.
    settings : dict
        Value of each varied path; empty when nothing is varied.
    arms, arm_labels, strata, strata_labels, outcomes, outcome_labels : tuple of str
        Names and the words shown for them.
    visits_days : ndarray, shape (V,)
        Days after the first infusion, rising.
    strata_share : ndarray, shape (S,)
        Adds to 1.
    strata_by : {'share', 'quota'}
        Strata drawn for each participant, or in exact proportions.
    scales : tuple of (Scale or None)
        One per outcome; None is a continuous score.
    lower_is_better : tuple of bool
    baseline_mean, baseline_sd : ndarray, shape (S, K)
        In points.
    mean : ndarray, shape (A, S, V, K)
        Mean scores in points, had nobody left.
    sd : ndarray, shape (S, V, K)
        Standard deviations in points.
    correlation : ndarray, shape (S, J, J)
        Target correlations of the scores after rounding, and after any repair.
    allocation : Allocation
    dropout : Dropout or None
        None is complete data.
    estimands : tuple of Estimand
    sample_sizes : tuple of int
        Numbers randomised.
    clusters : tuple of Cluster
    counts : tuple of Count
    multiplicity : Multiplicity or None
        None: each hypothesis is tested at its own level.
    infusion_days : tuple of tuple of float
        Days of infusions, by arm.
    infusion_model : InfusionModel or None
        None where the course is spread over the visits by shares.
    therapies : tuple of Therapy
    events : tuple of Event
        Each after what it waits for.
    intermittent : Intermittent or None
        None where no visit is missed but by who left.
    heterogeneity : Heterogeneity or None
        None where the drug's effect is the same for everybody of a stratum, on average.
    raters : Raters or None
        None where raters do not differ.
    dissociation : Dissociation or None
        None where it is not drawn.
    unblinding : Unblinding or None
        None where nobody expects anything.
    entry : Entry or None
        None where everybody enters and nothing is known of them but their scores.
    safety : Safety or None
        None where nothing is watched.
    operations : Operations or None
        None where everybody is enrolled and treated as planned, at no cost.
    """

    index: int
    settings: Mapping[str, Any]
    arms: tuple[str, ...]
    arm_labels: tuple[str, ...]
    strata: tuple[str, ...]
    strata_labels: tuple[str, ...]
    outcomes: tuple[str, ...]
    outcome_labels: tuple[str, ...]
    visits_days: FloatArray
    strata_share: FloatArray
    strata_by: Literal["share", "quota"]
    scales: tuple[Scale | None, ...]
    lower_is_better: tuple[bool, ...]
    baseline_mean: FloatArray
    baseline_sd: FloatArray
    mean: FloatArray
    sd: FloatArray
    correlation: FloatArray
    allocation: Allocation
    dropout: Dropout | None
    estimands: tuple[Estimand, ...]
    sample_sizes: tuple[int, ...]
    clusters: tuple[Cluster, ...] = ()
    counts: tuple[Count, ...] = ()
    multiplicity: Multiplicity | None = None
    infusion_days: tuple[tuple[float, ...], ...] = ()
    infusion_model: InfusionModel | None = None
    therapies: tuple[Therapy, ...] = ()
    events: tuple[Event, ...] = ()
    intermittent: Intermittent | None = None
    heterogeneity: Heterogeneity | None = None
    raters: Raters | None = None
    dissociation: Dissociation | None = None
    unblinding: Unblinding | None = None
    entry: Entry | None = None
    safety: Safety | None = None
    operations: Operations | None = field(default=None, metadata=UNLESS_DEFAULT)


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """A scenario with nothing left open.

    Parameters
    ----------
    scenario : Scenario
        What the user wrote.
    title : str
    variants : tuple of Variant
        At least one; in the order of the `vary` lists, the last path running fastest.
    provenance : tuple of Provenance
        Source of every value at the scenario's base values.
    hash : str
        SHA-256 of the resolved content without title, description, labels and number of replicates.
    replicates, seed : int
    precision : float or None
        Half-width of the 95 % interval that every power is to have; replicates are added until it has.
    """

    scenario: Scenario
    title: str
    variants: tuple[Variant, ...]
    provenance: tuple[Provenance, ...]
    hash: str
    replicates: int
    seed: int
    precision: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the resolved scenario as JSON's types."""
        from trialsim.scenario.export import resolved_dict

        return resolved_dict(self)
