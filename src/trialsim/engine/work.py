"""The work of a run, unit by unit: from a block's draws to the content of its files. No file is touched."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from trialsim.engine.blinding import guesses_content
from trialsim.engine.block import CellBlock, analyse_block, draw_blocks
from trialsim.engine.estimates import estimates_content
from trialsim.engine.operations_block import OperationsBlock, operations_block
from trialsim.engine.operations_files import operations_content
from trialsim.engine.plan import Unit
from trialsim.engine.safety import SafetyBlock, safety_block
from trialsim.engine.safety_files import safety_content
from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams


class Job(NamedTuple):
    """What a worker must know of a run.

    Attributes
    ----------
    variants : tuple of Variant
    key : str
        Hash of the scenario.
    seed : int
    """

    variants: tuple[Variant, ...]
    key: str
    seed: int

    def only(self, variant: int) -> Job:
        """Return what a worker must know of one variant alone: the others of a wide grid are not sent along.

        Parameters
        ----------
        variant : int
        """
        return self._replace(variants=self.variants[variant : variant + 1])


class Done(NamedTuple):
    """What a worker gives back.

    Attributes
    ----------
    unit : Unit
    files : mapping of str to bytes
        Content by kind.
    wall_seconds, cpu_seconds : float
        What the unit took, of its own thread.
    """

    unit: Unit
    files: Mapping[str, bytes]
    wall_seconds: float
    cpu_seconds: float


def compute_sent(sent: tuple[Job, Unit]) -> Done:
    """Return the content of a unit's files, job and unit as they were sent to a worker."""
    return compute_unit(*sent)


def compute_unit(job: Job, unit: Unit) -> Done:
    """Return the content of a unit's files.

    Parameters
    ----------
    job : Job
    unit : Unit
    """
    wall, cpu = time.perf_counter(), time.thread_time()
    variant = next(one for one in job.variants if one.index == unit.variant)
    blocks: list[CellBlock] = []
    watched: list[SafetyBlock] = []
    ran: list[OperationsBlock] = []
    for drawn in draw_blocks(variant, job.key, Streams(job.seed, unit.block), only_needed=True):
        blocks += analyse_block(drawn.variant, drawn.cohort)
        if variant.safety is not None:
            watched += safety_block(drawn.variant, drawn.cohort)
        ran += [operations_block(variant, outcome) for outcome in drawn.outcomes]
    files = {"estimates": estimates_content(variant, job.key, unit, blocks)}
    if variant.safety is not None:
        files["safety"] = safety_content(watched)
    if variant.unblinding is not None:
        files["guesses"] = guesses_content(blocks)
    if variant.operations is not None:
        files["operations"] = operations_content(ran)
    return Done(unit, files, time.perf_counter() - wall, time.thread_time() - cpu)
