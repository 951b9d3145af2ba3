"""What is believed about a parameter before the trial: named distributions, each with its origin.

Names begin with ``priors``: ``priors.ketamine_vs_midazolam.madrs.day1``. A prior is either read off a quantity of the
store and its interval, or pooled from controlled trials, or made of other priors: the product of a change and the
share of it that is kept, and the mixture of beliefs that disagree. Importing this module and looking a prior up costs
no numerics unless trials have to be pooled.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from trialsim.evidence import pooling, shapes, store
from trialsim.evidence.shapes import PARAMETERS as PARAMETERS
from trialsim.evidence.shapes import Kind as Kind
from trialsim.evidence.types import TAGS, Quantity, Section, Tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRIORS = "priors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A distribution with its unit and its origin.

    Parameters
    ----------
    name : str
        Dotted address; empty for one that was made by hand.
    kind : str
        A key of `PARAMETERS`. A product is that of an independent pair, of which the second is positive (lognormal or
        beta); what is truncated is its component given that it lies from low to high.
    parameters : tuple of (str, float)
        As `PARAMETERS` names them for the kind.
    components : tuple of Prior
        Parts of a mixture, the two factors of a product, or what is truncated.
    weights : tuple of float
        Weights of a mixture's components, or of discrete values; they add to 1.
    values : tuple of float
        Of a discrete prior, rising.
    unit : str
        Unit of its values.
    origin : str
        Where it comes from, in words.
    tag : {'measured', 'derived', 'assumed'}
        How it is known; what is made of parts is no better known than the worst of them.
    citations : tuple of str
        Keys of the publications behind it.
    derived_from : tuple of str
        Names of the quantities, study set or priors that it is made of.

    Raises
    ------
    ValueError
        The parameters, weights or components do not make a distribution.
    """

    name: str = ""
    kind: Kind
    parameters: tuple[tuple[str, float], ...] = ()
    components: tuple[Prior, ...] = ()
    weights: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    unit: str = ""
    origin: str = ""
    tag: Tag = "assumed"
    citations: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is not a distribution, naming it."""
        if problem := shapes.problem(self):
            raise ValueError(f"prior {self.name or self.kind}: {problem}")

    def __getitem__(self, parameter: str) -> float:
        """Return one parameter by its name."""
        return dict(self.parameters)[parameter]

    @property
    def mean(self) -> float:
        """The expected value; NaN for a t on one degree of freedom or less, which has none."""
        return shapes.mean(self)

    @property
    def sd(self) -> float:
        """The standard deviation; infinite for a t on up to two degrees of freedom, NaN on up to one."""
        return shapes.sd(self)

    @property
    def formula(self) -> str:
        """The distribution in one line, such as ``normal(mean -7.95, sd 2.43)``."""
        return shapes.formula(self)

    @property
    def support(self) -> tuple[float, float]:
        """The smallest interval that holds all its values; infinite ends are left out of it."""
        return shapes.support(self)

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: Array) -> Array: ...
    def cdf(self, x: float | Array) -> float | Array:
        """Return the probability of a value of at most x, in the shape of x."""
        import numpy as np

        from trialsim.evidence.distributions import cdf

        result = cdf(self, np.asarray(x, dtype=np.float64))
        return result if np.ndim(x) else float(result)

    @overload
    def quantile(self, q: float) -> float: ...
    @overload
    def quantile(self, q: Array) -> Array: ...
    def quantile(self, q: float | Array) -> float | Array:
        """Return the value below which a share q lies, in the shape of q; ValueError for q outside 0 to 1."""
        import numpy as np

        from trialsim.evidence.distributions import quantile

        shares = np.asarray(q, dtype=np.float64)
        if not np.all((shares >= 0.0) & (shares <= 1.0)):
            raise ValueError(f"prior {self.name or self.kind}: a quantile's share must be between 0 and 1")
        result = quantile(self, shares)
        return result if np.ndim(q) else float(result)

    def sample(self, uniforms: Array) -> Array:
        """Return draws by inversion, in the shape of `uniforms`.

        Parameters
        ----------
        uniforms : ndarray
            Uniform draws between 0 and 1. Exactly 0 and 1 are moved inwards by half the finest step of a generator's
            uniforms, so that a draw is always finite.
        """
        import numpy as np

        return self.quantile(np.clip(np.asarray(uniforms, dtype=np.float64), 2.0**-54, 1.0 - 2.0**-53))


def prior_names() -> tuple[str, ...]:
    """Return the names of all priors, in the order of the data files."""
    return tuple(_recipes())


def priors_of(group: str) -> tuple[str, ...]:
    """Return the names of the priors of one group, such as ``priors.spread``."""
    return tuple(name for name in prior_names() if name.startswith(f"{group}."))


def prior_groups() -> tuple[Section, ...]:
    """Return the groups of priors, such as ``priors.spread``, with their labels."""
    return tuple(
        Section(key=f"{PRIORS}.{stem}", label=content["label"], notes=tuple(content.get("notes", ())))
        for stem, content in _files()
    )


def has_prior(name: str) -> bool:
    """Whether a prior has this name."""
    return name in _recipes()


@cache
def prior(name: str) -> Prior:
    """Return the prior of this name.

    Parameters
    ----------
    name : str
        Full dotted name, such as ``priors.ketamine_vs_midazolam.qids_sr16.robust``.

    Raises
    ------
    UnknownEvidenceError
        A KeyError that names the nearest priors.
    """
    if name not in _recipes():
        raise store.UnknownEvidenceError("prior", name, prior_names())
    recipe = dict(_recipes()[name])
    if "set" in recipe:
        return pooling_prior(pooling.pool(recipe.pop("set")), name=name, **recipe)
    if recipe["kind"] in ("mixture", "product"):
        return _made_of_parts(name, recipe)
    return _from_quantity(name, recipe)


def pooling_prior(
    pooled: pooling.PooledEffect, *, of: str, shape: str = "normal", name: str = "", origin: str = ""
) -> Prior:
    """Return a pooled effect as a prior.

    Parameters
    ----------
    pooled : PooledEffect
        As `pool` returns it.
    of : {'mean', 'new_trial'}
        The mean effect, or the true effect of a trial yet to come, which differs from it by tau.
    shape : {'normal', 't'}
        ``t``: on k − 1 degrees of freedom with the Hartung-Knapp interval as its central 95 % (mean), or on k − 2 with
        the prediction interval (new trial). ``normal``: with the larger of the Hartung-Knapp and the model standard
        error, and tau² added for a new trial; for a few studies, where so few degrees of freedom leave a t without a
        standard deviation and with implausible tails.
    name, origin : str
        As in `Prior`; words on the pooling are added to the origin.

    Raises
    ------
    ValueError
        `of` or `shape` is unknown, a t would have no standard deviation, or one study is to tell of new trials.
    """
    if of not in ("mean", "new_trial") or shape not in ("normal", "t"):
        raise ValueError(f"a pooled effect becomes a normal or t of the mean or new_trial, not a {shape} of {of}")
    if of == "new_trial" and pooled.k < 2:
        raise ValueError(f"{pooled.name} has one study, which says nothing of how trials differ; take the mean")
    made = _pooled_t(pooled, of) if shape == "t" else _pooled_normal(pooled, of)
    target = "mean effect" if of == "mean" else "true effect of a new trial, tau as estimated"
    words = pooled.words if pooled.k == 1 else f"{pooled.words} A {made[0]} for the {target}."
    return Prior(
        name=name,
        kind=made[0],
        parameters=made[1],
        unit=pooled.unit,
        origin=f"{origin} {words}".strip(),
        tag="derived",
        citations=pooled.citations,
        derived_from=(pooled.name, *pooled.effects),
    )


def _pooled_normal(pooled: pooling.PooledEffect, of: str) -> tuple[Kind, tuple[tuple[str, float], ...]]:
    """Return kind and parameters of a normal prior."""
    variance = max(pooled.se, pooled.se_model) ** 2 + (pooled.tau2 if of == "new_trial" else 0.0)
    return "normal", (("mean", pooled.mean), ("sd", math.sqrt(variance)))


def _pooled_t(pooled: pooling.PooledEffect, of: str) -> tuple[Kind, tuple[tuple[str, float], ...]]:
    """Return kind and parameters of a t prior."""
    df = pooled.k - (1 if of == "mean" else 2)
    if df <= 2:
        raise ValueError(
            f"{pooled.name} has {pooled.k} studies: a t on {df} degrees of freedom has no SD; use a normal"
        )
    low, high = (pooled.low, pooled.high) if of == "mean" else (pooled.predictive_low, pooled.predictive_high)
    standard = Prior(kind="t", parameters=(("df", df), ("location", 0.0), ("scale", 1.0))).quantile(0.975)
    return "t", (("df", float(df)), ("location", pooled.mean), ("scale", (high - low) / 2.0 / standard))


def _made_of_parts(name: str, recipe: dict[str, Any]) -> Prior:
    """Return a mixture or product of named priors."""
    parts = tuple(prior(part) for part in recipe["components"])
    tags = [part.tag for part in parts] + [recipe.get("tag", "measured")]
    return Prior(
        name=name,
        kind=recipe["kind"],
        components=parts,
        weights=tuple(float(weight) for weight in recipe.get("weights", ())),
        unit=parts[0].unit,
        origin=recipe["origin"],
        tag=max(tags, key=TAGS.index),
        citations=tuple(dict.fromkeys(key for part in parts for key in part.citations)),
        derived_from=tuple(recipe["components"]),
    )


def _from_quantity(name: str, recipe: dict[str, Any]) -> Prior:
    """Return a prior whose centre is a quantity of the store and whose width is its interval, or a given one."""
    quantity = store.get(recipe["quantity"])
    sources = (quantity.name, *recipe.get("derived_from", ()))
    centre = recipe.get("centre", quantity.value)
    if centre is None:
        raise ValueError(f"prior {name}: {quantity.name} has no value and no centre is given")
    return Prior(
        name=name,
        kind=recipe["kind"],
        parameters=_parameters(recipe, float(centre), quantity),
        unit=recipe.get("unit", quantity.unit),
        origin=recipe["origin"],
        tag=recipe["tag"],
        citations=tuple(dict.fromkeys(store.get(source).citation for source in sources)),
        derived_from=sources,
    )


def _parameters(recipe: dict[str, Any], centre: float, quantity: Quantity) -> tuple[tuple[str, float], ...]:
    """Return the parameters of a normal, t, lognormal or beta from its centre and width."""
    if recipe["kind"] == "lognormal":
        return (("median", centre), ("log_sd", recipe.get("log_sd") or pooling.standard_error(quantity, log=True)))
    width = recipe.get("sd") or pooling.standard_error(quantity)
    if recipe["kind"] == "normal":
        return (("mean", centre), ("sd", width))
    if recipe["kind"] == "t":
        between = store.get(recipe["between"]).value or 0.0
        return (("df", float(recipe["df"])), ("location", centre), ("scale", math.sqrt(width**2 + between)))
    concentration = centre * (1.0 - centre) / width**2 - 1.0
    return (("a", centre * concentration), ("b", (1.0 - centre) * concentration))


@cache
def _files() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Read the data files of priors: name and content of each."""
    paths = sorted((store.DATA / PRIORS).glob("*.toml"))
    return tuple((path.stem, tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths)


@cache
def _recipes() -> Mapping[str, dict[str, Any]]:
    """Return how every prior is made, by name; a file's ``[common]`` table holds what its priors share."""
    return {
        f"{PRIORS}.{stem}.{key}": content.get("common", {}) | row
        for stem, content in _files()
        for key, row in content["priors"].items()
    }
