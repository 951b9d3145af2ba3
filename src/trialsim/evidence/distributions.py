"""The numerics of priors: distribution functions and their inverses. Imported when a prior is first evaluated."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, ndtr, ndtri, roots_legendre, stdtr, stdtrit

if TYPE_CHECKING:
    from trialsim.evidence.priors import Prior

Array = NDArray[np.float64]
NODES = 96
STEPS, PRECISION = 200, 1e-15


def cdf(prior: Prior, x: Array) -> Array:
    """Return the probability of a value of at most x, any shape."""
    if prior.kind == "normal":
        return np.asarray(ndtr((x - prior["mean"]) / prior["sd"]))
    if prior.kind == "t":
        return np.asarray(stdtr(prior["df"], (x - prior["location"]) / prior["scale"]))
    if prior.kind == "lognormal":
        with np.errstate(divide="ignore"):
            return np.asarray(ndtr((np.log(np.maximum(x, 0.0)) - np.log(prior["median"])) / prior["log_sd"]))
    if prior.kind == "beta":
        return np.asarray(betainc(prior["a"], prior["b"], np.clip(x, 0.0, 1.0)))
    return np.asarray(sum(weight * part(x) for weight, part, _ in _parts(prior)))


def quantile(prior: Prior, q: Array) -> Array:
    """Return the value that is exceeded with probability 1 − q, any shape; q between 0 and 1."""
    if prior.kind == "normal":
        return np.asarray(prior["mean"] + prior["sd"] * ndtri(q))
    if prior.kind == "t":
        return np.asarray(prior["location"] + prior["scale"] * stdtrit(prior["df"], q))
    if prior.kind == "lognormal":
        return np.asarray(prior["median"] * np.exp(prior["log_sd"] * ndtri(q)))
    if prior.kind == "beta":
        return np.asarray(betaincinv(prior["a"], prior["b"], q))
    # The quantile of a mixture lies between the smallest and the largest of its parts' quantiles.
    edges = [inverse(q) for _, _, inverse in _parts(prior)]
    return _inverted(prior, q, np.minimum.reduce(edges), np.maximum.reduce(edges))


def _inverted(prior: Prior, q: Array, low: Array, high: Array) -> Array:
    """Return where the distribution function is q, between low and high, by the Illinois rule.

    False position that halves the value kept at an end twice in a row; each element stops at its own convergence.
    """
    ends = np.isinf(low) | np.isinf(high)
    outer = np.where(q < 0.5, low, high)
    low, high = np.where(ends, 0.0, low), np.where(ends, 0.0, high)
    below, above = cdf(prior, low) - q, cdf(prior, high) - q
    root, side = np.where(below >= 0.0, low, high), np.zeros(np.shape(q))
    done = ends | (below >= 0.0) | (above <= 0.0)
    for _ in range(STEPS):
        if np.all(done):
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            guess = np.where(done, root, (low * above - high * below) / (above - below))
        value = cdf(prior, guess) - q
        left, right = ~done & (value < 0.0), ~done & (value > 0.0)
        done |= (np.abs(value) <= PRECISION) | (np.abs(guess - root) <= PRECISION * np.abs(guess))
        above, below = np.where(left & (side < 0), above / 2.0, above), np.where(right & (side > 0), below / 2.0, below)
        low, below = np.where(left, guess, low), np.where(left, value, below)
        high, above = np.where(right, guess, high), np.where(right, value, above)
        root, side = guess, np.where(left, -1.0, np.where(right, 1.0, side))
    return np.where(ends, outer, root)


Part = tuple[float, Callable[[Array], Array], Callable[[Array], Array]]


@lru_cache(maxsize=256)
def _parts(prior: Prior) -> list[Part]:
    """Return weight, distribution function and its inverse of each part of a mixture or product.

    A product of a and a positive b is the mixture of b × a over the values of b: at `NODES` Gauss-Legendre nodes of
    b's probability scale.
    """
    if prior.kind == "mixture":
        pairs = zip(prior.weights, prior.components, strict=True)
        return [(weight, _bind(cdf, part), _bind(quantile, part)) for weight, part in pairs]
    scaled, factor = prior.components
    nodes, weights = _unit_nodes()
    values = quantile(factor, nodes)
    return [
        (float(weight), _bind(cdf, scaled, 1.0 / value), _bind_scaled(scaled, float(value)))
        for weight, value in zip(weights, values, strict=True)
    ]


def _bind(function: Callable[[Prior, Array], Array], prior: Prior, scale: float = 1.0) -> Callable[[Array], Array]:
    """Return a function of the argument alone, which is multiplied by `scale`."""
    return lambda argument: function(prior, argument * scale)


def _bind_scaled(prior: Prior, factor: float) -> Callable[[Array], Array]:
    """Return the quantile function of `factor` times the prior."""
    return lambda q: factor * quantile(prior, q)


@cache
def _unit_nodes() -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights for an integral over (0, 1), gathered towards both ends.

    The substitution u = w³ (10 − 15 w + 6 w²) resolves factors near 0, where the scaled copies are narrow.
    """
    nodes, weights = roots_legendre(NODES)
    w = 0.5 * (nodes + 1.0)
    return w**3 * (10.0 - 15.0 * w + 6.0 * w**2), 15.0 * weights * (w * (1.0 - w)) ** 2
