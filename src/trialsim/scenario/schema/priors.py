"""What is left open: priors on values of the scenario, over which `trialsim assurance` averages."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from trialsim.scenario.schema.values import Label, Number, Positive, Row, Section, Text, kind_of

Weight = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]


class NormalShape(Section):
    """A normal distribution."""

    mean: Number = Field(description="Mean.")
    sd: Positive = Field(description="Standard deviation.")


class StudentShape(Section):
    """A t distribution, shifted and scaled."""

    df: Positive = Field(description="Degrees of freedom.")
    location: Number = Field(description="Centre.")
    scale: Positive = Field(description="Scale; the standard deviation is larger.")


class LognormalShape(Section):
    """A lognormal distribution, for what is positive: SDs, hazard ratios, rates."""

    median: Positive = Field(description="Median.")
    log_sd: Positive = Field(description="Standard deviation of the natural logarithm.")


class BetaShape(Section):
    """A beta distribution, for shares and correlations from 0 to 1."""

    mean: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(description="Mean.")
    sd: Positive = Field(description="Standard deviation.")


class GammaShape(Section):
    """A gamma distribution, for what is positive."""

    mean: Positive = Field(description="Mean.")
    sd: Positive = Field(description="Standard deviation.")


class UniformShape(Section):
    """Every value between two ends alike."""

    low: Number = Field(description="Smallest value.")
    high: Number = Field(description="Largest value.")


class TriangularShape(Section):
    """A triangle: smallest, most likely and largest value, as experts are often asked for."""

    low: Number = Field(description="Smallest value.")
    mode: Number = Field(description="Most likely value.")
    high: Number = Field(description="Largest value.")


class DiscreteShape(Section):
    """Single values, each with its weight."""

    values: Row[Number] = Field(min_length=1, max_length=200, description="Values, rising.")
    weights: Row[Weight] | None = Field(None, description="Weights, one a value; default: all alike.")


class Shape(Section):
    """One distribution: that of the evidence catalogue, or one given by hand."""

    evidence: Label | None = Field(None, description="A prior of the evidence catalogue, such as priors.spread.madrs.")
    normal: NormalShape | None = Field(None, description="Normal: mean, sd.")
    t: StudentShape | None = Field(None, description="Student's t: df, location, scale.")
    lognormal: LognormalShape | None = Field(None, description="Lognormal: median, log_sd.")
    beta: BetaShape | None = Field(None, description="Beta: mean, sd.")
    gamma: GammaShape | None = Field(None, description="Gamma: mean, sd.")
    uniform: UniformShape | None = Field(None, description="Uniform: low, high.")
    triangular: TriangularShape | None = Field(None, description="Triangular: low, mode, high.")
    discrete: DiscreteShape | None = Field(None, description="Single values with weights.")


class MixturePart(Shape):
    """One part of a mixture."""

    weight: Weight = Field(description="Weight; those of a mixture need not add to 1, they are divided by their sum.")


class Prior(Shape):
    """What is believed about one value; exactly one distribution."""

    mixture: Annotated[Row[MixturePart], Field(min_length=2, max_length=20)] | None = Field(
        None, description="Beliefs that disagree, each with its weight."
    )
    low: Number | None = Field(None, description="The distribution is cut off below this value.")
    high: Number | None = Field(None, description="The distribution is cut off above this value.")
    truncate: Annotated[bool, Field(strict=True)] = Field(
        False, description="Cut off what lies outside the range that the value can have; otherwise that is an error."
    )
    relative_to: Label | None = Field(
        None,
        description="A path: the prior is on the difference from the value there, such as that in another stratum.",
    )
    source: Text | None = Field(None, description="Where the belief comes from, in words; shown by explain.")


PriorEntry = Annotated[Annotated[Label, Tag("as:text")] | Annotated[Prior, Tag("as:mapping")], Discriminator(kind_of)]


class PriorCorrelation(Section):
    """How two priors hang together."""

    pair: Annotated[Row[Label], Field(min_length=2, max_length=2)] = Field(description="Two paths with a prior.")
    rank: Annotated[float, Field(strict=True, ge=-1, le=1)] = Field(description="Spearman's rank correlation.")
