"""run.json: when, where and how long. The one file of a run that times and hosts stand in.

It holds a session for each process that computed something, written when the process begins and again when it ends.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from trialsim.engine.reading import read_json
from trialsim.engine.store import write_json
from trialsim.errors import RefusedError

RUN = "run.json"


class Session:
    """What one process does in a run folder.

    Parameters
    ----------
    folder : Path
    replicates : int
    workers : int
        Of this machine; 0 where a cluster computes.
    shard : str, optional
        Where only a part of the run is computed.
    """

    def __init__(self, folder: Path, *, replicates: int, workers: int, shard: str | None = None) -> None:
        self._path = folder / RUN
        self._replicates = replicates
        self._started = time.monotonic()
        self._before = sessions(folder)
        self.units_computed = 0
        self.compute_seconds = 0.0
        self.cpu_seconds = 0.0
        self._about = {
            "started_unix": time.time(),
            "host": platform.node(),
            "process": os.getpid(),
            "workers": workers,
            **({} if shard is None else {"shard": shard}),
        }
        self._write("running")

    def count(self, wall_seconds: float, cpu_seconds: float) -> None:
        """Take note of a unit that was computed and stored.

        Parameters
        ----------
        wall_seconds, cpu_seconds : float
            What it took to compute.
        """
        self.units_computed += 1
        self.compute_seconds += wall_seconds
        self.cpu_seconds += cpu_seconds

    def end(self, how: str) -> None:
        """Write how it ended: `finished`, `stopped` before the end of the run, `interrupted` or `failed`."""
        self._write(how)

    def _write(self, state: str) -> None:
        session = {
            **self._about,
            "state": state,
            "units_computed": self.units_computed,
            "compute_seconds": self.compute_seconds,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": time.monotonic() - self._started,
        }
        content = {
            "finished": state == "finished",
            "replicates": self._replicates,
            "sessions": [*self._before, session],
        }
        write_json(self._path, content)


def sessions(folder: Path) -> list[dict[str, Any]]:
    """Return the sessions of a run folder so far; a damaged run.json holds none."""
    try:
        content = read_json(folder / RUN) or {}
    except RefusedError:
        return []
    found = content.get("sessions")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def holder(folder: Path) -> str:
    """Return who was last at work in a run folder, in words."""
    listed = sessions(folder)
    if not listed:
        return "Another process"
    return f"Process {listed[-1].get('process')} on {listed[-1].get('host')}"


def finished_replicates(folder: Path) -> int | None:
    """Return how many replicates a run was carried through with; None where it was not, or nobody can tell."""
    try:
        content = read_json(folder / RUN)
    except RefusedError:
        return None
    if content is None or content.get("finished") is not True:
        return None
    replicates = content.get("replicates")
    return replicates if isinstance(replicates, int) else None
