"""Schema 1 of a scenario: which keys there are and what kind of value each takes.

Only the shape is told here. What the values mean together (shares that add to 1, an outcome that is measured) is
checked in `trialsim.scenario.checking`, so that all faults can be shown at once. A field that is left out is None, and
its default is found, with its source, in `trialsim.scenario.resolving`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

T = TypeVar("T")

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Correlation = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=-1, lt=1)]
Day = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=36_525)]
Whole = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
DayKey = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{1,5}(\.[0-9]{1,6})?$")]
Label = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strict=True, max_length=10_000)]
Row = Annotated[tuple[T, ...], Field(strict=False)]


def kind_of(value: Any) -> str:
    """Return which member of a union a value belongs to; the tag is dropped from error locations."""
    if isinstance(value, dict):
        return "as:mapping"
    if isinstance(value, list | tuple):
        return "as:list"
    return "as:text" if isinstance(value, str) else "as:number"


_BY_KIND = Discriminator(kind_of)
NumberByStratum = Annotated[
    Annotated[Number, Tag("as:number")] | Annotated[dict[Name, Number], Tag("as:mapping")], _BY_KIND
]
PositiveByStratum = Annotated[
    Annotated[Positive, Tag("as:number")] | Annotated[dict[Name, Positive], Tag("as:mapping")], _BY_KIND
]
CorrelationByStratum = Annotated[
    Annotated[Correlation, Tag("as:number")] | Annotated[dict[Name, Correlation], Tag("as:mapping")], _BY_KIND
]
Change = Annotated[Annotated[Number, Tag("as:number")] | Annotated[Label, Tag("as:text")], _BY_KIND]
ChangeByStratum = Annotated[
    Annotated[Number, Tag("as:number")]
    | Annotated[Label, Tag("as:text")]
    | Annotated[dict[Name, Change], Tag("as:mapping")],
    _BY_KIND,
]
MeansByStratum = Annotated[
    Annotated[Row[Number], Tag("as:list")] | Annotated[dict[Name, Row[Number]], Tag("as:mapping")], _BY_KIND
]


class Section(BaseModel):
    """Base of all parts of a scenario: unknown keys are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Moments(Section):
    """Mean and standard deviation of a score, in its points."""

    mean: Number = Field(description="Mean in points.")
    sd: Positive = Field(description="Standard deviation in points.")


class Stratum(Section):
    """One group of patients."""

    share: Share | None = Field(None, description="Share of all participants; the shares add to 1.")
    label: Label | None = Field(None, description="Words shown for this stratum.")
    group: Name | None = Field(None, description="Evidence group (bpd, no_bpd); default: the stratum's name.")
    baseline: (
        Annotated[
            Annotated[Label, Tag("as:text")] | Annotated[dict[Name, Moments], Tag("as:mapping")], Discriminator(kind_of)
        ]
        | None
    ) = Field(
        None, description="Baseline scores: an evidence set such as defaults.trd_bpd, or mean and sd per outcome."
    )


class Population(Section):
    """Who takes part."""

    strata: dict[Name, Stratum] = Field(min_length=1, max_length=20, description="Groups of patients, by name.")
    strata_by: Literal["share", "quota"] = Field(
        "share", description="share: every participant's stratum is drawn; quota: exact proportions."
    )


class Grid(Section):
    """The grid a bounded score lives on."""

    min: Number = Field(description="Lowest possible score.")
    max: Number = Field(description="Highest possible score.")
    step: Positive = Field(description="Distance between neighbouring scores.")


class Outcome(Section):
    """One score that is measured at baseline and at every visit."""

    instrument: Name | None = Field(
        None, description="Instrument in the evidence catalogue; default: the outcome's name."
    )
    label: Label | None = Field(None, description="Words shown for this outcome.")
    scale: (
        Annotated[
            Annotated[Literal["bounded", "continuous"], Tag("as:text")] | Annotated[Grid, Tag("as:mapping")],
            Discriminator(kind_of),
        ]
        | None
    ) = Field(None, description="bounded (by the instrument), continuous, or {min, max, step}.")
    lower_is_better: bool | None = Field(None, description="Whether a lower score is a benefit.")
    post_sd: PositiveByStratum | None = Field(
        None, description="SD of the score at each visit after baseline, in points."
    )
    residual_sd: PositiveByStratum | None = Field(
        None, description="SD after adjusting for baseline, in points; gives the correlation with baseline."
    )
    baseline_correlation: CorrelationByStratum | None = Field(
        None, description="Correlation of the baseline with later scores; instead of residual_sd."
    )


class Schedule(Section):
    """Days of infusions and visits."""

    infusions: Row[Day] = Field((), max_length=200, description="Days of infusions, rising; the first is usually 0.")
    visits: Row[Day] = Field(
        min_length=1,
        max_length=50,
        description="Days of visits after baseline, rising; a visit on an infusion day comes first.",
    )


