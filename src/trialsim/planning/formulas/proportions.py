"""Two proportions: normal approximations, arcsine, and Farrington & Manning's score test for superiority or a margin.

In every function give all but one of `p_active`, `n_total` and `power`; the one left out is solved for. A proportion
that is solved for lies above the null value, or below it with `direction="down"`.

References
----------
Fleiss JL, Tytun A, Ury HK (1980). A simple approximation for calculating sample sizes for comparing independent
proportions. Biometrics 36:343-346.
Cohen J (1988). Statistical Power Analysis for the Behavioral Sciences, 2nd ed., chapter 6.
Farrington CP, Manning G (1990). Test statistics and sample size formulae for comparative binomial trials with null
hypothesis of non-zero risk difference or non-unity relative risk. Statistics in Medicine 9:1447-1454.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from trialsim.kernels.binary import Counts, score_test
from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, inside, one_of, positive, refuse
from trialsim.planning.formulas.level import Level, level, normal_power
from trialsim.planning.formulas.solving import Question, solve

PowerAt = Callable[[float, tuple[float, ...]], float]
SCALE = 1e6
"""Expected counts are taken in a trial this large: the score statistic needs arms of one participant at least."""


def two_proportions(
    *,
    p_control: float,
    p_active: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    variance: str = "pooled",
    direction: str = "up",
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable proportion of the z test of two proportions.

    Parameters
    ----------
    p_control, p_active : float
        True proportions, in (0, 1); `p_active` may be left out.
    n_total : float, optional
        Participants in both arms.
    power : float, optional
    variance : {"pooled", "unpooled"}
        Variance in the test statistic. "pooled" is that of the chi-square test, R's power.prop.test.
    direction : {"up", "down"}
        Where a proportion is looked for that is solved for.
    ratio : pair of float
        Allocation, control then active.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If not exactly one of the three is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Φ((|p₁ − p₀| − z σ_H0) / σ_H1) with σ²_H1 = p₀q₀/n₀ + p₁q₁/n₁ and σ²_H0 = p̄q̄(1/n₀ + 1/n₁), p̄ the weighted mean,
    or σ_H0 = σ_H1 if unpooled (Fleiss, Tytun & Ury 1980, without continuity correction).
    """
    one_of("variance", variance, ("pooled", "unpooled"))
    at = level(alpha, sides, either_direction)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        mean = (n[0] * p_control + n[1] * p) / sum(n)
        sd1 = _sd(p_control, p, n)
        sd0 = math.sqrt(mean * (1.0 - mean) * (1.0 / n[0] + 1.0 / n[1])) if variance == "pooled" else sd1
        return _two_sd_power(abs(p - p_control), sd0, sd1, at)

    words = f"two proportions, {variance} variance, normal approximation"
    return _solve(power_at, at, words, p_control, p_control, direction, ratio, p_active, n_total, power)


