"""Estimands, their endpoints and analyses, as they are resolved."""

from __future__ import annotations

import pytest

from trialsim.scenario.methods import METHODS, benefit_sign, power_sign
from trialsim.scenario.resolved import Criterion, Endpoint, Hypothesis

PRIMARY = "contrast: [ketamine, midazolam]}"
ANALYSIS = "  primary: {method: mmrm}"


def ask(resolved, words, analysis="{}", **more):
    """Return the primary estimand with words added and its analysis replaced."""
    changes = ((PRIMARY, PRIMARY.replace("}", f", {words}}}")), (ANALYSIS, f"  primary: {analysis}"))
    return resolved(*changes, **more).variants[0].estimands[0]


@pytest.mark.parametrize(
    ("words", "criterion", "name"),
    [
        ("response", Criterion("reduction", 0.5, True), "response"),
        ("remission", Criterion("at_most", 5.0, True), "remission"),
        ("{reduction: 0.25}", Criterion("reduction", 0.25, True), "improvement by at least 25 %"),
        ("{at_most: 10}", Criterion("at_most", 10.0, True), "score of 10 or less"),
        ("{at_least: 16}", Criterion("at_least", 16.0, False), "score of 16 or more"),
        ("{lost_reduction: 0.25}", Criterion("lost_reduction", 0.25, False), "improvement by less than 25 %"),
    ],
)
def test_a_response_is_a_criterion_in_numbers(resolved, words, criterion, name):
    endpoint = ask(resolved, f"endpoint: {words}").endpoint
    assert (endpoint.kind, endpoint.criterion, endpoint.name) == ("binary", criterion, name)


def test_a_time_to_relapse_starts_at_its_visit(resolved):
    endpoint = ask(resolved, "endpoint: {time_to: relapse, from: 7}").endpoint
    assert (endpoint.kind, endpoint.from_visit) == ("time", 1)
    assert endpoint.criterion == Criterion("lost_reduction", 0.5, False)


@pytest.mark.parametrize(
    ("words", "method", "measure"),
    [
        ("label: x", "mmrm", "difference"),
        ("endpoint: response", "risk_difference", "risk_difference"),
        ("endpoint: {time_to: response}", "cox", "log_hazard_ratio"),
    ],
)
def test_each_kind_of_endpoint_has_its_usual_method(resolved, words, method, measure):
    analysis = ask(resolved, words).analyses[0]
    assert (analysis.method, analysis.name, analysis.measure) == (method, method, measure)


def test_only_means_of_scores_have_a_true_value_that_needs_no_simulation(resolved):
    assert ask(resolved, "label: x").true_value == pytest.approx(-2.0)
    assert ask(resolved, "endpoint: response").true_value is None
    assert ask(resolved, "intercurrent_events: {dropout: composite}").true_value is None


def test_an_interaction_is_the_difference_between_strata(resolved):
    effect = ("effects", {"ketamine": {"points": {"qids_sr16": {"bpd": -3.0, "no_bpd": -1.0}, "madrs": 0.0}}})
    estimand = ask(resolved, "interaction: [bpd, no_bpd]", settings=dict([effect]))
    assert estimand.interaction == (0, 1)
    assert estimand.true_value == pytest.approx(-2.0)


def test_margins_say_what_is_tested(resolved):
    assert ask(resolved, "non_inferiority_margin: 1.5").hypothesis == Hypothesis("non_inferiority", 1.5)
    assert ask(resolved, "equivalence_margin: 2").hypothesis == Hypothesis("equivalence", 2.0)
    assert ask(resolved, "label: x").hypothesis == Hypothesis()


def test_what_is_worst_is_the_end_of_the_scale(resolved):
    estimand = ask(resolved, "intercurrent_events: {dropout: composite}, failure_score: worst", "{method: ancova}")
    assert (estimand.endpoint.dropout, estimand.endpoint.failure, estimand.endpoint.worst) == (
        "composite",
        "worst",
        27.0,
    )


@pytest.mark.parametrize(
    ("endpoint", "measure", "sign"),
    [
        (Endpoint(lower_is_better=True), "difference", -1),
        (Endpoint(lower_is_better=False), "superiority", 1),
        (Endpoint("binary", criterion=Criterion("reduction", 0.5, True)), "risk_difference", 1),
        (Endpoint("binary", criterion=Criterion("at_least", 16, False)), "log_odds_ratio", -1),
        (Endpoint("time", criterion=Criterion("reduction", 0.5, True)), "log_hazard_ratio", 1),
        (Endpoint("time", criterion=Criterion("lost_reduction", 0.5, False)), "log_hazard_ratio", -1),
        (Endpoint("time", criterion=Criterion("lost_reduction", 0.5, False)), "event_free_difference", 1),
        (Endpoint("time", criterion=Criterion("reduction", 0.5, True)), "restricted_mean_difference", -1),
        (Endpoint("count", lower_is_better=True), "log_rate_ratio", -1),
    ],
)
def test_the_side_of_benefit_follows_from_endpoint_and_measure(endpoint, measure, sign):
    assert benefit_sign(endpoint, measure) == sign


def test_an_interaction_counts_as_found_on_the_side_of_the_truth(resolved):
    estimand = ask(resolved, "interaction: [bpd, no_bpd]")
    assert [power_sign(estimand, "difference", value) for value in (1.5, -1.5, 0.0)] == [1, -1, 0]
    assert power_sign(ask(resolved, "label: x"), "difference", 1.5) == -1
    assert power_sign(ask(resolved, "non_inferiority_margin: 1"), "difference", -1.5) == 0


def test_settings_are_the_usual_ones_where_nothing_is_said(resolved):
    nested = (("simulation:", "clusters: {group: {arms: [ketamine], size: 8, icc: 0.05}}\nsimulation:"),)
    variant = resolved(*nested, (ANALYSIS, "  primary: {method: nested}")).variants[0]
    analysis = variant.estimands[0].analyses[0]
    assert (analysis.group, analysis.residual_variance, analysis.df) == ("group", "by_arm", "kenward-roger")
    imputed = ask(resolved, "label: x", "{method: multiple_imputation, delta: 2}").analyses[0]
    assert (imputed.strategy, imputed.delta, imputed.imputations) == ("jump_to_reference", 2.0, 25)


def test_a_family_takes_first_analyses_and_equal_weights_by_default(resolved):
    changes = (
        ("analysis:", "  second: {outcome: madrs, visit: 14, contrast: [ketamine, midazolam]}\nanalysis:"),
        ("simulation:", "multiplicity: {method: holm}\nsimulation:"),
    )
    plan = resolved(*changes).variants[0].multiplicity
    assert (plan.method, plan.hypotheses, plan.weights, plan.alpha) == ("holm", ((0, 0), (1, 0)), (0.5, 0.5), 0.05)


def test_every_method_of_the_schema_is_described_once():
    from typing import get_args

    from trialsim.scenario.schema.analyses import Method

    assert set(get_args(Method)) == set(METHODS)
