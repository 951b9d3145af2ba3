"""How the trial is run: sites, recruitment, the infusion clinic, visits, therapy groups and what all of it costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from trialsim.scenario.schema.values import BY_KIND, Label, Name, Positive, Row, Section

NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Month = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=600)]
Length = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=600)]
Capacity = Annotated[int, Field(strict=True, ge=1, le=10_000)]
FewDays = Annotated[int, Field(strict=True, ge=0, le=365)]
Passing = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1)]
BelowOne = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, lt=1)]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Weekdays = Annotated[Row[Weekday], Field(min_length=1, max_length=7)]


class Spread(Section):
    """A number that is not known: exactly one distribution, drawn once for each simulated trial."""

    uniform: Annotated[Row[NotNegative], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[low, high]."
    )
    triangular: Annotated[Row[NotNegative], Field(min_length=3, max_length=3)] | None = Field(
        None, description="[low, most likely, high]."
    )
    lognormal: Annotated[Row[NotNegative], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[median, SD of the logarithm]."
    )
    gamma: Annotated[Row[NotNegative], Field(min_length=2, max_length=2)] | None = Field(
        None, description="[mean, SD]."
    )


Amount = Annotated[Annotated[NotNegative, Tag("as:number")] | Annotated[Spread, Tag("as:mapping")], BY_KIND]


class Site(Section):
    """What one site has of its own; the rest is as for all sites."""

    label: Label | None = Field(None, description="Words shown for this site.")
    rate_per_month: NotNegative | None = Field(None, description="Patients randomised a month, on average.")
    opens_month: Amount | None = Field(None, description="Month in which it opens.")
    chairs: Capacity | None = Field(None, description="Infusion chairs for the trial.")
    nurses: Capacity | None = Field(None, description="Nurses for the trial.")
    psychiatrists: Capacity | None = Field(None, description="Psychiatrists for the trial.")
    therapists: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = Field(
        None, description="Therapists for the trial."
    )


class Sites(Section):
    """The sites."""

    number: Annotated[int, Field(strict=True, ge=1, le=500)] | None = Field(
        None, description="How many there are, all alike."
    )
    named: dict[Name, Site | None] | None = Field(
        None, min_length=1, max_length=500, description="Sites by name, each with what it has of its own; "
        "instead of number.",
    )  # fmt: skip
    rate_per_month: NotNegative | None = Field(
        None, description="Patients randomised a month by a site at full strength, on average; default: that of the "
        "evidence catalogue.",
    )  # fmt: skip
    rate_shape: (
        Annotated[Annotated[Positive, Tag("as:number")] | Annotated[Literal["none"], Tag("as:text")], BY_KIND] | None
    ) = Field(None, description="Shape of the gamma distribution of the sites' rates; none: all have the same.")
    opens_month: Amount = Field(0.0, description="Month in which the first site opens, ethics and contracts done.")
    opens_every_months: Month = Field(0.0, description="Months from the opening of one site to that of the next.")
    chairs: Capacity | None = Field(None, description="Infusion chairs of a site for the trial; default: no limit.")
    nurses: Capacity | None = Field(None, description="Nurses of a site for the trial; default: no limit.")
    psychiatrists: Capacity | None = Field(
        None, description="Psychiatrists of a site for the trial; default: no limit."
    )
    therapists: Annotated[int, Field(strict=True, ge=0, le=10_000)] | None = Field(
        None, description="Therapists of a site for the trial; default: no limit."
    )


class Funnel(Section):
    """From those assessed to those randomised: shares of the step before."""

    eligible: Passing | None = Field(None, description="Share of those assessed; default: that of the catalogue.")
    consenting: Passing | None = Field(None, description="Share of the eligible; default: that of the catalogue.")
    passing_screening: Passing = Field(1.0, description="Share of those who consented.")
    passing_run_in: Passing = Field(1.0, description="Share of those who passed screening.")
    screening_days: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=365)] = Field(
        0.0, description="Days from consent to randomisation, run-in included."
    )


class Pause(Section):
    """A time in which nobody is recruited."""

    from_month: Month = Field(description="Month in which it begins.")
    until_month: Month = Field(description="Month in which it ends.")
    stops_infusions: Annotated[bool, Field(strict=True)] = Field(
        False, description="Whether infusions are on hold too."
    )


class Recruitment(Section):
    """How patients come."""

    until_month: Length = Field(
        60.0, description="Recruitment ends then at the latest, with the number it has reached: power at a date."
    )
    target_months: Length = Field(24.0, description="Reports say how likely recruitment is done by then.")
    decay_per_month: BelowOne = Field(0.0, description="Share of a site's rate that is lost in each month it is open.")
    season: Annotated[Row[NotNegative], Field(min_length=12, max_length=12)] | None = Field(
        None, description="Factor on the rate in each month, January to December; they average 1."
    )
    pauses: Annotated[Row[Pause], Field(max_length=50)] = Field((), description="Times without recruitment.")
    quotas: dict[Name, Annotated[int, Field(strict=True, ge=0, le=100_000)]] | None = Field(
        None, description="Most patients of a stratum; who comes when it is full is turned away. Default: no quotas."
    )
    funnel: Funnel = Field(default_factory=lambda: Funnel())


class Waiting(Section):
    """How patients who wait give up and leave the trial."""

    patience_days: NotNegative | None = Field(None, description="Nobody leaves before so many days.")
    leave_per_week: BelowOne | None = Field(None, description="Share of those still waiting who leave in a week.")


class Clinic(Section):
    """How infusions are given, at every site alike."""

    weekdays: Weekdays | None = Field(None, description="Days on which it is open; default: all seven.")
    hours: Annotated[float, Field(strict=True, gt=0, le=24)] = Field(
        8.0, description="Opening hours; an infusion and its watch end within them."
    )
    infusion_minutes: Annotated[float, Field(strict=True, gt=0, le=1440)] | None = Field(
        None, description="Length of an infusion."
    )
    watch_minutes: Annotated[float, Field(strict=True, ge=0, le=1440)] | None = Field(
        None, description="Time a patient is watched afterwards, in the chair."
    )
    psychiatrist_minutes: Annotated[float, Field(strict=True, ge=0, le=1440)] = Field(
        15.0, description="Of a psychiatrist, at the start of an infusion."
    )
    patients_per_nurse: Capacity = Field(2, description="Patients whom a nurse looks after at a time.")
    early_days: FewDays = Field(
        0, description="Most days by which an infusion is brought forward because the clinic is closed on its day."
    )
    late_days: FewDays = Field(
        3, description="Most days by which an infusion but the first is given late; later than that it is missed."
    )
    min_gap_days: Annotated[int, Field(strict=True, ge=1, le=365)] = Field(
        1, description="Fewest days between two infusions."
    )
    waiting: Waiting = Field(default_factory=lambda: Waiting(), description="Of who waits for the first infusion.")


class VisitWindow(Section):
    """When visits count, and who rates them."""

    weekdays: Weekdays | None = Field(None, description="Days on which visits take place; default: all seven.")
    early_days: FewDays = Field(0, description="Most days by which a visit is brought forward from a closed day.")
    late_days: FewDays = Field(0, description="Most days by which a visit is held late; otherwise it is missing.")
    raters: Capacity | None = Field(None, description="Central raters, shared by all sites; default: no limit.")
    ratings_per_day: Capacity = Field(4, description="Visits that one rater rates in a day.")


class TherapyGroups(Section):
    """The groups of a therapy."""

    therapy: Name | None = Field(None, description="Which of `therapies`; default: the only one.")
    mode: Literal["closed", "rolling"] = Field(
        "closed", description="closed: a group starts when enough wait; rolling: people join as they come."
    )
    size: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = Field(None, description="Places in a group.")
    start_size: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = Field(
        None, description="How many must wait for a closed group to start; default: three quarters of its places."
    )
    across_sites: Annotated[bool, Field(strict=True)] = Field(
        False, description="Whether groups are shared by all sites; otherwise each site has its own."
    )
    therapists: Capacity | None = Field(
        None, description="Of all sites together, with across_sites; default: no limit."
    )
    caseload: Capacity | None = Field(
        None, description="Patients whom a therapist has in groups at a time; default: one group."
    )
    cancelled: BelowOne = Field(0.0, description="Share of sessions that are cancelled and not made up for.")
    start_anyway_days: Positive | None = Field(
        None, description="A closed group starts with whoever waits once somebody has waited so long; default: never "
        "before recruitment is over.",
    )  # fmt: skip
    waiting: Waiting = Field(default_factory=lambda: Waiting(), description="Of who waits for a group.")


class Costs(Section):
    """Prices in USD: numbers, or distributions where they are not known; defaults are those of the catalogue."""

    fixed: Amount | None = Field(None, description="Once.")
    month: Amount | None = Field(None, description="For each month to the last visit: coordination, data.")
    site: Amount | None = Field(None, description="For each site that opened.")
    site_month: Amount | None = Field(None, description="For each month of an open site to the last visit.")
    screen: Amount | None = Field(None, description="For each person assessed.")
    infusion: Amount | None = Field(None, description="For each infusion given.")
    session: Amount | None = Field(None, description="For each session that a patient was offered and that was held.")
    visit: Amount | None = Field(None, description="For each visit.")


class Operations(Section):
    """How the trial is run."""

    sites: Sites = Field(description="The sites, at least how many there are: {number: 6}.")
    start_month: Annotated[int, Field(strict=True, ge=1, le=12)] = Field(
        1, description="Month of the year in which the trial begins, 1 for January."
    )
    recruitment: Recruitment = Field(default_factory=lambda: Recruitment())
    clinic: Clinic = Field(default_factory=lambda: Clinic())
    visits: VisitWindow = Field(default_factory=lambda: VisitWindow())
    therapy: TherapyGroups | None = Field(
        None, description="Groups of a therapy; without it everybody begins it on time."
    )
    costs: Costs = Field(default_factory=lambda: Costs())


__all__ = [
    "Clinic",
    "Costs",
    "Funnel",
    "Operations",
    "Pause",
    "Recruitment",
    "Site",
    "Sites",
    "Spread",
    "TherapyGroups",
    "VisitWindow",
    "Waiting",
]
