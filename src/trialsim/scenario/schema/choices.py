"""What is chosen: days, arms, randomisation, sizes, and how much is simulated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trialsim.scenario.schema.values import (
    Day,
    Label,
    Name,
    Row,
    Section,
    Whole,
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
    infusions: Row[Day] | None = Field(
        None, max_length=200, description="Days of this arm's infusions; default: those of the schedule."
    )
    therapy: Name | None = Field(None, description="One of `therapies` that this arm has besides.")


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


class Simulation(Section):
    """How much is simulated."""

    replicates: Whole = Field(
        500, description="Number of simulated trials per cell; with `precision` the smallest number."
    )
    precision: Annotated[float, Field(strict=True, ge=0.001, le=0.2)] | None = Field(
        None,
        description="Half-width of the 95 % Wilson interval that every power is to have, such as 0.005: replicates are "
        "added until it has, at least 500.",
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = Field(1, description="Seed of all random numbers.")


SampleSize = Annotated[int, Field(strict=True, ge=4, le=100_000)]
