"""A full disk, a folder that cannot be written to, too little memory, a clock going back, two runs at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import trialsim as ts
from faults.small_run import digests
from trialsim.engine.execute import execute
from trialsim.errors import RefusedError, RunError
from trialsim.scenario import load, resolve

GOES_ON = "the same command goes on from there"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux"):
        pytest.skip("tmpfs is Linux's")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_fills_keeps_finished_blocks(scenario, small_disk, whole_bytes, start, record):
    folder = small_disk / "run"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(450_000))
    words = ("run", scenario, "--out", folder, "--workers", "1", "--quiet")
    process = start(*words)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 4, told  # it is seen beforehand that there is no room
    assert not folder.exists()
    process = start(*words, "--force")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 3, told
    assert "is full" in told
    assert GOES_ON in told
    kept = sorted((folder / "parts").glob("estimates_*"))
    assert kept, "no block was finished before the disk was full"
    assert not list(folder.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    inodes = [path.stat().st_ino for path in kept]
    process = start(*words)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert [path.stat().st_ino for path in kept] == inodes
    assert digests(folder) == whole_bytes
    record(
        "a disk that fills",
        how="tmpfs of 600 kB, made larger before the command is given again",
        times=1,
        computed_again="the block that found no room",
        platforms="Linux, where a disk may be mounted",
    )


def test_a_write_for_which_there_is_no_room(scenario, tmp_path, plain_bytes, monkeypatch, record):
    """The same on any system: the third flush to disk fails as on a full one."""
    resolved, folder, flush, calls = resolve(load(scenario)), tmp_path / "run", os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 9:
            raise OSError(28, "No space left on device")
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="is full"):
        execute(resolved, folder, replicates=1000, workers=1)
    monkeypatch.undo()
    assert list((folder / "parts").glob("estimates_*"))
    assert not list(folder.rglob("*.tmp"))
    execute(resolved, folder, replicates=1000, workers=1)
    assert digests(folder) == plain_bytes
    record("a write that fails for want of room", how="by a function that fails", times=1, computed_again="its block")


def test_a_read_only_folder_shows_a_finished_run_and_refuses_to_extend_it(scenario, whole, tmp_path, start, record):
    folder = tmp_path / "disk" / "run"
    with _read_only(whole, folder):
        shown = start("run", scenario, "--out", folder, "--workers", "1")
        told, errors = shown.communicate(timeout=120)
        assert shown.returncode == 0, errors
        assert "nothing was run again" in told
        refused = start("run", scenario, "--out", folder, "--workers", "1", "--extend", "1250", "--quiet")
        _, errors = refused.communicate(timeout=120)
        assert refused.returncode == 3, errors
        assert "cannot be written to" in errors
        assert "Traceback" not in errors
        assert ts.list_runs(folder.parent)["state"].tolist() == ["finished"]
    assert digests(folder) == digests(whole)
    record(
        "a folder that cannot be written to",
        how="a finished run is shown; one that is to be extended says why it cannot",
        times=1,
        computed_again="nothing",
        platforms="POSIX; for root a read-only mount, because modes do not bind root",
    )


class _read_only:  # noqa: N801
    """A copy of a run in a folder that cannot be written to: by its mode, or for root by a read-only mount."""

    def __init__(self, whole: Path, folder: Path) -> None:
        self._whole, self._folder = whole, folder
        self._root = os.name == "posix" and os.geteuid() == 0

    def __enter__(self) -> None:
        disk = self._folder.parent
        disk.mkdir(parents=True)
        if os.name != "posix":
            pytest.skip("modes and mounts are POSIX's")
        if self._root:
            done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("modes do not bind root, and no disk can be mounted here")
        shutil.copytree(self._whole, self._folder)
        if self._root:
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        else:
            self._chmod(0o555, 0o444)

    def __exit__(self, *_: object) -> None:
        if self._root:
            subprocess.run(["mount", "-o", "remount,rw", self._folder.parent], check=True)
            kept = self._folder.parent.with_name("kept")
            shutil.copytree(self._folder, kept)
            subprocess.run(["umount", self._folder.parent], check=True)
            shutil.copytree(kept, self._folder)
        else:
            self._chmod(0o755, 0o644)

    def _chmod(self, folders: int, files: int) -> None:
        for path in [self._folder, *self._folder.rglob("*")]:
            path.chmod(folders if path.is_dir() else files)


def test_memory_that_does_not_suffice(scenario, tmp_path, plain_bytes, monkeypatch, record):
    from trialsim.engine import work

    resolved, folder, compute, calls = resolve(load(scenario)), tmp_path / "run", work.analyse_block, []

    def greedy(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise MemoryError("Unable to allocate 64 GiB")
        return compute(*arguments, **options)

    monkeypatch.setattr(work, "analyse_block", greedy)
    with pytest.raises(RunError, match=f"memory does not suffice.*{GOES_ON}"):
        execute(resolved, folder, replicates=1000, workers=1)
    monkeypatch.undo()
    assert len(list((folder / "parts").glob("estimates_*"))) == 3
    execute(resolved, folder, replicates=1000, workers=1)
    assert digests(folder) == plain_bytes
    record(
        "memory that does not suffice",
        how="an allocation that fails in the fourth block",
        times=1,
        computed_again="the block that was under way",
    )


def test_a_clock_that_goes_back(scenario, tmp_path, plain_bytes, monkeypatch, record):
    resolved, folder, now = resolve(load(scenario)), tmp_path / "run", time.time()
    execute(resolved, folder, replicates=500, workers=1)
    years = 3 * 365.25 * 86400
    monkeypatch.setattr(time, "time", lambda: now - years)
    assert ts.list_runs(folder)["age_seconds"].tolist() == [0.0]
    execute(resolved, folder, replicates=1000, workers=1)
    monkeypatch.undo()
    for path in folder.rglob("*"):
        os.utime(path, (now - years, now - years))  # as if the old files were newer than the new ones
    assert execute(resolved, folder, replicates=1000, workers=1).done_before
    assert digests(folder) == plain_bytes
    assert all(one["wall_seconds"] >= 0 for one in json.loads((folder / "run.json").read_text())["sessions"])
    record("a clock that goes back", how="by three years between two sessions", times=1, computed_again="nothing")


def test_two_runs_at_once_share_the_work_of_one(scenario, tmp_path, whole_bytes, start, record):
    folder = tmp_path / "run"
    words = ("run", scenario, "--out", folder, "--workers", "1")
    both = [start(*words), start(*words)]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    waited = ["waiting until it has finished" in errors for _, errors in told]
    assert sum(waited) == 1, told
    assert digests(folder) == whole_bytes
    sessions = json.loads((folder / "run.json").read_text(encoding="utf-8"))["sessions"]
    assert [one["units_computed"] for one in sessions] == [8]
    record(
        "two runs at once",
        how="the same command twice at the same moment: one computes, the other says that it waits and shows the same",
        times=1,
        computed_again="nothing",
    )


def test_a_second_process_is_told_or_refused_and_a_dead_one_is_no_hindrance(scenario, tmp_path):
    from trialsim.engine.lock import hold, is_held

    resolved, folder = resolve(load(scenario)), tmp_path / "run"
    execute(resolved, folder, replicates=250, workers=1)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from trialsim.engine.lock import hold\n"
            "with hold(pathlib.Path(sys.argv[1]), wait=True, tell=print, holder=str): print('held', flush=True); "
            "sys.stdin.read()",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        assert is_held(folder)
        assert ts.list_runs(folder)["state"].tolist() == ["running"]
        with pytest.raises(RefusedError, match=r"Process \d+ on .* is at work"):
            execute(resolved, folder, replicates=500, workers=1, wait=False)
        assert execute(resolved, folder, replicates=250, workers=1, wait=False).done_before  # nothing to write
    finally:
        holder.kill()
        holder.communicate()
    assert (folder / "run.lock").exists()
    with hold(folder, wait=False, tell=print, holder=str):
        pass  # what the dead process left is taken over
    assert execute(resolved, folder, replicates=500, workers=1, wait=False).units_computed == 2
