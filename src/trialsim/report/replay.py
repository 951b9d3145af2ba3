"""A replayed study in words: what was published beside what simulated patients show, and what to make of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim import evidence
from trialsim.engine.replay import Replay
from trialsim.engine.replay_quantities import Found, Target
from trialsim.kernels.montecarlo import mcse_mean, mcse_proportion, wilson_interval
from trialsim.report.words import NO_BREAK_SPACE, fixed, joined, percent

RANGE = (2.5, 97.5)
"""Percentiles over replicates between which a simulated range lies."""

MARKS: Mapping[str, str] = {
    "calibration": "the model was set to the published figure: agreement shows only that it does what it was told",
    "check": "nothing was fitted to it: agreement or disagreement says something about the model",
    "assumed": "hangs on numbers that no study gives, or no figure was published: nothing to agree with",
}
"""What a mark says about a quantity."""

_SHARES = ("response", "remission")
"""Kinds whose values are shares of patients, shown in percent."""

_WORDS = {
    "change": "change",
    "standardised_change": "change in its SDs",
    "score_before": "mean before",
    "score_after": "mean after",
    "response": "response",
    "remission": "remission",
}

_PUBLISHED_WORDS = {"difference": "not significant", "standardised_change": "large"}
"""What was published in words, by kind."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One quantity as printed.

    Parameters
    ----------
    label, mark, published, simulated, agrees, instead : str
        What it is; `calibration`, `check` or `assumed`; the published figure; mean and range over simulated studies;
        how many studies agree, and in what; mean and range of the same patients under the other arm.
    """

    label: str
    mark: str
    published: str
    simulated: str
    agrees: str
    instead: str


def replay_frame(replayed: Replay) -> pd.DataFrame:
    """Return one row per quantity of a replay.

    Parameters
    ----------
    replayed : Replay

    Returns
    -------
    DataFrame
        Columns quantity, label, mark, unit; published (NaN where there is no number), published_low and published_high
        (95 % Wilson interval of a share), published_n, published_words, evidence (name in the catalogue); simulated
        (mean over replicates), simulated_mcse, simulated_low and simulated_high (2.5 and 97.5 % of replicates);
        compared (what a replicate is asked), agrees (share of replicates that say yes), agrees_mcse; instead,
        instead_low and instead_high (the same patients under the other arm) and by_drug (simulated − instead).
    """
    return pd.DataFrame([_row(replayed, found) for found in replayed.found])


def replicate_frame(replayed: Replay) -> pd.DataFrame:
    """Return every quantity in every simulated study: columns quantity, arm, replicate, value.

    Parameters
    ----------
    replayed : Replay
    """
    parts = []
    for found in replayed.found:
        for world, arm in enumerate(replayed.arms):
            values = found.values[world]
            parts.append(
                pd.DataFrame(
                    {
                        "quantity": found.target.name,
                        "arm": replayed.variant.arms[arm],
                        "replicate": np.arange(len(values)),
                        "value": values,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def label_of(replayed: Replay, target: Target) -> str:
    """Return what a target is, in words."""
    variant = replayed.variant
    labels = dict(zip(variant.strata, variant.strata_labels, strict=True))
    who = f", {labels[target.stratum]}" if target.stratum else ""
    if target.kind == "dissociation":
        return f"CADSS at infusion {target.infusion}{who}"
    scale = variant.outcome_labels[variant.outcomes.index(target.outcome)]
    if target.kind == "difference":
        others = [label for name, label in labels.items() if name != target.stratum]
        return f"{scale} change{who} minus {joined(others)}"
    return f"{scale} {_WORDS[target.kind]}{who}"


def printed(frame: pd.DataFrame) -> list[Cells]:
    """Return the table of a `replay_frame` as texts.

    Parameters
    ----------
    frame : DataFrame
    """
    rows: list[dict[str, Any]] = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    return [
        Cells(
            row["label"],
            row["mark"],
            _published(row),
            _range(row, "simulated"),
            "–" if math.isnan(row["agrees"]) else f"{fixed(100 * row['agrees'], 1)}{NO_BREAK_SPACE}% {row['compared']}",
            _range(row, "instead"),
        )
        for row in rows
    ]


def findings(replayed: Replay, frame: pd.DataFrame) -> list[str]:
    """Return what the replay says, a sentence or two for each thing worth knowing.

    Parameters
    ----------
    replayed : Replay
    frame : DataFrame
        Of `replay_frame`.
    """
    rows: dict[str, dict[str, Any]] = {
        str(row["quantity"]): {str(key): value for key, value in row.items()} for row in frame.to_dict("records")
    }
    targets = [found.target for found in replayed.found]
    said = [_drug_words(replayed, rows[target.name]) for target in targets if target.kind == "change"]
    compared = [
        target for target in targets if target.mark == "check" and not math.isnan(rows[target.name]["published"])
    ]
    return said[:1] + [_check_words(rows[target.name], target) for target in compared]


def _row(replayed: Replay, found: Found) -> dict[str, Any]:
    target, given, instead = found.target, found.values[0], found.values[1]
    agrees = math.nan if found.agrees is None else float(found.agrees.mean())
    row = {
        "quantity": target.name,
        "label": label_of(replayed, target),
        "mark": target.mark,
        "unit": _unit(replayed, target),
        **_publication(target),
        "simulated": float(given.mean()),
        "simulated_mcse": mcse_mean(given),
        **_ends("simulated", given),
        "compared": _compared(replayed, target),
        "agrees": agrees,
        "agrees_mcse": math.nan if found.agrees is None else mcse_proportion(agrees, len(found.agrees)),
        "instead": float(instead.mean()),
        **_ends("instead", instead),
    }
    return {**row, "by_drug": row["simulated"] - row["instead"]}


def _ends(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.percentile(values, RANGE)
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _publication(target: Target) -> dict[str, Any]:
    """Return the published figure, with the interval of a share."""
    quantity = evidence.get(target.published) if target.published else None
    value = quantity.value if quantity is not None else None
    n = quantity.n if quantity is not None else None
    low = high = math.nan
    if quantity is not None and quantity.unit == "share" and value is not None and n is not None:
        low, high = wilson_interval(round(value * n), n)
    return {
        "published": math.nan if value is None else value,
        "published_low": low,
        "published_high": high,
        "published_n": n or 0,
        "published_words": _PUBLISHED_WORDS[target.kind] if quantity is not None and value is None else "",
        "evidence": target.published,
    }


def _unit(replayed: Replay, target: Target) -> str:
    if target.kind in _SHARES:
        return "share"
    if target.kind == "standardised_change":
        return "SD"
    return evidence.instrument(target.outcome or "cadss").unit


def _compared(replayed: Replay, target: Target) -> str:
    """Return what a replicate is asked."""
    if target.kind == "difference":
        return f"p ≤ {replayed.variant.estimands[0].analyses[0].alpha:g}"
    if target.kind == "dissociation":
        return "" if target.infusion == 1 else "below infusion 1"
    if target.grade:
        return target.grade
    return "as large" if target.published else ""


def _published(row: Mapping[str, Any]) -> str:
    if math.isnan(row["published"]):
        return str(row["published_words"] or "–")
    return _value(row, "published") if math.isnan(row["published_low"]) else _range(row, "published")


def _range(row: Mapping[str, Any], name: str) -> str:
    low, high = (_number(row, f"{name}_{end}") for end in ("low", "high"))
    return f"{_value(row, name)} ({low} to {high})"


def _value(row: Mapping[str, Any], name: str) -> str:
    """Return a number of a row, shares in percent."""
    return f"{_number(row, name)}{NO_BREAK_SPACE}%" if row["unit"] == "share" else _number(row, name)


def _number(row: Mapping[str, Any], name: str) -> str:
    return fixed(100 * row[name], 1) if row["unit"] == "share" else fixed(row[name], 2)


def _drug_words(replayed: Replay, row: Mapping[str, Any]) -> str:
    given, instead = (replayed.variant.arm_labels[arm] for arm in replayed.arms)
    share = row["by_drug"] / row["simulated"]
    name = f"defaults.specific_share.{replayed.variant.arms[replayed.arms[1]]}"
    known = evidence.get(name)
    between = ""
    if known.low is not None and known.high is not None:
        between = f"; from {percent(known.low)} to {percent(known.high)} would be defensible"
    return (
        f"{row['label']}: {_value(row, 'simulated')} under {given}, of which {_value(row, 'instead')} comes under "
        f"{instead} as well, in the same patients. {_value(row, 'by_drug')} ({percent(round(share, 3))}) is what the "
        "drug adds. The study, which had no control group, cannot show that share: it is put in from others "
        f"({name}, {known.tag}{between})."
    )


def _check_words(row: Mapping[str, Any], target: Target) -> str:
    gap = row["simulated"] - row["published"]
    if row["unit"] == "share":
        size = f"{fixed(abs(100 * gap), 1)} percentage points"
    else:
        size = f"{fixed(abs(gap), 2)} {row['unit']}"
    known = evidence.get(target.published)
    words = (
        f"{row['label']}: the model gives {_value(row, 'simulated')} where {_value(row, 'published')} was published "
        f"({evidence.citation(known.citation).text}, n{NO_BREAK_SPACE}={NO_BREAK_SPACE}{known.n})."
    )
    direction = "overestimates" if gap * np.sign(row["published"]) > 0 else "underestimates"
    words += f" It {direction} by {size}"
    if math.isnan(row["published_low"]):
        return f"{words}."
    inside = row["published_low"] <= row["simulated"] <= row["published_high"]
    return f"{words}, {'no more than' if inside else 'more than'} the sampling error of the published figure allows."
