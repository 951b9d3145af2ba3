"""What two scenarios differ in, as assumptions that can be changed one without the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario
from trialsim.scenario.at_value import from_root
from trialsim.scenario.document import Mark, Node
from trialsim.scenario.paths import find, join_path, replace

Path = tuple[str, ...]

IGNORED = ("schema", "title", "description", "simulation", "vary", "sensitivity", "multiplicity")
WORDS = ("label",)
_BY_ESTIMAND = ("estimands", "analysis")


@dataclass(frozen=True, slots=True)
class Difference:
    """One assumption in which scenarios differ.

    Parameters
    ----------
    name : str
        Its path; of several the part that they have in common, or all of them.
    paths : tuple of str
    before, after : dict of str to object
        Plain data by path; None where a scenario has nothing there.
    """

    name: str
    paths: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]


def differences(
    first: Scenario, second: Scenario, estimands: Collection[str], together: Sequence[Sequence[str]] = ()
) -> list[Difference]:
    """Return what two scenarios differ in, in the order of the first.

    Parameters
    ----------
    first, second : Scenario
    estimands : collection of str
        What is asked; other estimands and their analyses are left as they are in the first.
    together : sequence of sequences of str
        Paths that are one assumption: all that differs at or below them.

    Notes
    -----
    Values written in both are assumptions of their own. Where only one scenario has a key, all that differs beside it
    is one assumption, because its default in the other hangs on its neighbours.
    """
    roots = [scenario.base.root for scenario in (first, second)]
    leaves = [
        (leaf, lonely)
        for leaf, lonely in _unlike((), roots[0], roots[1])
        if leaf[0] not in _BY_ESTIMAND or leaf[1] in estimands
    ]
    groups: list[list[Path]] = []
    asked = [[tuple(path.split(".")) for path in paths] for paths in together]
    for number, prefixes in enumerate(asked):
        inside = [leaf for leaf, _ in leaves if any(leaf[: len(prefix)] == prefix for prefix in prefixes)]
        if not inside:
            raise InputError([Fault("--together", f"the scenarios do not differ at {', '.join(together[number])}")])
        groups.append(inside)
    taken = {leaf for group in groups for leaf in group}
    own_sided = {leaf[:-1] for leaf, lonely in leaves if lonely and leaf not in taken and len(leaf) > 1}
    by_parent: dict[Path, list[Path]] = {}
    for leaf, _ in leaves:
        if leaf in taken:
            continue
        parent = next((leaf[:depth] for depth in range(1, len(leaf)) if leaf[:depth] in own_sided), leaf)
        parent = ("population", "strata") if leaf[:2] == ("population", "strata") and leaf[-1] == "share" else parent
        by_parent.setdefault(parent, []).append(leaf)
    names = [" + ".join(paths) for paths in together]
    found = [_difference(roots[0], roots[1], group, name) for group, name in zip(groups, names, strict=True)]
    return found + [_difference(roots[0], roots[1], group) for group in by_parent.values()]


def _unlike(path: Path, first: Node | None, second: Node | None) -> Iterator[tuple[Path, bool]]:
    """Yield the deepest paths at which two documents differ, and whether only one of them has the key."""
    if path == ("analysis",):
        first, second = (Node({}, Mark("")) if node is None else node for node in (first, second))
    plain = [None if node is None else node.plain() for node in (first, second)]
    if plain[0] == plain[1]:
        return
    if _is_open(first) and _is_open(second) and first is not None and second is not None:
        for key in dict.fromkeys([*first.value, *second.value]):
            if key in WORDS or (not path and key in IGNORED):
                continue
            yield from _unlike((*path, key), first.value.get(key), second.value.get(key))
    else:
        yield path, plain[0] is None or plain[1] is None


def _is_open(node: Node | None) -> bool:
    """Return whether a value is looked into: a mapping whose keys can stand in a path."""
    return node is not None and isinstance(node.value, dict) and not any("." in key for key in node.value)


def _difference(first: Node, second: Node, group: Sequence[Path], name: str = "") -> Difference:
    before, after = (
        {join_path(path): None if (node := find(root, path)) is None else node.plain() for path in group}
        for root in (first, second)
    )
    common = group[0]
    for path in group[1:]:
        common = tuple(part for part, _ in takewhile(lambda pair: pair[0] == pair[1], zip(common, path, strict=False)))
    paths = tuple(before)
    if name:
        return Difference(name, paths, before, after)
    name = join_path(_deepened(common, before, after)) if len(paths) == 1 else join_path(common) or " + ".join(paths)
    return Difference(name, paths, before, after)


def _deepened(path: Path, before: dict[str, Any], after: dict[str, Any]) -> Path:
    """Return the path of the only value that a scenario has at a path where the other has nothing."""
    written = next((one for one in (*after.values(), *before.values()) if one is not None), None)
    both = None not in (*after.values(), *before.values())
    while not both and isinstance(written, dict) and len(written) == 1 and "." not in next(iter(written)):
        ((key, written),) = written.items()
        path = (*path, key)
    return path


def mixed(first: Scenario, second: Scenario, changed: Sequence[Difference]) -> Scenario:
    """Return the first scenario with some of its assumptions as the second has them.

    Raises
    ------
    InputError
        If there can be no such scenario.
    """
    root, other = first.base.root, second.base.root
    values: dict[str, Any] = {}
    for one in changed:
        for name in one.paths:
            path = tuple(name.split("."))
            node = _found(other, one, name)
            root = _without(root, path) if node is None else replace(root, path, node, node.mark)
            values[name] = one.after[name]
    return from_root(first, root, values)


def _found(root: Node, one: Difference, name: str) -> Node | None:
    node = find(root, tuple(name.split(".")))
    return None if one.after[name] is None else node


def _without(root: Node, path: Path) -> Node:
    """Return the tree without what is at a path."""
    if not isinstance(root.value, dict) or path[0] not in root.value:
        return root
    children, keys = dict(root.value), dict(root.keys)
    if len(path) > 1:
        children[path[0]] = _without(children[path[0]], path[1:])
    else:
        del children[path[0]]
        keys.pop(path[0], None)
    return Node(children, root.mark, keys, root.size)
