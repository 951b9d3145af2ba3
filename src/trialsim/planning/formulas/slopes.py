"""Comparison of rates of change over time: generalised least squares, mixed models and estimating equations.

References
----------
Diggle PJ, Liang KY, Zeger SL (1994). Analysis of Longitudinal Data, p. 29. Oxford University Press.
Liu G, Liang KY (1997). Sample size calculations for studies with correlated observations. Biometrics 53:937-947.
Edland SD (2009). Which MRI measure is best for Alzheimer's disease prevention trials: statistical considerations of
power and sample size. Joint Statistical Meetings Proceedings.
Hu N, Mackey H, Thomas R (2021). Power and sample size for random coefficient regression models in randomized
experiments with monotone missing data. Biometrical Journal 63:806-824.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, covariance, finite, one_of, positive, refuse, retention
from trialsim.planning.formulas.level import chi_square_power, level, normal_power, t_power
from trialsim.planning.formulas.solving import SOME, Question, solve

Array = NDArray[np.float64]


def random_slope_covariance(
    times: ArrayLike,
    *,
    residual_variance: float,
    intercept_variance: float = 0.0,
    slope_variance: float = 0.0,
    intercept_slope_covariance: float = 0.0,
) -> Array:
    """Return the covariance over visits of a model with random intercept and slope.

    Parameters
    ----------
    times : array-like, shape (V,)
        Visit times.
    residual_variance : float
        Above 0.
    intercept_variance, slope_variance, intercept_slope_covariance : float
        Of the random effects; the slope is per unit of `times`.

    Returns
    -------
    ndarray, shape (V, V)
        Z D Z' + σ² I.

    Raises
    ------
    InputError
        If a variance is negative or the result is not positive definite.
    """
    positive(residual_variance=residual_variance)
    finite(intercept_slope_covariance=intercept_slope_covariance)
    if min(intercept_variance, slope_variance) < 0.0:
        refuse("slope_variance", "variances must be at least 0")
    t = np.asarray(times, dtype=np.float64)
    z = np.stack([np.ones_like(t), t], axis=1)
    d = np.array([[intercept_variance, intercept_slope_covariance], [intercept_slope_covariance, slope_variance]])
    return covariance("intercept_slope_covariance", z @ d @ z.T + residual_variance * np.eye(len(t)))


def slope_difference(
    *,
    difference: float | None = None,
    times: ArrayLike,
    visit_covariance: ArrayLike,
    staying: ArrayLike | None = None,
    common_intercept: bool = False,
    n_total: float | None = None,
    power: float | None = None,
    reference: str = "z",
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference of slopes between two arms.

    Parameters
    ----------
    difference : float, optional
        True difference of slopes, active − control, per unit of `times`.
    times : array-like, shape (V,)
        Visit times, rising, baseline included; at least two.
    visit_covariance : array-like, shape (V, V)
        Covariance of the scores over the visits, the same in both arms; see `random_slope_covariance`.
    staying : array-like, shape (V,), optional
        Share still observed at each visit; complete data by default. With a first share of 1 − x, x of the participants
        have no visit at all.
    common_intercept : bool
        Whether the arms have one mean at time 0, as after randomisation (Hu, Mackey & Thomas), or each its own (Diggle;
        Edland).
    n_total : float, optional
        Participants in both arms.
    power : float, optional
        Leave out exactly one of the three.
    reference : {"z", "t"}
        Normal, or t with n − 2 degrees of freedom.
    ratio : pair of float
        Allocation, control then active.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `details` holds the variance of a participant's slope in a large arm.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    A participant brings the information M = Σ_k (r_k − r_{k+1}) X_k' V_k^{-1} X_k on intercept and slope, X_k and V_k
    of the first k visits. The variance of an arm's slope is (M^{-1})₂₂/n. With one intercept and shares π₀, π₁ the
    difference has variance 1/(π₀ π₁ n M₂₂), as if the intercept were known: the arms' information on it cancels. An
    exchangeable V gives σ²(1 − ρ)/Σ(t − t̄)², Diggle, Liang & Zeger's formula.
    """
    one_of("reference", reference, ("z", "t"))
    information = _information(times, visit_covariance, staying)
    variance = 1.0 / float(information[1, 1]) if common_intercept else float(np.linalg.inv(information)[1, 1])
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        shift = abs(effect) / math.sqrt(variance * (1.0 / n[0] + 1.0 / n[1]))
        return t_power(shift, math.inf if reference == "z" else sum(n) - 2.0, at)

    words = "one intercept" if common_intercept else "an intercept per arm"
    question = Question(
        power_at,
        at,
        f"difference of slopes, {words}, {'normal approximation' if reference == 'z' else 't'}",
        allocation(ratio),
        least=SOME if reference == "z" else 3.0,
        details_at=lambda _e, _n: {"slope_variance": variance},
        inputs={"times": tuple(np.asarray(times, dtype=np.float64).tolist()), "common_intercept": common_intercept},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def estimating_equation(
    *,
    effect: ArrayLike,
    effect_designs: Sequence[ArrayLike],
    other_designs: Sequence[ArrayLike],
    visit_covariance: ArrayLike,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
) -> Answer:
    """Return power or size of the score test in generalised estimating equations, two-sided.

    Parameters
    ----------
    effect : array-like, shape (p,) or ()
        True values of the parameters that are tested, all 0 under the null hypothesis.
    effect_designs : pair of array-like, shape (V, p) or (V,)
        Their design rows, control then active.
    other_designs : pair of array-like, shape (V, q)
        Design rows of all other parameters.
    visit_covariance : array-like, shape (V, V)
        True and working covariance.
    n_total : float, optional
        Participants in both arms. Leave out this or `power`.
    power : float, optional
    ratio : pair of float
        Allocation, control then active.
    alpha : float

    Returns
    -------
    Answer
        `effect` is the length of the effect vector.

    Raises
    ------
    InputError
        If not exactly one is left out, shapes do not fit, or the designs leave the effect undetermined.

    Notes
    -----
    Noncentrality n δ' S δ, S = I_ψψ − I_ψλ I_λλ^{-1} I_λψ the efficient information of one participant (Liu & Liang
    1997); chi-square with p degrees of freedom, for p = 1 the normal test in the direction of the effect.
    """
    delta = np.atleast_1d(np.asarray(effect, dtype=np.float64))
    precision: Array = np.asarray(np.linalg.inv(covariance("visit_covariance", visit_covariance)), dtype=np.float64)
    parts = allocation(ratio)
    information = _efficient(effect_designs, other_designs, precision, parts, len(delta))
    noncentrality = float(delta @ information @ delta)
    positive(effect=noncentrality)
    at = level(alpha, 2)

    def power_at(_effect: float, n: tuple[float, ...]) -> float:
        if len(delta) == 1:
            return normal_power(math.sqrt(noncentrality * sum(n)), at)
        return chi_square_power(noncentrality * sum(n), len(delta), alpha)

    question = Question(
        power_at,
        at,
        "estimating equations, Liu & Liang",
        parts,
        effect_name="effect",
        inputs={"effect": delta.tolist()},
    )
    return solve(question, effect=float(np.linalg.norm(delta)), n_total=n_total, power=power)


def _information(times: ArrayLike, visit_covariance: ArrayLike, staying: ArrayLike | None) -> Array:
    """Return one participant's information on intercept and slope, (2, 2)."""
    t = np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or len(t) < 2 or np.any(np.diff(t) <= 0.0):
        refuse("times", f"must be at least two times that rise, not {t.tolist()}")
    v = covariance("visit_covariance", visit_covariance, len(t))
    shares = np.ones(len(t)) if staying is None else retention("staying", staying, len(t))
    x = np.stack([np.ones_like(t), t], axis=1)
    information = np.zeros((2, 2))
    for k, leaving in enumerate(shares - np.append(shares[1:], 0.0), start=1):
        information += leaving * x[:k].T @ np.linalg.solve(v[:k, :k], x[:k])
    return information


def _efficient(
    effect_designs: Sequence[ArrayLike],
    other_designs: Sequence[ArrayLike],
    precision: Array,
    parts: tuple[float, float],
    count: int,
) -> Array:
    """Return one participant's information on the effects after all other parameters, (p, p)."""
    pieces = []
    for part, u, v in zip(parts, effect_designs, other_designs, strict=True):
        columns = [np.asarray(u, dtype=np.float64).reshape(len(precision), -1), np.asarray(v, dtype=np.float64)]
        if columns[0].shape[1] != count or columns[1].ndim != 2 or len(columns[1]) != len(precision):
            refuse(
                "effect_designs", f"designs must have {len(precision)} rows, and a column for each of {count} effects"
            )
        x = np.hstack(columns)
        pieces.append(part / sum(parts) * x.T @ precision @ x)
    information = np.sum(pieces, axis=0)
    cross = information[count:, :count]
    return np.asarray(information[:count, :count] - cross.T @ np.linalg.solve(information[count:, count:], cross))
