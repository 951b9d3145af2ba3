"""The designs of a scenario: the scenario itself with some of its values replaced, each checked like the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trialsim.errors import Fault, InputError
from trialsim.scenario.checking import check_meaning
from trialsim.scenario.document import Node
from trialsim.scenario.loading import Design, Places, Point, Scenario, overlap, spread
from trialsim.scenario.paths import PathError, fault_at, find, split_path
from trialsim.scenario.paths import replace as replace_node
from trialsim.scenario.resolved import Resolved
from trialsim.scenario.resolving import resolve
from trialsim.scenario.validation import check_shape

LABEL = "label"
COMMON = ("schema", "title", "description", "simulation", "vary", "designs")
"""What all designs of a scenario share."""
LONGEST_LABEL = 60


def designs_of(scenario: Scenario, known: Sequence[Fault]) -> tuple[tuple[Design, ...], list[Fault]]:
    """Return the designs of a scenario, and the faults that they have and the scenario has not.

    Parameters
    ----------
    scenario : Scenario
    known : sequence of Fault
        Those of the scenario itself.
    """
    places = Places(known)
    found: list[Design] = []
    faults: list[Fault] = []
    for name in scenario.content.designs:
        own = list(_own_faults(scenario.base.root, name))
        design, caused = (None, []) if own else _design(scenario, name, places)
        faults += [*own, *caused]
        found += [design] if design else []
    return tuple(found), faults


def resolve_designs(scenario: Scenario, *, cells: bool = False) -> list[tuple[Design, Resolved]]:
    """Find every number of every design.

    Parameters
    ----------
    scenario : Scenario
    cells : bool
        Whether what the scenario varies is kept; otherwise base values.

    Raises
    ------
    InputError
        With the faults of all designs, each at the value that causes it.
    """
    found: list[tuple[Design, Resolved]] = []
    faults: list[Fault] = []
    places = Places(())
    for design in scenario.designs:
        try:
            found.append((design, resolve(design.scenario if cells else design.scenario.at_base())))
        except InputError as error:
            faults += places.new(error.faults, design.changes, design=design.name)
    if faults:
        raise InputError(faults)
    return found


def _changes(root: Node, name: str) -> dict[str, Node]:
    """Return the values that a design puts at paths."""
    node = find(root, ("designs", name))
    entries: Mapping[str, Node] = node.value if node is not None and node.value is not None else {}
    return {path: value for path, value in entries.items() if path != LABEL}


def _own_faults(root: Node, name: str) -> Iterator[Fault]:
    """Yield what is wrong with a design's entries before they are put into the scenario."""
    place = ("designs", name)
    label = find(root, (*place, LABEL))
    if label is not None and not (isinstance(label.value, str) and 1 <= len(label.value) <= LONGEST_LABEL):
        yield fault_at(root, (*place, LABEL), f"a text of 1 to {LONGEST_LABEL} letters is needed")
    changes = _changes(root, name)
    for path in changes:
        try:
            head = split_path(path)[0]
        except PathError as error:
            yield fault_at(root, (*place, path), str(error), key=True)
            continue
        if head in COMMON:
            yield fault_at(root, (*place, path), f"{head} is one for all designs; give it outside of them", key=True)
        for other in changes:
            if other != path and path.startswith(f"{other}."):
                yield fault_at(root, (*place, path), f"lies inside {other}, which the design changes too", key=True)


def _design(scenario: Scenario, name: str, places: Places) -> tuple[Design | None, list[Fault]]:
    own = scenario.base.root
    changes = _changes(own, name)
    keys = find(own, ("designs", name))
    root = _without_designs(own)
    for path, node in changes.items():
        key = keys.keys[path] if keys is not None else own.mark
        try:
            root = replace_node(root, split_path(path), node, key)
        except PathError as error:
            return None, [fault_at(own, ("designs", name, path), str(error), key=True)]
    root = _fixed(root, changes)
    checked = check_shape(root)
    faults = [*checked.faults, *check_meaning(root, checked.parts)]
    told = places.new(faults, changes, design=name) if changes else []
    if checked.content is None or faults:
        return None, told
    base = Point(checked.content, root)
    points, vary_faults = spread(base, ())
    label = find(own, ("designs", name, LABEL))
    words = name.replace("_", " ") if label is None else str(label.value)
    design = Design(name, words, changes, Scenario(base, points, scenario.file, scenario.settings))
    return design, places.new(vary_faults, changes, design=name) if changes else []


def _without_designs(root: Node) -> Node:
    children = {key: node for key, node in root.value.items() if key != "designs"}
    return Node(children, root.mark, {key: mark for key, mark in root.keys.items() if key != "designs"}, root.size)


def _fixed(root: Node, changes: Mapping[str, Node]) -> Node:
    """Return the document with `vary` left without what the design sets."""
    vary = find(root, ("vary",))
    if vary is None or not isinstance(vary.value, dict):
        return root
    kept = {path: node for path, node in vary.value.items() if not any(overlap(path, own) for own in changes)}
    if len(kept) == len(vary.value):
        return root
    keys = {path: vary.keys[path] for path in kept}
    return replace_node(root, ("vary",), Node(kept, vary.mark, keys, vary.size), vary.mark)


__all__ = ["designs_of", "resolve_designs"]
