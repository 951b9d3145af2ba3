"""Controlled trials of one question, pooled: from study effects to an effect with its uncertainty.

A set of studies has a name that begins with ``pools``: ``pools.ketamine_vs_midazolam.madrs.any_time``. It lists
quantities of the store; each brings its standard error, as printed or from its 95 % interval. Sets of one contrast may
share trials (one outcome at several times, one trial on two scales): they are alternatives, not to be pooled again.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from trialsim.evidence import store
from trialsim.evidence.types import Quantity, Tag

POOLS = "pools"
INTERVAL = 2.0 * 1.959963984540054
"""Standard errors from end to end of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEffect:
    """The effect that one trial found.

    Parameters
    ----------
    name : str
        Name of the quantity.
    estimate, se : float
        Effect and its standard error, in `unit`.
    unit : str
        The same for all effects of a set.
    n : int or None
        Participants behind it.
    time : str
        When it was measured.
    basis : str
        Where it comes from, in words; for derived values the arithmetic.
    tag : {'measured', 'derived', 'assumed'}
        How the estimate is known.
    citation : str
        Key of the publication.
    """

    name: str
    estimate: float
    se: float
    unit: str
    n: int | None
    time: str
    basis: str
    tag: Tag
    citation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySet:
    """Trials of one question on one scale.

    Parameters
    ----------
    name : str
        Dotted address.
    label : str
        One line: treatments, scale, time.
    unit : str
        Unit of the effects.
    effects : tuple of StudyEffect
        One from each independent comparison.
    notes : tuple of str
        What limits the set.
    """

    name: str
    label: str
    unit: str
    effects: tuple[StudyEffect, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledEffect:
    """A set of trials pooled by random effects; the numbers are those of `trialsim.kernels.meta_analysis`.

    Parameters
    ----------
    name, label, unit : str
        Those of the set.
    k : int
        Trials.
    mean, se, df, low, high : float
        Mean effect, Hartung-Knapp standard error, degrees of freedom, and its 95 % interval, which is not narrower than
        the fixed-effect one. A single trial is taken as it is, with a normal interval.
    se_model : float
        Standard error from the weights alone.
    tau2, tau2_low, tau2_high : float
        REML variance between trials with its profile-likelihood interval; NaN for a single trial.
    predictive_low, predictive_high : float
        95 % prediction interval for the effect in a new trial; NaN for fewer than three trials.
    q, q_p, i2, i2_low, i2_high : float
        Cochran's Q with its p-value, and I² with its interval; NaN where not defined.
    effects : tuple of str
        Names of the quantities that were pooled.
    citations : tuple of str
        Keys of their publications.
    """

    name: str
    label: str
    unit: str
    k: int
    mean: float
    se: float
    df: float
    low: float
    high: float
    se_model: float
    tau2: float
    tau2_low: float
    tau2_high: float
    predictive_low: float
    predictive_high: float
    q: float
    q_p: float
    i2: float
    i2_low: float
    i2_high: float
    effects: tuple[str, ...]
    citations: tuple[str, ...]

    @property
    def words(self) -> str:
        """What was pooled, in a sentence."""
        if self.k == 1:
            return f"{self.label}: one trial, as published."
        return f"{self.label}: {self.k} comparisons pooled by random effects (REML tau {math.sqrt(self.tau2):.3g})."


def study_set_names() -> tuple[str, ...]:
    """Return the names of all sets of studies, in the order of the data files."""
    return tuple(_sets())


@cache
def study_set(name: str) -> StudySet:
    """Return a set of studies by its name.

    Raises
    ------
    UnknownEvidenceError
        A KeyError that names the nearest sets.
    """
    if name not in _sets():
        raise store.UnknownEvidenceError("set of studies", name, study_set_names())
    row = _sets()[name]
    effects = tuple(study_effect(store.get(quantity)) for quantity in row["effects"])
    units = {effect.unit for effect in effects}
    if len(units) != 1:
        raise ValueError(f"{name} mixes the units {', '.join(sorted(units))}")
    return StudySet(name=name, label=row["label"], unit=units.pop(), effects=effects, notes=tuple(row.get("notes", ())))


def study_effect(quantity: Quantity) -> StudyEffect:
    """Return a quantity as a study effect; ValueError where it has no value or no standard error."""
    if quantity.value is None:
        raise ValueError(f"{quantity.name} has no value")
    taken = {
        field.name: getattr(quantity, field.name) for field in fields(StudyEffect) if hasattr(quantity, field.name)
    }
    return StudyEffect(estimate=quantity.value, se=standard_error(quantity), **taken)


def standard_error(quantity: Quantity, *, log: bool = False) -> float:
    """Return a quantity's standard error: as it stands, or from low and high taken as the ends of a 95 % interval.

    Parameters
    ----------
    quantity : Quantity
    log : bool
        On the logarithm of the quantity, from the logarithms of the ends.

    Raises
    ------
    ValueError
        It has neither a standard error nor two ends.
    """
    if quantity.spread_kind == "se" and quantity.spread is not None and not log:
        return quantity.spread
    if quantity.spread_kind not in ("ci95", "range") or quantity.low is None or quantity.high is None:
        raise ValueError(f"{quantity.name} has no standard error and no interval to take it from")
    if log:
        return math.log(quantity.high / quantity.low) / INTERVAL
    return (quantity.high - quantity.low) / INTERVAL


def pool(studies: str | StudySet) -> PooledEffect:
    """Pool a set of trials by random effects: REML, Hartung-Knapp interval not narrower than the fixed-effect one.

    Parameters
    ----------
    studies : str or StudySet
        Name of a set, or a set made by hand.

    Returns
    -------
    PooledEffect
        Active minus control in the unit of the set.
    """
    import numpy as np

    from trialsim.kernels import meta_analysis

    named = study_set(studies) if isinstance(studies, str) else studies
    estimate = np.array([[effect.estimate for effect in named.effects]])
    se = np.array([[effect.se for effect in named.effects]])
    pooled = meta_analysis.random_effects(estimate, se, at_least_fixed=True)
    if not pooled.estimable[0]:
        raise ValueError(f"{named.name} cannot be pooled: {meta_analysis.REASONS[pooled.reason[0]]}")
    tau2_low, tau2_high = meta_analysis.between_study_interval(estimate, se)
    disagreement = meta_analysis.heterogeneity(estimate, se)
    numbers = {name: float(getattr(pooled, name)[0]) for name in pooled._fields if name not in ("k", "reason")}
    numbers |= {name: float(getattr(disagreement, name)[0]) for name in ("q", "i2", "i2_low", "i2_high")}
    return PooledEffect(
        name=named.name,
        label=named.label,
        unit=named.unit,
        k=len(named.effects),
        tau2_low=float(tau2_low[0]),
        tau2_high=float(tau2_high[0]),
        q_p=float(disagreement.p[0]),
        effects=tuple(effect.name for effect in named.effects),
        citations=tuple(dict.fromkeys(effect.citation for effect in named.effects)),
        **numbers,
    )


@cache
def _sets() -> Mapping[str, dict[str, Any]]:
    """Read what every set of studies holds, by name."""
    sets: dict[str, dict[str, Any]] = {}
    for path in sorted((store.DATA / POOLS).glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        sets |= {f"{POOLS}.{path.stem}.{key}": row for key, row in content["sets"].items()}
    return sets
