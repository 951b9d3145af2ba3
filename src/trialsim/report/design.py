"""The trial and its questions in words, from the resolved scenario as it stands in a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.report.benefit import benefit_words
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import fixed, joined, number, path_words, percent, value_words

_LONGITUDINAL = ("mmrm", "clda")
_DF_WORDS = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger (first derivatives)",
    "kenward-roger-mmrm": "Kenward-Roger (second derivatives in the parameters of R's mmrm)",
}
_METHODS = {
    "mmrm": "mixed model for repeated measures (MMRM), fitted by REML",
    "clda": "constrained longitudinal data analysis (baseline and later scores as responses), fitted by REML",
    "ancova": "analysis of covariance (ANCOVA) of the score at the visit",
    "t_test": "Student's t test of the score at the visit",
    "welch": "Welch's t test of the score at the visit",
    "reference_based": "ANCOVA of the score at the visit after conditional-mean imputation, jackknife standard errors",
}


@dataclass(frozen=True, slots=True)
class EstimandWords:
    """The five attributes of an estimand (ICH E9 R1), its analyses and its true values, in words."""

    name: str
    label: str
    treatment: str
    population: str
    variable: str
    events: str
    measure: str
    analyses: tuple[str, ...]
    truths: tuple[tuple[str, str, str], ...]


def first_variant(resolved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first variant of a resolved scenario; what is not varied is the same in all."""
    variant: Mapping[str, Any] = resolved["variants"][0]
    return variant


