"""Estimands, tests, analyses and statements in words, for every kind of endpoint, strategy, measure and test."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trials import BOUNDED, resolve
from trialsim.report.analyses import analysis_words
from trialsim.report.answers import answers
from trialsim.report.characteristics import characteristics_tables
from trialsim.report.design import design_facts, labels_of
from trialsim.report.estimands import EstimandWords, estimand_words
from trialsim.report.figures.accuracy import accuracy_data, draw_accuracy
from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data
from trialsim.report.html import render_report
from trialsim.report.protocol import limitations, sample_size_statement, takes_scores_as_normal
from trialsim.report.questions import question_words, sides_of
from trialsim.report.summary import Hypothesis, hypotheses
from trialsim.report.table import power_table
from trialsim.scenario.methods import METHODS
from unit.report.conftest import CONTRAST, ON_QIDS, summary_of


@pytest.fixture(scope="module")
def told(every_kind: dict[str, Any]) -> dict[str, EstimandWords]:
    return {item.name: item for item in estimand_words(every_kind, summary_of(every_kind))}


@pytest.mark.parametrize(
    ("name", "variable", "events"),
    [
        ("primary", "QIDS-SR16 score at day 14, points", "hypothetical strategy, the score had the patient stayed"),
        (
            "responded",
            "Response on QIDS-SR16 at day 14: improved by at least 50 % of the baseline score",
            "composite strategy, who leaves counts as not meeting the criterion",
        ),
        ("severe", "Score of 30 or more on MADRS at day 14: at 30 points or above", "had the patient stayed"),
        (
            "relapse",
            "Days from day 14 to the first visit, up to day 84, with QIDS-SR16 improved by less than 50 % of the "
            "baseline score (time to relapse)",
            "censors it at the last visit seen",
        ),
        ("quick", "Days from baseline to the first visit, up to day 84", "hypothetical strategy"),
        ("acts_all", "Acts of self-harm: number of events up to day 84", "while the patient is followed"),
        ("last", "QIDS-SR16 score at day 14, points", "while-on-treatment strategy, the last score before leaving"),
        ("failed", "QIDS-SR16 score at day 14, points", "takes the worst score of the scale (27)"),
    ],
)
def test_variable_and_strategy(told: dict[str, EstimandWords], name: str, variable: str, events: str) -> None:
    assert variable in told[name].variable.replace("\u00a0", " ")
    assert events in told[name].events


@pytest.mark.parametrize(
    ("name", "tested"),
    [
        ("primary", "Superiority: whether ketamine and midazolam differ (two-sided)"),
        ("not_worse", "Non-inferiority: that ketamine is worse than midazolam by less than 1.5 points (one-sided)"),
        (
            "same",
            "Equivalence: that ketamine differs from midazolam by less than 30 percentage points or 0.30 on the log "
            "scale (a factor of 1.35) either way (two one-sided tests)",
        ),
        ("modifier", "Interaction: whether the effect of ketamine against midazolam differs between bpd and no bpd"),
    ],
)
def test_what_is_tested(told: dict[str, EstimandWords], name: str, tested: str) -> None:
    assert told[name].tested.startswith(tested)


def test_each_measure_has_its_own_truth(told: dict[str, EstimandWords]) -> None:
    primary = told["primary"]
    assert [truth.value for truth in primary.truths] == ["−2.02", "−0.098 ± 0.0005"]
    assert "MMRM, nested mixed model and reference-based imputation" in primary.truths[0].measure
    assert primary.exact
    assert primary.simulated
    assert len(primary.measures) == 2
    risk, odds = told["responded"].truths
    assert risk.value == "+11.3 ± 0.08"
    assert "11.3 more responders per 100; number needed to treat 9" in risk.words
    assert "risk difference and Fisher" in risk.measure
    assert odds.value == "+0.63 ± 0.003 (ratio 1.88)"
    assert not told["responded"].exact
    assert told["acts_all"].truths[0].words.endswith("rate ratio of Acts of self-harm 0.60")
    assert told["not_worse"].truths[0].words.endswith("short of the margin of 1.5 points")
    assert told["modifier"].truths[0].words.startswith("the effect of ketamine against midazolam is more favourable")


def test_labels_tell_estimands_of_one_variable_apart(every_kind: dict[str, Any]) -> None:
    labels = labels_of(every_kind)
    names = [item["name"] for item in every_kind["variants"][0]["estimands"]]
    words = [labels[f"estimands.{name}"] for name in names]
    assert len(set(words)) == len(words)
    assert labels["estimands.not_worse"] == "QIDS-SR16 at day 14, non-inferiority"
    assert labels["estimands.modifier"] == "QIDS-SR16 at day 14, bpd against no bpd"
    assert labels["estimands.last"] == "QIDS-SR16 at day 14, while on treatment"


def test_counts_and_groups_are_part_of_the_design(every_kind: dict[str, Any]) -> None:
    facts = dict(design_facts(every_kind, summary_of(every_kind)))
    assert facts["Counted events"] == (
        "Acts of self-harm: midazolam 6 and ketamine 3.6 events a year, Poisson (fewer is better)"
    )
    assert "therapy group in ketamine, 8 patients each, intraclass correlation 0.05" in facts["Groups of patients"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_told(method: str) -> None:
    about = METHODS[method]
    analysis = {
        "method": method, "df": about.df, "covariates": list(about.covariates), "alpha": 0.05, "fallback": "none",
        "covariance": "unstructured", "covariance_by": "arm", "strategy": "copy_reference", "delta": 2.0,
        "imputations": 25 if method == "multiple_imputation" else 0, "penalty": "none", "interval": "none",
    }  # fmt: skip
    words = analysis_words(analysis).replace("\u00a0", " ")
    assert "two-sided alpha 5 %" in words
    assert method == "cox" or "_" not in words
    assert ("copy reference" in words) == ("strategy" in about.settings)
    assert ("+2 points" in words) == ("delta" in about.settings)
    assert ("each arm its own" in words) == ("covariance_by" in about.settings)
    assert ("25 imputations" in words) == (method == "multiple_imputation")


def test_settings_of_an_analysis_are_told() -> None:
    base = {"df": "normal", "covariates": [], "alpha": 0.1, "fallback": "none"}
    risk = {**base, "method": "risk_difference", "interval": "newcombe"}
    margin = {"hypothesis": {"kind": "equivalence", "margin": 0.1}}
    words = analysis_words(risk, margin).replace("\u00a0", " ")
    assert "Newcombe's interval" in words
    assert "one-sided level 5 % (90 % interval within the margins)" in words
    strata = analysis_words(risk, {"interaction": [0, 1]})
    assert "in each of the two strata, and the difference of both" in strata
    logistic = {**base, "method": "logistic", "penalty": "always"}
    assert "with the product of arm and stratum" in analysis_words(logistic, {"interaction": [0, 1]})
    assert "Firth's penalty" in analysis_words(logistic)
    nested = {
        **base,
        "method": "nested",
        "df": "kenward-roger",
        "group": "therapy_group",
        "residual_variance": "by_arm",
    }
    assert "groups: therapy group; residual variance of each arm its own" in analysis_words(nested)
    jackknife = {**base, "method": "reference_based", "strategy": "jump_to_reference", "jackknife": "one_step"}
    assert "one step without each patient" in analysis_words(jackknife)
    assert "stratified by stratum" in analysis_words({**base, "method": "log_rank", "stratified": True})


@pytest.mark.parametrize(
    ("name", "null", "said"),
    [
        ("primary", False, "find the effect on QIDS-SR16 at day 14, and how many"),
        ("responded", False, "find the effect on response on QIDS-SR16 at day 14, and how many"),
        ("relapse", True, "find a difference in time to relapse on QIDS-SR16 up to day 84 where there is none?"),
        ("not_worse", False, "show non-inferiority in QIDS-SR16 at day 14, and how many"),
        ("not_worse", True, "claim non-inferiority in QIDS-SR16 at day 14 where the margin is reached?"),
        ("same", False, "show equivalence in response on QIDS-SR16 at day 14, and"),
        ("modifier", False, "find that the effect on QIDS-SR16 at day 14 differs between bpd and no bpd, and"),
        (
            "modifier",
            True,
            "find that the effect on QIDS-SR16 at day 14 differs between bpd and no bpd where it does not?",
        ),
    ],
)
def test_questions(every_kind: dict[str, Any], name: str, null: bool, said: str) -> None:
    assert said in question_words(every_kind, name, null=null)


def _statement(resolved: dict[str, Any], truths: dict[str, float], asked: Hypothesis) -> str:
    summary = summary_of(resolved, truths)
    table = power_table(summary, hypothesis=asked)
    return sample_size_statement(resolved, summary, answers(table), asked).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("asked", "truth", "said"),
    [
        (("primary", "mmrm"), -4.0, "to detect a true difference of −4.00 points in QIDS-SR16 at day 14"),
        (
            ("responded", "risk_difference"), 0.4,
            "to detect a true difference of risks of +40.0 percentage points in response on QIDS-SR16 at day 14 "
            "(ketamine − midazolam; empirical standard error of the estimate 1",
        ),
        (("responded", "logistic"), 2.0, "to detect a true log odds ratio of +2.00 (odds ratio 7.39) in response on"),
        (("relapse", "cox"), -2.0, "a true log hazard ratio of −2.00 (hazard ratio 0.14) in time to relapse on QIDS"),
        (("primary", "wilcoxon"), -0.3, "one half of −0.300 (probability of a higher score 20.0 %) in QIDS-SR16"),
        (
            ("not_worse", "mmrm"), -3.0,
            "to show that ketamine is not inferior to midazolam by 1.5 points or more, with a true difference of −3.00 "
            "points",
        ),
        (
            ("same", "risk_difference"), 0.0,
            "to show that ketamine and midazolam differ by less than 30 percentage points, with a true difference of "
            "risks of 0.0 percentage points",
        ),
        (
            ("modifier", "mmrm"), -4.0,
            "in QIDS-SR16 at day 14 (effect of ketamine against midazolam in bpd − that in no bpd; empirical",
        ),
    ],
)  # fmt: skip
def test_statements(every_kind: dict[str, Any], asked: tuple[str, str], truth: float, said: str) -> None:
    hypothesis = Hypothesis(*asked)
    statement = _statement(every_kind, {asked[0]: truth}, hypothesis)
    assert said in statement
    assert ("one-sided level 2.5 %" in statement) == (asked[0] in ("not_worse", "same"))


def test_false_claims_against_a_margin_are_held_against_half_of_alpha(every_kind: dict[str, Any]) -> None:
    summary = summary_of(every_kind, {"not_worse": 1.5, "same.risk_difference": 0.5})
    table = power_table(summary, hypothesis=Hypothesis("not_worse", "mmrm"))
    assert table.null
    assert {cell.level for row in table.rows for cell in row.cells if cell} == {0.025}
    (answer,) = answers(table)
    text = answer.text.replace("\u00a0", " ")
    assert text.startswith("The true value reaches the margin:")
    assert "trials claim non-inferiority all the same (type I error, to be at most 2.5 %)." in text
    # Far beyond the margin there are fewer false claims than the level, and that is no fault.
    beyond = answers(power_table(summary, hypothesis=Hypothesis("same", "risk_difference")))[0].text
    assert "% of trials claim equivalence all the same" in beyond
    assert "intervals" not in beyond
    figure = draw_power_curves(power_curve_data(summary, chosen=[Hypothesis("not_worse", "mmrm")]))
    assert any(text.get_text() == "α/2 = 2.5\u00a0%" for text in figure.axes[0].texts)


def test_power_against_a_margin_is_named(every_kind: dict[str, Any]) -> None:
    summary = summary_of(every_kind)
    table = power_table(summary, hypothesis=Hypothesis("not_worse", "mmrm"))
    assert table.measure == "Power to show non-inferiority, %"
    assert table.caption.startswith("Power to show non-inferiority in %")
    assert "power to show non-inferiority" in answers(table)[0].text
    figure = draw_power_curves(power_curve_data(summary, chosen=[Hypothesis("same", "risk_difference")]))
    assert figure.axes[0].get_ylabel() == "Power to show equivalence, %"


def test_headings_and_decimals_go_with_the_measure(every_kind: dict[str, Any]) -> None:
    tables = {item.hypothesis: item for item in characteristics_tables(summary_of(every_kind))}
    risk = tables[Hypothesis("responded", "risk_difference")]
    assert "True difference, percentage points" in risk.header
    assert "Bias, percentage points" in risk.header
    assert risk.rows[0][1] == "+11.3 ± 0.08"
    cox = tables[Hypothesis("relapse", "cox")]
    assert "True log hazard ratio" in cox.header
    assert re.fullmatch(r"−0\.510? ± 0\.00\d+ \(ratio 0\.60\)", cox.rows[0][1])
    assert "True difference, days" in tables[Hypothesis("relapse", "rmst")].header
    assert "True probability of a higher score, less ½" in tables[Hypothesis("primary", "wilcoxon")].header
    fisher = tables[Hypothesis("responded", "fisher")]
    assert not {"Model SE", "Coverage, %"} & set(fisher.header)
    assert "Makes the claim, %" in tables[Hypothesis("not_worse", "mmrm")].header
    for item in tables.values():
        assert all(len(row) == len(item.header) for row in item.rows)


def test_accuracy_is_drawn_in_the_unit_of_the_measure(every_kind: dict[str, Any]) -> None:
    summary = summary_of(every_kind)
    frame = accuracy_data(summary, hypothesis=Hypothesis("responded", "risk_difference"))
    figure = draw_accuracy(frame)
    assert figure.axes[0].get_xlabel() == "Mean estimate − truth, percentage points"
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert drawn == pytest.approx(100 * frame["bias"])
    without = draw_accuracy(accuracy_data(summary, hypothesis=Hypothesis("responded", "fisher")))
    assert "This analysis has no interval" in [text.get_text() for text in without.axes[1].texts]


def test_the_page_of_every_kind_speaks_of_all(every_kind: dict[str, Any]) -> None:
    page = render_report(every_kind, every_kind["provenance"], summary_of(every_kind), {}, {})
    text = re.sub(r"\s+", " ", page.replace("\u00a0", " "))
    for said in (
        "number needed to treat 9", "(ratio 0.60)", "Power to show non-inferiority", "two one-sided tests",
        "Against a margin p is twice the one-sided p", "no adjustment for several tests is made",
        "found by the analysis itself in large trials", "Ratio of the rates of Acts of self-harm",
    ):  # fmt: skip
        assert said in text, said
    assert 'id="together"' not in page
    assert page == render_report(every_kind, every_kind["provenance"], summary_of(every_kind), {}, {})


def test_sides_of_a_contrast_of_several_arms() -> None:
    variant = {"arm_labels": ["A", "B", "C", "D"]}
    pair = {"active": 1, "control": 0}
    assert sides_of(variant, pair) == ("B", "A")
    assert sides_of(variant, {**pair, "arm_weights": [-0.5, 0.5, 0.5, -0.5]}) == (
        "the mean of B and C",
        "the mean of A and D",
    )
    assert sides_of(variant, {**pair, "arm_weights": [1, -1, -1, 1]}) == ("(A + D)", "(B + C)")


def test_what_is_only_ranked_or_counted_is_not_taken_as_normal() -> None:
    changes = {"estimands": {"primary": {**ON_QIDS, "endpoint": "response"}}, "analysis": None}
    response = resolve(BOUNDED, changes).to_dict()
    assert not takes_scores_as_normal(response["variants"][0])
    summary = summary_of(response)
    points = limitations(summary, [], dropout=["mar"], bounded=False)
    assert any("No cell has a true difference of 0" in point for point in points)
    margin = {"primary": {**ON_QIDS, "contrast": CONTRAST, "non_inferiority_margin": 1.0}}
    tested = resolve(BOUNDED, {"estimands": margin}).to_dict()
    assert takes_scores_as_normal(tested["variants"][0])
    told = limitations(summary_of(tested), [], dropout=["mar"], bounded=True)
    assert any("No cell has a true value on the margin" in point for point in told)


def test_every_hypothesis_has_a_question_of_its_own(every_kind: dict[str, Any]) -> None:
    asked = hypotheses(summary_of(every_kind))
    assert len(asked) == sum(len(item["analyses"]) for item in every_kind["variants"][0]["estimands"])
