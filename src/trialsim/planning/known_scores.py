"""What the model says of scores without simulating: their spread within arms, and who is still there at each visit.

Arrays are by arm and stratum, `A` and `S`, and by visit, `V`, as in `scenario.resolved.Variant`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.dropout import missing_by_visit, solve_hazard
from trialsim.scenario.resolved import Variant

Array = NDArray[np.float64]


def cell_shares(variant: Variant) -> Array:
    """Return the expected share of the randomised in each arm and stratum, shape (A, S); adds to 1."""
    ratio = np.asarray(variant.allocation.ratio, dtype=np.float64)
    return np.asarray(np.outer(ratio / ratio.sum(), variant.strata_share))


def staying(variant: Variant) -> Array:
    """Return the share of each arm and stratum that has not left by each visit, shape (A, S, V).

    Parameters
    ----------
    variant : Variant

    Notes
    -----
    Baseline hazards are those at which the whole trial loses what is asked for, each cell by its hazard ratio; what
    scores do to the hazard is left out.
    """
    shares, n_visits = cell_shares(variant), len(variant.visits_days)
    dropout = variant.dropout
    if dropout is None:
        return np.ones((*shares.shape, n_visits))
    ratio = np.outer(dropout.arm_hazard_ratio, dropout.stratum_hazard_ratio)
    there = np.full(shares.shape, 1.0 - dropout.never_starts)
    found = []
    for asked in 1.0 - missing_by_visit(dropout, variant.visits_days):
        hazard = solve_hazard(shares.size * shares * there, ratio, float(asked))
        there = there * np.exp(-hazard * ratio)
        found.append(there)
    return np.stack(found, axis=-1)


def seen_at(variant: Variant, visit: int) -> Array:
    """Return the share of each arm and stratum that is seen at a visit, shape (A, S): not left, and not missed."""
    there = staying(variant)[..., visit]
    return there if variant.intermittent is None else np.asarray(there * (1.0 - variant.intermittent.share[visit]))


def effective_sizes(variant: Variant, n: int, visit: int, *, by_stratum: bool) -> Array:
    """Return the size of each arm and stratum at a visit whose inverse is the mean of 1/n over trials, shape (A, S).

    Parameters
    ----------
    variant : Variant
    n : int
        Participants randomised.
    visit : int
    by_stratum : bool
        Whether cells are compared; otherwise arms are, and chance within an arm does not matter.

    Notes
    -----
    E[1/n] = (1 + CV²)/E[n] to first order. Chance comes from who is seen, (1 − p)/E[n], from strata that are drawn, and
    from complete randomisation.
    """
    shares, seen = cell_shares(variant), seen_at(variant, visit)
    expected = n * shares * seen
    whole = expected.sum(axis=1, keepdims=True)
    variation = (1.0 - whole / (n * shares.sum(axis=1, keepdims=True))) / whole
    if by_stratum:
        variation = (1.0 - seen) / expected
        if variant.strata_by == "share":
            drawn = np.asarray(variant.strata_share)
            variation = variation + (1.0 - drawn) / (n * drawn)
    if variant.allocation.method == "complete":
        of_arm = shares.sum(axis=1, keepdims=True)
        variation = variation + (1.0 - of_arm) / (n * (shares if by_stratum else of_arm))
    return np.asarray(expected / (1.0 + variation))


def spread_of_arms(variant: Variant, outcome: int, visit: int) -> Array:
    """Return the variance of the scores of all strata together at a visit, by arm, shape (A,), points squared."""
    share = np.asarray(variant.strata_share)
    mean, sd = variant.mean[:, :, visit, outcome], variant.sd[:, visit, outcome]
    centre = mean @ share
    return np.asarray(((mean - centre[:, None]) ** 2 + sd**2) @ share)


def residual_covariance(
    variant: Variant, outcome: int, *, baseline: bool, strata: bool, products: bool, last: int
) -> Array:
    """Return the covariance of scores over visits given the covariates of a linear model, points squared.

    Parameters
    ----------
    variant : Variant
    outcome : int
    baseline : bool
        Whether the outcome's baseline is a covariate.
    strata : bool
        Whether the strata are.
    products : bool
        Whether each arm has a mean of its own in each stratum.
    last : int
        Last visit.

    Returns
    -------
    ndarray, shape (last + 1, last + 1)

    Notes
    -----
    E[YY'] − E[YX'] E[XX']⁻¹ E[XY'] over the population, X the arms and covariates, all crossed with visit.
    """
    shares = cell_shares(variant)
    n_arms, n_strata = shares.shape
    n_outcomes, n_visits = len(variant.outcomes), last + 1
    later = [(v + 1) * n_outcomes + outcome for v in range(n_visits)]
    order = [outcome, *later]
    xx, xy, yy = 0.0, 0.0, 0.0
    for a in range(n_arms):
        for s in range(n_strata):
            sd = np.append(variant.baseline_sd[s, outcome], variant.sd[s, :n_visits, outcome])
            covariance = variant.correlation[s][np.ix_(order, order)] * np.outer(sd, sd)
            # Measured from one number for all, which changes no residual and loses no digits.
            centre = variant.baseline_mean[0, outcome]
            mean = np.append(variant.baseline_mean[s, outcome], variant.mean[a, s, :n_visits, outcome]) - centre
            second = covariance + np.outer(mean, mean)
            dummies = _dummies(a, s, n_arms, n_strata, strata=strata, products=products)
            row = np.append(dummies, mean[0]) if baseline else dummies
            square = np.outer(row, row)
            cross = np.outer(row, mean[1:])
            if baseline:
                square[-1, -1], cross[-1] = second[0, 0], second[0, 1:]
            xx, xy, yy = xx + shares[a, s] * square, xy + shares[a, s] * cross, yy + shares[a, s] * second[1:, 1:]
    explained = np.asarray(xy).T @ np.linalg.pinv(np.asarray(xx)) @ np.asarray(xy)
    return np.asarray(np.asarray(yy) - explained)


def _dummies(arm: int, stratum: int, n_arms: int, n_strata: int, *, strata: bool, products: bool) -> Array:
    """Return the columns of arm and stratum of one cell."""
    of_arm, of_stratum = np.eye(n_arms)[arm], np.eye(n_strata)[stratum]
    if products:
        return np.asarray(np.outer(of_arm, of_stratum).ravel())
    return np.asarray(np.append(of_arm, of_stratum[1:]) if strata else of_arm)
