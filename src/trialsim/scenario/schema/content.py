"""A whole scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trialsim.scenario.schema.analyses import (
    Multiplicity,
    OneOrMoreAnalyses,
)
from trialsim.scenario.schema.choices import (
    Allocation,
    Arm,
    SampleSize,
    Schedule,
    Simulation,
)
from trialsim.scenario.schema.events import Event
from trialsim.scenario.schema.masking import Dissociation, Unblinding
from trialsim.scenario.schema.operations import Operations
from trialsim.scenario.schema.priors import PriorCorrelation, PriorEntry
from trialsim.scenario.schema.questions import (
    Estimand,
)
from trialsim.scenario.schema.safety import Safety
from trialsim.scenario.schema.truth import (
    Cluster,
    Count,
    Course,
    Covariance,
    Dropout,
    Effect,
    Outcome,
    Population,
    Therapy,
)
from trialsim.scenario.schema.values import (
    BY_KIND,
    Label,
    Name,
    Row,
    Section,
    Text,
    kind_of,
)
from trialsim.scenario.schema.variation import Heterogeneity, Lability, Missing, Raters


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
    therapies: dict[Name, Therapy] = Field(
        default_factory=dict, max_length=5, description="Therapies that arms have beside the infusions."
    )
    covariance: Covariance = Field(default_factory=lambda: Covariance())
    dropout: Dropout | None = Field(None, description="Who leaves; without it the data are complete.")
    heterogeneity: Heterogeneity | None = Field(
        None, description="How the drug's effect differs between people; without it it does not."
    )
    lability: Lability | None = Field(
        None, description="By stratum: factor on the part of a person's scores that changes from visit to visit."
    )
    raters: Raters | None = Field(None, description="Raters who differ in severity; without it they do not.")
    missing: Missing | None = Field(None, description="Visits missed by who has not left; without it there are none.")
    events: dict[Name, Event | None] = Field(
        default_factory=dict, max_length=20, description="What happens to patients after randomisation, by name."
    )
    dissociation: Dissociation | None = Field(
        None, description="CADSS at each infusion; without it none is drawn, unless unblinding needs it."
    )
    unblinding: Unblinding | None = Field(
        None, description="What patients believe about their arm and what that does; without it, nothing."
    )
    clusters: dict[Name, Cluster] = Field(
        default_factory=dict, max_length=5, description="Groups of patients: therapy groups, sites, therapists."
    )
    counts: dict[Name, Count] = Field(default_factory=dict, max_length=10, description="Events that are counted.")
    safety: Safety | None = Field(
        None, description="Adverse events, suicide attempts, and a rule that stops the trial; without it, none of them."
    )
    operations: Operations | None = Field(
        None, description="How the trial is run; without it everybody is enrolled and treated as planned, at no cost."
    )
    estimands: dict[Name, Estimand] = Field(min_length=1, max_length=50, description="Questions; one is named primary.")
    analysis: dict[Name, OneOrMoreAnalyses] = Field(default_factory=dict, description="Analyses, by estimand.")
    multiplicity: Multiplicity | None = Field(None, description="Without it each estimand has its own level.")
    sample_size: Annotated[
        Annotated[SampleSize, Tag("as:number")]
        | Annotated[Annotated[Row[SampleSize], Field(min_length=1, max_length=200)], Tag("as:list")],
        BY_KIND,
    ] = Field(description="Number randomised in all; a list is tried one by one.")
    simulation: Simulation = Field(default_factory=lambda: Simulation())
    vary: dict[str, Annotated[list[Any], Field(min_length=1, max_length=200)]] = Field(
        default_factory=dict, description="Values to try for any path of this scenario; several paths are crossed."
    )
    designs: dict[Name, dict[str, Any] | None] = Field(
        default_factory=dict,
        max_length=50,
        description="Designs for `trialsim compare`, by name: values for paths of this scenario, and a `label`.",
    )
    priors: dict[str, PriorEntry] = Field(
        default_factory=dict,
        max_length=50,
        description="What is believed about values of this scenario, by path: a prior of the evidence catalogue by its "
        "name, or a distribution. `assurance` averages over them; `run` and `size` use the values as they stand.",
    )
    prior_correlations: Row[PriorCorrelation] = Field(
        (), description="Rank correlations between priors; those not named are independent."
    )
    sensitivity: dict[str, Annotated[list[Any], Field(min_length=2, max_length=2)]] = Field(
        default_factory=dict,
        description="Lowest and highest plausible value of any path of this scenario, instead of the range that the "
        "evidence catalogue has for it; what `trialsim sensitivity` goes through.",
    )
