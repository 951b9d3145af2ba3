r"""Dissociation (CADSS) at each infusion: zeros, a long tail to the right, and patients who dissociate again and again.

A share :math:`\pi` of patients scores 0. The others have a gamma variable rounded to the nearest whole point and kept
within 1 and the scale's maximum. Its two parameters are solved so that mean and SD of the whole, after rounding and
bounding, are those asked for. With mean m, SD s and :math:`m_+ = m / (1 - \pi)` those above zero must have

.. math:: s_+^2 = \frac{s^2 + m^2}{1 - \pi} - m_+^2,

which a distribution on 1, ..., M allows where :math:`f(1 - f) \le s_+^2 \le (m_+ - 1)(M - m_+)`, f the fractional part
of :math:`m_+`. The rounded gamma reaches all of it: a large shape puts the mass on the two points next to the mean, a
small one on 1 and M.

The scores of one patient go together by a Gaussian copula, solved for the correlation after rounding
(`kernels.copula`); a patient's latent depression score may take part in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from trialsim.kernels.copula import ScoreTable, latent_correlation
from trialsim.kernels.margins import BoundedMargins

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_SMALLEST_SD = 1e-3  # points: below it the score is as good as constant, and correlates with nothing
_ROUNDING = 4e-15  # error of the variance of those above zero, over the square of their mean
_TOLERANCE = 1e-10  # of mean and SD of those above zero, points
_LARGEST_LOG_SHAPE = 25.0  # a gamma this narrow lies on two neighbouring points
_SMALLEST_LOG_SHAPE = -32.0  # one this wide lies on 1 and the maximum
_TINY = -600.0  # log of an argument below which the incomplete gamma function is its first term


class DissociationMargins(NamedTuple):
    """CADSS scores of groups of patients (arms, or arms by strata) over I infusions.

    Attributes
    ----------
    margins : BoundedMargins, batch shape (..., I)
        Distribution of the score at each infusion as a step function of a standard normal.
    correlation : ndarray, shape (..., I, I)
        Of the latent normals.
    factor : ndarray, shape (..., I, I)
        Lower Cholesky factor of what `correlation` leaves beside the depression score.
    depression_correlation : ndarray, shape (...)
        Of each latent normal with the latent depression score.
    """

    margins: BoundedMargins
    correlation: Array
    factor: Array
    depression_correlation: Array


class DissociationError(ValueError):
    """A mean, SD and share of zeros that no score on the scale has.

    Attributes
    ----------
    index : tuple of int
        Where in the batch, infusion last; empty for a single margin.
    attainable_mean : tuple of float, points
        Smallest and largest mean with that share of zeros.
    attainable_sd : tuple of float, points
        Smallest and largest SD with that mean and share of zeros; NaN where the mean is impossible.
    """

    def __init__(
        self,
        index: tuple[int, ...],
        asked: tuple[float, float, float],
        attainable_mean: tuple[float, float],
        attainable_sd: tuple[float, float],
    ) -> None:
        self.index, self.attainable_mean, self.attainable_sd = index, attainable_mean, attainable_sd
        mean, sd, zeros = asked
        place = f" (index {index})" if index else ""
        if np.isnan(attainable_sd[0]):
            low, high = attainable_mean
            message = f"a share of {zeros:g} zeros allows a CADSS mean from {low:.4g} to {high:.4g}; got {mean:g}"
            remedy = f"; a mean of {mean:g} needs at least {1 - mean:.4g} zeros" if 0 < mean < low else ""
        else:
            low, high = attainable_sd
            message = (
                f"a CADSS mean of {mean:g} with a share of {zeros:g} zeros allows an SD from {low:.4g} to {high:.4g}"
            )
            remedy = f"; got {sd:g}"
        super().__init__(message + remedy + place)


def fit_dissociation(
    mean: ArrayLike,
    sd: ArrayLike,
    *,
    zeros: ArrayLike,
    correlation: ArrayLike,
    maximum: float,
    multiplier: ArrayLike = 1.0,
    depression_correlation: ArrayLike = 0.0,
) -> DissociationMargins:
    """Return CADSS margins with the asked-for mean and SD after rounding and bounding.

    Parameters
    ----------
    mean, sd : array_like, broadcast to (..., I), points
        At each infusion, patients without dissociation included (`defaults.cadss`).
    zeros : array_like, broadcast to (..., I)
        Share of patients who score 0, at least 0 and below 1; exact after rounding
        (`defaults.dissociation.<infusion>.share_of_zeros`).
    correlation : array_like, broadcast to (...)
        Between any two infusions of a patient, after rounding (`defaults.dissociation.correlation_between_infusions`).
    maximum : float, points
        Highest score of the scale (CADSS: 92).
    multiplier : array_like, broadcast with `mean`
        Of mean and SD alike, so that the shape stays (`defaults.cadss.bpd_multiplier`); (S, 1) makes strata.
    depression_correlation : array_like, broadcast to (...)
        Of each latent normal with the latent depression score (`defaults.correlation.cadss.depression_change`).

    Returns
    -------
    DissociationMargins
        Mean and SD agree with the asked ones to 1e-7 points.

    Raises
    ------
    DissociationError
        At the first margin that the scale cannot have, with the attainable range.
    trialsim.kernels.copula.CorrelationError
        If two infusions cannot have the correlation, with the attainable range; variables are infusions from 0.
    ValueError
        If a share or multiplier is out of range, or the correlations do not fit together.
    """
    mean, sd, zeros, multiplier = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (mean, sd, zeros, multiplier))
    )
    if not ((zeros >= 0) & (zeros < 1)).all():
        raise ValueError(f"shares of zeros must be at least 0 and below 1; got {zeros.min():g} to {zeros.max():g}")
    if not (np.isfinite(multiplier) & (multiplier > 0)).all():
        raise ValueError(f"a CADSS multiplier must be above 0; got {multiplier.min():g}")
    if mean.ndim == 0:
        raise ValueError("means need a last axis of infusions; got a single number")
    margins = _fit_margins(mean * multiplier, sd * multiplier, zeros, maximum)
    batch, infusions = mean.shape[:-1], mean.shape[-1]
    between = np.broadcast_to(np.asarray(correlation, dtype=np.float64), batch)
    target = np.where(np.eye(infusions, dtype=bool), 1.0, between[..., None, None])
    latent = latent_correlation(target, [_infusion(margins, i) for i in range(infusions)])
    loading = np.broadcast_to(np.asarray(depression_correlation, dtype=np.float64), batch)
    return DissociationMargins(margins, latent, _factor(latent, loading), loading)


def repeat_last(fitted: DissociationMargins, infusions: int) -> DissociationMargins:
    """Return margins of more infusions, those added being like the last two of `fitted`.

    Parameters
    ----------
    fitted : DissociationMargins
        Of I infusions, the last two with the same margins.
    infusions : int
        At least I. Every infusion added has these margins and their correlation.
    """
    last = fitted.correlation.shape[-1] - 1
    if infusions == last + 1:
        return fitted  # solved pair by pair, alike pairs differ in the last bit
    place = np.minimum(np.arange(infusions), last - 1)
    latent = fitted.correlation[..., place[:, None], place]
    alike = place[:, None] == place
    latent = np.where(alike, fitted.correlation[..., last - 1, last][..., None, None], latent)
    latent = np.where(np.eye(infusions, dtype=bool), 1.0, latent)
    margins = BoundedMargins(
        fitted.margins.values,
        fitted.margins.probabilities[..., place, :],
        fitted.margins.thresholds[..., place, :],
        fitted.margins.mean[..., place],
        fitted.margins.sd[..., place],
    )
    loading = fitted.depression_correlation
    return DissociationMargins(margins, latent, _factor(latent, loading), loading)


def draw_dissociation(
    fitted: DissociationMargins,
    normals: Array,
    *,
    group: Index | None = None,
    depression: Array | None = None,
) -> Array:
    """Return the CADSS of every participant at every infusion.

    Parameters
    ----------
    fitted : DissociationMargins
    normals : ndarray, shape (I, N, R)
        Independent standard normals, one array an infusion; another participant moves nobody else's draws.
    group : ndarray of int, shape (R, N), optional
        Each participant's place in the flattened batch of `fitted`, such as arm * strata + stratum; needed where the
        batch has more than one.
    depression : ndarray, shape (N, R), optional
        Latent standard normal of the depression score; needed where a depression correlation is not 0.

    Returns
    -------
    ndarray, shape (R, N, I), points

    Raises
    ------
    ValueError
        If an array that is needed is missing or shapes disagree.
    """
    infusions = fitted.factor.shape[-1]
    factor = fitted.factor.reshape(-1, infusions, infusions)
    loading = np.broadcast_to(fitted.depression_correlation, fitted.factor.shape[:-2]).reshape(-1)
    thresholds = fitted.margins.thresholds.reshape(len(factor), infusions, -1)
    _check_draw(normals, infusions, len(factor), group, depression, needs_depression=bool(loading.any()))
    flat = normals.reshape(infusions, -1)
    member = np.zeros(flat.shape[1], dtype=np.intp) if group is None else group.T.reshape(-1)
    score = np.empty_like(flat)
    for g in range(len(factor)):
        inside = np.flatnonzero(member == g)
        if not len(inside):
            continue
        z = factor[g] @ flat[:, inside]
        if loading[g] and depression is not None:
            z += loading[g] * depression.reshape(-1)[inside]
        for i in range(infusions):
            score[i, inside] = ScoreTable(thresholds[g, i], fitted.margins.values)(z[i])
    return np.ascontiguousarray(score.reshape(normals.shape).transpose(2, 1, 0))


def _check_draw(
    normals: Array,
    infusions: int,
    groups: int,
    group: Index | None,
    depression: Array | None,
    *,
    needs_depression: bool,
) -> None:
    """Raise where the arrays of a draw do not fit together."""
    if normals.ndim != 3 or len(normals) != infusions:
        raise ValueError(f"normals must have shape ({infusions}, N, R); got {normals.shape}")
    _, participants, replicates = normals.shape
    if group is None and groups > 1:
        raise ValueError(f"the margins are of {groups} groups; say to which each participant belongs with group")
    if group is not None and (group.shape != (replicates, participants) or group.min() < 0 or group.max() >= groups):
        raise ValueError(f"group must have shape {(replicates, participants)} and be from 0 to {groups - 1}")
    if needs_depression and depression is None:
        raise ValueError("a correlation with depression needs the latent depression scores; give depression")
    if depression is not None and depression.shape != (participants, replicates):
        raise ValueError(f"depression must have shape {(participants, replicates)}; got {depression.shape}")


def _fit_margins(mean: Array, sd: Array, zeros: Array, maximum: float) -> BoundedMargins:
    """Return the margins of means and SDs (..., I)."""
    values = np.arange(maximum + 1.0)
    positive_mean = mean / (1 - zeros)
    with np.errstate(invalid="ignore"):
        positive_variance = (sd**2 + mean**2) / (1 - zeros) - positive_mean**2
    low, high = _attainable_variance(positive_mean, values[-1])
    slack = _ROUNDING * (1 + positive_mean**2)
    possible = (sd >= _SMALLEST_SD) & (positive_variance >= low - slack) & (positive_variance <= high + slack)
    if not possible.all():
        raise _error(tuple(int(i) for i in np.argwhere(~possible)[0]), mean, sd, zeros, values[-1])
    below = np.empty((*mean.shape, len(values) - 1))
    above = np.empty_like(below)
    for index in np.ndindex(mean.shape):  # arms, strata and infusions: never participants
        tails = _positive_tails(
            float(positive_mean[index]),
            float(positive_variance[index]),
            (float(low[index]), float(high[index])),
            values,
        )
        below[index] = zeros[index] + (1 - zeros[index]) * tails[0]
        above[index] = (1 - zeros[index]) * tails[1]
    probabilities = np.diff(below, axis=-1, prepend=0.0, append=1.0).clip(min=0.0)
    reached = probabilities @ values
    return BoundedMargins(
        values=values,
        probabilities=probabilities,
        thresholds=np.where(below < 0.5, scipy.special.ndtri(below), -scipy.special.ndtri(above)),
        mean=reached,
        sd=np.sqrt(np.sum(probabilities * (values - reached[..., None]) ** 2, axis=-1)),
    )


def _attainable_variance(mean: Array, maximum: float) -> tuple[Array, Array]:
    """Return the smallest and largest variance of scores on 1, ..., maximum with these means; NaN outside."""
    inside = np.where((mean >= 1 - 1e-12) & (mean <= maximum + 1e-12), np.clip(mean, 1, maximum), np.nan)
    fraction = inside - np.floor(inside)
    fraction = np.where(np.abs(fraction - np.rint(fraction)) < 1e-10, 0.0, fraction)
    return fraction * (1 - fraction), (inside - 1) * (maximum - inside)


def _error(index: tuple[int, ...], mean: Array, sd: Array, zeros: Array, maximum: float) -> DissociationError:
    """Return the error of one impossible margin, with the ranges that are possible."""
    m, s, share = (float(x[index]) for x in (mean, sd, zeros))
    positive_mean = m / (1 - share)
    bounds = _attainable_variance(np.asarray(positive_mean), maximum)
    low, high = np.sqrt(np.maximum((1 - share) * (np.asarray(bounds) + positive_mean**2) - m**2, 0.0))
    return DissociationError(index, (m, s, share), (1 - share, (1 - share) * maximum), (float(low), float(high)))


def _positive_tails(mean: float, variance: float, bounds: tuple[float, float], values: Array) -> tuple[Array, Array]:
    """Return P(score <= j) and P(score > j), j = 0, ..., M - 1, of those above zero."""
    near = _ROUNDING * (1 + mean**2)
    if variance <= bounds[0] + near:  # all mass on the points next to the mean
        above = np.clip(mean - values[:-1], 0.0, 1.0)
        return 1 - above, above
    if variance >= bounds[1] - near:  # all mass on 1 and the maximum
        above = np.where(values[:-1] < 1, 1.0, (mean - 1) / (values[-1] - 1))
        return 1 - above, above
    return _tails(_solve_gamma(mean, variance, values), values)


def _tails(x: Array, values: Array) -> tuple[Array, Array]:
    """Return the tails of the rounded gamma with (log mean, log shape) x."""
    shape = np.exp(x[1])
    log_cuts = x[1] - x[0] + np.log(values[1:-1] + 0.5)
    cuts = np.exp(log_cuts)
    # A gamma wide enough to lie on 1 and the maximum has a scale beyond any floating-point number.
    log_first = shape * log_cuts - scipy.special.gammaln(1 + shape)
    below = np.where(log_cuts < _TINY, np.exp(np.minimum(log_first, 0.0)), scipy.special.gammainc(shape, cuts))
    above = np.where(log_cuts < _TINY, -np.expm1(np.minimum(log_first, 0.0)), scipy.special.gammaincc(shape, cuts))
    return np.append(0.0, below), np.append(1.0, above)


def _rounded_moments(x: Array, values: Array) -> tuple[float, float]:
    """Return mean and variance of the rounded gamma, from sums over its upper tail."""
    above = _tails(x, values)[1]
    mean = float(above.sum())
    # E[X (X - 1)] / 2 = sum over j of j P(X > j)
    return mean, float(2 * (above @ values[:-1]) + mean - mean**2)


def _solve_gamma(mean: float, variance: float, values: Array) -> Array:
    """Return (log mean, log shape) of the gamma that after rounding has this mean and variance."""

    def gap(x: Array) -> Array:
        at = np.array([np.clip(x[0], -50.0, 50.0), np.clip(x[1], -8.0, 20.0)])  # where Newton's steps make sense
        reached = _rounded_moments(at, values)
        off = np.array([reached[0] - mean, (reached[1] - variance) / np.sqrt(variance)])
        return np.asarray(off + 1e3 * (x - at))

    start = np.array([np.log(mean), np.clip(2 * np.log(mean) - np.log(variance), -3.0, 12.0)])
    found = scipy.optimize.root(gap, start, method="hybr", options={"xtol": 1e-15})
    if np.max(np.abs(gap(found.x))) < _TOLERANCE:
        return np.asarray(found.x)
    return _solve_nested(mean, variance, values)


def _solve_nested(mean: float, variance: float, values: Array) -> Array:
    """Return the same by a root inside a root: slow and sure, for margins close to an end of their range.

    At any shape the mean after rounding rises with the gamma's, so that the inner root is unique; the outer one exists
    since the variance goes from one end of its range to the other.
    """

    def location(log_shape: float) -> float:
        def mean_gap(log_mean: float) -> float:
            return _rounded_moments(np.array([log_mean, log_shape]), values)[0] - mean

        widest = 50.0 + 50.0 * float(np.exp(-log_shape))  # the mean is then within 1e-20 of the maximum
        return float(scipy.optimize.brentq(mean_gap, -50.0, widest, xtol=1e-15, rtol=1e-15, maxiter=500))

    def variance_gap(log_shape: float) -> float:
        return _rounded_moments(np.array([location(log_shape), log_shape]), values)[1] - variance

    for end, sign in ((_SMALLEST_LOG_SHAPE, 1.0), (_LARGEST_LOG_SHAPE, -1.0)):
        if sign * variance_gap(end) <= 0:  # asked for within rounding of an end of the range
            return np.array([location(end), end])
    log_shape = float(
        scipy.optimize.brentq(
            variance_gap, _SMALLEST_LOG_SHAPE, _LARGEST_LOG_SHAPE, xtol=1e-15, rtol=1e-15, maxiter=500
        )
    )
    return np.array([location(log_shape), log_shape])


def _infusion(margins: BoundedMargins, i: int) -> BoundedMargins:
    """Return the margins of one infusion."""
    return BoundedMargins(
        margins.values,
        margins.probabilities[..., i, :],
        margins.thresholds[..., i, :],
        margins.mean[..., i],
        margins.sd[..., i],
    )


def _factor(latent: Array, loading: Array) -> Array:
    """Return the Cholesky factor of the latent correlations without the part shared with depression."""
    smallest = np.linalg.eigvalsh(latent)[..., 0]
    if (smallest < 1e-10).any():
        raise ValueError(
            "the correlation between infusions makes a matrix that is not positive definite; take one nearer 0"
        )
    ones = np.ones((*latent.shape[:-1], 1))
    limit = 1 / np.sqrt(np.linalg.solve(latent, ones).sum(axis=(-2, -1)))
    if (np.abs(loading) >= limit * (1 - 1e-9)).any():
        raise ValueError(
            f"with this correlation between infusions, that of dissociation with depression must be between "
            f"-{limit.min():.4f} and {limit.min():.4f}; got {loading.flat[np.argmax(np.abs(loading))]:g}"
        )
    return np.asarray(np.linalg.cholesky(latent - (loading**2)[..., None, None]))
