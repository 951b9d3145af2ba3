"""A trial's questions in words: who is compared, on which variable, and what is tested, from the resolved scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialsim.report.benefit import Sides
from trialsim.report.measures import margin_words
from trialsim.report.words import joined, number, percent
from trialsim.scenario.known_events import RESPONSE
from trialsim.scenario.resolved import Criterion, Endpoint, Estimand
from trialsim.scenario.resolved import Hypothesis as Tested

_PEOPLE = {"response": "responders", "remission": "remitters", "relapse": "patients with a relapse"}


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


def across_estimands(
    resolved: Mapping[str, Any], name: str, words: Callable[[Mapping[str, Any], Mapping[str, Any]], str]
) -> list[str]:
    """Return what `words` says of an estimand in each variant, each text once, in order."""
    return across_variants(resolved, lambda variant: words(variant, estimand_in(variant, name)))


def estimand_in(variant: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the estimand of a variant by its name."""
    found: Mapping[str, Any] = next(item for item in variant["estimands"] if item["name"] == name)
    return found


def not_at_risk_words(resolved: Mapping[str, Any], name: str) -> str:
    """Return who cannot have the event of a time-to-event estimand and counts as free of it; empty where all can.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    name : str
        Of the estimand.
    """

    def words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
        endpoint = estimand["endpoint"]
        asked = (endpoint.get("criterion") or {}).get("event") if endpoint["kind"] == "time" else None
        event = next((one for one in variant.get("events", ()) if one["name"] == asked), None)
        if event is None or not event["only_after"]:
            return ""
        before = "never respond" if event["only_after"] == RESPONSE else f"never have {event['only_after']}"
        return f"Patients who {before} cannot have {event['label']} and count as free of it to the end."

    return joined([told for told in across_estimands(resolved, name, words) if told], word="or")


