"""What happens to patients in the course of the trial: intercurrent events, and what an estimand does about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    Day,
    DayKey,
    HazardRatio,
    Label,
    Name,
    NumberByStratum,
    Positive,
    Protection,
    Row,
    Section,
    Share,
)

DropoutStrategy = Literal["hypothetical", "composite", "while_on_treatment"]
Strategy = Literal["treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum"]
AnalysisSet = Literal["itt", "mitt", "per_protocol"]

Rate = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1000)]
RateByStratum = Annotated[
    Annotated[Rate, Tag("as:number")] | Annotated[dict[Name, Rate], Tag("as:mapping")],
    BY_KIND,
]
RateByGroup = Annotated[
    Annotated[Rate, Tag("as:number")] | Annotated[dict[Name, RateByStratum], Tag("as:mapping")],
    BY_KIND,
]
Below1 = Annotated[Share, Field(lt=1)]
ShareByDay = Annotated[dict[DayKey, Below1], Field(min_length=1)]


def kind_of_shares(value: Any) -> str:
    """Return whether shares are given by day, or by arm and day."""
    inner = list(value.values()) if isinstance(value, dict) else []
    return "as:arms" if any(isinstance(part, dict | BaseModel) for part in inner) else "as:days"


class Event(Section):
    """Something that happens to some patients after randomisation, at most once to each."""

    label: Label | None = Field(None, description="Words shown for this event.")
    per_day: RateByGroup | None = Field(
        None, description="Hazard a day of a patient with an average score: one number, or by arm, stratum, or both."
    )
    share_by: (
        Annotated[
            Annotated[ShareByDay, Tag("as:days")] | Annotated[dict[Name, ShareByDay], Tag("as:arms")],
            Discriminator(kind_of_shares),
        ]
        | None
    ) = Field(None, description="Instead of per_day: share to whom it has happened by each day, for all or by arm.")
    arms: Row[Name] | None = Field(None, min_length=1, description="Arms in which it can happen; default: all.")
    outcome: Name | None = Field(None, description="Score that drives the hazard; default: the primary one.")
    score_hazard_ratio_per_sd: HazardRatio | None = Field(
        None, description="Hazard ratio for a score one SD worse than the average at that time."
    )
    depends_on: Literal["last", "current"] = Field(
        "last",
        description="last: on the last score seen, that before a missed visit (at random). current: on the score at "
        "the visit that follows, seen or not (not at random).",
    )
    from_day: Day = Field(0.0, description="It does not happen before this day.")
    until_day: Day | None = Field(None, description="It does not happen after this day.")
    only_after: Name | None = Field(
        None,
        description="Another event that must have happened before, or response: a visit at which a response is seen "
        "(depends_on: last), or is there, seen or not (current).",
    )
    hazard_ratio: dict[Name, Protection] | None = Field(
        None, description="Hazard ratio by therapy, from its first session on, until a patient stops it early."
    )
    infusion_hazard_ratio: (
        Annotated[
            Annotated[Protection, Tag("as:number")] | Annotated[dict[Name, Protection], Tag("as:mapping")],
            BY_KIND,
        ]
        | None
    ) = Field(
        None,
        description="Hazard ratio up to a patient's last infusion: one number for the arms with ketamine, or by arm.",
    )
    effect: dict[Name, NumberByStratum] | None = Field(
        None, description="Points added to each score from the next visit on, by outcome."
    )
    lasts_days: Positive | None = Field(None, description="Days that the effect lasts; default: to the end.")
    return_to_baseline: Share | None = Field(
        None,
        description="Share of the improvement that a patient would be expected to keep, given the scores up to the "
        "event, that is lost from the next visit on.",
    )
    stops_infusions: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether later infusions are not given; needs course.infusion_model."
    )
    stops_therapy: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether the patient goes to no more sessions of the therapy."
    )
    ends_follow_up: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether there is nothing to be seen any more, as after death."
    )


class IntercurrentEvents(Section):
    """How an estimand deals with what happens after randomisation (ICH E9 R1): dropout, and events by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Strategy]

    dropout: DropoutStrategy = Field(
        "hypothetical",
        description="Leaving the trial: as if nobody had left; leaving is a failure; or the last value before leaving.",
    )

    @property
    def events(self) -> dict[str, Strategy]:
        """Strategies by name of the event, those that are written."""
        return dict(self.__pydantic_extra__ or {})
