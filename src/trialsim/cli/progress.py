"""Progress with time left in a terminal, plain lines where there is none; always on the error stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how much is done, called with (done, total).

    Parameters
    ----------
    what : str
        The work, in one word.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(what, console.print)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("blocks"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def time_words(seconds: float) -> str:
    """Return a time to go in the units that a person would say it in, such as `4 h 35 min`."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60.0), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _lines(what: str, write: Callable[[str], object]) -> Callable[[int, int], None]:
    started = last = time.monotonic()
    before: int | None = None  # blocks that an earlier run had finished

    def show(done: int, total: int) -> None:
        nonlocal last, before
        before = done if before is None else before
        now = time.monotonic()
        if done > before and (done == total or now - last >= _SECONDS_BETWEEN_LINES):
            last = now
            left = (now - started) / (done - before) * (total - done)
            when = "done" if done == total else f"about {time_words(left)} left"
            write(f"{what}: {done} of {total} blocks, {when}")

    return show
