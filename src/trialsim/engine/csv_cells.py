"""Texts in CSV files that a spreadsheet would take for formulas.

A label is free text, and `=HYPERLINK(...)` is a label. Such a text gets an apostrophe in front, which spreadsheets show
as text (the remedy that OWASP gives for CSV injection). Numbers stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]inf")
_NEUTRAL = re.compile(r"'+[=+\-@\t\r＝＋－＠]")


def neutral(value: Any) -> Any:
    """Return a value as it may stand in a CSV file; only texts that look like formulas change.

    Parameters
    ----------
    value : object
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def original(value: Any) -> Any:
    """Return what `neutral` was given."""
    return value[1:] if isinstance(value, str) and _NEUTRAL.match(value) else value
