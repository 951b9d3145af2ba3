"""Safety: adverse events, suicide attempts, and a rule that stops the trial for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    Label,
    Name,
    Positive,
    PositiveByStratum,
    Row,
    Section,
    Share,
    Whole,
)

NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]


class AdverseEvent(Section):
    """An adverse event, by infusion or by day."""

    label: Label | None = Field(None, description="Words shown for this event.")
    per_infusion: (
        Annotated[Annotated[Share, Tag("as:number")] | Annotated[dict[Name, Share], Tag("as:mapping")], BY_KIND] | None
    ) = Field(
        None,
        description="Share of infusions with it: one for all, or by arm or kind of infusion (an arm's comes first); "
        "default: that of the evidence catalogue, where it knows the event.",
    )
    per_day: (
        Annotated[
            Annotated[NotNegative, Tag("as:number")] | Annotated[dict[Name, NotNegative], Tag("as:mapping")], BY_KIND
        ]
        | None
    ) = Field(None, description="Mean number a day, for all arms or by arm (else 0); instead of per_infusion.")


class SuicideAttempts(Section):
    """Suicide attempts, counted as anything in `counts` is."""

    rate_per_year: PositiveByStratum | None = Field(
        None,
        description="Mean number a person-year without the drug or therapy; default: by group, from the catalogue.",
    )
    rate_ratio: dict[Name, Positive] | None = Field(
        None, description="Rate over that, by arm; default: that of DBT in arms with a therapy, 1 in others."
    )
    dispersion: NotNegative = Field(0.0, description="Variance of the patients' rates over their squared mean.")


class StoppingRule(Section):
    """When an excess of an event in the active arm stops the trial."""

    event: Name = Field(description="An adverse event, a count, an event after randomisation, or suicide_attempts.")
    look_every: Whole | None = Field(None, description="Look each time that many more patients have completed.")
    looks: Annotated[Row[Whole], Field(min_length=1, max_length=200)] | None = Field(
        None, description="Look when these numbers of patients have completed; instead of look_every."
    )
    alpha: Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)] = Field(
        0.025, description="One-sided p at or below which a look stops the trial."
    )
    contrast: Annotated[Row[Name], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Arm that is watched, and the arm it is held against; default: those of the primary estimand."
    )


class Safety(Section):
    """What is watched for patients' safety."""

    adverse_events: dict[Name, AdverseEvent | None] | None = Field(
        None, max_length=20, description="By name; default: those that the evidence catalogue knows."
    )
    suicide_attempts: SuicideAttempts | None = Field(None, description="Suicide attempts; without it there are none.")
    stopping_rule: StoppingRule | None = Field(None, description="Without it nothing stops the trial.")


__all__ = ["AdverseEvent", "Safety", "StoppingRule", "SuicideAttempts"]
