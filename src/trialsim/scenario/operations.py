"""How a trial is run, with every number's source: sites, recruitment, clinic, visits, therapy groups and prices."""

from __future__ import annotations

import math
from typing import Any

from trialsim import evidence
from trialsim.scenario import schema
from trialsim.scenario.case import Case
from trialsim.scenario.dynamics import DAYS_PER_WEEK, infusion_days
from trialsim.scenario.resolved import Therapy
from trialsim.scenario.resolved_operations import (
    COST_COMPONENTS,
    DAYS_PER_MONTH,
    Amount,
    Clinic,
    Costs,
    Funnel,
    Operations,
    Pause,
    Recruitment,
    Site,
    TherapyGroups,
    VisitWindow,
    Waiting,
)
from trialsim.scenario.schema import operations as written

PATH = ("operations",)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def operations(case: Case, therapies: tuple[Therapy, ...]) -> Operations | None:
    """Return how the trial is run; None where a scenario says nothing of it.

    Parameters
    ----------
    case : Case
    therapies : tuple of Therapy
    """
    given = case.content.operations
    if given is None:
        return None
    case.ledger.note((*PATH, "start_month"), given.start_month)
    case.ledger.note((*PATH, "recruitment", "target_months"), given.recruitment.target_months)
    return Operations(
        sites=_sites(case, given.sites),
        recruitment=_recruitment(case, given),
        clinic=_clinic(case, given.clinic),
        visits=_visits(case, given.visits),
        costs=_costs(case, given.costs),
        therapy=_therapy(case, given.therapy, therapies),
        infusion_days=infusion_days(case),
        visits_days=tuple(case.visits),
        n_strata=len(case.strata),
        first_month=given.start_month,
        target_months=given.recruitment.target_months,
    )


def group_number(case: Case, given: Any) -> int:
    """Return the number of groups of a cluster whose members are told by number, or by the sites there are; else 0."""
    if given.made_by == "sites" and case.content.operations is not None:
        return len(_own(case.content.operations.sites))
    return given.number or 0


def group_places(case: Case) -> int:
    """Return the places of a simulated therapy group."""
    given = None if case.content.operations is None else case.content.operations.therapy
    if given is not None and given.size is not None:
        return given.size
    places = round(evidence.get("defaults.dbt.group_size").value or 0.0)
    return places if given is None or given.start_size is None else max(places, given.start_size)


def group_therapy(content: schema.Content) -> str | None:
    """Return the name of the therapy whose groups are simulated; None where there are none."""
    given = None if content.operations is None else content.operations.therapy
    return None if given is None else given.therapy or next(iter(content.therapies), None)


# Sites and recruitment -----------------------------------------------------------------------------------------


def _own(sites: written.Sites) -> dict[str, written.Site]:
    """Return what each site has of its own, by name."""
    if sites.named is not None:
        return {name: site or written.Site() for name, site in sites.named.items()}
    return {f"site_{i + 1}": written.Site() for i in range(sites.number or 0)}


def _sites(case: Case, given: written.Sites) -> tuple[Site, ...]:
    path = (*PATH, "sites")
    common = _rate(case, given)
    if given.number is not None:
        case.ledger.note((*path, "number"), given.number)
    for name in ("opens_month", "opens_every_months"):
        case.ledger.note((*path, name), _told(getattr(given, name)))
    for name in ("chairs", "nurses", "psychiatrists", "therapists"):
        case.ledger.note((*path, name), getattr(given, name), "" if getattr(given, name) is not None else "no limit")
    found = []
    for place, (name, own) in enumerate(_own(given).items()):
        if given.named is not None:
            told = own.model_dump(mode="json", exclude_none=True, exclude={"label"})
            case.ledger.note((*path, "named", name), told)
        opens = _amount(given.opens_month, DAYS_PER_MONTH, later=place * given.opens_every_months)
        found.append(
            Site(
                name=name,
                label=own.label or name.replace("_", " "),
                opens_days=opens if own.opens_month is None else _amount(own.opens_month, DAYS_PER_MONTH),
                rate_per_month=common if own.rate_per_month is None else own.rate_per_month,
                chairs=_first(own.chairs, given.chairs),
                nurses=_first(own.nurses, given.nurses),
                psychiatrists=_first(own.psychiatrists, given.psychiatrists),
                therapists=_first(own.therapists, given.therapists),
            )
        )
    return tuple(found)


