"""How patients differ, and what of them is not seen: missed visits, heterogeneity, attendance, raters, lability."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from trialsim.scenario.schema.values import (
    BY_KIND,
    DayKey,
    HazardRatio,
    Name,
    Number,
    NumberByArm,
    Positive,
    Row,
    Section,
    kind_of,
)

ShareMissed = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, lt=1)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Inside = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, lt=1)]
Agreement = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1)]
Factor = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=100)]
EffectSd = Annotated[
    Annotated[NotNegative, Tag("as:number")] | Annotated[dict[Name, NotNegative], Tag("as:mapping")],
    Discriminator(kind_of),
]
Lability = Annotated[dict[Name, Factor], Field(min_length=1)]


class Intermittent(Section):
    """Single visits that are missed by who is still in the trial."""

    share: Annotated[
        Annotated[ShareMissed, Tag("as:number")] | Annotated[dict[DayKey, ShareMissed], Tag("as:mapping")], BY_KIND
    ] = Field(description="Share of those still in the trial who miss a visit: one for all visits, or by day (else 0).")
    model: Literal["mcar", "mar", "mnar"] = Field(
        "mcar", description="mcar: at random; mar: by the last observed score; mnar: by the score that is missed."
    )
    outcome: Name | None = Field(None, description="Outcome whose score counts; default: the primary one.")
    score_hazard_ratio_per_sd: HazardRatio | None = Field(
        None, description="Hazard ratio for a score one SD worse (mar, mnar)."
    )
    delta: dict[Name, NumberByArm] | None = Field(
        None,
        min_length=1,
        description="Points by which scores at missed visits differ from those of like patients who came, by outcome, "
        "for all arms or by arm (not at random).",
    )


class Missing(Section):
    """What is not seen of patients who are still in the trial."""

    intermittent: Intermittent = Field(description="Missed visits; dropout is described apart.")


class Heterogeneity(Section):
    """How the drug's effect differs between people."""

    effect_sd: dict[Name, NotNegative] = Field(
        min_length=1, description="SD between people of the drug's specific effect, points, by outcome."
    )
    correlation: Annotated[Number, Field(ge=0, le=1)] = Field(
        1.0, description="Between a person's effects on two outcomes; 1: who gains more in one gains more in all."
    )
    arms: Row[Name] | None = Field(None, min_length=1, description="Arms with the drug; default: those with an effect.")


class Attendance(Section):
    """Sessions of a therapy that are attended."""

    mean: Inside = Field(description="Mean share of the sessions attended by who has not stopped.")
    sd: Positive | None = Field(None, description="SD of that share between people.")
    concentration: Positive | None = Field(None, description="Of its beta distribution; instead of sd.")
    stops_by_end: ShareMissed | None = Field(
        None, description="Share who stop going to sessions before their end; they may still be assessed."
    )


class Raters(Section):
    """Raters whose severity differs."""

    number: Annotated[int, Field(strict=True, ge=2, le=1000)] = Field(description="Raters of the trial.")
    icc: dict[Name, Agreement] | None = Field(
        None, min_length=1, description="Agreement between raters by rated outcome; default: that known for MADRS."
    )
    central: Annotated[bool, Field(strict=True)] = Field(
        False, description="true: any rater at any visit, blind to what patients expect; false: one rater a patient."
    )


__all__ = [
    "Attendance",
    "EffectSd",
    "Heterogeneity",
    "Intermittent",
    "Lability",
    "Missing",
    "Raters",
]