def labels_of(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for all identifiers of a resolved scenario: arms, strata, outcomes and estimands.

    An estimand may have the name of a stratum or outcome, so estimands stand under `estimands.<name>`.
    """
    variant = first_variant(resolved)
    labels = _estimand_labels(variant)
    for names, words in (("strata", "strata_labels"), ("outcomes", "outcome_labels"), ("arms", "arm_labels")):
        labels.update(zip(variant[names], variant[words], strict=True))
    return labels


def design_facts(resolved: Mapping[str, Any], summary: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the design as terms and their descriptions, in reading order."""
    variant = first_variant(resolved)
    paths = varied_paths(summary)
    labels = labels_of(resolved)
    facts = [
        ("Arms", joined(list(variant["arm_labels"]))),
        ("Allocation", _allocation_words(variant["allocation"])),
        ("Patients", _population_words(variant)),
        ("Patients randomised", ", ".join(str(size) for size in sorted(summary["n"].unique()))),
        ("Visits after baseline", f"days {joined([number(day) for day in variant['visits_days']])}"),
        ("Outcomes", "; ".join(_outcome_words(variant, k) for k in range(len(variant["outcomes"])))),
        ("Leaving the trial", _dropout_words(variant)),
        ("Simulated trials per cell", f"{int(summary['replicates'].max()):,}"),
    ]
    for path in paths:
        values = list(dict.fromkeys(value_words(path, row[path]) for row in records_of(summary[[path]])))
        facts.append((f"Varied: {path_words(path, labels=labels)}", ", ".join(values)))
    return facts


def estimand_words(resolved: Mapping[str, Any], summary: pd.DataFrame) -> list[EstimandWords]:
    """Return each estimand's attributes, analyses and true values in words."""
    variant = first_variant(resolved)
    found = []
    for estimand in variant["estimands"]:
        active, control = (variant["arm_labels"][estimand[side]] for side in ("active", "control"))
        day = number(variant["visits_days"][estimand["visit"]])
        outcome = variant["outcome_labels"][estimand["outcome"]]
        found.append(EstimandWords(
            name=estimand["name"],
            label=labels_of(resolved)[f"estimands.{estimand['name']}"],
            treatment=f"{active} against {control}, as randomised",
            population=f"All randomised patients: {_population_words(variant)}",
            variable=f"{outcome} score at day {day}, points",
            events=_event_words(variant),
            measure=f"Difference of mean scores, {active} − {control}, averaged over strata by their shares",
            analyses=tuple(analysis_words(analysis) for analysis in estimand["analyses"]),
            truths=_truths(variant, estimand, summary, labels_of(resolved), (active, control)),
        ))  # fmt: skip
    return found


def analysis_words(analysis: Mapping[str, Any]) -> str:
    """Return one analysis in words."""
    method = str(analysis["method"])
    parts = [_METHODS.get(method, method)]
    if method in _LONGITUDINAL:
        parts.append(f"{analysis['covariance'].replace('_', ' ')} covariance over visits")
    if analysis.get("strategy", "none") != "none":
        parts.append(f"those who left: {analysis['strategy'].replace('_', ' ')}")
    if analysis.get("variance", "constant") != "constant":
        parts.append(f"robust standard errors ({analysis['variance'].upper()})")
    df = str(analysis["df"])
    parts.append("normal limits" if df == "normal" else f"{_DF_WORDS.get(df, df)} degrees of freedom")
    covariates = [str(covariate) for covariate in analysis["covariates"]]
    if covariates:
        crossed = ", each crossed with visit" if method in _LONGITUDINAL else ""
        parts.append(f"adjusted for {joined(covariates)}{crossed}")
    parts.append(f"two-sided alpha {percent(float(analysis['alpha']))}")
    if method in _LONGITUDINAL:
        parts.append(
            "simpler covariance structures tried in turn where a fit does not converge"
            if analysis["fallback"] == "default"
            else "no other covariance tried where a fit does not converge"
        )
    return "; ".join(parts)


def dropout_model(resolved: Mapping[str, Any]) -> str | None:
    """Return `mcar`, `mar`, or None for complete data."""
    dropout = first_variant(resolved)["dropout"]
    return None if dropout is None else str(dropout["model"])


def _estimand_labels(variant: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for each estimand, with arms and then the name where they would not tell them apart."""
    estimands = variant["estimands"]
    words = [_estimand_label(variant, estimand) for estimand in estimands]
    arms = [f"{variant['arm_labels'][e['active']]} − {variant['arm_labels'][e['control']]}" for e in estimands]
    for more in (arms, [str(estimand["name"]) for estimand in estimands]):
        words = [f"{word}, {own}" if words.count(word) > 1 else word for word, own in zip(words, more, strict=True)]
    return {f"estimands.{estimand['name']}": word for word, estimand in zip(words, estimands, strict=True)}


def _estimand_label(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return the estimand's own label, or its outcome and day where the label is but its name."""
    if estimand["label"] and estimand["label"] != estimand["name"]:
        return str(estimand["label"])
    day = number(variant["visits_days"][estimand["visit"]])
    return f"{variant['outcome_labels'][estimand['outcome']]} at day {day}"


def _allocation_words(allocation: Mapping[str, Any]) -> str:
    ratio = " : ".join(str(part) for part in allocation["ratio"])
    if allocation["method"] == "complete":
        method = "each patient drawn independently"
    else:
        method = f"permuted blocks of {joined([str(size) for size in allocation['block_sizes']], word='or')}"
    return f"{ratio}, {method}{', within each stratum' if allocation['stratified'] else ''}"


def _population_words(variant: Mapping[str, Any]) -> str:
    shares = [
        f"{percent(float(share))} {label}"
        for label, share in zip(variant["strata_labels"], variant["strata_share"], strict=True)
    ]
    if len(shares) == 1:
        return str(variant["strata_labels"][0])
    how = "in exact proportions" if variant["strata_by"] == "quota" else "each patient drawn"
    return f"{joined(shares)}, {how}"


def _outcome_words(variant: Mapping[str, Any], k: int) -> str:
    scale, label = variant["scales"][k], variant["outcome_labels"][k]
    direction = "lower is better" if variant["lower_is_better"][k] else "higher is better"
    if scale is None:
        return f"{label} (continuous, {direction})"
    low, high = (number(float(scale[key])) for key in ("minimum", "maximum"))
    return f"{label} ({low} to {high} in steps of {_step_words(float(scale['step']))}, {direction})"


def _step_words(step: float) -> str:
    """Return a step as a number, or as a fraction where that is what it is: the mean of 23 items moves by 1/23."""
    parts = round(1.0 / step)
    return f"1/{parts}" if parts > 1 and abs(parts * step - 1.0) < 1e-9 else number(step)


def _dropout_words(variant: Mapping[str, Any]) -> str:
    dropout = variant["dropout"]
    if dropout is None:
        return "Nobody leaves: complete data"
    shares = [
        f"{percent(float(share))} by day {number(float(day))}"
        for day, share in zip(dropout["days"], dropout["missing"], strict=True)
    ]
    text = f"Missing {joined(shares)}"
    if dropout["never_starts"]:
        text += f", of whom {percent(float(dropout['never_starts']))} of the randomised never start"
    if dropout["model"] == "mcar":
        return f"{text}; completely at random"
    outcome = variant["outcome_labels"][dropout["outcome"]]
    ratio = number(float(dropout["score_hazard_ratio_per_sd"]))
    return f"{text}; at random given the last {outcome} score (hazard ratio {ratio} per SD worse)"


def _event_words(variant: Mapping[str, Any]) -> str:
    if variant["dropout"] is None:
        return "None simulated"
    return "Leaving the trial: hypothetical strategy, the score had the patient stayed"


def _truths(
    variant: Mapping[str, Any],
    estimand: Mapping[str, Any],
    summary: pd.DataFrame,
    labels: Mapping[str, str],
    arms: Sequence[str],
) -> tuple[tuple[str, str, str], ...]:
    """Return setting, true difference and who does better, one line per variant."""
    paths = varied_paths(summary)
    lower = bool(variant["lower_is_better"][estimand["outcome"]])
    rows = records_of(summary[summary["estimand"] == estimand["name"]].drop_duplicates("variant"))
    return tuple(
        (
            setting_words({path: row[path] for path in paths}, labels=labels),
            fixed(float(row["true_value"]), 2, signed=True),
            benefit_words(float(row["true_value"]), active=arms[0], control=arms[1], lower_is_better=lower),
        )
        for row in rows
    )
