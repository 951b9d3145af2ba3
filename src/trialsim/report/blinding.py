"""How well the arms stayed hidden, and how much of an estimate is expectancy: tables and words of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.report.questions import variants_of
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import estimand_label, fixed, joined, method_words, number, percent

CAPTION = (
    "± is the Monte Carlo standard error. Bang's index is 1 if all of an arm guess right, 0 as by chance and −1 if all "
    "are wrong; James' index of all arms together is 0 if all are right and 0.5 as by chance."
)
EXPECTANCY_CAPTION = (
    "The mean estimate, the effect of the drug alone, and the rest, which is what patients and raters expect (and the "
    "small bias of an analysis, if it has any)."
)
_GUESSES = (
    "Patients guess their arm from the worst dissociation (CADSS) they have felt and from what else tells the arms "
    "apart; who believes in the active drug fares better than who does not."
)
_PERFECT = "Under perfect masking half of every arm believe in the active drug, whatever they felt."


@dataclass(frozen=True, slots=True)
class GuessRow:
    """One arm of one variant, at its largest size.

    Parameters
    ----------
    setting : str
        What is varied, in words; empty on all but the first line of a variant.
    arm : str
    says_active, bang, james : str
        With Monte Carlo standard errors; James' on the first line of a variant only.
    arms : int
        Lines of the variant on its first line, else 0.
    """

    setting: str
    arm: str
    says_active: str
    bang: str
    james: str
    arms: int


@dataclass(frozen=True, slots=True)
class ExpectancyRow:
    """What is expectancy in the estimates of one question that leaves it out."""

    setting: str
    label: str
    estimate: str
    drug: str
    expectancy: str
    share: str


def blinding_of(folder: Path) -> pd.DataFrame | None:
    """Return the summary of guesses from a run folder; None where none are modelled."""
    path = folder / "blinding.parquet"
    return pd.read_parquet(path) if path.exists() else None


def blinding_section(
    blinding: pd.DataFrame | None, summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return what the report's section on blinding says; None where guesses are not modelled.

    Parameters
    ----------
    blinding : DataFrame or None
        Of `blinding_of`.
    summary : DataFrame
        The summary of the run.
    resolved : mapping
        The resolved scenario.
    labels : mapping
        Words for estimands, arms, strata and outcomes.
    """
    if blinding is None:
        return None
    return {
        "words": blinding_words(resolved, labels),
        "caption": CAPTION,
        "guesses": guess_rows(blinding, labels),
        "expectancy": expectancy_rows(summary, resolved, labels),
        "expectancy_caption": EXPECTANCY_CAPTION,
    }


def guess_rows(blinding: pd.DataFrame, labels: Mapping[str, str]) -> list[GuessRow]:
    """Return one line for each variant and arm that guesses, at the variant's largest size."""
    paths = varied_paths(blinding)
    rows = []
    for _, part in blinding.groupby("variant", sort=False):
        records = records_of(part[part["n"] == part["n"].max()])
        for position, record in enumerate(records):
            first = position == 0
            setting = setting_words({path: record[path] for path in paths}, labels=labels) if first else ""
            rows.append(
                GuessRow(
                    setting,
                    labels.get(str(record["arm"]), str(record["arm"])),
                    f"{fixed(100 * record['says_active'], 1)} ± {fixed(100 * record['says_active_mcse'], 1)}",
                    f"{fixed(record['bang'], 3)} ± {fixed(record['bang_mcse'], 3)}",
                    f"{fixed(record['james'], 3)} ± {fixed(record['james_mcse'], 3)}" if first else "",
                    len(records) if first else 0,
                )
            )
    return rows


def expectancy_rows(
    summary: pd.DataFrame, resolved: Mapping[str, Any], labels: Mapping[str, str]
) -> list[ExpectancyRow]:
    """Return one line for each variant and difference of means whose true value leaves expectancy out."""
    excluded = {
        str(estimand["name"])
        for variant in variants_of(resolved)
        for estimand in variant["estimands"]
        if estimand["expectancy"] == "excluded"
    }
    paths = varied_paths(summary)
    chosen = summary[summary["estimand"].isin(excluded) & (summary["measure"] == "difference")]
    largest = chosen.groupby(["variant", "estimand", "method"])["n"].transform("max")
    rows = []
    for record in records_of(chosen[chosen["n"] == largest]):
        mean, drug = float(record["mean_estimate"]), float(record["true_value"])
        share = percent(round(1.0 - drug / mean, 2)) if abs(mean) > abs(drug) and mean * drug >= 0 else "–"
        rows.append(
            ExpectancyRow(
                setting_words({path: record[path] for path in paths}, labels=labels),
                f"{estimand_label(str(record['estimand']), labels)}, {method_words(str(record['method']))}",
                fixed(mean, 2),
                fixed(drug, 2),
                f"{fixed(float(record['bias']), 2)} ± {fixed(float(record['bias_mcse']), 2)}",
                share,
            )
        )
    return rows


def blinding_words(resolved: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return how guesses and expectancy are modelled, in sentences, each once where they are varied."""
    told = [_model_words(variant, labels) for variant in variants_of(resolved) if variant.get("unblinding")]
    return list(dict.fromkeys(sentence for sentences in told for sentence in sentences))


def _model_words(variant: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    model = variant["unblinding"]
    perfect = model["slope"] == 0 and not any(model["intercept"])
    sentences = [_PERFECT if perfect else _GUESSES]
    worth = [
        f"{_points(model['expectancy'], k)} points on {label}"
        for k, label in enumerate(variant["outcome_labels"])
        if any(row[k] for row in model["expectancy"])
    ]
    if worth:
        sentences.append(f"Believing in the active drug rather than in the control is worth {joined(worth)}.")
    rated = [
        f"{_points(model['rater_expectancy'], k)} points on {label}"
        for k, label in enumerate(variant["outcome_labels"])
        if any(row[k] for row in model["rater_expectancy"])
    ]
    if rated:
        sentences.append(
            f"A rater's belief is worth {joined(rated)}; {percent(float(model['follows_patient']))} of raters believe "
            "what their patient believes."
        )
    if model["means_are"] == "with_expectancy":
        sentences.append("The means and effects assumed are those of the trial as it is masked, expectancy included.")
    else:
        sentences.append("The means and effects assumed hold no expectancy: it comes on top of them.")
    return sentences


def _points(table: list[list[float]], k: int) -> str:
    values = dict.fromkeys(number(float(row[k])) for row in table)
    return joined(list(values), word="or")
