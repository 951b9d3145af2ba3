"""Means of one or two samples: t and z tests.

In every function give all but one of the effect, `n_total` and `power`; the one left out is solved for. An effect is
taken in its own direction, and one that is solved for is above the null value. Power is rejection in the direction of
the effect, as everywhere in this project; `either_direction=True` adds the other tail of a two-sided test, as R's pwr
does (power.t.test with strict = TRUE).

References
----------
Julious SA (2004). Sample sizes for clinical trials with normal data. Statistics in Medicine 23:1921-1986.
Welch BL (1938). The significance of the difference between two means when the population variances are unequal.
Biometrika 29:350-362.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, inside, pair, positive
from trialsim.planning.formulas.level import Level, level, normal_power, t_beyond, t_power
from trialsim.planning.formulas.quadrature import beta_nodes
from trialsim.planning.formulas.solving import Question, solve


def two_sample_t(
    *,
    difference: float | None = None,
    sd: float = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference of the pooled two-sample t test; exact.

    Parameters
    ----------
    difference : float, optional
        True difference of means, active − control, in the unit of `sd`.
    sd : float
        Standard deviation within each arm.
    n_total : float, optional
        Participants analysed in both arms together, at least 3.
    power : float, optional
        Between 0 and 1.
    ratio : pair of float
        Allocation, control then active.
    null : float
        Difference under the null hypothesis; minus the margin for non-inferiority.
    alpha : float
        Level of the whole test.
    sides : {1, 2}
    either_direction : bool
        Whether rejections away from the effect count too.

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If not exactly one of the three is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    T is noncentral t with n₀ + n₁ − 2 degrees of freedom and noncentrality |Δ − null| / (σ √(1/n₀ + 1/n₁)).
    """
    positive(sd=sd)
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return t_power(abs(effect - null) / (sd * math.sqrt(1.0 / n[0] + 1.0 / n[1])), sum(n) - 2.0, at)

    question = Question(
        power_at,
        at,
        "two-sample t test, noncentral t",
        allocation(ratio),
        least=3.0,
        effect_from=null,
        inputs={"sd": sd, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def welch_t(
    *,
    difference: float | None = None,
    sd: Sequence[float] = (1.0, 1.0),
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference of Welch's t test with unequal standard deviations.

    Parameters
    ----------
    difference, n_total, power, ratio, null, alpha, sides, either_direction : as in `two_sample_t`
        `n_total` must leave at least two participants in each arm.
    sd : pair of float
        Standard deviations, control then active.

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `two_sample_t`.

    Notes
    -----
    Exact for normal scores, by one integral. With A_i = (n_i − 1) s_i²/σ_i² chi-square on ν_i = n_i − 1, the share
    U = A₀ / (A₀ + A₁) is Beta(ν₀/2, ν₁/2) and independent of the sum. Given U, Welch's degrees of freedom and with
    them the critical value c(U) are fixed, and his statistic is a multiple of a noncentral t on ν₀ + ν₁: the power
    is E_U P(T > c(U) √(s²(U) ν) / SE), s²(U) = σ₀² U / (ν₀ n₀) + σ₁² (1 − U) / (ν₁ n₁).
    """
    spread = pair("sd", sd)
    positive(sd=min(spread))
    at, parts = level(alpha, sides, either_direction), allocation(ratio)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return _welch_power(abs(effect - null), spread, n, at)

    question = Question(
        power_at,
        at,
        "Welch's t test, integrated over the ratio of variances",
        parts,
        least=max(2.0 * sum(parts) / part for part in parts),
        effect_from=null,
        inputs={"sd": spread, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def _welch_power(shift: float, sd: tuple[float, float], n: tuple[float, ...], at: Level) -> float:
    df0, df1 = n[0] - 1.0, n[1] - 1.0
    df = df0 + df1
    share, mass = beta_nodes(0.5 * df0, 0.5 * df1)
    v0, v1 = sd[0] ** 2 * share / (df0 * n[0]), sd[1] ** 2 * (1.0 - share) / (df1 * n[1])
    se = math.sqrt(sd[0] ** 2 / n[0] + sd[1] ** 2 / n[1])
    welch_df = (v0 + v1) ** 2 / (v0**2 / df0 + v1**2 / df1)
    critical = stdtrit(welch_df, 1.0 - at.tail) * np.sqrt((v0 + v1) * df) / se
    return t_beyond(critical, df, shift / se, both=at.both, weights=mass)


def two_sample_z(
    *,
    difference: float | None = None,
    sd: float | Sequence[float] = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference of two means by the normal approximation.

    Parameters
    ----------
    difference, n_total, power, ratio, null, alpha, sides, either_direction : as in `two_sample_t`
    sd : float or pair of float
        Standard deviation of both arms, or of control then active.

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `two_sample_t`.

    Notes
    -----
    n₁ = (z_{1−α/s} + z_{power})² (σ₁² + k σ₀²) / (Δ − null)², k = n₁ / n₀ (Julious 2004).
    """
    spread = pair("sd", sd)
    positive(sd=min(spread))
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        se = math.sqrt(spread[0] ** 2 / n[0] + spread[1] ** 2 / n[1])
        return normal_power(abs(effect - null) / se, at)

    question = Question(
        power_at,
        at,
        "two means, normal approximation",
        allocation(ratio),
        effect_from=null,
        inputs={"sd": spread, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def one_sample_t(
    *,
    difference: float | None = None,
    sd: float = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable mean of the one-sample t test; exact.

    Parameters
    ----------
    difference : float, optional
        True mean.
    sd : float
    n_total : float, optional
        Participants, at least 2.
    power, null, alpha, sides, either_direction : as in `two_sample_t`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `two_sample_t`.

    Notes
    -----
    Noncentral t with n − 1 degrees of freedom and noncentrality |mean − null| √n / σ.
    """
    positive(sd=sd)
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return t_power(abs(effect - null) * math.sqrt(n[0]) / sd, n[0] - 1.0, at)

    question = Question(
        power_at,
        at,
        "one-sample t test, noncentral t",
        (1.0,),
        least=2.0,
        effect_from=null,
        inputs={"sd": sd, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def paired_t(
    *,
    difference: float | None = None,
    sd: float | Sequence[float] = 1.0,
    correlation: float,
    n_total: float | None = None,
    power: float | None = None,
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference of the paired t test; exact.

    Parameters
    ----------
    difference : float, optional
        True mean of second − first score.
    sd : float or pair of float
        Standard deviation of the scores (not of their differences), of both or of the first and the second.
    correlation : float
        Between the two scores, in (−1, 1).
    n_total : float, optional
        Pairs, at least 2.
    power, null, alpha, sides, either_direction : as in `two_sample_t`

    Returns
    -------
    Answer
        `details` holds the standard deviation of the differences.

    Raises
    ------
    InputError
        As in `two_sample_t`.

    Notes
    -----
    The one-sample t test of differences with variance σ₁² + σ₂² − 2 ρ σ₁ σ₂.
    """
    first, second = pair("sd", sd)
    positive(sd=min(first, second))
    inside(-1.0, 1.0, correlation=correlation)
    of_differences = math.sqrt(first**2 + second**2 - 2.0 * correlation * first * second)
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return t_power(abs(effect - null) * math.sqrt(n[0]) / of_differences, n[0] - 1.0, at)

    question = Question(
        power_at,
        at,
        "paired t test, noncentral t",
        (1.0,),
        least=2.0,
        effect_from=null,
        unit="pairs",
        inputs={"sd": (first, second), "correlation": correlation, "null": null},
        details_at=lambda _effect, _n: {"sd_of_differences": of_differences},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def mean_ratio_t(
    *,
    mean_ratio: float | None = None,
    null: float,
    variation: float,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.025,
    sides: int = 1,
) -> Answer:
    """Return power, size or detectable ratio of two means, active over control, by a t test on mean₁ − null mean₀.

    Parameters
    ----------
    mean_ratio : float, optional
        True ratio of the means.
    null : float
        Ratio under the null hypothesis, above 0.
    variation : float
        Standard deviation within an arm, as a share of the control mean.
    n_total, power, ratio, alpha, sides : as in `two_sample_t`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `two_sample_t`.

    Notes
    -----
    Noncentrality |θ − θ₀| / (c √(1/n₁ + θ₀²/n₀)), n₀ + n₁ − 2 degrees of freedom (Sasabuchi's test).
    """
    positive(null=null, variation=variation, mean_ratio=mean_ratio)
    at = level(alpha, sides)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        se = variation * math.sqrt(null**2 / n[0] + 1.0 / n[1])
        return t_power(abs(effect - null) / se, sum(n) - 2.0, at)

    question = Question(
        power_at,
        at,
        "ratio of two means, noncentral t",
        allocation(ratio),
        least=3.0,
        effect_from=null,
        effect_name="mean_ratio",
        inputs={"null": null, "variation": variation},
    )
    return solve(question, effect=mean_ratio, n_total=n_total, power=power)
