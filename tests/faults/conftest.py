"""What the fault tests share: a small run, its bytes undisturbed, and a record of what was tried.

With TRIALSIM_RECORD=1 in the environment the record is written to docs/reliability/faults.json, from which the table in
docs/reliability.md is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import ENVIRONMENT, ROOT, console_script
from faults.small_run import digests, write_scenario

RECORD = ROOT / "docs" / "reliability" / "faults.json"

Record = Callable[..., None]


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Take down what was tried, once a test has shown it."""

    def take(
        fault: str, *, how: str, times: int, computed_again: str, lost: str = "nothing", platforms: str = "all"
    ) -> None:
        row = {
            "fault": fault,
            "how": how,
            "times": times,
            "lost": lost,
            "computed_again": computed_again,
            "platforms": platforms,
            "test": request.node.nodeid.partition("[")[0],
        }
        if os.environ.get("TRIALSIM_RECORD") != "1":
            return
        rows = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else []
        kept = [other for other in rows if other["fault"] != fault]
        content = sorted([*kept, row], key=lambda item: (item["test"], item["fault"]))
        RECORD.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    return take


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small scenario as a file."""
    return write_scenario(tmp_path_factory.mktemp("scenario"))


@pytest.fixture(scope="session")
def whole(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run of 1,000 replicates with figures and report; read only."""
    import trialsim as ts

    folder = tmp_path_factory.mktemp("whole") / "run"
    ts.run(scenario, out=folder, workers=1, settings={"simulation.replicates": 1000})
    return folder


@pytest.fixture(scope="session")
def whole_bytes(whole: Path) -> dict[str, str]:
    """Digests of an undisturbed run."""
    return digests(whole)


@pytest.fixture(scope="session")
def plain(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without figures and report, which take most of the time."""
    from trialsim.engine.execute import execute
    from trialsim.scenario import load, resolve

    folder = tmp_path_factory.mktemp("plain") / "run"
    execute(resolve(load(scenario)), folder, replicates=1000, workers=1)
    return folder


@pytest.fixture(scope="session")
def plain_bytes(plain: Path) -> dict[str, str]:
    """Digests of an undisturbed run without figures and report."""
    return digests(plain)


@pytest.fixture
def start(scenario: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `trialsim` in a process of its own, with a session of its own where there are sessions."""
    started: list[subprocess.Popen[str]] = []

    def go(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*console_script(), *map(str, arguments)],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=os.name == "posix",
            **options,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        # Not communicate(): what a killed process leaves behind holds its pipes open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
