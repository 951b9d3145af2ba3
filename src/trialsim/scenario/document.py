"""A YAML document as a tree whose every key and value knows its file, line and column.

Only what a scenario needs is understood: mappings, lists and plain values by the rules of YAML 1.2, and ordinary
anchors. Tags, merge keys, repeated keys and numbers that are not finite are refused, and so is a document that is too
large, too deep, or that grows too large when its aliases are written out. Nothing in a document can run code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from trialsim.errors import CONTROL, Fault, InputError, visible
from trialsim.scenario.files import read_bytes

MAXIMUM_BYTES = 1_000_000
MAXIMUM_DEPTH = 30
MAXIMUM_NODES = 100_000
LARGEST_NUMBER = 2.0**64
LONGEST_NUMBER = 40

_TOO_DEEP = f"nested more than {MAXIMUM_DEPTH} levels deep"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_GLUED = re.compile(r"(\w[\w.]*):(?=\S)(.+)")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in an input: a file with line and column (from 1), or a `--set` without them."""

    file: str
    line: int | None = None
    column: int | None = None

    def fault(self, path: str, message: str) -> Fault:
        """Return the fault that `message` is at this place."""
        return Fault(path, message, self.line, self.column, self.file)


class _Unreadable:
    """Stands for a value that was already reported, so that nobody reports it a second time."""

    def __repr__(self) -> str:
        return "an unreadable value"


UNREADABLE = _Unreadable()


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document.

    Parameters
    ----------
    value : dict of str to Node, list of Node, or a plain value
    mark : Mark
        Where the value begins.
    keys : dict of str to Mark
        Where each key of a mapping stands.
    size : int
        Number of nodes from here down, aliases written out.
    position : int or None
        Which entry of `vary` this value is, from 0; None for values that are not varied.
    """

    value: Any
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    size: int = 1
    position: int | None = None

    def child(self, part: str | int) -> Node | None:
        """Return the node under a key or at a position, or None."""
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list):
            position = int(part) if str(part).isdigit() else -1
            return self.value[position] if 0 <= position < len(self.value) else None
        return None

    def plain(self) -> Any:
        """Return the data without the marks; keys are texts."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """A scenario file as it was read: its tree, and what was already found wrong with it."""

    root: Node
    faults: tuple[Fault, ...] = ()


class _StopReadingError(Exception):
    """Reading cannot go on; the faults found so far are in the reader."""


def read_document(path: str | Path) -> Document:
    """Read a YAML file into a tree with places.

    Raises
    ------
    InputError
        When there is no tree to go on with: no such file, a folder, pipe or device, too large, not UTF-8, not YAML,
        empty, not a mapping.
    """
    name = str(path)
    content = read_bytes(Path(path), name, MAXIMUM_BYTES, what="scenario", endings=(".yaml", ".yml"))
    return parse_document(_decode(content, name), name)


def parse_document(text: str, name: str) -> Document:
    """Read YAML text into a tree with places; `name` is shown as the file."""
    if len(text) > MAXIMUM_BYTES:
        raise InputError([Fault("", f"too large to be a scenario: more than {MAXIMUM_BYTES:,} bytes", file=name)])
    reader = _Reader(name)
    root = reader.read(text)
    if root is None:
        raise InputError(
            reader.faults or [Fault("", "the file is empty: a scenario begins with 'schema: 1'", 1, 1, name)]
        )
    if not isinstance(root.value, dict):
        message = f"a scenario is a mapping that begins with 'schema: 1', not {describe(root.value)}"
        raise InputError([*reader.faults, root.mark.fault("", message)])
    return Document(root, tuple(reader.faults))


def parse_value(text: str, name: str) -> Document:
    """Read one value in YAML's notation, such as `0.3` or `[1, 2]`; every node is placed at `name`."""
    reader = _Reader(name, places=False)
    root = reader.read(text)
    if root is None and reader.faults:
        raise InputError(reader.faults)
    return Document(root or Node(None, Mark(name)), tuple(reader.faults))


