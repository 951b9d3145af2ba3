"""What happens to patients besides the course that a scenario asks for, a module each; off by default."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from trialsim.patients.mechanisms.attendance import SessionsAttended
from trialsim.patients.mechanisms.base import Mechanism, State
from trialsim.patients.mechanisms.dissociation import Dissociating
from trialsim.patients.mechanisms.events import Events
from trialsim.patients.mechanisms.heterogeneity import VaryingEffect
from trialsim.patients.mechanisms.infusions import InfusionsNotGiven
from trialsim.patients.mechanisms.raters import Severity
from trialsim.patients.mechanisms.relapse import Relapsing
from trialsim.patients.mechanisms.safety import AdverseEvents
from trialsim.patients.mechanisms.therapy import TherapyStopped
from trialsim.patients.mechanisms.unblinding import Believing
from trialsim.scenario.known_events import EXPECTANCY
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_events import Event

__all__ = ["Mechanism", "State", "mechanisms_of"]


def mechanisms_of(variant: Variant, *, without: Iterable[str] = (), delivered: bool = False) -> tuple[Mechanism, ...]:
    """Return the mechanisms of a variant, in the order in which they act.

    Parameters
    ----------
    variant : Variant
    without : iterable of str
        Names of events that do not happen: the world of a hypothetical strategy; and `expectancy`, where beliefs are
        worth nothing.
    delivered : bool
        Whether infusions and therapies may come late or not at all for reasons outside the patients.
    """
    off = frozenset(without)
    events = tuple(event for event in variant.events if event.name not in off)
    found: list[Mechanism] = []
    if events:
        found.append(Events(events))
    if variant.infusion_model is not None and (events or delivered):
        found.append(InfusionsNotGiven(variant.infusion_model))
    if variant.therapies and (delivered or _therapies_may_fall_short(variant, events)):
        found.append(TherapyStopped([therapy for therapy in variant.therapies if therapy.attendance is None]))
    if any(therapy.attendance is not None for therapy in variant.therapies):
        found.append(SessionsAttended(variant.therapies))
    if variant.heterogeneity is not None:
        found.append(VaryingEffect(variant.heterogeneity))
    if variant.raters is not None:
        found.append(Severity(variant.raters))
    if variant.safety is not None and variant.safety.adverse_events:
        found.append(AdverseEvents(variant.safety))
    if variant.dissociation is not None:
        found.append(Dissociating(variant.dissociation))
    if variant.unblinding is not None:
        found.append(Believing(variant.unblinding, counted=EXPECTANCY not in off))
    relapses = [event for event in events if event.return_to_baseline]
    if relapses:
        found.append(Relapsing(relapses))
    return tuple(found)


def _therapies_may_fall_short(variant: Variant, events: Sequence[Event]) -> bool:
    """Return whether an event stops therapy, or infusions that a therapy's synergy waits for."""
    windows = any(not math.isinf(one.synergy_window_days) and one.synergy.any() for one in variant.therapies)
    return any(event.stops_therapy or (event.stops_infusions and windows) for event in events)
