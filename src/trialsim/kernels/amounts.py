"""Amounts that are known or believed to be somewhere: constants and distributions on the positive half of the line."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

Array = NDArray[np.float64]


def amount_quantile(kind: str, parameters: tuple[float, ...], q: Array) -> Array:
    """Return the value below which a share q lies, any shape.

    Parameters
    ----------
    kind : {'constant', 'uniform', 'triangular', 'lognormal', 'gamma'}
    parameters : tuple of float
        Value; low, high; low, mode, high; median, SD of the logarithm; mean, SD. None below 0.
    q : ndarray
        Between 0 and 1, the ends excluded.
    """
    if kind == "constant":
        return np.full(np.shape(q), parameters[0])
    if kind == "uniform":
        low, high = parameters
        return np.asarray(low + (high - low) * q)
    if kind == "triangular":
        low, mode, high = parameters
        return _triangular(low, mode, high, q)
    if kind == "lognormal":
        median, log_sd = parameters
        return np.asarray(median * np.exp(log_sd * ndtri(q)))
    mean, sd = parameters
    if mean == 0.0 or sd == 0.0:
        return np.full(np.shape(q), mean)
    shape = (mean / sd) ** 2
    return np.asarray(gammaincinv(shape, q) * (mean / shape))


def _triangular(low: float, mode: float, high: float, q: Array) -> Array:
    if low == high:
        return np.full(np.shape(q), low)
    turn = (mode - low) / (high - low)
    rising = low + np.sqrt(np.maximum(q, 0.0) * (high - low) * (mode - low))
    return np.asarray(np.where(q < turn, rising, high - np.sqrt((1.0 - q) * (high - low) * (high - mode))))


def amount_mean(kind: str, parameters: tuple[float, ...]) -> float:
    """Return the expected value; arguments as for `amount_quantile`."""
    if kind in ("constant", "gamma"):
        return parameters[0]
    if kind == "lognormal":
        return parameters[0] * math.exp(parameters[1] ** 2 / 2.0)
    return sum(parameters) / len(parameters)
