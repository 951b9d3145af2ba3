"""Correlations across outcomes and visits, and what to do when they cannot be had together."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.kernels.correlation import (
    is_positive_definite,
    joint_correlation,
    nearest_correlation,
    visit_correlation,
    worst_pair,
)
from trialsim.kernels.lability import with_lability
from trialsim.scenario import schema
from trialsim.scenario.case import Case
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

ANCHORS = {3.5: "lag_3_5", 14.0: "lag_14", 84.0: "lag_84"}
"""Distances in days at which the catalogue gives the correlation between visits."""

_ROOM = 0.03
"""Smallest eigenvalue of a repaired matrix: scores on coarse scales need latent correlations a little larger than
their own, and a matrix on the very edge would leave no room for them."""


def correlations(case: Case, baseline_correlation: FloatArray) -> FloatArray | None:
    """Return the target correlations of all scores of a participant.

    Parameters
    ----------
    case : Case
    baseline_correlation : ndarray, shape (S, K)
        Of the baseline with later scores.

    Returns
    -------
    ndarray, shape (S, J, J), or None
        Positive definite, repaired if that was asked for; None where a fault was reported.
    """
    n_faults = len(case.ledger.faults)
    baseline, later = _between_outcomes(case)
    visits = _between_visits(case)
    if len(case.ledger.faults) > n_faults or visits is None or np.isnan(baseline_correlation).any():
        return None
    joint = _labile(case, joint_correlation(baseline, later, visits, baseline_correlation), visits)
    if case.content.covariance.repair == "nearest":
        roomy = is_positive_definite(joint, min_eigenvalue=_ROOM)
        return joint if roomy.all() else _repaired(case, joint)
    possible = is_positive_definite(joint)
    if possible.all():
        return joint
    if len(case.ledger.faults) == n_faults:
        _blame(case, baseline, later, visits, joint[int(np.argmin(possible))])
    return None


def _labile(case: Case, joint: FloatArray, visits: FloatArray) -> FloatArray:
    """Return the joint correlations with those between visits lowered in the strata whose scores are more labile."""
    given = case.content.lability
    if given is None:
        return joint
    factor = np.array([given.get(stratum, 1.0) for stratum in case.strata])
    for stratum, value in zip(case.strata, factor.tolist(), strict=True):
        case.ledger.note(("lability", stratum), value)
    changed = with_lability(joint, visits, factor)
    if case.content.covariance.repair == "nearest":
        return changed
    if not is_positive_definite(joint).all():
        return joint  # impossible already: lability is not to blame
    for s in np.flatnonzero(~is_positive_definite(changed)):
        message = (
            f"with {number(factor[s])} the correlations cannot all hold (their matrix is not positive definite): "
            "take one nearer to 1 (repair: nearest takes the nearest possible matrix)"
        )
        case.ledger.fault(("lability", case.strata[s]), message)
    return changed


def _between_outcomes(case: Case) -> tuple[FloatArray, FloatArray]:
    """Return the correlations between outcomes at baseline and later, each (K, K)."""
    size = len(case.measures)
    matrices = {"baseline": np.eye(size), "later": np.eye(size)}
    for k, j in combinations(range(size), 2):
        position = _pair_position(case, k, j)
        for occasion, matrix in matrices.items():
            matrix[k, j] = matrix[j, k] = _pair_value(case, k, j, occasion, position)
    return matrices["baseline"], matrices["later"]


def _pair_position(case: Case, k: int, j: int) -> int | None:
    """Return the position of a pair among those written out, or None."""
    wanted = {case.outcomes[k], case.outcomes[j]}
    entries = case.content.covariance.outcomes
    return next((i for i, entry in enumerate(entries) if set(entry.pair) == wanted), None)


def _pair_value(case: Case, k: int, j: int, occasion: str, position: int | None) -> float:
    names = (case.outcomes[k], case.outcomes[j])
    if position is not None:
        given: float | None = getattr(case.content.covariance.outcomes[position], occasion)
        if given is not None:
            case.ledger.note(("covariance", "outcomes", position, occasion), given, f"{names[0]} with {names[1]}")
            return given
    first, second = sorted((case.measures[k].instrument, case.measures[j].instrument))
    quantity = known_quantity(f"defaults.correlation.{first}.{second}.{occasion}")
    if quantity is None or quantity.value is None:
        path: tuple[str | int, ...] = ("covariance", "outcomes")
        path = (*path, position, occasion) if position is not None else path
        pair = f"{{pair: [{names[0]}, {names[1]}], baseline: ..., later: ...}}"
        message = f"no evidence on the correlation of {names[0]} with {names[1]}: give {pair}"
        case.ledger.fault(path, message, key=True, near=("outcomes", names[1]))
        return np.nan
    case.ledger.evidence(("covariance", "outcomes", *names, occasion), quantity)
    return quantity.value


def _between_visits(case: Case) -> FloatArray | None:
    """Return the correlations between visits after baseline, (V, V)."""
    given, path = case.content.covariance.visits, ("covariance", "visits")
    arguments: dict[str, Any]
    if given.structure == "decay":
        arguments = {"anchors": _anchors(case, given)}
    elif given.structure == "unstructured":
        arguments = {"matrix": given.matrix}
        case.ledger.note((*path, "matrix"), [list(row) for row in given.matrix or ()])
    else:
        arguments = {"correlations" if given.structure == "toeplitz" else "rho": given.rho}
        case.ledger.note((*path, "rho"), list(given.rho) if isinstance(given.rho, tuple) else given.rho)
    case.ledger.note((*path, "structure"), given.structure)
    try:
        return visit_correlation(case.visits, structure=given.structure, **arguments)
    except ValueError as error:
        case.ledger.fault((*path, next(iter(arguments)).replace("correlations", "rho")), str(error), key=True)
        return None


def _anchors(case: Case, given: schema.VisitCorrelation) -> dict[float, float]:
    path = ("covariance", "visits", "anchors")
    if given.anchors is not None:
        case.ledger.note(path, given.anchors)
        return {float(day): value for day, value in given.anchors.items()}
    anchors = {}
    for days, name in ANCHORS.items():
        quantity = known_quantity(f"defaults.correlation.visits.{name}")
        if quantity is not None and quantity.value is not None:
            anchors[days] = quantity.value
            case.ledger.evidence((*path, f"{days:g}"), quantity)
    return anchors


# Impossible matrices -----------------------------------------------------------------------------------------


def score_name(case: Case, j: int) -> str:
    """Return the words for score `j` of a participant, such as `madrs at day 7`."""
    visit, k = divmod(j, len(case.measures))
    return f"{case.outcomes[k]} at {'baseline' if visit == 0 else f'day {case.visits[visit - 1]:g}'}"


def _blame(case: Case, baseline: FloatArray, later: FloatArray, visits: FloatArray, joint: FloatArray) -> None:
    """Report the smallest matrix that is not positive definite, and the pair most to blame."""
    for occasion, matrix in (("at baseline", baseline), ("after baseline", later)):
        if not is_positive_definite(matrix):
            k, j = worst_pair(matrix)
            _report_outcomes(case, k, j, occasion, matrix[k, j], nearest_correlation(matrix)[k, j])
    if not is_positive_definite(visits):
        v, w = worst_pair(visits)
        days = f"days {case.visits[v]:g} and {case.visits[w]:g}"
        message = _impossible(f"between visits on {days}", visits[v, w], nearest_correlation(visits)[v, w])
        case.ledger.fault(("covariance", "visits"), message, key=True, near=("schedule", "visits"))
    if all(bool(is_positive_definite(matrix)) for matrix in (baseline, later, visits)):
        i, j = worst_pair(joint)
        between = f"of {score_name(case, i)} with {score_name(case, j)}"
        message = _impossible(between, joint[i, j], nearest_correlation(joint)[i, j])
        case.ledger.fault(
            _blamed_path(case, i % len(case.measures), j % len(case.measures)), message, key=True, near=("outcomes",)
        )


def _report_outcomes(case: Case, k: int, j: int, occasion: str, value: float, possible: float) -> None:
    message = _impossible(f"of {case.outcomes[k]} with {case.outcomes[j]} {occasion}", value, possible)
    case.ledger.fault(_blamed_path(case, k, j), message, key=True, near=("outcomes",))


def _blamed_path(case: Case, k: int, j: int) -> tuple[str | int, ...]:
    if k == j:
        return ("outcomes", case.outcomes[k])
    position = _pair_position(case, k, j)
    return ("covariance", "outcomes") if position is None else ("covariance", "outcomes", position)


def _impossible(between: str, value: float, possible: float) -> str:
    return (
        f"the correlations cannot all hold (their matrix is not positive definite): most to blame is {number(value)} "
        f"{between}; the nearest possible is {number(possible)} (repair: nearest takes it)"
    )


def _repaired(case: Case, joint: FloatArray) -> FloatArray:
    repaired = nearest_correlation(joint, min_eigenvalue=_ROOM)
    change = np.abs(repaired - joint)
    _, i, j = (int(x) for x in np.unravel_index(np.argmax(change), change.shape))
    between = f"{score_name(case, i)} with {score_name(case, j)}"
    note = (
        f"repaired to the nearest matrix with eigenvalues of at least {_ROOM:g}; "
        f"largest change {change.max():.4f}, {between}"
    )
    case.ledger.note(("covariance", "repair"), "nearest", note)
    return repaired
