"""Workers killed in the middle of a run, under loky and under Dask: its blocks are run again, to the same bytes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import trialsim as ts
from faults.small_run import digests
from schedulers import Cluster


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with two workers of one process each."""
    with Cluster() as running:
        for _ in range(2):
            running.add_worker("--no-nanny")
        yield running


def at_first_block(act: Callable[[], object]) -> Callable[[int, int], None]:
    """Return a listener to progress that does something once the first block is stored."""
    acted = []

    def progress(done: int, total: int) -> None:
        if done and not acted:
            acted.append(act())

    return progress


def kill_a_loky_worker() -> int:
    """Kill one of the worker processes of this process."""
    workers = [child for child in psutil.Process().children(recursive=True) if "loky" in command_of(child)]
    victims = [child for child in workers if "resource_tracker" not in command_of(child)]
    victims[0].kill()
    return victims[0].pid


def command_of(process: psutil.Process) -> str:
    """Return what a process was started by; nothing of one that has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # also a zombie
        return ""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills as POSIX does")
def test_a_loky_worker_is_killed(scenario: Path, whole_bytes, record, tmp_path):
    told = []
    ts.run(scenario, out=tmp_path / "run", workers=2, progress=at_first_block(kill_a_loky_worker), tell=told.append)
    assert [note.kind for note in told] == ["worker"]
    assert digests(tmp_path / "run") == whole_bytes
    record(
        "a worker process is killed (loky)",
        how="kill -9 of one of two workers once the first block is stored",
        times=1,
        computed_again="blocks that the workers had and had not given back",
        platforms="POSIX",
    )


def test_a_dask_worker_is_killed(scenario: Path, whole_bytes, cluster, record, tmp_path):
    ts.run(scenario, out=tmp_path / "run", scheduler=cluster.address, progress=at_first_block(cluster.workers[0].kill))
    assert cluster.workers[0].wait(timeout=10) != 0
    assert digests(tmp_path / "run") == whole_bytes
    record(
        "a worker is killed (Dask)",
        how="a real scheduler with two worker processes; kill -9 of one once the first block is stored",
        times=1,
        computed_again="blocks that the worker had and had not given back",
    )


def test_a_scheduler_is_killed_and_another_goes_on(scenario: Path, whole_bytes, record, tmp_path):
    folder = tmp_path / "run"
    with Cluster() as lost:
        lost.add_worker("--no-nanny")
        with pytest.raises(ts.errors.RunError, match="connection to the Dask scheduler was lost"):
            ts.run(scenario, out=folder, scheduler=lost.address, progress=at_first_block(lost.scheduler.kill))
    ts.run(scenario, out=folder, workers=1)
    assert digests(folder) == whole_bytes
    record(
        "the scheduler is killed (Dask)",
        how="kill -9 once the first block is stored; then the same command on this machine",
        times=1,
        computed_again="blocks that had not come back",
    )
