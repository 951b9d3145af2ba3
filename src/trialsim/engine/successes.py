"""Which replicates of a block succeed, at any sample sizes or for any variants: what planning asks of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED
from trialsim.engine.backends import run_units
from trialsim.engine.block import CellBlock, compute_block
from trialsim.engine.decision import family
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.truth import true_values
from trialsim.kernels.multiplicity import is_rejected
from trialsim.kernels.operating_characteristics import counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Multiplicity, Variant

Flags = NDArray[np.bool_]
FIRST = Hypothesis(0, 0)
"""The first analysis of the first estimand: the primary hypothesis."""

Goal = Literal["primary", "alone", "each", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A variant and what counts as success in it.

    Parameters
    ----------
    variant : Variant
        With the estimands that are needed.
    key : str
        Hash of the scenario.
    members : tuple of Hypothesis
    signs : tuple of int
        Side on which a rejection of each counts; 0 for either.
    together : bool
        Whether a success is to find all of them; otherwise each has successes of its own.
    """

    variant: Variant
    key: str
    members: tuple[Hypothesis, ...]
    signs: tuple[int, ...]
    together: bool

    @property
    def procedure(self) -> str:
        """The multiplicity procedure that success is within; empty without one."""
        return "" if self.variant.multiplicity is None else self.variant.multiplicity.method


class Successes(NamedTuple):
    """The replicates of a block at one sample size of one variant.

    Attributes
    ----------
    found, usable : ndarray of bool, shape (R, H)
        Whether a replicate finds what is claimed, and whether its analyses gave estimates; H is 1 where a success is
        to find all.
    missing : ndarray, shape (M,)
        Mean share of the randomised without a score at the visit of each member.
    estimate : ndarray, shape (R, M)
        NaN where a fit failed.
    """

    found: Flags
    usable: Flags
    missing: NDArray[np.float64]
    estimate: NDArray[np.float64]


class Unit(NamedTuple):
    """A block to draw: variants, each at some sizes, with the same patients."""

    place: int
    block: int
    parts: tuple[tuple[Asked, tuple[int, ...]], ...]


class Result(NamedTuple):
    """What a unit gave, with its place, because units may finish in any order."""

    place: int
    successes: list[Successes]


def ask(variant: Variant, key: str, goal: Goal) -> Asked:
    """Return what counts as success in a variant.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    goal : {'primary', 'alone', 'each', 'all'}
        The first analysis of the first estimand: within the multiplicity procedure where that has it (of co-primary
        hypotheses, all in the same trial), or alone, at its own level. Or every member of the multiplicity procedure
        within it (without a procedure the first analysis of every estimand, at its own level): each by itself, or all
        in the same trial. Co-primary hypotheses are found together or not at all, so that each is all of them.
    """
    if goal == "primary" and variant.multiplicity is not None and FIRST in family(variant.multiplicity):
        return _primary_within(variant, key, variant.multiplicity)
    if goal in ("primary", "alone"):
        first = variant.estimands[0]
        variant = replace(variant, estimands=(replace(first, analyses=first.analyses[:1]),), multiplicity=None)
    plan = variant.multiplicity
    members = family(plan) if plan is not None else [Hypothesis(e, 0) for e in range(len(variant.estimands))]
    together = goal == "all" or (plan is not None and plan.method == "co_primary")
    return Asked(variant, key, tuple(members), _signs(variant, members), together)


def _primary_within(variant: Variant, key: str, plan: Multiplicity) -> Asked:
    """Return the primary hypothesis within its procedure; estimands outside the procedure are left out."""
    kept = sorted({estimand for estimand, _ in plan.hypotheses})
    moved = tuple((kept.index(estimand), analysis) for estimand, analysis in plan.hypotheses)
    variant = replace(
        variant,
        estimands=tuple(variant.estimands[estimand] for estimand in kept),
        multiplicity=replace(plan, hypotheses=moved),
    )
    together = plan.method == "co_primary"
    members = [Hypothesis(*member) for member in moved] if together else [FIRST]
    return Asked(variant, key, tuple(members), _signs(variant, members), together)


def _signs(variant: Variant, members: Iterable[Hypothesis]) -> tuple[int, ...]:
    """Return the side that counts for each hypothesis; true values are found only where they decide it."""
    signs: list[int] = []
    for member in members:
        estimand = variant.estimands[member.estimand]
        measure = estimand.analyses[member.analysis].measure
        sides = {power_sign(estimand, measure, value) for value in (-1.0, 1.0)}
        if len(sides) > 1:
            sides = {power_sign(estimand, measure, true_values(variant)[member].value)}
        signs.append(sides.pop())
    return tuple(signs)


def run(units: Sequence[Unit], seed: int, workers: int) -> list[list[Successes]]:
    """Return the successes of every unit: its parts in order, the sizes of each rising within.

    Parameters
    ----------
    units : sequence of Unit
    seed : int
    workers : int
        Results do not depend on it.
    """
    results = run_units(partial(compute, seed), units, workers)
    return [result.successes for result in sorted(results, key=lambda result: result.place)]


def compute(seed: int, unit: Unit) -> Result:
    """Return the successes of a unit."""
    successes = []
    for asked, sizes in unit.parts:
        blocks = compute_block(replace(asked.variant, sample_sizes=sizes), asked.key, seed, unit.block)
        successes += [successes_of(asked, [cell for cell in blocks if cell.n == n]) for n in sizes]
    return Result(unit.place, successes)


def successes_of(asked: Asked, cells: Sequence[CellBlock]) -> Successes:
    """Return the successes of a block at one sample size.

    Parameters
    ----------
    asked : Asked
    cells : sequence of CellBlock
        Of the hypotheses of the variant at that size.
    """
    by_hypothesis = {cell.hypothesis: cell for cell in cells}
    of_members = [by_hypothesis[member] for member in asked.members]
    usable = np.stack([cell.estimates.status != FAILED for cell in of_members], axis=1)
    found = np.stack(
        [_found(asked.variant, cell, sign) for cell, sign in zip(of_members, asked.signs, strict=True)], axis=1
    )
    if asked.together:
        found, usable = (np.asarray(part.all(axis=1, keepdims=True)) for part in (found, usable))
    missing = np.array([cell.share_missing.mean() for cell in of_members])
    estimate = np.stack([cell.estimates.estimate for cell in of_members], axis=1)
    return Successes(found & usable, usable, missing, estimate)


def _found(variant: Variant, cell: CellBlock, sign: int) -> Flags:
    """Return whether each replicate rejects on the side that counts, within the procedure where there is one."""
    plan = variant.multiplicity
    estimates = cell.estimates
    if plan is not None:
        rejected = is_rejected(cell.p_adjusted, plan.alpha)
    else:
        analysis = variant.estimands[cell.hypothesis.estimand].analyses[cell.hypothesis.analysis]
        rejected = np.asarray(estimates.p <= analysis.alpha)
    return rejected & counts_as_power(estimates.estimate, sign)
