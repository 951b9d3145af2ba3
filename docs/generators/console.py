r"""Output in hand-written pages: every ```console block is run as a user would, and its output put back.

A block holds commands after `$`; all blocks of a page run in order in one new folder that holds `scenarios/`.
Comments just before a block steer it:

- `<!-- lines: 12 -->` shows the first 12 lines of the output and then an ellipsis;
- `<!-- replace my_trial.yaml: old => new -->` edits a file before the block runs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"(?P<steer>(?:<!-- (?:lines|replace)[^\n]*-->\n)*)```console\n(?P<body>.*?)```\n", re.DOTALL)
REPLACE = re.compile(r"<!-- replace (\S+): (.*?) => (.*?) -->")
LINES = re.compile(r"<!-- lines: (\d+) -->")


def refreshed(text: str, *, runs: bool = True) -> str:
    """Return a page with the output of its console blocks as it is now.

    Parameters
    ----------
    text : str
        Markdown.
    runs : bool
        Whether `trialsim run` and `compare` are run too; blocks with one are taken as they are otherwise.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "scenarios", folder / "scenarios")
        return BLOCK.sub(lambda match: _block(match, folder, runs), text)


def _block(match: re.Match[str], folder: Path, runs: bool) -> str:
    steer = match["steer"]
    for file, old, new in REPLACE.findall(steer):
        path = folder / file
        content = path.read_text(encoding="utf-8")
        if old not in content:
            raise ValueError(f"{file} does not hold {old!r}")
        path.write_text(content.replace(old, new), encoding="utf-8")
    if not runs and re.search(r"^\$ trialsim (run|compare) ", match["body"], re.MULTILINE):
        return match[0]
    limit = LINES.search(steer)
    lines: list[str] = []
    for command in re.findall(r"^\$ (.*)$", match["body"], re.MULTILINE):
        shown = _output(command, folder).rstrip().splitlines()
        if limit and len(shown) > int(limit[1]):
            shown = [*shown[: int(limit[1])], "..."]
        lines += [f"$ {command}", *(line.rstrip() for line in shown)]
    return f"{steer}```console\n" + "\n".join(lines) + "\n```\n"


def _output(command: str, folder: Path) -> str:
    """Return what a trialsim command prints, results first and then faults; progress is left out."""
    words = shlex.split(command)
    if words[0] != "trialsim":
        raise ValueError(f"only trialsim commands are run, not {command!r}")
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 - the commands stand in this project's own pages
        [sys.executable, "-m", "trialsim", *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if "Traceback" in done.stderr:
        raise RuntimeError(f"{command}\n{done.stderr}")
    faults = "".join(line for line in done.stderr.splitlines(keepends=True) if not line.startswith("Simulating:"))
    return done.stdout + faults
