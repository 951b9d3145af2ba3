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
    inflation: float | Sequence[float] | None = None,
    correlation: ArrayLike | None = None,
    staying: ArrayLike | None = None,
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
    inflation : float or pair of float, optional
        φ of both arms or of control then active, at least 1: see `variance_inflation`. Left out, it is that of
        `correlation` and `staying`.
    correlation : float or array-like, shape (V, V), optional
        Correlation of the scores over the visits within an arm, or the one number that any two visits have.
    staying : array-like, shape (V,) or (2, V), optional
        Share still observed at each visit: of both arms, or a row for control and one for active.
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
    spread = pair("sd", sd)
    phi = pair("inflation", _inflation(correlation, staying) if inflation is None else inflation)
    if inflation is not None and (correlation is not None or staying is not None):
        refuse(
            "inflation", "is given beside correlation and staying, from which it follows; give the one or the others"
        )
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


def _inflation(correlation: ArrayLike | None, staying: ArrayLike | None) -> tuple[float, ...]:
    """Return φ of each arm from the correlation of its visits and the shares that stay."""
    if correlation is None or staying is None:
        missing = "correlation" if correlation is None else "staying"
        refuse(missing, "is left out; give correlation and staying, or the variance inflation that follows from them")
    rows = np.atleast_2d(np.asarray(staying, dtype=np.float64))
    if rows.ndim != 2 or len(rows) > 2:
        refuse(
            "staying", f"must be a share for each visit, or a row of them for each of two arms, not shape {rows.shape}"
        )
    matrix = np.asarray(correlation, dtype=np.float64)
    if matrix.ndim == 0:
        inside(-1.0, 1.0, correlation=float(matrix))
        matrix = np.where(np.eye(rows.shape[1], dtype=bool), 1.0, float(matrix))
    return tuple(variance_inflation(matrix, row) for row in rows)
