"""Comparison of two arms at the last visit by a mixed model for repeated measures with dropout.

References
----------
Lu K, Luo X, Chen PY (2008). Sample size estimation for repeated measures analysis in randomized clinical trials with
missing data. International Journal of Biostatistics 4(1):9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, covariance, inside, one_of, pair, positive, refuse, retention
from trialsim.planning.formulas.level import level, t_power
from trialsim.planning.formulas.solving import SOME, Question, solve

Array = NDArray[np.float64]


def variance_inflation(correlation: ArrayLike, staying: ArrayLike) -> float:
    """Return by how much dropout raises the variance of a mean at the last visit in a mixed model.

    Parameters
    ----------
    correlation : array-like, shape (V, V)
        Correlation (or covariance) of the scores over the visits within an arm; positive definite.
    staying : array-like, shape (V,)
        Share of the arm still observed at each visit: above 0, at most 1, never rising.

    Returns
    -------
    float
        φ, at least 1: the variance of the mean is φ σ²/n, σ² the variance of a score at the last visit.

    Raises
    ------
    InputError
        If the matrix is not a covariance, or the shares cannot be those of dropout.

    Notes
    -----
    φ is the last diagonal element of [Σ_k (r_k − r_{k+1}) (R_k^{-1} bordered with zeros)]^{-1}, R_k the correlation of
    the first k visits and r_{V+1} = 0 (Lu, Luo & Chen 2008), over that element without dropout.
    """
    matrix = covariance("correlation", correlation)
    shares = retention("staying", staying, len(matrix))
    information = np.zeros_like(matrix)
    for k, leaving in enumerate(shares - np.append(shares[1:], 0.0), start=1):
        information[:k, :k] += leaving * np.linalg.inv(matrix[:k, :k])
    return float(np.linalg.inv(information)[-1, -1] / matrix[-1, -1])


def ar1_correlation(correlation: float, times: ArrayLike) -> Array:
    """Return the correlation of visits that falls as a power of the time between them.

    Parameters
    ----------
    correlation : float
        Between visits one unit of time apart, in (0, 1).
    times : array-like, shape (V,)
        Rising.

    Returns
    -------
    ndarray, shape (V, V)

    Raises
    ------
    InputError
        If the correlation is out of range or the times do not rise.
    """
    inside(0.0, 1.0, correlation=correlation)
    at = np.asarray(times, dtype=np.float64)
    if at.ndim != 1 or np.any(np.diff(at) <= 0.0):
        refuse("times", f"must rise, not {at.tolist()}")
    return np.asarray(correlation ** np.abs(at[:, None] - at[None, :]))


def mmrm(
    *,
    difference: float | None = None,
    sd: float | Sequence[float],
    inflation: float | Sequence[float],
    n_total: float | None = None,
    power: float | None = None,
    reference: str = "t",
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference at the last visit of a mixed model with dropout.

    Parameters
    ----------
    difference : float, optional
        True difference of means at the last visit, active − control.
    sd : float or pair of float
        Standard deviation at the last visit within both arms, or in control then active; the residual one if the model
        adjusts for baseline.
    inflation : float or pair of float
        φ of both arms or of control then active, at least 1: see `variance_inflation`.
    n_total : float, optional
        Participants randomised in both arms (with at least one visit).
    power : float, optional
        Leave out exactly one of the three.
    reference : {"t", "z"}
        t with n₀ + n₁ − 2 degrees of freedom, or normal.
    ratio : pair of float
        Allocation, control then active.
    null, alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `details` holds the standard error of the difference.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Variance of the difference φ₀σ₀²/n₀ + φ₁σ₁²/n₁ (Lu, Luo & Chen 2008), their z and t formulas.
    """
    spread, phi = pair("sd", sd), pair("inflation", inflation)
    positive(sd=min(spread))
    one_of("reference", reference, ("t", "z"))
    if min(phi) < 1.0 - 1e-12:
        refuse("inflation", f"must be at least 1, not {min(phi):g}")
    at = level(alpha, sides, either_direction)

    def se(n: tuple[float, ...]) -> float:
        return math.sqrt(phi[0] * spread[0] ** 2 / n[0] + phi[1] * spread[1] ** 2 / n[1])

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return t_power(abs(effect - null) / se(n), math.inf if reference == "z" else sum(n) - 2.0, at)

    words = "t" if reference == "t" else "normal approximation"
    question = Question(
        power_at,
        at,
        f"MMRM with dropout, Lu, Luo & Chen, {words}",
        allocation(ratio),
        least=SOME if reference == "z" else 3.0,
        effect_from=null,
        details_at=lambda _effect, n: {"se": se(n)},
        inputs={"sd": spread, "inflation": phi, "null": null},
    )
    return solve(question, effect=difference, n_total=n_total, power=power)
