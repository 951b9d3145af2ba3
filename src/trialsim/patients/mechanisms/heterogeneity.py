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

from trialsim.patients.mechanisms.base import State
from trialsim.patients.mechanisms.infusions import level_of, not_as_planned
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

    def begin(self, state: State) -> None:
        """Draw by how much everybody's whole effect differs from the mean one, (R, N, K) points."""
        outcomes, given = state.variant.outcomes, self._given
        shared = state.normal("heterogeneity")
        own = np.stack([state.normal("heterogeneity", outcome) for outcome in outcomes], axis=2)
        self._deviation = _factors(shared, own, given.correlation) * given.effect_sd
        for group in given.groups:
            self._deviation += _of_groups(state, group, given.correlation) * group.effect_sd
        self._deviation *= np.where(state.variant.lower_is_better, -1.0, 1.0)

    def shift(self, state: State, visit: int) -> Array | None:
        """Return a person's own part of the effect at a visit, shape (R, N, K), points; None where nobody has any."""
        if not self._given.course[:, :, visit].any():
            return None
        return np.asarray(self._share(state, visit) * self._deviation)

    def after(self, state: State, visit: int) -> None:
        """Nothing follows."""

    def _share(self, state: State, visit: int) -> Array:
        """Return how much of the whole effect everybody has at a visit, shape (R, N, K)."""
        share = self._given.course[state.arm, state.stratum, visit]
        model = state.variant.infusion_model
        if model is None:
            return np.asarray(share)
        for a, days in enumerate(state.variant.infusion_days):
            fewer = (state.arm == a) & not_as_planned(state, days)
            if self._given.course[a].any() and fewer.any():
                level = level_of(state, model, fewer, days, state.day(visit))
                share[fewer] = (level / model.reference_level)[:, None]
        return np.asarray(share)


def _factors(shared: Array, own: Array, correlation: float) -> Array:
    """Return standard normals (..., K) with one correlation between any two of the last axis."""
    return np.asarray(np.sqrt(correlation) * shared[..., None] + np.sqrt(1.0 - correlation) * own)


def _of_groups(state: State, group: GroupHeterogeneity, correlation: float) -> Array:
    """Return the factors of everybody's group, shape (R, N, K); 0 for who is in none."""
    n_replicates = state.shape[0]
    outcomes = state.variant.outcomes
    names = [group.name, *(f"{group.name}/{outcome}" for outcome in outcomes)]
    drawn = np.stack(
        [state.streams.generator("group_effect", name).standard_normal((group.number, n_replicates)) for name in names],
        axis=2,
    )
    factors = _factors(drawn[..., 0], drawn[..., 1:], correlation)
    member: Index = state.groups[group.name]
    found = factors[np.maximum(member, 0), np.arange(n_replicates)[:, None]]
    return np.asarray(np.where(member[..., None] >= 0, found, 0.0))
