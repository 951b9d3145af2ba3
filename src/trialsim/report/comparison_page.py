"""The files of a comparison: tables, figures and the page that a person opens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialsim.engine.store import write_bytes, write_rows, write_text
from trialsim.report.comparison import (
    Row,
    Told,
    caption,
    design_table,
    design_words,
    difference_table,
    is_within,
    measures_table,
)
from trialsim.report.comparison_findings import findings
from trialsim.report.figure_files import Draw, figure_files
from trialsim.report.figures.design_forest import design_forest_data, draw_design_forest
from trialsim.report.figures.design_pareto import design_pareto_data, draw_design_pareto
from trialsim.report.figures.design_power import design_power_data, draw_design_power
from trialsim.report.html import flat, rendered, shown_figure
from trialsim.report.words import fixed, joined, method_words, name_words, path_words, value_words

REPORT = "report.html"
ANSWER = "comparison.json"
FIGURES: tuple[tuple[str, Any, Draw], ...] = (
    ("design_forest", design_forest_data, draw_design_forest),
    ("design_power", design_power_data, draw_design_power),
    ("design_pareto", design_pareto_data, draw_design_pareto),
)
"""Name, data and drawing of each figure, in the order of the page."""


def answer_text(told: Told) -> str:
    """Return a comparison with its findings as the text of `comparison.json`."""
    return json.dumps({**told, "findings": findings(told)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def is_published(folder: Path, told: Told) -> bool:
    """Return whether a folder holds the tables, figures and page of this very comparison."""
    path = folder / ANSWER
    whole = [
        folder / REPORT,
        *(folder / "figures" / f"{name}.{end}" for name, _, _ in FIGURES for end in ("png", "svg")),
    ]
    if not path.exists() or not all(file.exists() for file in whole):
        return False
    return path.read_text(encoding="utf-8") == answer_text(told)


def publish_comparison(folder: Path, told: Told, manifest: Mapping[str, Any]) -> None:
    """Write tables, figures (PNG, SVG and their data) and the page of a comparison; its answer last.

    Parameters
    ----------
    folder : Path
    told : mapping
        Of `Comparison.to_dict`.
    manifest : mapping
        What is needed to do this again.
    """
    write_rows(folder, "designs", design_rows(told))
    write_rows(folder, "differences", [dict(row) for row in told["differences"]])
    files = figure_files({name: (data(told), draw) for name, data, draw in FIGURES})
    for name, content in files.items():
        write_bytes(folder / "figures" / name, content)
    svgs = {name: files[f"{name}.svg"].decode("utf-8") for name, _, _ in FIGURES}
    write_text(folder / REPORT, comparison_page(told, svgs, manifest))
    write_text(folder / ANSWER, answer_text(told))


def design_rows(told: Told) -> list[dict[str, Any]]:
    """Return one flat mapping for each design: who it is, its measures with their errors, rank and front."""
    rows = []
    for row in told["designs"]:
        flat_row = {
            key: row[key]
            for key in ("name", "label", "file", "folder", "cell", "analysis", "contrast", "null", "procedure")
        }
        flat_row["decided_by"] = ", ".join(row["decided_by"])
        flat_row |= {key: row[key] for key in ("true_value", "mean_estimate", "mean_estimate_mcse", "usable", "failed")}
        for name, value in row["metrics"].items():
            # One kind of number in a column, whatever designs have.
            flat_row[name] = None if value["value"] is None else float(value["value"])
            flat_row[f"{name}_mcse"] = None if value["value"] is None else float(value["mcse"] or 0.0)
        flat_row |= {key: row[key] for key in ("power_low", "power_high")}
        rank = row["rank"] or {"place": None, "best": None, "worst": None}
        flat_row |= {"rank": rank["place"], "rank_best": rank["best"], "rank_worst": rank["worst"]}
        flat_row |= {"feasible": row["feasible"], "on_front": row["on_front"]}
        flat_row |= {key: ", ".join(row[key]) for key in ("beaten_by", "apparently_beaten_by")}
        rows.append(flat_row)
    return rows


def comparison_page(told: Told, figures: Mapping[str, str], manifest: Mapping[str, Any]) -> str:
    """Return a comparison as an HTML page that needs nothing else.

    Parameters
    ----------
    told : mapping
        Of `Comparison.to_dict`.
    figures : mapping of str to str
        SVG documents by name.
    manifest : mapping
        Shown as it is, nested keys joined with dots.
    """
    words = design_words(told)
    context = {
        "title": str(told["title"]),
        "question": str(told["question"]["label"]),
        "designs": joined(list(words.values())),
        "findings": findings(told),
        "notes": list(told["notes"]),
        "table": design_table(told),
        "measures": measures_table(told),
        "caption": caption(told),
        "pairs": difference_table(told),
        "figures": [shown_figure(name, svg) for name, svg in figures.items()],
        "facts": [(words[row["name"]], _facts(row)) for row in told["designs"]],
        "within": is_within(told),
        "replicates": f"{told['replicates']:,}",
        "manifest": list(flat(manifest)),
    }
    return rendered("comparison.html.j2", context)


def _facts(row: Row) -> list[tuple[str, str]]:
    ratio = " : ".join(str(part) for part in row["ratio"])
    truth, error = float(row["true_value"]), float(row["true_value_se"] or 0.0)
    facts = [
        ("Name", str(row["name"])),
        ("File", str(row["file"])),
        ("Arms", f"{joined(list(row['arms']))}, {ratio}"),
        ("Patients randomised", f"{row['metrics']['n']['value']:,.0f}"),
        ("Contrast", f"{row['contrast']} on {name_words(str(row['outcome']))}, day {row['visit_days']:g}"),
        ("Analysis", method_words(str(row["analysis"]))),
        ("True value", f"{fixed(truth, 2)}{f' ± {fixed(error, 2)}' if error else ''}"),
        ("Usable fits", f"{row['usable']:,}, {row['failed']:,} failed"),
    ]
    changes = [f"{path_words(path)}: {value_words(path, value)}" for path, value in row["changes"].items()]
    settings = [f"{path_words(path)}: {value_words(path, value)}" for path, value in row["settings"].items()]
    return [
        *facts,
        *([("Changes", "; ".join(changes))] if changes else []),
        *([("Cell", "; ".join(settings))] if settings else []),
    ]
