r"""Infusions that are late or not given: what the drug would have added is missing.

With :math:`x(t)` the level of the infusions' effect (`kernels.infusion_course`), a patient who was not given all of
them on their days is moved by :math:`\delta\,(x_{given}(t) - x_{planned}(t)) / x_{ref}`, :math:`\delta` what the
drug adds by the day that effects are told for and :math:`x_{ref}` the level on that day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.infusion_course import infusion_level, own_infusion_level
from trialsim.patients.mechanisms.base import Points, State
from trialsim.patients.score_hazard import Few, few
from trialsim.scenario.resolved import InfusionModel, Variant

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

    def shift(self, state: State, visit: int) -> Points:
        """Return what is missing of the drug's effect at a visit."""
        total, day = Points(), state.day(visit)
        for arm, days in enumerate(state.variant.infusion_days):
            if not days or not self._model.specific[arm].any():
                continue
            lost = few((state.arm == arm) & not_as_planned(state, days, before=day))
            change = level_of(state, self._model, lost, days, day) - self._planned(days, day)
            for k in state.made:
                specific = self._model.specific[arm, :, k]
                if len(change) and specific.any():
                    if k not in total:
                        total[k] = np.zeros(state.shape)
                    total[k][lost] = change / self._model.reference_level * specific[state.stratum[lost]]
        return total

    def _planned(self, days: tuple[float, ...], day: float) -> Array:
        model = self._model
        level = infusion_level(
            [day], days, gain=model.gain, half_life_days=model.half_life_days, onset_days=model.onset_days
        )
        return np.asarray(level[..., 0])


def planned_days(variant: Variant) -> Array:
    """Return the days of the planned infusions of every arm, shape (A, I); infinite where an arm has fewer."""
    planned = variant.infusion_days
    days = np.full((len(planned), max(map(len, planned), default=0)), np.inf)
    for arm, own in enumerate(planned):
        days[arm, : len(own)] = own
    return days


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
    found = np.zeros(state.shape, dtype=bool)
    for i, day in enumerate(days):
        if day < before:
            found |= ~state.received[..., i]
            if state.delivery is not None:
                found |= state.infusion_day[..., i] != day
    return found


def level_of(state: State, model: InfusionModel, who: Few, days: tuple[float, ...], day: float) -> Array:
    """Return the level of the infusions' effect on a day, for each of some participants of an arm, shape (n,).

    Parameters
    ----------
    state : State
    model : InfusionModel
    who : tuple of ndarray of int, shape (n,)
    days : tuple of float
        Those planned for their arm.
    day : float
    """
    received = state.received[who][:, : len(days)]
    course = {"gain": model.gain, "half_life_days": model.half_life_days, "onset_days": model.onset_days}
    if state.delivery is None:
        return np.asarray(infusion_level([day], days, given=received, **course)[..., 0])
    own = state.infusion_day[who][:, : len(days)]
    return own_infusion_level(day, np.where(received, own, np.inf), **course)
