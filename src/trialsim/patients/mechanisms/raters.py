r"""Raters who differ in severity.

With an agreement (intraclass correlation) of :math:`\gamma` between raters, and scores whose standard deviation by any
one of them is :math:`\sigma`, a rater adds the same :math:`s_j \sim N(0, \sigma^2 (1 - \gamma) / \gamma)` points to all
scores given after baseline, so that :math:`\gamma = \sigma^2 / (\sigma^2 + \mathrm{var}\,s)`. Either each patient has a
rater, patients taking the raters in turn, or any rater may be on duty at any visit (central rating).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import Points, State
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
        self._severity: Points = {}

    def begin(self, state: State) -> None:
        """Draw the raters' severities, shape (number, R), points: those of one rater on two outcomes apart."""
        for k in state.made:
            if self._given.severity_sd[k]:
                generator = state.streams.generator("severity", state.variant.outcomes[k])
                drawn = generator.standard_normal((self._given.number, state.shape[0]))
                self._severity[k] = drawn * self._given.severity_sd[k]

    def shift(self, state: State, visit: int) -> Points:
        """Return the severity of everybody's rater at a visit."""
        rater, replicate = self._rater(state, visit), np.arange(state.shape[0])[:, None]
        return {k: severity[rater, replicate] for k, severity in self._severity.items()}

    def after(self, state: State, visit: int) -> None:
        """Nothing follows."""

    def _rater(self, state: State, visit: int) -> Index:
        """Return who rates whom at a visit, shape (R, N); nobody's rater depends on their arm."""
        if self._given.central:
            uniform = state.uniform("rater", time=f"day {state.day(visit):g}")
            return np.asarray((uniform * self._given.number).astype(np.intp))
        return np.broadcast_to(np.arange(state.shape[1]) % self._given.number, state.shape)
