"""Estimands against analyses: when it is asked, what is flagged, the table, its sentences, the figure, the section."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from trials import BOUNDED, resolve
from trialsim.kernels.montecarlo import mcse_mean, mcse_sd
from trialsim.report import style
from trialsim.report.design import labels_of
from trialsim.report.figures import FIGURE_WORDS, standard_figures
from trialsim.report.figures.estimand_matrix import COLUMNS, _ratio, draw_estimand_matrix, estimand_matrix_data
from trialsim.report.html import render_report
from trialsim.report.matrix import Flags, flags_of, is_matrix_asked, largest, matrix_tables
from unit.report.conftest import CONTRAST, ON_QIDS, SummaryMaker, summary_of

COMPOSITE = {**ON_QIDS, "intercurrent_events": {"dropout": "composite"}, "failure_score": "worst", "label": "Leaving"}
COMPARED: dict[str, Any] = {
    "estimands": {
        "failed": COMPOSITE,
        "primary": {**ON_QIDS, "label": "Stayed"},
        "odds": {**ON_QIDS, "endpoint": "response", "intercurrent_events": {"dropout": "composite"}},
    },
    "analysis": {
        "failed": [{"method": "ancova"}],
        "primary": [{"method": "mmrm"}, {"method": "ancova"}, {"method": "welch", "name": "unadjusted"}],
        "odds": [{"method": "risk_difference"}, {"method": "logistic"}],
    },
    "sample_size": [80, 160],
}
"""Two strategies for one score, with three analyses of one of them."""

Compared = tuple[dict[str, Any], pd.DataFrame]


@pytest.fixture(scope="module")
def compared() -> Compared:
    """A resolved scenario and its summary; at 160 patients ANCOVA is off by 0.6 points, Welch's intervals short."""
    resolved = resolve(BOUNDED, COMPARED).to_dict()
    summary = summary_of(resolved, {"failed": 0.0})
    off = (summary["n"] == 160) & (summary["estimand"] == "primary")
    biased = off & (summary["method"] == "ancova")
    summary.loc[biased, ["bias", "bias_mcse", "mean_estimate", "empirical_se"]] = [-0.6, 0.07, -2.62, 1.0]
    summary.loc[biased, ["coverage", "coverage_mcse"]] = [0.95, 0.0154]
    short = off & (summary["method"] == "unadjusted")
    summary.loc[short, ["coverage", "coverage_mcse", "model_se", "empirical_se"]] = [0.8, 0.0283, 0.8, 1.1]
    return resolved, summary


def asked(**changes: Any) -> bool:
    return is_matrix_asked(
        resolve(BOUNDED, {path.replace("__", "."): value for path, value in changes.items()}).to_dict()
    )


@pytest.mark.filterwarnings("ignore:.*in the place of the active arm:trialsim.errors.ScenarioWarning")
def test_it_is_asked_where_there_is_something_to_compare() -> None:
    one = {"primary": {"method": "mmrm"}}
    assert not asked(analysis=one)
    assert asked(analysis={"primary": [{"method": "mmrm"}, {"method": "ancova"}]})
    assert asked(analysis=one, estimands__failed=COMPOSITE)
    # Another day, outcome, margin or population of an interaction is another question, not another strategy.
    for other in ({"visit": 7}, {"outcome": "madrs"}, {"contrast": CONTRAST[::-1]}, {"interaction": ["bpd", "no_bpd"]}):
        assert not asked(analysis=one, estimands__other={**COMPOSITE, **other})
    assert not asked(analysis=one, estimands__other={**ON_QIDS, "non_inferiority_margin": 1.5})


