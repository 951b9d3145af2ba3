"""Participants who are imputed alike: same arm, same visits seen, same event; and their cross-products.

A conditional mean is linear in a participant's covariates and scores, with coefficients that are the same for the whole
group. So the cross-products per group are all that imputing and analysing a trial needs, and the same products without
one participant are all that a jackknife needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

REASONS = (
    "",
    "a score or covariate is infinite",
    "too few participants, or collinear covariates",
    "the imputation model did not converge",
    "a fit without one of the participants failed",
)
"""What a replicate's reason code stands for; 0 is a sound result."""
SOUND, INFINITE, NOT_ESTIMABLE, NOT_CONVERGED, REFIT_FAILED = range(5)


class Model(NamedTuple):
    """The imputation model, and what is assumed after an event.

    Attributes
    ----------
    strategy : str
        A name in `strategies.STRATEGIES`.
    arm_columns : tuple of int
        Columns of the covariates that are zero in the reference arm: arm indicators and their interactions.
    n_constant : int
        How many covariates, the last ones, have one coefficient for all visits.
    by_arm : bool
        Whether every arm has a covariance of its own.
    reference : int
        Number of the reference arm.
    """

    strategy: str
    arm_columns: tuple[int, ...]
    n_constant: int = 0
    by_arm: bool = False
    reference: int = 0


class Grouped(NamedTuple):
    """A block of trials with its participants in groups.

    The last participant of the N + 1 is empty: a trial without that one is the trial itself.

    Attributes
    ----------
    x : ndarray, shape (R, N + 1, q)
        Covariates; zero where not included.
    y : ndarray, shape (R, N + 1, V)
        Scores; zero where missing.
    group : ndarray of int, shape (R, N + 1)
        Number of the participant's group; −1 where not included.
    included : ndarray of bool, shape (R, N + 1)
    arm, event : ndarray of int, shape (G,)
    seen : ndarray of bool, shape (G, V)
        Visits with a score.
    modelled : ndarray of bool, shape (G, V)
        Those of them that the imputation model is fitted to: before the event, unless missing at random is assumed.
    infinite : ndarray of bool, shape (R,)
        Trials with an infinite value, emptied.
    """

    x: Array
    y: Array
    group: Index
    included: Flags
    arm: Index
    event: Index
    seen: Flags
    modelled: Flags
    infinite: Flags

    def rows(self, rows: slice | Index) -> Grouped:
        """Return some of the trials."""
        return self._replace(
            x=self.x[rows],
            y=self.y[rows],
            group=self.group[rows],
            included=self.included[rows],
            infinite=self.infinite[rows],
        )

    def trial(self, r: int) -> Grouped:
        """Return one trial with its own groups alone."""
        one = self.rows(slice(r, r + 1))
        present = np.unique(one.group[one.included])
        group = np.where(one.included, np.searchsorted(present, one.group), -1)
        return one._replace(
            group=group,
            arm=self.arm[present],
            event=self.event[present],
            seen=self.seen[present],
            modelled=self.modelled[present],
        )


def group_participants(
    y: Array, x: Array, arm: Index, event: Index, model: Model, included: Flags | None = None
) -> Grouped:
    """Return the participants of a block of trials in groups.

    Parameters
    ----------
    y : ndarray, shape (R, N, V)
        Scores; NaN where missing.
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them, those constant over visits last.
    arm : ndarray of int, shape (R, N)
    event : ndarray of int, shape (R, N)
        First visit touched by the intercurrent event; V or more where there was none.
    model : Model
    included : ndarray of bool, shape (R, N), optional
        Participants in the analysis; everybody by default. Those who are have every covariate.
    """
    n_replicates, n_participants, n_visits = y.shape
    shape = (n_replicates, n_participants + 1)
    inside = np.zeros(shape, dtype=bool)
    inside[:, :-1] = True if included is None else included
    bad = ~np.isfinite(x).all(axis=2) | np.isinf(y).any(axis=2)
    infinite = (bad & inside[:, :-1]).any(axis=1)
    inside[infinite] = False
    observed = np.zeros((*shape, n_visits), dtype=bool)
    observed[:, :-1] = ~np.isnan(y) & inside[:, :-1, None]
    scores, covariates = np.zeros((*shape, n_visits)), np.zeros((*shape, x.shape[2]))
    scores[:, :-1] = np.where(observed[:, :-1], y, 0.0)
    covariates[:, :-1] = np.where(inside[:, :-1, None], x, 0.0)
    masks = 1 << n_visits
    code = np.zeros(shape, dtype=np.intp)
    code[:, :-1] = (arm * (n_visits + 1) + np.clip(event, 0, n_visits)) * masks
    code += observed @ (1 << np.arange(n_visits))
    present = np.unique(code[inside])
    group = np.where(inside, np.searchsorted(present, code), -1)
    seen = (present[:, None] >> np.arange(n_visits) & 1).astype(bool)
    when = present // masks % (n_visits + 1)
    at_random = model.strategy == "missing_at_random"
    modelled = seen & (at_random | (np.arange(n_visits) < when[:, None]))
    arms = present // masks // (n_visits + 1)
    return Grouped(covariates, scores, group, inside, arms, when, seen, np.asarray(modelled), np.asarray(infinite))
