"""Frames as CSV."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

from trialsim.engine.csv_cells import neutral


def csv_text(frame: pd.DataFrame, *, digits: int | None = 15) -> str:
    """Return a frame as CSV with unix line ends; texts that look like formulas are neutral.

    Parameters
    ----------
    frame : DataFrame
    digits : int, optional
        Significant ones: 15 tell all scores of a scale apart and write whole numbers as such. None writes all there
        are.
    """
    texts = {name: column.map(neutral) for name, column in frame.items() if not is_numeric_dtype(column)}
    form = None if digits is None else f"%.{digits}g"
    return str(frame.assign(**texts).to_csv(index=False, lineterminator="\n", float_format=form))
