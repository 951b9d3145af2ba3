"""Safety with its numbers: what comes with infusions or by day, suicide attempts, and the rule that stops the trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trialsim import evidence
from trialsim.scenario import schema
from trialsim.scenario.case import Case
from trialsim.scenario.dynamics import infusion_days
from trialsim.scenario.known_safety import PER_INFUSION, adverse_event_names
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.mechanisms import DAYS_PER_YEAR
from trialsim.scenario.resolved import Count
from trialsim.scenario.resolved_events import Event
from trialsim.scenario.resolved_safety import SUICIDE_ATTEMPTS, AdverseEvent, Safety, StoppingRule, Watched

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

INDEPENDENT = "with each infusion anew: nobody is more prone to it than another"


def suicide_attempts(case: Case) -> tuple[Count, ...]:
    """Return suicide attempts as something that is counted; nothing where they are not asked for."""
    given = None if case.content.safety is None else case.content.safety.suicide_attempts
    if given is None:
        return ()
    path = ("safety", SUICIDE_ATTEMPTS)
    rate = np.array(_attempts_a_year(case, given), dtype=np.float64) / DAYS_PER_YEAR
    ratio = [_attempt_ratio(case, given, a) for a in range(len(case.arms))]
    case.ledger.note((*path, "dispersion"), given.dispersion)
    return (
        Count(
            name=SUICIDE_ATTEMPTS,
            label="suicide attempts",
            rate_per_day=_frozen(np.outer(ratio, rate)),
            dispersion=given.dispersion,
            lower_is_better=True,
        ),
    )


def _attempts_a_year(case: Case, given: schema.SuicideAttempts) -> list[float]:
    path = ("safety", SUICIDE_ATTEMPTS, "rate_per_year")
    if given.rate_per_year is not None:
        case.ledger.note(path, given.rate_per_year)
        return case.by_stratum(given.rate_per_year)
    rates = []
    for stratum, group in zip(case.strata, case.groups, strict=True):
        quantity = known_quantity(f"defaults.safety.suicide_attempt.{group}_control")
        if quantity is None:
            message = f"is missing: nothing is known of suicide attempts in '{group}'; give a rate per person-year"
            case.ledger.fault(path, message, key=True)
            rates.append(np.nan)
            continue
        case.ledger.evidence((*path, stratum), quantity)
        rates.append(float(quantity.value or 0.0))
    return rates


def _attempt_ratio(case: Case, given: schema.SuicideAttempts, a: int) -> float:
    path = ("safety", SUICIDE_ATTEMPTS, "rate_ratio", case.arms[a])
    if given.rate_ratio is None and case.arm(a).therapy is not None:
        quantity = evidence.get("defaults.dbt.suicide_attempt_hazard_ratio")
        case.ledger.evidence(path, quantity)
        return float(quantity.value or 1.0)
    ratio = (given.rate_ratio or {}).get(case.arms[a], 1.0)
    case.ledger.note(path, ratio)
    return ratio


def safety(case: Case, counts: Sequence[Count], events: Sequence[Event]) -> Safety | None:
    """Return what is watched; None where a scenario says nothing of safety.

    Parameters
    ----------
    case : Case
    counts : sequence of Count
        All that is counted, suicide attempts among them.
    events : sequence of Event
    """
    given = case.content.safety
    if given is None:
        return None
    found = tuple(_adverse_event(case, name, given) for name in adverse_event_names(given))
    watched = (
        *(Watched(e.name, e.label, "adverse_event", i, bool(e.per_infusion.any())) for i, e in enumerate(found)),
        *(Watched(c.name, c.label, "count", i, False) for i, c in enumerate(counts)),
        *(Watched(e.name, e.label, "event", i, False) for i, e in enumerate(events)),
    )
    return Safety(found, watched, _stopping_rule(case, given.stopping_rule, watched))


def _adverse_event(case: Case, name: str, given: schema.Safety) -> AdverseEvent:
    own = (given.adverse_events or {}).get(name) or schema.AdverseEvent()
    none = np.zeros(len(case.arms))
    daily = own.per_day
    if daily is not None:
        case.ledger.note(("safety", "adverse_events", name, "per_day"), daily)
        none = np.array(
            [daily.get(arm, 0.0) if isinstance(daily, Mapping) else daily for arm in case.arms], dtype=float
        )
    planned = infusion_days(case)
    shares = [_share(case, name, own, a) if daily is None and planned[a] else 0.0 for a in range(len(case.arms))]
    return AdverseEvent(name, own.label or name.replace("_", " "), _frozen(shares), _frozen(none))


def _share(case: Case, name: str, own: schema.AdverseEvent, a: int) -> float:
    """Return the share of an arm's infusions with an adverse event."""
    path, arm, kind = ("safety", "adverse_events", name, "per_infusion"), case.arms[a], case.arm(a).infusion
    if own.per_infusion is not None:
        given = own.per_infusion
        if not isinstance(given, Mapping):
            case.ledger.note(path, given, INDEPENDENT)
            return given
        key = arm if arm in given else str(kind)
        if key in given:
            case.ledger.note((*path, key), given[key], INDEPENDENT)
            return given[key]
        message = f"nothing is said for the arm {arm} ({kind or 'no kind of infusion'}): name every arm with infusions"
        case.ledger.fault(path, message, key=True)
        return np.nan
    quantity = known_quantity(f"{PER_INFUSION}.{name}.{kind}")
    if quantity is None:
        message = f"is missing: nothing is known of {name} with the infusions of {arm} ({kind or 'kind not given'})"
        case.ledger.fault(path, message, key=True)
        return np.nan
    case.ledger.evidence((*path, str(kind)), quantity, note=INDEPENDENT)
    return float(quantity.value or 0.0)


def _stopping_rule(case: Case, given: schema.StoppingRule | None, watched: Sequence[Watched]) -> StoppingRule | None:
    if given is None:
        return None
    path, sizes = ("safety", "stopping_rule"), case.content.sample_size
    largest = max(sizes) if isinstance(sizes, tuple) else sizes
    every = given.look_every
    looks = tuple(given.looks or ()) if every is None else tuple(range(every, largest, every))
    active, control = given.contrast or case.content.estimands["primary"].contrast
    for key, value in (
        ("event", given.event),
        ("look_every" if every is not None else "looks", list(looks) if every is None else every),
        ("alpha", given.alpha),
        ("contrast", [active, control]),
    ):
        case.ledger.note((*path, key), value)
    return StoppingRule(
        watched=[one.name for one in watched].index(given.event),
        active=case.arms.index(active),
        control=case.arms.index(control),
        looks=tuple(look for look in looks if look < largest),
        alpha=given.alpha,
    )


def _frozen(values: object) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
