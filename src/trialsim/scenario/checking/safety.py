"""Checks of what is watched for safety."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.checking.mechanisms import RESERVED
from trialsim.scenario.known_safety import adverse_event_names, known_adverse_events
from trialsim.scenario.resolved_safety import SUICIDE_ATTEMPTS
from trialsim.scenario.words import listed

_KINDS = ("ketamine", "midazolam", "saline")


def check_adverse_events(bench: Bench) -> None:
    """Check how often each adverse event comes, and that its name is free."""
    if bench.safety is None:
        return
    for name, written in (bench.safety.adverse_events or {}).items():
        path, given = ("safety", "adverse_events", name), written or schema.AdverseEvent()
        _check_free(bench, path, name)
        if given.per_infusion is not None and given.per_day is not None:
            bench.report(path, "give either per_infusion or per_day", key=True)
        elif given.per_infusion is None and given.per_day is None and name not in known_adverse_events():
            known = listed(known_adverse_events())
            message = f"give per_infusion or per_day (the catalogue has shares of {known} only)"
            bench.report(path, message, key=True)
        if isinstance(given.per_day, Mapping):
            bench.keys((*path, "per_day"), given.per_day, bench.arms, "arm")
        if isinstance(given.per_infusion, Mapping) and bench.arms is not None:
            known_keys = dict.fromkeys((*bench.arms, *_KINDS))
            bench.keys((*path, "per_infusion"), given.per_infusion, known_keys, "arm or kind of infusion")


def _check_free(bench: Bench, path: tuple[str, ...], name: str) -> None:
    """Report a name that stands for something else in the data."""
    taken = [part for part in ("outcomes", "counts", "events", "clusters") if name in bench.named(part)]
    if taken:
        bench.report(path, f"'{name}' is named under {taken[0]} too; choose another name", key=True)
    elif name in (*RESERVED, SUICIDE_ATTEMPTS) or name in (bench.outcomes or ()):
        bench.report(path, f"'{name}' stands for something else in the data; choose another name", key=True)


def check_suicide_attempts(bench: Bench) -> None:
    """Check the strata and arms named, and that attempts are described once."""
    given = bench.safety.suicide_attempts if bench.safety else None
    if given is None:
        return
    path = ("safety", SUICIDE_ATTEMPTS)
    for part in ("counts", "events", "outcomes"):
        if SUICIDE_ATTEMPTS in bench.named(part):
            bench.report(
                path, f"'{SUICIDE_ATTEMPTS}' is described under {part} too; leave one of the two out", key=True
            )
    bench.by_stratum((*path, "rate_per_year"), given.rate_per_year)
    bench.keys((*path, "rate_ratio"), given.rate_ratio or {}, bench.arms, "arm")


def check_stopping_rule(bench: Bench) -> None:
    """Check what a stopping rule watches, when it looks, and at which arms."""
    given, path = bench.safety.stopping_rule if bench.safety else None, ("safety", "stopping_rule")
    if bench.safety is None or given is None:
        return
    attempts = (SUICIDE_ATTEMPTS,) if bench.safety.suicide_attempts else ()
    watched = (*adverse_event_names(bench.safety), *attempts, *bench.named("counts"), *bench.named("events"))
    bench.known((*path, "event"), given.event, watched, "event")
    if (given.look_every is None) == (given.looks is None):
        bench.report(path, "give either look_every or looks, numbers of patients who have completed", key=True)
    if given.looks is not None:
        _check_rising(bench, (*path, "looks"), given.looks)
    _check_looks(bench, path, given)
    for position, arm in enumerate(given.contrast or ()):
        bench.known((*path, "contrast", position), arm, bench.arms, "arm")
    if given.contrast is not None and given.contrast[0] == given.contrast[1]:
        bench.report((*path, "contrast"), f"two arms are needed, not {given.contrast[0]} twice")
    primary = (bench.estimands or {}).get("primary")
    if given.contrast is None and primary is not None and not _is_pair(primary.contrast):
        message = "is missing: the primary estimand is about more than two arms; name the one watched and its control"
        bench.report((*path, "contrast"), message, key=True)


def _check_rising(bench: Bench, path: tuple[str, ...], looks: tuple[int, ...]) -> None:
    for position in range(1, len(looks)):
        if looks[position] <= looks[position - 1]:
            message = f"numbers must rise: {looks[position]} comes after {looks[position - 1]}"
            bench.report((*path, position), message)


def _check_looks(bench: Bench, path: tuple[str, ...], given: schema.StoppingRule) -> None:
    """Report a rule whose first look comes when the largest trial is over."""
    key = "looks" if given.looks is not None else "look_every"
    first = given.looks[0] if given.looks is not None else given.look_every
    sizes = bench.sample_size if isinstance(bench.sample_size, tuple) else (bench.sample_size,)
    known = [size for size in sizes if isinstance(size, int)]
    if first is not None and known and first >= max(known):
        message = f"the first look, after {first} patients, must come before the last of {max(known)} has completed"
        bench.report((*path, key), message)


def _is_pair(contrast: object) -> bool:
    return isinstance(contrast, tuple) and all(isinstance(side, str) for side in contrast)


CHECKS = (check_adverse_events, check_suicide_attempts, check_stopping_rule)
