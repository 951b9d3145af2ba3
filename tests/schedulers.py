"""A real Dask scheduler on loopback, and workers that can be killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

TESTS = Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TESTS), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"}
ENVIRONMENT["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = (
    "3s"  # else a scheduler asks a killed worker for half a minute
)


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.workers: list[subprocess.Popen[bytes]] = []
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def add_worker(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker; without a nanny it is one process, and stays dead when it is killed."""
        common = ("--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", *arguments)
        worker = self._start("worker", self.address, *common, **environment)
        self.workers.append(worker)
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        """Stop workers, then the scheduler."""
        for process in [*self.workers, self.scheduler]:
            process.terminate()
            process.wait(timeout=30)

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments]
        return subprocess.Popen(command, env={**ENVIRONMENT, **environment}, stderr=subprocess.DEVNULL)
