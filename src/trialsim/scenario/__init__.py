"""What the user wrote: load a scenario, check it, and resolve it to numbers with their sources.

`load` reads and checks a file; `resolve` finds every number, which needs NumPy and is imported when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.scenario.export import content_hash, json_schema, json_schema_text, resolved_dict
    from trialsim.scenario.loading import Option, Scenario, load, load_content
    from trialsim.scenario.resolved import (
        Allocation,
        Analysis,
        Dropout,
        Estimand,
        Provenance,
        Resolved,
        Scale,
        Variant,
    )
    from trialsim.scenario.resolving import resolve
    from trialsim.scenario.starter import starter

_HOME = {
    "Option": "loading",
    "load": "loading",
    "load_content": "loading",
    "Scenario": "loading",
    "resolve": "resolving",
    "content_hash": "export",
    "json_schema": "export",
    "json_schema_text": "export",
    "resolved_dict": "export",
    "starter": "starter",
    "Allocation": "resolved",
    "Analysis": "resolved",
    "Dropout": "resolved",
    "Estimand": "resolved",
    "Provenance": "resolved",
    "Resolved": "resolved",
    "Scale": "resolved",
    "Variant": "resolved",
}

__all__ = [
    "Allocation",
    "Analysis",
    "Dropout",
    "Estimand",
    "Option",
    "Provenance",
    "Resolved",
    "Scale",
    "Scenario",
    "Variant",
    "content_hash",
    "json_schema",
    "json_schema_text",
    "load",
    "load_content",
    "resolve",
    "resolved_dict",
    "starter",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