@pytest.mark.parametrize(
    ("key", "value"),
    [("analysis_set", "per_protocol"), ("expectancy", "excluded"), ("events", [["rescue", "composite"]])],
)
def test_those_analysed_and_what_expectancy_is_are_strategies_too(key: str, value: Any) -> None:
    resolved = resolve(BOUNDED, {"estimands.other": {**ON_QIDS}}).to_dict()
    assert not is_matrix_asked(resolved)
    other = resolved["variants"][0]["estimands"][1]
    (other["endpoint"] if key == "events" else other)[key] = value
    assert is_matrix_asked(resolved)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, Flags(False, False)),
        ({"bias": -0.489}, Flags(False, False)),
        ({"bias": -0.491}, Flags(True, False)),
        ({"bias": float("nan")}, Flags(False, False)),
        ({"coverage": 0.903}, Flags(False, False)),
        ({"coverage": 0.901}, Flags(False, True)),
        ({"coverage": 1.0}, Flags(False, True)),
        # Its own error is 0: held against that, every interval of a small run would be flagged.
        ({"coverage": 1.0, "converged": 100}, Flags(False, False)),
        ({"coverage": 0.95, "alpha": 0.01}, Flags(False, True)),
        ({"coverage": float("nan")}, Flags(False, False)),
        ({"coverage": float("nan"), "bias": float("nan"), "converged": 0, "fell_back": 0}, Flags(False, False)),
    ],
)
def test_flags_are_what_chance_does_not_explain(changes: dict[str, float], flags: Flags) -> None:
    row = {"bias": 0.1, "bias_mcse": 0.1, "coverage": 0.95, "alpha": 0.05, "converged": 490, "fell_back": 10}
    assert flags_of({**row, **changes}) == flags


def test_the_table_has_all_estimands_and_analyses_at_the_largest_size(compared: Compared) -> None:
    resolved, summary = compared
    (table,) = matrix_tables(resolved, summary, labels=labels_of(resolved))
    assert (table.setting, table.n) == ("", 160)
    assert table.analyses == ("MMRM", "ANCOVA", "unadjusted", "risk difference", "logistic regression")
    assert [row.label for row in table.rows] == ["Stayed", "Leaving", "QIDS-SR16, response at day 14"]
    assert [row.strategies for row in table.rows] == ["Leaving: hypothetical", *2 * ["Leaving: composite"]]
    assert [[cell is not None for cell in row.cells] for row in table.rows] == [
        [True, True, True, False, False],
        [False, True, False, False, False],
        [False, False, False, True, True],
    ]
    assert table.rows[0].truth == "−2.02 points"
    assert table.rows[2].truth == "+11.3 ± 0.08 percentage points; +0.630 ± 0.0035 (log odds ratio)"
    cell = table.rows[0].cells[1]
    assert cell is not None
    assert (cell.bias, cell.coverage) == ("−0.60 ± 0.070 points", "95.0 ± 1.5 %")
    assert cell.flags == Flags(True, False)
    null = table.rows[1].cells[1]
    assert null is not None
    assert null.power.startswith("Type I error ")
    assert cell.power.startswith("Power ")


def test_each_flagged_cell_has_a_sentence(compared: Compared) -> None:
    resolved, summary = compared
    (table,) = matrix_tables(resolved, summary, labels=labels_of(resolved))
    assert table.sentences == (
        "ANCOVA on those who stayed misses the true value of “Stayed” by 0.60 ± 0.070 points (−2.62 on average, −2.02 "
        "in truth).",
        "The 95\u00a0% intervals of unadjusted hold the true value of “Stayed” in 80.0 ± 2.8 % of trials, too rarely: "
        "it takes its standard error for 0.80, and the estimates spread by 1.10.",
    )


def test_sentences_say_whom_an_analysis_sees() -> None:
    changes = {
        "events": {
            "rescue": {"label": "Rescue medication", "per_day": 0.05, "effect": {"qids_sr16": -4.0}},
            "ect": {"label": "ECT", "per_day": 0.01, "effect": {"qids_sr16": -2.0}},
        },
        "estimands.primary": {**ON_QIDS, "label": "Policy"},
        "estimands.pure": {
            **ON_QIDS,
            "label": "Pure",
            "intercurrent_events": {"rescue": "hypothetical", "ect": "hypothetical"},
        },
        "analysis": {name: [{"method": "mmrm"}, {"method": "ancova"}] for name in ("primary", "pure")},
    }
    resolved = resolve(BOUNDED, changes).to_dict()
    summary = summary_of(resolved).assign(bias=-0.6, bias_mcse=0.05)
    (table,) = matrix_tables(resolved, summary, labels=labels_of(resolved))
    assert table.rows[1].strategies == "Leaving: hypothetical; Rescue medication: hypothetical; ECT: hypothetical"
    assert [words.partition(" by ")[0] for words in table.sentences] == [
        "MMRM misses the true value of “Policy”",
        "ANCOVA on those who stayed misses the true value of “Policy”",
        "MMRM misses the true value of “Pure”",
        "ANCOVA on those who stayed without rescue medication and without ECT misses the true value of “Pure”",
    ]
    (table,) = matrix_tables(resolved, summary.assign(share_missing=0.0))
    assert table.sentences[1].startswith("ANCOVA misses")


