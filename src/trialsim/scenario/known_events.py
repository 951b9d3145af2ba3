"""Events that are known by name: where their numbers come from, and what they do unless a scenario says otherwise."""

from __future__ import annotations

from typing import NamedTuple

RESPONSE = "response"
"""What `only_after` may name besides an event."""

EXPECTANCY = "expectancy"
"""What may be left out of a world besides events: what patients and raters expect."""

RESERVED = ("dropout", RESPONSE, EXPECTANCY)
"""Names that no event can have."""


class KnownEvent(NamedTuple):
    """An event with defaults; names of quantities are those of the evidence catalogue.

    Attributes
    ----------
    per_day : str
        Quantity of the hazard; empty where shares are given.
    score_hazard_ratio_per_sd : str
    effect : str
        Quantity of the effect in standard deviations, below 0 for a benefit.
    only_after : str
    return_to_baseline : str
        Quantity of the share of the improvement that is lost.
    therapy_hazard_ratio, infusion_hazard_ratio : str
    stops_infusions, stops_therapy, ends_follow_up : bool
    """

    per_day: str = ""
    score_hazard_ratio_per_sd: str = ""
    effect: str = ""
    only_after: str = ""
    return_to_baseline: str = ""
    therapy_hazard_ratio: str = ""
    infusion_hazard_ratio: str = ""
    stops_infusions: bool = False
    stops_therapy: bool = False
    ends_follow_up: bool = False


_NAMED = "defaults.events."

KNOWN_EVENTS = {
    "stop_infusions": KnownEvent(stops_infusions=True),
    "rescue": KnownEvent(
        f"{_NAMED}rescue.hazard_per_day",
        f"{_NAMED}rescue.score_hazard_ratio_per_sd",
        f"{_NAMED}rescue.effect",
    ),
    "ect": KnownEvent(
        f"{_NAMED}ect.hazard_per_day",
        f"{_NAMED}ect.score_hazard_ratio_per_sd",
        f"{_NAMED}ect.effect",
    ),
    "hospitalisation": KnownEvent(
        f"{_NAMED}hospitalisation.hazard_per_day",
        f"{_NAMED}hospitalisation.score_hazard_ratio_per_sd",
    ),
    "leave_therapy": KnownEvent(stops_therapy=True),
    "death": KnownEvent(f"{_NAMED}death.hazard_per_day", ends_follow_up=True),
    "relapse": KnownEvent(
        "defaults.relapse.hazard_per_day",
        only_after=RESPONSE,
        return_to_baseline=f"{_NAMED}relapse.return_to_baseline",
        therapy_hazard_ratio="defaults.dbt.relapse_hazard_ratio",
        infusion_hazard_ratio="defaults.relapse.maintenance_hazard_ratio",
    ),
}
"""By name; stop_infusions and leave_therapy take shares of the catalogue, by arm."""

UNKNOWN = KnownEvent()


def known_event(name: str) -> KnownEvent:
    """Return the defaults of an event, empty ones where the name is the user's own."""
    return KNOWN_EVENTS.get(name, UNKNOWN)
