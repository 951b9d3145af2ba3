"""The trial and its questions in words, from the resolved scenario as it stands in a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from trialsim.report.benefit import benefit_words
from trialsim.report.summary import records_of, setting_words, varied_paths
from trialsim.report.words import fixed, joined, number, path_words, percent, value_words

_LONGITUDINAL = ("mmrm", "clda")
_MOST_SHOWN = 4
"""How many forms of one thing that is varied are written out."""

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


def variants_of(resolved: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the variants of a resolved scenario, in the order of their indices."""
    variants: Sequence[Mapping[str, Any]] = resolved["variants"]
    return variants


def first_variant(resolved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first variant of a resolved scenario; what is not varied is the same in all."""
    return variants_of(resolved)[0]


def across_variants(resolved: Mapping[str, Any], words: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """Return what `words` says of each variant, each text once, in order: one text unless it is varied."""
    return list(dict.fromkeys(words(variant) for variant in variants_of(resolved)))


def estimand_in(variant: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the estimand of a variant by its name."""
    found: Mapping[str, Any] = next(item for item in variant["estimands"] if item["name"] == name)
    return found


def variable_words(resolved: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Return an estimand's outcome and the number of its day; several, joined with `or`, where they are varied."""
    outcomes = across_variants(resolved, lambda variant: _outcome_label(variant, estimand_in(variant, name)))
    days = across_variants(resolved, lambda variant: _day(variant, estimand_in(variant, name)))
    return joined(outcomes, word="or"), joined(days, word="or")


def contrast_words(resolved: Mapping[str, Any], name: str) -> str:
    """Return `ketamine against midazolam`, or all contrasts where they are varied."""
    return joined(
        across_variants(resolved, lambda variant: " against ".join(_sides(variant, estimand_in(variant, name)))),
        word="or",
    )


def _difference_words(resolved: Mapping[str, Any], name: str) -> str:
    differences = across_variants(resolved, lambda variant: " − ".join(_sides(variant, estimand_in(variant, name))))
    return joined(differences, word="or")


def labels_of(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for all identifiers of a resolved scenario: arms, strata, outcomes and estimands.

    An estimand may have the name of a stratum or outcome, so estimands stand under `estimands.<name>`.
    """
    labels = _estimand_labels(resolved)
    for variant in reversed(variants_of(resolved)):
        for names, words in (("strata", "strata_labels"), ("outcomes", "outcome_labels"), ("arms", "arm_labels")):
            labels.update(zip(variant[names], variant[words], strict=True))
    return labels


def design_facts(resolved: Mapping[str, Any], summary: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the design as terms and their descriptions, in reading order."""
    paths = varied_paths(summary)
    labels = labels_of(resolved)
    told: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("Arms", lambda variant: joined(list(variant["arm_labels"]))),
        ("Allocation", lambda variant: _allocation_words(variant["allocation"])),
        ("Patients", _population_words),
        ("Visits after baseline", lambda variant: f"days {joined([number(day) for day in variant['visits_days']])}"),
        ("Outcomes", _outcomes_words),
        ("Leaving the trial", _dropout_words),
    ]
    facts = [(term, _either(across_variants(resolved, words))) for term, words in told]
    facts.insert(3, ("Patients randomised", ", ".join(str(size) for size in sorted(summary["n"].unique()))))
    facts.append(("Simulated trials per cell", f"{int(summary['replicates'].max()):,}"))
    for path in paths:
        rows = records_of(summary[[path]])
        values = list(dict.fromkeys(value_words(path, row[path], labels=labels) for row in rows))
        nested = any("," in value for value in values)
        facts.append((f"Varied: {path_words(path, labels=labels)}", ("; " if nested else ", ").join(values)))
    return facts


def _either(texts: Sequence[str]) -> str:
    """Return the only text, or all that the variants have."""
    return "; or ".join(texts) if len(texts) <= _MOST_SHOWN else f"{texts[0]}; varied, in {len(texts)} ways"


def estimand_words(resolved: Mapping[str, Any], summary: pd.DataFrame) -> list[EstimandWords]:
    """Return each estimand's attributes, analyses and true values in words; all of them where they are varied."""
    labels = labels_of(resolved)
    found = []
    for estimand in first_variant(resolved)["estimands"]:
        name = estimand["name"]
        outcome, day = variable_words(resolved, name)
        difference = _difference_words(resolved, name)
        found.append(EstimandWords(
            name=name,
            label=labels[f"estimands.{name}"],
            treatment=f"{contrast_words(resolved, name)}, as randomised",
            population=f"All randomised patients: {_either(across_variants(resolved, _population_words))}",
            variable=f"{outcome} score at day {day}, points",
            events=_either(across_variants(resolved, _event_words)),
            measure=f"Difference of mean scores, {difference}, averaged over strata by their shares",
            analyses=_analyses_words(resolved, name),
            truths=_truths(resolved, name, summary, labels),
        ))  # fmt: skip
    return found


def _analyses_words(resolved: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return an estimand's analyses; where one is varied, every form it takes."""
    texts = []
    for position in range(len(estimand_in(first_variant(resolved), name)["analyses"])):
        forms = list(dict.fromkeys(
            analysis_words(analyses[position])
            for variant in variants_of(resolved)
            if len(analyses := estimand_in(variant, name)["analyses"]) > position
        ))  # fmt: skip
        texts += forms if len(forms) == 1 else [f"one of {len(forms)}, varied: {form}" for form in forms]
    return tuple(texts)


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


def dropout_models(resolved: Mapping[str, Any]) -> list[str | None]:
    """Return how patients leave, each way once: `mcar`, `mar`, or None for complete data."""
    dropouts = [variant["dropout"] for variant in variants_of(resolved)]
    return list(dict.fromkeys(None if dropout is None else str(dropout["model"]) for dropout in dropouts))


def _estimand_labels(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for each estimand, with arms and then the name where they would not tell them apart."""
    names = [str(estimand["name"]) for estimand in first_variant(resolved)["estimands"]]
    words = [_estimand_label(resolved, name) for name in names]
    arms = [_difference_words(resolved, name) for name in names]
    for more in (arms, names):
        words = [f"{word}, {own}" if words.count(word) > 1 else word for word, own in zip(words, more, strict=True)]
    return {f"estimands.{name}": word for name, word in zip(names, words, strict=True)}


def _estimand_label(resolved: Mapping[str, Any], name: str) -> str:
    """Return the estimand's own label; its outcome and day where there is none, or where it is varied with them."""
    own = across_variants(resolved, lambda variant: str(estimand_in(variant, name)["label"]))
    if len(own) == 1 and own[0] and own[0] != name:
        return own[0]
    outcome, day = variable_words(resolved, name)
    return f"{outcome} at day {day}"


def _outcome_label(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    if estimand["endpoint"]["kind"] == "count":
        return str(variant["counts"][estimand["outcome"]]["label"])
    return str(variant["outcome_labels"][estimand["outcome"]])


def _day(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    return number(variant["visits_days"][estimand["visit"]])


def _sides(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> tuple[str, str]:
    active, control = (str(variant["arm_labels"][estimand[side]]) for side in ("active", "control"))
    return active, control


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


def _outcomes_words(variant: Mapping[str, Any]) -> str:
    return "; ".join(_outcome_words(variant, k) for k in range(len(variant["outcomes"])))


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
    resolved: Mapping[str, Any], name: str, summary: pd.DataFrame, labels: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    """Return setting, true difference and who does better, one line per variant."""
    paths = varied_paths(summary)
    lines = []
    for row in records_of(summary[summary["estimand"] == name].drop_duplicates("variant")):
        variant = variants_of(resolved)[row["variant"]]
        estimand = estimand_in(variant, name)
        active, control = _sides(variant, estimand)
        lower = bool(variant["lower_is_better"][estimand["outcome"]])
        true = float(row["true_value"])
        lines.append((
            setting_words({path: row[path] for path in paths}, labels=labels),
            fixed(true, 2, signed=True),
            benefit_words(true, active=active, control=control, lower_is_better=lower),
        ))  # fmt: skip
    return tuple(lines)
