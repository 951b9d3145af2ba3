"""One worker, two workers of this machine, and two Dask workers on loopback, on the same units of work.

Dask is set as docs/concepts/distributed.md has it, and as it comes. All take turns, so that whatever else the machine
does falls on all of them. A cluster is there in its own turns alone, for idle it takes processor time too. One block of
each variant is computed before any time is taken; what that takes at first, with the start of the workers, is told
beside.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trialsim.engine.backends import Backend, Dask, Local
from trialsim.engine.execute import execute
from trialsim.scenario import Resolved, load, resolve
from trialsim.streams import BLOCK_SIZE

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "followup_rct.yaml"
PAGE = ROOT / "docs" / "concepts" / "distributed.md"


def settings() -> str:
    """Return how often Dask is to look at itself, as the page on clusters has it."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("```\ndistributed:")
    return f"distributed:{rest.partition('```')[0]}"


@contextmanager
def cluster(workers: int, settings: str = "") -> Iterator[str]:
    """Give the address of a scheduler with workers of one thread each, which read these settings (YAML)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    commands = [
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        [*dask, "worker", address, "--host", "127.0.0.1", "--nworkers", str(workers), "--nthreads", "1"],
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "distributed.yaml").write_text(settings, encoding="utf-8")
        environment = os.environ | {"DASK_CONFIG": folder}
        started = [subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) for command in commands]
        try:
            yield address
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def seconds(resolved: Resolved, replicates: int, backend: Backend) -> float:
    """Return the wall time of a run without figures and report."""
    folder = Path(tempfile.mkdtemp())
    start = time.perf_counter()
    execute(resolved, folder / "run", replicates=replicates, backend=backend)
    found = time.perf_counter() - start
    shutil.rmtree(folder)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    resolved = resolve(load(SCENARIO))
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {"one worker": [], "two workers": [], "two on Dask": [], "as Dask comes": []}
    quiet = settings()

    def take(name: str, backend: Backend) -> None:
        starting = seconds(resolved, BLOCK_SIZE, backend)  # workers start or have lain idle
        first.setdefault(name, starting)
        times[name].append(seconds(resolved, options.replicates, backend))

    for _ in range(options.turns):
        take("one worker", Local(1))
        take("two workers", Local(2))
        with cluster(2, quiet) as address:
            take("two on Dask", Dask(address))
        with cluster(2) as address:
            take("as Dask comes", Dask(address))
    print(f"{SCENARIO.name}, {options.replicates} replicates per cell, computed, stored and summed up\n")
    print(f"{'':14}{'median s':>10}{'start s':>10}{'beside two workers':>20}")
    for name, found in times.items():
        ratio = statistics.median(one / two for one, two in zip(found, times["two workers"], strict=True))
        print(f"{name:14}{statistics.median(found):10.2f}{first[name]:10.2f}{ratio:20.2f}")


if __name__ == "__main__":
    main()
