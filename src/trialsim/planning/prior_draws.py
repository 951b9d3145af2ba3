"""Values drawn from the priors of a scenario: independent Latin hypercubes, with rank correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from trialsim.kernels.latin_hypercube import latin_hypercube
from trialsim.scenario.loading import Scenario
from trialsim.scenario.paths import find, split_path
from trialsim.scenario.priors import Belief, beliefs
from trialsim.scenario.rank_correlation import rank_factor
from trialsim.streams import Streams

Array = NDArray[np.float64]

GROUPS = 20
"""Independent Latin hypercubes that the draws are made of; their differences tell the Monte Carlo error."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorDraws:
    """Values drawn from the priors of a scenario.

    Parameters
    ----------
    paths : tuple of str
    values : ndarray, shape (M, P)
    groups : ndarray of int, shape (M,)
        The hypercube of each draw.
    """

    paths: tuple[str, ...]
    values: Array
    groups: NDArray[np.intp]

    def settings(self, draw: int) -> dict[str, float]:
        """Return the value of each path in one draw."""
        return dict(zip(self.paths, self.values[draw].tolist(), strict=True))

    def extremes(self) -> list[int]:
        """Return the draws with the smallest or the largest value of some path, each once."""
        ends = np.concatenate([self.values.argmin(axis=0), self.values.argmax(axis=0)])
        return sorted({int(draw) for draw in ends})


def draw_priors(scenario: Scenario, number: int) -> PriorDraws:
    """Return values drawn from the priors of a scenario.

    Parameters
    ----------
    scenario : Scenario
    number : int
        A multiple of `GROUPS`.

    Notes
    -----
    Each hypercube and path has a random stream of its own, addressed by the scenario's seed: another prior moves the
    draws of none of the others, and designs with the same priors and seed meet the same truths. Correlated ranks come
    from a Gaussian copula: Z = L E with E the normal scores of the hypercube.
    """
    believed = beliefs(scenario.content.priors)
    paths = tuple(belief.path for belief in believed)
    factor = rank_factor(paths, {one.pair: one.rank for one in scenario.content.prior_correlations})
    size = number // GROUPS
    uniforms = np.concatenate([_hypercube(scenario, paths, group, size) for group in range(GROUPS)])
    if np.any(factor != np.eye(len(paths))):
        uniforms = ndtr(ndtri(uniforms) @ factor.T)
    values = np.stack([belief.prior.sample(uniforms[:, p]) for p, belief in enumerate(believed)], axis=1)
    for p, belief in enumerate(believed):
        if belief.relative_to is not None:
            values[:, p] += _reference(scenario, belief, paths, values)
    return PriorDraws(paths, values, np.repeat(np.arange(GROUPS), size))


def _hypercube(scenario: Scenario, paths: tuple[str, ...], group: int, size: int) -> Array:
    streams = Streams(scenario.content.simulation.seed, group)
    return latin_hypercube([streams.generator("prior", path) for path in paths], size)


def _reference(scenario: Scenario, belief: Belief, paths: tuple[str, ...], values: Array) -> Array | float:
    """Return what a difference is added to: what was drawn there, or the scenario's own value."""
    path = str(belief.relative_to)
    if path in paths:
        return values[:, paths.index(path)]
    node = find(scenario.base.root, split_path(path))
    return float(node.value) if node is not None else 0.0


def without_priors(scenario: Scenario) -> Scenario:
    """Return the base values of a scenario with its priors left aside."""
    from trialsim.scenario.at_value import at_values

    return at_values(scenario, {"prior_correlations": [], "priors": {}, "vary": {}})
