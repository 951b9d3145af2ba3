"""Rank tests: Mann-Whitney, signed rank, and the sign test.

References
----------
Noether GE (1987). Sample size determination for some common nonparametric tests. Journal of the American Statistical
Association 82:645-647.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, inside, positive
from trialsim.planning.formulas.level import Level, level, normal_power
from trialsim.planning.formulas.solving import Question, solve


def probability_of_superiority(difference: float, sd: float = 1.0) -> float:
    """Return the probability that an active score exceeds a control score, both normal.

    Parameters
    ----------
    difference : float
        Difference of means, active − control.
    sd : float
        Standard deviation within each arm, above 0.

    Returns
    -------
    float
        Φ(Δ / (σ√2)).

    Raises
    ------
    InputError
        If `sd` is not above 0.
    """
    positive(sd=sd)
    return float(ndtr(difference / (sd * math.sqrt(2.0))))


def mann_whitney(
    *,
    superiority: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable probability of superiority of the Wilcoxon-Mann-Whitney test.

    Parameters
    ----------
    superiority : float, optional
        P(active score > control score), ties counted half, in (0, 1); see `probability_of_superiority`.
    n_total : float, optional
        Participants in both arms.
    power : float, optional
        Leave out exactly one of the three.
    ratio : pair of float
        Allocation, control then active.
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
    n = (z_{1−α/s} + z_{power})² / (12 c (1 − c) (p − ½)²), c the share of one arm (Noether 1987). The variance is that
    under the null hypothesis, so the formula is for p near ½.
    """
    inside(0.0, 1.0, superiority=superiority)
    at, parts = level(alpha, sides, either_direction), allocation(ratio)
    share = parts[0] / sum(parts)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        return normal_power(math.sqrt(12.0 * share * (1.0 - share) * sum(n)) * abs(p - 0.5), at)

    question = Question(
        power_at,
        at,
        "Wilcoxon-Mann-Whitney test, Noether",
        parts,
        effect_from=0.5,
        effect_to=1.0,
        effect_name="superiority",
    )
    return solve(question, effect=superiority, n_total=n_total, power=power)


def signed_rank(
    *,
    superiority: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable effect of Wilcoxon's signed-rank test.

    Parameters
    ----------
    superiority : float, optional
        P(the sum of two independent differences > 0), in (0, 1): Φ(√2 Δ/σ) for normal differences.
    n_total : float, optional
        Pairs.
    power, alpha, sides, either_direction : as in `mann_whitney`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `mann_whitney`.

    Notes
    -----
    n = (z_{1−α/s} + z_{power})² / (3 (p − ½)²) (Noether 1987).
    """
    return _one_sample("signed-rank test", 3.0, superiority, n_total, power, level(alpha, sides, either_direction))


def sign_test(
    *,
    superiority: float | None = None,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable effect of the sign test.

    Parameters
    ----------
    superiority : float, optional
        P(a difference > 0), in (0, 1).
    n_total : float, optional
        Pairs that differ.
    power, alpha, sides, either_direction : as in `mann_whitney`

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `mann_whitney`.

    Notes
    -----
    n = (z_{1−α/s} + z_{power})² / (4 (p − ½)²) (Noether 1987).
    """
    return _one_sample("sign test", 4.0, superiority, n_total, power, level(alpha, sides, either_direction))


def _one_sample(
    name: str, factor: float, superiority: float | None, n_total: float | None, power: float | None, at: Level
) -> Answer:
    inside(0.0, 1.0, superiority=superiority)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        return normal_power(math.sqrt(factor * n[0]) * abs(p - 0.5), at)

    question = Question(
        power_at,
        at,
        f"{name}, Noether",
        (1.0,),
        effect_from=0.5,
        effect_to=1.0,
        effect_name="superiority",
        unit="pairs",
    )
    return solve(question, effect=superiority, n_total=n_total, power=power)
