"""The resolved scenario: every number a simulation needs, checked once and then trusted.

A `Resolved` holds one `Variant` per combination of the scenario's `vary` lists. Arrays are read-only and keep their
axes in one order: `A` arms, `S` strata, `V` visits after baseline, `K` outcomes. `J = K (V + 1)` counts all scores of
one participant, the baselines of all outcomes first, then visit 1 of all outcomes, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trialsim.scenario.loading import Scenario

    FloatArray = NDArray[np.float64]


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
    """

    path: str
    value: Any
    source: Literal["given", "default", "evidence"]
    tag: str | None = None
    citation: str | None = None
    note: str = ""


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
    model : {'mcar', 'mar'}
        Completely at random, or with a hazard that depends on the last observed score.
    days : tuple of float
        Days, rising, at which the cumulative share missing is given; the last is no earlier than the last visit.
    missing : tuple of float
        Cumulative share of the randomised missing by each of `days`, those who never start included.
    never_starts : float
        Share of the randomised who leave before any visit after baseline.
    outcome : int
        Index of the outcome whose last observed score drives the hazard.
    score_hazard_ratio_per_sd : float
        Hazard ratio for a score one standard deviation worse; 1 for `mcar`.
    arm_hazard_ratio : ndarray, shape (A,)
    stratum_hazard_ratio : ndarray, shape (S,)
    """

    model: Literal["mcar", "mar"]
    days: tuple[float, ...]
    missing: tuple[float, ...]
    never_starts: float
    outcome: int
    score_hazard_ratio_per_sd: float
    arm_hazard_ratio: FloatArray
    stratum_hazard_ratio: FloatArray


@dataclass(frozen=True, slots=True)
class Analysis:
    """One way to estimate an estimand.

    Parameters
    ----------
    method : {'mmrm', 'clda', 'ancova', 't_test', 'welch', 'reference_based'}
    covariance : str
        Covariance structure over visits; 'none' for what looks at one visit.
    df : str
        Method for denominator degrees of freedom; 'residual' for an ANCOVA or t test, 'normal' for reference_based.
    covariates : tuple of str
        Any of 'baseline' and 'stratum'.
    alpha : float
        Two-sided level.
    fallback : {'default', 'none'}
        Whether simpler covariance structures are tried when a fit does not converge.
    name : str
        What it is called in the results; no two of an estimand share it.
    variance : {'constant', 'hc2', 'hc3'}
        Standard errors of an ANCOVA.
    strategy : str
        What a reference_based analysis assumes of those who left; 'none' for the others.
    """

    method: Literal["mmrm", "clda", "ancova", "t_test", "welch", "reference_based"]
    covariance: str
    df: str
    covariates: tuple[str, ...]
    alpha: float
    fallback: Literal["default", "none"]
    name: str
    variance: Literal["constant", "hc2", "hc3"] = "constant"
    strategy: str = "none"


@dataclass(frozen=True, slots=True)
class Estimand:
    """A question of the trial: one outcome at one visit, active minus control.

    Parameters
    ----------
    name, label : str
    outcome, visit : int
        Indices into the variant's outcomes and visits.
    active, control : int
        Indices into the variant's arms.
    true_value : float
        Difference of the true means in points, averaged over strata with their shares as weights.
    analyses : tuple of Analysis
    """

    name: str
    label: str
    outcome: int
    visit: int
    active: int
    control: int
    true_value: float
    analyses: tuple[Analysis, ...]


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
    """

    scenario: Scenario
    title: str
    variants: tuple[Variant, ...]
    provenance: tuple[Provenance, ...]
    hash: str
    replicates: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the resolved scenario as JSON's types."""
        from trialsim.scenario.export import resolved_dict

        return resolved_dict(self)
