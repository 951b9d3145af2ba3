r"""The drug's effect differs between people, and between groups of them such as sites.

Person i of group g gains :math:`d_{ik} + u_{gk}` points more or less than others in outcome k when the effect is whole,

.. math:: d_{ik} = \sigma_k \left(\sqrt{\rho}\, f_i + \sqrt{1 - \rho}\, e_{ik}\right),

with f and e standard normal and u made likewise. f > 0 is a benefit in every outcome, whatever its direction. At a
visit it is so much of it as there is of the effect; with a model of infusions that goes by those received. Its mean is
0, so that the mean effect stays as it is; it adds to the variance of the scores in arms with the drug.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.patients.mechanisms.base import Points, State
from trialsim.patients.mechanisms.infusions import level_of, not_as_planned
from trialsim.patients.score_hazard import Few, few
from trialsim.scenario.resolved_variation import GroupHeterogeneity, Heterogeneity

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class VaryingEffect:
    """Adds a person's own part of the effect.

    Parameters
    ----------
    given : Heterogeneity
    """

    def __init__(self, given: Heterogeneity) -> None:
        self._given = given
        self._deviation: Points = {}

    def begin(self, state: State) -> None:
        """Draw by how much everybody's whole effect differs from the mean one."""
        given = self._given
        shared = state.normal("heterogeneity")
        for k in state.made:
            if not any(effect_sd[k] for effect_sd in (given.effect_sd, *(group.effect_sd for group in given.groups))):
                continue
            outcome = state.variant.outcomes[k]
            own = _factor(shared, state.normal("heterogeneity", outcome), given.correlation) * given.effect_sd[k]
            for group in given.groups:
                own = own + _of_group(state, group, outcome, given.correlation) * group.effect_sd[k]
            self._deviation[k] = np.ascontiguousarray(-own if state.variant.lower_is_better[k] else own)

    def shift(self, state: State, visit: int) -> Points:
        """Return a person's own part of the effect at a visit."""
        if not self._given.course[:, :, visit].any():
            return {}
        other = self._not_as_planned(state, visit)
        moved = {}
        for k, deviation in self._deviation.items():
            share = state.by_cell(self._given.course[:, :, visit, k])
            for who, level in other:
                share[who] = level
            moved[k] = share * deviation
        return moved

    def after(self, state: State, visit: int) -> None:
        """Nothing follows."""

    def _not_as_planned(self, state: State, visit: int) -> list[tuple[Few, Array]]:
        """Return who is not given all infusions on their days, and how much of the effect they have at a visit."""
        model, found = state.variant.infusion_model, []
        for arm, days in enumerate(state.variant.infusion_days):
            if model is not None and self._given.course[arm].any():
                who = few((state.arm == arm) & not_as_planned(state, days))
                found.append((who, level_of(state, model, who, days, state.day(visit)) / model.reference_level))
        return found


def _factor(shared: Array, own: Array, correlation: float) -> Array:
    """Return standard normals that have a correlation with others made of the same shared ones."""
    return np.asarray(np.sqrt(correlation) * shared + np.sqrt(1.0 - correlation) * own)


def _of_group(state: State, group: GroupHeterogeneity, outcome: str, correlation: float) -> Array:
    """Return the factor of everybody's group for an outcome, shape (R, N); 0 for who is in none."""
    n_replicates = state.shape[0]
    shared, own = (
        state.streams.generator("group_effect", name).standard_normal((group.number, n_replicates))
        for name in (group.name, f"{group.name}/{outcome}")
    )
    member: Index = state.groups[group.name]
    found = _factor(shared, own, correlation)[np.maximum(member, 0), np.arange(n_replicates)[:, None]]
    return np.asarray(np.where(member >= 0, found, 0.0))
