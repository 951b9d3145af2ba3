"""Adverse events that the evidence catalogue knows by name."""

from __future__ import annotations

from trialsim import evidence
from trialsim.scenario import schema

PER_INFUSION = "defaults.safety.per_infusion"
"""What the names of their shares begin with; then come the event and the kind of infusion."""


def known_adverse_events() -> tuple[str, ...]:
    """Return the adverse events that the evidence catalogue has shares for."""
    return tuple(dict.fromkeys(quantity.name.split(".")[-2] for quantity in evidence.find(PER_INFUSION)))


def adverse_event_names(given: schema.Safety) -> tuple[str, ...]:
    """Return the names of the adverse events of a scenario."""
    return known_adverse_events() if given.adverse_events is None else tuple(given.adverse_events)