def test_sentences_of_other_kinds(compared: Compared) -> None:
    resolved, summary = compared
    changed = summary[summary["estimand"] == "odds"].copy()
    changed.loc[changed["method"] == "logistic", ["bias", "bias_mcse", "coverage", "coverage_mcse"]] = [
        0.3,
        0.02,
        0.5,
        0,
    ]
    wide = changed["method"] == "risk_difference"
    changed.loc[wide, ["coverage", "coverage_mcse", "model_se", "empirical_se"]] = [1.0, 0.0, 0.1, 0.2]
    (table,) = matrix_tables(resolved, changed.assign(converged=2_000))
    wide_words, both = table.sentences
    # A standard error that is too small does not explain intervals that are too wide.
    assert wide_words.endswith("hold the true value in 100.0 ± 0.0 % of trials, more often than they should.")
    assert both.startswith("Logistic regression misses the true value by 0.300 ± 0.0200 on the scale of the log odds")
    assert both.endswith("; its 95\u00a0% intervals hold it in 50.0 ± 0.0 % of trials.")


def test_varied_values_have_a_table_each_and_what_failed_has_dashes(compared: Compared) -> None:
    resolved, summary = compared
    resolved = {**resolved, "variants": 2 * resolved["variants"]}
    two = pd.concat([summary.assign(variant=v) for v in (0, 1)], ignore_index=True)
    two.insert(list(two.columns).index("n"), "dropout.missing_by.14", 0.1 * (1 + two["variant"]))
    gone = (two["variant"] == 1) & (two["method"] == "mmrm")
    two.loc[gone, ["bias", "bias_mcse", "coverage", "power", "rejection_rate", "empirical_se"]] = float("nan")
    # A variant's largest size is its own.
    two = two[(two["variant"] == 0) | (two["n"] == 80)]
    first, second = matrix_tables(resolved, two)
    assert (first.setting, second.setting) == ("Missing by day 14: 10\u00a0%", "Missing by day 14: 20\u00a0%")
    assert (first.n, second.n) == (160, 80)
    cell = second.rows[0].cells[0]
    assert cell is not None
    assert (cell.bias, cell.coverage, cell.power) == ("–", "", "Power –")


def test_the_figure_has_the_bias_in_standard_errors(compared: Compared) -> None:
    resolved, summary = compared
    frame = estimand_matrix_data(summary, labels=labels_of(resolved))
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(largest(summary)) == 6
    row = frame[(frame["estimand"] == "primary") & (frame["analysis"] == "ANCOVA")].iloc[0]
    assert (row["standardised_bias"], row["off"]) == (pytest.approx(-0.6), "bias")
    assert row["standardised_bias_high"] - row["standardised_bias"] == pytest.approx(1.959964 * row[
        "standardised_bias_mcse"])  # fmt: skip
    assert frame["off"].tolist() == ["", "bias", "coverage", "", "", ""]


def test_the_error_of_the_standardised_bias_is_the_spread_over_simulation_studies() -> None:
    """Studies of 200 trials each with a bias of 0.8 SE: 20,000 of them tell the spread to 2.5 %.

    Forgetting that the empirical SE is estimated would make the error 13 % too small.
    """
    estimates = np.random.default_rng(3).normal(0.8, 1.0, (20_000, 200))
    ratios = estimates.mean(axis=1) / estimates.std(axis=1, ddof=1)
    one = np.random.default_rng(4).normal(0.0, 1.0, 200)
    _, error = _ratio(0.8, mcse_mean((one - one.mean()) / one.std(ddof=1)), 1.0, mcse_sd(1.0, 200))
    assert abs(ratios.std(ddof=1) / error - 1.0) < 4.9 / np.sqrt(2 * 20_000)
    assert np.isnan(_ratio(0.8, 0.1, 0.0, 0.0)).all()