def endpoint_of(estimand: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint of a resolved estimand as the engine has it."""
    values = dict(estimand["endpoint"])
    if values.get("criterion") is not None:
        values["criterion"] = Criterion(**values["criterion"])
    return Endpoint(**values)


def asked_in(estimand: Mapping[str, Any]) -> Estimand:
    """Return what a resolved estimand asks, as the engine has it, without its analyses."""
    hypothesis = estimand.get("hypothesis") or {}
    strata = estimand.get("interaction")
    return Estimand(
        name=str(estimand["name"]),
        label=str(estimand["name"]),
        outcome=int(estimand["outcome"]),
        visit=int(estimand["visit"]),
        active=int(estimand["active"]),
        control=int(estimand["control"]),
        true_value=None,
        analyses=(),
        endpoint=endpoint_of(estimand),
        hypothesis=Tested(**hypothesis),
        interaction=None if strata is None else (int(strata[0]), int(strata[1])),
        arm_weights=tuple(estimand.get("arm_weights") or ()),
    )


def sides_of(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> tuple[str, str]:
    """Return the words for the two sides of a contrast: an arm, or the mean of several."""
    labels = [str(label) for label in variant["arm_labels"]]
    weights = estimand.get("arm_weights") or ()
    if not weights:
        return labels[estimand["active"]], labels[estimand["control"]]
    return _side(labels, weights, 1.0), _side(labels, weights, -1.0)


def _side(labels: Sequence[str], weights: Sequence[float], sign: float) -> str:
    """Return the arms of one side with their weights, which are left out where it is the mean of its arms."""
    members = [(label, sign * weight) for label, weight in zip(labels, weights, strict=True) if sign * weight > 0]
    if len(members) == 1 and abs(members[0][1] - 1.0) < 1e-9:
        return members[0][0]
    if all(abs(weight - 1.0 / len(members)) < 1e-9 for _, weight in members):
        return f"the mean of {joined([label for label, _ in members])}"
    told = [label if abs(weight - 1.0) < 1e-9 else f"{number(weight)} × {label}" for label, weight in members]
    return f"({' + '.join(told)})"


def contrast_words(resolved: Mapping[str, Any], name: str) -> str:
    """Return `ketamine against midazolam`, or all contrasts where they are varied."""
    return joined(across_estimands(resolved, name, lambda *about: " against ".join(sides_of(*about))), word="or")


def difference_words(resolved: Mapping[str, Any], name: str) -> str:
    """Return `ketamine − midazolam`, or all contrasts where they are varied."""
    return joined(across_estimands(resolved, name, lambda *about: " − ".join(sides_of(*about))), word="or")


def strata_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words for the two strata of an interaction; nothing without one."""
    return tuple(str(variant["strata_labels"][stratum]) for stratum in estimand.get("interaction") or ())


def event_words(estimand: Mapping[str, Any]) -> str:
    """Return what a binary endpoint or a time is about, such as `response`, or what is counted; empty for a score."""
    return endpoint_of(estimand).name.removeprefix("time to ") if estimand["endpoint"]["kind"] != "score" else ""


def people_words(event: str) -> str:
    """Return those who have an event: `responders`, `patients with a score of 10 or less`."""
    if event in _PEOPLE:
        return _PEOPLE[event]
    article = "an" if event[:1] in "aeiou" else "a"
    return f"patients with {article} {event}"


def sides_in_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> Sides:
    """Return who is compared on what, for words of benefit."""
    active, control = sides_of(variant, estimand)
    event = event_words(estimand)
    if estimand["endpoint"]["kind"] == "count":
        event = outcome_label(variant, estimand)
    return Sides(active, control, event, people_words(event), strata_words(variant, estimand))


def outcome_label(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return the words for the outcome, or the count, of an estimand."""
    if estimand["endpoint"]["kind"] == "count":
        return str(variant["counts"][estimand["outcome"]]["label"])
    return str(variant["outcome_labels"][estimand["outcome"]])


def day_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return the number of an estimand's day."""
    return number(variant["visits_days"][estimand["visit"]])


def variable_words(resolved: Mapping[str, Any], name: str) -> str:
    """Return `QIDS-SR16 at day 14`, `response on QIDS-SR16 at day 14`; outcomes and days joined where varied."""
    subjects = across_estimands(resolved, name, _subject)
    whens = across_estimands(resolved, name, lambda _, estimand: _when(estimand))
    days = across_estimands(resolved, name, day_words)
    if len(whens) > 1:
        return joined(
            across_estimands(
                resolved, name, lambda *about: f"{_subject(*about)} {_when(about[1])} {day_words(*about)}"
            ),
            word="or",
        )
    return f"{joined(subjects, word='or')} {whens[0]} {joined(days, word='or')}"


def _subject(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    label, kind = outcome_label(variant, estimand), estimand["endpoint"]["kind"]
    return label if kind in ("score", "count") else f"{endpoint_of(estimand).name} on {label}"


def _when(estimand: Mapping[str, Any]) -> str:
    return "up to day" if estimand["endpoint"]["kind"] in ("time", "count") else "at day"


def variable_attribute(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return the variable of an estimand in full: what is measured, when, in which unit or by which criterion."""
    endpoint, label, day = endpoint_of(estimand), outcome_label(variant, estimand), day_words(variant, estimand)
    if endpoint.kind == "count":
        return f"{label}: number of events up to day {day}, by the days followed"
    if endpoint.kind == "score":
        return f"{label} score at day {day}, points"
    rule = criterion_words(endpoint)
    if endpoint.kind == "binary":
        return f"{_capital(endpoint.name)} on {label} at day {day}: {rule}"
    start = "baseline" if endpoint.from_visit < 0 else f"day {number(variant['visits_days'][endpoint.from_visit])}"
    if endpoint.criterion is not None and endpoint.criterion.kind == "event":
        return f"Days from {start} to the first visit, up to day {day}, {rule} ({endpoint.name})"
    return f"Days from {start} to the first visit, up to day {day}, with {label} {rule} ({endpoint.name})"


def criterion_words(endpoint: Endpoint) -> str:
    """Return the criterion of an endpoint in words; nothing for a score or a count."""
    criterion = endpoint.criterion
    if criterion is None:
        return ""
    if criterion.kind == "event":
        return f"on or after {criterion.event.replace('_', ' ')}"
    if criterion.kind in ("at_most", "at_least"):
        return f"at {number(criterion.value)} points or {'below' if criterion.kind == 'at_most' else 'above'}"
    side = "at least" if criterion.kind == "reduction" else "less than"
    return f"improved by {side} {percent(criterion.value)} of the baseline score"


def strategy_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return what leaving the trial and other events do to the variable (ICH E9 R1)."""
    endpoint = endpoint_of(estimand)
    told = {"hypothetical": _hypothetical, "composite": _composite, "while_on_treatment": _while_on_treatment}
    lines = [] if variant["dropout"] is None else [f"Leaving the trial: {told[endpoint.dropout](endpoint)}"]
    for event in variant.get("events", ()):
        strategy = dict(endpoint.events).get(event["name"])
        if strategy is not None:
            unseen = ", by a score that is not seen (missing not at random)" if event["depends_on"] == "current" else ""
            lines.append(f"{_capital(event['label'])}{unseen}: {_EVENT_STRATEGIES[strategy]}")
    return ". ".join(lines) or "None simulated"


_EVENT_STRATEGIES = {
    "treatment_policy": "treatment-policy strategy, the value with whatever follows",
    "hypothetical": "hypothetical strategy, had it not happened; scores from then on are missing to the analysis",
    "composite": "composite strategy, a failure from then on",
    "while_on_treatment": "while-on-treatment strategy, the last value before it",
    "principal_stratum": "principal stratum, patients who would have it under neither arm (an assumption across "
    "worlds that no trial can check; the analysis takes those observed without it)",
}


def _hypothetical(endpoint: Endpoint) -> str:
    what = {
        "score": "the score had the patient stayed",
        "binary": "whether the criterion had been met had the patient stayed",
        "time": "the time had the patient stayed; the analysis censors it at the last visit seen",
        "count": "the events had the patient stayed; the analysis counts them while the patient is followed",
    }
    return f"hypothetical strategy, {what[endpoint.kind]}"


def _composite(endpoint: Endpoint) -> str:
    if endpoint.kind == "score":
        worst = "" if endpoint.worst is None else f" ({number(endpoint.worst)})"
        score = "the baseline score" if endpoint.failure == "baseline" else f"the worst score of the scale{worst}"
        return f"composite strategy, leaving is a failure and takes {score}"
    favourable = endpoint.criterion is not None and endpoint.criterion.favourable
    if endpoint.kind == "binary":
        return f"composite strategy, who leaves counts as {'not ' if favourable else ''}meeting the criterion"
    when = "does not have it up to the last day" if favourable else "has it at the first visit missed"
    return f"composite strategy, who leaves without the event {when}"


def _while_on_treatment(endpoint: Endpoint) -> str:
    what = "the last score" if endpoint.kind == "score" else "whether the last score met the criterion"
    return f"while-on-treatment strategy, {what} before leaving (the baseline for who never starts)"


def tested_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return what is tested: a difference, or a margin, overall or between two strata."""
    active, control = sides_of(variant, estimand)
    hypothesis = estimand.get("hypothesis") or {"kind": "superiority", "margin": None}
    first, second = strata_words(variant, estimand) or (active, control)
    of_effect = f"the effect of {active} against {control}"
    if hypothesis["kind"] == "superiority":
        if estimand.get("interaction"):
            counted = "two-sided; power counts findings on the side of the truth"
            return f"Interaction: whether {of_effect} differs between {first} and {second} ({counted})"
        return f"Superiority: whether {active} and {control} differ (two-sided)"
    measures = dict.fromkeys(str(analysis.get("measure", "difference")) for analysis in estimand["analyses"])
    margin = joined([margin_words(float(hypothesis["margin"]), measure) for measure in measures], word="or")
    subject = f"{of_effect} in {first}" if estimand.get("interaction") else first
    other = f"that in {second}" if estimand.get("interaction") else second
    if hypothesis["kind"] == "non_inferiority":
        return f"Non-inferiority: that {subject} is worse than {other} by less than {margin} (one-sided)"
    return f"Equivalence: that {subject} differs from {other} by less than {margin} either way (two one-sided tests)"


def kind_words(variant: Mapping[str, Any], estimand: Mapping[str, Any]) -> str:
    """Return what tells an estimand from others of its variable: interaction, margin, strategy; nothing if usual."""
    parts = []
    if strata := strata_words(variant, estimand):
        parts.append(f"{strata[0]} against {strata[1]}")
    if (test := (estimand.get("hypothesis") or {}).get("kind", "superiority")) != "superiority":
        parts.append(str(test).replace("_", "-"))
    if (strategy := estimand["endpoint"].get("dropout", "hypothetical")) != "hypothetical":
        parts.append(str(strategy).replace("_", " "))
    return ", ".join(parts)


def measure_words(variant: Mapping[str, Any], estimand: Mapping[str, Any], measure: str) -> str:
    """Return the summary measure: what is compared between the arms, and how."""
    sides = sides_of(variant, estimand)
    contrast, ratio = " − ".join(sides), f"{' to '.join(sides)}, as its natural logarithm"
    event, day = event_words(estimand), day_words(variant, estimand)
    text = {
        "difference": f"Difference of mean scores, {contrast}",
        "superiority": f"Probability that a patient on {sides[0]} has a higher score than one on {sides[1]} (ties "
        "count half), less one half",
        "risk_difference": f"Difference of risks ({event}), {contrast}, in percentage points",
        "log_odds_ratio": f"Odds ratio ({event}), {ratio}",
        "log_hazard_ratio": f"Hazard ratio ({event}), {ratio}",
        "event_free_difference": f"Difference of the shares without {event} by day {day}, {contrast}, in percentage "
        "points",
        "restricted_mean_difference": f"Difference of the mean days without {event}, up to day {day}, {contrast}",
        "log_rate_ratio": f"Ratio of the rates of {outcome_label(variant, estimand)}, {ratio}",
    }[measure]
    if strata := strata_words(variant, estimand):
        return f"{text}; in {strata[0]} minus that in {strata[1]}"
    exact = measure == "difference" and estimand["endpoint"].get("dropout", "hypothetical") == "hypothetical"
    return f"{text}, averaged over strata by their shares" if exact else text


def question_words(resolved: Mapping[str, Any], name: str, *, null: bool) -> str:
    """Return the question of a simulation in a sentence.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario.
    name : str
        Of the primary estimand.
    null : bool
        Whether there is nothing to find in any cell.
    """
    trial = f"How often would a randomised trial of {contrast_words(resolved, name)}"
    variable = variable_words(resolved, name)
    tests = across_estimands(resolved, name, lambda _, one: (one.get("hypothesis") or {}).get("kind", "superiority"))
    strata = [words for words in across_estimands(resolved, name, lambda *a: " and ".join(strata_words(*a))) if words]
    test = tests[0].replace("_", "-") if len(tests) == 1 else "superiority"
    where = f" between {joined(strata, word='or')}" if strata else ""
    if test != "superiority":
        if null:
            return f"{trial} claim {test} in {variable}{where} where the margin is reached?"
        return f"{trial} show {test} in {variable}{where}, and how many patients does it need?"
    if null:
        claim = f"find that the effect on {variable} differs{where}" if where else f"find a difference in {variable}"
        return f"{trial} {claim} where {'it does not' if where else 'there is none'}?"
    goal = f"find that the effect on {variable} differs{where}" if where else f"find the effect on {variable}"
    return f"{trial} {goal}, and how many patients does it need?"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
