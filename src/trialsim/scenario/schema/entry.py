"""Who enters the trial: characteristics, eligibility by a screening score, a placebo run-in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    Correlation,
    Name,
    Number,
    Positive,
    PositiveByStratum,
    Section,
    Share,
)

ShareByStratum = Annotated[
    Annotated[Share, Tag("as:number")] | Annotated[dict[Name, Share], Tag("as:mapping")], BY_KIND
]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Years = Annotated[int, Field(strict=True, ge=0, le=120)]
Inside = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]
BetweenZeroAndOne = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, lt=1)]

_CORRELATION = "Correlation with the baseline score; 0: none."


class Age(Section):
    """Age in whole years: a truncated normal distribution."""

    mean: PositiveByStratum | None = Field(None, description="Mean in years, after truncation.")
    sd: PositiveByStratum | None = Field(None, description="Standard deviation in years, after truncation.")
    minimum: Years = Field(18, description="Youngest, years.")
    maximum: Years = Field(75, description="Oldest, years.")
    baseline_correlation: Correlation = Field(0.0, description=_CORRELATION)


class Proportion(Section):
    """Something that a share of participants has."""

    share: ShareByStratum | None = Field(None, description="Share of participants, 0 to 1.")
    baseline_correlation: Correlation = Field(0.0, description=_CORRELATION)


class FailedTreatments(Section):
    """Treatments of the present episode that have failed: whole numbers, a least one plus a Poisson variable."""

    mean: PositiveByStratum | None = Field(None, description="Mean number.")
    minimum: Annotated[int, Field(strict=True, ge=0, le=20)] = Field(2, description="Least number, 2 for TRD.")
    baseline_correlation: Correlation = Field(0.0, description=_CORRELATION)


class Characteristics(Section):
    """What participants bring along; all four are drawn, with defaults for what is not said."""

    outcome: Name | None = Field(
        None, description="Outcome whose baseline the correlations are with; default: the primary one."
    )
    age: Age = Field(default_factory=lambda: Age(), description="Age in whole years.")
    female: Proportion = Field(default_factory=lambda: Proportion(), description="Sex.")
    bipolar: Proportion = Field(default_factory=lambda: Proportion(), description="Bipolar rather than unipolar.")
    failed_treatments: FailedTreatments = Field(
        default_factory=lambda: FailedTreatments(), description="Number of failed treatments."
    )


class Eligibility(Section):
    """A cut-off on a screening score; baselines written for strata are those of the unselected."""

    outcome: Name = Field(description="Outcome that is rated at screening.")
    at_least: Number | None = Field(None, description="Lowest screening score that is eligible, points.")
    at_most: Number | None = Field(None, description="Highest screening score that is eligible, points.")
    screening_correlation: Inside | None = Field(
        None, description="Correlation of the screening score with the baseline, among the unselected."
    )
    days_before: Annotated[float, Field(strict=True, gt=0, le=365)] = Field(
        7.0, description="Days from screening to baseline; the screening correlation is that over these days."
    )
    inflation: NotNegative = Field(
        0.0, description="Points added to the recorded screening and baseline score of who would have failed by little."
    )
    inflation_window: Positive | None = Field(
        None, description="Points below at_least within which scores are inflated; default: inflation."
    )


class Improvement(Section):
    """Improvement in the run-in, as a share of the score at its start: a normal distribution."""

    mean: Annotated[Annotated[Number, Tag("as:number")] | Annotated[dict[Name, Number], Tag("as:mapping")], BY_KIND] = (
        Field(description="Mean share.")
    )
    sd: PositiveByStratum = Field(description="Standard deviation of the share.")


class RunIn(Section):
    """A placebo run-in before baseline; who responds is not randomised."""

    days: Annotated[float, Field(strict=True, gt=0, le=365)] = Field(7.0, description="How long it lasts.")
    response: Inside = Field(description="Improvement, as a share of the score at its start, that excludes.")
    outcome: Name | None = Field(
        None, description="Outcome that is rated; default: that of eligibility, else the primary one."
    )
    improvement: Improvement | None = Field(
        None, description="Mean and SD of the improvement; default: as the control arms improve in as many days."
    )
    correlation: BetweenZeroAndOne | None = Field(
        None, description="Correlation of improvement in the run-in with later improvement without the drug."
    )


__all__ = ["Age", "Characteristics", "Eligibility", "FailedTreatments", "Improvement", "Proportion", "RunIn"]
