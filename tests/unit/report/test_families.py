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
    many = pd.concat([
        frame.assign(line=frame["line"] + f" {i}" * (i > 0), share=frame["share"] - 0.001 * i) for i in range(5)
    ])  # fmt: skip
    figure = draw_families(many)
    assert style.svg_text(figure)
    assert len(figure.legends[0].get_texts()) == len(set(many["line"]))


def test_the_page_has_a_section_of_its_own(three_together: Together) -> None:
    resolved, summary, families = three_together
    page = render_report(resolved, resolved["provenance"], summary, {}, {}, families=families)
    text = re.sub(r"\s+", " ", page.replace("\u00a0", " "))
    assert '<h2 id="together-heading">Hypotheses tested together</h2>' in text
    assert "Power is that within the procedure. How each of them fares is told under <a" in text
    assert '<h2 id="power-heading">Power within the procedure (graph)</h2>' in text
    assert "<h3>QIDS-SR16 at day 14, MMRM, tested alone</h3>" in text
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


def with_powers(
    summary: pd.DataFrame, *, alone: float = 0.9, within: float = 0.85, estimand: str = "primary"
) -> pd.DataFrame:
    """Return a summary with these powers of one estimand, with intervals of 4 points either way."""
    changed = summary.copy()
    chosen = changed["estimand"] == estimand
    for name, value in (("power", alone), ("adjusted_power", within)):
        changed.loc[chosen, [name, f"{name}_mcse", f"{name}_low", f"{name}_high"]] = [
            value, 0.02, value - 0.04, value + 0.04,
        ]  # fmt: skip
    return changed


def co_primary(families: pd.DataFrame, *, found: float, effects: int = 2) -> pd.DataFrame:
    """Return a family's summary of two co-primary hypotheses, all of which are found this often."""
    ends = {"": found, "_mcse": 0.02, "_low": found - 0.04, "_high": found + 0.04}
    nothing = float("nan")
    return families.assign(
        procedure="co_primary",
        hypotheses="primary, remission.logistic",
        true_effects=effects,
        **{f"conjunctive_power{end}": value for end, value in ends.items()},
        **{f"family_wise_error{end}": value if effects < 2 else nothing for end, value in ends.items()},
    )


def test_the_answer_goes_by_the_power_within_the_procedure(three_together: Together) -> None:
    """88 % alone is not enough where the procedure leaves 70 %, and both are told, each as what it is."""
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.70)
    table = power_table(changed, families=families)
    assert table.quantity == "Power within the procedure (graph)"
    assert [cell.share for cell in table.rows[0].cells if cell] == [0.70, 0.70]
    assert table.alone is not None
    assert [cell.share for cell in table.alone.rows[0].cells if cell] == [0.88, 0.88]
    assert table.alone.quantity == "Power"
    (answer,) = answers(table)
    assert answer.cell is None
    assert answer.text.replace("\u00a0", " ") == (
        "None of the sizes simulated, 80 to 160, is enough for 80 % power within the procedure (graph): with 160 "
        "patients it is 70.0 % (95 % interval 66.0 to 74.0). The test alone, at its own level, has 88.0 % (95 % "
        "interval 84.0 to 92.0)."
    )
    assert power_table(changed).quantity == "Power"
    assert power_table(changed).alone is None


def test_co_primary_hypotheses_are_enough_only_where_all_are_found(three_together: Together) -> None:
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.498)
    table = power_table(changed, families=co_primary(families, found=0.498))
    assert table.body[0][0] == "Power for both co-primary hypotheses, %"
    (answer,) = answers(table)
    assert answer.cell is None
    assert "80 % power for both co-primary hypotheses: with 160 patients it is 49.8 %" in answer.text.replace(
        "\u00a0", " "
    )
    assert "The primary hypothesis alone, at its own level, has 88.0" in answer.text


def test_a_success_of_co_primary_hypotheses_is_false_as_soon_as_one_has_no_effect(three_together: Together) -> None:
    """The primary one has an effect, the other has none: finding both is an error, held at the family's level."""
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.04)
    for found, outside in ((0.04, False), (0.12, True)):
        table = power_table(changed, families=co_primary(families, found=found, effects=1))
        assert table.null
        assert table.quantity == "Type I error"
        (answer,) = answers(table)
        text = answer.text.replace("\u00a0", " ")
        assert text.startswith("Not all of the 2 co-primary hypotheses have something to find:")
        assert "to be at most 5 %" in text
        assert ("2 of 2 intervals lie above 5 %" in text) is outside


def test_a_primary_outside_the_procedure_is_told_alone(three_together: Together) -> None:
    _, summary, families = three_together
    outside = families.assign(hypotheses="bsl23, remission.logistic")
    table = power_table(with_powers(summary), families=outside)
    assert table.quantity == "Power"
    assert table.alone is None


def test_the_statement_has_both_powers(three_together: Together) -> None:
    resolved, summary, families = three_together
    changed = with_powers(summary)
    primary = hypotheses(changed)[0]
    found = answers(power_table(changed, hypothesis=primary, families=families))
    statement = sample_size_statement(resolved, changed, found, primary, families=families).replace("\u00a0", " ")
    assert "gives a power of 85.0 % (95 % interval 81.0 to 89.0) to detect a true difference" in statement
    assert "within the procedure (graph). Alone, at its own level, the test has a power of 90.0 %" in statement


