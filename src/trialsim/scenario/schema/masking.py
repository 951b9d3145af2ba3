"""What patients feel of an infusion, what they then believe, and what believing does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    Correlation,
    Day,
    Name,
    Number,
    NumberByStratum,
    Positive,
    Row,
    Section,
    Share,
    kind_of,
)

Infusion = Literal["ketamine", "midazolam", "saline"]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Inside = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]


class InfusionDissociation(Section):
    """CADSS at each infusion of one kind."""

    mean: Annotated[Row[NotNegative], Field(min_length=1, max_length=200)] | None = Field(
        None, description="Mean at each infusion, points; the last number holds for all that follow."
    )
    sd: Annotated[Row[Positive], Field(min_length=1, max_length=200)] | None = Field(
        None, description="SD at each infusion, points; the last number holds for all that follow."
    )
    zeros: Annotated[Share, Field(lt=1)] | None = Field(None, description="Share of patients who score 0.")


class Dissociation(Section):
    """CADSS at each infusion; what is left out comes from the evidence catalogue."""

    infusions: dict[Infusion, InfusionDissociation] = Field(
        default_factory=dict, description="By what is infused: ketamine, midazolam, saline."
    )
    correlation: Correlation | None = Field(None, description="Between any two infusions of a patient.")
    bpd_multiplier: Positive | None = Field(None, description="Of mean and SD in strata of the evidence group bpd.")


class GuessAtVisit(Section):
    """A visit at which patients guess."""

    visit: Day = Field(description="Day of a visit; they go by the infusions before it.")


class RaterBelief(Section):
    """What raters believe, and what it does to their ratings."""

    expectancy: dict[Name, NumberByStratum] = Field(
        min_length=1,
        description="By clinician-rated outcome: points by which those believed to have the active drug are rated "
        "better than those believed to have the control.",
    )
    follows_patient: Share | None = Field(
        None, description="Share of raters who believe what their patient believes; the others toss a coin. Default 1."
    )
    central: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="true: raters know nothing of the patient's belief, and add nothing. Default: raters.central."
    )


class Unblinding(Section):
    """Patients guess their arm from what they felt, and fare better where they believe in the active drug."""

    guess: (
        Annotated[
            Annotated[Literal["midazolam", "saline", "perfect"], Tag("as:text")]
            | Annotated[dict[Name, Inside], Tag("as:mapping")],
            Discriminator(kind_of),
        ]
        | None
    ) = Field(
        None,
        description="Share of each arm that guesses active: by arm; or as in trials against midazolam or saline; or "
        "perfect masking (half of every arm, whatever it felt). Default: that of the arms' control infusion.",
    )
    slope: Number | None = Field(
        None,
        description="What the log odds of guessing active gain with log(1 + worst CADSS); the rest of the difference "
        "between arms is other cues. Default: solved, so that guesses come from dissociation alone.",
    )
    after: Annotated[
        Annotated[Literal["each_infusion"], Tag("as:text")]
        | Annotated[Annotated[int, Field(strict=True, ge=1, le=200)], Tag("as:number")]
        | Annotated[GuessAtVisit, Tag("as:mapping")],
        BY_KIND,
    ] = Field(
        "each_infusion",
        description="When patients guess: after each infusion, the guess being revised; after that many infusions; or "
        "{visit: day}. Shares asked for are those after the last guess.",
    )
    expectancy: dict[Name, NumberByStratum] | None = Field(
        None,
        description="By outcome: points by which those who believe they have the active drug fare better than those "
        "who believe they have the control. Default: what explains why saline arms improve less than midazolam arms.",
    )
    raters: RaterBelief | None = Field(None, description="Raters' beliefs; without it they have none.")
    means_are: Literal["with_expectancy", "without"] = Field(
        "with_expectancy",
        description="with_expectancy: means and effects of this scenario are those of the trial as it is masked. "
        "without: those if expectancy favoured no arm, so that it comes on top.",
    )


__all__ = ["Dissociation", "GuessAtVisit", "InfusionDissociation", "RaterBelief", "Unblinding"]
