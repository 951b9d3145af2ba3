"""True effects in the words of the clinic: points beside d, responders, number needed to treat, who does better.

Counted in simulated patients by `planning.clinical`; here they get their table, their file and their words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from trialsim.engine.store import write_text
from trialsim.planning.clinical import clinical_effects
from trialsim.report.csv_files import csv_text
from trialsim.report.measures import shown
from trialsim.report.questions import people_words
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import NO_BREAK_SPACE, fixed
from trialsim.scenario.resolved import Variant

CLINIC = Path("figures") / "clinic.csv"

CAPTION = (
    "Not what a trial would estimate, but what is true in the simulated population. Counted in simulated patients who "
    "take part under either arm; in brackets 95 % Monte Carlo intervals. Points of a score are the true value of the "
    "estimand, exact where no interval stands. Cohen's d divides by the standard deviation of the scores at the visit."
)


class ClinicWords(NamedTuple):
    """What one true value means in the clinic.

    Attributes
    ----------
    estimand : str
    setting : str
        The varied values; empty where nothing is varied.
    words : str
    """

    estimand: str
    setting: str
    words: str


NUMBERS = (
    "points", "d", "responders_active", "responders_control", "more", "number_needed", "better",
)  # fmt: skip


def clinic_table(variants: Iterable[Variant], key: str) -> pd.DataFrame:
    """Return the effects of a scenario's estimands in the words of the clinic.

    Parameters
    ----------
    variants : iterable of Variant
        Of the resolved scenario.
    key : str
        Its hash.

    Returns
    -------
    DataFrame
        `variant`, the varied paths, `estimand`, `active`, `control`, `endpoint`, `favourable`, and of each of `NUMBERS`
        its value with the ends of the 95 % Monte Carlo interval (`_low`, `_high`); `patients` under each arm. No rows
        for estimands that are no score or response of two arms.
    """
    rows = []
    paths: tuple[str, ...] = ()
    for variant in variants:
        paths = tuple(variant.settings)
        rows += [
            {"variant": variant.index, **variant.settings, **effect_row(effect.to_dict())}
            for effect in clinical_effects(variant, key)
        ]
    ends = [f"{name}{end}" for name in NUMBERS for end in ("", "_low", "_high")]
    about = ["estimand", "active", "control", "endpoint", "favourable"]
    return pd.DataFrame(rows, columns=["variant", *paths, *about, *ends, "patients"])


def effect_row(effect: Mapping[str, Any]) -> dict[str, Any]:
    """Return an effect as one row of numbers; NaN-free, with None for what there is not.

    Parameters
    ----------
    effect : mapping
        Of `ClinicalEffect.to_dict`.
    """
    row = {name: effect[name] for name in ("estimand", "active", "control", "endpoint", "favourable", "patients")}
    active, control = effect["responders"] or (None, None)
    counted = {"responders_active": active, "responders_control": control}
    for name in NUMBERS:
        found = counted[name] if name in counted else effect[name]
        row[name] = None if found is None else found["value"]
        row[f"{name}_low"] = None if found is None else found["low"]
        row[f"{name}_high"] = None if found is None else found["high"]
    return row


def clinic_words(
    frame: pd.DataFrame, summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> list[ClinicWords]:
    """Return what the rows of `clinic_table` mean.

    Parameters
    ----------
    frame : DataFrame
    summary : DataFrame
        Of the run; varied values are taken from it, because a CSV file keeps no lists.
    labels : mapping, optional
        Words for arms, strata and outcomes.
    """
    paths = varied_paths(summary)
    settings = {
        record["variant"]: {path: record[path] for path in paths}
        for record in records_of(summary.drop_duplicates("variant"))
    }
    return [
        ClinicWords(
            str(record["estimand"]),
            setting_words(settings[record["variant"]], labels=labels),
            effect_words(record),
        )
        for record in records_of(frame)
    ]


def effect_words(row: Mapping[str, Any]) -> str:
    """Return one row in a sentence.

    Parameters
    ----------
    row : mapping
        As `effect_row` gives it.
    """
    active, control = row["active"], row["control"]
    told = []
    points = row["points"]
    if _there(points):
        if float(shown(abs(points), "difference")) == 0.0:
            return f"No difference between {active} and {control}."
        exact = row["points_low"] == row["points_high"]
        spread = "" if exact else f" {_between(abs(row['points_low']), abs(row['points_high']), 2)}"
        fewer = "fewer" if points < 0 else "more"
        told.append(
            f"{shown(abs(points), 'difference')} points{spread} {fewer} with {active} than with {control} "
            f"(d = {fixed(abs(row['d']), 2)})"
        )
    if _there(row["more"]):
        told += _responders(row)
    if _there(row["better"]):
        told.append(
            f"a patient on {active} does better than one on {control} with a probability of "
            f"{_percent(row['better'])} {_between(100 * row['better_low'], 100 * row['better_high'], 1)}"
        )
    text = "; ".join(told)
    return f"{text[:1].upper()}{text[1:]}."


def _responders(row: Mapping[str, Any]) -> list[str]:
    """Return the shares of both arms, their difference, and the number needed to treat or to harm."""
    who = people_words(row["endpoint"] or "response")
    rule = "" if row["endpoint"] else ", at half of their baseline score or below"
    told = [
        f"{who}{rule}: {fixed(100 * row['responders_active'], 1)} per 100 on {row['active']}, "
        f"{fixed(100 * row['responders_control'], 1)} on {row['control']}"
    ]
    if not _there(row["number_needed"]):
        return [*told, "which is no difference that the simulation could see"]
    more, needed = row["more"], row["number_needed"]
    between = _between(abs(100 * row["more_low"]), abs(100 * row["more_high"]), 1)
    told.append(f"{fixed(abs(100 * more), 1)} {'more' if more > 0 else 'fewer'} per 100 with {row['active']} {between}")
    ends = _between(abs(row["number_needed_low"]), abs(row["number_needed_high"]), 1)
    told.append(f"number needed to {'treat' if needed > 0 else 'harm'} {fixed(abs(needed), 1)} {ends}")
    return told


def _there(value: Any) -> bool:
    return value is not None and value == value


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 1)}{NO_BREAK_SPACE}%"


def _between(low: float, high: float, decimals: int) -> str:
    low, high = sorted((low, high))
    return f"({fixed(low, decimals)} to {fixed(high, decimals)})"


def write_clinic(folder: Path, variants: Iterable[Variant], key: str) -> list[Path]:
    """Write the effects of a run beside its figures, figures/clinic.csv, and return the file, if any."""
    found = clinic_table(variants, key)
    if not len(found):
        return []
    write_text(folder / CLINIC, csv_text(found))
    return [folder / CLINIC]


def clinic_of(folder: Path) -> pd.DataFrame | None:
    """Return the effects in the words of the clinic from a run folder; None where there are none."""
    path = folder / CLINIC
    texts = {name: str for name in ("estimand", "active", "control", "endpoint")}
    if not path.exists():
        return None
    found = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=texts)
    return found.fillna({name: "" for name in texts})
