"""Figures outside a run folder as files: a PNG, an SVG and the data behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report.csv_files import csv_text
from trialsim.report.fonts import drawable_columns
from trialsim.report.style import png_bytes, svg_text

Draw = Callable[[pd.DataFrame], Figure]


def figure_files(figures: Mapping[str, tuple[pd.DataFrame, Draw]]) -> dict[str, bytes]:
    """Return the content of the files of figures, by file name.

    Parameters
    ----------
    figures : mapping of str to (DataFrame, callable)
        By name: the data, and what draws a figure of them. Columns `<what>_label` hold words; in the PNG those that no
        font here can draw give way to the names in `<what>`.

    Returns
    -------
    dict of str to bytes
        NAME.png, NAME.svg and NAME.csv of each; the same bytes whenever they are made.
    """
    files = {}
    for name, (data, draw) in figures.items():
        figure, pictured = draw(data), drawable_columns(data)
        picture = figure if pictured.equals(data) else draw(pictured)
        files[f"{name}.png"] = png_bytes(picture)
        files[f"{name}.svg"] = svg_text(figure).encode("utf-8")
        files[f"{name}.csv"] = csv_text(data).encode("utf-8")
    return files
