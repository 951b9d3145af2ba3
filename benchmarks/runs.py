"""What running, storing and checking cost beside the computation itself, as ratios measured in one go.

- overhead: the whole of a run on one worker up to its summary, against its blocks alone, each computed once more right
  before or after, in elapsed and in processor time of all threads. Of every step, from one block to the next and from
  the last to the end, the median over the runs is taken; beside it the median of single runs, and quartiles;
- two workers: the computation on two workers against that on one right before and right after, the start of the worker
  processes apart, and one unit of each variant, with which every process that lay idle begins; beside it what two
  processes reach that share nothing and compute the same blocks each, the ceiling of this machine, and the share of the
  workers' time in which they compute, the engine's part;
- asked again: seconds until a finished run's table is printed, with --json, and with --verify;
- merging: seconds and memory, by number of replicates.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from trialsim.engine.backends import run_units
from trialsim.engine.block import compute_block
from trialsim.engine.execute import execute
from trialsim.engine.parts import check_parts, store_unit
from trialsim.engine.plan import Unit, n_blocks, units
from trialsim.engine.work import Job, compute_unit
from trialsim.scenario import Resolved, load, resolve

SCENARIO = Path(__file__).resolve().parents[1] / "scenarios" / "followup_rct.yaml"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--long", type=int, default=100_000, help="Replicates of the run that is merged and asked again."
    )
    options = parser.parse_args()
    resolved = resolve(load(SCENARIO))
    print(f"{SCENARIO.name}, {options.replicates:,} replicates per cell; medians of {options.repeats}\n")
    overhead(resolved, options.replicates, options.repeats)
    # Processors of a shared machine differ from minute to minute.
    two_workers(resolved, options.replicates, 3 * options.repeats)
    if options.long:
        long_run(resolved, options.long)


Clocks = tuple[float, float]
"""Seconds elapsed and of the processor, all threads together."""


class Beside:
    """The process itself as a backend that also computes each block on its own, so that what drifts meets both.

    Parameters
    ----------
    resolved : Resolved

    Attributes
    ----------
    alone, in_run : list of tuple
        Seconds of each block on its own, and of the run from one block to the next; before the first all until then.
    """

    workers = 1

    def __init__(self, resolved: Resolved) -> None:
        self._resolved, self._mark = resolved, clocks()
        self.alone: list[Clocks] = []
        self.in_run: list[Clocks] = []

    def run(self, function: Callable[..., Any], units: Sequence[Any], **told: Any) -> Iterator[Any]:
        """Yield results; by turns a block is first computed for the run or on its own, while nothing is stored."""
        for position, result in enumerate(run_units(function, units, 1, **told)):
            self.lap()
            if position % 2 == 0:
                self.alone += [self._compute(unit) for _, unit in units[position : position + 2]]
            self._mark = clocks()
            yield result

    def lap(self) -> None:
        """Note what the run took since the last block."""
        self.in_run.append(since(self._mark))

    def _compute(self, unit: Unit) -> Clocks:
        begin, resolved = clocks(), self._resolved
        compute_block(resolved.variants[unit.variant], resolved.hash, resolved.seed, unit.block)
        return since(begin)


def overhead(resolved: Resolved, replicates: int, repeats: int) -> None:
    """Compare a run up to its summary with the bare computation of its blocks, in elapsed and in processor time."""
    taken = [run_and_bare(resolved, replicates) for _ in range(repeats + 1)][1:]  # the first imports what it needs
    for clock, name in enumerate(("elapsed", "processor")):
        runs, bare = (
            [[seconds[clock] for seconds in getattr(one, which)] for one in taken] for which in ("in_run", "alone")
        )
        whole, compute = (sum(map(statistics.median, zip(*steps, strict=True))) for steps in (runs, bare))
        single = [100 * (sum(run) / sum(blocks) - 1) for run, blocks in zip(runs, bare, strict=True)]
        print(f"{f'bare computation, {name}':<44}{compute:10.2f} s")
        print(f"{f'run up to its summary, {name}':<44}{whole:10.2f} s")
        print(f"{'overhead of engine, storage and checksums':<44}{100 * (whole / compute - 1):10.1f} %")
        print(f"{'of single runs':<44}{spread(single, '.1f')} %")
    print()


def run_and_bare(resolved: Resolved, replicates: int) -> Beside:
    """Return what a run took and what the bare computation of its blocks."""
    beside = Beside(resolved)
    with tempfile.TemporaryDirectory() as place:
        execute(resolved, Path(place) / "run", replicates=replicates, backend=beside)
        beside.lap()
    return beside


def clocks() -> Clocks:
    """Return the time: elapsed, and of the processor."""
    return time.perf_counter(), time.process_time()


def since(begin: Clocks) -> Clocks:
    """Return the seconds since then."""
    elapsed, processor = clocks()
    return elapsed - begin[0], processor - begin[1]


def spread(values: list[float], form: str) -> str:
    """Return the median of some values and, of several, their quartiles."""
    if len(values) == 1:
        return f"{values[0]:10{form}}"
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:10{form}} ({low:{form}} to {high:{form}})"


def two_workers(resolved: Resolved, replicates: int, repeats: int) -> None:
    """Compare two workers, and two processes that share nothing, with one worker right before and right after."""
    work = sent(resolved, replicates)
    one, two, computing, rates = [], [], [], []
    for _ in range(repeats):
        one.append(by_workers(work, 1)[0])
        elapsed, computed = by_workers(work, 2)
        two.append(elapsed)
        computing.append(100 * computed / (2 * elapsed))
        rates.append(sum(1 / seconds for seconds in apart(replicates, 2)))
    one.append(by_workers(work, 1)[0])
    beside = [(before + after) / 2 for before, after in pairwise(one)]
    ratios = [a / b for a, b in zip(beside, two, strict=True)]
    ceiling = [a * rate for a, rate in zip(beside, rates, strict=True)]
    print(f"{'computation, one worker':<44}{spread(one, '.2f')} s")
    print(f"{'computation, two workers':<44}{spread(two, '.2f')} s")
    print(f"{'ratio':<44}{spread(ratios, '.2f')}")
    print(f"{'ratio of two processes that share nothing':<44}{spread(ceiling, '.2f')}")
    print(f"{'of the time of two workers, computing':<44}{spread(computing, '.1f')} %\n")


def by_workers(work: list[tuple[Job, Unit]], workers: int) -> tuple[float, float]:
    """Return the seconds until some workers have computed all units, and the seconds of all units together."""
    for _done in run_units(compute, first_of(work) * workers, workers):
        pass
    started = time.perf_counter()
    computed = sum(run_units(compute, work, workers))
    return time.perf_counter() - started, computed


ALONE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import runs
from threadpoolctl import threadpool_limits
work = runs.sent(runs.resolve(runs.load(runs.SCENARIO)), int(sys.argv[2]))
with threadpool_limits(limits=1):
    for one in runs.first_of(work):
        runs.compute(one)
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    for one in work:
        runs.compute(one)
print(time.perf_counter() - started)
"""


