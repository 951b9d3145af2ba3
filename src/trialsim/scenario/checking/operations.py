"""Checks of how a trial is run: what can never work is told before anything is simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from trialsim import evidence
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.paths import find
from trialsim.scenario.schema.operations import Operations, Site, Spread, TherapyGroups
from trialsim.scenario.words import count, listed, number

Path = tuple[str | int, ...]

PATH: Path = ("operations",)
RESOURCES = ("chairs", "nurses", "psychiatrists")


def check_sites(bench: Bench) -> None:
    """Check that there are sites, that one of them opens in time and recruits, and that capacities can be."""
    given = bench.operations
    if given is None:
        return
    sites, path = given.sites, (*PATH, "sites")
    if (sites.number is None) == (sites.named is None):
        bench.report(path, "give either number (of sites) or named (sites by name)", key=True)
        return
    for at, amount in _amounts(given):
        _check_amount(bench, at, amount)
    _check_stagger(bench, given)
    opening, rates = _openings(given), _rates(given)
    if rates and all(rate == 0.0 for rate in rates):
        bench.report((*path, "rate_per_month"), "nobody is ever recruited: the rate of every site is 0", key=True)
    if opening and min(opening) >= given.recruitment.until_month:
        message = (
            f"no site ever opens: the first one does in month {number(min(opening))}, and recruitment ends in month "
            f"{number(given.recruitment.until_month)}"
        )
        bench.report((*path, "opens_month"), message, key=True)


def _check_stagger(bench: Bench, given: Operations) -> None:
    """Report a first opening that cannot be moved to later sites."""
    first = given.sites.opens_month
    if given.sites.opens_every_months and isinstance(first, Spread) and (first.lognormal or first.gamma):
        message = "opens_every_months goes with a number, uniform or triangular: name the sites and give each its own"
        bench.report((*PATH, "sites", "opens_month"), message)


def _openings(given: Operations) -> list[float]:
    """Return the earliest month in which each site may open; those of amounts that are wrong are left out."""
    sites = given.sites
    own = list((sites.named or {}).values()) if sites.named is not None else [None] * (sites.number or 0)
    first = _least(sites.opens_month)
    found = []
    for place, site in enumerate(own):
        if site is not None and site.opens_month is not None:
            found.append(_least(site.opens_month))
        else:
            found.append(None if first is None else first + place * sites.opens_every_months)
    return [month for month in found if month is not None]


def _least(amount: float | Spread) -> float | None:
    if not isinstance(amount, Spread):
        return amount
    for given in (amount.uniform, amount.triangular):
        if given is not None:
            return given[0]
    return 0.0 if amount.lognormal is not None or amount.gamma is not None else None


def _rates(given: Operations) -> list[float]:
    sites = given.sites
    own = list((sites.named or {}).values()) if sites.named is not None else [None]
    common = 1.0 if sites.rate_per_month is None else sites.rate_per_month
    return [common if site is None or site.rate_per_month is None else site.rate_per_month for site in own]


def _amounts(given: Operations) -> Iterator[tuple[Path, Any]]:
    """Yield what may be a distribution, with its path."""
    yield (*PATH, "sites", "opens_month"), given.sites.opens_month
    for name, site in (given.sites.named or {}).items():
        yield (*PATH, "sites", "named", name, "opens_month"), (site or Site()).opens_month
    for name in type(given.costs).model_fields:
        yield (*PATH, "costs", name), getattr(given.costs, name)


def _check_amount(bench: Bench, path: Path, amount: Any) -> None:
    if not isinstance(amount, Spread):
        return
    named = [name for name in Spread.model_fields if getattr(amount, name) is not None]
    if len(named) != 1:
        written = find(bench.root, path)
        if not named and written is not None and written.value:
            return  # what is written has a fault of its own, and is told already
        message = (
            f"give one distribution, not {count(len(named), 'distribution')}: {listed(Spread.model_fields, last='or')}"
        )
        bench.report(path, message)
        return
    values = getattr(amount, named[0])
    if named[0] in ("uniform", "triangular") and list(values) != sorted(values):
        words = "low, high" if named[0] == "uniform" else "low, most likely, high"
        bench.report((*path, named[0]), f"numbers must rise ({words}): {listed([number(v) for v in values])}")
    if named[0] in ("lognormal", "gamma") and values[0] == 0.0:
        bench.report((*path, named[0], 0), "must be above 0, not 0")


def check_recruitment(bench: Bench) -> None:
    """Check pauses, seasons, and quotas against the strata and the sample size."""
    given = bench.operations
    if given is None:
        return
    path, recruitment = (*PATH, "recruitment"), given.recruitment
    if recruitment.season is not None and abs(sum(recruitment.season) / 12.0 - 1.0) > 1e-3:
        average = number(sum(recruitment.season) / 12.0)
        bench.report((*path, "season"), f"the twelve factors must average 1, not {average}")
    for position, pause in enumerate(recruitment.pauses):
        if pause.until_month <= pause.from_month:
            message = f"must be after from_month ({number(pause.from_month)}), not {number(pause.until_month)}"
            bench.report((*path, "pauses", position, "until_month"), message)
        elif pause.from_month == 0.0 and pause.until_month >= recruitment.until_month:
            bench.report((*path, "pauses", position), "recruitment is paused from beginning to end")
    if recruitment.quotas is not None:
        _check_quotas(bench, (*path, "quotas"), recruitment.quotas)


def _check_quotas(bench: Bench, path: Path, quotas: dict[str, int]) -> None:
    """Report quotas of unknown strata, and those that no trial of the size asked for can keep."""
    bench.keys(path, quotas, bench.strata, "stratum")
    if bench.strata is None or bench.population is None or not all(name in bench.strata for name in quotas):
        return
    sizes = bench.sample_size if isinstance(bench.sample_size, tuple) else (bench.sample_size,)
    known = [size for size in sizes if isinstance(size, int)]
    largest = max(known, default=0)
    eligible = [name for name, stratum in bench.population.strata.items() if stratum.share != 0.0]
    for name, quota in quotas.items():
        if name not in eligible and quota > 0:
            bench.report((*path, name), f"nobody of this stratum is eligible (its share is 0), so {quota} cannot come")
    if all(name in quotas for name in eligible):
        room = sum(quotas[name] for name in eligible)
        if room < largest:
            message = (
                f"the quotas have room for {room:,}, fewer than the {largest:,} of sample_size: raise one, or leave "
                "one out"
            )
            bench.report(path, message, key=True)


def check_clinic(bench: Bench) -> None:
    """Check opening hours, weekdays, and that a course can be weakened by late infusions where they are possible."""
    given = bench.operations
    if given is None:
        return
    path, clinic = (*PATH, "clinic"), given.clinic
    needed = sum(
        float(evidence.get(f"defaults.operations.{name}").value or 0.0) if given_minutes is None else given_minutes
        for name, given_minutes in (
            ("infusion_minutes", clinic.infusion_minutes),
            ("watch_minutes", clinic.watch_minutes),
        )
    )
    if 60.0 * clinic.hours < needed:
        message = (
            f"an infusion and its watch take {number(needed)} minutes and do not fit into {number(clinic.hours)} hours"
        )
        bench.report((*path, "hours"), message, key=True)
    for part, days in (("clinic", clinic.weekdays), ("visits", given.visits.weekdays)):
        if days is not None and len(set(days)) < len(days):
            twice = next(day for day in days if days.count(day) > 1)
            bench.report((*PATH, part, "weekdays"), f"{twice} is named twice")
    if bench.schedule is None or bench.arms is None:
        return
    planned = _planned(bench)
    for at, infusions in planned:
        if infusions and (infusions[0] != 0.0 or any(day != int(day) for day in infusions)):
            message = "with operations, infusions are on whole days counted from the first, which is day 0"
            bench.report(at, message)
    for position, day in enumerate(bench.schedule.visits):
        if day != int(day):
            bench.report(
                ("schedule", "visits", position), f"with operations, visits are on whole days, not {number(day)}"
            )
    if bench.course is None or bench.course.infusion_model is not None or not _may_be_late(given):
        return
    if any(len(days) > 1 for _, days in planned):
        message = (
            "infusions may be late or missed, and only a course that goes by infusions can say what that does: write "
            "course: {infusion_model: {}}, or leave out chairs, nurses, psychiatrists and weekdays"
        )
        bench.report(PATH, message, key=True)


def _planned(bench: Bench) -> list[tuple[Path, Sequence[float]]]:
    """Return the days of infusions, each list once, with its path."""
    found: list[tuple[Path, Sequence[float]]] = []
    arms = bench.arms or {}
    if bench.schedule is not None and any(arm is None or arm.infusions is None for arm in arms.values()):
        found.append((("schedule", "infusions"), bench.schedule.infusions))
    found += [
        (("arms", name, "infusions"), arm.infusions)
        for name, arm in arms.items()
        if arm is not None and arm.infusions is not None
    ]
    return found


def _may_be_late(given: Operations) -> bool:
    """Return whether anything can delay an infusion after the first."""
    own = [site for site in (given.sites.named or {}).values() if site is not None]
    limited = any(getattr(part, name) is not None for part in (given.sites, *own) for name in RESOURCES)
    closed = given.clinic.weekdays is not None and len(set(given.clinic.weekdays)) < 7
    return limited or closed or any(pause.stops_infusions for pause in given.recruitment.pauses)


def check_therapy(bench: Bench) -> None:
    """Check which therapy has groups, their sizes, and that somebody leads them."""
    given = None if bench.operations is None else bench.operations.therapy
    if bench.operations is None or given is None or bench.therapies is None:
        return
    path = (*PATH, "therapy")
    if not bench.named("therapies"):
        bench.report(
            path, "there is no therapy: describe it under therapies, and name it in the arms that have it", key=True
        )
        return
    if given.therapy is not None:
        bench.known((*path, "therapy"), given.therapy, bench.named("therapies"), "therapy")
    elif len(bench.named("therapies")) > 1:
        bench.report(
            (*path, "therapy"), f"is missing: name one of {listed(bench.named('therapies'), last='or')}", key=True
        )
    _check_sizes(bench, path, given)
    own = [site for site in (bench.operations.sites.named or {}).values() if site is not None]
    if not given.across_sites:
        if given.therapists is not None:
            message = "therapists of all sites together are for across_sites; give those of a site under sites"
            bench.report((*path, "therapists"), message)
        leaders = [bench.operations.sites.therapists, *(site.therapists for site in own)]
        if all(number == 0 for number in leaders):
            bench.report(
                (*PATH, "sites", "therapists"),
                "a therapy in groups needs somebody to lead them: give 1 or more",
                key=True,
            )


def _check_sizes(bench: Bench, path: Path, given: TherapyGroups) -> None:
    if given.size is not None and given.start_size is not None and given.start_size > given.size:
        message = f"a group of {given.size} cannot wait for {given.start_size} to start"
        bench.report((*path, "start_size"), message)
    least = given.start_size if given.start_size is not None else None
    if given.caseload is not None and least is not None and given.caseload < least:
        message = f"a therapist with room for {given.caseload} can lead no group that starts with {least}"
        bench.report((*path, "caseload"), message)


def check_groups_made(bench: Bench) -> None:
    """Check that clusters made by operations have what makes them."""
    for name, cluster in (bench.clusters or {}).items():
        if cluster.made_by is None:
            continue
        path = ("clusters", name, "made_by")
        node = bench.root.child("operations")
        if node is None:
            bench.report(path, "there are no operations that would make such groups: give size or number instead")
        elif cluster.made_by == "therapy_groups" and bench.operations is not None and bench.operations.therapy is None:
            bench.report(path, "there are no therapy groups: describe them under operations.therapy")
        elif cluster.made_by == "therapy_groups" and cluster.therapy not in (None, _group_therapy(bench)):
            message = f"these groups sit in {_group_therapy(bench)}, as operations.therapy tells: leave therapy out"
            bench.report(("clusters", name, "therapy"), message)
        elif cluster.effect_sd is not None and cluster.made_by == "therapy_groups":
            message = "an effect that differs between groups is for sites: leave effect_sd out"
            bench.report(("clusters", name, "effect_sd"), message)


def _group_therapy(bench: Bench) -> str | None:
    """Return the therapy whose groups are simulated."""
    given = None if bench.operations is None else bench.operations.therapy
    return None if given is None else given.therapy or next(iter(bench.named("therapies")), None)


CHECKS = (check_sites, check_recruitment, check_clinic, check_therapy, check_groups_made)
