r"""Functional unblinding: what patients felt tells them their arm, and what they believe moves their scores.

With :math:`w` the worst CADSS of the infusions so far, a patient of arm a believes in the active drug where one uniform
number, kept for the whole trial, is below

.. math:: P = \mathrm{logit}^{-1}\{\alpha_a + \beta \log(1 + w)\},

so that under :math:`\beta > 0` a belief once gained stays. At each visit the belief :math:`B` (1 or 0) is worth
:math:`E (B - 1/2)` points, a benefit of E between the two beliefs. Where the scenario's means hold expectancy already,
its expected value in the arm and stratum, :math:`E (p - 1/2)`, is taken off, so that means stay as they are. A rater
believes what the patient believes with some probability and tosses a coin otherwise; the rater's belief works alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.blinding import GuessModel, guess_probability
from trialsim.patients.mechanisms.base import Points, State, add
from trialsim.patients.mechanisms.dissociation import CADSS
from trialsim.patients.score_hazard import few
from trialsim.scenario.resolved_masking import Unblinding

Array = NDArray[np.float64]

GUESS = "guess"
"""Record of the belief after the last infusion so far: 1 for active, 0 for control, NaN for who has had none."""


class Believing:
    """Lets patients guess, and what they believe move their scores.

    Parameters
    ----------
    given : Unblinding
    counted : bool
        Whether beliefs are worth anything; without it scores are those of the drug alone.
    """

    def __init__(self, given: Unblinding, *, counted: bool = True) -> None:
        self._given = given
        self._counted = counted

    def begin(self, state: State) -> None:
        """Draw the uniform numbers of patients and raters; nobody believes anything yet."""
        self._uniform = state.uniform("guess")
        self._rater_uniform = state.uniform("guess", "rater") if self._given.rater_expectancy.any() else None
        state.records[GUESS] = np.full(state.shape, np.nan)

    def shift(self, state: State, visit: int) -> Points:
        """Return what beliefs add at a visit."""
        given, moved = self._given, Points()
        if not (given.expectancy.any() or given.rater_expectancy.any()):
            return moved
        held = np.zeros(state.shape)
        if given.means_are == "with_expectancy":
            held = state.by_cell(given.expected_share[..., visit]) - 0.5
        guess = state.records[GUESS]
        beliefs = [(self._excess(guess, held), given.expectancy)]
        if self._rater_uniform is not None:
            rater = _rater_belief(guess, self._rater_uniform, given.follows_patient)
            beliefs.append((self._excess(rater, given.follows_patient * held), given.rater_expectancy))
        for k in state.made:
            sign = -1.0 if state.variant.lower_is_better[k] else 1.0
            for excess, worth in beliefs:
                if worth[:, k].any():
                    add(moved, {k: excess * (sign * worth[:, k]).take(state.stratum)})
        return moved

    def after(self, state: State, visit: int) -> None:
        """Let patients guess from the infusions up to the next visit."""
        given, cadss = self._given, state.records[CADSS]
        if visit >= 0 and given.felt[visit + 1] == given.felt[visit]:
            return  # no infusion since the last guess
        felt = np.array(given.felt[visit + 1]).take(state.arm)
        worst, any_seen = np.zeros(state.shape), np.zeros(state.shape, dtype=bool)
        for i in range(cadss.shape[2]):
            seen = (i < felt) & ~np.isnan(cadss[..., i])
            any_seen |= seen
            np.maximum(worst, cadss[..., i], out=worst, where=seen)
        guess = np.full(state.shape, np.nan)
        for arm, intercept in enumerate(given.intercept):
            who = few((state.arm == arm) & any_seen)
            chance = guess_probability(GuessModel(intercept, given.slope), worst[who], active=False)
            guess[who] = self._uniform[who] < chance
        state.records[GUESS] = guess

    def _excess(self, belief: Array, held: Array) -> Array:
        """Return by how much a belief is above what the means hold, shape (R, N); beliefs not formed are in between."""
        own = np.where(np.isnan(belief), 0.0, belief - 0.5) if self._counted else 0.0
        return np.asarray(own - held)


def _rater_belief(guess: Array, uniform: Array, follows: float) -> Array:
    """Return what raters believe, shape (R, N): their patient's belief, or a coin where it is not followed."""
    coin = uniform < follows + (1.0 - follows) / 2.0
    return np.where(np.isnan(guess), np.nan, np.where(uniform < follows, guess, coin))
