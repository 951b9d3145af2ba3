"""Nodes and probabilities of chi and beta variables, for expectations of smooth functions of them.

Both densities are smooth on the logarithmic scale and fall off exponentially at either end, so that equal steps
converge faster than any power of their width.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DECAY = 40.0
"""A density is followed until it has fallen by this power of e."""
STEP = 0.3
"""Width of a step, in units of the narrower of the density and the turn of the integrand."""
MOST_NODES = 40_000


def chi_nodes(df: float, turn: float = 1.0) -> tuple[Array, Array]:
    """Return values of S, S² being chi-square over its degrees of freedom, and their probabilities.

    Parameters
    ----------
    df : float
        Above 0, not necessarily whole.
    turn : float
        The integrand may turn within 1 / turn of log S.

    Returns
    -------
    values, probabilities : ndarray, shape (M,)
    """
    reach = DECAY / df
    low, high = -(reach + math.sqrt(reach)), min(math.sqrt(reach), 1.0 + 0.5 * math.log1p(2.5 * reach))
    y = _steps(low, high, STEP / max(math.sqrt(2.0 * df), turn, 2.5))
    return np.exp(y), _normalised(df * (y - 0.5 * np.expm1(2.0 * y)))


def beta_nodes(a: float, b: float) -> tuple[Array, Array]:
    """Return values of a Beta(a, b) variable, its complement being 1 minus them, and their probabilities.

    Parameters
    ----------
    a, b : float
        Above 0.

    Returns
    -------
    values, probabilities : ndarray, shape (M,)
    """
    width = math.sqrt(1.0 / a + 1.0 / b)
    spread = math.sqrt(2.0 * DECAY) * width
    y = math.log(a / b) + _steps(-(DECAY / a + spread), DECAY / b + spread, STEP * min(width, 1.0))
    density = _normalised(-a * np.logaddexp(0.0, -y) - b * np.logaddexp(0.0, y))
    kept = density > 1e-20
    return 1.0 / (1.0 + np.exp(-y[kept])), density[kept]


def _steps(low: float, high: float, width: float) -> Array:
    return np.linspace(low, high, min(int((high - low) / width) + 2, MOST_NODES))


def _normalised(log_density: Array) -> Array:
    density = np.exp(log_density - log_density.max())
    return np.asarray(density / density.sum())
