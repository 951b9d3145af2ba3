"""Where the numbers behind a figure come from, in a sentence: assumed, derived, measured or given in the scenario."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from trialsim.report.words import NO_BREAK_SPACE, joined
from trialsim.scenario import Provenance

Parts = Mapping[str, str]
"""Words for a kind of numbers, and a pattern that the beginning of their scenario paths matches."""

SCORES: Parts = MappingProxyType({
    "baseline scores": r"population\.strata\.[^.]+\.baseline\.",
    "selection at entry": r"population\.(eligibility|run_in)\.",
    "spread after treatment": r"outcomes\.[^.]+\.(post_sd|residual_sd|baseline_correlation)$",
    "course over time": r"course\.(timing|infusion_model)\b",
    "changes under control": r"course\.control_change\.",
    "mean scores": r"course\.means\.",
    "effects": r"effects\.",
    "therapies": r"therapies\.",
    "expectancy and guesses": r"unblinding\.",
    "events": r"events\.",
    "differences between people, sites and raters": r"(heterogeneity|lability|clusters|raters)\.",
    "dropout": r"(dropout|missing)\.",
})  # fmt: skip
"""What moves the scores that are seen."""

CORRELATIONS: Parts = MappingProxyType({
    "correlations between outcomes": r"covariance\.outcomes\.",
    "SDs or correlations with the baseline": r"outcomes\.[^.]+\.(post_sd|residual_sd|baseline_correlation)$",
})  # fmt: skip
"""What correlations at baseline and at one visit are asked for by; those with the baseline follow from two SDs."""

DISSOCIATION: Parts = MappingProxyType({
    "means and SDs": r"dissociation\.infusions\.[^.]+\.(mean|sd)\b",
    "shares of zeros": r"dissociation\.infusions\.[^.]+\.zeros$",
    "correlations": r"dissociation\.(correlation|depression_correlation)$",
    "the ratio with BPD": r"dissociation\.bpd_multiplier$",
})  # fmt: skip
"""What CADSS scores are drawn from."""

_ORDER = ("assumed", "derived", "measured", "given in the scenario")


def origin_words(provenance: Iterable[Provenance], parts: Parts) -> str:
    """Return which of the numbers behind a figure are assumed, derived, measured or given, in a sentence.

    Parameters
    ----------
    provenance : iterable of Provenance
        Of a resolved scenario. What holds no number, and settings that are neither given nor have an origin, do not
        count.
    parts : mapping of str to str
        Words for each kind of numbers behind the figure, and a pattern for their paths.

    Returns
    -------
    str
        Empty where there are none.
    """
    counted = {words: Counter[str]() for words in parts}
    for row in provenance:
        origin = row.tag or ("given in the scenario" if row.source == "given" else None)
        if origin is None or not _has_number(row.value):
            continue
        for words, pattern in parts.items():
            if re.match(pattern, row.path):
                counted[words][origin] += 1
    found = {words: count for words, count in counted.items() if count}
    origins = [origin for origin in _ORDER if any(count[origin] for count in found.values())]
    if len(origins) == 1:
        return f"The numbers behind it ({joined(list(found))}) are all {origins[0]}."
    told = [f"{origin}: {', '.join(_shares(found, origin))}" for origin in origins]
    return f"The numbers behind it are {'; '.join(told)}." if told else ""


def _shares(found: Mapping[str, Counter[str]], origin: str) -> list[str]:
    """Return the kinds of numbers of an origin, with how many of how many where not all of a kind are."""
    return [
        words
        if count[origin] == count.total()
        else f"{words}{NO_BREAK_SPACE}({count[origin]}{NO_BREAK_SPACE}of{NO_BREAK_SPACE}{count.total()})"
        for words, count in found.items()
        if count[origin]
    ]


def _has_number(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_number(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_number(item) for item in value)
    return isinstance(value, int | float) and not isinstance(value, bool)
