"""Priors of a scenario: what is believed about its values, as distributions with their origin and their range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

from trialsim import evidence
from trialsim.evidence import Prior
from trialsim.evidence.shapes import share_within
from trialsim.scenario import schema
from trialsim.scenario.paths import PathError, split_path
from trialsim.scenario.words import did_you_mean, listed, nearest, number

SHAPES = tuple(schema.Shape.model_fields)
"""Keys that give one distribution; a prior may be a mixture besides."""

NEGLIGIBLE = 1e-12
"""Mass outside a range that is no more than the rounding of a distribution function."""


class PriorError(ValueError):
    """A prior that is not a distribution; `key` is the part of it that is at fault."""

    def __init__(self, key: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


class Range(NamedTuple):
    """The values that a number of a scenario can have.

    Attributes
    ----------
    low, high : float
        Infinite where there is no bound.
    whole : bool
        Whether only whole numbers are taken.
    """

    low: float
    high: float
    whole: bool

    def __str__(self) -> str:
        """Return the range in words."""
        if math.isinf(self.low) and math.isinf(self.high):
            return "any number"
        if math.isinf(self.high):
            return f"{number(self.low)} and above"
        return f"up to {number(self.high)}" if math.isinf(self.low) else f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed about one value of a scenario.

    Parameters
    ----------
    path : str
        Of the value.
    prior : Prior
        Cut off where that was asked for.
    relative_to : str or None
        Path whose value is added to what is drawn.
    cut : float
        Share of the distribution that was cut off.
    source : str
        Where it comes from, in the user's words; may be empty.
    """

    path: str
    prior: Prior
    relative_to: str | None = None
    cut: float = 0.0
    source: str = ""


def beliefs(priors: Mapping[str, schema.Prior | str]) -> tuple[Belief, ...]:
    """Return the beliefs of a scenario whose priors have been checked: those that others are relative to first."""
    made = [belief(path, entry) for path, entry in priors.items()]
    return tuple(sorted(made, key=lambda one: one.relative_to is not None))


@lru_cache(maxsize=256)
def belief(path: str, entry: schema.Prior | str) -> Belief:
    """Return what an entry says about the value at a path.

    Raises
    ------
    PriorError
        If it is not a distribution.
    """
    given = schema.Prior(evidence=entry) if isinstance(entry, str) else entry
    whole = _distribution(given)
    made = _cut_off(whole, given.low, given.high)
    # A difference may go either way, whatever the range of the value.
    allowed = range_of(path) if given.relative_to is None else None
    if given.truncate and allowed is not None and mass_outside(made, allowed) > NEGLIGIBLE:
        made = _cut_off(whole, _larger(given.low, allowed.low), _smaller(given.high, allowed.high))
    cut = 0.0 if made is whole else 1.0 - share_within(whole, *made.support)
    return Belief(path, made, given.relative_to, max(cut, 0.0), given.source or "")


def mass_outside(prior: Prior, allowed: Range) -> float:
    """Return the share of a prior that lies outside a range."""
    return max(1.0 - share_within(prior, allowed.low, allowed.high), 0.0)


def _cut_off(whole: Prior, low: float | None, high: float | None) -> Prior:
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    if ends == (-math.inf, math.inf):
        return whole
    try:
        return Prior(
            kind="truncated",
            parameters=(("low", ends[0]), ("high", ends[1])),
            components=(whole,),
            unit=whole.unit,
            origin=whole.origin,
            tag=whole.tag,
            citations=whole.citations,
            derived_from=(whole.name,) if whole.name else whole.derived_from,
        )
    except ValueError as error:
        raise PriorError(("high",) if low is None else ("low",), _reason(error)) from error


def _larger(low: float | None, bound: float) -> float:
    return bound if low is None else max(low, bound)


def _smaller(high: float | None, bound: float) -> float:
    return bound if high is None else min(high, bound)


def _distribution(given: schema.Shape) -> Prior:
    """Return the distribution that an entry names or gives."""
    keys = (*SHAPES, "mixture") if isinstance(given, schema.Prior) else SHAPES
    told = [key for key in keys if getattr(given, key) is not None]
    if len(told) != 1:
        what = f"has both {listed(told)}" if told else "has no distribution"
        raise PriorError((), f"{what}: give one of {listed(keys, last='or')}")
    key = told[0]
    value = getattr(given, key)
    if key == "evidence":
        if not evidence.has_prior(value):
            raise PriorError(("evidence",), f"the catalogue has no prior '{value}'{_near(value)}")
        return evidence.prior(value)
    if key == "mixture":
        return _mixture(value)
    try:
        return _MAKE.get(key, _as_given)(key, value)
    except ValueError as error:
        raise PriorError((key,), _reason(error)) from error


