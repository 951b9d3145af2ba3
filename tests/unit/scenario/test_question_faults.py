"""What cannot be asked or answered is told at its place: endpoints, margins, interactions, methods, families."""

from __future__ import annotations

import pytest

PRIMARY = "contrast: [ketamine, midazolam]}"
ANALYSIS = "  primary: {method: mmrm}"


def asked(words: str, analysis: str = "{}") -> tuple[tuple[str, str], ...]:
    """Return the changes that add words to the primary estimand and replace its analysis."""
    return ((PRIMARY, PRIMARY.replace("}", f", {words}}}")), (ANALYSIS, f"  primary: {analysis}"))


CASES = {
    "method of another endpoint": (
        asked("endpoint: response", "{method: mmrm}"),
        "analysis.primary.method: mmrm analyses a score, and the endpoint is a response (yes or no): use "
        "risk_difference, fisher, cmh, logistic and g_computation",
    ),
    "two criteria": (
        asked("endpoint: {at_most: 5, reduction: 0.5}"),
        "estimands.primary.endpoint: exactly one of reduction, lost_reduction, at_most and at_least is needed",
    ),
    "a clock that starts too late": (
        asked("endpoint: {time_to: relapse, from: 14}"),
        "estimands.primary.endpoint.from: the clock must start before the last day followed, 14",
    ),
    "a clock that starts at no visit": (
        asked("endpoint: {time_to: relapse, from: 5}"),
        "estimands.primary.endpoint.from: there is no visit on day 5",
    ),
    "an endpoint that is none": (asked("endpoint: respons"), "endpoint: must be 'score', 'response' or 'remission'"),
    "a share above one": (asked("endpoint: {reduction: 1.5}"), "endpoint.reduction: must be at most 1, not 1.5"),
    "a criterion with a wrong key": (asked("endpoint: {reductoin: 0.5}"), "reductoin: unknown key"),
    "a strategy for times": (
        asked("endpoint: {time_to: response}, intercurrent_events: {dropout: while_on_treatment}"),
        "intercurrent_events.dropout: a time to an event takes hypothetical (who leaves is censored) or composite",
    ),
    "a failure score without failures": (
        asked("failure_score: worst", "{method: ancova}"),
        "failure_score: goes with a score as the endpoint and intercurrent_events: {dropout: composite}",
    ),
    "two margins": (
        asked("non_inferiority_margin: 1, equivalence_margin: 2", "{method: ancova}"),
        "equivalence_margin: one test has one margin",
    ),
    "a margin below zero": (
        asked("non_inferiority_margin: -1", "{method: ancova}"),
        "non_inferiority_margin: must be above 0, not -1",
    ),
    "a margin without a standard error": (
        asked("non_inferiority_margin: 1", "{method: wilcoxon}"),
        "analysis.primary.method: wilcoxon tests for a difference only, not against a margin",
    ),
    "an interaction with no stratum": (
        asked("interaction: [bpd, bdp]", "{method: ancova}"),
        "interaction.1: there is no stratum 'bdp'; did you mean 'bpd'?",
    ),
    "an interaction with itself": (
        asked("interaction: [bpd, bpd]", "{method: ancova}"),
        "interaction: two different strata are needed",
    ),
    "an interaction of ranks": (
        asked("interaction: [bpd, no_bpd]", "{method: wilcoxon}"),
        "analysis.primary.method: wilcoxon cannot test an interaction: use mmrm",
    ),
    "imputation of failures": (
        asked("intercurrent_events: {dropout: composite}", "{method: reference_based}"),
        "there is nothing to impute where leaving is a failure",
    ),
    "groups that are not described": (
        asked("label: x", "{method: nested}"),
        "a nested analysis needs groups of patients",
    ),
    "a setting of another method": (
        asked("label: x", "{method: ancova, penalty: always}"),
        "analysis.primary.penalty: goes with logistic and g_computation; ancova has none",
    ),
    "an adjustment that is none": (
        asked("endpoint: response", "{method: risk_difference, covariates: [baseline]}"),
        "covariates.0: risk_difference does not adjust for baseline; use g_computation, or leave it out",
    ),
    "strata twice in a Cox model": (
        asked("endpoint: {time_to: response}", "{method: cox, covariates: [stratum]}"),
        "a stratified Cox model has no effect of stratum",
    ),
    "a margin of more than every patient": (
        asked("endpoint: response, non_inferiority_margin: 10"),
        "primary.non_inferiority_margin: a difference of risks is below 1: give the margin as a share, not 10",
    ),
    "a family of one": (
        (("simulation:", "multiplicity: {method: holm}\nsimulation:"),),
        "multiplicity: one hypothesis alone needs no procedure",
    ),
}

SECOND = ("analysis:", "  second: {outcome: madrs, visit: 14, contrast: [ketamine, midazolam]}\nanalysis:")
FAMILIES = {
    "an unknown hypothesis": ("{method: holm, hypotheses: [primary, scond]}", "there is no estimand 'scond'"),
    "an unknown analysis": (
        "{method: holm, hypotheses: [primary.mmrm, second.ancova]}",
        "'second' has no analysis 'ancova'; it has mmrm",
    ),
    "listed twice": ("{method: holm, hypotheses: [primary, primary]}", "'primary' is listed twice"),
    "weights of a procedure without": ("{method: hommel, weights: [0.5, 0.5]}", "hommel has none"),
    "too few weights": ("{method: holm, weights: [1]}", "one weight for two hypotheses"),
    "weights above one": ("{method: holm, weights: [0.8, 0.8]}", "must add to at most 1, not 1.6"),
    "a graph without arrows": ("{method: graph}", "a graph needs transitions"),
    "an arrow to itself": (
        "{method: graph, transitions: [[0.5, 0.5], [1, 0]]}",
        "transitions.0.0: nothing goes from a hypothesis to itself",
    ),
    "a row above one": ("{method: graph, transitions: [[0, 1], [1, 0.5]]}", "a row adds to at most 1, not 1.5"),
    "arrows without a graph": ("{method: holm, transitions: [[0, 1], [1, 0]]}", "goes with graph; holm has none"),
    "Dunnett over outcomes": ("{method: dunnett}", "dunnett compares several arms with one control, on one outcome"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_asked_is_told_with_place_and_remedy(faults, name):
    changes, expected = CASES[name]
    told = faults(*changes)
    assert any(expected in line for line in told), told


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_that_cannot_be_is_told(faults, name):
    procedure, expected = FAMILIES[name]
    told = faults(SECOND, ("simulation:", f"multiplicity: {procedure}\nsimulation:"))
    assert any(expected in line for line in told), told


def test_a_cluster_needs_one_way_to_say_its_size_and_known_arms(faults):
    told = faults(("simulation:", "clusters:\n  group: {arms: [ketamin], icc: 0.05}\nsimulation:"))
    assert any("clusters.group: give either size (patients in a group) or number (of groups)" in line for line in told)
    assert any("clusters.group.arms.0: there is no arm 'ketamin'; did you mean 'ketamine'?" in line for line in told)


def test_counts_alone_are_no_scenario(faults):
    told = faults(
        ("outcomes:\n  qids_sr16: {}\n  madrs: {}\n", ""),
        ("outcome: qids_sr16", "outcome: acts"),
        ("effects:\n  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}\n", ""),
        ("simulation:", "counts: {acts: {rate_per_year: 2}}\nsimulation:"),
        (ANALYSIS, "  primary: {method: negative_binomial}"),
    )
    assert any("only counts are asked for: list at least one score under outcomes" in line for line in told), told
