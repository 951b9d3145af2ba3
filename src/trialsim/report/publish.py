"""The figures and the report of a run folder: everything a person opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.engine.store import write_bytes, write_text
from trialsim.kernels.operating_characteristics import CONVERGED
from trialsim.report.csv_files import csv_text
from trialsim.report.design import labels_of
from trialsim.report.families import families_of
from trialsim.report.figures import DrawnFigure, standard_figures
from trialsim.report.figures.trajectories import trajectory_data
from trialsim.report.fonts import drawable, drawable_columns, names_note
from trialsim.report.html import render_report
from trialsim.report.ledger import count_rungs
from trialsim.report.matrix import is_matrix_asked
from trialsim.report.operations_section import operations_drawings_of
from trialsim.report.recruited import asked_words, recruited_of
from trialsim.report.sections import sections_of
from trialsim.report.style import png_bytes, svg_text

REPORT = "report.html"
FIGURES = "figures"


def publish(
    folder: Path,
    manifest: Mapping[str, Any],
    example: Sequence[Mapping[str, Any]],
    example_note: str,
) -> list[Path]:
    """Write figures (PNG, SVG and their data) and the report into a run folder; return the files.

    Parameters
    ----------
    folder : Path
        Holds summary.parquet and estimates.parquet, and families.parquet where hypotheses are tested together.
    manifest : mapping
    example : sequence of mapping
        Rows of the mean trajectories of one simulated trial.
    example_note : str
    """
    resolved = manifest["scenario"]
    summary = pd.read_parquet(folder / "summary.parquet")
    together, recruited, labels = families_of(folder), recruited_of(folder, resolved), labels_of(resolved)
    same = {"families": together, "matrix": is_matrix_asked(resolved), "asked": asked_words(recruited)}
    course = (trajectory_data(pd.DataFrame(example)), example_note)
    drawn, pictures = _drawings(folder, summary, resolved, course, same)
    texts = _write_figures(folder, drawn, pictures)
    # Only the fits that did not go as asked are read into memory.
    unusual = pd.read_parquet(
        folder / "estimates.parquet",
        columns=["cell", "estimand", "method", "replicate", "status", "rung"],
        filters=[("status", "!=", CONVERGED)],
    )
    told = {key: value for key, value in manifest.items() if key != "scenario"}
    page = render_report(
        resolved,
        resolved["provenance"],
        summary,
        texts,
        told,
        rungs=count_rungs(unusual),
        families=together,
        sections=sections_of(folder, summary, resolved, labels),
        recruited=recruited,
    )
    write_text(folder / REPORT, page)
    return [
        folder / REPORT,
        *(folder / FIGURES / f"{name}.{ending}" for name in drawn for ending in ("png", "svg", "csv")),
    ]


def _drawings(
    folder: Path,
    summary: pd.DataFrame,
    resolved: Mapping[str, Any],
    course: tuple[pd.DataFrame, str],
    same: Mapping[str, Any],
) -> tuple[dict[str, DrawnFigure], dict[str, DrawnFigure]]:
    """Return figures by name, as they are in the page and as pictures: these without letters that no font here has."""
    labels, (means, note) = labels_of(resolved), course
    ran = operations_drawings_of(folder, summary, resolved, labels)
    drawn = standard_figures(summary, labels=labels, trajectories=means, trajectories_note=note, **same)
    drawn |= {name: DrawnFigure(draw(data), data) for name, (data, draw) in ran.items()}
    without_font = names_note(labels)
    if not without_font:
        return drawn, drawn
    pictures = standard_figures(
        summary,
        labels=drawable(labels),
        trajectories=drawable_columns(means),
        trajectories_note=note,
        note=without_font,
        **same,
    )
    told = {name: (drawable_columns(data), draw) for name, (data, draw) in ran.items()}
    return drawn, pictures | {name: DrawnFigure(draw(data), data) for name, (data, draw) in told.items()}


def _write_figures(
    folder: Path, drawn: Mapping[str, DrawnFigure], pictures: Mapping[str, DrawnFigure]
) -> dict[str, str]:
    """Write every figure twice, with the data it shows; return the drawings for the page."""
    texts: dict[str, str] = {}
    for name, shown in drawn.items():
        texts[name] = svg_text(shown.figure)
        write_bytes(folder / FIGURES / f"{name}.png", png_bytes(pictures[name].figure))
        write_text(folder / FIGURES / f"{name}.svg", texts[name])
        write_text(folder / FIGURES / f"{name}.csv", csv_text(shown.data, digits=None))
    return texts
