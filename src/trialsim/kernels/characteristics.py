r"""Margins of what participants bring along: yes or no, whole years, numbers of earlier treatments.

Each is a step function of a latent standard normal, as scores are (`kernels.margins`), so that it can be correlated
with a score in the same way.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from trialsim.kernels.margins import BoundedMargins

Array = NDArray[np.float64]

SMALLEST_SD = 0.75
"""Of a truncated normal on whole numbers, below which rounding rules it."""

_ITERATIONS = 200
_TOLERANCE = 1e-12
_LAST_TAIL = 1e-15


class WholeNumberError(ValueError):
    """A mean and SD that no truncated normal on the whole numbers between the bounds has.

    Attributes
    ----------
    index : int
        Group concerned.
    largest_sd : float
        With that mean; NaN where the mean itself is out of reach.
    """

    def __init__(self, index: int, largest_sd: float) -> None:
        self.index, self.largest_sd = index, largest_sd
        super().__init__(f"group {index}: the SD can be at most {largest_sd:.4g}")


def yes_or_no(share: Array) -> BoundedMargins:
    """Return the margins of something that a share of each group has, shape (S,): 1 for yes."""
    probabilities = np.stack([1.0 - share, share], axis=-1)
    return BoundedMargins(
        np.array([0.0, 1.0]),
        probabilities,
        -scipy.special.ndtri(share)[:, None],
        share.copy(),
        np.sqrt(share * (1.0 - share)),
    )


def from_least(mean: Array, least: int) -> BoundedMargins:
    """Return the margins of counts from a least number on: that number plus a Poisson variable.

    Parameters
    ----------
    mean : ndarray, shape (S,)
        At least `least`.
    least : int

    Returns
    -------
    BoundedMargins
        Batch shape (S,); cut where less than 1e-15 is beyond.
    """
    excess = np.asarray(mean, dtype=np.float64) - least
    last = 1
    while (scipy.special.pdtrc(last, excess) > _LAST_TAIL).any():
        last += 1
    below = scipy.special.pdtr(np.arange(last), excess[:, None])
    above = scipy.special.pdtrc(np.arange(last), excess[:, None])
    return _assembled(np.arange(least, least + last + 1.0), below, above)


def truncated_normal(mean: Array, sd: Array, least: int, most: int) -> BoundedMargins:
    r"""Return the margins of whole numbers in proportion to a normal density, cut at both ends.

    Parameters
    ----------
    mean, sd : ndarray, shape (S,)
        Of the whole numbers themselves, not of the normal before it is cut; SD at least `SMALLEST_SD`.
    least, most : int

    Returns
    -------
    BoundedMargins
        Batch shape (S,).

    Raises
    ------
    WholeNumberError
        If the mean is not inside the bounds, or the SD is larger than a truncated normal's can be.

    Notes
    -----
    :math:`p_x \propto \exp(a x - b x^2)`, b > 0: with given mean the SD falls as b rises, and with given b the mean
    rises with a, so the parameters of an attainable mean and SD are unique. They are found by Newton's method on the
    convex :math:`\log \sum_x \exp(a x + c x^2) - a m_1 - c m_2`.
    """
    numbers = np.arange(least, most + 1.0)
    rows = [_row(float(m), float(s), numbers, i) for i, (m, s) in enumerate(zip(mean, sd, strict=True))]
    probabilities = np.stack(rows)
    below = np.cumsum(probabilities, axis=-1)[:, :-1]
    above = np.cumsum(probabilities[:, ::-1], axis=-1)[:, ::-1][:, 1:]
    return _assembled(numbers, below, above)


def _row(mean: float, sd: float, numbers: Array, index: int) -> Array:
    if not numbers[0] < mean < numbers[-1]:
        raise WholeNumberError(index, np.nan)
    centre = 0.5 * (numbers[0] + numbers[-1])
    half = 0.5 * (numbers[-1] - numbers[0])
    x = (numbers - centre) / half
    place = (mean - centre) / half
    flat = _fit(x[None], np.array([place]), np.zeros(1))
    largest = half * float(np.sqrt(flat @ (x - place) ** 2))
    if sd >= largest:
        raise WholeNumberError(index, largest)
    spread = (sd / half) ** 2
    moments = np.array([place, spread + place**2])
    start = np.array([place, -0.5]) / spread
    return _fit(np.stack([x, x**2]), moments, start)


def _fit(features: Array, moments: Array, start: Array) -> Array:
    """Return the probabilities of the exponential family of some features with the moments asked for."""
    parameters = start.copy()
    value = _dual(features, moments, parameters)[0]
    for _ in range(_ITERATIONS):
        _, probabilities = _dual(features, moments, parameters)
        at = features @ probabilities
        gap = moments - at
        if np.abs(gap).max() < _TOLERANCE:
            break
        information = (features * probabilities) @ features.T - np.outer(at, at)
        step = np.linalg.solve(information, gap)
        length = 1.0
        while (tried := _dual(features, moments, parameters + length * step)[0]) > value and length > _TOLERANCE:
            length *= 0.5
        parameters, value = parameters + length * step, tried
    return _dual(features, moments, parameters)[1]


def _dual(features: Array, moments: Array, parameters: Array) -> tuple[float, Array]:
    exponent = parameters @ features
    largest = float(exponent.max())
    weights = np.exp(exponent - largest)
    total = float(weights.sum())
    return largest + float(np.log(total)) - float(parameters @ moments), weights / total


def _assembled(values: Array, below: Array, above: Array) -> BoundedMargins:
    """Return margins from P(X <= x) and P(X > x), each exact in its own tail."""
    lower = below < 0.5
    thresholds = np.where(
        lower, scipy.special.ndtri(np.minimum(below, 1.0)), -scipy.special.ndtri(np.minimum(above, 1.0))
    )
    ends = np.zeros((len(below), 1))
    probabilities = np.diff(np.concatenate([ends, below, ends + 1.0], axis=-1), axis=-1)
    probabilities = np.maximum(probabilities, 0.0)
    mean = probabilities @ values
    sd = np.sqrt(np.sum(probabilities * (values - mean[:, None]) ** 2, axis=-1))
    return BoundedMargins(values, probabilities, np.maximum.accumulate(thresholds, axis=-1), mean, sd)
