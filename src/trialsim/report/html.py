"""The report of a run as one HTML file that needs nothing else: no script, no request, no date.

All text that came from a scenario is escaped by the template engine; figures are inlined as SVG after a check that
they hold nothing active. The same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trialsim import evidence
from trialsim.engine.failures import trial_command
from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.planning.reached import Reached
from trialsim.report.answers import TARGET, Answer, answers
from trialsim.report.characteristics import characteristics_tables
from trialsim.report.claims import CO_PRIMARY, is_margin
from trialsim.report.coverage import coverage_notes
from trialsim.report.design import design_facts, dropout_models, labels_of, left_out
from trialsim.report.estimands import estimand_words
from trialsim.report.families import caption_of, family_tables, members_of, procedure_words
from trialsim.report.figures import (
    COMPARISON_WORDS,
    FIGURE_WORDS,
    NULL_FIGURE_WORDS,
    OPERATIONS_FIGURE_WORDS,
    FigureWords,
)
from trialsim.report.harms import harm_words
from trialsim.report.ledger import ledger_totals
from trialsim.report.matrix import is_matrix_asked, matrix_tables
from trialsim.report.protocol import limitations, sample_size_statement, takes_scores_as_normal
from trialsim.report.questions import not_at_risk_words, question_words, variants_of
from trialsim.report.recruited import as_asked, asked_words
from trialsim.report.sections import Section
from trialsim.report.summary import hypotheses, hypothesis_words, records_of, rows_of, varied_paths
from trialsim.report.svg import inline_svg
from trialsim.report.table import PowerTable, power_table
from trialsim.report.words import estimand_label, fixed, joined, method_words, name_words, percent, value_words

_CHOICES = (
    "schedule",
    "arms",
    "allocation",
    "estimands",
    "analysis",
    "multiplicity",
    "sample_size",
    "simulation",
    "vary",
    "designs",
)
"""Scenario keys that say what is done; all others say what is true."""

_WITH_RANGE = re.compile(r"([^()]+) (\([^()]+\))")

_MANY = 12
"""Columns of numbers that a printed page has room for; tables with more are set smaller."""

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(
    resolved: Mapping[str, Any],
    provenance: Sequence[Mapping[str, Any]],
    summary: pd.DataFrame,
    figures: Mapping[str, str],
    manifest: Mapping[str, Any],
    *,
    rungs: pd.DataFrame | None = None,
    families: pd.DataFrame | None = None,
    sections: Sequence[Section] = (),
    recruited: Mapping[int, Mapping[int, Reached]] | None = None,
) -> str:
    """Return the report of a run as an HTML page.

    Parameters
    ----------
    resolved : mapping
        The resolved scenario, as its `to_dict` gives it.
    provenance : sequence of mapping
        One per value: `path`, `value`, `source`, `tag`, `citation`, `note`.
    summary : DataFrame
        One row per cell, estimand and method.
    figures : mapping of str to str
        SVG documents by name, shown in the order given; names are letters, digits, `_` and `-`.
    manifest : mapping
        What is needed to run this again; shown as it is, nested keys joined with dots.
    rungs : DataFrame, optional
        What `ledger.count_rungs` says about the fits that were not as asked for.
    families : DataFrame, optional
        The summary of hypotheses tested together.
    sections : sequence of Section
        What else the run has to say.
    recruited : mapping, optional
        What recruitment reaches, by variant and number of patients, where that may be less.
    """
    labels = labels_of(resolved)
    paths = varied_paths(summary)
    primary = hypotheses(summary)[0]
    table = power_table(summary, hypothesis=primary, labels=labels, families=families)
    own = _own_settings(provenance, paths)
    levels = sorted({cell.level for row in table.rows for cell in row.cells if cell})
    harms = harm_words(resolved, summary, primary, families=families)
    reached = [(recruited or {}).get(int(v), {}) for v in rows_of(summary, primary)["variant"].unique()]
    found = answers(table, own_settings=own, harms=harms, recruited=reached)
    replicates = int(summary["replicates"].max())
    asked = asked_words(recruited or {})
    context = {
        "title": str(resolved["title"]),
        "description": str(resolved.get("description") or ""),
        "question": question_words(resolved, primary.estimand, null=table.null),
        "headline": _headline(found),
        "short_coverage": coverage_notes(summary, primary, labels=labels),
        "not_at_risk": not_at_risk_words(resolved, primary.estimand),
        "answers": found,
        "target": percent(TARGET),
        "table": table,
        "asked": asked,
        "said": as_asked if asked else str,
        "members": joined(list(table.members)),
        "others": _other_tables(summary, table, labels, families),
        "figures": [
            shown_figure(name, svg, null=_nothing_to_find(name, summary, table), asked=bool(asked))
            for name, svg in figures.items()
        ],
        "facts": design_facts(resolved, summary),
        "estimands": estimand_words(resolved, summary),
        "characteristics": [
            (hypothesis_words(summary, item.hypothesis, labels=labels), item)
            for item in characteristics_tables(summary, labels=labels)
        ],
        "assumptions": _assumptions(provenance),
        "references": _references(provenance),
        "totals": _totals(summary, labels),
        "rungs": _rungs(rungs, labels),
        "replicates": f"{replicates:,}",
        "mcse_power": fixed(100 * mcse_proportion(TARGET, replicates), 2),
        "mcse_alpha": joined([fixed(100 * mcse_proportion(level, replicates), 2) for level in levels], word="or"),
        "alpha": joined([percent(level) for level in levels], word="or"),
        "statement": sample_size_statement(resolved, summary, found, primary, families=families),
        "manifest": list(flat(manifest)),
        "together": _together(families, summary, table, resolved, labels),
        "matrix": matrix_tables(resolved, summary, labels=labels) if is_matrix_asked(resolved) else [],
        "sections": sections,
        "margins": any(is_margin(str(test)) for test in summary["test"]),
        "limitations": limitations(
            summary,
            provenance,
            dropout=dropout_models(resolved),
            left_out=left_out(resolved),
            bounded=any(map(takes_scores_as_normal, variants_of(resolved))),
            families=families,
        ),
    }
    return rendered("report.html.j2", context)


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """Return a page from one of the templates; all text in it is escaped."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    """Return the templates, each of which is compiled once."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["ranged"] = _ranged
    environment.globals["many"] = _MANY
    return environment


