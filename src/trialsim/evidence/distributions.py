"""The numerics of priors: distribution functions and their inverses. Imported when a prior is first evaluated."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammainc, gammaincinv, ndtr, ndtri, roots_legendre, stdtr, stdtrit

if TYPE_CHECKING:
    from trialsim.evidence.priors import Prior

Array = NDArray[np.float64]
NODES = 96
STEPS, PRECISION = 200, 1e-15


def cdf(prior: Prior, x: Array) -> Array:
    """Return the probability of a value of at most x, any shape."""
    find = _CDF.get(prior.kind)
    if find is not None:
        return np.asarray(find(prior, x), dtype=np.float64)
    return np.asarray(sum(weight * part(x) for weight, part, _ in _parts(prior)))


def quantile(prior: Prior, q: Array) -> Array:
    """Return the value that is exceeded with probability 1 − q, any shape; q between 0 and 1."""
    find = _QUANTILE.get(prior.kind)
    if find is not None:
        return np.asarray(find(prior, q), dtype=np.float64)
    # The quantile of a mixture lies between the smallest and the largest of its parts' quantiles.
    edges = [inverse(q) for _, _, inverse in _parts(prior)]
    return _at_atoms(prior, q, _inverted(prior, q, np.minimum.reduce(edges), np.maximum.reduce(edges)))


def moments(prior: Prior) -> tuple[float, float]:
    """Return mean and standard deviation by quadrature over the quantile function."""
    nodes, weights = _unit_nodes()
    values = quantile(prior, nodes)
    mean = float(weights @ values)
    return mean, float(np.sqrt(weights @ (values - mean) ** 2))


def _cdf_lognormal(prior: Prior, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(ndtr((np.log(np.maximum(x, 0.0)) - np.log(prior["median"])) / prior["log_sd"]))


def _cdf_triangular(prior: Prior, x: Array) -> Array:
    low, mode, high = (prior[name] for name in ("low", "mode", "high"))
    inside = np.clip(x, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (inside - low) ** 2 / ((high - low) * (mode - low))
        falling = 1.0 - (high - inside) ** 2 / ((high - low) * (high - mode))
    return np.where(inside < mode, rising, np.where(inside >= high, 1.0, falling))


def _quantile_triangular(prior: Prior, q: Array) -> Array:
    low, mode, high = (prior[name] for name in ("low", "mode", "high"))
    rising = low + np.sqrt(q * (high - low) * (mode - low))
    falling = high - np.sqrt((1.0 - q) * (high - low) * (high - mode))
    return np.where(q * (high - low) < mode - low, rising, falling)


def _cdf_discrete(prior: Prior, x: Array) -> Array:
    total = np.concatenate([[0.0], np.cumsum(prior.weights)])
    total[-1] = 1.0
    return np.asarray(total[np.searchsorted(prior.values, x, side="right")])


def _quantile_discrete(prior: Prior, q: Array) -> Array:
    place = np.searchsorted(np.cumsum(prior.weights), q, side="left")
    return np.asarray(prior.values)[np.minimum(place, len(prior.values) - 1)]


def _ends(prior: Prior) -> tuple[float, float]:
    """Return the probabilities below the low end of what is truncated, and up to its high end."""
    whole = prior.components[0]
    below, up_to = cdf(whole, np.array([np.nextafter(prior["low"], -np.inf), prior["high"]]))
    return float(below), float(up_to)


def _cdf_truncated(prior: Prior, x: Array) -> Array:
    below, up_to = _ends(prior)
    return np.clip((cdf(prior.components[0], np.asarray(x)) - below) / (up_to - below), 0.0, 1.0)


def _quantile_truncated(prior: Prior, q: Array) -> Array:
    below, up_to = _ends(prior)
    return np.clip(quantile(prior.components[0], below + q * (up_to - below)), prior["low"], prior["high"])


def _at_atoms(prior: Prior, q: Array, x: Array) -> Array:
    """Return quantiles x of a mixture with those that fall on a single value of positive probability set to it."""
    if prior.kind != "mixture":
        return x
    for value in (value for part in prior.components if part.kind == "discrete" for value in part.values):
        below, up_to = cdf(prior, np.array([np.nextafter(value, -np.inf), value]))
        x = np.where((q > below) & (q <= up_to), value, x)
    return x


Function = Callable[["Prior", Array], Array]
_CDF: dict[str, Function] = {
    "normal": lambda p, x: ndtr((x - p["mean"]) / p["sd"]),
    "t": lambda p, x: stdtr(p["df"], (x - p["location"]) / p["scale"]),
    "lognormal": _cdf_lognormal,
    "beta": lambda p, x: betainc(p["a"], p["b"], np.clip(x, 0.0, 1.0)),
    "gamma": lambda p, x: gammainc(p["shape"], np.maximum(x, 0.0) / p["scale"]),
    "uniform": lambda p, x: np.clip((x - p["low"]) / (p["high"] - p["low"]), 0.0, 1.0),
    "triangular": _cdf_triangular,
    "discrete": _cdf_discrete,
    "truncated": _cdf_truncated,
}
_QUANTILE: dict[str, Function] = {
    "normal": lambda p, q: p["mean"] + p["sd"] * ndtri(q),
    "t": lambda p, q: p["location"] + p["scale"] * stdtrit(p["df"], q),
    "lognormal": lambda p, q: p["median"] * np.exp(p["log_sd"] * ndtri(q)),
    "beta": lambda p, q: betaincinv(p["a"], p["b"], q),
    "gamma": lambda p, q: p["scale"] * gammaincinv(p["shape"], q),
    "uniform": lambda p, q: p["low"] + q * (p["high"] - p["low"]),
    "triangular": _quantile_triangular,
    "discrete": _quantile_discrete,
    "truncated": _quantile_truncated,
}


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
