r"""Infusions that are late or not given: what the drug would have added is missing.

With :math:`x(t)` the level of the infusions' effect (`kernels.infusion_course`), a patient who was not given all of
them on their days is moved by :math:`\delta\,(x_{given}(t) - x_{planned}(t)) / x_{ref}`, :math:`\delta` what the
drug adds by the day that effects are told for and :math:`x_{ref}` the level on that day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import infusion_level, own_infusion_level
from trialsim.patients.mechanisms.base import State
from trialsim.patients.mechanisms.events import infusion_days
from trialsim.scenario.resolved import InfusionModel

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class InfusionsNotGiven:
    """What infusions that are planned and not given, or given late, take away.

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
            lost = (state.arm == arm) & not_as_planned(state, days, before=day)
            if not lost.any():
                continue
            change = level_of(state, self._model, lost, days, day) - self._planned(days, day)
            if total is None:
                total = np.zeros((*state.shape, self._model.specific.shape[2]))
            total[lost] = (change / self._model.reference_level)[:, None] * self._model.specific[arm][
                state.stratum[lost]
            ]
        return total

    def _planned(self, days: tuple[float, ...], day: float) -> Array:
        model = self._model
        level = infusion_level(
            [day], days, gain=model.gain, half_life_days=model.half_life_days, onset_days=model.onset_days
        )
        return np.asarray(level[..., 0])


def not_as_planned(state: State, days: tuple[float, ...], *, before: float = np.inf) -> Flags:
    """Return who was not given the infusions of these days, or not on them, shape (R, N).

    Parameters
    ----------
    state : State
    days : tuple of float
        Those planned for an arm; what is returned of other arms means nothing.
    before : float
        Infusions planned for this day or later are left aside.
    """
    counted = np.array(days) < before
    missed = ~state.received[..., : len(days)][..., counted].all(axis=2)
    if state.delivery is None:
        return np.asarray(missed)
    late = state.delivery.infusion_day[..., : len(days)][..., counted] != np.array(days)[counted]
    return np.asarray(missed | late.any(axis=2))


def level_of(state: State, model: InfusionModel, who: Flags, days: tuple[float, ...], day: float) -> Array:
    """Return the level of the infusions' effect on a day, for each of some participants of an arm, shape (n,).

    Parameters
    ----------
    state : State
    model : InfusionModel
    who : ndarray of bool, shape (R, N)
    days : tuple of float
        Those planned for their arm.
    day : float
    """
    received = state.received[who][:, : len(days)]
    course = {"gain": model.gain, "half_life_days": model.half_life_days, "onset_days": model.onset_days}
    if state.delivery is None:
        return np.asarray(infusion_level([day], days, given=received, **course)[..., 0])
    own = infusion_days(state)[who][:, : len(days)]
    return own_infusion_level(day, np.where(received, own, np.inf), **course)