def describe(value: Any) -> str:
    """Return a value in words for a message, such as `the text 'abc'` or `a list`."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 40 else f"the text '{value[:37]}...'"
    return str(value)


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"not UTF-8 text (byte 0x{content[error.start]:02x}): save the file with the encoding UTF-8"
        raise InputError([Fault("", message, line, column, name)]) from error


class _Reader:
    """Builds the tree from the parser's events, so that depth and size are known before anything is built."""

    def __init__(self, name: str, *, places: bool = True) -> None:
        self.name = name
        self.places = places
        self.faults: list[Fault] = []
        self.anchors: dict[str, Node] = {}
        self.open_anchors: set[str] = set()

    def read(self, text: str) -> Node | None:
        """Return the root of the only document, or None when there is none or it cannot be read."""
        try:
            events = iter(yaml.parse(text, Loader=_Loader))
            return self._document(events)
        except yaml.MarkedYAMLError as error:
            place = error.problem_mark or error.context_mark
            mark = self._mark(place) if place else Mark(self.name)
            context = f" {error.context}" if error.context else ""
            message = f"not YAML:{context} {error.problem}".replace("  ", " ")
            if error.problem == "could not find expected ':'" and error.context_mark:
                mark, message = self._mark(error.context_mark), _without_colon(text, error.context_mark)
            elif error.context in _OPENED and error.context_mark and place:
                mark, message = (
                    self._mark(error.context_mark),
                    _not_closed(error.context, place if self.places else None),
                )
            elif error.problem == "mapping values are not allowed in this context":
                message = "a colon and a space inside a value: put it in quotes, or the new key on a line of its own"
            if place and _character(text, place) == "\t":
                message = "a tab, which YAML does not take here: indent with spaces"
            # The parser looks ahead and may stop at its own limit before the 31st level has come out of it.
            self.faults.append(mark.fault("", _TOO_DEEP if "maximum nesting depth" in message else message))
        except yaml.YAMLError as error:
            self.faults.append(self._unprintable(text, error))
        except _StopReadingError:
            pass
        return None

    def _document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._stop(event, "", "a second document begins here; a scenario is one document")
                first = next(events)
                root = self._node(first, events, "", 0)
        # A file of comments gives no event, an empty quoted-less document one null: both are empty.
        return None if root is None or (root.value is None and self.places) else root

    def _node(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        if depth > MAXIMUM_DEPTH:
            raise self._stop(event, path[:60], _TOO_DEEP)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        anchor = event.anchor
        if anchor:
            self.open_anchors.add(anchor)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, events, path, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, path, depth)
        else:
            node = self._scalar(event, path)
        if event.tag is not None:
            self._report(event, path, f"the tag {_tag(event)} is not allowed; write the plain value")
            node = Node(UNREADABLE, node.mark)
        if anchor:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = node
        return node

    def _alias(self, event: Any, path: str) -> Node:
        if event.anchor in self.open_anchors:
            raise self._stop(event, path, f"the alias '*{event.anchor}' stands inside what it names")
        if event.anchor not in self.anchors:
            raise self._stop(event, path, f"the alias '*{event.anchor}' has no anchor '&{event.anchor}' before it")
        return self.anchors[event.anchor]

    def _mapping(self, start: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        value: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        size = 1
        number: Any = None
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._stop(event, path, "a key must be a plain word or number")
            key, mark = event.value, self._mark(event.start_mark)
            here = f"{path}.{visible(key)}" if path else visible(key)
            self._look_for_control(event, here)
            if event.tag is not None:
                self._report(event, here, f"the tag {_tag(event)} is not allowed; write the plain key")
            following = next(events)
            node = self._node(following, events, here, depth + 1)
            size += node.size
            if size > MAXIMUM_NODES:
                raise self._stop(event, here, f"more than {MAXIMUM_NODES:,} values once the aliases are written out")
            if node.value is None and _is_decimal_comma(number, event):
                last = next(reversed(value))
                place = f"{path}.{visible(last)}" if path else visible(last)
                self._report(number, place, f"decimals take a point, not a comma: {number.value}.{key}")
                value[last] = Node(UNREADABLE, value[last].mark)
            elif key == "<<":
                self._report(event, here, "merge keys are not part of YAML 1.2; write the keys out")
            elif key in value:
                self._report(event, here, f"given twice: first in line {keys[key].line}; keep one of the two")
            else:
                value[key], keys[key] = node, mark
            number = following if isinstance(following, yaml.ScalarEvent) else None
        return Node(value, self._mark(start.start_mark), keys, size)

    def _sequence(self, start: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        value: list[Node] = []
        size = 1
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = f"{path}.{len(value)}" if path else str(len(value))
            node = self._node(event, events, here, depth + 1)
            size += node.size
            if size > MAXIMUM_NODES:
                raise self._stop(event, here, f"more than {MAXIMUM_NODES:,} values once the aliases are written out")
            value.append(node)
        return Node(value, self._mark(start.start_mark), size=size)

    def _scalar(self, event: Any, path: str) -> Node:
        mark = self._mark(event.start_mark)
        if self._look_for_control(event, path):
            return Node(UNREADABLE, mark)
        if event.style:  # quoted or block text is never a number
            return Node(event.value, mark)
        value, complaint = plain_scalar(event.value)
        if complaint:
            self.faults.append(mark.fault(path, complaint))
            return Node(UNREADABLE, mark)
        return Node(value, mark)

    def _look_for_control(self, event: Any, path: str) -> bool:
        """Report a control character, which could steer the terminal or the browser that shows the text."""
        found = CONTROL.search(event.value)
        if found is None:
            return False
        self._report(event, path, f"holds the control character U+{ord(found[0]):04X}; leave it out")
        return True

    def _mark(self, place: Any) -> Mark:
        return Mark(self.name, place.line + 1, place.column + 1) if self.places else Mark(self.name)

    def _report(self, event: Any, path: str, message: str) -> None:
        self.faults.append(self._mark(event.start_mark).fault(path, message))

    def _stop(self, event: Any, path: str, message: str) -> _StopReadingError:
        self._report(event, path, message)
        return _StopReadingError()

    def _unprintable(self, text: str, error: yaml.YAMLError) -> Fault:
        match = re.search("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]", text)
        if match is None:
            return Mark(self.name).fault("", f"not YAML: {error}")
        before = text[: match.start()]
        mark = Mark(self.name, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        return mark.fault("", f"not YAML: the character U+{ord(match.group()):04X} cannot be part of a text file")


def _without_colon(text: str, place: Any) -> str:
    """Return what is wrong with a line that was to be a key and its value."""
    line = _LINE_END.split(text)[place.line].strip()
    glued = _GLUED.match(line)
    if glued is None:
        return f"a colon is missing: a key and its value read key: value, not '{line[:40]}'"
    return f"a space is missing after the colon: write {glued[1]}: {glued[2][:40]}"


_OPENED = {
    "while scanning a quoted scalar": "a quotation mark that opens here is not closed",
    "while parsing a flow sequence": "a [ that opens here is not closed, or a comma is missing in it",
    "while parsing a flow mapping": "a { that opens here is not closed, or a comma is missing in it",
}
"""What is wrong where a text, a list or a mapping opens, by the parser's words for what it was reading."""


def _not_closed(context: str, stopped: Any) -> str:
    """Return what is wrong where something opens that the parser followed up to another place."""
    read_on = "" if stopped is None else f" (read on to line {stopped.line + 1}, column {stopped.column + 1})"
    return f"not YAML: {_OPENED[context]}{read_on}"


def _character(text: str, place: Any) -> str:
    """Return the character at a place of a text; empty at its end."""
    line = (*text.splitlines(), "")[place.line : place.line + 1]
    return "".join(line)[place.column : place.column + 1]


def _is_decimal_comma(number: Any, key: Any) -> bool:
    """Return whether a key of digits stands right behind the comma that follows a whole number, as in `{a: 0,34}`."""
    if number is None or not (_INTEGER.fullmatch(number.value) and key.value.isdecimal()):
        return False
    end, begin = number.end_mark, key.start_mark
    return bool(end.line == begin.line and end.column + 1 == begin.column)


def _tag(event: Any) -> str:
    return str(event.tag).replace("tag:yaml.org,2002:", "!!")[:60]


def plain_scalar(text: str) -> tuple[Any, str]:
    """Return the value of an unquoted text by YAML 1.2's core rules, and a complaint or an empty text."""
    if _NULL.fullmatch(text):
        return None, ""
    if _TRUE.fullmatch(text):
        return True, ""
    if _FALSE.fullmatch(text):
        return False, ""
    if _NOT_FINITE.fullmatch(text):
        return None, f"a finite number is needed, not {text}"
    integer = _INTEGER.fullmatch(text) is not None
    other_integer = _OTHER_INTEGER.fullmatch(text) is not None
    if not (integer or other_integer or _FLOAT.fullmatch(text)):
        return text, ""
    if len(text) > LONGEST_NUMBER:
        return None, f"a number has at most {LONGEST_NUMBER} characters here"
    number = int(text, 0) if other_integer else float(text)
    if not isfinite(number) or abs(number) > LARGEST_NUMBER:
        return None, f"the number is too large; at most {LARGEST_NUMBER:g} is read"
    return (int(text) if integer else number), ""
