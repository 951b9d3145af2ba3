"""How a command is stopped: by Ctrl-C, by a system that ends it (SIGTERM), by a terminal that closes (SIGHUP)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Raised where another signal than Ctrl-C's asks a command to stop, so that it stops as it does for that.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the signals that would end this process at once interrupt it instead; one that is ignored stays ignored."""
    changed = []
    with suppress(ValueError):  # not the main thread, which alone may do so
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows knows no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _stop)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            if signal.getsignal(number) is _stop:
                signal.signal(number, signal.SIG_DFL)


def exit_code_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of an interrupted command, 128 and the number of the signal; no further signal is heard.

    What is left to do is to leave: a second Ctrl-C would only break that off, with a traceback.
    """
    with suppress(ValueError):
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    return 128 + (interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT)
