"""docs/scenario_reference.md: every key of a scenario, from the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

INTRODUCTION = """\
# Scenario reference

Every key of a scenario file (schema 1). Keys marked **required** have no default. For everything else the default is
told here or found by `trialsim explain FILE`, with its source. `trialsim schema` prints the JSON Schema from which
this page is made; with [scenario.schema.json](../scenarios/schema/scenario.schema.json) an editor completes keys and
marks faults while you type.

Names (of arms, strata, outcomes, estimands) begin with a letter and hold letters, digits and underscores, 40 at most.
Numbers must be finite; `yes` and `no` are texts, `true` and `false` are not numbers. "by name" means a mapping from
names to what follows. Below each heading stands where the section is written, with NAME for a name of your own.
[Scenario and cells](concepts/scenario.md) explains how the keys work together.
"""


ABOUT: Mapping[str, str] = {
    "Stratum": "[patients](concepts/patients.md)",
    "Characteristics": "[entry](concepts/entry.md#characteristics)",
    "Eligibility": "[entry](concepts/entry.md#a-cut-off-on-a-screening-score)",
    "RunIn": "[entry](concepts/entry.md#a-placebo-run-in)",
    "Outcome": "[spread](concepts/patients.md#spread) and [scales](concepts/patients.md#margins-on-a-scales-steps)",
    "Course": "[mean scores](concepts/patients.md#mean-scores)",
    "InfusionModel": "[effects](concepts/effects.md#infusions-that-build-up-and-fade)",
    "Effect": "[effects](concepts/effects.md)",
    "Therapy": "[effects](concepts/effects.md#therapies)",
    "Attendance": "[differences between people](concepts/differences_between_people.md#sessions-attended)",
    "Covariance": "[the joint correlation](concepts/patients.md#the-joint-correlation)",
    "Dropout": "[dropout](concepts/dropout.md)",
    "Heterogeneity": "[differences between people](concepts/differences_between_people.md)",
    "Raters": "[differences between people](concepts/differences_between_people.md#raters)",
    "Missing": "[missing data](concepts/missing_data.md)",
    "Event": "[events](concepts/events.md)",
    "Dissociation": "[dissociation](concepts/dissociation_and_blinding.md#dissociation-at-each-infusion)",
    "Unblinding": "[guesses](concepts/dissociation_and_blinding.md#what-patients-guess)",
    "Cluster": "[groups of patients](concepts/patients.md#groups-of-patients)",
    "Count": "[counted events](concepts/patients.md#counted-events)",
    "Safety": "[safety](concepts/safety.md)",
    "Operations": "[running the trial](concepts/operations.md)",
    "Estimand": "[endpoints](concepts/endpoints.md) and [what is tested](concepts/hypotheses.md)",
    "IntercurrentEvents": "[strategies](concepts/events.md#strategies)",
    "Analysis": "[analyses](concepts/analyses.md)",
    "Multiplicity": "[several hypotheses](concepts/hypotheses.md#several-hypotheses)",
    "Prior": "[assurance](concepts/assurance.md)",
    "PriorCorrelation": "[assurance](concepts/assurance.md)",
    "Simulation": "[randomness](concepts/randomness.md)",
}
"""Where more is said about a section."""


def page() -> str:
    """Return the page."""
    from trialsim.scenario import json_schema

    schema = json_schema()
    places = _places(schema)
    parts = [INTRODUCTION, "## The whole file", "", _table(schema, schema["$defs"]), ""]
    for name in _in_order(schema):
        definition = schema["$defs"][name]
        more = f" More: {ABOUT[name]}." if name in ABOUT else ""
        where = f"At {' and '.join(f'`{place}`' for place in places[name])}.{more}"
        words = definition.get("description", "")
        parts += [f"## {name}", "", words, "", where, "", _table(definition, schema["$defs"]), ""]
    return "\n".join(parts)


def _places(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the paths at which each section may stand, NAME for a name of the scenario's own."""
    found: dict[str, list[str]] = {}

    def visit(node: Any, place: str) -> None:
        if isinstance(node, list):
            for one in node:
                visit(one, place)
        elif isinstance(node, Mapping):
            if "$ref" in node:
                name = str(node["$ref"]).rsplit("/", 1)[-1]
                if place not in found.setdefault(name, []):
                    found[name].append(place)
                    visit(schema["$defs"][name], place)
            for key, value in (node.get("properties") or {}).items():
                visit(value, f"{place}.{key}".lstrip("."))
            for value in [*(node.get("patternProperties") or {}).values(), node.get("additionalProperties")]:
                visit(value, f"{place}.{'KIND' if 'enum' in node.get('propertyNames', {}) else 'NAME'}")
            for key in ("anyOf", "oneOf", "items"):
                visit(node.get(key), place)

    visit({"properties": schema["properties"]}, "")
    return found


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
            meaning += f" Default: `{_written(default)}`."
        lines.append(f"| `{key}` | {_takes(value)} | {meaning.replace('|', chr(92) + '|').strip()} |")
    if isinstance(others := section.get("additionalProperties"), Mapping):
        lines.append(f"| (any other name) | {_takes(others)} | By name, as said above. |")
    return "\n".join(lines)


def _written(value: Any) -> str:
    """Return a default as it would be written in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _described(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    names = list(_references(value))
    return str(definitions[names[0]].get("description", "")) if names else ""


def _takes(node: Mapping[str, Any]) -> str:
    """Return what values a key takes, in words."""
    for union in ("anyOf", "oneOf"):
        if union in node:
            return " or ".join(_alternatives(node[union]))
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    kind = node.get("type")
    if kind == "array":
        return f"list of {_plural(_within(node['items']))}" if node.get("items") else "list"
    if kind == "object":
        return _mapping(node)
    return _scalar(node)


def _alternatives(kinds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the words for each kind of a union; of two that say the same, once."""
    words: list[str] = []
    for kind in kinds:
        inner = next((kind[union] for union in ("anyOf", "oneOf") if union in kind), None)
        words += _alternatives(inner) if inner else [] if kind.get("type") == "null" else [_takes(kind)]
    return list(dict.fromkeys(words))


def _within(node: Mapping[str, Any]) -> str:
    """Return what stands inside a list or mapping, in brackets where it may be one of several kinds."""
    words = _takes(node)
    kinds = next((node[union] for union in ("anyOf", "oneOf") if union in node), ())
    return f"({words})" if len(_alternatives(kinds)) > 1 else words


def _mapping(node: Mapping[str, Any]) -> str:
    patterns = node.get("patternProperties") or {}
    values = next(iter(patterns.values()), node.get("additionalProperties"))
    by = "day" if any("0-9]{1,5}" in pattern for pattern in patterns) else "name"
    if not patterns and isinstance(values, Mapping):
        known = node.get("propertyNames", {}).get("enum")
        by = ", ".join(f"`{name}`" for name in known) if known else "path"
    return f"by {by}: {_within(values)}" if isinstance(values, Mapping) and values else "mapping"


def _plural(words: str) -> str:
    for one, many in (("whole number", "whole numbers"), ("number", "numbers"), ("name", "names"), ("list", "lists")):
        if words.startswith(one):
            return many + words[len(one) :]
    return "texts" if words == "text" else words


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
            if key in node and (key != "maximum" or "exclusiveMaximum" not in node)
            for text in [text.format(f"{node[key]:,}")]
        ]
        return f"{word} ({', '.join(bounds)})" if bounds else word
    if kind == "boolean":
        return "`true` or `false`"
    if kind == "string":
        return "name" if "pattern" in node else "text"
    return "anything"
