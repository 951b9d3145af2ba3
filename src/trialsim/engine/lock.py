"""One process at a time in a run folder.

The lock is the operating system's own (flock on POSIX, LockFileEx on Windows) on the file run.lock, so that it is free
again the moment its holder ends, however that came about. Where a file system knows no such locks, the file itself is
the lock, and one left by a dead process of the same host is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trialsim.engine.notes import Note, Tell
from trialsim.errors import RefusedError

LOCK = "run.lock"

_SECONDS_BETWEEN_TRIES = 0.2


@contextmanager
def hold(folder: Path, *, wait: bool, tell: Tell, holder: Callable[[], str]) -> Iterator[None]:
    """Hold a run folder while the block of code runs.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    wait : bool
        Wait until another process has left it; otherwise refuse.
    tell : callable
        Told that it waits.
    holder : callable
        Returns who has it, in words.

    Raises
    ------
    RefusedError
        If another process has it and `wait` is false.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise RefusedError(
                f"{holder()} is at work in {folder}. Nothing was written. Try again when it has finished, "
                "or name another folder with --out."
            ) from None
        tell(Note("waiting", f"{holder()} is at work in {folder}; waiting until it has finished (Ctrl-C to stop)."))
        lock.acquire(poll_interval=_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Return whether a process is at work in a run folder; nothing is written."""
    from filelock import FileLock, Timeout

    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # a folder that cannot be written to: nobody works in it
    lock.release()
    return False
