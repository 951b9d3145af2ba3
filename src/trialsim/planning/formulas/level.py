"""The level of a test, and the power of statistics that are normal, t, F or chi-square.

Noncentral F and chi-square are SciPy's special functions, which agree with sums over their Poisson mixtures to 1e-10
over the range that trials use (tests/unit/planning/test_level.py); noncentral t is integrated here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, chndtr, fdtri, ncfdtr, ndtr, ndtri, stdtrit

from trialsim.planning.formulas.checks import inside, refuse
from trialsim.planning.formulas.quadrature import chi_nodes

Array = NDArray[np.float64]


class Level(NamedTuple):
    """The level of a test.

    Attributes
    ----------
    alpha : float
        Type I error of the whole test.
    sides : int
        1 or 2.
    either_direction : bool
        Whether power counts rejections of a two-sided test in the direction away from the effect too.
    """

    alpha: float
    sides: int
    either_direction: bool = False

    @property
    def tail(self) -> float:
        """Return the probability of the tail that lies in the direction of the effect."""
        return self.alpha / self.sides

    @property
    def both(self) -> bool:
        """Return whether both tails are counted."""
        return self.sides == 2 and self.either_direction


def level(alpha: float, sides: int, either_direction: bool = False) -> Level:
    """Return a checked level."""
    inside(0.0, 1.0, alpha=alpha)
    if sides not in (1, 2):
        refuse("sides", f"must be 1 or 2, not {sides}")
    return Level(float(alpha), int(sides), either_direction)


def normal_power(noncentrality: float, at: Level) -> float:
    """Return the power of a z test: Φ(λ − z), and Φ(−λ − z) for the other tail."""
    critical = -ndtri(at.tail)
    other = ndtr(-noncentrality - critical) if at.both else 0.0
    return float(ndtr(noncentrality - critical) + other)


def t_power(noncentrality: float, df: float, at: Level) -> float:
    """Return the power of a t test, P(T > t) of noncentral t.

    Parameters
    ----------
    noncentrality : float
        At least 0: the effect over its standard error, in the direction of the effect.
    df : float
        Above 0, not necessarily whole; infinity is the z test.
    at : Level
    """
    if math.isinf(df):
        return normal_power(noncentrality, at)
    critical = float(stdtrit(df, 1.0 - at.tail))
    return t_beyond(critical, df, noncentrality, both=at.both)


def t_beyond(
    critical: ArrayLike, df: float, noncentrality: ArrayLike, *, both: bool, weights: Array | None = None
) -> float:
    """Return P(T > c), or P(|T| > c) if `both`, of noncentral t, or its weighted sum over several c and λ.

    Parameters
    ----------
    critical, noncentrality : array-like, shape () or (M,)
    df : float
    both : bool
    weights : ndarray of shape (M,), optional

    Notes
    -----
    P(T > c) = E Φ(λ − c S), S² chi-square over its degrees of freedom. SciPy's `nctdtr` agrees to 1e-9 where it gives a
    number; it gives NaN in places that a search for a size comes through.
    """
    c, shift = (np.atleast_1d(np.asarray(value, dtype=np.float64))[:, None] for value in (critical, noncentrality))
    s, mass = chi_nodes(df, float(np.max(np.abs(shift))))
    beyond = ndtr(shift - c * s) @ mass
    if both:
        beyond = beyond + ndtr(-shift - c * s) @ mass
    return min(float(beyond[0] if weights is None else weights @ beyond), 1.0)


def f_power(noncentrality: float, df1: float, df2: float, alpha: float) -> float:
    """Return the power of an F test, P(F > f) of noncentral F."""
    return 1.0 - float(ncfdtr(df1, df2, noncentrality, fdtri(df1, df2, 1.0 - alpha)))


def chi_square_power(noncentrality: float, df: float, alpha: float) -> float:
    """Return the power of a chi-square test, P(X > x) of noncentral chi-square."""
    return 1.0 - float(chndtr(chdtri(df, alpha), df, noncentrality))
