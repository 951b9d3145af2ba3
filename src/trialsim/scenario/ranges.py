"""Ranges of values given by hand: read, and refused where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.errors import Fault, InputError
from trialsim.scenario.document import Mark, Node, describe, parse_value
from trialsim.scenario.loading import Scenario
from trialsim.scenario.paths import PathError, find, split_path, value_mark

FIXED = ("schema", "title", "description", "simulation", "vary", "sensitivity")


def parse_range(text: str) -> tuple[str, tuple[Any, Any]]:
    """Return path and ends of a range written as `path=low,high`.

    Raises
    ------
    InputError
        If it is not written so.
    """
    path, equals, ends = text.partition("=")
    path, place = path.strip(), f"--range {text}"
    if not equals or not path:
        raise InputError([Fault(place, "must read path=low,high, such as outcomes.qids_sr16.post_sd=5,6.2")])
    document = parse_value(f"[{ends}]", place)
    values = document.root.plain()
    if document.faults or not isinstance(values, list) or len(values) != 2:
        raise InputError([Fault(place, f"two values are needed after the equals sign, low and high, not '{ends}'")])
    return path, (values[0], values[1])


def given_ranges(scenario: Scenario, by_hand: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, Any, Mark]]:
    """Return the ranges given by hand: those of the scenario's `sensitivity`, and others, which come first.

    Parameters
    ----------
    scenario : Scenario
    by_hand : mapping of str to (low, high)

    Returns
    -------
    dict of str to (low, high, Mark)
        With the place of each.

    Raises
    ------
    InputError
        If a path cannot be, its value is no number, or the scenario cannot have an end of a range.
    """
    root = scenario.base.root
    faults: list[Fault] = []
    ranges: dict[str, tuple[Any, Any, Mark]] = {}
    for path, ends in scenario.content.sensitivity.items():
        ranges[path] = (ends[0], ends[1], value_mark(root, ("sensitivity", path)))
    for path, pair in by_hand.items():
        if len(pair) != 2:
            faults.append(Fault(path, f"two values are needed, low and high, not {len(pair)}"))
            continue
        ranges[path] = (pair[0], pair[1], Mark(f"--range {path}={_short(pair[0])},{_short(pair[1])}"))
    for path, (low, high, mark) in ranges.items():
        faults += [mark.fault(path, message) for message in range_problems(root, path, low, high)]
    if faults:
        raise InputError(faults)
    return ranges


def _short(value: Any) -> str:
    return str(value).replace(" ", "")[:30]


def range_problems(root: Node, path: str, low: Any, high: Any) -> Iterator[str]:
    """Yield what is wrong with a range before it is tried."""
    try:
        parts = split_path(path)
    except PathError as error:
        yield str(error)
        return
    if parts[0] in FIXED:
        yield f"{parts[0]} is no assumption about the trial; name a value of another part"
        return
    problem = _unlike(low, high)
    if problem:
        yield problem
        return
    there = find(root, parts)
    if there is not None and isinstance(there.value, str | bool):
        yield f"is no number in the scenario but {describe(there.value)}; a range needs a number there"


def _unlike(low: Any, high: Any) -> str:
    """Return why two values are no ends of a range; empty where they are."""
    if isinstance(low, list) and isinstance(high, list):
        if len(low) != len(high) or not low:
            return "low and high are lists of different lengths"
        return next((problem for item in (*low, *high) if (problem := _no_number(item))), "")
    problem = _no_number(low) or _no_number(high)
    if problem:
        return problem
    if low == high:
        return f"low and high are both {low:g}: there is no range"
    return f"low ({low:g}) is above high ({high:g}); give the smaller one first" if low > high else ""


def _no_number(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if is_number else f"a range goes from a number to a number; {describe(value)} is none"
