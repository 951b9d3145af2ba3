"""A run killed at any moment goes on with the same command to the bytes of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import trialsim as ts
from faults.small_run import digests
from trialsim.engine.execute import execute
from trialsim.scenario import load, resolve

POSIX = pytest.mark.skipif(os.name != "posix", reason="SIGKILL, fork and sessions are POSIX's")

KILLS = 50


@POSIX
@pytest.mark.slow
def test_fifty_kills_at_random_moments_change_no_byte(scenario, tmp_path, record):
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, str(script), str(scenario), str(tmp_path / "killed"), str(KILLS), "20230419"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    seen = json.loads(done.stdout)
    assert seen["killed"] == KILLS
    assert seen["rewritten"] == 0, "a finished block was computed twice"
    assert min(seen["stages"].get(stage, 0) for stage in ("computing", "merging or drawing")) >= 5, (
        f"the moments are not spread over a run: {seen['stages']}"
    )
    settings = {"simulation.replicates": seen["replicates"]}
    ts.run(scenario, out=tmp_path / "killed", workers=1, settings=settings)
    ts.run(scenario, out=tmp_path / "at once", workers=1, settings=settings)
    assert digests(tmp_path / "killed") == digests(tmp_path / "at once")
    assert not [path for path in (tmp_path / "killed").rglob("*.tmp")]
    stages = ", ".join(
        f"{count} while {stage}" if stage != "before the manifest" else f"{count} {stage}"
        for stage, count in sorted(seen["stages"].items())
    )
    record(
        "kill -9 at a random moment",
        how=f"the process of a run and of its extensions; {stages}",
        times=KILLS,
        computed_again="the block that was under way",
        platforms="POSIX",
    )


@POSIX
def test_a_killed_command_with_workers_and_its_orphans(scenario, whole_bytes, tmp_path, start, record):
    """Only the parent is killed, so that its workers are left behind in the middle of their blocks."""
    folder = tmp_path / "run"
    words = ("run", scenario, "--out", folder, "--workers", "2", "--quiet")
    first = start(*words)
    _wait_for(lambda: len(list(folder.glob("parts/estimates_*"))) >= 2, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = start(*words)
    _, told = second.communicate(timeout=120)
    assert second.returncode == 0, told
    assert digests(folder) == whole_bytes
    deadline = time.monotonic() + 20
    while _is_group_alive(first.pid):
        assert time.monotonic() < deadline, "workers of a killed command stay for ever"
        time.sleep(0.1)
    record(
        "kill -9 of a command with worker processes",
        how="the parent alone; the same command given at once, while the workers left behind end by themselves",
        times=1,
        computed_again="blocks that were under way",
        platforms="POSIX",
    )


def test_an_extended_run_computes_no_finished_block_again(scenario, whole_bytes, tmp_path, record):
    folder = tmp_path / "run"
    resolved = resolve(load(scenario))
    for replicates, computed in ((300, 4), (500, 0), (1000, 4)):
        assert execute(resolved, folder, replicates=replicates, workers=1).units_computed == computed
    run = ts.run(scenario, out=folder, workers=1, settings={"simulation.replicates": 250}, extend=1000)
    assert run.manifest["replicates"] == 1000
    assert digests(folder) == whole_bytes
    record(
        "a run extended twice",
        how="300, then 500, then 1,000 replicates, against 1,000 at once",
        times=1,
        computed_again="nothing",
    )


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for(happened, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
