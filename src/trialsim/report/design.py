"""The trial in words, from the resolved scenario as it stands in a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from trialsim.report.questions import (
    across_estimands,
    across_variants,
    difference_words,
    estimand_in,
    first_variant,
    kind_words,
    variable_words,
    variants_of,
)
from trialsim.report.summary import records_of, varied_paths
from trialsim.report.words import joined, number, path_words, percent, value_words
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH

_MOST_SHOWN = 4
"""How many forms of one thing that is varied are written out."""

DAYS_PER_YEAR = 365.25


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
        ("Infusions", _infusion_words),
        ("Allocation", lambda variant: _allocation_words(variant["allocation"])),
        ("Patients", population_words),
        ("Visits after baseline", lambda variant: f"days {joined([number(day) for day in variant['visits_days']])}"),
        ("Outcomes", _outcomes_words),
        ("Counted events", _counts_words),
        ("Groups of patients", _clusters_words),
        ("Leaving the trial", _dropout_words),
        ("Running the trial", _operations_words),
        ("Missed visits", _missed_words),
    ]
    facts = [(term, either([text for text in across_variants(resolved, words) if text])) for term, words in told]
    facts = [(term, text) for term, text in facts if text]
    facts.insert(
        _at(facts, "Patients") + 1,
        ("Patients randomised", ", ".join(str(size) for size in sorted(summary["n"].unique()))),
    )
    facts.append(("Simulated trials per cell", f"{int(summary['replicates'].max()):,}"))
    for path in paths:
        rows = records_of(summary[[path]])
        values = list(dict.fromkeys(value_words(path, row[path], labels=labels) for row in rows))
        nested = any("," in value for value in values)
        facts.append((f"Varied: {path_words(path, labels=labels)}", ("; " if nested else ", ").join(values)))
    return facts


def _at(facts: Sequence[tuple[str, str]], term: str) -> int:
    return [name for name, _ in facts].index(term)


def _infusion_words(variant: Mapping[str, Any]) -> str:
    """Return on which days infusions are given, by arm where arms differ."""
    by_arm = dict(zip(variant["arm_labels"], variant["infusion_days"], strict=True))
    told = {arm: f"days {joined([number(day) for day in days])}" if days else "none" for arm, days in by_arm.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{arm}: {words}" for arm, words in told.items())


def either(texts: Sequence[str]) -> str:
    """Return the only text, or all that the variants have."""
    return "; or ".join(texts) if len(texts) <= _MOST_SHOWN else f"{texts[0]}; varied, in {len(texts)} ways"


def dropout_models(resolved: Mapping[str, Any]) -> list[str | None]:
    """Return how patients leave, each way once: `mcar`, `mar`, `mnar`, `delta`, or None for complete data."""
    dropouts = [variant["dropout"] for variant in variants_of(resolved)]
    return list(dict.fromkeys(None if one is None else "delta" if _deltas(one) else one["model"] for one in dropouts))


_MECHANISMS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "guesses of the arm (with what they make patients expect)": lambda variant: variant.get("unblinding"),
    "raters who differ": lambda variant: variant.get("raters"),
    "groups of patients (such as sites)": lambda variant: variant.get("clusters"),
    "events after randomisation (such as rescue treatment)": lambda variant: variant.get("events"),
    "effects that differ from patient to patient": lambda variant: variant.get("heterogeneity"),
}


def left_out(resolved: Mapping[str, Any]) -> list[str]:
    """Return, in words, mechanisms of the patient model that no variant of a scenario has."""
    variants = variants_of(resolved)
    return [words for words, has in _MECHANISMS.items() if not any(has(variant) for variant in variants)]


def _deltas(part: Mapping[str, Any]) -> list[list[float]]:
    """Return points added to unseen scores, by arm and outcome; nothing where they differ from no others."""
    found = part.get("delta") or []
    return found if any(points for by_outcome in found for points in by_outcome) else []


def _estimand_labels(resolved: Mapping[str, Any]) -> dict[str, str]:
    """Return the words for each estimand; what is tested, arms and then the name where they would not tell it apart."""
    names = [str(estimand["name"]) for estimand in first_variant(resolved)["estimands"]]
    words = [_estimand_label(resolved, name) for name in names]
    kinds = [joined(across_estimands(resolved, name, kind_words), word="or") for name in names]
    arms = [difference_words(resolved, name) for name in names]
    for more in (kinds, arms, names):
        words = [
            f"{word}, {own}" if own and words.count(word) > 1 else word for word, own in zip(words, more, strict=True)
        ]
    return {f"estimands.{name}": word for name, word in zip(names, words, strict=True)}


def _estimand_label(resolved: Mapping[str, Any], name: str) -> str:
    """Return the estimand's own label; its outcome and day where there is none, or where it is varied with them."""
    own = across_variants(resolved, lambda variant: str(estimand_in(variant, name)["label"]))
    if len(own) == 1 and own[0] and own[0] != name:
        return own[0]
    words = variable_words(resolved, name)
    return words[:1].upper() + words[1:]


def _allocation_words(allocation: Mapping[str, Any]) -> str:
    ratio = " : ".join(str(part) for part in allocation["ratio"])
    if allocation["method"] == "complete":
        method = "each patient drawn independently"
    else:
        method = f"permuted blocks of {joined([str(size) for size in allocation['block_sizes']], word='or')}"
    return f"{ratio}, {method}{', within each stratum' if allocation['stratified'] else ''}"


def population_words(variant: Mapping[str, Any]) -> str:
    """Return who is randomised: the strata with their shares."""
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


