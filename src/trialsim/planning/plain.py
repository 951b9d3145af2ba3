"""Answers as plain data that any program reads."""

from __future__ import annotations

import math
from typing import Any


def without_nan(value: Any) -> Any:
    """Return plain data in which numbers that do not exist (NaN, infinite) are None, tuples lists, and keys texts."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
