"""Load a scenario: read the file, apply settings, check it, and spread it over what it varies."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import Fault, InputError, ScenarioWarning
from trialsim.scenario.cautions import cautions
from trialsim.scenario.checking import check_meaning
from trialsim.scenario.document import Document, Mark, Node, describe, parse_document, parse_value, read_document
from trialsim.scenario.known_names import unknown_names
from trialsim.scenario.paths import PathError, fault_at, find, node_from, split_path
from trialsim.scenario.paths import replace as replace_node
from trialsim.scenario.schema import Content
from trialsim.scenario.validation import check_shape

if TYPE_CHECKING:
    from trialsim.scenario.priors import Belief

MAXIMUM_VARIANTS = 1_000
FIXED = (
    "schema", "title", "description", "simulation", "sample_size", "vary", "designs", "prior_correlations",
    "sensitivity",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One combination of varied values, as checked content with the places of its values.

    Parameters
    ----------
    content : Content
    root : Node
    varied : dict of str to Node
        Value of each varied path with its place; empty for the scenario as written.
    """

    content: Content
    root: Node
    varied: Mapping[str, Node] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Value of each varied path."""
        return {path: node.plain() for path, node in self.varied.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """One of the designs that a scenario holds against each other.

    Parameters
    ----------
    name, label : str
        Without a label of its own, its name in words.
    changes : dict of str to Node
        Value of each path that it changes, with its place.
    scenario : Scenario
        The scenario with these values; it has no designs itself.
    """

    name: str
    label: str
    changes: Mapping[str, Node]
    scenario: Scenario


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """A scenario whose shape and meaning have been checked; `resolve` finds its numbers.

    Parameters
    ----------
    base : Point
        The scenario as written (settings applied, nothing varied).
    points : tuple of Point
        One per combination of varied values; `(base,)` when nothing is varied.
    file : str
        Where it was read.
    settings : dict of str to object
        Settings applied on top of the file.
    designs : tuple of Design
        What `compare` holds against each other; everything else leaves them aside.
    """

    base: Point
    points: tuple[Point, ...]
    file: str
    settings: Mapping[str, Any]
    designs: tuple[Design, ...] = ()

    @property
    def content(self) -> Content:
        """The scenario as written."""
        return self.base.content

    @property
    def title(self) -> str:
        """The title shown in reports."""
        return self.content.title

    @property
    def varied(self) -> tuple[str, ...]:
        """The varied paths."""
        return tuple(self.content.vary)

    @property
    def designs_aside(self) -> str:
        """The sentence that says that the designs are left aside; empty where there are none."""
        if not self.designs:
            return ""
        names = ", ".join(design.name for design in self.designs)
        return f"designs is left aside ({names}): the scenario as it stands is used; compare runs the designs."

    @property
    def believed(self) -> tuple[str, ...]:
        """The paths with a prior."""
        return tuple(self.content.priors)

    @property
    def priors_aside(self) -> str:
        """The sentence that says that a run does not average over priors; empty where there are none."""
        if not self.believed:
            return ""
        return (
            f"priors are left aside ({', '.join(self.believed)}): this is the power at the scenario's own values. "
            "`trialsim assurance` averages over them."
        )

    def at_base(self) -> Scenario:
        """Return the same scenario with its base values only, `vary` left aside."""
        base = replace(self.base, content=self.content.model_copy(update={"vary": {}}))
        return replace(self, base=base, points=(base,))

    def to_dict(self) -> dict[str, Any]:
        """Return what was written, settings applied, as plain data."""
        plain: dict[str, Any] = self.base.root.plain()
        return plain


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that was given otherwise than as a path: its value, and how it was written, for messages."""

    value: Any
    written: str


