"""A comparison in words, tables and figures, from its plain data."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from trialsim.planning.comparison.metrics import METRICS
from trialsim.report.comparison import caption, design_table, design_words, difference_table, value_words
from trialsim.report.comparison_findings import findings
from trialsim.report.comparison_page import comparison_page, design_rows
from trialsim.report.figures.design_forest import design_forest_data, draw_design_forest
from trialsim.report.figures.design_pareto import design_pareto_data, draw_design_pareto
from trialsim.report.figures.design_power import design_power_data, draw_design_power


def design(name, power, n, *, label=None, **others):
    """Return the plain data of a design."""
    metrics = {metric.name: {"value": None, "mcse": 0.0, "reason": "not known"} for metric in METRICS}
    known = {"power": (power, 0.009), "n": (n, 0.0), "control_patients": (n / 2, 0.0), "infusions": (4 * n, 0.0)}
    known |= {"schedule_days": (14.0, 0.0), "bias": (0.01, 0.02), "visits": (5 * n, 0.0)}
    for metric, (value, mcse) in (known | others).items():
        metrics[metric] = {"value": value, "mcse": mcse, "reason": ""}
    return {
        "name": name, "label": label or name, "file": "t.yaml", "folder": f"designs/{name}", "cell": 0, "settings": {},
        "changes": {"sample_size": n}, "arms": ["Control", "Active"], "ratio": [1, 1], "analysis": "mmrm",
        "contrast": "active - control", "outcome": "score", "visit_days": 14.0, "unit": "points", "null": False,
        "true_value": -2.0, "true_value_se": 0.0, "mean_estimate": -1.99, "mean_estimate_mcse": 0.02,
        "power_low": power - 0.02, "power_high": power + 0.02, "usable": 2000, "failed": 0, "metrics": metrics,
        "rank": {"place": 1, "best": 1, "worst": 1}, "feasible": True, "over_budget": "", "on_front": True,
        "beaten_by": [], "apparently_beaten_by": [], "procedure": "", "harm": None, "decided_by": ["primary"],
    }  # fmt: skip


def pair(design_, other, difference, *, mcse=0.006, same=False, reference=True, **others):
    """Return the plain data of a difference."""
    return {
        "design": design_, "other": other, "against_reference": reference, "same_trials": same,
        "power_difference": difference, "power_difference_mcse": mcse, "power_difference_low": difference - 2 * mcse,
        "power_difference_high": difference + 2 * mcse, "level_adjusted": 0.975,
        "power_difference_low_adjusted": difference - 2.3 * mcse,
        "power_difference_high_adjusted": difference + 2.3 * mcse,
        "independent_mcse": 0.012, "mcse_ratio": mcse / 0.012,
        "replicates_saved_factor": (0.012 / mcse) ** 2 if mcse else None,
        "normal_mcse_ratio": None, "bias_difference": 0.0, "bias_difference_mcse": 0.01, **others,
    }  # fmt: skip


@pytest.fixture
def told():
    """Three designs: B finds more with fewer patients, C is not told apart."""
    return {
        "title": "Which?", "question": {"label": "Score at day 14"}, "reference": "a", "metric": "power",
        "front_metrics": ["power", "n"], "target": 0.8, "budget": {}, "replicates": 2000, "seed": 1,
        "designs": [design("a", 0.741, 120), design("b", 0.782, 100), design("c", 0.744, 120)],
        "differences": [pair("b", "a", 0.041), pair("c", "a", 0.003), pair("c", "b", -0.038, reference=False)],
        "notes": ["A note."],
    }  # fmt: skip


def test_a_finding_for_each_design_against_the_reference(told):
    first, second = findings(told)[:2]
    assert first == (
        "b finds the effect 4.1 percentage points more often than a (78.2\u00a0% against 74.1\u00a0%; paired MCSE 0.6; "
        "interval 2.7 to 5.5, adjusted for the number of comparisons), with 20 patients fewer, 10 fewer of them on "
        "control and 80 infusions fewer in all."
    )
    assert second.startswith("c and a cannot be told apart in power")
    assert second.endswith("with the same number of patients.")


def test_the_same_trial_is_said_to_be(told):
    told["differences"][1] = pair("c", "a", 0.0, mcse=0.0, same=True)
    assert "c is the same trial as a: the difference is exactly 0." in findings(told)
    assert "0 exactly" in design_table(told).rows[2]


def test_the_target_reached_and_not(told):
    assert any(
        s.startswith("No design reaches 80\u00a0% power: the highest is b (100 patients") for s in findings(told)
    )
    told["target"] = 0.75
    sentence = next(s for s in findings(told) if s.startswith("75\u00a0% power with the fewest patients: b"))
    assert "reaches below" not in sentence
    told["target"] = 0.78
    assert any("The interval of b reaches below" in s for s in findings(told))


def test_the_front_in_words(told):
    told["designs"][0] |= {"on_front": False, "beaten_by": ["b"]}
    told["designs"][2] |= {"apparently_beaten_by": ["b"]}
    assert (
        "On power and patients randomised together b and c are not beaten; a is beaten by b; c seems beaten by b, but "
        "within Monte Carlo error."
    ) in findings(told)


def test_budgets_in_words(told):
    told["budget"] = {"max_patients": 110.0}
    for row in (told["designs"][0], told["designs"][2]):
        row |= {"feasible": False, "over_budget": "120 patients, more than 110", "rank": None}
    assert findings(told)[0].startswith("Not within the budget of at most 110 patients: a: 120 patients, more than 110")
    told["designs"][1] |= {"feasible": False, "over_budget": "x", "rank": None}
    assert findings(told)[0].startswith("No design keeps to the budget of at most 110 patients, so none is ranked")


def test_expectancy_in_words(told):
    told["designs"][1]["metrics"]["unblinding_bias"] = {"value": -0.7, "mcse": 0.02, "reason": ""}
    assert any("not the drug: b −0.70 ± 0.02 of −1.99 points." in s for s in findings(told))


def test_money_and_months_are_told_where_known(told):
    for row, months in zip(told["designs"], (20.0, 18.5, 20.0), strict=True):
        row["metrics"]["months"] = {"value": months, "mcse": 0.1, "reason": ""}
    assert "1.5 months fewer" in findings(told)[0]
    assert "Months" in design_table(told).header
    assert design_table(told).header[2] == "Difference, percentage points"


def test_what_is_missing_is_told_with_its_reason(told):
    table = design_table(told)
    assert "Cost, USD" not in table.header
    assert any("Cost, US dollars" in note and note.endswith("not known.") for note in table.notes)
    told["designs"][0]["metrics"]["cost_usd"] = {"value": 1_550_000.0, "mcse": 3000.0, "reason": ""}
    table = design_table(told)
    column = table.header.index("Cost, USD")
    assert [row[column] for row in table.rows] == ["1,550,000 ± 3,000", "–", "–"]
    assert any(note.startswith("– ") and "Cost, US dollars" in note and " of b and c" in note for note in table.notes)


@pytest.mark.parametrize(
    ("name", "value", "mcse", "words"),
    [
        ("power", 0.8234, 0.0089, "82.3 ± 0.9"),
        ("n", 1200.0, 0.0, "1,200"),
        ("control_patients", 33.3333, 0.0, "33.3"),
        ("bias", -0.0312, 0.0456, "−0.03 ± 0.05"),
        ("months", 18.46, 0.21, "18.5 ± 0.2"),
        ("cost_usd", None, None, "–"),
    ],
)
def test_values_in_words(name, value, mcse, words):
    assert value_words(name, {"value": value, "mcse": mcse}) == words


def test_labels_that_are_the_same_are_told_apart_by_names(told):
    told["designs"][0]["label"] = told["designs"][1]["label"] = "Trial"
    assert design_words(told) == {"a": "Trial (a)", "b": "Trial (b)", "c": "c"}


def test_tables_and_rows_hold_every_design_and_pair(told):
    assert [row[0] for row in difference_table(told).rows] == ["b − a", "c − a", "c − b"]
    rows = design_rows(told)
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert {metric.name for metric in METRICS} <= set(rows[0])
    assert "2,000 simulated trials" in caption(told)


def test_the_page_escapes_what_users_wrote(told):
    evil = "<script>alert(1)</script>"
    told["designs"][1]["label"] = told["title"] = told["notes"][0] = evil
    told["designs"][1]["changes"] = {"arms": {"x": {"label": evil}}}
    page = comparison_page(told, {}, {"kind": "comparison", "title": evil})
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_intervals_of_designs_that_take_the_same_do_not_cover_each_other(told):
    pareto = design_pareto_data(told)
    for frame, beside in ((pareto.drop_duplicates("value"), False), (pareto.assign(value=[60.0, 60.0, 90.0]), True)):
        figure = draw_design_pareto(frame)
        (axes,) = figure.get_axes()
        at = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1]
        assert len(set(at)) == len(at) == len(frame)
        assert ("stand a little beside each other" in " ".join(figure.get_supxlabel().split())) == beside


def test_figures_show_what_their_data_hold(told):
    forest = design_forest_data(told)
    assert forest["design"].tolist() == ["b", "c"]
    axes = draw_design_forest(forest).get_axes()[0]
    np.testing.assert_allclose(axes.get_lines()[1].get_xdata(), [4.1, 0.3])
    power = design_power_data(told)
    assert draw_design_power(power).get_axes()[0].get_yticklabels()[0].get_text().startswith("a ")
    pareto = design_pareto_data(told)
    assert set(pareto["metric"]) == {"n"}
    assert len(draw_design_pareto(pareto).get_axes()) == 1
    changed = copy.deepcopy(told)
    changed["front_metrics"] = ["power", "n", "control_patients"]
    changed["designs"][0] |= {"on_front": False, "beaten_by": ["b"]}
    pareto = design_pareto_data(changed)
    assert pareto["standing"].tolist() == ["beaten", "not beaten", "not beaten"] * 2
    assert len(draw_design_pareto(pareto).get_axes()) == 2


def test_a_design_in_which_nothing_could_be_fitted_is_told_as_such(told):
    failed = told["designs"][2]
    failed["metrics"]["power"] = failed["metrics"]["bias"] = {"value": None, "mcse": None, "reason": "no fit gave one"}
    failed |= {"power_low": None, "power_high": None, "mean_estimate": None, "rank": None, "on_front": False}
    for row in told["differences"][1:]:
        row |= {name: None for name in row if name.startswith(("power_difference", "mcse", "bias", "rep", "indep"))}
    assert "c and a cannot be compared: no fit gave an estimate in c." in findings(told)
    assert design_table(told).rows[2][1:3] == ("–", "–")
    assert difference_table(told).rows[1][1] == "–"
    for data, draw in (
        (design_forest_data, draw_design_forest),
        (design_power_data, draw_design_power),
        (design_pareto_data, draw_design_pareto),
    ):
        assert draw(data(told)).get_axes()
    assert "cannot be compared" in comparison_page(told, {}, {})


def test_the_best_is_named_with_what_of_it_is_expected(told):
    told["designs"][0] = design("a", 0.741, 120, unblinding_bias=(-1.39, 0.06))
    best = next(words for words in findings(told) if words.startswith("Best by power"))
    assert "expect, not the drug: a −1.39 ± 0.06 of −1.99 points." in best
