"""Trials simulated at values drawn from priors: each draw a scenario of its own, with its own block of replicates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED
from trialsim.engine.backends import run_units
from trialsim.engine.block import CellBlock, compute_block
from trialsim.engine.hypotheses import Hypothesis
from trialsim.engine.successes import Asked, Goal, ask, successes_of
from trialsim.engine.truth import Truth, is_null
from trialsim.errors import InputError
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.planning.prior_draws import PriorDraws
from trialsim.planning.twins import twin
from trialsim.scenario import resolve
from trialsim.scenario.at_value import at_values
from trialsim.scenario.document import Mark
from trialsim.scenario.loading import Scenario
from trialsim.scenario.methods import benefit_sign
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PILOT_BLOCKS = 1_000_000
"""Where the blocks of pilots begin: no pilot shares a patient with a main trial."""
DRAWS_PER_UNIT = 5
MEANS = ("t_test", "welch", "ancova", "mmrm", "clda")
"""Analyses whose closed form gives the chance of a finding on the side of benefit whatever the effect."""

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What is simulated at every draw.

    Parameters
    ----------
    scenario : Scenario
        Without priors.
    sizes, pilots : tuple of int
        Numbers randomised in the trial, and in pilots of it.
    goal : {'primary', 'alone', 'each', 'all'}
    priors : Mark
        Where the scenario's priors stand.
    """

    scenario: Scenario
    sizes: tuple[int, ...]
    pilots: tuple[int, ...]
    goal: Goal
    priors: Mark


class Drawn(NamedTuple):
    """The trials of one draw.

    Attributes
    ----------
    found, usable : ndarray of bool, shape (S, R)
        Whether a replicate succeeds, and whether its analyses gave estimates.
    estimate : ndarray, shape (S, R)
        Of the first hypothesis; NaN where its analysis failed.
    effect : float
        True value of the first hypothesis.
    exact : bool
        Whether the model gives it exactly; otherwise it is the mean estimate of the largest trials.
    claimable : bool
        Whether all that is claimed is true: benefits, or what is within the margin.
    twin : ndarray, shape (S,)
        Power by the closed form; NaN where there is none.
    pilot : ndarray, shape (P, 2, R)
        Estimate and the logarithm of its standard error in pilots.
    """

    found: Flags
    usable: Flags
    estimate: Array
    effect: float
    exact: bool
    claimable: bool
    twin: Array
    pilot: Array


class Impossible(NamedTuple):
    """A draw that no scenario can have, and the first reason."""

    path: str
    reason: str


class Unit(NamedTuple):
    """Draws to simulate: their numbers and their values."""

    draws: tuple[tuple[int, Mapping[str, float]], ...]


