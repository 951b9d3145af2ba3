"""What is asked: estimands and their endpoints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from trialsim.scenario.schema.events import AnalysisSet, IntercurrentEvents
from trialsim.scenario.schema.values import (
    Day,
    Label,
    Name,
    Number,
    Positive,
    Row,
    Section,
    kind_of,
)


class Criterion(Section):
    """When a score counts as met; exactly one key."""

    reduction: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        None, description="Improved by at least this share of the baseline score (0.5: halved or better)."
    )
    lost_reduction: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        None, description="Improved by less than this share of the baseline score; unfavourable."
    )
    at_most: Number | None = Field(None, description="Score at or below this, points.")
    at_least: Number | None = Field(None, description="Score at or above this, points.")
    event: Name | None = Field(None, description="One of `events` has happened; of a time only, and unfavourable.")


CriterionName = Literal["response", "remission", "relapse"]


class TimeTo(Section):
    """Time from a day to the first visit at which a criterion is met."""

    time_to: Annotated[
        Annotated[CriterionName, Tag("as:text")] | Annotated[Criterion, Tag("as:mapping")], Discriminator(kind_of)
    ] = Field(description="response, remission, relapse (improved by less than half), or a criterion.")
    from_day: Day = Field(
        0.0,
        alias="from",
        description="Day the clock starts: 0 or a visit. Who meets the criterion at that visit has an event at once.",
    )


def kind_of_endpoint(value: Any) -> str:
    """Return which kind of endpoint a value describes."""
    if isinstance(value, dict):
        return "as:mapping" if "time_to" in value or "from" in value else "as:criterion"
    if isinstance(value, BaseModel):
        return "as:mapping" if isinstance(value, TimeTo) else "as:criterion"
    return "as:text"


Endpoint = Annotated[
    Annotated[Literal["score", "response", "remission"], Tag("as:text")]
    | Annotated[TimeTo, Tag("as:mapping")]
    | Annotated[Criterion, Tag("as:criterion")],
    Discriminator(kind_of_endpoint),
]


Side = Annotated[
    Annotated[Name, Tag("as:text")] | Annotated[Annotated[Row[Name], Field(min_length=1)], Tag("as:list")],
    Discriminator(kind_of),
]
Contrast = Annotated[
    Annotated[Annotated[Row[Side], Field(min_length=2, max_length=2)], Tag("as:list")]
    | Annotated[Annotated[dict[Name, Number], Field(min_length=2)], Tag("as:mapping")],
    Discriminator(kind_of),
]


class Estimand(Section):
    """A question of the trial."""

    outcome: Name = Field(description="Which outcome, or which count.")
    visit: Day = Field(description="Day of the visit; of a time to event or a count, the last day that is followed.")
    contrast: Contrast = Field(
        description="[active arm, control arm]; either may be a list of arms, taken with equal weights; or weights by "
        "arm that add to 0, such as {ketamine_dbt: 1, ketamine: -1, dbt: -1, neither: 1} for an interaction."
    )
    label: Label | None = Field(None, description="Words shown for this estimand.")
    endpoint: Endpoint | None = Field(
        None,
        description="score (default), response, remission, a criterion such as {at_most: 10}, or a time to an event "
        "such as {time_to: relapse, from: 14}.",
    )
    intercurrent_events: IntercurrentEvents = Field(
        default_factory=lambda: IntercurrentEvents(),
        description="Strategies for dropout and for events by name; default of an event: treatment_policy.",
    )
    analysis_set: AnalysisSet = Field(
        "itt",
        description="Who is analysed: all randomised (itt), those with at least one infusion (mitt), or those with all "
        "infusions who stopped nothing (per_protocol).",
    )
    expectancy: Literal["included", "excluded"] = Field(
        "included",
        description="included: the true value is what the trial as it is masked would find without end. excluded: that "
        "of the drug alone, had nobody gained or lost by what they believe; the rest of an estimate is bias.",
    )
    failure_score: Literal["baseline", "worst"] | None = Field(
        None, description="Score of who left, where leaving is a failure; default: baseline."
    )
    interaction: Annotated[Row[Name], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[stratum, stratum]: does the effect differ, the first minus the second?"
    )
    non_inferiority_margin: Positive | None = Field(
        None, description="Active may be worse by less than this (points, risk, or log ratio)."
    )
    equivalence_margin: Positive | None = Field(
        None, description="Active and control may differ by less than this either way (TOST)."
    )
