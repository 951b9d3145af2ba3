"""Margins of bounded scores: what a rating scale's grid allows, and the score as a step function of a latent normal.

A score lives on the grid minimum, minimum + step, ..., maximum. Its distribution is a beta on [minimum - step
/ 2, maximum + step / 2] rounded to that grid. For every mean strictly inside the scale the SDs that *any*
distribution on the grid can have fill an interval, and this family reaches the whole of it: its lower end is
mass on the two neighbouring grid points, its upper end mass on minimum and maximum, and in between mean and
SD vary continuously.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SERIES_ORDER",
    "BoundedMargins",
    "MarginError",
    "attainable_sd",
    "fit_bounded_margins",
    "hermite_coefficients",
    "step_coefficients",
]

FloatArray = NDArray[np.float64]

# Long enough for the worst step function, a single cut, at a latent correlation of 0.95: the terms fall at
# least as n^-3/2 rho^n, so what is left out is below 1e-9. tests/unit/kernels/test_copula.py guards it.
SERIES_ORDER = 300

# exp(-t^2 / 2) is exactly zero from 39 on, so thresholds out there (infinite ones too) add nothing to any
# coefficient.
_FAR = 40.0

_TOLERANCE = 2e-11  # of mean and SD, in steps of the grid
_SMALLEST_SD = 1e-6  # in steps: below it the score is as good as constant, and correlates with nothing
_MAX_ITERATIONS = 40
_LARGEST_MOVE = 2.0  # of either parameter on its log scale, in one iteration
_DIFFERENCE = 1e-6


class BoundedMargins(NamedTuple):
    """Score distributions on one grid, each as a monotone step function of a standard normal.

    Attributes
    ----------
    values : ndarray, shape (L,), points
        The grid, increasing.
    probabilities : ndarray, shape (..., L)
        Of each score; they add to 1.
    thresholds : ndarray, shape (..., L - 1)
        Latent cut points, not decreasing; the score is `values[number of thresholds < z]`. Infinite where a
        score and all beyond it have no mass.
    mean, sd : ndarray, shape (...), points
        Of the rounded score.
    """

    values: FloatArray
    probabilities: FloatArray
    thresholds: FloatArray
    mean: FloatArray
    sd: FloatArray


class MarginError(ValueError):
    """A mean and SD that no distribution on the scale has.

    Attributes
    ----------
    index : tuple of int
        Where in the batch; empty for a single margin.
    mean, sd : float, points
        What was asked for.
    attainable_sd : tuple of float, points
        Smallest and largest SD with that mean; both NaN where the mean itself is outside the scale.
    """

    def __init__(self, index: tuple[int, ...], mean: float, sd: float, attainable_sd: tuple[float, float]) -> None:
        self.index, self.mean, self.sd, self.attainable_sd = index, mean, sd, attainable_sd
        low, high = attainable_sd
        if np.isnan(low):
            message = f"the mean {mean:g} is not strictly inside the scale"
        else:
            message = f"a mean of {mean:g} allows an SD from {low:.4g} to {high:.4g}, above 0; got {sd:g}"
        super().__init__(message)


def attainable_sd(mean: ArrayLike, *, minimum: float, maximum: float, step: float) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and largest SD that scores with this mean can have on the grid.

    Parameters
    ----------
    mean : array_like, shape (...), points
    minimum, maximum, step : float, points
        The grid; `maximum - minimum` is a whole number of steps.

    Returns
    -------
    low, high : ndarray, shape (...), points
        NaN where the mean is not strictly between minimum and maximum. `low` is 0 where the mean is a grid
        point (the score is then constant, which `fit_bounded_margins` does not take).
    """
    levels = _levels(minimum, maximum, step)
    position = (np.asarray(mean, dtype=np.float64) - minimum) / step
    position = np.where((position > 0) & (position < levels), position, np.nan)
    fraction = position - np.floor(position)
    # A mean such as 7 / 23 on a grid of 1 / 23 is on the grid but for the last bits.
    fraction = np.where(np.abs(fraction - np.round(fraction)) < 1e-12 * levels, 0.0, fraction)
    low = step * np.sqrt(fraction * (1 - fraction))
    high = step * np.sqrt(position * (levels - position))
    return low, high


