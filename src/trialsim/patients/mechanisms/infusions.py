r"""Infusions that are not given: what the drug would have added is missing.

With :math:`x(t)` the level of the infusions' effect (`kernels.infusion_course`), a patient who was not given all of
them is moved by :math:`\delta\,(x_{given}(t) - x_{planned}(t)) / x_{ref}`, :math:`\delta` what the drug adds by the day
that effects are told for and :math:`x_{ref}` the level on that day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import infusion_level
from trialsim.patients.mechanisms.base import State
from trialsim.scenario.resolved import InfusionModel

Array = NDArray[np.float64]


class InfusionsNotGiven:
    """What infusions that are planned and not given take away.

    Parameters
    ----------
    model : InfusionModel
    """

    def __init__(self, model: InfusionModel) -> None:
        self._model = model

    def begin(self, state: State) -> None:
        """Nothing is settled at entry."""

    def after(self, state: State, visit: int) -> None:
        """Nothing follows of itself."""

    def shift(self, state: State, visit: int) -> Array | None:
        """Return what is missing of the drug's effect at a visit, shape (R, N, K), points; None for nothing."""
        total, day = None, state.day(visit)
        for arm, days in enumerate(state.variant.infusion_days):
            if not days or not self._model.specific[arm].any():
                continue
            received = state.received[..., : len(days)]
            lost = (state.arm == arm) & ~received[..., np.array(days) < day].all(axis=2)
            if not lost.any():
                continue
            change = self._level(days, day, received[lost]) - self._level(days, day, None)
            if total is None:
                total = np.zeros((*state.shape, self._model.specific.shape[2]))
            total[lost] = (change / self._model.reference_level)[:, None] * self._model.specific[arm][
                state.stratum[lost]
            ]
        return total

    def _level(self, days: tuple[float, ...], day: float, given: NDArray[np.bool_] | None) -> Array:
        model = self._model
        level = infusion_level(
            [day],
            days,
            gain=model.gain,
            half_life_days=model.half_life_days,
            onset_days=model.onset_days,
            given=given,
        )
        return np.asarray(level[..., 0])