def _counts_words(variant: Mapping[str, Any]) -> str:
    return "; ".join(_count_words(variant, count) for count in variant.get("counts") or ())


def _count_words(variant: Mapping[str, Any], count: Mapping[str, Any]) -> str:
    """Return the mean events a year by arm, those of all strata where they differ."""
    rates = []
    for label, by_stratum in zip(variant["arm_labels"], count["rate_per_day"], strict=True):
        yearly = list(dict.fromkeys(number(DAYS_PER_YEAR * rate, digits=4) for rate in by_stratum))
        rates.append(f"{label} {joined(yearly, word='or') if len(yearly) > 1 else yearly[0]}")
    spread = "Poisson" if not count["dispersion"] else f"dispersion {number(float(count['dispersion']))}"
    direction = "fewer" if count["lower_is_better"] else "more"
    return f"{count['label']}: {joined(rates)} events a year, {spread} ({direction} is better)"


def _clusters_words(variant: Mapping[str, Any]) -> str:
    return "; ".join(_cluster_words(variant, cluster) for cluster in variant.get("clusters") or ())


def _cluster_words(variant: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    labels = [variant["arm_labels"][arm] for arm in cluster["arms"]]
    where = "all arms" if len(labels) == len(variant["arm_labels"]) else joined(labels)
    size = _group_size_words(cluster)
    if cluster.get("made_by"):
        planned = f"of up to {cluster['size']} patients" if cluster["size"] else size
        size = f"{planned}, as they come about when the trial is run"
    icc = list(dict.fromkeys(number(float(value)) for value in cluster["icc"]))
    grows = ", growing with the therapy" if any(float(share) != 1.0 for share in cluster["growth"]) else ""
    return f"{cluster['label']} in {where}, {size}, intraclass correlation {joined(icc, word='or')}{grows}"


def _group_size_words(cluster: Mapping[str, Any]) -> str:
    if cluster["of"]:
        return f"one for every {cluster['groups_each']} groups ({cluster['of'].replace('_', ' ')})"
    if not cluster["size"]:
        return f"{cluster['number']} in all"
    if cluster["rolling"]:
        return f"{cluster['number']} groups side by side in an arm, {cluster['size']} members at a time, rolling entry"
    if cluster["largest"] > cluster["size"]:
        return f"{cluster['size']} to {cluster['largest']} patients each"
    return f"{cluster['size']} patients each"


def _operations_words(variant: Mapping[str, Any]) -> str:
    running = variant.get("operations")
    if running is None:
        return ""
    sites = len(running["sites"])
    until = number(float(running["recruitment"]["horizon_days"]) / DAYS_PER_MONTH)
    return f"{sites} site{'s' if sites > 1 else ''}; recruitment ends in month {until} at the latest"


def _step_words(step: float) -> str:
    """Return a step as a number, or as a fraction where that is what it is: the mean of 23 items moves by 1/23."""
    parts = round(1.0 / step)
    return f"1/{parts}" if parts > 1 and abs(parts * step - 1.0) < 1e-9 else number(step)


def _dropout_words(variant: Mapping[str, Any]) -> str:
    dropout = variant["dropout"]
    if dropout is None:
        return "Nobody leaves: complete data"
    return _leaving_words(variant, dropout) + _delta_words(variant, dropout, "who left")


def _missed_words(variant: Mapping[str, Any]) -> str:
    missed = variant.get("intermittent")
    if missed is None:
        return ""
    shares = [
        f"{percent(float(share))} on day {number(float(day))}"
        for day, share in zip(variant["visits_days"], missed["share"], strict=True)
        if share
    ]
    text = f"Of those still there {joined(shares)}" if shares else "None"
    return f"{text}; {_by_score(variant, missed, 'missed')}{_delta_words(variant, missed, 'missed visits')}"


def _delta_words(variant: Mapping[str, Any], part: Mapping[str, Any], of: str) -> str:
    """Return by how much unseen scores differ from those of like patients who are seen; nothing where they do not."""
    told = []
    for k, label in enumerate(variant["outcome_labels"]):
        points = [float(by_outcome[k]) for by_outcome in _deltas(part)]
        if len(set(points)) == 1 and points[0]:
            told.append(f"{label} {number(points[0], signed=True)}")
        elif any(points):
            arms = [
                f"{number(value, signed=True)} under {arm}"
                for arm, value in zip(variant["arm_labels"], points, strict=True)
                if value
            ]
            told.append(f"{label} {joined(arms)}")
    if not told:
        return ""
    return (
        f"; scores of {of} differ from those of like patients by, in points, {'; '.join(told)} (not at random, delta)"
    )


def _by_score(variant: Mapping[str, Any], part: Mapping[str, Any], unseen: str) -> str:
    if part["model"] == "mcar":
        return "completely at random"
    outcome = variant["outcome_labels"][part["outcome"]]
    ratio = number(float(part["score_hazard_ratio_per_sd"]))
    if part["model"] == "mnar":
        return f"not at random, by the {outcome} score {unseen} (hazard ratio {ratio} per SD worse)"
    return f"at random given the last {outcome} score (hazard ratio {ratio} per SD worse)"


def _leaving_words(variant: Mapping[str, Any], dropout: Mapping[str, Any]) -> str:
    shares = [
        f"{percent(float(share))} by day {number(float(day))}"
        for day, share in zip(dropout["days"], dropout["missing"], strict=True)
    ]
    text = f"Missing {joined(shares)}"
    if dropout["never_starts"]:
        text += f", of whom {percent(float(dropout['never_starts']))} of the randomised never start"
    return f"{text}; {_by_score(variant, dropout, 'to come')}"