def trials_of(
    setup: Setup, draws: PriorDraws, workers: int, progress: Report | None = None, *, leave_out: bool = False
) -> dict[int, Drawn]:
    """Return the trials of every draw, by its number.

    Parameters
    ----------
    setup : Setup
    draws : PriorDraws
    workers : int
        Results do not depend on it.
    progress : callable, optional
        Called with (draws done, draws in all).
    leave_out : bool
        Leave out draws that no scenario can have; otherwise they are an error.

    Raises
    ------
    InputError
        If a draw cannot be, such as a mean outside its scale: those with the smallest or largest value of a path are
        looked at before work starts.
    """
    number = len(draws.values)
    if not leave_out:
        _refuse(setup, draws, {draw: _possible(setup, draws.settings(draw)) for draw in draws.extremes()})
    units = [
        Unit(tuple((draw, draws.settings(draw)) for draw in range(first, min(first + DRAWS_PER_UNIT, number))))
        for first in range(0, number, DRAWS_PER_UNIT)
    ]
    answers: dict[int, Drawn | Impossible] = {}
    simulating = run_units(partial(_simulate, setup), units, workers)
    for answer in simulating:
        answers.update(answer)
        if not leave_out and any(isinstance(one, Impossible) for one in answer.values()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that the work still waiting is given up
                simulating.close()
            _refuse(setup, draws, answer)
        if progress is not None:
            progress(len(answers), number)
    possible = {draw: one for draw, one in sorted(answers.items()) if isinstance(one, Drawn)}
    if len(possible) < 2:
        _refuse(setup, draws, answers)
    return possible


def _possible(setup: Setup, values: Mapping[str, float]) -> Impossible | None:
    try:
        resolve(at_values(setup.scenario, values))
    except InputError as error:
        return Impossible(error.faults[0].path, error.faults[0].message)
    return None


def _refuse(setup: Setup, draws: PriorDraws, answers: Mapping[int, object]) -> None:
    """Raise an error about draws that cannot be, with the first as an example."""
    bad = {draw: one for draw, one in sorted(answers.items()) if isinstance(one, Impossible)}
    if not bad:
        return
    draw, why = next(iter(bad.items()))
    values = ", ".join(f"{path} = {value:.4g}" for path, value in draws.settings(draw).items())
    message = (
        f"what is drawn cannot always be: with {values} ({why.path}: {why.reason}). Narrow the priors or cut them off "
        "(low, high), take scale: continuous, or leave such draws out with --leave-out"
    )
    raise InputError([setup.priors.fault("priors", message)])


def _simulate(setup: Setup, unit: Unit) -> dict[int, Drawn | Impossible]:
    """Return the trials of some draws."""
    return {draw: _trials(setup, draw, values) for draw, values in unit.draws}


def _trials(setup: Setup, draw: int, values: Mapping[str, float]) -> Drawn | Impossible:
    try:
        resolved = resolve(at_values(setup.scenario, values))
    except InputError as error:
        return Impossible(error.faults[0].path, error.faults[0].message)
    asked = ask(resolved.variants[0], resolved.hash, setup.goal)
    return simulate(asked, setup, resolved.seed, draw)


def simulate(asked: Asked, setup: Setup, seed: int, block: int) -> Drawn:
    """Return the trials of one block of one variant.

    Parameters
    ----------
    asked : Asked
    setup : Setup
    seed, block : int
    """
    by_size = _by_size(asked, setup.sizes, seed, block)
    cells = list(by_size.values())
    successes = [successes_of(asked, of_size) for of_size in cells]
    first = [_cell_of_first(asked, of_size) for of_size in cells]
    estimate = np.stack([np.where(cell.estimates.status != FAILED, cell.estimates.estimate, np.nan) for cell in first])
    # The largest trials come last.
    effects = [_effect(asked, member, cells[-1]) for member in asked.members]
    effect, exact = effects[0]
    return Drawn(
        found=np.stack([one.found[:, 0] for one in successes]),
        usable=np.stack([one.usable[:, 0] for one in successes]),
        estimate=estimate,
        effect=effect,
        exact=exact,
        claimable=all(_claimable(asked, member, one) for member, (one, _) in zip(asked.members, effects, strict=True)),
        twin=np.array([_closed_form(asked, n, exact) for n in by_size]),
        pilot=_pilots(asked, setup.pilots, seed, block),
    )


def _by_size(asked: Asked, sizes: Sequence[int], seed: int, block: int) -> dict[int, list[CellBlock]]:
    cells = compute_block(replace(asked.variant, sample_sizes=tuple(sizes)), asked.key, seed, block)
    return {n: [cell for cell in cells if cell.n == n] for n in sorted(sizes)}


def _cell_of_first(asked: Asked, cells: Sequence[CellBlock]) -> CellBlock:
    return next(cell for cell in cells if cell.hypothesis == asked.members[0])


def _pilots(asked: Asked, sizes: Sequence[int], seed: int, block: int) -> Array:
    if not sizes:
        return np.empty((0, 2, BLOCK_SIZE))
    told = []
    for cells in _by_size(asked, sizes, seed, PILOT_BLOCKS + block).values():
        estimates = _cell_of_first(asked, cells).estimates
        usable = (estimates.status != FAILED) & (estimates.se > 0.0)
        told.append(np.where(usable, [estimates.estimate, np.log(np.where(usable, estimates.se, 1.0))], np.nan))
    return np.stack(told)


def _effect(asked: Asked, member: Hypothesis, cells: Sequence[CellBlock]) -> tuple[float, bool]:
    """Return the true value of a hypothesis, and whether it is exact."""
    estimand = asked.variant.estimands[member.estimand]
    if estimand.true_value is not None and estimand.analyses[member.analysis].measure == "difference":
        return estimand.true_value, True
    estimates = next(cell for cell in cells if cell.hypothesis == member).estimates
    seen = estimates.estimate[estimates.status != FAILED]
    return (float(seen.mean()) if len(seen) else np.nan), False


def _claimable(asked: Asked, member: Hypothesis, effect: float) -> bool:
    """Return whether the claim of a hypothesis is true."""
    if not np.isfinite(effect) or is_null(Truth(effect, 0.0), asked.variant, member):
        return False
    estimand = asked.variant.estimands[member.estimand]
    if estimand.hypothesis.margin is not None or estimand.interaction is not None:
        return True
    return benefit_sign(estimand.endpoint, estimand.analyses[member.analysis].measure) * effect > 0.0


def sign_of_benefit(asked: Asked) -> int:
    """Return 1 where a positive effect of the first hypothesis is a benefit, -1 where a negative one is, or 0.

    0 is that of an interaction, which favours nobody.
    """
    member = asked.members[0]
    estimand = asked.variant.estimands[member.estimand]
    if estimand.interaction is not None:
        return 0
    return benefit_sign(estimand.endpoint, estimand.analyses[member.analysis].measure)


def _closed_form(asked: Asked, n: int, exact: bool) -> float:
    """Return the power by the closed form; NaN within a procedure, and where none holds for harms too."""
    member = asked.members[0]
    estimand = asked.variant.estimands[member.estimand]
    analysis = estimand.analyses[member.analysis]
    either_way = analysis.method in MEANS and estimand.hypothesis.margin is None and estimand.interaction is None
    if not exact or asked.procedure or len(asked.members) > 1 or not either_way:
        return np.nan
    if abs(estimand.true_value or 0.0) <= NULL_TOLERANCE:
        return 0.5 * analysis.alpha
    found = twin(asked.variant, estimand, analysis, n)
    return np.nan if found is None else found.power


__all__ = ["Drawn", "Setup", "sign_of_benefit", "simulate", "trials_of"]
