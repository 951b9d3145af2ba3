"""Margins: non-inferiority and equivalence of two means, with exact power.

References
----------
Julious SA (2004). Sample sizes for clinical trials with normal data. Statistics in Medicine 23:1921-1986.
Schuirmann DJ (1987). A comparison of the two one-sided tests procedure and the power approach for assessing the
equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.
Phillips KF (1990). Power of the two one-sided tests procedure in bioequivalence. Journal of Pharmacokinetics and
Biopharmaceutics 18:137-144.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, stdtrit

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, one_of, positive, refuse
from trialsim.planning.formulas.level import Level, level
from trialsim.planning.formulas.means import two_sample_t, two_sample_z
from trialsim.planning.formulas.solving import Question, solve

NODES, WEIGHTS = (np.array(half) for half in np.polynomial.legendre.leggauss(160))
WIDTH = 12.0
"""Standard deviations of s around σ that are integrated; less than 1e-30 lies outside."""


def equivalence_means(
    *,
    margin: float | Sequence[float],
    difference: float = 0.0,
    sd: float = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    reference: str = "t",
) -> Answer:
    """Return power or size of two one-sided tests (TOST) for equivalence of two means.

    Parameters
    ----------
    margin : float or pair of float
        Limits of equivalence: a number above 0 for ±margin, or (lower, upper).
    difference : float
        True difference, active − control, within the limits.
    sd : float
        Standard deviation within each arm.
    n_total : float, optional
        Participants in both arms, at least 3. Leave out this or `power`.
    power : float, optional
    ratio : pair of float
        Allocation, control then active.
    alpha : float
        Level of each of the two tests, which is the level of the whole: the interval has level 1 − 2α.
    reference : {"t", "z"}
        Pooled t tests, or normal ones with a known standard deviation.

    Returns
    -------
    Answer
        `effect` is the true difference.

    Raises
    ------
    InputError
        If not exactly one of size and power is left out, or a number is out of range.

    Notes
    -----
    Given the pooled s, both tests reject where θ_L + t s k < d < θ_U − t s k, k = √(1/n₀ + 1/n₁), d normal. The power
    is that probability integrated over the density of s, ν s²/σ² being chi-square on ν = n₀ + n₁ − 2 (Phillips 1990).
    """
    positive(sd=sd)
    one_of("reference", reference, ("t", "z"))
    lower, upper = (-margin, margin) if isinstance(margin, int | float) else (float(margin[0]), float(margin[1]))
    if not lower < difference < upper:
        refuse("difference", f"must lie within the limits {lower:g} and {upper:g}, not {difference:g}")
    at = level(alpha, 1)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        k = sd * math.sqrt(1.0 / n[0] + 1.0 / n[1])
        df = sum(n) - 2.0 if reference == "t" else math.inf
        return both_tests_power((lower - effect) / k, (upper - effect) / k, df, at)

    words = "exact integral" if reference == "t" else "normal approximation"
    question = Question(
        power_at,
        at,
        f"two one-sided tests of means, {words}",
        allocation(ratio),
        least=3.0,
        inputs={"margin": (lower, upper), "sd": sd},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def noninferiority_means(
    *,
    margin: float,
    difference: float | None = 0.0,
    sd: float = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.025,
    reference: str = "t",
) -> Answer:
    """Return power, size or the true difference needed for non-inferiority of a mean.

    Parameters
    ----------
    margin : float
        The largest loss that counts as not inferior, above 0.
    difference : float, optional
        True advantage of the active arm: positive where it is better, whichever way the score runs.
    sd, n_total, power, ratio : as in `means.two_sample_t`
    alpha : float
        One-sided.
    reference : {"t", "z"}

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        As in `means.two_sample_t`, and if the true difference is at or beyond the margin.

    Notes
    -----
    The one-sided two-sample test of difference ≤ −margin (Julious 2004).
    """
    positive(margin=margin)
    one_of("reference", reference, ("t", "z"))
    if difference is not None and difference <= -margin:
        refuse("difference", f"must be above minus the margin of {margin:g}, or the arm is inferior; is {difference:g}")
    test = two_sample_t if reference == "t" else two_sample_z
    return test(
        difference=difference, sd=sd, n_total=n_total, power=power, ratio=ratio, null=-margin, alpha=alpha, sides=1
    )


def both_tests_power(low: float, high: float, df: float, at: Level) -> float:
    """Return P(both one-sided tests reject), integrated over s / σ up to where the two rejection regions part.

    Parameters
    ----------
    low, high : float
        Limits of equivalence in standard errors from the truth.
    df : float
        Infinite for normal tests.
    at : Level
        One-sided, of each test.
    """
    if math.isinf(df):
        z = -ndtri(at.tail)
        return max(float(ndtr(high - z) - ndtr(low + z)), 0.0)
    critical = float(stdtrit(df, 1.0 - at.tail))
    spread = WIDTH / math.sqrt(2.0 * df)
    start, end = max(0.0, 1.0 - spread), min(1.0 + spread, (high - low) / (2.0 * critical))
    if end <= start:
        return 0.0
    s = start + 0.5 * (end - start) * (NODES + 1.0)
    log_density = math.log(2.0) + 0.5 * df * math.log(0.5 * df) - gammaln(0.5 * df) + (df - 1.0) * np.log(s)
    density = np.exp(log_density - 0.5 * df * s**2)
    inside = ndtr(high - critical * s) - ndtr(low + critical * s)
    return float(0.5 * (end - start) * (WEIGHTS * density) @ inside)
