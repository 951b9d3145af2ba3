"""Running trials without their patients' scores: how long, how many, how dear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.backends import run_units
from trialsim.engine.operations import operate
from trialsim.engine.operations_block import OperationsBlock, operations_block
from trialsim.engine.operations_files import joined
from trialsim.engine.plan import n_blocks
from trialsim.kernels.montecarlo import Measure, mean
from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams

Array = NDArray[np.float64]


class _Unit(NamedTuple):
    block: int
    n: int


class _Done(NamedTuple):
    unit: _Unit
    found: OperationsBlock


@dataclass(frozen=True, slots=True, eq=False)
class OperationalSummary:
    """Duration and cost of a design at one sample size.

    Parameters
    ----------
    n : int
        Number to be randomised.
    months : Measure
        To the last patient's last visit; mean over trials and its Monte Carlo standard error.
    cost_usd : Measure
    randomised : Measure
        Number reached, fewer than `n` where recruitment ended before.
    recruited : Measure
        Share of trials that reached `n`.
    months_of_trials, cost_usd_of_trials : ndarray, shape (R,)
        By replicate, for differences between designs that share their patients.
    """

    n: int
    months: Measure
    cost_usd: Measure
    randomised: Measure
    recruited: Measure
    months_of_trials: Array
    cost_usd_of_trials: Array


def operational_summary(
    variant: Variant, seed: int, replicates: int, *, workers: int = 1
) -> dict[int, OperationalSummary] | None:
    """Return duration and cost of a variant by sample size; None where it says nothing of operations.

    Parameters
    ----------
    variant : Variant
    seed : int
        Of the scenario: replicate r is that of a run.
    replicates : int
    workers : int
        The answer does not depend on it.
    """
    if variant.operations is None:
        return None
    found = {}
    for whole in run_operations(variant, seed, replicates, workers=workers):
        numbers = whole.numbers
        months, cost = numbers["months_to_last_visit"], numbers["cost_total_usd"]
        found[whole.n] = OperationalSummary(
            whole.n,
            mean(months[~np.isnan(months)]),
            mean(cost),
            mean(numbers["randomised"]),
            mean(numbers["recruited"]),
            months,
            cost,
        )
    return found


def run_operations(
    variant: Variant,
    seed: int,
    replicates: int,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[OperationsBlock, ...]:
    """Return how the trials of a variant are run, by rising sample size.

    Parameters
    ----------
    variant : Variant
        With operations.
    seed : int
    replicates : int
    workers : int
        Results do not depend on it.
    progress : callable, optional
        Called with (blocks done, blocks in all).
    """
    sizes = sorted(variant.sample_sizes)
    units = [_Unit(block, n) for block in range(n_blocks(replicates)) for n in sizes]
    done: list[_Done] = []
    for result in run_units(partial(_compute, variant, seed), units, workers):
        done.append(result)
        if progress is not None:
            progress(len(done), len(units))
    return tuple(joined(_of_size(done, n), replicates) for n in sizes)


def _of_size(done: Sequence[_Done], n: int) -> list[OperationsBlock]:
    return [one.found for one in sorted(done, key=lambda one: one.unit.block) if one.unit.n == n]


def _compute(variant: Variant, seed: int, unit: _Unit) -> _Done:
    return _Done(unit, operations_block(variant, operate(variant, Streams(seed, unit.block), unit.n)))
