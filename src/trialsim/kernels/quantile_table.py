r"""Quantile functions of continuous distributions, fast: gamma and beta.

SciPy finds each quantile by iteration. Here the quantile function is tabulated once and interpolated: its logarithm
(gamma) or logit (beta) as a function of the normal score :math:`\Phi^{-1}(u)` is smooth, and cubic Hermite pieces on an
even grid follow it closely. Uniform numbers beyond the grid, one in 10^8, go to SciPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, gammaincinv, logit, ndtr, ndtri

__all__ = ["QuantileTable", "beta_quantiles", "gamma_quantiles"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

_CELLS = 4096
_END = 5.75
"""Largest normal score in the table."""

_LOWEST, _HIGHEST_LOGIT = -690.0, 37.0
"""Of a tabulated logarithm or logit: beyond them are 0 and 1 in the computer's numbers."""

_KEPT = 64
"""Tables of different distributions."""


class QuantileTable:
    """The quantile function of a distribution with positive density.

    Parameters
    ----------
    exact : function of ndarray to ndarray
        The quantile function.
    to_line, from_line : function of ndarray to ndarray
        From the range of the distribution to the real line, and back.
    """

    def __init__(self, exact: Function, to_line: Function, from_line: Function) -> None:
        self._exact, self._from_line = exact, from_line
        step = 2.0 * _END / _CELLS
        knots = step * np.arange(-2, _CELLS + 3) - _END
        with np.errstate(divide="ignore"):
            value = np.maximum(to_line(exact(ndtr(knots))), _LOWEST)
        # Slopes per cell, by central differences of fourth order.
        slope = (8.0 * (value[3:-1] - value[1:-3]) - (value[4:] - value[:-4])) / 12.0
        left, rise = value[2:-3], np.diff(value[2:-2])
        bends = 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise
        self._pieces = np.stack([left, slope[:-1], *bends])

    def __call__(self, uniform: Array) -> Array:
        """Return the quantiles of uniform numbers from 0 to 1, an array of the same shape."""
        u = np.ravel(uniform)
        place = (ndtri(u) + _END) * (_CELLS / (2.0 * _END))
        outside = np.flatnonzero((place < 0.0) | (place >= _CELLS))
        place[outside] = 0.0
        cell = place.astype(np.intp)
        place -= cell
        a, b, c, d = (piece.take(cell) for piece in self._pieces)
        found = self._from_line(a + place * (b + place * (c + place * d)))
        found[outside] = self._exact(u[outside])
        return found.reshape(uniform.shape)


@lru_cache(maxsize=_KEPT)
def gamma_quantiles(shape: float) -> QuantileTable:
    """Return the quantile function of a gamma distribution with scale 1.

    Parameters
    ----------
    shape : float
        Above 0.
    """
    return QuantileTable(lambda u: np.asarray(gammaincinv(shape, u)), np.log, np.exp)


@lru_cache(maxsize=_KEPT)
def beta_quantiles(first: float, second: float) -> QuantileTable:
    """Return the quantile function of a beta distribution.

    Parameters
    ----------
    first, second : float
        Its parameters, above 0.
    """
    return QuantileTable(lambda u: np.asarray(betaincinv(first, second, u)), _logit, expit)


def _logit(share: Array) -> Array:
    return np.asarray(np.minimum(logit(share), _HIGHEST_LOGIT))
