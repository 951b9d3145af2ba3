"""From a document to checked content: pydantic's complaints told in plain words, each at its line and column."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from trialsim.errors import Fault, as_share
from trialsim.scenario import schema
from trialsim.scenario.document import UNREADABLE, Node, describe
from trialsim.scenario.paths import fault_at, find, join_path
from trialsim.scenario.words import count, did_you_mean, listed, meant_by_short_name, nearest, number

_KINDS = {
    "as:mapping": "a mapping",
    "as:list": "a list",
    "as:text": "a text",
    "as:number": "a number",
}
_TYPES = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}
_DECIMAL_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_PERCENT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)\s*%")
_BOUNDS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "at least"),
    "too_long": ("max_length", "at most"),
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
}


_ALLOWED = {"at least": "needed", "at most": "allowed"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What could be made of a document.

    Parameters
    ----------
    content : Content or None
        The whole scenario, or None when some part has the wrong shape.
    parts : dict of str to object
        Every top-level part with the right shape, so that it can be checked although another is wrong.
    faults : tuple of Fault
    """

    content: schema.Content | None
    parts: dict[str, Any]
    faults: tuple[Fault, ...]


def check_shape(root: Node) -> Checked:
    """Check that a document has the shape of schema 1.

    Unknown keys are reported and then left out, so that they do not hide what is wrong elsewhere.
    """
    data = root.plain()
    try:
        content = schema.Content.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    else:
        return Checked(content, _parts(content), ())
    faults = [fault for detail in details if (fault := _fault(root, detail, details)) is not None]
    for detail in details:
        if detail["type"] == "extra_forbidden":
            _leave_out(data, _real(detail["loc"]))
    try:
        content = schema.Content.model_validate(data)
    except ValidationError:
        return Checked(None, _sound_parts(data), tuple(faults))
    return Checked(content, _parts(content), tuple(faults))


def _parts(content: schema.Content) -> dict[str, Any]:
    return {name: getattr(content, name) for name in schema.Content.model_fields}


