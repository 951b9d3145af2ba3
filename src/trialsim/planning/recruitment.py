"""What recruitment reaches of a number of patients, where it ends before all trials have them."""

from __future__ import annotations

import numpy as np

from trialsim.engine.operations import number_enrolled
from trialsim.engine.plan import n_blocks
from trialsim.kernels.montecarlo import mean, wilson_interval
from trialsim.planning.reached import Reached
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH
from trialsim.streams import BLOCK_SIZE, Streams

MOST_REPLICATES = 8 * BLOCK_SIZE


def recruitment_of(variant: Variant, n: int, *, seed: int, replicates: int) -> Reached | None:
    """Return what recruitment reaches; None where every trial has its number, or nothing is said of operations.

    Parameters
    ----------
    variant : Variant
    n : int
        To be randomised.
    seed : int
        Of the scenario: replicate r is that of a run.
    replicates : int
        Those of the scenario, of which no more than `MOST_REPLICATES` are drawn.
    """
    running = variant.operations
    if running is None:
        return None
    used = min(replicates, MOST_REPLICATES)
    blocks = [number_enrolled(variant, Streams(seed, block), n) for block in range(n_blocks(used))]
    enrolled = np.concatenate(blocks)[:used]
    full = int((enrolled >= n).sum())
    if full == used:
        return None
    until, interval = running.recruitment.horizon_days / DAYS_PER_MONTH, wilson_interval(full, used)
    randomised = mean(enrolled.astype(np.float64))
    return Reached(n, until, full / used, interval.low, interval.high, randomised.value, randomised.mcse)