def fit_bounded_margins(
    mean: ArrayLike, sd: ArrayLike, *, minimum: float, maximum: float, step: float
) -> BoundedMargins:
    """Return rounded-beta margins whose mean and SD after rounding are the ones asked for.

    Parameters
    ----------
    mean, sd : array_like, broadcast to shape (...), points
        `mean` strictly between minimum and maximum, `sd` above 0 and within `attainable_sd`.
    minimum, maximum, step : float, points
        The grid; `maximum - minimum` is a whole number of steps.

    Returns
    -------
    BoundedMargins
        Mean and SD agree with the asked ones to 1e-10 points (or steps, where a step is larger).

    Raises
    ------
    MarginError
        At the first margin that the scale cannot have.

    Notes
    -----
    Unknowns are the logit of the beta's mean and the log of its precision a + b; equations are the logit of
    the mean's place on the scale and the log odds of the variance against the largest one with that mean, in
    which the problem is close to linear. Damped Newton steps, each margin of the batch at its own pace.
    """
    levels = _levels(minimum, maximum, step)
    mean_given, sd_given = np.broadcast_arrays(np.asarray(mean, np.float64), np.asarray(sd, np.float64))
    low, high = attainable_sd(mean_given, minimum=minimum, maximum=maximum, step=step)
    slack = 5 * _TOLERANCE * step
    possible = (sd_given >= low - slack) & (sd_given <= high + slack) & (sd_given >= _SMALLEST_SD * step)
    if not possible.all():
        index = tuple(int(i) for i in np.argwhere(~possible)[0])
        raise MarginError(
            index, float(mean_given[index]), float(sd_given[index]), (float(low[index]), float(high[index]))
        )

    place = ((mean_given - minimum) / step).ravel()
    spread = (sd_given / step).ravel()
    below = np.empty((place.size, levels))
    above = np.empty_like(below)
    at_low = spread <= low.ravel() / step + 2 * _TOLERANCE
    at_high = ~at_low & (spread >= high.ravel() / step - 2 * _TOLERANCE)
    inside = ~(at_low | at_high)
    below[at_low], above[at_low] = _neighbours(place[at_low], levels)
    above[at_high] = (place[at_high] / levels)[:, None]
    below[at_high] = 1 - above[at_high]
    a, b = _solve_beta(place[inside], spread[inside], levels)
    cuts = _cuts(levels)
    below[inside] = scipy.special.betainc(a[:, None], b[:, None], cuts)
    above[inside] = scipy.special.betaincc(a[:, None], b[:, None], cuts)
    return _assemble(below, above, np.linspace(minimum, maximum, levels + 1), mean_given.shape)


def hermite_coefficients(margins: BoundedMargins, *, order: int = SERIES_ORDER) -> FloatArray:
    """Return the coefficients of score(z) in normalised probabilists' Hermite polynomials.

    Parameters
    ----------
    margins : BoundedMargins, batch shape (...)
    order : int
        Number of coefficients, at least 1.

    Returns
    -------
    ndarray, shape (..., order), points
        `[..., n - 1]` is E[score(Z) He_n(Z)] / sqrt(n!), n = 1, ..., order; the squares of all of them add to
        the variance.

    See Also
    --------
    step_coefficients : the same from thresholds and jumps.
    """
    return step_coefficients(margins.thresholds, np.diff(margins.values), order=order)


def step_coefficients(thresholds: FloatArray, jumps: FloatArray, *, order: int = SERIES_ORDER) -> FloatArray:
    """Return the Hermite coefficients of a step function of a standard normal.

    Parameters
    ----------
    thresholds : ndarray, shape (..., M)
        Where it jumps; infinite ones add nothing.
    jumps : ndarray, broadcast to (..., M), points
        By how much.
    order : int
        Number of coefficients, at least 1.

    Returns
    -------
    ndarray, shape (..., order), points

    Notes
    -----
    With jumps s_j at t_j the n-th is sum_j s_j phi(t_j) He_{n-1}(t_j) / sqrt(n!). The functions f_n = s
    phi(t) He_n(t) / sqrt(n!) obey f_{n+1} = (t f_n - sqrt(n) f_{n-1}) / sqrt(n + 1); weight and jump sit in
    the start, so nothing overflows, and the recurrence is stable since the polynomial is its growing
    solution.
    """
    if order < 1:
        raise ValueError(f"order must be at least 1; got {order}")
    cut = np.clip(thresholds, -_FAR, _FAR)
    current = np.exp(-0.5 * cut**2) / np.sqrt(2 * np.pi) * jumps
    previous = np.zeros_like(cut)
    following = np.empty_like(cut)
    coefficients = np.empty((order, *cut.shape[:-1]))
    for n in range(order):
        coefficients[n] = current.sum(axis=-1) / np.sqrt(n + 1)
        np.multiply(cut, current, out=following)
        previous *= np.sqrt(n)
        following -= previous
        following /= np.sqrt(n + 1)
        previous, current, following = current, following, previous
    return np.moveaxis(coefficients, 0, -1)


