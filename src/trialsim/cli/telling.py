"""What a long command tells while it works: a bar, plain lines, or events for another program."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from trialsim.engine.notes import Note
from trialsim.errors import ScenarioWarning, visible

if TYPE_CHECKING:
    from trialsim.api import Run

SECONDS_BETWEEN_EVENTS = 0.5


class Told(NamedTuple):
    """Where a command tells what happens.

    Attributes
    ----------
    progress : callable
        Called with (blocks done, blocks in all).
    tell : callable
        Called with notes.
    finished : callable
        Called with the run when it is done.
    """

    progress: Callable[[int, int], None]
    tell: Callable[[Note], None]
    finished: Callable[[Run], None]


@contextmanager
def telling(what: str, *, quiet: bool, as_json: bool) -> Iterator[Told]:
    """Give where to tell what happens, all of it on the error stream.

    Parameters
    ----------
    what : str
        The work, in one word.
    quiet : bool
        Notes only: nothing about progress, and no events.
    as_json : bool
        One JSON object a line, `event` first.
    """
    if quiet:
        yield Told(lambda done, total: None, print_note, lambda run: None)
    elif as_json:
        with warnings_as_events():
            yield _events()
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar(what) as progress:
            yield Told(progress, print_note, lambda run: None)


@contextmanager
def warnings_as_events() -> Iterator[None]:
    """Let warnings about a scenario be events, as notes are."""
    shown = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, ScenarioWarning):
            _tell_event(Note("warning", str(message)))
        else:
            shown(message, category, *place, **options)

    warnings.showwarning = tell
    try:
        yield
    finally:
        warnings.showwarning = shown


def print_note(note: Note) -> None:
    """Tell a note on the error stream."""
    typer.echo(visible(note.text), err=True)


def _events() -> Told:
    started = time.monotonic()
    before: int | None = None  # blocks that an earlier run had finished
    last = -SECONDS_BETWEEN_EVENTS

    def progress(done: int, total: int) -> None:
        nonlocal before, last
        now = time.monotonic()
        if before is None:
            before = done
            _emit("started", done=done, total=total)
        elif done == total or now - last >= SECONDS_BETWEEN_EVENTS:
            last = now
            left = (now - started) / (done - before) * (total - done) if done > before else None
            _emit("progress", done=done, total=total, seconds=round(now - started, 3), seconds_left=left)

    def finished(run: Run) -> None:
        seconds = round(time.monotonic() - started, 3)
        _emit("finished", folder=str(run.folder), computed=run.computed, whole=run.whole, seconds=seconds)

    return Told(progress, _tell_event, finished)


def _tell_event(note: Note) -> None:
    _emit("note", kind=note.kind, text=note.text)


def _emit(event: str, **about: Any) -> None:
    print(json.dumps({"event": event, **about}), file=sys.stderr, flush=True)  # ASCII: escapes for what is not
