"""Start a run and kill it, again and again; for tests/faults/test_killed_runs.py.

    python killing.py SCENARIO FOLDER KILLS SEED

The modules are imported once; each attempt is a fork that carries out the command and is killed with SIGKILL at a
random moment, sometimes early, sometimes late. A run that comes to its end before that is extended, so that there is
always something to kill. Prints as JSON how many attempts were killed at what stage, and the last number of replicates.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

# What a run imports, so that a fork has nothing to load.
import trialsim.api.runs
import trialsim.engine.example
import trialsim.engine.execute
import trialsim.report.publish
import trialsim.report.twins  # noqa: F401
from trialsim.cli import main

BLOCK = 250
MOMENTS = ("start", "first block", "start", "first block", "all blocks", "start", "results")
"""In turn: a run is killed up to 0.2 seconds after it has come so far; `start` is the fork."""


def attempt(scenario: str, folder: str, replicates: int) -> int:
    """Start the command in a fork and return its process id."""
    process = os.fork()
    if process:
        return process
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    words = ["run", scenario, "--out", folder, "--workers", "1", "--replicates", str(replicates), "--quiet"]
    sys.argv = ["trialsim", *words]
    try:
        main()
    except SystemExit as left:
        os._exit(int(left.code or 0))
    os._exit(0)


def stage_of(folder: Path, replicates: int) -> str:
    """Return how far a run was when it was killed."""
    if not (folder / "manifest.json").exists():
        return "before the manifest"
    parts = len(list((folder / "parts").glob("estimates_*"))) if (folder / "parts").is_dir() else 0
    if parts < 2 * -(-replicates // BLOCK):
        return "computing"
    return "merging or drawing"


def parts_of(folder: Path) -> dict[str, int]:
    """Return the finished parts with their inodes: a part that is written again has another one."""
    place = folder / "parts"
    return {path.name: path.stat().st_ino for path in place.glob("estimates_*")} if place.is_dir() else {}


def wait_until(moment: str, folder: Path, replicates: int, parts: int, process: int) -> None:
    """Wait for the stage of a run from which on it is to be killed, or for its end."""
    summary = folder / "summary.csv"
    old = summary.stat().st_mtime_ns if summary.exists() else 0
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        done = len(parts_of(folder))
        if moment == "start" or (moment == "first block" and done > parts):
            return
        if moment == "all blocks" and done >= 2 * -(-replicates // BLOCK):
            return
        if moment == "results" and summary.exists() and summary.stat().st_mtime_ns != old:
            return
        time.sleep(0.002)


def main_loop(scenario: str, folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill so many attempts and return what was seen."""
    chance = random.Random(seed)  # noqa: S311
    stages: dict[str, int] = {}
    replicates, killed, rewritten, finished = 4 * BLOCK, 0, 0, 0
    while killed < kills:
        before = parts_of(folder)
        process = attempt(scenario, str(folder), replicates)
        wait_until(MOMENTS[killed % len(MOMENTS)], folder, replicates, len(before), process)
        time.sleep(chance.uniform(0.0, 0.2))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        after = parts_of(folder)
        rewritten += sum(after.get(name) != inode for name, inode in before.items())
        if os.WIFSIGNALED(status):
            killed += 1
            stage = stage_of(folder, replicates)
            stages[stage] = stages.get(stage, 0) + 1
        elif os.WEXITSTATUS(status) == 0:
            finished += 1
            replicates += 2 * BLOCK
        else:
            raise SystemExit(f"the run ended with {os.WEXITSTATUS(status)}")
    return {
        "killed": killed,
        "finished": finished,
        "stages": stages,
        "rewritten": rewritten,
        "replicates": replicates,
    }


if __name__ == "__main__":
    print(json.dumps(main_loop(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