def _ranged(text: str) -> str:
    """Return the text of a cell; a number and its range in brackets are apart, so that a line may end between them."""
    found = _WITH_RANGE.fullmatch(text)
    if found is None:
        return text
    return Markup('<span class="ranged"><span>{}</span> <span>{}</span></span>').format(*found.groups())


def _own_settings(provenance: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> dict[str, Any]:
    """Return the values that the scenario itself holds for the varied paths."""
    own: dict[str, Any] = {}
    for item in provenance:
        for path in paths:
            if f"{path}.".startswith(f"{item['path']}."):
                # Some parts are told as one value: the key looked for is inside it.
                value = item["value"]
                for key in path.split(".")[len(str(item["path"]).split(".")) :]:
                    value = value.get(key) if isinstance(value, Mapping) else None
                own[path] = value
    return own


def _together(
    families: pd.DataFrame | None,
    summary: pd.DataFrame,
    table: PowerTable,
    resolved: Mapping[str, Any],
    labels: Mapping[str, str],
) -> dict[str, Any] | None:
    """Return what the section on hypotheses tested together says; None where each is tested alone."""
    if families is None:
        return None
    tables = family_tables(families, summary, labels=labels)
    return {
        "procedures": procedure_words(resolved, labels),
        "caption": caption_of(tables),
        "tables": tables,
        "answer": _answer_within(table, families, summary),
    }


def _answer_within(table: PowerTable, families: pd.DataFrame, summary: pd.DataFrame) -> str:
    """Return what the numbers of the answer are where hypotheses are tested together."""
    if not any(table.hypothesis in members_of(record, summary) for record in records_of(families)):
        return "This is the primary hypothesis alone, at its own level: it is not among those tested together."
    cells = [cell for row in table.rows for cell in row.cells if cell]
    if all(cell.within == CO_PRIMARY for cell in cells):
        return "A trial succeeds where all co-primary hypotheses are found."
    if any(cell.null and not cell.within for cell in cells):
        return (
            "Power is that within the procedure. Where there is nothing to find, the number is that of the test alone."
        )
    return "Power is that within the procedure."


def _headline(found: Sequence[Answer]) -> list[Answer]:
    """Return the answers for the scenario's own values, or all of them where none is marked."""
    own = [answer for answer in found if answer.own]
    return own or list(found)


def _other_tables(
    summary: pd.DataFrame, table: PowerTable, labels: Mapping[str, str], families: pd.DataFrame | None
) -> list[tuple[str, PowerTable]]:
    """Return the tables after the first: each other hypothesis, and the primary one alone where that is another."""
    how = ", tested alone" if families is not None else ""
    found = [] if table.alone is None else [(table.hypothesis, table.alone)]
    found += [
        (item, power_table(summary, hypothesis=item, labels=labels))
        for item in hypotheses(summary)
        if item != table.hypothesis
    ]
    return [(f"{hypothesis_words(summary, item, labels=labels)}{how}", other) for item, other in found]


def _nothing_to_find(name: str, summary: pd.DataFrame, table: PowerTable) -> bool:
    """Return whether a figure shows type I errors only: those of all estimands, or of the primary one."""
    return bool(summary["null"].all()) if name == "power_by_outcome" else table.null


def shown_figure(name: str, svg: str, *, null: bool = False, asked: bool = False) -> tuple[str, FigureWords, Markup]:
    """Return a figure as the templates take it: name, words and the SVG, checked for active content.

    Parameters
    ----------
    name : str
    svg : str
    null : bool
        Whether it shows type I errors only.
    asked : bool
        Whether its numbers of patients are those asked for, not always reached.
    """
    own = NULL_FIGURE_WORDS if null else {}
    known = {**FIGURE_WORDS, **OPERATIONS_FIGURE_WORDS, **COMPARISON_WORDS, **own}
    words = known.get(name, FigureWords(name_words(name).capitalize(), ""))
    if asked and name not in OPERATIONS_FIGURE_WORDS:
        words = FigureWords(*map(as_asked, words))
    # Safe: the document was checked for active content, and title and caption are escaped where they are put in.
    inlined = inline_svg(svg, name=f"figure-{name}", title=words.title, description=words.caption or words.title)
    return name, words, Markup(inlined)  # noqa: S704


def _assumptions(provenance: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the provenance in words, with a count per tag."""
    numbers = {key: place for place, (key, _, _) in enumerate(_references(provenance), start=1)}
    rows = [
        {
            "path": item["path"],
            "words": _breakable(str(item["path"])),
            "value": value_words(str(item["path"]), item["value"]),
            "source": str(item["source"]),
            "tag": str(item["tag"] or item["source"]),
            "reference": numbers.get(str(item["citation"])) if item["citation"] else None,
            "note": str(item["note"] or ""),
        }
        for item in provenance
    ]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["tag"]] = counts.get(row["tag"], 0) + 1
    order = ("given", "measured", "derived", "assumed", "default")
    ranked = sorted(counts.items(), key=lambda pair: (order.index(pair[0]) if pair[0] in order else 9, pair[0]))
    chosen = [row for row in rows if str(row["path"]).partition(".")[0] in _CHOICES]
    true = [row for row in rows if row not in chosen]
    return {"true": true, "chosen": chosen, "counts": ranked}


def _breakable(path: str) -> Markup:
    """Return a path that may be broken after its dots; all of it is escaped."""
    return Markup(".<wbr>").join(path.split("."))


def _references(provenance: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return key, text and link of every citation, in order of first use."""
    keys = dict.fromkeys(str(item["citation"]) for item in provenance if item["citation"])
    found = []
    for key in keys:
        if key in evidence.citation_keys():
            citation = evidence.citation(key)
            found.append((key, citation.text, citation.link))
        else:
            found.append((key, key, ""))
    return found


def _totals(summary: pd.DataFrame, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {**item, "label": estimand_label(item["estimand"], labels), "method": method_words(item["method"])}
        for item in ledger_totals(summary)
    ]


def _rungs(rungs: pd.DataFrame | None, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    if rungs is None:
        return []
    return [
        {
            **row,
            "label": estimand_label(row["estimand"], labels),
            "method": method_words(str(row["method"])),
            "rung": name_words(str(row["rung"])),
            "command": trial_command(row["cell"], row["replicate"]),
        }
        for row in records_of(rungs)
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested keys joined with dots, and values as text."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found.extend(flat(value, f"{name}."))
        elif isinstance(value, list | tuple):
            found.append((name, ", ".join(str(item) for item in value)))
        else:
            found.append((name, str(value)))
    return found
