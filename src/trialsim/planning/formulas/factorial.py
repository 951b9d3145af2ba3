"""Analysis of variance: one-way with or without covariates, and the 2 × 2 factorial; noncentral F.

References
----------
Cohen J (1988). Statistical Power Analysis for the Behavioral Sciences, 2nd ed., chapter 8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import one_of, positive, refuse, within
from trialsim.planning.formulas.level import f_power, level
from trialsim.planning.formulas.solving import Question, solve

CONTRASTS = {
    "first": ((-1.0, -1.0), (1.0, 1.0)),
    "second": ((-1.0, 1.0), (-1.0, 1.0)),
    "interaction": ((1.0, -1.0), (-1.0, 1.0)),
}
"""Signs of the cells in each effect; rows are levels of the first factor."""


def cohens_f(means: ArrayLike, sd: float) -> float:
    """Return the spread of group means of equal size as a multiple of the standard deviation within them.

    Parameters
    ----------
    means : array-like, shape (G,)
    sd : float
        Above 0.

    Returns
    -------
    float
        √(Σ(μ − μ̄)²/G) / σ.

    Raises
    ------
    InputError
        If `sd` is not above 0.
    """
    positive(sd=sd)
    return float(np.std(np.asarray(means, dtype=np.float64)) / sd)


def one_way(
    *,
    f: float | None = None,
    groups: int,
    n_total: float | None = None,
    power: float | None = None,
    covariates: int = 0,
    r_squared: float = 0.0,
    alpha: float = 0.05,
) -> Answer:
    """Return power, size or detectable f of one-way analysis of variance or covariance; groups of equal size.

    Parameters
    ----------
    f : float, optional
        Cohen's f on the scale of the unadjusted standard deviation: see `cohens_f`.
    groups : int
        At least 2.
    n_total : float, optional
        Participants in all groups together.
    power : float, optional
        Leave out exactly one of the three.
    covariates : int
        Number of covariates, each costing a degree of freedom.
    r_squared : float
        Share of the variance within groups that they explain, in [0, 1).
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
    F with groups − 1 and n − groups − covariates degrees of freedom and noncentrality n f²/(1 − R²).
    """
    if groups < 2 or groups != int(groups):
        refuse("groups", f"must be a whole number of at least 2, not {groups}")
    if covariates < 0 or covariates != int(covariates):
        refuse("covariates", f"must be a whole number of at least 0, not {covariates}")
    within(0.0, 1.0 - 1e-12, r_squared=r_squared)
    at = level(alpha, 2)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        total = sum(n)
        return f_power(total * effect**2 / (1.0 - r_squared), groups - 1, total - groups - covariates, alpha)

    name = "one-way ANCOVA" if covariates else "one-way ANOVA"
    question = Question(
        power_at,
        at,
        f"{name}, noncentral F",
        (1.0,) * groups,
        least=float(groups + covariates + 1),
        effect_name="f",
        inputs={"groups": groups, "covariates": covariates, "r_squared": r_squared},
    )
    return solve(question, effect=f, n_total=n_total, power=power)


def two_by_two(
    *,
    means: Sequence[Sequence[float]],
    effect: str,
    sd: float = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
) -> Answer:
    """Return power or size of one effect in a 2 × 2 factorial trial with cells of equal size.

    Parameters
    ----------
    means : 2 × 2 of float
        True means of the cells; rows are levels of the first factor, columns of the second.
    effect : {"first", "second", "interaction"}
        Main effect of the first or the second factor, or their interaction.
    sd : float
        Standard deviation within each cell.
    n_total : float, optional
        Participants in all four cells. Leave out this or `power`.
    power : float, optional
    alpha : float

    Returns
    -------
    Answer
        `effect` is the contrast: the difference of the factor's two marginal means, or half the difference of the
        simple effects. `n` has the four cells, row by row.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the contrast is 0 and a size is asked for.

    Notes
    -----
    With contrast c = Σ ± μ / 2 and n = `n_total`, F has 1 and n − 4 degrees of freedom and noncentrality n c²/(4 σ²).
    All three effects have the same coding, so one shifted cell gives all three the same power, and an interaction half
    as large as a main effect needs four times the participants.
    """
    positive(sd=sd)
    one_of("effect", effect, CONTRASTS)
    cells = np.asarray(means, dtype=np.float64)
    if cells.shape != (2, 2):
        refuse("means", f"must be two rows of two, not shape {cells.shape}")
    contrast = 0.5 * float(np.sum(cells * np.array(CONTRASTS[effect])))
    at = level(alpha, 2)

    def power_at(size: float, n: tuple[float, ...]) -> float:
        return f_power(sum(n) * size**2 / (4.0 * sd**2), 1.0, sum(n) - 4.0, alpha)

    question = Question(
        power_at,
        at,
        f"2 x 2 factorial, {effect}, noncentral F",
        (1.0,) * 4,
        least=5.0,
        effect_name="means",
        inputs={"means": tuple(map(tuple, cells.tolist())), "sd": sd},
    )
    return solve(question, effect=contrast, n_total=n_total, power=power)