def test_the_figure_marks_what_misses_and_is_the_same_each_time(compared: Compared) -> None:
    resolved, summary = compared
    frame = estimand_matrix_data(summary, labels=labels_of(resolved))
    figure = draw_estimand_matrix(frame, note="A note.")
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "") and len(line.get_xdata()) == 1]
    full = [line for line in marks if to_hex(line.get_markerfacecolor()) != "#ffffff"]
    assert len(marks) == 6
    in_key = [handle.get_markerfacecolor() for handle in figure.legends[0].legend_handles]
    assert {to_hex(colour) for colour in in_key} == {"#ffffff"}, "most marks are open"
    assert [float(line.get_xdata()[0]) for line in full] == [pytest.approx(-0.6)]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["Stayed", "Leaving"]
    svg = style.svg_text(figure)
    assert svg == style.svg_text(draw_estimand_matrix(frame, note="A note."))
    assert all(words in svg for words in ("A note.", "At 160 patients randomised", "unadjusted"))


def test_small_biases_look_small(compared: Compared) -> None:
    _, summary = compared
    frame = estimand_matrix_data(summary[summary["method"] == "mmrm"].assign(bias=0.001, bias_mcse=0.001))
    low, high = draw_estimand_matrix(frame).axes[0].get_xlim()
    assert high == -low
    assert high >= 0.5


def test_each_varied_value_has_its_panel(summary_maker: SummaryMaker) -> None:
    frame = estimand_matrix_data(summary_maker(sizes=(80, 120), replicates=50))
    figure = draw_estimand_matrix(frame)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 6
    assert set(frame["n"]) == {120}
    assert (
        shown[0].get_title(loc="left").replace("\n", " ")
        == "Share of the change that is specific to ketamine: 0\u00a0%"
    )


def test_what_has_no_number_is_drawn_without_it(compared: Compared) -> None:
    _, summary = compared
    frame = estimand_matrix_data(summary.assign(bias=float("nan"), empirical_se=float("nan")))
    assert "Bias ÷ empirical SE" in style.svg_text(draw_estimand_matrix(frame))


def page(resolved: dict[str, Any], summary: pd.DataFrame) -> str:
    return render_report(resolved, resolved["provenance"], summary, {}, {"seed": 1})


def test_the_page_has_the_section_where_it_is_asked(compared: Compared) -> None:
    resolved, summary = compared
    text = page(resolved, summary)
    assert text.count('href="#matrix"') == text.count('id="matrix"') == 1
    section = text[text.index('id="matrix"') : text.index('id="figures"')]
    assert section.count('<span class="tag null">misses</span>') == 1
    assert section.count('<span class="tag null">off</span>') == 1
    assert section.count("<li>") == 2
    assert len(re.findall(r"<th scope=\"col\">", section)) == 7
    assert text == page(resolved, summary)
    calm = section_of(page(resolved, summary[summary["n"] == 80].assign(bias=0.0, coverage=0.95)))
    assert "No analysis misses its question" in calm
    assert "<li>" not in calm
    alone = resolve(BOUNDED, {"analysis": {"primary": {"method": "mmrm"}}}).to_dict()
    assert "Which analysis answers" not in page(alone, summary_of(alone))


def section_of(text: str) -> str:
    return text[text.index('id="matrix"') : text.index('id="figures"')]


def test_labels_are_escaped(compared: Compared) -> None:
    _, summary = compared
    changes = {**COMPARED, "estimands": {**COMPARED["estimands"], "primary": {**ON_QIDS, "label": "<b>Stayed</b>"}}}
    section = section_of(page(resolve(BOUNDED, changes).to_dict(), summary))
    assert "<b>" not in section
    assert "&lt;b&gt;Stayed" in section


def test_the_figure_is_among_those_of_a_run_where_asked(compared: Compared) -> None:
    _, summary = compared
    assert "estimand_matrix" in FIGURE_WORDS
    assert list(standard_figures(summary, matrix=True))[-1] == "estimand_matrix"
    assert "estimand_matrix" not in standard_figures(summary)
