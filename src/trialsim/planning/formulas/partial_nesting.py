"""Individually randomised trials whose active arm is treated in groups, such as therapy groups or classes.

References
----------
Moerbeek M, Wong WK (2008). Sample size formulae for trials comparing group and individual treatments in a multilevel
model. Statistics in Medicine 27:2850-2864.
Roberts C, Roberts SA (2005). Design and analysis of clinical trials with clustering effects due to treatment. Clinical
Trials 2:152-162.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from trialsim.planning.formulas.answer import Answer, rounded_up
from trialsim.planning.formulas.checks import (
    allocation,
    finite,
    inside,
    not_one_left_out,
    one_of,
    pair,
    positive,
    refuse,
)
from trialsim.planning.formulas.clustered import design_effect
from trialsim.planning.formulas.level import Level, level, t_power
from trialsim.planning.formulas.solving import SOME, Question, root_from, solve


@dataclass(frozen=True, slots=True)
class _Arms:
    """Spread, groups and test of the two arms."""

    sd: tuple[float, float]
    icc: float
    group_size: float
    reference: str
    at: Level

    def power(self, difference: float, n: tuple[float, ...]) -> float:
        """Return the power with n participants in control and active arm."""
        inflated = design_effect(self.icc, self.group_size)
        v0, v1 = self.sd[0] ** 2 / n[0], self.sd[1] ** 2 * inflated / n[1]
        df = math.inf
        if self.reference == "t":
            df = (v0 + v1) ** 2 / (v0**2 / (n[0] - 1.0) + v1**2 / (n[1] / self.group_size - 1.0))
        return t_power(abs(difference) / math.sqrt(v0 + v1), df, self.at)

    @property
    def fewest(self) -> tuple[float, float]:
        """Return the smallest arms whose variances have degrees of freedom, two participants and two groups."""
        return (2.0, 2.0 * self.group_size) if self.reference == "t" else (SOME, SOME)

    @property
    def method(self) -> str:
        """Return the method in words."""
        words = "Satterthwaite t" if self.reference == "t" else "normal approximation"
        return f"partially nested design, {words}"

    @property
    def inputs(self) -> dict[str, object]:
        """Return what the arms were described by."""
        return {"sd": self.sd, "icc": self.icc, "group_size": self.group_size}

    def details(self, _difference: float, n: tuple[float, ...]) -> dict[str, float]:
        """Return the number of groups and the design effect of their arm."""
        return {"groups": n[1] / self.group_size, "design_effect": design_effect(self.icc, self.group_size)}


def _arms(sd: float | Sequence[float], icc: float, group_size: float, reference: str, at: Level) -> _Arms:
    spread = pair("sd", sd)
    positive(sd=min(spread))
    one_of("reference", reference, ("t", "z"))
    design_effect(icc, group_size)
    return _Arms(spread, icc, group_size, reference, at)


def partially_nested(
    *,
    difference: float | None = None,
    sd: float | Sequence[float] = 1.0,
    icc: float,
    group_size: float,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    reference: str = "z",
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, size or detectable difference when the active arm is treated in groups and the control is not.

    Parameters
    ----------
    difference : float, optional
        True difference of means, active − control.
    sd : float or pair of float
        Total standard deviation in both arms, or in control then active (groups included).
    icc : float
        Correlation of two members of a group, in [0, 1].
    group_size : float
        Participants in a group, at least 1.
    n_total : float, optional
        Participants in both arms.
    power : float, optional
        Leave out exactly one of the three.
    ratio : pair of float
        Allocation, control then active.
    reference : {"z", "t"}
        Normal, or t with Satterthwaite's degrees of freedom from n₀ − 1 and groups − 1.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `details` holds the number of `groups`. The rounded sizes take no account of whole groups.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Variance of the difference σ₀²/n₀ + σ₁² (1 + (m − 1) ρ)/n₁ (Moerbeek & Wong 2008; Roberts & Roberts 2005).
    """
    parts = allocation(ratio)
    at = level(alpha, sides, either_direction)
    arms = _arms(sd, icc, group_size, reference, at)
    question = Question(
        arms.power,
        at,
        arms.method,
        parts,
        inputs=arms.inputs,
        details_at=arms.details,
        least=max(fewest * sum(parts) / part for fewest, part in zip(arms.fewest, parts, strict=True)),
    )
    return solve(question, effect=difference, n_total=n_total, power=power)


def partially_nested_arm(
    *,
    difference: float,
    sd: float | Sequence[float] = 1.0,
    icc: float,
    group_size: float,
    n_control: float | None = None,
    n_active: float | None = None,
    power: float,
    reference: str = "z",
    alpha: float = 0.05,
    sides: int = 2,
) -> Answer:
    """Return the size that one arm needs when that of the other is given, the active arm being treated in groups.

    Parameters
    ----------
    difference, sd, icc, group_size, power, reference, alpha, sides : as in `partially_nested`
    n_control, n_active : float, optional
        Participants of either arm; leave out the one to be found.

    Returns
    -------
    Answer
        `value` is the size of the arm that was left out; `details` holds the number of `groups`.

    Raises
    ------
    InputError
        If not exactly one arm is left out, a number is out of range, or no size of that arm is large enough.

    Notes
    -----
    As `partially_nested`.
    """
    finite(difference=difference)
    positive(n_control=n_control, n_active=n_active)
    inside(0.0, 1.0, power=power)
    at = level(alpha, sides)
    arms = _arms(sd, icc, group_size, reference, at)
    for name, size, fewest in zip(("n_control", "n_active"), (n_control, n_active), arms.fewest, strict=True):
        if size is not None and size < fewest:
            refuse(name, f"must be at least {fewest:g} for this test, not {size:g}")
    if n_control is None and n_active is not None:
        found = root_from(lambda n: arms.power(difference, (n, n_active)), power, arms.fewest[0], what="n_control")
        n = (found, n_active)
    elif n_active is None and n_control is not None:
        found = root_from(lambda n: arms.power(difference, (n_control, n)), power, arms.fewest[1], what="n_active")
        n = (n_control, found)
    else:
        not_one_left_out(n_control=n_control, n_active=n_active)
    return Answer(
        "size",
        found,
        power,
        difference,
        n,
        rounded_up(n),
        alpha,
        sides,
        arms.method,
        inputs=arms.inputs,
        details=arms.details(difference, n),
    )


def level_if_groups_ignored(
    *, icc: float, group_size: float, nested: str = "active", ratio: Sequence[float] = (1, 1), alpha: float = 0.05
) -> float:
    """Return the true two-sided level of a z test that takes members of groups for independent.

    Parameters
    ----------
    icc, group_size : float
        As in `partially_nested`.
    nested : {"active", "both"}
        Which arms are treated in groups.
    ratio : pair of float
        Allocation, control then active.
    alpha : float
        The level the test claims.

    Returns
    -------
    float
        2 Φ(−z/√D), D the true variance of the difference over the assumed one, with equal standard deviations.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    one_of("nested", nested, ("active", "both"))
    inside(0.0, 1.0, alpha=alpha)
    inflated = design_effect(icc, group_size)
    parts = allocation(ratio)
    of_control = inflated if nested == "both" else 1.0
    true = of_control / parts[0] + inflated / parts[1]
    return float(2.0 * ndtr(ndtri(0.5 * alpha) / math.sqrt(true / (1.0 / parts[0] + 1.0 / parts[1]))))