class Arm(Section):
    """One treatment arm."""

    infusion: Literal["ketamine", "midazolam", "saline", "none"] | None = Field(None, description="What is infused.")
    label: Label | None = Field(None, description="Words shown for this arm.")


class Allocation(Section):
    """How participants are randomised."""

    ratio: Row[Annotated[int, Field(strict=True, ge=1, le=100)]] | None = Field(
        None, description="One whole number per arm; default: all 1."
    )
    method: Literal["permuted_blocks", "complete"] = Field(
        "permuted_blocks", description="Permuted blocks, or an independent draw for every participant (complete)."
    )
    block_sizes: Row[Whole] | None = Field(
        None, min_length=1, description="Multiples of the ratio's sum; default: twice and three times the sum."
    )
    stratify_by: Row[Literal["stratum"]] | None = Field(
        None, max_length=1, description="[stratum] for one list per stratum, [] for one list in all."
    )


class Course(Section):
    """How scores change over the visits."""

    timing: dict[DayKey, Number] | None = Field(
        None, description="Share of the final change reached at each visit day."
    )
    control_change: dict[Name, NumberByStratum] | None = Field(
        None, description="Mean change at the last visit in the control arms, in points, per outcome."
    )
    means: dict[Name, dict[Name, MeansByStratum]] | None = Field(
        None, description="Mean scores at every visit per outcome and arm; such an outcome takes no effect."
    )


class Effect(Section):
    """What an active arm does; exactly one of open_label_change, points and standardised."""

    open_label_change: (
        Annotated[
            Annotated[Label, Tag("as:text")] | Annotated[dict[Name, ChangeByStratum], Tag("as:mapping")],
            Discriminator(kind_of),
        ]
        | None
    ) = Field(None, description="Change seen without a control: a study such as danayan2023, or points per outcome.")
    specific_share: (
        Annotated[
            Annotated[Share, Tag("as:number")] | Annotated[dict[Name, Share], Tag("as:mapping")], Discriminator(kind_of)
        ]
        | None
    ) = Field(None, description="Share of the open-label change that the control arm does not have (0 to 1).")
    points: dict[Name, NumberByStratum] | None = Field(
        None, description="Active minus control at the last visit, in points, per outcome."
    )
    standardised: dict[Name, NumberByStratum] | None = Field(
        None, description="Active minus control at the last visit, in standard deviations, per outcome."
    )
    standardised_by: Literal["post_sd", "residual_sd", "baseline_sd"] | None = Field(
        None, description="Which standard deviation; default: post_sd."
    )
    versus: Name | None = Field(
        None, description="Control arm that points or standardised refer to, when there are several."
    )


class VisitCorrelation(Section):
    """Correlation between visits after baseline."""

    structure: Literal["decay", "compound_symmetry", "ar1", "toeplitz", "unstructured"] = Field(
        "decay", description="How the correlation depends on the distance between two visits."
    )
    anchors: dict[DayKey, Share] | None = Field(None, description="decay: correlation by distance in days.")
    rho: (
        Annotated[
            Annotated[Correlation, Tag("as:number")] | Annotated[Row[Correlation], Tag("as:list")],
            Discriminator(kind_of),
        ]
        | None
    ) = Field(None, description="One number (compound_symmetry, ar1), or one per distance in visits (toeplitz).")
    matrix: Row[Row[Number]] | None = Field(None, description="unstructured: one row and column per visit.")


class OutcomePair(Section):
    """Correlation of two outcomes measured on the same day."""

    pair: Annotated[Row[Name], Field(min_length=2, max_length=2)] = Field(description="Two outcomes.")
    baseline: Correlation | None = Field(None, description="Correlation at baseline.")
    later: Correlation | None = Field(None, description="Correlation at visits after baseline.")


class Covariance(Section):
    """How scores hang together."""

    visits: VisitCorrelation = Field(default_factory=lambda: VisitCorrelation(), description="Between visits.")
    outcomes: Row[OutcomePair] = Field((), description="Between outcomes.")
    repair: Literal["none", "nearest"] = Field(
        "none", description="nearest: an impossible correlation matrix is replaced by the nearest possible one."
    )


class Dropout(Section):
    """Who leaves the trial."""

    model: Literal["mcar", "mar"] = Field("mar", description="mcar: at random; mar: by the last observed score.")
    missing_by: dict[DayKey, Annotated[Share, Field(lt=1)]] | None = Field(
        None, min_length=1, description="Cumulative share of the randomised missing by each day."
    )
    never_starts: Annotated[Share, Field(lt=1)] = Field(0.0, description="Share who never start, part of missing_by.")
    outcome: Name | None = Field(None, description="Outcome that drives dropout; default: the primary one.")
    score_hazard_ratio_per_sd: Positive | None = Field(None, description="Hazard ratio for a score one SD worse (mar).")
    arm_hazard_ratio: dict[Name, Positive] | None = Field(None, description="Hazard ratio per arm; default 1.")
    stratum_hazard_ratio: dict[Name, Positive] | None = Field(None, description="Hazard ratio per stratum.")


