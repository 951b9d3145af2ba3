"""docs/scenario_reference.md: every key of a scenario, from the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

INTRODUCTION = """\
# Scenario reference

Every key of a scenario file (schema 1). Keys marked **required** have no default. For everything else the default is
told here or found by `trialsim explain FILE`, with its source. `trialsim schema` prints the JSON Schema from which
this page is made; with [scenario.schema.json](../scenarios/schema/scenario.schema.json) an editor completes keys and
marks faults while you type.

Names (of arms, strata, outcomes, estimands) begin with a letter and hold letters, digits and underscores, 40 at most.
Numbers must be finite; `yes` and `no` are texts, `true` and `false` are not numbers. "by name" means a mapping from
names to what follows. [Scenario and cells](concepts/scenario.md) explains how the keys work together.
"""


def page() -> str:
    """Return the page."""
    from trialsim.scenario import json_schema

    schema = json_schema()
    parts = [INTRODUCTION, "## The whole file", "", _table(schema, schema["$defs"]), ""]
    for name in _in_order(schema):
        definition = schema["$defs"][name]
        parts += [f"## {name}", "", definition.get("description", ""), "", _table(definition, schema["$defs"]), ""]
    return "\n".join(parts)


def _in_order(schema: Mapping[str, Any]) -> list[str]:
    """Return the sections in the order in which the file's keys lead to them."""
    found: list[str] = []
    waiting = list(_references(schema["properties"]))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting = [*_references(schema["$defs"][name]), *waiting]
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield str(node["$ref"]).rsplit("/", 1)[-1]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _table(section: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = section.get("required", [])
    lines = ["| key | takes | meaning |", "|---|---|---|"]
    for key, value in section["properties"].items():
        meaning = value.get("description") or _described(value, definitions)
        default = value.get("default")
        if key in required:
            meaning = f"**required** {meaning}"
        elif default not in (None, [], {}) and "$ref" not in value and not isinstance(default, dict):
            meaning += f" Default: `{default}`."
        lines.append(f"| `{key}` | {_takes(value)} | {meaning.replace('|', chr(92) + '|').strip()} |")
    return "\n".join(lines)


def _described(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    names = list(_references(value))
    return str(definitions[names[0]].get("description", "")) if names else ""


def _takes(node: Mapping[str, Any]) -> str:
    """Return what values a key takes, in words."""
    for union in ("anyOf", "oneOf"):
        if union in node:
            kinds = [_takes(kind) for kind in node[union] if kind.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    kind = node.get("type")
    if kind == "array":
        return f"list of {_plural(_takes(node['items']))}" if node.get("items") else "list"
    if kind == "object":
        return _mapping(node)
    return _scalar(node)


def _mapping(node: Mapping[str, Any]) -> str:
    patterns = node.get("patternProperties") or {}
    values = next(iter(patterns.values()), node.get("additionalProperties"))
    by = "day" if any("0-9]{1,5}" in pattern for pattern in patterns) else "name"
    if not patterns and isinstance(values, Mapping):
        by = "path"
    return f"by {by}: {_takes(values)}" if isinstance(values, Mapping) and values else "mapping"


def _plural(words: str) -> str:
    for one, many in (("whole number", "whole numbers"), ("number", "numbers"), ("name", "names"), ("list", "lists")):
        if words.startswith(one):
            return many + words[len(one) :]
    return words


def _scalar(node: Mapping[str, Any]) -> str:
    kind = node.get("type")
    if kind in ("number", "integer"):
        word = "number" if kind == "number" else "whole number"
        bounds = [
            text
            for key, text in (
                ("minimum", "at least {}"),
                ("exclusiveMinimum", "above {}"),
                ("maximum", "at most {}"),
                ("exclusiveMaximum", "below {}"),
            )
            if key in node
            for text in [text.format(f"{node[key]:,}")]
        ]
        return f"{word} ({', '.join(bounds)})" if bounds else word
    if kind == "boolean":
        return "`true` or `false`"
    if kind == "string":
        return "name" if "pattern" in node else "text"
    return "anything"