def apart(replicates: int, processes: int) -> list[float]:
    """Return the seconds that each of some processes takes that each compute all units, begun together."""
    command = [sys.executable, "-c", ALONE, str(Path(__file__).parent), str(replicates)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in started]


def sent(resolved: Resolved, replicates: int) -> list[tuple[Job, Unit]]:
    """Return what a run sends to its workers: each unit with the variant that it is of."""
    whole = Job(resolved.variants, resolved.hash, resolved.seed)
    return [(whole.only(unit.variant), unit) for unit in units(resolved, replicates)]


def first_of(work: list[tuple[Job, Unit]]) -> list[tuple[Job, Unit]]:
    """Return one unit of each variant: a process that lay idle computes them first, before any time is taken."""
    return work[: len({unit.variant for _, unit in work})]


def compute(one: tuple[Job, Unit]) -> float:
    """Return the seconds that a unit took."""
    return compute_unit(*one).wall_seconds


def long_run(resolved: Resolved, replicates: int) -> None:
    """Merge a long run, of which the first block stands for all others, and ask for it again."""
    place = Path(tempfile.mkdtemp())
    try:
        for length in (replicates // 10, replicates):
            fill(resolved, place / str(length), length)
            once = (*RUN, "--quiet", "--workers", "1", "--replicates", length, "--out", place / str(length), "--force")
            elapsed, processor, peak = timed(*once)
            size = sum(path.stat().st_size for path in (place / str(length)).rglob("*") if path.is_file())
            print(f"{f'merge and draw {length:,} replicates':<44}{elapsed:10.2f} s{processor:10.2f} s of processor")
            print(f"{'':<44}{peak:10.0f} MB of memory{size / 1e6:10.0f} MB on disk")
        for words, options in (
            ("asked again", ()),
            ("asked again with --json", ("--json", "--quiet")),
            ("again with --verify", ("--verify",)),
        ):
            again = (*RUN, "--replicates", replicates, "--out", place / str(replicates), *options)
            taken = [timed(*again) for _ in range(7)]
            elapsed, processor = (statistics.median(one[clock] for one in taken) for clock in (0, 1))
            print(f"{words:<44}{elapsed:10.2f} s{processor:10.2f} s of processor")
    finally:
        shutil.rmtree(place)


RUN = (sys.executable, "-m", "trialsim", "run", str(SCENARIO))

INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What a user has: modules are compiled once and not at every start."""


def fill(resolved: Resolved, folder: Path, replicates: int) -> None:
    """Store as many units as a run of that length has, each with estimates of its own blocks or copies of these."""
    from trialsim.engine.estimates import estimates_content

    for variant in resolved.variants:
        blocks = compute_block(variant, resolved.hash, resolved.seed, 0)
        for block in range(n_blocks(replicates)):
            unit = Unit(variant.index, block)
            store_unit(folder, unit, {"estimates": estimates_content(variant, resolved.hash, unit, blocks)})
    from trialsim.engine.manifest import build_manifest
    from trialsim.engine.store import write_json

    write_json(folder / "manifest.json", build_manifest(resolved, replicates))
    assert len(check_parts(folder, print)) == len(units(resolved, replicates))


def timed(*command: str | int | Path) -> tuple[float, float, float]:
    """Return what a command takes: seconds elapsed and of the processor, and its largest memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], env=INSTALLED, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
