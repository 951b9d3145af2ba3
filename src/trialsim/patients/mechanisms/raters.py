r"""Raters who differ in severity.

With an agreement (intraclass correlation) of :math:`\gamma` between raters, and scores whose standard deviation by any
one of them is :math:`\sigma`, a rater adds the same :math:`s_j \sim N(0, \sigma^2 (1 - \gamma) / \gamma)` points to all
scores given after baseline, so that :math:`\gamma = \sigma^2 / (\sigma^2 + \mathrm{var}\,s)`. Either each patient has a
rater, patients taking the raters in turn, or any rater may be on duty at any visit (central rating).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import State
from trialsim.scenario.resolved_variation import Raters

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Severity:
    """Adds the severity of whoever rates.

    Parameters
    ----------
    given : Raters
    """

    def __init__(self, given: Raters) -> None:
        self._given = given

    def begin(self, state: State) -> None:
        """Draw the raters' severities, shape (number, R, K), points: those of one rater on two outcomes apart."""
        n_replicates, _ = state.shape
        drawn = [
            state.streams.generator("severity", outcome).standard_normal((self._given.number, n_replicates))
            for outcome in state.variant.outcomes
        ]
        self._severity = np.stack(drawn, axis=2) * self._given.severity_sd

    def shift(self, state: State, visit: int) -> Array | None:
        """Return the severity of everybody's rater at a visit, shape (R, N, K), points."""
        return np.asarray(self._severity[self._rater(state, visit), np.arange(state.shape[0])[:, None]])

    def after(self, state: State, visit: int) -> None:
        """Nothing follows."""

    def _rater(self, state: State, visit: int) -> Index:
        """Return who rates whom at a visit, shape (R, N); nobody's rater depends on their arm."""
        if self._given.central:
            uniform = state.uniform("rater", time=f"day {state.day(visit):g}")
            return np.asarray((uniform * self._given.number).astype(np.intp))
        return np.broadcast_to(np.arange(state.shape[1]) % self._given.number, state.shape)
