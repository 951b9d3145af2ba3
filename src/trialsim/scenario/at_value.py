"""A scenario that has been loaded, with other values at some of its paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from trialsim.errors import InputError
from trialsim.scenario.checking import check_meaning
from trialsim.scenario.document import Mark, Node
from trialsim.scenario.loading import Point, Scenario, describe_setting
from trialsim.scenario.paths import PathError, node_from, replace, split_path
from trialsim.scenario.validation import check_shape


def at_value(scenario: Scenario, path: str, value: Any) -> Scenario:
    """Return the base values of a scenario with one of them replaced; see `at_values`."""
    return at_values(scenario, {path: value})


def at_values(scenario: Scenario, values: Mapping[str, Any]) -> Scenario:
    """Return the base values of a scenario with some of them replaced, one after the other.

    Parameters
    ----------
    scenario : Scenario
    values : mapping of str to object
        Plain data by path, such as `effects.ketamine.points.qids_sr16`.

    Raises
    ------
    InputError
        If there is no such path, or the scenario does not hold with the values.
    """
    root = scenario.base.root
    for path, value in values.items():
        mark = Mark(f"{path} = {describe_setting(value)}")
        try:
            root = replace(root, split_path(path), node_from(value, mark), mark)
        except PathError as error:
            raise InputError([mark.fault(path, str(error))]) from error
    return from_root(scenario, root, values)


def with_simulation(scenario: Scenario, values: Mapping[str, int]) -> Scenario:
    """Return a scenario with other values under `simulation`; what it varies stays.

    Parameters
    ----------
    scenario : Scenario
    values : mapping of str to int
        `replicates`, `seed`.

    Raises
    ------
    InputError
        If one is out of range.
    """

    def changed(point: Point) -> Point:
        root = point.root
        for name, value in values.items():
            mark = Mark(f"{name}={value}")
            root = replace(root, ("simulation", name), node_from(value, mark), mark)
        checked = check_shape(root)
        if checked.content is None or checked.faults:
            raise InputError(checked.faults)
        simulation = checked.content.simulation
        return dataclasses.replace(
            point, content=point.content.model_copy(update={"simulation": simulation}), root=root
        )

    base = changed(scenario.base)
    return dataclasses.replace(scenario, base=base, points=tuple(changed(point) for point in scenario.points))


def from_root(scenario: Scenario, root: Node, values: Mapping[str, Any]) -> Scenario:
    """Return the base values of a scenario as another document has them.

    Parameters
    ----------
    scenario : Scenario
    root : Node
        The changed document.
    values : mapping of str to object
        What was changed, by path.

    Raises
    ------
    InputError
        If the document is not sound.
    """
    checked = check_shape(root)
    faults = (*checked.faults, *check_meaning(root, checked.parts))
    if checked.content is None or faults:
        raise InputError(faults)
    point = Point(checked.content, root)
    return Scenario(point, (point,), scenario.file, {**scenario.settings, **values}).at_base()
