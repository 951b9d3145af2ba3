"""Tests of association: a correlation, and a contingency table.

References
----------
Cohen J (1988). Statistical Power Analysis for the Behavioral Sciences, 2nd ed., chapters 3 and 7.
"""

from __future__ import annotations

import math

from scipy.special import ndtr, stdtrit

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import inside, refuse
from trialsim.planning.formulas.level import chi_square_power, level
from trialsim.planning.formulas.solving import Question, solve


def correlation_test(
    *,
    r: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable correlation of the t test of no correlation.

    Parameters
    ----------
    r : float, optional
        True correlation, in (−1, 1).
    n_total : float, optional
        Participants, at least 5.
    power : float, optional
        Leave out exactly one of the three.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Fisher's z of the correlation at the edge of significance, r_c = t/√(t² + n − 2), against that of the true one with
    its bias r/(2(n − 1)) and variance 1/(n − 3) (Cohen 1988, as R's pwr.r.test).
    """
    inside(-1.0, 1.0, r=r)
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        size, true = n[0], abs(effect)
        t = float(stdtrit(size - 2.0, 1.0 - at.tail))
        edge = math.atanh(t / math.sqrt(t**2 + size - 2.0))
        centre, root = math.atanh(true) + true / (2.0 * (size - 1.0)), math.sqrt(size - 3.0)
        other = ndtr((-centre - edge) * root) if at.both else 0.0
        return float(ndtr((centre - edge) * root) + other)

    question = Question(power_at, at, "correlation, Fisher's z", (1.0,), least=5.0, effect_to=1.0, effect_name="r")
    return solve(question, effect=r, n_total=n_total, power=power)


def chi_square_test(
    *,
    w: float | None = None,
    df: int,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
) -> Answer:
    """Return power, size or detectable effect of a chi-square test of a table.

    Parameters
    ----------
    w : float, optional
        Cohen's w, √Σ(p₁ − p₀)²/p₀ over the cells; at least 0.
    df : int
        Degrees of freedom, at least 1.
    n_total : float, optional
        Participants in the table.
    power : float, optional
        Leave out exactly one of the three.
    alpha : float

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Noncentral chi-square with noncentrality n w².
    """
    if df < 1 or df != int(df):
        refuse("df", f"must be a whole number of at least 1, not {df}")
    at = level(alpha, 2)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return chi_square_power(n[0] * effect**2, df, alpha)

    question = Question(power_at, at, "chi-square test of a table", (1.0,), effect_name="w", inputs={"df": df})
    return solve(question, effect=w, n_total=n_total, power=power)
