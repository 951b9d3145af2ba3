"""Hypotheses tested together: the procedure in words, the table, the figure, the section of the page."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

from trialsim.report import style
from trialsim.report.answers import answers
from trialsim.report.design import labels_of
from trialsim.report.families import family_tables, members_of, procedure_words
from trialsim.report.figures import standard_figures
from trialsim.report.figures.families import ALL, ANY, ERROR, draw_families, family_data
from trialsim.report.html import render_report
from trialsim.report.protocol import limitations, sample_size_statement
from trialsim.report.summary import Hypothesis, hypotheses
from trialsim.report.table import power_table

Together = tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]


def test_members_are_first_analyses_or_those_named(three_together: Together) -> None:
    _, summary, families = three_together
    assert members_of(families.iloc[0].to_dict(), summary) == [
        Hypothesis("primary", "mmrm"),
        Hypothesis("bsl23", "mmrm"),
        Hypothesis("remission", "logistic"),
    ]


def test_the_table_has_each_alone_and_together_and_all_of_them(three_together: Together) -> None:
    resolved, summary, families = three_together
    (table,) = family_tables(families, summary, labels=labels_of(resolved))
    assert table.sizes == (80, 160)
    assert [(row.label, row.how, row.null) for row in table.rows] == [
        ("QIDS-SR16 at day 14", "alone", False),
        ("QIDS-SR16 at day 14", "together", False),
        ("BPD symptoms", "alone", True),
        ("BPD symptoms", "together", True),
        ("QIDS-SR16, remission at day 14, logistic regression", "alone", False),
        ("QIDS-SR16, remission at day 14, logistic regression", "together", False),
        ("Any true effect found", "", False),
        ("All true effects found", "", False),
        ("Any null rejected (family-wise error)", "", True),
    ]
    row = summary[(summary["estimand"] == "primary") & (summary["n"] == 160)].iloc[0]
    assert table.rows[0].cells[1] == f"{100 * row['power']:.1f} ± {100 * row['power_mcse']:.1f}"
    assert table.rows[1].cells[1] == f"{90 * row['power']:.1f} ± {90 * row['power_mcse']:.1f}"
    assert table.rows[-1].cells == ("4.1 ± 1.3", "4.1 ± 1.3")
    (short,) = family_tables(families, summary, names=True)
    assert [row.label for row in short.rows[:6:2]] == ["primary", "bsl23", "remission.logistic"]


def test_what_is_not_there_has_no_row(three_together: Together) -> None:
    _, summary, families = three_together
    (table,) = family_tables(families.assign(family_wise_error=float("nan")), summary)
    assert "family-wise" not in " ".join(row.label for row in table.rows)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({}, "Graph, two-sided level 5 % of the family. (1) QIDS-SR16 at day 14; (2) BPD symptoms; (3)"),
        ({}, "Share of the level at the start: (1) 80 %, (2) 20 %, (3) 0 %."),
        ({}, "When rejected, (1) passes 50 % to (2) and 50 % to (3); (2) passes 100 % to (1); (3) passes"),
        ({"method": "fixed_sequence", "weights": [], "transitions": []}, "until one is not rejected."),
        ({"method": "co_primary", "weights": [], "transitions": []}, "All must be rejected"),
        ({"method": "holm", "transitions": [], "alpha": 0.1}, "Holm, two-sided level 10 % of the family."),
        ({"method": "dunnett", "weights": [], "transitions": []}, "several arms against one control"),
    ],
)
def test_procedures_in_words(three_together: Together, plan: dict[str, Any], said: str) -> None:
    resolved = three_together[0]
    variant = resolved["variants"][0]
    changed = {**resolved, "variants": [{**variant, "multiplicity": {**variant["multiplicity"], **plan}}]}
    (words,) = procedure_words(changed, labels_of(resolved))
    assert said in words.replace("\u00a0", " ")


def test_every_procedure_is_told(three_together: Together) -> None:
    resolved = three_together[0]
    variant = resolved["variants"][0]
    methods = (
        "bonferroni",
        "holm",
        "hochberg",
        "hommel",
        "fixed_sequence",
        "fallback",
        "dunnett",
        "graph",
        "co_primary",
    )
    variants = [{**variant, "multiplicity": {**variant["multiplicity"], "method": method}} for method in methods]
    assert len(procedure_words({**resolved, "variants": variants}, labels_of(resolved))) == len(methods)


def test_the_figure_draws_powers_and_one_line_of_errors(three_together: Together) -> None:
    resolved, summary, families = three_together
    frame = family_data(families, summary, labels=labels_of(resolved))
    lines = list(dict.fromkeys(frame["line"]))
    assert lines[-3:] == [ANY, ALL, ERROR]
    assert "BPD symptoms" not in lines
    assert len(lines) == 5
    assert set(frame.loc[frame["null"], "line"]) == {ERROR}
    assert frame.loc[frame["line"] == ANY, "share"].tolist() == [0.61, 0.61]
    figure = draw_families(frame)
    key = [text.get_text() for text in figure.legends[0].get_texts()]
    assert key == lines
    assert style.svg_text(figure) == style.svg_text(draw_families(frame))
    drawn = standard_figures(summary, labels=labels_of(resolved), families=families)
    assert "families" in drawn
    assert "families" not in standard_figures(summary)


@pytest.mark.filterwarnings("error")
def test_the_figure_of_one_size_and_many_hypotheses(three_together: Together) -> None:
    _, summary, families = three_together
    frame = family_data(families.iloc[:1], summary)
    many = pd.concat([frame.assign(line=frame["line"] + f" {i}" * (i > 0)) for i in range(5)])
    figure = draw_families(many)
    assert style.svg_text(figure)
    assert len(figure.legends[0].get_texts()) == len(set(many["line"]))


def test_the_page_has_a_section_of_its_own(three_together: Together) -> None:
    resolved, summary, families = three_together
    page = render_report(resolved, resolved["provenance"], summary, {}, {}, families=families)
    text = re.sub(r"\s+", " ", page.replace("\u00a0", " "))
    assert '<h2 id="together-heading">Hypotheses tested together</h2>' in text
    assert "its power within the procedure see" in text
    assert "<td>61.0 ± 1.3</td>" in text
    assert "no adjustment for several tests" not in text
    assert "Family-wise error rate: share of trials that reject any" in text


def test_limitations_name_the_procedure_and_what_is_outside(three_together: Together) -> None:
    _, summary, families = three_together
    (told,) = [
        point
        for point in limitations(summary, [], dropout=["mar"], bounded=False, families=families)
        if "tested together" in point
    ]
    assert told.replace("\u00a0", " ").startswith("3 hypotheses are tested together (graph, two-sided level 5 %")
    assert "findings that it does not protect: 1 analysis." in told


def test_the_statement_has_both_powers(three_together: Together) -> None:
    resolved, summary, _ = three_together
    changed = summary.copy()
    chosen = changed["estimand"] == "primary"
    changed.loc[chosen, ["power", "power_low", "power_high"]] = [0.9, 0.86, 0.93]
    changed.loc[chosen, ["adjusted_power", "adjusted_power_low", "adjusted_power_high"]] = [0.85, 0.8, 0.89]
    primary = hypotheses(changed)[0]
    found = answers(power_table(changed, hypothesis=primary))
    statement = sample_size_statement(resolved, changed, found, primary).replace("\u00a0", " ")
    assert "together with the other hypotheses (graph) it is 85.0 % (95 % interval 80.0 to 89.0)" in statement