def _near(value: str) -> str:
    """Return what a prior's name may have been meant to be, by its parts: the group first, then the rest within it."""
    names = evidence.prior_names()
    groups = list(dict.fromkeys(name.split(".")[1] for name in names))
    group, _, rest = value.removeprefix("priors.").partition(".")
    meant = nearest(group, groups)
    if meant is None:
        return f"; there are priors of {listed(groups)}: trialsim evidence priors"
    own = [name for name in names if name.startswith(f"priors.{meant}.")]
    return did_you_mean(f"priors.{meant}.{rest}", own) if rest else f"; there is {listed(own)}"


def _reason(error: ValueError) -> str:
    """Return what is wrong without the name of the prior, which the place of the fault tells."""
    return str(error).split(": ", 1)[-1]


def _as_given(kind: str, value: Any) -> Prior:
    return Prior(kind=kind, parameters=tuple(value.model_dump().items()))  # type: ignore[arg-type]


def _beta(_: str, value: Any) -> Prior:
    most = math.sqrt(value.mean * (1.0 - value.mean))
    if value.sd >= most:
        raise ValueError(f"a beta with a mean of {number(value.mean)} has an SD below {number(most)}")
    concentration = value.mean * (1.0 - value.mean) / value.sd**2 - 1.0
    return Prior(kind="beta", parameters=(("a", value.mean * concentration), ("b", (1.0 - value.mean) * concentration)))


def _gamma(_: str, value: Any) -> Prior:
    shape, scale = (value.mean / value.sd) ** 2, value.sd**2 / value.mean
    return Prior(kind="gamma", parameters=(("shape", shape), ("scale", scale)))


def _discrete(_: str, value: Any) -> Prior:
    weights = value.weights or (1.0,) * len(value.values)
    if len(weights) != len(value.values):
        raise ValueError(f"there are {len(value.values)} values and {len(weights)} weights")
    total = math.fsum(weights)
    return Prior(kind="discrete", values=value.values, weights=tuple(weight / total for weight in weights))


_MAKE = {"beta": _beta, "gamma": _gamma, "discrete": _discrete}


def _mixture(parts: tuple[schema.MixturePart, ...]) -> Prior:
    made: list[Prior] = []
    for position, part in enumerate(parts):
        try:
            made.append(replace(_distribution(part), unit=""))
        except PriorError as error:
            raise PriorError(("mixture", position, *error.key), str(error)) from error
    total = math.fsum(part.weight for part in parts)
    return Prior(
        kind="mixture",
        components=tuple(made),
        weights=tuple(part.weight / total for part in parts),
        origin="A mixture.",
        citations=tuple(dict.fromkeys(key for part in made for key in part.citations)),
        derived_from=tuple(part.name for part in made if part.name),
    )


# The range of a value -----------------------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    from trialsim.scenario.export import json_schema

    return json_schema()


def range_of(path: str) -> Range | None:
    """Return the range of the number at a path by the schema; None where it takes no number.

    Parameters
    ----------
    path : str
    """
    try:
        parts = split_path(path)
    except PathError:
        return None
    nodes: list[Any] = [_schema()]
    for part in parts:
        nodes = [inner for node in nodes for one in _options(node) for inner in _inside(one, part)]
    taken = [one for node in nodes for one in _options(node) if one.get("type") in ("number", "integer")]
    if not taken:
        return None
    low = min(max(node.get("minimum", -math.inf), node.get("exclusiveMinimum", -math.inf)) for node in taken)
    high = max(min(node.get("maximum", math.inf), node.get("exclusiveMaximum", math.inf)) for node in taken)
    return Range(float(low), float(high), all(node["type"] == "integer" for node in taken))


def _options(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a node of the schema may be, references followed."""
    if "$ref" in node:
        return _options(_schema()["$defs"][str(node["$ref"]).rsplit("/", 1)[-1]])
    for key in ("anyOf", "oneOf"):
        if key in node:
            return [option for one in node[key] for option in _options(one)]
    return [node]


def _inside(node: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    """Return what stands under a key, or at a position of a list."""
    own = node.get("properties", {})
    if part in own:
        return [own[part]]
    inner = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    inner += [node.get("items")] if part.isdigit() else []
    return [one for one in inner if isinstance(one, dict)]


__all__ = ["Belief", "PriorError", "Range", "belief", "beliefs", "mass_outside", "range_of"]
