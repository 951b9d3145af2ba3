"""Shapes of a prior: what each takes, what is wrong with one, and what is known of it without numerics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from trialsim.evidence.types import TAGS

if TYPE_CHECKING:
    from trialsim.evidence.priors import Prior

Kind = Literal[
    "normal", "t", "lognormal", "beta", "gamma", "uniform", "triangular", "discrete", "truncated", "mixture", "product"
]
"""Shapes of a prior."""

PARAMETERS: dict[str, tuple[str, ...]] = {
    "normal": ("mean", "sd"),
    "t": ("df", "location", "scale"),
    "lognormal": ("median", "log_sd"),
    "beta": ("a", "b"),
    "gamma": ("shape", "scale"),
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "discrete": (),
    "truncated": ("low", "high"),
    "mixture": (),
    "product": (),
}
"""Names of the parameters of each kind, in order. A beta is on 0 to 1; ends of what is truncated may be infinite."""

LEAST_SHARE = 1e-6
"""Share of a distribution that has to be left when it is truncated; less is lost in the rounding of its tails."""

ANY_SIGN = ("mean", "location", "low", "mode", "high")


def problem(made: Prior) -> str | None:
    """Return what is wrong with a prior, or None."""
    if made.kind not in get_args(Kind):
        return f"kind {made.kind!r} is none of {', '.join(get_args(Kind))}"
    names = PARAMETERS[made.kind]
    if tuple(name for name, _ in made.parameters) != names:
        return f"a {made.kind} takes {', '.join(names) or 'no parameters'}"
    return _problem_of_numbers(made) or _problem_of_parts(made)


def _problem_of_numbers(made: Prior) -> str | None:
    numbers = [*(value for _, value in made.parameters), *made.values, *made.weights]
    if any(math.isnan(value) or (math.isinf(value) and made.kind != "truncated") for value in numbers):
        return "a parameter is not finite"
    if bad := [name for name, value in made.parameters if name not in ANY_SIGN and value <= 0.0]:
        return f"{bad[0]} must be above 0"
    if made.kind in ("uniform", "triangular", "truncated") and not made["low"] < made["high"]:
        return f"low must be below high; got {made['low']:g} and {made['high']:g}"
    if made.kind == "triangular" and not made["low"] <= made["mode"] <= made["high"]:
        return f"mode must lie from low to high; got {made['mode']:g}"
    if made.tag not in TAGS:
        return f"tag {made.tag!r} is none of {', '.join(TAGS)}"
    return None


def _problem_of_parts(made: Prior) -> str | None:
    """Return what is wrong with components, weights and values, or None."""
    if made.kind == "mixture":
        return _problem_of_mixture(made)
    if made.kind == "discrete":
        return _problem_of_values(made)
    if made.weights or made.values:
        return "only a mixture has weights, or a discrete prior, which has values besides"
    if made.kind == "truncated":
        return _problem_of_truncation(made)
    if made.kind != "product":
        return "only a mixture or a product has components" if made.components else None
    if len(made.components) != 2 or made.components[1].kind not in ("lognormal", "beta"):
        return "a product takes two components, the second lognormal or beta"
    return None


def _problem_of_mixture(made: Prior) -> str | None:
    if len(made.components) < 2 or len(made.weights) != len(made.components):
        return "a mixture takes two components or more and a weight for each"
    if problem := _problem_of_weights(made.weights):
        return problem
    if len({part.unit for part in made.components}) > 1:
        return "the components differ in unit"
    return None


def _problem_of_values(made: Prior) -> str | None:
    if not made.values or len(made.weights) != len(made.values):
        return "a discrete prior takes values and a weight for each"
    if list(made.values) != sorted(set(made.values)):
        return "the values must rise"
    return _problem_of_weights(made.weights)


def _problem_of_weights(weights: tuple[float, ...]) -> str | None:
    if min(weights) <= 0.0 or abs(sum(weights) - 1.0) > 1e-9:
        return "the weights must be above 0 and add to 1"
    return None


def _problem_of_truncation(made: Prior) -> str | None:
    if len(made.components) != 1:
        return "what is truncated is one component"
    if share_within(made.components[0], made["low"], made["high"]) < LEAST_SHARE:
        return f"next to nothing of {made.components[0].formula} lies from {made['low']:g} to {made['high']:g}"
    return None


def share_within(made: Prior, low: float, high: float) -> float:
    """Return the probability of a value from low to high, both included."""
    return made.cdf(high) - made.cdf(math.nextafter(low, -math.inf))


def formula(made: Prior) -> str:
    """Return a distribution in one line, such as ``normal(mean -7.95, sd 2.43)``."""
    parts = [part.name or part.formula for part in made.components]
    if made.kind == "product":
        return " × ".join(parts)
    if made.kind == "mixture":
        return " + ".join(f"{weight:g} {part}" for weight, part in zip(made.weights, parts, strict=True))
    if made.kind == "truncated":
        return f"{parts[0]} from {made['low']:g} to {made['high']:g}"
    if made.kind == "discrete":
        pairs = zip(made.values, made.weights, strict=True)
        return f"discrete({', '.join(f'{value:g} with {weight:g}' for value, weight in pairs)})"
    return f"{made.kind}({', '.join(f'{name} {value:.4g}' for name, value in made.parameters)})"


def support(made: Prior) -> tuple[float, float]:
    """Return the smallest interval that holds all values."""
    if made.kind == "discrete":
        return made.values[0], made.values[-1]
    if made.kind in ("uniform", "triangular"):
        return made["low"], made["high"]
    if made.kind == "truncated":
        low, high = made.components[0].support
        return max(low, made["low"]), min(high, made["high"])
    if made.kind == "mixture":
        ends = [part.support for part in made.components]
        return min(low for low, _ in ends), max(high for _, high in ends)
    if made.kind == "product":
        (low, high), most = made.components[0].support, made.components[1].support[1]
        return (min(0.0, low * most) if low < 0.0 else 0.0), (max(0.0, high * most) if high > 0.0 else 0.0)
    return {"lognormal": (0.0, math.inf), "gamma": (0.0, math.inf), "beta": (0.0, 1.0)}.get(
        made.kind, (-math.inf, math.inf)
    )


def mean(made: Prior) -> float:
    """Return the mean: in closed form, but for what is truncated."""
    match made.kind:
        case "normal":
            return made["mean"]
        case "t":
            return made["location"] if made["df"] > 1.0 else math.nan
        case "lognormal":
            return made["median"] * math.exp(0.5 * made["log_sd"] ** 2)
        case "beta":
            return made["a"] / (made["a"] + made["b"])
        case "gamma":
            return made["shape"] * made["scale"]
        case "uniform":
            return (made["low"] + made["high"]) / 2.0
        case "triangular":
            return (made["low"] + made["mode"] + made["high"]) / 3.0
        case "product":
            return math.prod(part.mean for part in made.components)
        case "discrete":
            return _dot(made.weights, made.values)
        case "truncated":
            return _moments(made)[0]
    return _dot(made.weights, [part.mean for part in made.components])


def sd(made: Prior) -> float:
    """Return the standard deviation: in closed form, but for what is truncated."""
    match made.kind:
        case "normal":
            return made["sd"]
        case "t":
            df = made["df"]
            return made["scale"] * math.sqrt(df / (df - 2.0)) if df > 2.0 else (math.inf if df > 1.0 else math.nan)
        case "lognormal":
            return made.mean * math.sqrt(math.expm1(made["log_sd"] ** 2))
        case "beta":
            a, b = made["a"], made["b"]
            return math.sqrt(a * b / (a + b + 1.0)) / (a + b)
        case "gamma":
            return math.sqrt(made["shape"]) * made["scale"]
        case "uniform":
            return (made["high"] - made["low"]) / math.sqrt(12.0)
        case "triangular":
            low, mode, high = (made[name] for name in ("low", "mode", "high"))
            return math.sqrt((low**2 + mode**2 + high**2 - low * mode - low * high - mode * high) / 18.0)
        case "discrete":
            centre = made.mean
            return math.sqrt(_dot(made.weights, [(value - centre) ** 2 for value in made.values]))
        case "truncated":
            return _moments(made)[1]
    squares = [part.mean**2 + part.sd**2 for part in made.components]
    if made.kind == "product":
        return math.sqrt(math.prod(squares) - made.mean**2)
    return math.sqrt(_dot(made.weights, squares) - made.mean**2)


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def _moments(made: Prior) -> tuple[float, float]:
    from trialsim.evidence.distributions import moments

    return moments(made)