def _rate(case: Case, given: written.Sites) -> float:
    """Return the rate of a site: that of TRD, unless everybody has BPD as well."""
    path = (*PATH, "sites", "rate_per_month")
    if given.rate_per_month is not None:
        case.ledger.note(path, given.rate_per_month)
        return given.rate_per_month
    only_bpd = all(group == "bpd" for group in case.groups)
    quantity = evidence.get("defaults.accrual.trd_bpd" if only_bpd else "defaults.accrual.trd")
    case.ledger.evidence(path, quantity, note="randomised, of all strata together")
    return float(quantity.value or 0.0)


def _recruitment(case: Case, given: written.Operations) -> Recruitment:
    own, path = given.recruitment, (*PATH, "recruitment")
    for name in ("until_month", "decay_per_month"):
        case.ledger.note((*path, name), getattr(own, name))
    if own.season is not None:
        case.ledger.note((*path, "season"), list(own.season))
    for position, pause in enumerate(own.pauses):
        case.ledger.note((*path, "pauses", position), pause.model_dump(mode="json"))
    if own.quotas is not None:
        case.ledger.note((*path, "quotas"), dict(own.quotas))
    return Recruitment(
        horizon_days=own.until_month * DAYS_PER_MONTH,
        rate_shape=_rate_shape(case, given.sites),
        decay_per_month=own.decay_per_month,
        season=own.season or (1.0,) * 12,
        pauses=tuple(
            Pause(pause.from_month * DAYS_PER_MONTH, pause.until_month * DAYS_PER_MONTH, pause.stops_infusions)
            for pause in own.pauses
        ),
        quotas=() if own.quotas is None else tuple(own.quotas.get(name) for name in case.strata),
        funnel=_funnel(case, own.funnel),
    )


def _rate_shape(case: Case, given: written.Sites) -> float:
    path = (*PATH, "sites", "rate_shape")
    if given.rate_shape is None:
        return _known(case, path, "rate_shape")
    case.ledger.note(path, given.rate_shape)
    return math.inf if given.rate_shape == "none" else float(given.rate_shape)


def _funnel(case: Case, given: written.Funnel) -> Funnel:
    path = (*PATH, "recruitment", "funnel")
    shares = []
    for name, source in (("eligible", "eligible_of_screened"), ("consenting", "consenting_of_eligible")):
        value = getattr(given, name)
        if value is None:
            quantity = evidence.get(f"defaults.accrual.{source}")
            case.ledger.evidence((*path, name), quantity)
            value = float(quantity.value or 1.0)
        else:
            case.ledger.note((*path, name), value)
        shares.append(value)
    for name in ("passing_screening", "passing_run_in", "screening_days"):
        case.ledger.note((*path, name), getattr(given, name))
    return Funnel(shares[0], shares[1], given.passing_screening, given.passing_run_in, given.screening_days)


# Clinic, visits and therapy ------------------------------------------------------------------------------------


def _clinic(case: Case, given: written.Clinic) -> Clinic:
    path = (*PATH, "clinic")
    case.ledger.note((*path, "weekdays"), "all" if given.weekdays is None else list(given.weekdays))
    minutes = {}
    for name in ("infusion_minutes", "watch_minutes"):
        value = getattr(given, name)
        if value is None:
            minutes[name] = _known(case, (*path, name), name)
        else:
            case.ledger.note((*path, name), value)
            minutes[name] = float(value)
    for name in ("hours", "psychiatrist_minutes", "patients_per_nurse", "early_days", "late_days", "min_gap_days"):
        case.ledger.note((*path, name), getattr(given, name))
    return Clinic(
        weekdays=_weekdays(given.weekdays),
        open_minutes=60.0 * given.hours,
        infusion_minutes=minutes["infusion_minutes"],
        watch_minutes=minutes["watch_minutes"],
        psychiatrist_minutes=given.psychiatrist_minutes,
        patients_per_nurse=given.patients_per_nurse,
        early_days=given.early_days,
        late_days=given.late_days,
        min_gap_days=given.min_gap_days,
        waiting=_waiting(case, (*path, "waiting"), given.waiting),
    )


def _visits(case: Case, given: written.VisitWindow) -> VisitWindow:
    path = (*PATH, "visits")
    case.ledger.note((*path, "weekdays"), "all" if given.weekdays is None else list(given.weekdays))
    case.ledger.note((*path, "raters"), given.raters, "" if given.raters is not None else "no limit")
    for name in ("early_days", "late_days", "ratings_per_day"):
        case.ledger.note((*path, name), getattr(given, name))
    return VisitWindow(
        weekdays=_weekdays(given.weekdays),
        early_days=given.early_days,
        late_days=given.late_days,
        raters=given.raters,
        ratings_per_day=given.ratings_per_day,
    )


