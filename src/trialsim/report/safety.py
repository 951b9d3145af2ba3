"""Safety: what was seen in each arm, how often a rule stops the trial, and the rule in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.report.questions import variants_of
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import estimand_label, fixed, joined, method_words, percent


@dataclass(frozen=True, slots=True)
class SafetyRow:
    """One kind of event: its words, and for each arm the patients with it, events a trial and their rate."""

    label: str
    patients: tuple[str, ...]
    events: tuple[str, ...]
    rates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SafetyTable:
    """What was seen by arm in one variant at its largest size: what is varied, in words, the size, arms and rows."""

    setting: str
    n: int
    arms: tuple[str, ...]
    rows: tuple[SafetyRow, ...]


@dataclass(frozen=True, slots=True)
class StoppingTable:
    """How a rule does in one variant: what is varied, in words, the sizes, and rows of a label and a cell per size."""

    setting: str
    sizes: tuple[int, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


SAFETY_CAPTION = (
    "Seen up to the last visit of each patient, ± Monte Carlo standard error: patients with at least one, in %; events "
    "in a trial; and their rate, per 100 infusions given or per 100 person-years followed. What happens at most once "
    "to a patient has person-years up to the event (exposure-adjusted incidence rate). No trial is cut short here."
)
STOPPING_CAPTION = (
    "± Monte Carlo standard error. Patients are those who had completed at the look that stopped the trial; where "
    "others are under way by then, more have been randomised. With stops, a trial that was stopped has found nothing."
)


def safety_tables(safety: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]) -> list[SafetyTable]:
    """Return what was seen by arm, one table per variant, at the largest size.

    Parameters
    ----------
    safety : DataFrame
        The run's safety file.
    resolved : mapping
        The resolved scenario.
    labels : mapping
        Words for arms, as `design.labels_of` gives them.
    """
    called = event_labels(resolved)
    tables = []
    for setting, part in _by_variant(safety, labels):
        largest = records_of(part[part["n"] == part["n"].max()])
        arms = list(dict.fromkeys(str(row["arm"]) for row in largest))
        rows = []
        for event in dict.fromkeys(str(row["event"]) for row in largest):
            own = [row for row in largest if row["event"] == event]
            rows.append(
                SafetyRow(
                    called.get(event, event),
                    tuple(_measure(row, "share_of_patients", 100.0, 1) for row in own),
                    tuple(_measure(row, "mean_events", 1.0, 2) for row in own),
                    tuple(f"{_measure(row, 'rate', 100.0, 1)} {_unit(row)}" for row in own),
                )
            )
        tables.append(
            SafetyTable(setting, int(part["n"].max()), tuple(labels.get(arm, arm) for arm in arms), tuple(rows))
        )
    return tables


def stopping_tables(stopping: pd.DataFrame, labels: Mapping[str, str]) -> list[StoppingTable]:
    """Return how often trials are stopped and what that costs, one table per variant.

    Parameters
    ----------
    stopping : DataFrame
        The run's file on stopping.
    labels : mapping
        Words for estimands, as `design.labels_of` gives them.
    """
    tables = []
    for setting, part in _by_variant(stopping, labels):
        asked = list(dict.fromkeys(zip(part["estimand"], part["method"], strict=True)))
        first = [row for row in records_of(part) if (row["estimand"], row["method"]) == asked[0]]
        rows = [
            ("Looks before the end", tuple(str(int(row["looks"])) for row in first)),
            ("Trials stopped, %", tuple(_measure(row, "share_stopped", 100.0, 1) for row in first)),
            ("Patients when stopped", tuple(_measure(row, "mean_n_at_stop", 1.0, 1) for row in first)),
            ("Patients on average, stopped or not", tuple(_measure(row, "expected_n", 1.0, 1) for row in first)),
        ]
        for estimand, method in asked:
            own = part[(part["estimand"] == estimand) & (part["method"] == method)]
            name = f"{estimand_label(str(estimand), labels)}, {method_words(str(method))}"
            for column, words in (("power", "as if none were stopped"), ("power_with_stops", "with stops")):
                cells = tuple(_measure(row, column, 100.0, 1) for row in records_of(own))
                rows.append((f"Power, %: {name}, {words}", cells))
        tables.append(StoppingTable(setting, tuple(int(row["n"]) for row in first), tuple(rows)))
    return tables


def stopping_words(resolved: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return the stopping rules of a scenario in words, each once: several where they are varied.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    labels : mapping
        Words for arms, as `design.labels_of` gives them.
    """
    found = [_rule(variant, labels) for variant in variants_of(resolved) if _has_rule(variant)]
    return list(dict.fromkeys(found))


def event_labels(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for everything that is watched, by name."""
    return {
        str(one["name"]): str(one["label"])
        for variant in reversed(variants_of(resolved))
        if variant.get("safety")
        for one in variant["safety"]["watched"]
    }


def _has_rule(variant: Mapping[str, Any]) -> bool:
    return bool(variant.get("safety") and variant["safety"].get("stopping_rule"))


def _rule(variant: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    rule = variant["safety"]["stopping_rule"]
    watched = variant["safety"]["watched"][rule["watched"]]
    active, control = (labels.get(variant["arms"][a], variant["arms"][a]) for a in (rule["active"], rule["control"]))
    looks = [str(look) for look in rule["looks"]]
    shown = looks if len(looks) <= 6 else [*looks[:4], "…", looks[-1]]
    exposure = "infusions given" if watched["per_infusion"] else "days followed"
    return (
        f"After {', '.join(shown) if '…' in shown else joined(shown)} patients have completed, {watched['label']} "
        f"under {active} and under {control} are compared (conditional test of two Poisson rates, by {exposure}). "
        f"The trial stops for an excess under {active} with a one-sided p of at most {percent(float(rule['alpha']))}."
    )


def _by_variant(frame: pd.DataFrame, labels: Mapping[str, str]) -> list[tuple[str, pd.DataFrame]]:
    """Return what is varied, in words, and the rows, for each variant, sizes rising."""
    paths = varied_paths(frame)
    found = []
    for _, part in frame.groupby("variant", sort=False):
        ordered = part.sort_values("n", kind="stable")
        first = records_of(ordered.head(1))[0]
        found.append((setting_words({path: first[path] for path in paths}, labels=labels), ordered))
    return found


def _unit(row: Mapping[str, Any]) -> str:
    return f"per 100 {row['exposure_unit']}"


def _measure(row: Mapping[str, Any], name: str, times: float, decimals: int) -> str:
    """Return a measure and its Monte Carlo standard error, a dash where there is none."""
    value, error = (times * float(row[key]) if row[key] is not None else math.nan for key in (name, f"{name}_mcse"))
    return "–" if math.isnan(value) else f"{fixed(value, decimals)} ± {fixed(error, decimals)}"
