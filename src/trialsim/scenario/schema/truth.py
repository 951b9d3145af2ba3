"""What is true: who takes part, how they fare, who leaves, what hangs together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from trialsim.scenario.schema.entry import Characteristics, Eligibility, RunIn
from trialsim.scenario.schema.values import (
    BY_KIND,
    ChangeByStratum,
    Correlation,
    CorrelationByStratum,
    Day,
    DayKey,
    HazardRatio,
    IccByOutcome,
    Label,
    MeansByStratum,
    Name,
    Number,
    NumberByArm,
    NumberByStratum,
    Positive,
    PositiveByStratum,
    Row,
    Section,
    Share,
    kind_of,
)
from trialsim.scenario.schema.variation import Attendance, EffectSd


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
    characteristics: Characteristics | None = Field(
        None, description="What participants bring along; without it nothing is drawn."
    )
    eligibility: Eligibility | None = Field(None, description="A cut-off on a screening score; without it all enter.")
    run_in: RunIn | None = Field(None, description="A placebo run-in whose responders are not randomised.")


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


class InfusionModel(Section):
    """How the effect of infusions builds up and fades, so that any schedule of infusions has its course."""

    gain: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        None, description="Share of what is still to be gained that one infusion adds."
    )
    half_life_days: Positive | None = Field(None, description="Days in which what an infusion added is halved.")
    onset_days: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None = Field(
        None, description="Days until an infusion has its whole effect."
    )
    natural_half_time_days: Positive | None = Field(
        None, description="Days in which half of the change without the drug is reached; it lasts."
    )


class Course(Section):
    """How scores change over the visits."""

    infusion_model: InfusionModel | None = Field(
        None,
        description="Build-up and fading of the infusions' effect; changes and effects then are those on day 14 of "
        "four infusions on days 0, 3, 7 and 10. Without it the change of the last visit is spread by `timing`.",
    )

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


class TherapyEffect(Section):
    """What a therapy adds to one outcome by its end; one of points and standardised."""

    points: NumberByStratum | None = Field(None, description="Difference to no therapy, points.")
    standardised: NumberByStratum | None = Field(None, description="The same in SDs of the score (post_sd).")


class Therapy(Section):
    """A course of sessions beside the infusions, such as a DBT skills group."""

    label: Label | None = Field(None, description="Words shown for this therapy.")
    effects: dict[Name, TherapyEffect] | None = Field(
        None, description="By outcome; default: that of DBT in the evidence catalogue."
    )
    start_day: Day = Field(0.0, description="Day of the first session.")
    weeks: Annotated[float, Field(strict=True, gt=0, le=520)] | None = Field(
        None, description="Weeks of weekly sessions; the effect is whole at their end and lasts."
    )
    onset_weeks: Annotated[float, Field(strict=True, ge=0, le=520)] | None = Field(
        None, description="Weeks without any effect; from then on it grows evenly."
    )
    attendance: Attendance | None = Field(
        None, description="Sessions attended; without it everybody has the effect of the therapy alike."
    )
    synergy: Annotated[float, Field(strict=True, ge=-1, allow_inf_nan=False)] | None = Field(
        None,
        description="Share by which the effect is larger in arms with ketamine (0: effects add up; -1: none is left).",
    )
    synergy_window_days: Positive | None = Field(
        None,
        description="Days after an infusion in which sessions bring that much more; default: they always do.",
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

    model: Literal["mcar", "mar", "mnar"] = Field(
        "mar",
        description="mcar: at random; mar: by the last observed score; mnar: by the score that would be seen next.",
    )
    missing_by: dict[DayKey, Share] | None = Field(
        None, min_length=1, description="Cumulative share of the randomised missing by each day; 1 is everyone."
    )
    never_starts: Share = Field(0.0, description="Share who never start, part of missing_by.")
    outcome: Name | None = Field(None, description="Outcome that drives dropout; default: the primary one.")
    score_hazard_ratio_per_sd: HazardRatio | None = Field(
        None, description="Hazard ratio for a score one SD worse (mar, mnar)."
    )
    arm_hazard_ratio: dict[Name, HazardRatio] | None = Field(None, description="Hazard ratio per arm; default 1.")
    stratum_hazard_ratio: dict[Name, HazardRatio] | None = Field(None, description="Hazard ratio per stratum.")
    delta: dict[Name, NumberByArm] | None = Field(
        None,
        min_length=1,
        description="Points by which unseen scores of who left differ from those of like patients who stayed, by "
        "outcome, for all arms or by arm (not at random).",
    )


GroupSize = Annotated[int, Field(strict=True, ge=2, le=10_000)]


class Cluster(Section):
    """Groups of patients whose scores after baseline hang together."""

    arms: Row[Name] | None = Field(
        None, description="Arms that have such groups; default: those with the therapy, or those led, or all."
    )
    size: (
        Annotated[
            Annotated[GroupSize, Tag("as:number")]
            | Annotated[Annotated[Row[GroupSize], Field(min_length=2, max_length=2)], Tag("as:list")],
            BY_KIND,
        ]
        | None
    ) = Field(
        None,
        description="Patients in a group, filled in order of enrolment within the arm; [6, 10]: each size as likely.",
    )
    number: GroupSize | None = Field(
        None,
        description="Number of groups, such as sites, which patients join in turn; instead of size. With entry "
        "rolling: of groups side by side in each arm.",
    )
    entry: Literal["closed", "rolling"] = Field(
        "closed",
        description="closed: a group is filled, then the next begins. rolling: newcomers take the places of those who "
        "finish, so that a group shares less with who joins later; needs size and number.",
    )
    therapy: Name | None = Field(
        None,
        description="Therapy that the groups sit in: what they share grows with it; default: the same at all visits.",
    )
    of: Name | None = Field(None, description="Other groups that these lead, as therapists do; with groups_each.")
    groups_each: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = Field(
        None, description="Groups that one therapist leads, in order of their beginning."
    )
    made_by: Literal["sites", "therapy_groups"] | None = Field(
        None, description="Groups that come about in `operations`: its sites, or its therapy groups; instead of size."
    )
    icc: IccByOutcome = Field(
        description="Intraclass correlation of scores after baseline, for all outcomes or by outcome."
    )
    effect_sd: EffectSd | None = Field(
        None,
        description="SD between groups of the drug's effect: in SDs of the scores, or in points by outcome; with "
        "number.",
    )
    label: Label | None = Field(None, description="Words shown for these groups.")


class Count(Section):
    """Events that are counted, such as acts of self-harm: negative binomial, a gamma-distributed rate per patient."""

    rate_per_year: PositiveByStratum = Field(description="Mean events a year in the control arms.")
    dispersion: Annotated[float, Field(strict=True, ge=0, le=1000, allow_inf_nan=False)] = Field(
        0.0, description="Variance of the patients' rates over their squared mean; 0 gives Poisson counts."
    )
    rate_ratio: dict[Name, PositiveByStratum] = Field(
        default_factory=dict, description="Rate over that of the controls, by active arm; default 1."
    )
    label: Label | None = Field(None, description="Words shown for this count.")
    lower_is_better: Annotated[bool, Field(strict=True)] = Field(True, description="Whether fewer events are better.")