def test_the_statement_of_co_primary_hypotheses_names_all_that_is_to_be_found(three_together: Together) -> None:
    resolved, summary, families = three_together
    changed, both = with_powers(summary), co_primary(families, found=0.82)
    primary = hypotheses(changed)[0]
    found = answers(power_table(changed, hypothesis=primary, families=both))
    statement = sample_size_statement(resolved, changed, found, primary, families=both).replace("\u00a0", " ")
    assert "gives a power of 82.0 % (95 % interval 78.0 to 86.0) for both co-primary hypotheses" in statement
    assert "each at the two-sided level 5 %: to detect a true difference" in statement
    assert "; and to detect a true log odds ratio" in statement or "; and to detect a true odds ratio" in statement
    assert "the first of them has a power of 90.0 %" in statement
    assert "logistic" in statement.partition("Analysis:")[2]


def test_what_is_for_all_co_primary_hypotheses_names_all_of_them(three_together: Together) -> None:
    resolved, summary, families = three_together
    changed, both, labels = with_powers(summary), co_primary(families, found=0.82), labels_of(resolved)
    words = "QIDS-SR16 at day 14 and QIDS-SR16, remission at day 14, logistic regression"
    drawn = standard_figures(changed, labels=labels, families=both)
    assert " ".join(drawn["power_curves"].figure.axes[0].get_title(loc="left").split()) == words
    assert drawn["power_by_outcome"].data["panel"].iloc[0] == "QIDS-SR16 at day 14"
    changed.insert(2, "effects.ketamine.specific_share", 0.3)
    drawn = standard_figures(changed, labels=labels, families=both)
    assert " ".join(drawn["power_heatmap"].figure.axes[0].get_title(loc="left").split()) == words
    provenance = [
        {"path": "simulation.replicates", "value": 500, "source": "given", "tag": "", "citation": "", "note": ""}
    ]
    page = render_report(resolved, provenance, with_powers(summary), {}, {}, families=both)
    assert f"<p>Co-primary hypotheses: {words}." in page
    assert power_table(changed, families=families).members == ()


def test_lines_that_lie_on_each_other_are_drawn_once(three_together: Together) -> None:
    """Co-primary hypotheses are found together or not at all: all their lines are one, and its label names each."""
    _, summary, families = three_together
    both = co_primary(families, found=0.5)
    for end in ("", "_mcse", "_low", "_high"):
        both[f"disjunctive_power{end}"] = both[f"conjunctive_power{end}"]
    frame = family_data(both, summary)
    alike = both[["conjunctive_power", "conjunctive_power_mcse", "conjunctive_power_low", "conjunctive_power_high"]]
    for line in set(frame["line"]):
        frame.loc[frame["line"] == line, ["share", "mcse", "low", "high"]] = alike.to_numpy()
    assert frame["line"].nunique() == 4
    (text,) = draw_families(frame).legends[0].get_texts()
    words = " ".join(text.get_text().split())
    assert words.endswith("; any true effect; all true effects (one line: all the same)")
    apart = frame.copy()
    apart.loc[(apart["line"] == ANY) & (apart["n"] == 160), "high"] += 0.01
    assert len(draw_families(apart).legends[0].get_texts()) == 2


@pytest.mark.parametrize(
    ("both", "found", "axis"),
    [
        (False, 0.70, "Power within the procedure (graph), %"),
        (True, 0.498, "Power for both co-primary hypotheses, %"),
    ],
)
def test_the_first_figure_draws_what_decides_and_later_ones_say_tested_alone(
    three_together: Together, both: bool, found: float, axis: str
) -> None:
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.70)
    drawn = standard_figures(changed, families=co_primary(families, found=found) if both else families)
    first, every = drawn["power_curves"], drawn["power_by_outcome"]
    assert first.data["share"].tolist() == [found, found]
    assert first.figure.axes[0].get_ylabel() == axis
    alone = every.data[every.data["quantity"] == "Power, tested alone"]
    assert alone["share"].iloc[0] == 0.88
    assert every.figure.axes[0].get_ylabel() == "Power, tested alone, %"


def test_a_success_that_is_false_is_drawn_against_the_level_of_the_family(three_together: Together) -> None:
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.04)
    shown = standard_figures(changed, families=co_primary(families, found=0.04, effects=1))["power_curves"]
    assert shown.data["null"].all()
    assert shown.data["share"].tolist() == [0.04, 0.04]
    axes = shown.figure.axes[0]
    assert axes.get_ylabel() == "Type I error, %"
    assert any(text.get_text() == "α = 5\u00a0%" for text in axes.texts)


def test_the_heat_map_is_of_what_decides(three_together: Together) -> None:
    _, summary, families = three_together
    changed = with_powers(summary, alone=0.88, within=0.70)
    changed.insert(2, "dropout.missing_by.14", 0.1)
    shown = standard_figures(changed, families=families)["power_heatmap"]
    assert shown.data["share"].tolist() == [0.70, 0.70]
    assert shown.data["quantity"].unique().tolist() == ["Power within the procedure (graph)"]
    assert "Power within the procedure" in " ".join(axes.get_ylabel() for axes in shown.figure.axes)