def _levels(minimum: float, maximum: float, step: float) -> int:
    """Return the number of steps from minimum to maximum."""
    if not (np.isfinite([minimum, maximum, step]).all() and step > 0 and maximum > minimum):
        raise ValueError(f"a scale needs minimum < maximum and step > 0; got {minimum:g}, {maximum:g}, {step:g}")
    levels = round((maximum - minimum) / step)
    if levels < 1 or abs(levels * step - (maximum - minimum)) > 1e-6 * step:
        raise ValueError(f"the range {maximum - minimum:g} must be a whole number of steps; got steps of {step:g}")
    return levels


def _cuts(levels: int) -> FloatArray:
    """Return the rounding boundaries between grid points, as shares of the beta's interval."""
    cuts: FloatArray = np.arange(1, levels + 1) / (levels + 1)
    return cuts


def _neighbours(place: FloatArray, levels: int) -> tuple[FloatArray, FloatArray]:
    """Return P(score <= j) and P(score > j), all mass on the two grid points next to the mean."""
    above = np.clip(place[:, None] - np.arange(levels), 0, 1)
    return 1 - above, above


def _parameters(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the beta's a and b from (logit mean, log precision)."""
    precision = np.exp(x[:, 1])
    return scipy.special.expit(x[:, 0]) * precision, scipy.special.expit(-x[:, 0]) * precision


def _rounded_moments(x: FloatArray, levels: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance, in steps above the minimum, of the rounded beta."""
    a, b = _parameters(x)
    below = scipy.special.betainc(a[:, None], b[:, None], _cuts(levels))
    probabilities = np.diff(below, axis=-1, prepend=0.0, append=1.0)
    score = np.arange(levels + 1.0)
    mean = probabilities @ score
    return mean, np.sum(probabilities * (score - mean[:, None]) ** 2, axis=-1)


def _coordinates(mean: FloatArray, variance: FloatArray, levels: int) -> FloatArray:
    """Return the logit of the mean's place and the log odds of the variance against its upper limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [scipy.special.logit(mean / levels), np.log(variance) - np.log(mean * (levels - mean) - variance)], axis=-1
        )


def _solve_beta(place: FloatArray, spread: FloatArray, levels: int) -> tuple[FloatArray, FloatArray]:
    """Return the beta's a and b for each mean and SD, in steps above the minimum."""
    goal = _coordinates(place, spread**2, levels)
    # Start from the unrounded beta; Sheppard's correction takes the rounding out of the variance.
    share = (place + 0.5) / (levels + 1)
    variance = np.maximum(spread**2 - 1 / 12, 0.02) / (levels + 1) ** 2
    x = np.stack([scipy.special.logit(share), np.log(np.maximum(share * (1 - share) / variance - 1, 0.05))], axis=-1)
    best = np.full(place.size, np.inf)
    move = np.zeros_like(x)
    damping = np.ones(place.size)
    active = np.arange(place.size)
    for _ in range(_MAX_ITERATIONS):
        trial = x[active] + damping[active, None] * move[active]
        mean, variance = _rounded_moments(trial, levels)
        residual = _coordinates(mean, variance, levels) - goal[active]
        size = np.hypot(residual[:, 0], residual[:, 1])
        better = size < best[active]
        damping[active] = np.where(better, 1.0, damping[active] / 2)
        x[active[better]], best[active[better]] = trial[better], size[better]
        error = np.maximum(np.abs(mean - place[active]), np.abs(np.sqrt(variance) - spread[active]))
        settled = better & (error < _TOLERANCE)
        onward = better & ~settled
        move[active[onward]] = _newton_move(trial[onward], residual[onward], levels)
        active = active[~settled]
        if active.size == 0:
            break
    for i in active:
        x[i] = _solve_nested(float(place[i]), float(spread[i]), levels)
    return _parameters(x)


def _solve_nested(place: float, spread: float, levels: int) -> FloatArray:
    """Return (logit mean, log precision) for one margin by a root inside a root: slow and sure.

    For SDs near the lower end of what is attainable, where nearly all mass is on one or two grid points and
    Newton's derivatives vanish. At any precision the mean rises with the beta's mean, so the inner root is
    unique; the outer one exists since the variance goes from its upper to its lower end.
    """
    edge = 40.0  # logit of a beta mean that cannot be told from an end of the scale

    def mean_gap(location: float, log_precision: float) -> float:
        return float(_rounded_moments(np.array([[location, log_precision]]), levels)[0][0]) - place

    def location_of(log_precision: float) -> float:
        return float(
            scipy.optimize.brentq(mean_gap, -edge, edge, args=(log_precision,), xtol=1e-16, rtol=1e-15, maxiter=500)
        )

    def sd_gap(log_precision: float) -> float:
        x = np.array([[location_of(log_precision), log_precision]])
        return float(np.sqrt(_rounded_moments(x, levels)[1][0])) - spread

    log_precision = float(
        scipy.optimize.brentq(sd_gap, -edge, 2 * np.log(1e3 * levels), xtol=1e-15, rtol=1e-15, maxiter=500)
    )
    return np.array([location_of(log_precision), log_precision])


def _newton_move(x: FloatArray, residual: FloatArray, levels: int) -> FloatArray:
    """Return the Newton step, shortened to `_LARGEST_MOVE`."""
    jacobian = np.empty((x.shape[0], 2, 2))
    for column in range(2):
        # Central differences: forward ones stall where the SD is near the lower limit and hardly moves.
        shift = np.zeros(2)
        shift[column] = _DIFFERENCE
        up = _coordinates(*_rounded_moments(x + shift, levels), levels)
        down = _coordinates(*_rounded_moments(x - shift, levels), levels)
        jacobian[:, :, column] = (up - down) / (2 * _DIFFERENCE)
    determinant = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
    adjugate = np.stack(
        [
            jacobian[:, 1, 1] * residual[:, 0] - jacobian[:, 0, 1] * residual[:, 1],
            jacobian[:, 0, 0] * residual[:, 1] - jacobian[:, 1, 0] * residual[:, 0],
        ],
        axis=-1,
    )
    # Where mean and SD do not move at all there is no step; such margins end in `_solve_nested`.
    move = -adjugate / np.where(determinant == 0, np.inf, determinant)[:, None]
    move = np.where(np.isfinite(move), move, 0.0)
    longest = np.max(np.abs(move), axis=-1, keepdims=True)
    shortened: FloatArray = move * np.minimum(1.0, _LARGEST_MOVE / np.maximum(longest, 1e-300))
    return shortened


def _assemble(below: FloatArray, above: FloatArray, values: FloatArray, shape: tuple[int, ...]) -> BoundedMargins:
    """Return the margins from P(score <= j) and P(score > j), each exact in its own tail."""
    lower = below < 0.5
    thresholds = np.where(lower, scipy.special.ndtri(below), -scipy.special.ndtri(above))
    ends = np.ones((below.shape[0], 1))
    all_below = np.concatenate([0 * ends, below, ends], axis=-1)
    all_above = np.concatenate([ends, above, 0 * ends], axis=-1)
    in_lower = np.concatenate([lower, 0 * ends > 0], axis=-1)
    probabilities = np.where(in_lower, np.diff(all_below, axis=-1), -np.diff(all_above, axis=-1))
    probabilities = np.maximum(probabilities, 0.0)
    mean = probabilities @ values
    sd = np.sqrt(np.sum(probabilities * (values - mean[:, None]) ** 2, axis=-1))
    return BoundedMargins(
        values=values,
        probabilities=probabilities.reshape(*shape, values.size),
        thresholds=thresholds.reshape(*shape, values.size - 1),
        mean=mean.reshape(shape),
        sd=sd.reshape(shape),
    )
