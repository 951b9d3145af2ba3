"""Paths into a scenario, such as `effects.ketamine.specific_share`: finding, placing and replacing what they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trialsim.errors import CONTROL, Fault
from trialsim.scenario.document import MAXIMUM_DEPTH, Mark, Node, describe

Path = tuple[str, ...]

KEYED_BY_PATH = ("vary", "priors", "sensitivity")
"""Sections whose keys are paths."""


class PathError(ValueError):
    """A path that cannot be followed, with the reason in words."""


def split_path(path: str) -> Path:
    """Return the parts of a dotted path; what follows `vary.` and the like, or `designs.NAME.`, is a path: one key."""
    parts = tuple(path.split("."))
    if not all(parts):
        raise PathError("a path is keys joined by dots, such as effects.ketamine.specific_share")
    if len(parts) > MAXIMUM_DEPTH:
        raise PathError(f"a path has at most {MAXIMUM_DEPTH} parts, not {len(parts)}")
    if parts[0] in KEYED_BY_PATH and len(parts) > 1:
        return (parts[0], ".".join(parts[1:]))
    if parts[0] == "designs" and len(parts) > 2:
        return ("designs", parts[1], ".".join(parts[2:]))
    return parts


def join_path(parts: Sequence[str | int]) -> str:
    """Return the dotted text of a path."""
    return ".".join(str(part) for part in parts)


def find(root: Node, parts: Sequence[str | int]) -> Node | None:
    """Return the node at a path, or None."""
    node: Node | None = root
    for part in parts:
        node = node.child(part) if node is not None else None
    return node


def value_mark(root: Node, parts: Sequence[str | int]) -> Mark:
    """Return where the value at a path stands, or the key of the deepest part of the path that is there."""
    node, mark = root, root.mark
    for part in parts:
        child = node.child(part)
        if child is None:
            return mark
        mark = node.keys.get(str(part), child.mark)
        node = child
    return node.mark if parts else mark


def key_mark(root: Node, parts: Sequence[str | int]) -> Mark:
    """Return where the last key of a path stands; for list items and missing keys as `value_mark`."""
    if not parts:
        return root.mark
    parent = find(root, parts[:-1])
    if parent is not None and str(parts[-1]) in parent.keys:
        return parent.keys[str(parts[-1])]
    return value_mark(root, parts)


def fault_at(root: Node, parts: Sequence[str | int], message: str, *, key: bool = False) -> Fault:
    """Return a fault placed at the value (or the key) that a path names."""
    mark = key_mark(root, parts) if key else value_mark(root, parts)
    return mark.fault(join_path(parts), message)


def replace(root: Node, parts: Path, value: Node, key: Mark) -> Node:
    """Return the tree with `value` at a path; mappings on the way are made where nothing is.

    Raises
    ------
    PathError
        When the path runs through a plain value or past the end of a list.
    """
    if not parts:
        return value
    head, rest = parts[0], parts[1:]
    if isinstance(root.value, list):
        if not head.isdigit():
            return replace(_as_mapping(root, head), parts, value, key)
        return _replace_item(root, int(head), rest, value, key)
    if root.value is not None and not isinstance(root.value, dict):
        raise PathError(f"'{head}' cannot be set inside {describe(root.value)}; set the whole value instead")
    children: dict[str, Node] = dict(root.value or {})
    keys = dict(root.keys)
    inner = children.get(head, Node(None, key))
    children[head] = replace(inner, rest, value, key)
    # A value that is replaced keeps the key it had; faults about the value are placed by the value.
    keys.setdefault(head, key)
    return Node(children, root.mark, keys, root.size + value.size)


def _replace_item(root: Node, position: int, rest: Path, value: Node, key: Mark) -> Node:
    items = list(root.value)
    if position >= len(items):
        raise PathError(f"there is no item {position}: the list has {len(items)}, counted from 0")
    items[position] = replace(items[position], rest, value, key)
    return Node(items, root.mark, size=root.size + value.size)


def _as_mapping(root: Node, head: str) -> Node:
    """Return a list of names as the mapping it stands for, so that `outcomes.madrs.post_sd` can be set."""
    if not all(isinstance(item.value, str) for item in root.value):
        raise PathError(f"'{head}' cannot be set inside a list; give the position, counted from 0")
    keys = {item.value: item.mark for item in root.value}
    return Node({name: Node(None, mark) for name, mark in keys.items()}, root.mark, keys, root.size)


def node_from(value: Any, mark: Mark, depth: int = 0) -> Node:
    """Return plain Python data as a tree whose every node stands at `mark`; NumPy's numbers become Python's."""
    if depth > MAXIMUM_DEPTH:
        raise PathError(f"the value is nested more than {MAXIMUM_DEPTH} levels deep")
    value = value.tolist() if hasattr(value, "tolist") else value
    control = CONTROL.search(value) if isinstance(value, str) else None
    if control is not None:
        raise PathError(f"the text holds the control character U+{ord(control[0]):04X}; leave it out")
    if isinstance(value, dict):
        children = {str(name): node_from(item, mark, depth + 1) for name, item in value.items()}
        return Node(children, mark, dict.fromkeys(children, mark), 1 + sum(n.size for n in children.values()))
    if isinstance(value, list | tuple):
        items = [node_from(item, mark, depth + 1) for item in value]
        return Node(items, mark, size=1 + sum(n.size for n in items))
    return Node(value, mark)
