"""Trials generated a second on one core, N = 200: seven scales over seven visits, then every mechanism on as well."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trialsim.designs.allocation import allocate
from trialsim.engine.block import draw_block, patient_source
from trialsim.patients.scores import LatentCourse, draw_latent
from trialsim.scenario import Resolved, load, resolve
from trialsim.streams import BLOCK_SIZE, Streams

HERE = Path(__file__).resolve().parent
OUTCOMES = HERE.parent / "scenarios" / "all_outcomes.yaml"
EVERYTHING = HERE / "everything.yaml"


class Clock:
    """Processor seconds by the name of the work: other programs on the machine do not count."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        start = time.process_time()
        yield
        self.seconds.setdefault(name, []).append(time.process_time() - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--n", type=int, default=200, help="patients in a trial")
    options = parser.parse_args()
    for scenario in (OUTCOMES, EVERYTHING):
        report(scenario, options.repeats, options.n)


def report(scenario: Path, repeats: int, n: int) -> None:
    """Print how fast the patients of a scenario are made, whole and in parts."""
    resolved = resolve(load(scenario))
    draw_block(resolved.variants[0], resolved.hash, Streams(resolved.seed, 0), n)  # builds the patient model
    clock = Clock()
    for block in range(repeats):
        measure(clock, resolved, Streams(resolved.seed, block), n)
    print(f"{scenario.name}, N = {n}, one core, blocks of {BLOCK_SIZE} trials\n")
    print(f"{'':28}{'median ms a block':>20}{'trials a second':>18}")
    for name, times in clock.seconds.items():
        middle = float(np.median(times))
        print(f"{name:28}{1e3 * middle:20.1f}{BLOCK_SIZE / middle:18,.0f}")
    print()


def measure(clock: Clock, resolved: Resolved, streams: Streams, n: int) -> None:
    """Generate one block whole, what its questions need of it, then its parts one by one."""
    variant = resolved.variants[0]
    source = patient_source(variant, resolved.hash)
    with clock.of("all outcomes"):
        draw_block(variant, resolved.hash, streams, n)
    with clock.of("outcomes that are needed"):
        draw_block(variant, resolved.hash, streams, n, only_needed=True)
    with clock.of("strata and allocation"):
        stratum = source.enrol(streams, n)
        arm = allocate(variant.allocation, stratum, variant.strata, streams)
    with clock.of("independent normals"):
        latent = draw_latent(source.model, n, BLOCK_SIZE, streams, "score")
    if variant.entry is not None:
        return
    with clock.of("their correlations"):
        course = LatentCourse(source.model, latent, stratum, arm)
    with clock.of("put on the scales"):
        course.baseline()
        scores = np.empty((*arm.shape, len(variant.visits_days), len(variant.outcomes)))
        for visit in range(scores.shape[2]):
            course.scores(visit, {}, out=scores[:, :, visit])


if __name__ == "__main__":
    main()
