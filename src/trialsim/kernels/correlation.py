"""Correlation matrices: built from few numbers, checked, repaired, and the pair named that breaks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "VisitStructure",
    "is_positive_definite",
    "joint_correlation",
    "nearest_correlation",
    "visit_correlation",
    "worst_pair",
]

FloatArray = NDArray[np.float64]
VisitStructure = Literal["decay", "compound_symmetry", "ar1", "toeplitz", "unstructured"]

_SYMMETRY = 1e-9  # how far a given matrix may be from symmetric with unit diagonal


def is_positive_definite(matrix: ArrayLike, *, min_eigenvalue: float = 1e-10) -> NDArray[np.bool_]:
    """Return whether the smallest eigenvalue is above `min_eigenvalue`.

    Parameters
    ----------
    matrix : array_like, shape (..., J, J)
        Symmetric.
    min_eigenvalue : float
        Above zero by default, so that a matrix which passes can be factorised.

    Returns
    -------
    ndarray of bool, shape (...)
    """
    return np.asarray(np.linalg.eigvalsh(np.asarray(matrix, dtype=np.float64))[..., 0] > min_eigenvalue)


def nearest_correlation(
    matrix: ArrayLike, *, min_eigenvalue: float = 1e-8, tolerance: float = 1e-9, max_iterations: int = 20_000
) -> FloatArray:
    """Return the correlation matrix nearest in Frobenius norm with all eigenvalues at least `min_eigenvalue`.

    Parameters
    ----------
    matrix : array_like, shape (..., J, J)
        Symmetric; each matrix of a batch is repaired on its own.
    min_eigenvalue : float
        From 0 to below 1.
    tolerance : float
        Largest change of any entry in the last iteration.
    max_iterations : int
        After which a matrix is taken as it is, moved towards the identity until its eigenvalues suffice.

    Returns
    -------
    ndarray, shape (..., J, J)
        Symmetric with unit diagonal. One that was such already and has the eigenvalues is returned unchanged.

    Notes
    -----
    Alternating projections with Dykstra's correction, in three steps an iteration: (1) take off the last
    correction; (2) raise the eigenvalues to the minimum and note what that changed; (3) reset the diagonal.
    What step 3 takes from the smallest eigenvalue (within the tolerance) is given back at the end by a mix
    with the identity.

    References
    ----------
    Higham NJ (2002), IMA J. Numer. Anal. 22:329, doi 10.1093/imanum/22.3.329, algorithm 3.3.
    """
    if not 0 <= min_eigenvalue < 1:
        raise ValueError(f"min_eigenvalue must be from 0 to below 1; got {min_eigenvalue:g}")
    given = np.asarray(matrix, dtype=np.float64)
    size = given.shape[-1]
    stack = given.reshape(-1, size, size)
    result = (
        np.stack([_project(one, min_eigenvalue, tolerance, max_iterations) for one in stack]) if stack.size else stack
    )
    return result.reshape(given.shape).copy()


def worst_pair(matrix: ArrayLike) -> tuple[int, int]:
    """Return the pair of variables most to blame when a matrix is not positive definite.

    Parameters
    ----------
    matrix : array_like, shape (J, J)
        Symmetric with unit diagonal, not positive definite.

    Returns
    -------
    i, j : int
        i < j; the entry that the nearest correlation matrix changes most (the first of equals).

    Raises
    ------
    ValueError
        If the matrix is positive definite: no pair is to blame.
    """
    given = np.asarray(matrix, dtype=np.float64)
    if is_positive_definite(given):
        raise ValueError("the matrix is positive definite: no pair is to blame")
    change = np.abs(nearest_correlation(given) - given)
    first, second = np.triu_indices(given.shape[-1], k=1)
    # Rounded, so that pairs that share the blame are not ordered by the last bits of an eigenvalue routine.
    worst = int(np.argmax(np.round(change[first, second], 7)))
    return int(first[worst]), int(second[worst])


def visit_correlation(
    days: ArrayLike,
    *,
    structure: VisitStructure,
    anchors: Mapping[float, float] | None = None,
    rho: float | None = None,
    correlations: Sequence[float] | None = None,
    matrix: ArrayLike | None = None,
) -> FloatArray:
    """Return the correlations of one outcome between visits.

    Parameters
    ----------
    days : array_like, shape (V,), days
        Visits, increasing.
    structure : {"decay", "compound_symmetry", "ar1", "toeplitz", "unstructured"}
        Each takes one of the arguments that follow, and no other.
    anchors : mapping of lag in days to correlation
        For decay: lags above 0; correlations from 0 to below 1, convex and not increasing (see Notes).
    rho : float
        For compound_symmetry (between any two visits) and ar1 (between neighbouring visits, however far
        apart).
    correlations : sequence of V - 1 floats
        For toeplitz: at 1, 2, ... visits apart.
    matrix : array_like, shape (V, V)
        For unstructured.

    Returns
    -------
    ndarray, shape (V, V)
        Symmetric with unit diagonal. Decay is always positive definite; the others are so as far as their
        numbers are.

    Notes
    -----
    Decay is linear in the lag from 1 at lag 0 to the first anchor and linear in log lag from anchor to
    anchor; after the last it keeps its slope in log lag until it reaches 0 and stays there. A single anchor
    is left with the slope it is reached with. Such a curve is positive definite on any set of days if it is
    convex (Polya's criterion), that is if the loss per unit of log lag does not rise from anchor to anchor
    and is at first at most what is lost up to the first anchor.
    """
    day = np.asarray(days, dtype=np.float64)
    if day.ndim != 1 or day.size == 0 or not np.isfinite(day).all() or (np.diff(day) <= 0).any():
        raise ValueError("visit days must be a row of increasing numbers")
    given = {"anchors": anchors, "rho": rho, "correlations": correlations, "matrix": matrix}
    needed = {"decay": "anchors", "compound_symmetry": "rho", "ar1": "rho", "toeplitz": "correlations"}
    needed["unstructured"] = "matrix"
    if structure not in needed:
        raise ValueError(f"structure must be one of {', '.join(needed)}; got {structure!r}")
    if [name for name, value in given.items() if value is not None] != [needed[structure]]:
        raise ValueError(f"the structure {structure} takes {needed[structure]} and nothing else")
    apart = np.abs(np.subtract.outer(np.arange(day.size), np.arange(day.size)))
    if anchors is not None:
        return _decay(np.abs(np.subtract.outer(day, day)), anchors)
    if rho is not None:
        _check_range(np.asarray(rho))
        return np.where(apart == 0, 1.0, rho) if structure == "compound_symmetry" else np.float64(rho) ** apart
    if correlations is not None:
        return _toeplitz(correlations, apart)
    return _unstructured(np.asarray(matrix, dtype=np.float64), day.size)


def joint_correlation(
    baseline: ArrayLike, later: ArrayLike, visits: ArrayLike, baseline_to_later: ArrayLike
) -> FloatArray:
    """Return the correlations of all outcomes at baseline and all visits.

    Parameters
    ----------
    baseline : array_like, shape (..., K, K)
        Between outcomes at baseline, C0.
    later : array_like, shape (..., K, K)
        Between outcomes at a visit, C1.
    visits : array_like, shape (..., V, V)
        Between visits of one outcome, R.
    baseline_to_later : array_like, shape (..., K)
        Of each outcome's baseline with its own later scores, r.

    Returns
    -------
    ndarray, shape (..., J, J)
        J = K (V + 1): the baselines of all outcomes, then all outcomes at visit 1, then at visit 2, ...
        Leading axes of the arguments broadcast. Not necessarily positive definite: see
        `is_positive_definite`.

    Notes
    -----
    corr(b_k, b_l) = C0_kl; corr(y_kv, y_lw) = C1_kl R_vw; corr(b_l, y_kv) = r_k C0_kl at every visit.
    """
    c0, c1, r_visits, r_baseline = (
        np.asarray(x, dtype=np.float64) for x in (baseline, later, visits, baseline_to_later)
    )
    outcomes, visit_count = c0.shape[-1], r_visits.shape[-1]
    if c1.shape[-2:] != c0.shape[-2:] or r_baseline.shape[-1] != outcomes:
        raise ValueError("baseline, later and baseline_to_later must be about the same outcomes")
    batch = np.broadcast_shapes(c0.shape[:-2], c1.shape[:-2], r_visits.shape[:-2], r_baseline.shape[:-1])
    size = outcomes * (visit_count + 1)
    joint = np.empty((*batch, size, size))
    joint[..., :outcomes, :outcomes] = c0
    between = np.einsum("...vw,...kl->...vkwl", r_visits, c1)
    later_size = outcomes * visit_count
    joint[..., outcomes:, outcomes:] = between.reshape(*between.shape[:-4], later_size, later_size)
    cross = np.swapaxes(r_baseline[..., None] * c0, -1, -2)  # [l, k] = r_k C0_kl
    joint[..., :outcomes, outcomes:] = np.concatenate([cross] * visit_count, axis=-1)
    joint[..., outcomes:, :outcomes] = np.swapaxes(joint[..., :outcomes, outcomes:], -1, -2)
    return joint


def _project(given: FloatArray, min_eigenvalue: float, tolerance: float, max_iterations: int) -> FloatArray:
    """Return the nearest correlation matrix of one matrix."""
    current = (given + given.T) / 2
    unit = np.abs(np.diag(current) - 1).max() == 0
    if unit and np.linalg.eigvalsh(current)[0] >= min_eigenvalue:
        return current
    np.fill_diagonal(current, 1.0)
    correction = np.zeros_like(current)
    for _ in range(max_iterations):
        shifted = current - correction  # (1)
        eigenvalues, vectors = np.linalg.eigh(shifted)
        raised = (vectors * np.maximum(eigenvalues, min_eigenvalue)) @ vectors.T  # (2)
        correction = raised - shifted
        following = (raised + raised.T) / 2
        np.fill_diagonal(following, 1.0)  # (3)
        change = np.abs(following - current).max()
        current = following
        if change <= tolerance:
            break
    smallest = float(np.linalg.eigvalsh(current)[0])
    if smallest < min_eigenvalue:
        # A little more than needed, so that rounding does not leave it a hair below.
        share = min(1.0, (min_eigenvalue - smallest) / (1 - smallest) + 1e-15)
        current *= 1 - share
        np.fill_diagonal(current, 1.0)
    return current


def _decay(lag_days: FloatArray, anchors: Mapping[float, float]) -> FloatArray:
    """Return the correlations at these lags; see `visit_correlation`."""
    points = sorted((float(lag), float(value)) for lag, value in anchors.items())
    lags, values = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    if lags.size == 0 or not (np.isfinite(lags).all() and lags[0] > 0):
        raise ValueError("a decay needs at least one anchor, at lags above 0 days")
    if not ((values >= 0) & (values < 1)).all():
        raise ValueError("the correlations of a decay must be from 0 to below 1")
    logs = np.log(lags)
    losses = [1 - values[0], *(-np.diff(values) / np.diff(logs))]  # per unit of log lag, before and after each anchor
    if min(losses) < 0:
        raise ValueError("the correlations of a decay must not rise with the lag")
    for number, (before, after) in enumerate(pairwise(losses)):
        if after > before + 1e-12:
            raise ValueError(
                f"a decay must be convex: after the anchor at {lags[number]:g} days it falls faster "
                f"({after:.4g} per unit of log lag) than before ({before:.4g})"
            )
    log_lag = np.log(np.maximum(lag_days, lags[0]))
    beyond = np.maximum(values[-1] - losses[-1] * (log_lag - logs[-1]), 0.0)
    far = np.where(log_lag > logs[-1], beyond, np.interp(log_lag, logs, values))
    curve: FloatArray = np.where(lag_days < lags[0], 1 - (1 - values[0]) * lag_days / lags[0], far)
    return curve


def _toeplitz(correlations: Sequence[float], apart: NDArray[np.intp]) -> FloatArray:
    """Return the matrix with these correlations at 1, 2, ... visits apart."""
    by_lag = np.array([1.0, *correlations])
    if by_lag.size != apart.shape[0]:
        raise ValueError(f"{apart.shape[0]} visits need {apart.shape[0] - 1} correlations; got {by_lag.size - 1}")
    _check_range(by_lag)
    found: FloatArray = by_lag[apart]
    return found


def _unstructured(matrix: FloatArray, visits: int) -> FloatArray:
    """Return a checked copy of a given matrix."""
    if matrix.shape != (visits, visits):
        raise ValueError(f"{visits} visits need a {visits} x {visits} matrix; got the shape {matrix.shape}")
    _check_range(matrix)
    if np.abs(matrix - matrix.T).max() > _SYMMETRY or np.abs(np.diag(matrix) - 1).max() > _SYMMETRY:
        raise ValueError("a correlation matrix must be symmetric with 1 on the diagonal")
    symmetric: FloatArray = (matrix + matrix.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    return symmetric


def _check_range(correlations: FloatArray) -> None:
    """Refuse anything that is not a correlation."""
    if not (np.abs(correlations) <= 1).all():
        raise ValueError("correlations must be between -1 and 1")
