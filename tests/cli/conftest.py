"""Running the commands as a user does: a process of its own in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "scenarios"

Trialsim = Callable[..., subprocess.CompletedProcess[str]]

ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second command does not compile anew either


def console_script() -> list[str]:
    """Return the installed `trialsim`, beside the interpreter that runs the tests."""
    folder = Path(sys.executable).parent
    name = shutil.which("trialsim", path=str(folder))
    assert name is not None, f"the console script is not installed in {folder}"
    return [name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's, with the shipped scenarios in it."""
    shutil.copytree(SCENARIOS, tmp_path / "scenarios")
    return tmp_path


@pytest.fixture
def trialsim(folder: Path) -> Trialsim:
    """Run `trialsim` with arguments; whatever happens, no traceback is shown."""

    def run(*arguments: str | Path, code: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*console_script(), *map(str, arguments)],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            **options,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trialsim:
    """Do what `trialsim` does with arguments in this process, where much is to be tried."""
    from trialsim.cli import main

    monkeypatch.chdir(folder)

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["trialsim", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        returned = int(left.value.code or 0)
        assert "Traceback" not in told.err
        assert returned == code, (arguments, returned, told)
        return subprocess.CompletedProcess(arguments, returned, told.out, told.err)

    return run


def content_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
