"""Which of several choices are beaten by another on everything that counts (Pareto dominance), errors allowed for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Dominance(NamedTuple):
    """Who beats whom.

    Attributes
    ----------
    apparent, certain : ndarray of bool, shape (D, D)
        Whether the row is no worse than the column on every measure and better on one: by the values found, and also
        at the unfavourable ends of the intervals of their differences.
    """

    apparent: Flags
    certain: Flags

    @property
    def front(self) -> Flags:
        """Choices that none certainly beats, shape (D,)."""
        return np.asarray(~self.certain.any(axis=0))


def dominance(advantage: Array, low: Array) -> Dominance:
    """Return who beats whom.

    Parameters
    ----------
    advantage : ndarray, shape (M, D, D)
        By how much the row is better than the column, on each measure. What is not known is NaN and beats nobody.
    low : ndarray, shape (M, D, D)
        Lower ends of the intervals of the advantages; the advantages themselves where they are exact.
    """
    return Dominance(_beats(advantage), _beats(advantage) & _beats(low))


def _beats(advantage: Array) -> Flags:
    with np.errstate(invalid="ignore"):
        return np.asarray((advantage >= 0.0).all(axis=0) & (advantage > 0.0).any(axis=0))


__all__ = ["Dominance", "dominance"]