class Estimand(Section):
    """A question of the trial."""

    outcome: Name = Field(description="Which outcome.")
    visit: Day = Field(description="Day of the visit.")
    contrast: Annotated[Row[Name], Field(min_length=2, max_length=2)] = Field(description="[active arm, control arm].")
    label: Label | None = Field(None, description="Words shown for this estimand.")


CovarianceName = Literal[
    "unstructured",
    "compound_symmetry",
    "ar1",
    "toeplitz",
    "ante_dependence",
    "heterogeneous_compound_symmetry",
    "heterogeneous_ar1",
    "heterogeneous_toeplitz",
    "heterogeneous_ante_dependence",
]
DfMethod = Literal["satterthwaite", "kenward-roger", "kenward-roger-mmrm", "residual", "between-within"]


StrategyName = Literal[
    "missing_at_random", "jump_to_reference", "copy_reference", "copy_increments", "last_mean_carried_forward"
]


class Analysis(Section):
    """One way to estimate an estimand."""

    name: Name | None = Field(None, description="What it is called in the results; default: the method.")
    method: Literal["mmrm", "clda", "ancova", "t_test", "welch", "reference_based"] = Field(
        "mmrm",
        description="Mixed model for repeated measures; the same with the baseline as a response (constrained "
        "longitudinal data analysis); ANCOVA, Student's or Welch's t test at the visit; or ANCOVA after "
        "reference-based conditional-mean imputation, with jackknife standard errors.",
    )
    covariance: CovarianceName | None = Field(
        None, description="Covariance over visits of an MMRM or cLDA; default: unstructured."
    )
    df: DfMethod | None = Field(
        None, description="Degrees of freedom; default: satterthwaite for an MMRM, kenward-roger for a cLDA."
    )
    covariates: Row[Literal["baseline", "stratum"]] | None = Field(None, description="Default: baseline and stratum.")
    variance: Literal["constant", "hc2", "hc3"] | None = Field(
        None, description="Standard errors of an ANCOVA: one residual variance (default), or robust to unequal ones."
    )
    strategy: StrategyName | None = Field(
        None, description="What a reference_based analysis assumes of those who left; default: jump_to_reference."
    )
    alpha: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(0.05, description="Two-sided level.")
    fallback: Literal["default", "none"] | None = Field(
        None, description="default: simpler covariance structures are tried when an MMRM does not converge."
    )


class Simulation(Section):
    """How much is simulated."""

    replicates: Whole = Field(500, description="Number of simulated trials per cell.")
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(1, description="Seed of all random numbers.")


OneOrMoreAnalyses = Annotated[
    Annotated[Analysis, Tag("as:mapping")] | Annotated[Annotated[Row[Analysis], Field(min_length=1)], Tag("as:list")],
    _BY_KIND,
]
SampleSize = Annotated[int, Field(strict=True, ge=4, le=100_000)]


class Content(Section):
    """A scenario: what is true, what is chosen, and what is asked."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    title: Label = Field(description="Title shown in reports.")
    description: Text | None = Field(None, description="What this scenario is for.")
    population: Population
    outcomes: (
        Annotated[
            Annotated[Row[Name], Tag("as:list")] | Annotated[dict[Name, Outcome | None], Tag("as:mapping")],
            Discriminator(kind_of),
        ]
        | None
    ) = Field(None, description="What is measured; default: the outcomes of the estimands.")
    schedule: Schedule
    arms: dict[Name, Arm | None] = Field(min_length=2, max_length=20, description="Treatment arms, by name.")
    allocation: Allocation = Field(default_factory=lambda: Allocation())
    course: Course = Field(default_factory=lambda: Course())
    effects: dict[Name, Effect] = Field(default_factory=dict, description="Effects of the active arms, by arm.")
    covariance: Covariance = Field(default_factory=lambda: Covariance())
    dropout: Dropout | None = Field(None, description="Who leaves; without it the data are complete.")
    estimands: dict[Name, Estimand] = Field(min_length=1, max_length=50, description="Questions; one is named primary.")
    analysis: dict[Name, OneOrMoreAnalyses] = Field(default_factory=dict, description="Analyses, by estimand.")
    sample_size: Annotated[
        Annotated[SampleSize, Tag("as:number")]
        | Annotated[Annotated[Row[SampleSize], Field(min_length=1, max_length=200)], Tag("as:list")],
        _BY_KIND,
    ] = Field(description="Number randomised in all; a list is tried one by one.")
    simulation: Simulation = Field(default_factory=lambda: Simulation())
    vary: dict[str, Annotated[list[Any], Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict, description="Values to try for any path of this scenario; several paths are crossed."
    )