def _therapy(case: Case, given: written.TherapyGroups | None, therapies: tuple[Therapy, ...]) -> TherapyGroups | None:
    by_name = {therapy.name: therapy for therapy in therapies}
    if given is None or not by_name:
        return None
    path = (*PATH, "therapy")
    therapy = by_name[given.therapy or next(iter(by_name))]
    size = group_places(case)
    start_size = given.start_size
    if start_size is None:
        start_size = max(1, math.ceil(0.75 * size))
        case.ledger.derived((*path, "start_size"), start_size, "three quarters of the places, rounded up")
    else:
        case.ledger.note((*path, "start_size"), start_size)
    if given.size is None:
        case.ledger.evidence((*path, "size"), evidence.get("defaults.dbt.group_size"))
    else:
        case.ledger.note((*path, "size"), given.size)
    caseload = size if given.caseload is None else given.caseload
    if given.caseload is None:
        case.ledger.derived((*path, "caseload"), caseload, "one group")
    else:
        case.ledger.note((*path, "caseload"), caseload)
    if start_size > min(size, caseload):
        case.ledger.fault(
            (*path, "start_size"), f"a group that starts with {start_size} finds no therapist or place", key=True
        )
    for name in ("mode", "across_sites", "cancelled", "start_anyway_days"):
        case.ledger.note((*path, name), getattr(given, name))
    return TherapyGroups(
        name=therapy.name,
        arms=therapy.arms,
        ready_day=therapy.start_day,
        mode=given.mode,
        start_size=start_size,
        size=size,
        sessions=max(1, round((therapy.end_day - therapy.start_day) / DAYS_PER_WEEK)),
        interval_days=DAYS_PER_WEEK,
        shared=given.across_sites,
        shared_therapists=given.therapists,
        caseload=caseload,
        cancelled=given.cancelled,
        start_anyway_days=math.inf if given.start_anyway_days is None else given.start_anyway_days,
        waiting=_waiting(case, (*path, "waiting"), given.waiting),
    )


def _waiting(case: Case, path: tuple[str, ...], given: written.Waiting) -> Waiting:
    """Return how people who wait give up: a share leaves in a week, so that the hazard is -log(1 - share) / 7 a day."""
    values = {}
    for name in ("patience_days", "leave_per_week"):
        value = getattr(given, name)
        if value is None:
            values[name] = _known(case, (*path, name), name)
        else:
            case.ledger.note((*path, name), value)
            values[name] = float(value)
    return Waiting(values["patience_days"], -math.log1p(-values["leave_per_week"]) / DAYS_PER_WEEK)


# Prices --------------------------------------------------------------------------------------------------------


def _costs(case: Case, given: written.Costs) -> Costs:
    prices = {name: _price(case, name, getattr(given, name)) for name in COST_COMPONENTS}
    return Costs(**prices, currency="USD")


def _price(case: Case, name: str, given: float | written.Spread | None) -> Amount:
    """Return a price; that of the catalogue is triangular over its range."""
    path = (*PATH, "costs", name)
    if given is not None:
        case.ledger.note(path, _told(given))
        return _amount(given, 1.0)
    quantity = evidence.get(f"defaults.cost.{name}")
    value = float(quantity.value or 0.0)
    low, high = (value if end is None else float(end) for end in (quantity.low, quantity.high))
    told = {"triangular": [low, value, high]}
    case.ledger.evidence(path, quantity, value=told, note="triangular over its range")
    return Amount("triangular", (low, value, high))


def _amount(given: float | written.Spread, unit: float, *, later: float = 0.0) -> Amount:
    """Return an amount in another unit, moved by `later` of the old one where it is a number or bounded."""
    if not isinstance(given, written.Spread):
        return Amount("constant", ((given + later) * unit,))
    if given.uniform is not None:
        return Amount("uniform", tuple((value + later) * unit for value in given.uniform))
    if given.triangular is not None:
        return Amount("triangular", tuple((value + later) * unit for value in given.triangular))
    if given.lognormal is not None:
        return Amount("lognormal", (given.lognormal[0] * unit, given.lognormal[1]))
    mean, sd = given.gamma or (0.0, 0.0)
    return Amount("gamma", (mean * unit, sd * unit))


def _told(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, written.Spread) else value


def _weekdays(given: tuple[str, ...] | None) -> tuple[int, ...]:
    return tuple(range(7)) if given is None else tuple(sorted(WEEKDAYS.index(day) for day in given))


def _known(case: Case, path: tuple[str, ...], name: str) -> float:
    quantity = evidence.get(f"defaults.operations.{name}")
    case.ledger.evidence(path, quantity)
    return float(quantity.value or 0.0)


def _first(own: int | None, common: int | None) -> int | None:
    return common if own is None else own
