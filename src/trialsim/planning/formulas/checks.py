"""Checks of what formulas are given: each fault names the argument, what is wrong and what would be right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.errors import Fault, InputError, as_share

Array = NDArray[np.float64]


def refuse(name: str, message: str) -> NoReturn:
    """Raise the error that says what is wrong with one argument."""
    raise InputError([Fault(name, message)])


def not_one_left_out(**given: object) -> NoReturn:
    """Raise the error that says that not exactly one of several arguments was left out."""
    names = list(given)
    missing = [name for name in names if given[name] is None]
    said = f"{' and '.join(missing)} are left out" if missing else "none is left out"
    refuse((missing or names)[0], f"leave out exactly one of {', '.join(names)}, which is then solved for; {said}")


def positive(**values: float | None) -> None:
    """Refuse values that are not finite and above 0; None passes."""
    for name, value in values.items():
        if value is not None and not (math.isfinite(value) and value > 0.0):
            refuse(name, f"must be a number above 0, not {value}")


def finite(**values: float | None) -> None:
    """Refuse infinities and NaN; None passes."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            refuse(name, f"must be a finite number, not {value}")


def inside(low: float, high: float, **values: float | None) -> None:
    """Refuse values outside an open interval; None passes."""
    for name, value in values.items():
        if value is not None and not low < value < high:
            refuse(name, f"must lie between {low:g} and {high:g}, not {value}{as_share(value, high)}")


def within(low: float, high: float, **values: float | None) -> None:
    """Refuse values outside a closed interval; None passes."""
    for name, value in values.items():
        if value is not None and not low <= value <= high:
            share = as_share(value, high)
            refuse(name, f"must lie between {low:g} and {high:g}, both included, not {value}{share}")


def one_of(name: str, value: str, words: Sequence[str] | Mapping[str, object]) -> None:
    """Refuse a word that is not one of those allowed."""
    if value not in words:
        refuse(name, f"must be one of {', '.join(words)}, not {value!r}")


def allocation(ratio: Sequence[float]) -> tuple[float, float]:
    """Return an allocation ratio (control, active) that is two numbers above 0."""
    parts = tuple(float(part) for part in ratio)
    if len(parts) != 2 or not all(math.isfinite(part) and part > 0.0 for part in parts):
        refuse("ratio", f"must be two numbers above 0, control and active, not {tuple(ratio)}")
    return parts


def pair(name: str, value: float | Sequence[float]) -> tuple[float, float]:
    """Return a number for each of two arms, from one number for both or from a pair (control, active)."""
    numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if numbers.shape not in ((1,), (2,)):
        refuse(name, f"must be one number or two, control and active, not shape {numbers.shape}")
    return float(numbers[0]), float(numbers[-1])


def covariance(name: str, value: ArrayLike, size: int | None = None) -> Array:
    """Return a symmetric positive definite matrix.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : array-like of shape (V, V)
    size : int, optional
        The V that it must have.
    """
    matrix = np.asarray(value, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        refuse(name, f"must be a square matrix, not shape {matrix.shape}")
    if size is not None and len(matrix) != size:
        refuse(name, f"must have a row for each of {size} visits, not {len(matrix)}")
    if not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        refuse(name, "must be symmetric")
    if not np.all(np.isfinite(matrix)) or np.linalg.eigvalsh(matrix)[0] <= 0.0:
        refuse(name, "must be positive definite; look for a correlation that the others do not allow")
    return matrix


def retention(name: str, value: ArrayLike, size: int) -> Array:
    """Return the share of an arm still observed at each visit: in (0, 1], never rising."""
    shares = np.asarray(value, dtype=np.float64)
    if shares.shape != (size,):
        refuse(name, f"must be {size} shares, one a visit, not shape {shares.shape}")
    if not np.all((shares > 0.0) & (shares <= 1.0)) or np.any(np.diff(shares) > 1e-12):
        refuse(name, f"must be shares above 0 and at most 1 that never rise, not {shares.tolist()}")
    return shares
