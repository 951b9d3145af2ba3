"""Frames as CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from trialsim.engine.csv_cells import neutral, original


def csv_text(frame: pd.DataFrame, *, digits: int | None = 15) -> str:
    """Return a frame as CSV with unix line ends; texts that look like formulas are neutral.

    Parameters
    ----------
    frame : DataFrame
    digits : int, optional
        Significant ones: 15 tell all scores of a scale apart and write whole numbers as such. None writes all there
        are.
    """
    form = None if digits is None else f"%.{digits}g"
    return str(_with_texts(frame, neutral).to_csv(index=False, lineterminator="\n", float_format=form))


def original_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame that was read from such a CSV with its texts as they were.

    Parameters
    ----------
    frame : DataFrame
    """
    return _with_texts(frame, original)


def _with_texts(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    return frame.assign(
        **{str(name): column.map(change) for name, column in frame.items() if not is_numeric_dtype(column)}
    )
