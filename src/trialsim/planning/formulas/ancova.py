"""Comparison of two arms after adjustment for baseline: ANCOVA, change from baseline, or the last score alone.

References
----------
Frison L, Pocock SJ (1992). Repeated measures in clinical trials: analysis using mean summary statistics and its
implications for design. Statistics in Medicine 11:1685-1704.
Borm GF, Fransen J, Lemmens WAJG (2007). A simple sample size formula for analysis of covariance in randomized clinical
trials. Journal of Clinical Epidemiology 60:1234-1238.
Shieh G (2020). Power analysis and sample size planning in ANCOVA designs. Psychometrika 85:101-120.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, inside, one_of, positive, refuse
from trialsim.planning.formulas.level import Level, level, t_beyond, t_power
from trialsim.planning.formulas.quadrature import beta_nodes
from trialsim.planning.formulas.solving import Question, solve


def baseline_variance_factor(correlation: float, analysis: str = "ancova") -> float:
    """Return the variance of an analysis in large trials as a multiple of that of the last score alone.

    Parameters
    ----------
    correlation : float
        Between baseline and last score within an arm, in (−1, 1); for several covariates their multiple correlation.
    analysis : {"post", "change", "ancova"}
        1, 2(1 − ρ) and 1 − ρ²: the last score alone, its change from baseline (equal standard deviations), and the
        last score adjusted for baseline (Frison & Pocock 1992).

    Raises
    ------
    InputError
        If the correlation is out of range or the analysis is unknown.
    """
    inside(-1.0, 1.0, correlation=correlation)
    factors = {"post": 1.0, "change": 2.0 * (1.0 - correlation), "ancova": 1.0 - correlation**2}
    one_of("analysis", analysis, factors)
    return factors[analysis]


def ancova(
    *,
    difference: float | None = None,
    sd: float = 1.0,
    correlation: float,
    n_total: float | None = None,
    power: float | None = None,
    analysis: str = "ancova",
    reference: str = "exact",
    covariates: int = 1,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference with a baseline score.

    Parameters
    ----------
    difference : float, optional
        True difference of means, active − control.
    sd : float
        Standard deviation of the last score within an arm, before adjustment.
    correlation : float
        Between baseline and last score within an arm.
    n_total, power, ratio, null, alpha, sides, either_direction : as in `means.two_sample_t`
    analysis : {"ancova", "change", "post"}
        What is compared; see `baseline_variance_factor`.
    reference : {"exact", "t", "z"}
        "exact": t test, covariates random and normal, so that their chance imbalance is paid for. "t": t test as if
        the covariates were balanced. "z": normal, the large-sample factor alone. "exact" and "t" are the same for
        change and last score.
    covariates : int
        Number of covariates of an ANCOVA, each costing a degree of freedom.

    Returns
    -------
    Answer
        `details` holds the variance factor.

    Raises
    ------
    InputError
        As in `means.two_sample_t`.

    Notes
    -----
    The factor f (1, 2(1 − ρ) or 1 − ρ²) multiplies the variance; ANCOVA's t has n₀ + n₁ − 2 − q degrees of freedom.
    Given q covariates the variance is also multiplied by 1 / B, B being Beta((N − 1 − q)/2, q/2) over random normal
    covariates, and the exact power is the noncentral t's integrated over B (Shieh 2020).
    """
    positive(sd=sd)
    one_of("reference", reference, ("exact", "t", "z"))
    if covariates < 1 or covariates != int(covariates):
        refuse("covariates", f"must be a whole number of at least 1, not {covariates}")
    factor = baseline_variance_factor(correlation, analysis)
    at = level(alpha, sides, either_direction)
    used = covariates if analysis == "ancova" else 0

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        shift = abs(effect - null) / (sd * math.sqrt(factor * (1.0 / n[0] + 1.0 / n[1])))
        if reference == "exact" and used:
            return power_over_imbalance(shift, sum(n), used, at)
        return t_power(shift, math.inf if reference == "z" else sum(n) - 2.0 - used, at)

    words = {"exact": "integrated over chance imbalance", "t": "noncentral t", "z": "normal approximation"}
    name = {"ancova": "ANCOVA", "change": "change from baseline", "post": "last score"}[analysis]
    question = Question(
        power_at,
        at,
        f"{name}, {words[reference if used or reference == 'z' else 't']}",
        allocation(ratio),
        least=3.0 + used,
        effect_from=null,
        details_at=lambda _effect, _n: {"variance_factor": factor},
        inputs={"sd": sd, "correlation": correlation, "covariates": used, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def power_over_imbalance(shift: float, total: float, covariates: int, at: Level) -> float:
    """Return the power of a t test over the chance imbalance of normal covariates.

    Parameters
    ----------
    shift : float
        Effect over its standard error with balanced covariates, at least 0.
    total : float
        Participants.
    covariates : int
        At least 1.
    at : Level
    """
    df = total - 2.0 - covariates
    critical = float(stdtrit(df, 1.0 - at.tail))
    share, mass = beta_nodes(0.5 * (total - 1.0 - covariates), 0.5 * covariates)
    return t_beyond(critical, df, shift * np.sqrt(share), both=at.both, weights=mass)
