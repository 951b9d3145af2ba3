"""Every error that trialsim raises on purpose, with the exit code that the command line gives it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal, part lines or paragraphs, turn the direction of writing, or are none.

Tab and line end are not among them.
"""


def visible(text: str) -> str:
    """Return a text with every control character written out as its escape, so that a terminal shows and obeys none.

    Parameters
    ----------
    text : str
    """
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def as_share(given: object, most: float = 1.0) -> str:
    """Return how what seems to be in percent is written where nothing is above `most`, at most 1; else nothing."""
    seems = isinstance(given, int | float) and 1.0 < given <= 100.0 and given / 100.0 <= most <= 1.0
    return f"; for {given:g} % write {float(given) / 100.0:g}" if seems and isinstance(given, int | float) else ""


class TrialsimError(Exception):
    """Base of all errors that are told to the user without a traceback."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in an input: where it is, what is wrong and what would be right."""

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    file: str | None = None
    last: bool = False
    """Whether it is told after all others, such as how many more there are."""

    def __str__(self) -> str:
        """Return the fault as `file:line:column: path: message`, leaving out what is not known."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InputError(TrialsimError):
    """What the user wrote cannot be run; carries all faults found, not the first one only.

    Parameters
    ----------
    faults : sequence of Fault
        At least one; shown in order of line and column.
    """

    exit_code = 2

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.last, f.file or "", f.line or 0, f.column or 0)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnreachableError(InputError):
    """A power, or another thing asked for, that no value of what is solved for gives.

    Parameters
    ----------
    argument : str
        What is solved for.
    reason : str
        Why nothing gives it, and what might be changed.
    highest : float
        The highest that was found.
    """

    def __init__(self, argument: str, reason: str, highest: float) -> None:
        self.reason, self.highest = reason, highest
        super().__init__([Fault(argument, reason)])


class ScenarioWarning(UserWarning):
    """Something in a scenario that can be run and is seldom meant."""


class RunError(TrialsimError):
    """A run could not be carried out or finished."""

    exit_code = 3


class RefusedError(TrialsimError):
    """A request that is understood and turned down, such as writing into another scenario's folder."""

    exit_code = 4
