"""Small helpers for the wording of messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` was probably meant to be, or None."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    # Comparing costs the product of the lengths; a very long word is nobody's slip of the pen.
    matches = get_close_matches(word.lower()[:60], by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


_SHORT_NAMES = {
    "us": "unstructured",
    "un": "unstructured",
    "cs": "compound_symmetry",
    "csh": "heterogeneous_compound_symmetry",
    "ar1": "ar1",
    "ar1h": "heterogeneous_ar1",
    "toep": "toeplitz",
    "toeph": "heterogeneous_toeplitz",
    "ad": "ante_dependence",
    "adh": "heterogeneous_ante_dependence",
}
"""Covariance structures as R's mmrm calls them."""


def meant_by_short_name(word: str, options: Iterable[str]) -> str | None:
    """Return the option that a short name of a covariance structure stands for, or None.

    Where there is no heterogeneous form to choose, it is the plain one.
    """
    full = _SHORT_NAMES.get(word.lower(), "")
    names = list(options)
    return next((name for name in (full, full.removeprefix("heterogeneous_")) if name in names), None)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` or, when nothing is near, the list of what there is."""
    names = list(candidates)
    match = nearest(word, names)
    if match is not None:
        return f"; did you mean '{match}'?"
    return f"; there is {listed(names)}" if names else ""


def listed(names: Iterable[object], *, last: str = "and") -> str:
    """Return names as `a, b and c`, cut short when there are many."""
    words = [str(name) for name in names]
    if len(words) > 24:
        return f"{', '.join(words[:23])} {last} {len(words) - 23} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def number(value: float) -> str:
    """Return a number short and without noise digits."""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def plural(noun: str, n: int) -> str:
    """Return a noun for `n` of it: `outcome`, `outcomes`, `strata`."""
    if n == 1:
        return noun
    head, blank, last = noun.rpartition(" ")
    return f"{head}{blank}{'strata' if last == 'stratum' else last + 's'}"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Return a count in words, such as `three numbers`."""
    word = _COUNTS[n] if n < len(_COUNTS) else str(n)
    return f"{word} {noun if n == 1 else plural or noun + 's'}"