def _sound_parts(data: dict[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, adapter in _adapters().items():
        info = schema.Content.model_fields[name]
        key = info.alias or name
        if key not in data:
            if not info.is_required():
                parts[name] = info.get_default(call_default_factory=True)
            continue
        value = _sound_entries(name, data[key]) if isinstance(data[key], dict) else data[key]
        if name == "operations":
            value = _without_faulty(adapter, value)
        try:
            parts[name] = adapter.validate_python(value)
        except ValidationError:
            continue
    return parts


# One faulty entry of these need not hide what is wrong with the others.
_ENTRIES: dict[str, Any] = {
    "arms": schema.Arm | None,
    "outcomes": schema.Outcome | None,
    "effects": schema.Effect,
    "estimands": schema.Estimand,
    "analysis": schema.OneOrMoreAnalyses,
}


def _sound_entries(name: str, entries: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a part that have the right shape; of arms and outcomes the bare names of the others too."""
    if name not in _ENTRIES:
        return entries
    adapter = TypeAdapter(_ENTRIES[name])
    sound = {}
    for key, value in entries.items():
        try:
            adapter.validate_python(value)
            sound[key] = value
        except ValidationError:
            if name in ("arms", "outcomes"):
                sound[key] = None
    return sound


_MOST_HOMES = 3
"""Places of a key up to which they are named where it stands in none of them."""

_DECISIVE = frozenset({"number", "named", "until_month", "therapy"})
"""Keys of operations whose absence means something else: a fault at one of them hides the others."""


def _without_faulty(adapter: TypeAdapter[Any], value: Any) -> Any:
    """Return a part without its faulty values, so that the sound ones are checked; as it is where one is decisive."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        paths = {_real(detail["loc"]) for detail in error.errors(include_url=False)}
        if any(not path or _DECISIVE.intersection(path) for path in paths):
            return value
        sound = copy.deepcopy(value)
        for path in sorted(paths, key=len):
            # A list without one of its entries would be another list.
            upto = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
            with suppress(KeyError):
                _leave_out(sound, path[:upto])
        return sound
    return value


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    wrapped: Any = Annotated  # built from values, which the type system cannot follow
    return {
        name: TypeAdapter(wrapped[(info.annotation, Field(), *info.metadata)])
        for name, info in schema.Content.model_fields.items()
    }


def _leave_out(data: Any, path: Sequence[str | int]) -> None:
    for part in path[:-1]:
        data = data[part]
    data.pop(path[-1], None)


def _real(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return pydantic's location without the tags of unions and the mark of keys."""
    return tuple(part for part in location if part != "[key]" and not str(part).startswith("as:"))


def _fault(root: Node, detail: Any, details: Sequence[Any]) -> Fault | None:
    location, kind = detail["loc"], detail["type"]
    path = _real(location)
    node = find(root, path)
    if node is not None and node.value is UNREADABLE:
        return None
    if kind in _LENGTHS and any(
        len(d["loc"]) > len(location) and d["loc"][: len(location)] == location for d in details
    ):
        return None  # the length is counted after faulty items are left out
    if kind == "extra_forbidden":
        return fault_at(root, path, f"unknown key{_meant(root, location)}", key=True)
    if kind == "missing":
        parent = find(root, path[:-1])
        close = nearest(str(path[-1]), parent.value) if parent is not None and isinstance(parent.value, dict) else None
        if close is not None and close not in _known_keys(location[:-1]):
            return None  # told as the unknown key that was meant to be this one
        written = "; write schema: 1" if path == ("schema",) else ""
        return fault_at(root, path, f"is missing: {_meaning(location)}{written}", key=True)
    key = location[-1] == "[key]"
    return fault_at(root, path, _message(detail), key=key)


def _message(detail: Any) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _TYPES:
        return _needed(_TYPES[kind], given)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        percent = as_share(given, context[name]) if kind.startswith("less") else ""
        return f"{words} {number(context[name])}, not {describe(given)}{percent}"
    if kind in _LENGTHS:
        name, words = _LENGTHS[kind]
        one, many = ("character", "characters") if kind.startswith("string") else ("entry", "entries")
        limit = context[name]
        verb = "is" if limit == 1 else "are"
        return f"{words} {count(limit, one, many)} {verb} {_ALLOWED[words]}, not {len(given)}"
    if kind == "union_tag_invalid":
        wanted = [_KINDS[tag.strip(" '")] for tag in context["expected_tags"].split(",")]
        return _needed(" or ".join(wanted), given)
    if kind == "literal_error":
        return _choice(given, context["expected"])
    if kind == "string_pattern_mismatch":
        return _pattern(given, context["pattern"])
    return str(detail["msg"])


def _needed(wanted: str, given: Any) -> str:
    """Return what is needed instead of a value, and how it is written where a number is all but there."""
    numbers = [part.strip() for part in given.split(",")] if isinstance(given, str) else []
    several = len(numbers) > 1 and all(map(_NUMBER.fullmatch, numbers))
    hint = f"{_with_a_point(given)}{_of_percent(given)}"
    if several and "whole" in wanted:
        hint = f"; it is written without commas: {''.join(numbers)}"
    elif several and ("list" in wanted or len(numbers) > 2):
        hint = f"; several are written [{', '.join(numbers)}]{hint}"
    return f"{wanted} is needed, not {describe(given)}{hint}"


def _with_a_point(given: Any) -> str:
    """Return how a number with a decimal comma is written, or nothing."""
    decimal = _DECIMAL_COMMA.fullmatch(given) if isinstance(given, str) else None
    return f"; decimals take a point: {decimal[1]}.{decimal[2]}" if decimal else ""


def _of_percent(given: Any) -> str:
    """Return how a number with a percent sign is written, or nothing."""
    percent = _PERCENT.fullmatch(given) if isinstance(given, str) else None
    return f"; write {number(float(percent[1]) / 100)}" if percent else ""


def _choice(given: Any, expected: str) -> str:
    if given is UNREADABLE or not isinstance(given, str):
        return f"must be {expected}, not {describe(given)}"
    options = [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]
    match = meant_by_short_name(given, options) or nearest(given, options)
    hint = f"; did you mean '{match}'?" if match else ""
    return f"must be {expected}, not '{given[:40]}'{hint}"


def _pattern(given: str, pattern: str) -> str:
    if pattern.startswith("^[0-9]"):
        return f"a day is needed as the key, such as 14, not '{given[:40]}'"
    return f"a name begins with a letter and has letters, digits and underscores only, not '{given[:40]}'"


# What the schema knows about a location ----------------------------------------------------------------------


def _meant(root: Node, location: Sequence[str | int]) -> str:
    """Return what an unknown key may have been meant to be: the nearest key, or all there are."""
    key, known = str(location[-1]), _known_keys(location[:-1])
    parent = find(root, _real(location[:-1]))
    taken = parent.value if parent is not None and isinstance(parent.value, dict) else {}
    match = nearest(key, known)
    # Another key of the file beside it; what an option gives stands beside nothing.
    if match is not None and match in taken:
        if parent is not None and parent.keys[key].line is None:
            return f"; did you mean '{match}'?"
        return f"; did you mean '{match}', which is given too?"
    elsewhere = _homes().get(key, ())
    if 0 < len(elsewhere) <= _MOST_HOMES:
        meant = "" if match is None else f"; did you mean '{match}'"
        return f"{meant}{'?' if meant else ';'} {key} belongs under {listed(elsewhere, last='or')}"
    return did_you_mean(key, known)


@cache
def _homes() -> dict[str, tuple[str, ...]]:
    """Return under which paths of a scenario each key stands; names that users give are in capitals."""
    found: dict[str, dict[str, None]] = {}

    def walk(annotation: Any, path: tuple[str, ...], above: tuple[Any, ...]) -> None:
        for member in _members(annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                if member in above:
                    continue
                for name, info in member.model_fields.items():
                    key = info.alias or name
                    found.setdefault(key, {})[".".join(path) or "the top level"] = None
                    walk(info.annotation, (*path, key), (*above, member))
            elif get_origin(member) in (dict, tuple, list):
                named = get_origin(member) is dict
                walk(get_args(member)[1 if named else 0], (*path, "NAME") if named else path, above)

    walk(schema.Content, (), ())
    return {key: tuple(paths) for key, paths in found.items()}


def _known_keys(location: Sequence[str | int]) -> list[str]:
    annotation = _annotation_at(location)
    models = [a for a in _members(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
    return [info.alias or name for model in models for name, info in model.model_fields.items()]


def _meaning(location: Sequence[str | int]) -> str:
    for model in _members(_annotation_at(location[:-1])):
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, info in model.model_fields.items():
                if (info.alias or name) == location[-1]:
                    return _lower_first(info.description or _summary(info.annotation) or f"give {join_path(location)}")
    return f"give {join_path(location)}"


def _summary(annotation: Any) -> str:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return (member.__doc__ or "").strip().splitlines()[0]
    return ""


def _lower_first(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".") if not text[1:2].isupper() else text.rstrip(".")


def _annotation_at(location: Sequence[str | int]) -> Any:
    annotation: Any = schema.Content
    for part in location:
        if str(part).startswith("as:") or part == "[key]":
            continue
        annotation = _step(annotation, part)
    return annotation


def _step(annotation: Any, part: str | int) -> Any:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            for name, info in member.model_fields.items():
                if (info.alias or name) == part:
                    return info.annotation
        elif get_origin(member) in (dict, tuple, list):
            is_item = isinstance(part, int)
            if is_item != (get_origin(member) is dict):
                return get_args(member)[0 if is_item else 1]
    return None


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, without the wrappers that carry bounds and tags."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    arguments = get_args(annotation)
    if arguments and get_origin(annotation) not in (dict, tuple, list):
        return [inner for argument in arguments for inner in _members(argument)]
    return [annotation]