def arcsine_proportions(
    *,
    p_control: float,
    p_active: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    direction: str = "up",
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable proportion by Cohen's arcsine transformation.

    Parameters
    ----------
    p_control, p_active, n_total, power, direction, ratio, alpha, sides, either_direction : as in `two_proportions`

    Returns
    -------
    Answer
        `details` holds Cohen's h.

    Raises
    ------
    InputError
        As in `two_proportions`.

    Notes
    -----
    z test of h = 2 arcsin √p₁ − 2 arcsin √p₀ with variance 1/n₀ + 1/n₁ (Cohen 1988).
    """
    at = level(alpha, sides, either_direction)

    def h(p: float) -> float:
        return 2.0 * (math.asin(math.sqrt(p)) - math.asin(math.sqrt(p_control)))

    def power_at(p: float, n: tuple[float, ...]) -> float:
        return normal_power(abs(h(p)) / math.sqrt(1.0 / n[0] + 1.0 / n[1]), at)

    return _solve(
        power_at,
        at,
        "two proportions, arcsine",
        p_control,
        p_control,
        direction,
        ratio,
        p_active,
        n_total,
        power,
        details_at=lambda p, _n: {"h": h(p)},
    )


def farrington_manning(
    *,
    p_control: float,
    p_active: float | None = None,
    null: float | None = None,
    measure: Literal["difference", "ratio"] = "difference",
    n_total: float | None = None,
    power: float | None = None,
    direction: str = "up",
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.025,
    sides: int = 1,
) -> Answer:
    """Return power, size or detectable proportion of Farrington & Manning's score test.

    Parameters
    ----------
    p_control, p_active, n_total, power, direction, ratio, alpha, sides : as in `two_proportions`
    null : float, optional
        Difference p₁ − p₀, or ratio p₁ / p₀, under the null hypothesis; no difference by default. Non-inferiority of a
        response rate by 10 points is −0.10, of a failure rate 0.10.
    measure : {"difference", "ratio"}

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `two_proportions`, and if the null value cannot occur with the control's proportion.

    Notes
    -----
    Φ((|effect − null| − z σ_H0) / σ_H1), σ_H0 at the proportions of highest likelihood among those that differ by
    exactly the null value when the data are as expected (method 3 of Farrington & Manning 1990).
    """
    one_of("measure", measure, ("difference", "ratio"))
    start = (0.0 if measure == "difference" else 1.0) if null is None else null
    inside(0.0, 1.0, p_control=p_control)
    at_null = p_control + start if measure == "difference" else p_control * start
    if not 0.0 < at_null < 1.0 and p_active is None:
        refuse("null", f"gives an active proportion of {at_null:g}, which must lie between 0 and 1")
    at = level(alpha, sides)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        weight = start if measure == "ratio" else 1.0
        excess = p - weight * p_control - (0.0 if measure == "ratio" else start)
        if abs(excess) < 1e-12:
            return at.tail
        sd1 = math.sqrt(p * (1.0 - p) / n[1] + weight**2 * p_control * (1.0 - p_control) / n[0])
        return _two_sd_power(abs(excess), _null_sd(excess, p_control, p, n, start, measure), sd1, at)

    words = f"Farrington & Manning's score test of a {measure} of {start:g}"
    return _solve(power_at, at, words, p_control, at_null, direction, ratio, p_active, n_total, power, null=start)


def odds_ratio(
    *,
    p_control: float,
    p_active: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    direction: str = "up",
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable proportion of a test of the log odds ratio, as in logistic regression.

    Parameters
    ----------
    p_control, p_active, n_total, power, direction, ratio, alpha, sides, either_direction : as in `two_proportions`

    Returns
    -------
    Answer
        `details` holds the odds ratio, active over control.

    Raises
    ------
    InputError
        As in `two_proportions`.

    Notes
    -----
    The log odds ratio has variance 1/(n₀p₀q₀) + 1/(n₁p₁q₁); under the null hypothesis both arms have the weighted mean.
    """
    at = level(alpha, sides, either_direction)

    def log_odds(p: float) -> float:
        return math.log(p / (1.0 - p) * (1.0 - p_control) / p_control)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        mean = (n[0] * p_control + n[1] * p) / sum(n)
        sd0 = math.sqrt((1.0 / n[0] + 1.0 / n[1]) / (mean * (1.0 - mean)))
        sd1 = math.sqrt(1.0 / (n[0] * p_control * (1.0 - p_control)) + 1.0 / (n[1] * p * (1.0 - p)))
        return _two_sd_power(abs(log_odds(p)), sd0, sd1, at)

    return _solve(
        power_at,
        at,
        "log odds ratio, normal approximation",
        p_control,
        p_control,
        direction,
        ratio,
        p_active,
        n_total,
        power,
        details_at=lambda p, _n: {"odds_ratio": math.exp(log_odds(p))},
    )


def _solve(
    power_at: PowerAt,
    at: Level,
    method: str,
    p_control: float,
    at_null: float,
    direction: str,
    ratio: Sequence[float],
    p_active: float | None,
    n_total: float | None,
    power: float | None,
    details_at: Callable[[float, tuple[float, ...]], dict[str, float]] | None = None,
    **inputs: object,
) -> Answer:
    """Check what all functions of this page share, and solve."""
    inside(0.0, 1.0, p_control=p_control, p_active=p_active)
    one_of("direction", direction, ("up", "down"))
    positive(n_total=n_total)
    question = Question(
        power_at,
        at,
        method,
        allocation(ratio),
        effect_from=at_null,
        effect_to=1.0 if direction == "up" else 0.0,
        effect_name="p_active",
        inputs={"p_control": p_control, **inputs},
        details_at=details_at,
    )
    return solve(question, effect=p_active, n_total=n_total, power=power)


def _sd(p_control: float, p_active: float, n: tuple[float, ...]) -> float:
    return math.sqrt(p_control * (1.0 - p_control) / n[0] + p_active * (1.0 - p_active) / n[1])


def _two_sd_power(shift: float, sd0: float, sd1: float, at: Level) -> float:
    """Return the power of a z test whose statistic has another spread under the alternative than under the null."""
    critical = -ndtri(at.tail) * sd0
    other = ndtr((-shift - critical) / sd1) if at.both else 0.0
    return float(ndtr((shift - critical) / sd1) + other)


def _null_sd(
    excess: float,
    p_control: float,
    p_active: float,
    n: tuple[float, ...],
    null: float,
    measure: Literal["difference", "ratio"],
) -> float:
    """Return the standard error at the restricted proportions: what the score statistic divides the excess by."""
    # The restricted proportions depend on the allocation only, so a large trial in the same ratio has them too.
    n0, n1 = SCALE * n[0] / sum(n), SCALE * n[1] / sum(n)
    expected = Counts(*(np.array([count]) for count in (n1 * p_active, n1, n0 * p_control, n0)))
    z = float(score_test(expected, null=null, measure=measure, bias_correction=False).z[0])
    return excess / z * math.sqrt(SCALE / sum(n))