def load(path: str | Path, *, settings: Mapping[str, Any] | None = None) -> Scenario:
    """Load and check a scenario file.

    Parameters
    ----------
    path : str or Path
        A YAML file of schema 1.
    settings : mapping of str to object, optional
        Values to put at scenario paths, such as ``{"simulation.replicates": 100}``; texts are read as YAML values. Of
        an `Option`, faults are told by how it was written.

    Returns
    -------
    Scenario

    Raises
    ------
    InputError
        With every fault found, each at its file, line and column, or at its `--set`.

    Warns
    -----
    ScenarioWarning
        If something can be run and is seldom meant, such as a primary visit before the last infusion.
    """
    scenario = _checked(read_document(path), str(path), settings or {})
    for caution in cautions(scenario.content, scenario.base.root):
        warnings.warn(str(caution), ScenarioWarning, stacklevel=2)
    return scenario


def load_content(content: Mapping[str, Any], name: str) -> Scenario:
    """Check a scenario that is plain data already, such as `Scenario.to_dict` gives; faults are at `name`.

    Parameters
    ----------
    content : mapping
    name : str
        Shown as the file.

    Raises
    ------
    InputError
        With every fault found.
    """
    return _checked(parse_document(json.dumps(content, ensure_ascii=False), name), name, {})


def _checked(document: Document, name: str, settings: Mapping[str, Any]) -> Scenario:
    root, set_faults = _apply(document.root, _fixing(document.root, settings))
    faults = [*document.faults, *set_faults]
    checked = check_shape(root)
    meaning = check_meaning(root, checked.parts)
    faults += [*checked.faults, *meaning]
    if checked.content is None:
        raise InputError(unique([*faults, *unknown_names(root)]))
    base = Point(checked.content, root)
    points, vary_faults = spread(base, faults)
    faults += vary_faults
    plain = {path: value.value if isinstance(value, Option) else value for path, value in settings.items()}
    scenario = Scenario(base, points, name, plain)
    designs, design_faults = _designs(scenario, faults)
    faults += design_faults
    faults += [*_faults_of_priors(base, faults), *_range_faults(base)]
    if faults:
        raise InputError(unique([*faults, *_faults_in_numbers(base, meaning)]))
    return replace(scenario, designs=designs)


def _designs(scenario: Scenario, known: Sequence[Fault]) -> tuple[tuple[Design, ...], list[Fault]]:
    if not scenario.content.designs:
        return (), []
    from trialsim.scenario.designs import designs_of

    return designs_of(scenario, known)


def _range_faults(base: Point) -> Iterator[Fault]:
    """Yield what is wrong with the ranges under `sensitivity`."""
    from trialsim.scenario.ranges import range_problems

    for path, (low, high) in base.content.sensitivity.items():
        for message in range_problems(base.root, path, low, high):
            yield fault_at(base.root, ("sensitivity", path), message)


