"""Monte Carlo uncertainty of simulation results: how far a number may be from that of endless replicates.

Each function takes what was seen over the replicates of one cell and returns one performance measure with its
Monte Carlo standard error (MCSE). The formulas are those of Table 6 of Morris, White & Crowther (2019), which
treat replicates as independent and, for the standard deviation, the estimates as normal.

References
----------
Morris TP, White IR, Crowther MJ (2019). Using simulation studies to evaluate statistical methods. Statistics
in Medicine 38:2074-2102, Table 6. doi:10.1002/sim.8086
Wilson EB (1927). Probable inference, the law of succession, and statistical inference. Journal of the
American Statistical Association 22:209-212. doi:10.1080/01621459.1927.10502953
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray


class Measure(NamedTuple):
    """A performance measure and its Monte Carlo standard error, both in the unit of the measure."""

    value: float
    mcse: float


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float


NOT_ESTIMABLE = Measure(math.nan, math.nan)


def mcse_proportion(proportion: float, count: int) -> float:
    """Return the MCSE of a proportion seen in `count` independent replicates.

    Parameters
    ----------
    proportion : float
        Between 0 and 1; the observed share, or the expected one when a run is being planned.
    count : int
        Number of replicates in the denominator; 0 gives NaN.

    Returns
    -------
    float
        ``sqrt(p (1 - p) / count)``. It is 0 for a proportion of 0 or 1, which is not certainty: show
        `wilson_interval` beside it.
    """
    if not (0.0 <= proportion <= 1.0 or math.isnan(proportion)):
        raise ValueError(f"proportion must lie in [0, 1]; got {proportion}")
    if count == 0:
        return math.nan
    return math.sqrt(proportion * (1.0 - proportion) / count)


def proportion(hits: int, count: int) -> Measure:
    """Return `hits` out of `count` as a share with its MCSE; NaN for both when `count` is 0."""
    _check_counts(hits, count)
    if count == 0:
        return NOT_ESTIMABLE
    share = hits / count
    return Measure(share, mcse_proportion(share, count))


def wilson_interval(hits: int, count: int, *, level: float = 0.95) -> Interval:
    """Return the Wilson score interval of a proportion, which is never of zero width.

    Parameters
    ----------
    hits, count : int
        Successes and trials, ``0 <= hits <= count``; a count of 0 gives NaN for both ends.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Ends within [0, 1]; exactly 0 at ``hits = 0`` and exactly 1 at ``hits = count``.
    """
    _check_counts(hits, count)
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1); got {level}")
    if count == 0:
        return Interval(math.nan, math.nan)
    z = float(scipy.special.ndtri(0.5 + level / 2.0))
    share = hits / count
    shrink = 1.0 + z * z / count
    centre = (share + z * z / (2.0 * count)) / shrink
    half = z / shrink * math.sqrt(share * (1.0 - share) / count + (z / (2.0 * count)) ** 2)
    # The ends are exact at the corners; rounding would leave them a few ulps away.
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == count else centre + half
    return Interval(low, high)


def mean(values: NDArray[np.float64]) -> Measure:
    """Return the mean of `values`, shape (R,), and its MCSE ``SD / sqrt(R)``.

    The MCSE is NaN below two values, and the mean below one.
    """
    count = values.size
    if count == 0:
        return NOT_ESTIMABLE
    centre, variance = _moments(values)
    return Measure(centre, math.sqrt(variance / count))


def mcse_mean(values: NDArray[np.float64]) -> float:
    """Return ``SD(values) / sqrt(R)`` for `values` of shape (R,); NaN below two values."""
    return math.sqrt(_moments(values)[1] / values.size) if values.size else math.nan


def mcse_sd(sd: float, count: int) -> float:
    """Return the MCSE of a standard deviation over `count` replicates, ``SD / sqrt(2 (count - 1))``.

    Exact for normal values, and NaN below two replicates.
    """
    if count < 2:
        return math.nan
    return sd / math.sqrt(2.0 * (count - 1))


def empirical_se(estimates: NDArray[np.float64]) -> Measure:
    """Return the standard deviation of `estimates`, shape (R,), over replicates, with its MCSE."""
    if estimates.size < 2:
        return NOT_ESTIMABLE
    sd = math.sqrt(_moments(estimates)[1])
    return Measure(sd, mcse_sd(sd, estimates.size))


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and variance of one value or more; the variance of one is NaN. NumPy's own take twice as long."""
    centre = np.add.reduce(values) / values.size
    off = values - centre
    return float(centre), float(np.add.reduce(off * off)) / (values.size - 1) if values.size > 1 else math.nan


def model_se(standard_errors: NDArray[np.float64]) -> Measure:
    """Return the root mean square of the reported standard errors, shape (R,), with its MCSE.

    Notes
    -----
    Variances are averaged, not standard errors, because it is the variance that an unbiased analysis gets
    right on average: ``ModSE = sqrt(mean(se^2))``, ``MCSE = sqrt(var(se^2) / (4 R ModSE^2))``.
    """
    count = standard_errors.size
    if count == 0:
        return NOT_ESTIMABLE
    square, spread = _moments(standard_errors**2)
    root = math.sqrt(square)
    if count < 2 or root == 0.0:
        return Measure(root, math.nan if count < 2 else 0.0)
    return Measure(root, math.sqrt(spread / (4.0 * count * root**2)))


def relative_error_model_se(estimates: NDArray[np.float64], standard_errors: NDArray[np.float64]) -> Measure:
    """Return by how many percent the model SE is above (+) or below (-) the empirical SE, with its MCSE.

    Parameters
    ----------
    estimates, standard_errors : ndarray, shape (R,)
        Of the same fits.
    """
    return relative_error(model_se(standard_errors), empirical_se(estimates))


def relative_error(model: Measure, empirical: Measure) -> Measure:
    """Return by how many percent one standard error is above another, both independently estimated, with its MCSE.

    Parameters
    ----------
    model, empirical : Measure
        Of `model_se` and `empirical_se` over the same fits.

    Notes
    -----
    ``100 (ModSE / EmpSE - 1)``, with MCSE ``100 ModSE / EmpSE`` times the root of the sum of squares of the two
    relative MCSEs.
    """
    if math.isnan(empirical.value) or empirical.value == 0.0 or math.isnan(model.value) or model.value == 0.0:
        return NOT_ESTIMABLE
    ratio = model.value / empirical.value
    relative = math.hypot(model.mcse / model.value, empirical.mcse / empirical.value)
    return Measure(100.0 * (ratio - 1.0), 100.0 * ratio * relative)


def mean_squared_error(estimates: NDArray[np.float64], true_value: float) -> Measure:
    """Return the mean squared distance of `estimates`, shape (R,), from `true_value`, with its MCSE."""
    return mean((estimates - true_value) ** 2)


def replicates_for_mcse(proportion: float, target_mcse: float) -> int:
    """Return the smallest number of replicates at which a proportion has an MCSE of at most `target_mcse`."""
    if not 0.0 <= proportion <= 1.0:
        raise ValueError(f"proportion must lie in [0, 1]; got {proportion}")
    if not target_mcse > 0.0:
        raise ValueError(f"target_mcse must be above 0; got {target_mcse}")
    # A hair is taken off so that, say, .25 / .01^2 = 2500.0000000000005 does not ask for one more.
    return max(1, math.ceil(proportion * (1.0 - proportion) / target_mcse**2 * (1.0 - 1e-12)))


def _check_counts(hits: int, count: int) -> None:
    if not 0 <= hits <= count:
        raise ValueError(f"hits must lie between 0 and count; got {hits} of {count}")
