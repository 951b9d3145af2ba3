"""Checks of priors: each a distribution on values that its parameter can have; and of how they hang together."""

from __future__ import annotations

from trialsim.scenario import schema
from trialsim.scenario.checking.bench import Bench
from trialsim.scenario.paths import PathError, split_path
from trialsim.scenario.priors import (
    NEGLIGIBLE,
    Belief,
    PriorError,
    Range,
    belief,
    mass_outside,
    range_of,
)
from trialsim.scenario.words import number

WITHOUT = (
    "schema", "title", "description", "simulation", "sample_size", "vary", "priors", "prior_correlations", "estimands",
    "analysis", "multiplicity",
)  # fmt: skip
"""Sections that say what is chosen or shown: nothing of them is uncertain."""


def check_priors(bench: Bench) -> None:
    """Check every prior by itself."""
    for path, entry in (bench.priors or {}).items():
        if _check_path(bench, path):
            _check_prior(bench, path, entry)


def _check_path(bench: Bench, path: str) -> bool:
    place = ("priors", path)
    try:
        parts = split_path(path)
    except PathError as error:
        bench.report(place, str(error), key=True)
        return False
    if parts[0] in WITHOUT:
        bench.report(place, f"{parts[0]} is chosen or shown, not uncertain: no prior goes there", key=True)
        return False
    outer = next((other for other in bench.priors or () if path.startswith(f"{other}.")), None)
    if outer is not None:
        bench.report(place, f"lies inside {outer}, which has a prior too", key=True)
    return outer is None


def _check_prior(bench: Bench, path: str, entry: schema.Prior | str) -> None:
    try:
        made = belief(path, entry)
    except PriorError as error:
        bench.report(("priors", path, *(() if isinstance(entry, str) else error.key)), str(error))
        return
    allowed = range_of(path)
    if allowed is None:
        return  # there is no number there, which is told when a value is put there
    if allowed.whole:
        bench.report(("priors", path), "takes whole numbers only; a prior is for numbers of any size", key=True)
    elif made.relative_to is not None:
        _check_relative(bench, made)
    else:
        _check_range(bench, made, allowed)


def _check_range(bench: Bench, made: Belief, allowed: Range) -> None:
    outside = mass_outside(made.prior, allowed)
    if outside <= NEGLIGIBLE:
        return
    shown = f"{made.prior.name or made.prior.formula}, {Range(*made.prior.support, whole=False)}"
    if outside >= 1.0 - NEGLIGIBLE:
        low, high = made.prior.support
        share = "nothing" if low > allowed.high or high < allowed.low else "next to nothing"
        message = (
            f"the prior ({shown}) has {share} within the range of the value ({allowed}); choose one that lies there"
        )
    else:
        message = (
            f"{_percent(outside)} of the prior ({shown}) lies outside the range of the value ({allowed}); choose one "
            "within it, or cut it off there with truncate: true"
        )
    bench.report(("priors", made.path), message)


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"


def _check_relative(bench: Bench, made: Belief) -> None:
    place = ("priors", made.path, "relative_to")
    other = (bench.priors or {}).get(made.relative_to or "")
    if made.relative_to == made.path:
        bench.report(place, "is the prior's own path; name another one")
    elif isinstance(other, schema.Prior) and other.relative_to is not None:
        bench.report(place, f"{made.relative_to} is itself relative to {other.relative_to}; name that one")
    elif made.prior.support == (0.0, 0.0):
        bench.report(("priors", made.path), "is always 0, which is no difference", key=True)


def check_prior_correlations(bench: Bench) -> None:
    """Check the pairs and that their rank correlations can hold together."""
    given, paths = bench.prior_correlations, bench.named("priors")
    if not given:
        return
    seen: set[frozenset[str]] = set()
    sound = True
    for position, one in enumerate(given):
        place = ("prior_correlations", position, "pair")
        known = [bench.known((*place, i), path, paths, "prior of") for i, path in enumerate(one.pair)]
        pair = frozenset(one.pair)
        if all(known) and len(pair) == 1:
            bench.report(place, "names one path twice")
        elif pair in seen:
            bench.report(place, f"{' and '.join(one.pair)} are correlated twice; keep one")
        sound &= all(known) and len(pair) == 2 and pair not in seen
        seen.add(pair)
    if not sound:
        return
    from trialsim.scenario.rank_correlation import RankCorrelationError, rank_factor

    try:
        rank_factor(paths, {one.pair: one.rank for one in given})
    except RankCorrelationError as error:
        message = (
            f"these rank correlations cannot hold together (smallest eigenvalue {number(error.smallest)}): what goes "
            "with two others sets bounds to how these two go together; weaken one, or leave one out"
        )
        bench.report(("prior_correlations",), message, key=True)


CHECKS = (check_priors, check_prior_correlations)
