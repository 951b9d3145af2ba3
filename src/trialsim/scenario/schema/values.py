"""Kinds of value that a scenario holds: numbers with their ranges, names, and values by stratum."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from unicodedata import category

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

T = TypeVar("T")

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
HazardRatio = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.001, le=1000)]
Protection = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1000)]
Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
Correlation = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=-1, lt=1)]
Day = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=36_525)]
Whole = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
DayKey = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{1,5}(\.[0-9]{1,6})?$")]


def _seen(text: str) -> str:
    """Refuse a text of which nothing is seen: spaces, marks of width or direction."""
    if not any(category(character)[0] in "LNPS" for character in text):
        raise PydanticCustomError("unseen", "has no letter, digit or sign that could be seen; write a few words")
    return text


Label = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_seen)]
Text = Annotated[str, StringConstraints(strict=True, max_length=10_000)]
Row = Annotated[tuple[T, ...], Field(strict=False)]


def kind_of(value: Any) -> str:
    """Return which member of a union a value belongs to; the tag is dropped from error locations."""
    if isinstance(value, dict | BaseModel):
        return "as:mapping"
    if isinstance(value, list | tuple):
        return "as:list"
    return "as:text" if isinstance(value, str) else "as:number"


BY_KIND = Discriminator(kind_of)
NumberByStratum = Annotated[
    Annotated[Number, Tag("as:number")] | Annotated[dict[Name, Number], Tag("as:mapping")], BY_KIND
]
NumberByArm = NumberByStratum
PositiveByStratum = Annotated[
    Annotated[Positive, Tag("as:number")] | Annotated[dict[Name, Positive], Tag("as:mapping")], BY_KIND
]
CorrelationByStratum = Annotated[
    Annotated[Correlation, Tag("as:number")] | Annotated[dict[Name, Correlation], Tag("as:mapping")], BY_KIND
]
Icc = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, lt=1)]
IccByOutcome = Annotated[Annotated[Icc, Tag("as:number")] | Annotated[dict[Name, Icc], Tag("as:mapping")], BY_KIND]
Change = Annotated[Annotated[Number, Tag("as:number")] | Annotated[Label, Tag("as:text")], BY_KIND]
ChangeByStratum = Annotated[
    Annotated[Number, Tag("as:number")]
    | Annotated[Label, Tag("as:text")]
    | Annotated[dict[Name, Change], Tag("as:mapping")],
    BY_KIND,
]
MeansByStratum = Annotated[
    Annotated[Row[Number], Tag("as:list")] | Annotated[dict[Name, Row[Number]], Tag("as:mapping")], BY_KIND
]


class Section(BaseModel):
    """Base of all parts of a scenario: unknown keys are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
