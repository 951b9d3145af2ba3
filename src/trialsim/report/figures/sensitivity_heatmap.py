"""Power over two assumptions, as the heat map of power by number of patients is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from trialsim.report.claims import power_name
from trialsim.report.figures.power_heatmap import COLUMNS, draw_power_heatmap
from trialsim.report.sensitivity import at_words
from trialsim.report.table import power_of
from trialsim.report.words import path_words

EXTRA = ("column", "column_heading", "estimand", "patients", "target", "problem")


def sensitivity_heatmap_data(answer: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return what the heat map draws: one row for each cell.

    Parameters
    ----------
    answer : mapping
        Of a heat map, as plain data.
    labels : mapping, optional
        Words for arms, strata and outcomes.

    Returns
    -------
    DataFrame
        The columns of the heat map of power, of which `n` is the place of the cell from the left; and `column` (value
        of the assumption across, in words), `column_heading`, `estimand`, `patients`, `target` and `problem`.
    """
    columns = list(dict.fromkeys(at_words(answer["columns"], cell["column"], labels) for cell in answer["cells"]))
    what = "Type I error" if answer["metric"] == "type_i_error" else power_name([answer["test"]])
    if answer["metric"] == "power" and answer["procedure"]:
        what = power_of([(str(answer["procedure"]), int(answer["members"]))])
    rows = [
        {
            "panel": "",
            "row": at_words(answer["rows"], cell["row"], labels),
            "row_heading": path_words(answer["rows"], labels=labels),
            "n": columns.index(at_words(answer["columns"], cell["column"], labels)),
            "null": cell["null"],
            "quantity": what,
            "test": answer["test"],
            "share": cell["share"],
            "mcse": cell["mcse"],
            "low": cell["low"],
            "high": cell["high"],
            "column": at_words(answer["columns"], cell["column"], labels),
            "column_heading": path_words(answer["columns"], labels=labels),
            "estimand": answer["estimand"],
            "patients": answer["n"],
            "target": answer["target"],
            "problem": cell["problem"],
        }
        for cell in answer["cells"]
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *EXTRA])
    return frame.astype(dict.fromkeys(("share", "mcse", "low", "high"), float))


def draw_sensitivity_heatmap(frame: pd.DataFrame) -> Figure:
    """Return the figure of `frame`, as made by `sensitivity_heatmap_data`.

    Parameters
    ----------
    frame : DataFrame
        At least one row.
    """
    first = frame.iloc[0]
    what = "Type I error" if frame["null"].all() else str(first["quantity"])
    title = f"{what}: {first['estimand']}, {int(first['patients']):,} patients"
    figure = draw_power_heatmap(frame, title=title, target=float(first["target"]), across=str(first["column_heading"]))
    names = frame.drop_duplicates("n").sort_values("n")
    figure.axes[0].set_xticks(list(names["n"]), list(names["column"]))
    return figure
