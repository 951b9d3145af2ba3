"""Milliseconds a trial to run its clinics: 200 patients, 6 sites, 12 weeks; and 1,000 trials on two cores."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trialsim.operations.attend import attend
from trialsim.operations.recruit import recruit
from trialsim.scenario.resolved_operations import (
    Amount,
    Clinic,
    Costs,
    Funnel,
    Operations,
    Recruitment,
    Site,
    TherapyGroups,
    VisitWindow,
    Waiting,
)
from trialsim.streams import BLOCK_SIZE, Streams

WORKING_DAYS = (0, 1, 2, 3, 4)
ONE = Amount("constant", (1.0,))
TIGHT = (0,)
"""A clinic that gives infusions on Mondays only."""


def trial(**changes: object) -> Operations:
    """Return six sites with one chair each, eight infusions in twelve weeks, seven visits; and changes to that."""
    opening = Amount("triangular", (30.0, 90.0, 240.0))
    sites = tuple(Site(f"site_{c}", f"Site {c}", opening, 1.2, 1, 1, 1, 1) for c in range(6))
    basis = Operations(
        sites=sites,
        recruitment=Recruitment(1826.0, rate_shape=1.2, funnel=Funnel(0.08, 0.2, 0.9, 1.0, 14.0)),
        clinic=Clinic(
            WORKING_DAYS,
            psychiatrist_minutes=20.0,
            early_days=1,
            late_days=3,
            min_gap_days=2,
            waiting=Waiting(14.0, 0.02),
        ),
        visits=VisitWindow(WORKING_DAYS, early_days=1, late_days=3, raters=1),
        costs=Costs(ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE),
        therapy=None,
        infusion_days=((0.0, 3.0, 7.0, 10.0, 21.0, 35.0, 56.0, 77.0),) * 2,
        visits_days=(3.0, 7.0, 10.0, 14.0, 28.0, 56.0, 84.0),
        n_strata=2,
    )
    return replace(basis, **changes)  # type: ignore[arg-type]


CLOSED = TherapyGroups("dbt", (1,), 14.0, start_size=6, size=8, cancelled=0.05, waiting=Waiting(28.0, 0.005))
CASES = {
    "infusions only": trial(),
    "infusions only, Mondays only": trial(clinic=Clinic(TIGHT, open_minutes=330.0, late_days=7, min_gap_days=2)),
    "with closed DBT groups": trial(therapy=CLOSED),
    "with rolling DBT groups": trial(therapy=replace(CLOSED, mode="rolling")),
}


def run(case: str, block: int, n: int = 200) -> float:
    """Return the processor seconds of a block."""
    streams = Streams(20230419, block)
    start = time.process_time()

    def strata(number: int) -> NDArray[np.intp]:
        return (streams.generator("stratum").random((number, BLOCK_SIZE)).T < 0.5).astype(np.intp)

    enrolment = recruit(CASES[case], streams, strata, n)
    arm = np.broadcast_to(np.arange(n) % 2, enrolment.day.shape)
    attend(CASES[case], streams, enrolment, arm)
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    run("with closed DBT groups", 0, 20)  # loads SimPy
    print(f"{'':32}{'median ms a trial':>20}{'against the first':>20}")
    first = None
    for case in CASES:
        seconds = float(np.median([run(case, block) for block in range(options.repeats)]))
        first = first or seconds
        print(f"{case:32}{1e3 * seconds / BLOCK_SIZE:20.2f}{seconds / first:20.2f}")
    start = time.perf_counter()
    with ProcessPoolExecutor(2) as workers:
        used = sum(workers.map(run, ["infusions only"] * 4, range(4)))
    elapsed = time.perf_counter() - start
    print(f"\n1,000 trials on two cores, infusions only: {elapsed:.1f} s elapsed, {used:.1f} s of processor in all")


if __name__ == "__main__":
    main()