def _fixing(root: Node, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings, with `vary` left without the paths that they set: a value that is set is not varied."""
    plain = root.plain()
    vary = plain.get("vary") if isinstance(plain, dict) else None
    if not isinstance(vary, dict) or any(path.split(".")[0] == "vary" for path in settings):
        return settings
    kept = {path: values for path, values in vary.items() if not any(overlap(str(path), own) for own in settings)}
    return settings if len(kept) == len(vary) else {**settings, "vary": kept}


def overlap(path: str, other: str) -> bool:
    """Return whether two paths name the same value, or one lies inside the other's."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def unique(faults: list[Fault]) -> list[Fault]:
    """Return every fault once, in the order found."""
    return list(dict.fromkeys(faults))


def _faults_in_numbers(base: Point, meaning: tuple[Fault, ...]) -> list[Fault]:
    """Return what is wrong with the numbers too, or with the names of evidence where numbers cannot be worked out."""
    from trialsim.scenario.resolving import faults_of

    return faults_of(base) if all(_is_harmless(fault.path) for fault in meaning) else unknown_names(base.root)


# Faults in these parts leave the patient model's numbers as they are, so those can be checked all the same.
_HARMLESS = (
    "allocation", "analysis", "designs", "dropout", "estimands", "sample_size", "simulation", "vary", "priors",
    "prior_correlations",
)  # fmt: skip


def _is_harmless(path: str) -> bool:
    if path.startswith("estimands.") and path.endswith(".outcome"):
        return False  # where outcomes are not listed it says what is measured
    return path.split(".")[0] in _HARMLESS or path == "population.strata" or path.endswith(".share")


# Settings ----------------------------------------------------------------------------------------------------


def _apply(root: Node, settings: Mapping[str, Any]) -> tuple[Node, list[Fault]]:
    faults: list[Fault] = []
    for path, given in settings.items():
        value = given.value if isinstance(given, Option) else given
        text = value if isinstance(value, str) else describe_setting(value)
        mark = Mark(given.written if isinstance(given, Option) else f"--set {_short(path)}={_short(text)}")
        try:
            document = parse_value(value, mark.file) if isinstance(value, str) else None
            node = document.root if document else node_from(value, mark)
            faults += document.faults if document else ()
            root = replace_node(root, split_path(path), node, mark)
        except PathError as error:
            faults.append(mark.fault(_short(path), str(error)))
        except InputError as error:
            faults += error.faults
    return root, faults


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def describe_setting(value: Any, depth: int = 0) -> str:
    """Return a setting given as Python data in the notation of `--set`; what is nested deeply is cut off."""
    if depth > 5:
        return "..."
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return f"[{', '.join(describe_setting(item, depth + 1) for item in value)}]"
    if isinstance(value, dict):
        entries = (f"{key}: {describe_setting(item, depth + 1)}" for key, item in value.items())
        return "{" + ", ".join(entries) + "}"
    return describe(value) if value is None or isinstance(value, bool) else str(value)


# Variation ---------------------------------------------------------------------------------------------------


def spread(base: Point, known: Sequence[Fault]) -> tuple[tuple[Point, ...], list[Fault]]:
    """Return the points of a scenario and the faults that they have and the base has not."""
    vary = base.content.vary
    if not vary:
        return (base,), []
    by_path = {path: list(_path_faults(base, path)) for path in vary}
    faults = [fault for found in by_path.values() for fault in found]
    sound = [path for path, found in by_path.items() if not found]
    n_points = prod(len(vary[path]) for path in sound)
    if n_points > MAXIMUM_VARIANTS:
        message = f"{n_points:,} combinations; at most {MAXIMUM_VARIANTS:,} are run, so vary fewer values"
        faults.append(fault_at(base.root, ("vary",), message, key=True))
        return (), faults
    points = []
    places = Places(known)
    for nodes in _combinations(base, sound):
        point, found = _point(base, nodes)
        faults += places.new(found, nodes)
        points += [point] if point else []
    return tuple(points), faults


def _path_faults(base: Point, path: str) -> Iterator[Fault]:
    place = ("vary", path)
    try:
        parts = split_path(path)
    except PathError as error:
        yield fault_at(base.root, place, str(error), key=True)
        return
    if parts[0] in FIXED:
        advice = "give sample_size a list" if parts[0] == "sample_size" else "it is one for the whole scenario"
        yield fault_at(base.root, place, f"{parts[0]} cannot be varied: {advice}", key=True)
    for other in base.content.vary:
        if path.startswith(f"{other}."):
            yield fault_at(base.root, place, f"lies inside {other}, which is varied too", key=True)
    values = base.content.vary[path]
    for position, value in enumerate(values):
        if value in values[:position]:
            yield fault_at(base.root, (*place, position), f"{describe(value)} is listed twice")
    try:
        replace_node(base.root, parts, Node(None, base.root.mark), base.root.mark)
    except PathError as error:
        yield fault_at(base.root, place, str(error), key=True)


def _faults_of_priors(base: Point, known: Sequence[Fault]) -> Iterator[Fault]:
    """Yield what is wrong with the scenario where a prior's median stands in for the value that it is about."""
    priors = base.content.priors
    if not priors or any(fault.path.split(".")[0] in ("priors", "prior_correlations") for fault in known):
        return
    from trialsim.scenario.priors import beliefs

    places = Places(known)
    for belief in beliefs(priors):
        place = ("priors", belief.path)
        try:
            node = node_from(_middle(base, belief), base.root.mark)
            root = replace_node(base.root, split_path(belief.path), node, base.root.mark)
        except PathError as error:
            yield fault_at(base.root, place, str(error), key=True)
            continue
        checked = check_shape(root)
        found = (*checked.faults, *check_meaning(root, checked.parts))
        for fault in places.new(found, {}):
            words = fault.message if fault.path == belief.path else f"{fault.path}: {fault.message}"
            yield fault_at(base.root, place, words, key=True)


def _middle(base: Point, belief: Belief) -> float:
    """Return the median of what is believed about a value."""
    middle = belief.prior.quantile(0.5)
    if belief.relative_to is None:
        return middle
    reference = find(base.root, split_path(belief.relative_to))
    if reference is None or isinstance(reference.value, bool) or not isinstance(reference.value, int | float):
        raise PathError(f"is relative to {belief.relative_to}, and no number is written there; write one")
    return middle + reference.value


def _combinations(base: Point, paths: Sequence[str]) -> Iterator[dict[str, Node]]:
    lists = []
    for path in paths:
        node = find(base.root, ("vary", path))
        items = node.value if node is not None else []
        lists.append([(path, replace(item, position=position)) for position, item in enumerate(items)])
    for combination in product(*lists):
        yield dict(combination)


def _point(base: Point, nodes: Mapping[str, Node]) -> tuple[Point | None, tuple[Fault, ...]]:
    root = base.root
    for path, node in nodes.items():
        root = replace_node(root, split_path(path), node, base.root.value["vary"].keys[path])
    checked = check_shape(root)
    faults = (*checked.faults, *check_meaning(root, checked.parts))
    return Point(checked.content, root, nodes) if checked.content is not None else None, faults


class Places:
    """Where faults were already found, so that what many combinations share is told once.

    Parameters
    ----------
    known : iterable of Fault
        Faults of the scenario as written.
    """

    def __init__(self, known: Iterable[Fault]) -> None:
        self._seen = {_place(fault) for fault in known}

    def new(self, faults: Sequence[Fault], nodes: Mapping[str, Node], *, design: str = "") -> list[Fault]:
        """Return the faults of a combination at places without one so far, each placed at a value that causes it.

        Parameters
        ----------
        faults : sequence of Fault
        nodes : mapping of str to Node
            Varied values, or those that a design changes.
        design : str
            Name of the design; empty for varied values.
        """
        fresh = [fault for fault in faults if _place(fault) not in self._seen]
        self._seen.update(map(_place, fresh))
        return [_at_own_value(fault, nodes, design) for fault in fresh] if nodes else fresh


def _place(fault: Fault) -> tuple[object, ...]:
    return fault.path, fault.file, fault.line, fault.column


def _at_own_value(fault: Fault, nodes: Mapping[str, Node], design: str) -> Fault:
    """Return a fault that a value causes, placed at that value: as its entry, or with the combination named."""
    for path, node in nodes.items():
        if f"{fault.path}.".startswith(f"{path}."):
            own = f"designs.{design}.{path}" if design else f"vary.{path}[{node.position}]"
            entry = f"{own}{fault.path.removeprefix(path)}"
            if (fault.file, fault.line, fault.column) in _places_in(node):
                return replace(fault, path=entry)
            return node.mark.fault(entry, fault.message)
    combination = ", ".join(f"{path} = {describe_setting(node.plain())}" for path, node in nodes.items())
    where = f"in design {design}" if design else f"with {combination}"
    return next(iter(nodes.values())).mark.fault(fault.path, f"{fault.message} ({where})")


def _places_in(node: Node) -> set[tuple[object, ...]]:
    """Return the places of a value, of its keys and of all inside it."""
    found: set[tuple[object, ...]] = {(mark.file, mark.line, mark.column) for mark in (node.mark, *node.keys.values())}
    children = node.value.values() if isinstance(node.value, dict) else node.value
    for child in children if isinstance(node.value, dict | list) else ():
        found |= _places_in(child)
    return found


__all__ = [
    "Design",
    "Places",
    "Point",
    "Scenario",
    "describe_setting",
    "load",
    "overlap",
    "spread",
    "unique",
]
