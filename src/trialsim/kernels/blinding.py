r"""What patients guess about their arm: a model of guesses from dissociation, and two indices of blinding.

Guesses are in three categories, always in this order: active, control, don't know. Arms are in the order active,
control. A table of counts is therefore

=========  ============  =============  ==============
arm        says active   says control   doesn't know
=========  ============  =============  ==============
active     n11           n12            n13
control    n21           n22            n23
=========  ============  =============  ==============

References
----------
Bang H, Ni L, Davis CE (2004), Controlled Clinical Trials 25:143, doi 10.1016/j.cct.2003.10.016. James KE, Bloch DA, Lee
KK, Kraemer HC, Fuller RK (1996), Statistics in Medicine 15:1421.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

ACTIVE, CONTROL, DONT_KNOW = range(3)
"""Codes of a guess."""

_STEEPEST = 1.0 - 1e-6  # of slope / (1 + |slope|): a slope of a million, a threshold between any two scores
_TOLERANCE = 1e-9  # of a share: closer to an end of its range it needs an infinite slope


class GuessModel(NamedTuple):
    """Log odds of guessing 'active': `intercept + slope * log1p(worst CADSS so far) + other_cues` in the active arm.

    Attributes
    ----------
    intercept, slope : float
    other_cues : float
        What sedation, pulse or relief tell beside dissociation; 0 in the control arm.
    """

    intercept: float
    slope: float
    other_cues: float = 0.0


class GuessError(ValueError):
    """Shares of guesses that no logistic in dissociation gives.

    Attributes
    ----------
    attainable : tuple of float
        Ends, both open, of what the control arm's share can be, given the active arm's.
    """

    def __init__(self, active_share: float, control_share: float, attainable: tuple[float, float]) -> None:
        self.attainable = attainable
        low, high = attainable
        super().__init__(
            f"guesses that follow dissociation can't be 'active' in {active_share:g} of the active arm and in "
            f"{control_share:g} of the control arm: with the former, the latter lies between {low:.4f} and {high:.4f}. "
            "Take a share in between, let the arms differ more in dissociation, or give the slope, so that other cues "
            "tell the arms apart too"
        )


class BlindingIndex(NamedTuple):
    """An index with its error.

    Attributes
    ----------
    estimate, variance, low, high : ndarray
        `low` and `high` are the ends of a normal interval, not cut off at the index's own limits. NaN where a table
        does not define them.
    """

    estimate: Array
    variance: Array
    low: Array
    high: Array


def fit_guess_model(
    cadss_active: ArrayLike,
    cadss_control: ArrayLike,
    *,
    active_share: float,
    control_share: float,
    slope: float | None = None,
) -> GuessModel:
    """Return the logistic by which the expected shares that guess 'active' are those asked for.

    Parameters
    ----------
    cadss_active, cadss_control : array_like, any shape, points
        Worst CADSS so far of many patients of either arm, at the time of the guess; 0 or more. They stand for the
        distributions, so the expectation is over them.
    active_share, control_share : float
        Share of the active and of the control arm that says 'active', strictly between 0 and 1. For a probability p of
        being right (`defaults.guessing`) it is p in the active arm and 1 - p in the control arm.
    slope : float, optional
        Given, the rest of the difference between the arms is other cues, and any shares are possible; by default
        guesses follow dissociation alone and the slope is solved for.

    Returns
    -------
    GuessModel
        Both shares to 1e-9. A slope solved for is negative where the control arm says 'active' more often.

    Raises
    ------
    GuessError
        If the two shares differ more than the dissociation of the two arms does.
    ValueError
        If a share or a score is out of range.

    Notes
    -----
    For each slope one intercept gives the active arm its share, and the control arm's share is then a continuous
    function of the slope: `active_share` at 0, and towards an infinite slope the false positives of a threshold test
    on CADSS whose sensitivity is `active_share`, that is, a point of the receiver operating characteristic. Everything
    between the limits at plus and minus infinity is attained.
    """
    for name, share in (("active_share", active_share), ("control_share", control_share)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must be strictly between 0 and 1; got {share:g}")
    active, control = _distribution(cadss_active, "cadss_active"), _distribution(cadss_control, "cadss_control")
    if slope is not None:
        intercept = _intercept(control, slope, control_share)
        return GuessModel(intercept, slope, _intercept(active, slope, active_share) - intercept)
    if control_share == active_share:
        return GuessModel(float(scipy.special.logit(active_share)), 0.0)
    solved = _solve_slope(active, control, active_share, control_share)
    return GuessModel(_intercept(active, solved, active_share), solved)


def guess_probability(model: GuessModel, worst_cadss: ArrayLike, *, active: ArrayLike) -> Array:
    """Return the probability of guessing 'active'.

    Parameters
    ----------
    model : GuessModel
    worst_cadss : array_like, shape (...), points
    active : array_like of bool, broadcast to (...)
        Who is in the active arm.

    Returns
    -------
    ndarray, shape (...)
    """
    seen = model.intercept + model.slope * np.log1p(np.asarray(worst_cadss, dtype=np.float64))
    return np.asarray(scipy.special.expit(seen + model.other_cues * np.asarray(active, dtype=np.float64)))


def guess_counts(guess: Index, control: NDArray[np.bool_]) -> Array:
    """Return the tables of guesses of a block of trials.

    Parameters
    ----------
    guess : ndarray of int, shape (R, N)
        `ACTIVE`, `CONTROL` or `DONT_KNOW`; anything else was not asked and is not counted.
    control : ndarray of bool, shape (R, N)
        Who is in the control arm.

    Returns
    -------
    ndarray, shape (R, 2, 3)
    """
    said = guess[..., None] == np.arange(3)
    return np.stack([(said & ~control[..., None]).sum(axis=1), (said & control[..., None]).sum(axis=1)], axis=1).astype(
        np.float64
    )


def bang_index(counts: ArrayLike, *, confidence: float = 0.95) -> BlindingIndex:
    r"""Return Bang's blinding index of each arm.

    Parameters
    ----------
    counts : array_like, shape (..., 2, 3) or (..., 2, 2)
        Tables as in the module's head; without a third column nobody says 'don't know'.
    confidence : float
        Of the interval.

    Returns
    -------
    BlindingIndex, shape (..., 2)
        From -1 (all wrong) over 0 (as by chance) to 1 (all right). NaN where an arm is empty. Where all of an arm say
        the same the variance is 0, which the formula gives and a reader should not believe.

    Notes
    -----
    With :math:`p_c` and :math:`p_w` the shares of an arm of n that are right and wrong,

    .. math:: \widehat{BI} = p_c - p_w, \qquad
        \widehat{\mathrm{var}} = \frac{p_c(1 - p_c) + p_w(1 - p_w) + 2 p_c p_w}{n},

    equal to :math:`(2 r - 1)(p_c + p_w)` with r the share right among those with an opinion (Bang, Ni and Davis 2004).
    """
    table = _tables(counts)
    with np.errstate(invalid="ignore"):
        share = table / table.sum(axis=-1, keepdims=True)
    right = np.stack([share[..., 0, ACTIVE], share[..., 1, CONTROL]], axis=-1)
    wrong = np.stack([share[..., 0, CONTROL], share[..., 1, ACTIVE]], axis=-1)
    with np.errstate(invalid="ignore"):
        variance = (right * (1 - right) + wrong * (1 - wrong) + 2 * right * wrong) / table.sum(axis=-1)
    return _with_interval(right - wrong, variance, confidence)


def james_index(counts: ArrayLike, *, confidence: float = 0.95) -> BlindingIndex:
    r"""Return James' blinding index of both arms together.

    Parameters
    ----------
    counts : array_like, shape (..., 2, 3) or (..., 2, 2)
        Tables as in the module's head.
    confidence : float
        Of the interval.

    Returns
    -------
    BlindingIndex, shape (...)
        From 0 (all right) over 1/2 (nobody in doubt, right as by chance) to 1 (all wrong, or nobody has an opinion).
        NaN where nobody was asked, or where opinions can't disagree with arms (all with an opinion in one arm and
        right); variance and interval are NaN too where nobody has an opinion.

    Notes
    -----
    With :math:`p_{ij}` the share of all participants that is in arm i and says j, :math:`P` the share that doesn't
    know and sums over those with an opinion,

    .. math:: BI = \tfrac12\{1 + P + (1 - P) K\}, \qquad K = \frac{D_o - D_e}{D_e}, \qquad
        D_o = \sum_{i \ne j} \frac{p_{ij}}{1 - P}, \quad
        D_e = \sum_{i \ne j} \frac{p_{i\cdot}\, p_{\cdot j}}{(1 - P)^2}

    (James et al. 1996; with two arms their weight of a wrong guess cancels). This is
    :math:`P + (1 - P)^2 O / (2E)` with :math:`O = p_{12} + p_{21}` and :math:`E = p_{1\cdot} p_{\cdot 2} +
    p_{2\cdot} p_{\cdot 1}`. The variance is that of the delta method for a multinomial over the six cells,
    :math:`\{\sum p g^2 - (\sum p g)^2\} / n`, g the derivatives of BI by the shares.
    """
    table = _tables(counts)
    total = table.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = table / total[..., None, None]
        opinion = share[..., :2]
        known = opinion.sum(axis=(-2, -1))
        arm, said = opinion.sum(axis=-1), opinion.sum(axis=-2)
        disagree = opinion[..., 0, 1] + opinion[..., 1, 0]
        chance = arm[..., 0] * said[..., 1] + arm[..., 1] * said[..., 0]
        ratio = disagree / chance
        estimate = (1 - known) + known**2 * ratio / 2
        # Derivatives by p_ij: of `disagree` where i and j differ, of `known` everywhere, and of `chance`.
        by_chance = said[..., None, ::-1].swapaxes(-1, -2) + arm[..., None, ::-1]
        pull = known**2 / (2 * chance)
        slope = np.ones_like(share)
        slope[..., :2] = pull[..., None, None] * (1 - np.eye(2) - ratio[..., None, None] * by_chance)
        slope[..., :2] += (known * ratio)[..., None, None]
        variance = (np.sum(share * slope**2, axis=(-2, -1)) - np.sum(share * slope, axis=(-2, -1)) ** 2) / total
    silent = (known == 0) & (total > 0)
    return _with_interval(np.where(silent, 1.0, estimate), variance.clip(min=0.0), confidence)


def _tables(counts: ArrayLike) -> Array:
    """Return tables (..., 2, 3), with a column of zeros where there was no 'don't know'."""
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim < 2 or table.shape[-2:] not in ((2, 2), (2, 3)):
        raise ValueError(f"counts of guesses must have shape (..., 2, 3) or (..., 2, 2); got {table.shape}")
    if not (np.isfinite(table) & (table >= 0)).all():
        raise ValueError("counts of guesses must be 0 or more")
    if table.shape[-1] == 2:
        return np.concatenate([table, np.zeros((*table.shape[:-1], 1))], axis=-1)
    return table


