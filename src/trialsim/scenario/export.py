"""A scenario for other programs: as JSON's types, as a hash, and its schema for editors."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.scenario.resolved import Resolved, Variant

HASH_DIGITS = 12
"""Significant digits that enter the hash, so that the last bits of another machine's arithmetic do not."""

RESOLVED_VERSION = 1


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file."""
    from trialsim.scenario.schema import Content

    document = Content.model_json_schema(by_alias=True)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    document["title"] = "trialsim scenario, schema 1"
    return document


def json_schema_text() -> str:
    """Return the JSON Schema as the text of `scenario.schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def resolved_dict(resolved: Resolved) -> dict[str, Any]:
    """Return a resolved scenario as JSON's types, with what was written beside it."""
    return {
        "resolved_version": RESOLVED_VERSION,
        "title": resolved.title,
        "description": resolved.scenario.content.description,
        "hash": resolved.hash,
        "replicates": resolved.replicates,
        "precision": resolved.precision,
        "seed": resolved.seed,
        "scenario": resolved.scenario.to_dict(),
        "variants": [variant_dict(variant) for variant in resolved.variants],
        "provenance": [asdict(row) for row in resolved.provenance],
    }


def variant_dict(variant: Variant) -> dict[str, Any]:
    """Return a variant as JSON's types."""
    return _fields(variant)


def content_hash(variants: Sequence[Variant], seed: int) -> str:
    """Return the SHA-256 of what the results depend on: everything but words and the number of replicates."""
    content = {"seed": seed, "variants": [_without_words(variant_dict(variant)) for variant in variants]}
    text = json.dumps(_rounded(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _without_words(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_words(value) for key, value in content.items() if not key.endswith(("label", "labels"))}
    if isinstance(content, list):
        return [_without_words(item) for item in content]
    return content


def _rounded(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(item) for item in content]
    if isinstance(content, float):
        return f"{content + 0.0:.{HASH_DIGITS}g}"
    return content


def _plain(value: Any) -> Any:
    """Return a value made of dataclasses, tuples and arrays as JSON's types."""
    if hasattr(value, "__dataclass_fields__"):
        return _fields(value)
    if isinstance(value, float) and math.isinf(value):
        return "infinite"  # JSON has no such number
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON's types, some of them only where they are not at their default."""
    return {
        field.name: _plain(getattr(value, field.name))
        for field in fields(value)
        if not (field.metadata.get("unless_default") and getattr(value, field.name) == field.default)
    }