def _with_interval(estimate: Array, variance: Array, confidence: float) -> BlindingIndex:
    """Return the index with its normal interval."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be strictly between 0 and 1; got {confidence:g}")
    half = scipy.special.ndtri((1 + confidence) / 2) * np.sqrt(variance)
    return BlindingIndex(*(np.asarray(part) for part in (estimate, variance, estimate - half, estimate + half)))


class _Distribution(NamedTuple):
    """log1p of a score, increasing, and how likely each is."""

    x: Array
    weight: Array


def _distribution(cadss: ArrayLike, name: str) -> _Distribution:
    """Return the distribution of scores in a sample."""
    scores = np.asarray(cadss, dtype=np.float64).reshape(-1)
    if scores.size == 0 or not (np.isfinite(scores) & (scores >= 0)).all():
        raise ValueError(f"{name} must hold scores, all 0 or more")
    values, counts = np.unique(scores, return_counts=True)
    return _Distribution(np.log1p(values), counts / scores.size)


def _expected(distribution: _Distribution, intercept: float, slope: float) -> float:
    """Return the expected share that says 'active'."""
    return float(distribution.weight @ scipy.special.expit(intercept + slope * distribution.x))


def _intercept(distribution: _Distribution, slope: float, share: float) -> float:
    """Return the intercept that gives a share, found between those that put all above and all below it."""
    shifted = slope * distribution.x
    low, high = float(scipy.special.logit(share) - shifted.max()), float(scipy.special.logit(share) - shifted.min())
    if low == high:
        return low
    # Moving the bracket out by a unit keeps its signs apart where rounding would blur them.
    return float(
        scipy.optimize.brentq(
            lambda at: _expected(distribution, at, slope) - share,
            low - 1,
            high + 1,
            xtol=1e-15,
            rtol=1e-15,
            maxiter=500,
        )
    )


def _solve_slope(active: _Distribution, control: _Distribution, active_share: float, control_share: float) -> float:
    """Return the slope at which the control arm's share is the one asked for, the active arm's being right."""
    ends = [_limit(active, control, active_share, sign=sign) for sign in (1.0, -1.0)]
    towards = 1.0 if control_share < active_share else -1.0
    # From no slope to an infinite one the control arm's share goes from the active arm's to this end.
    end = ends[0] if towards > 0 else ends[1]
    if towards * (control_share - end) <= _TOLERANCE:
        raise GuessError(active_share, control_share, (min(*ends, active_share), max(*ends, active_share)))

    def gap(bent: float) -> float:
        slope = towards * bent / (1 - bent)
        return _expected(control, _intercept(active, slope, active_share), slope) - control_share

    bent = float(scipy.optimize.brentq(gap, 0.0, _STEEPEST, xtol=1e-15, rtol=1e-14, maxiter=500))
    return towards * bent / (1 - bent)


def _limit(active: _Distribution, control: _Distribution, share: float, *, sign: float) -> float:
    """Return the control arm's share at a slope of plus or minus infinity, the active arm's being given.

    All beyond a threshold say 'active', and of those at it as many as it takes.
    """
    order = np.argsort(-sign * active.x)
    x, weight = active.x[order], active.weight[order]
    reached = np.cumsum(weight)
    at = int(np.searchsorted(reached, share * (1 - 1e-12)))
    at = min(at, len(x) - 1)
    fraction = (share - (reached[at] - weight[at])) / weight[at]
    # Just beyond a fully used score the threshold may lie anywhere up to the next one.
    beyond = float(control.weight[sign * control.x > sign * x[at]].sum())
    return beyond + float(fraction * control.weight[control.x == x[at]].sum())
