"""What a run has to say besides how far it is: one line each, for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple


class Note(NamedTuple):
    """A line about a run.

    Attributes
    ----------
    kind : {'needs', 'waiting', 'damaged', 'removed', 'environment', 'worker', 'overlap', 'longer', 'empty', 'aside',
           'warning'}
        The run is large, and this is what it needs; another process has the folder; a file was not what its checksum
        says; leftovers were removed; blocks were computed elsewhere; a worker was lost; shards have blocks in common;
        the folder is for more replicates than were asked for; the shard has no blocks; a part of the scenario is not
        used; something in the scenario is seldom meant.
    text : str
    """

    kind: Literal[
        "needs",
        "waiting",
        "damaged",
        "removed",
        "environment",
        "worker",
        "overlap",
        "longer",
        "empty",
        "aside",
        "warning",
    ]
    text: str


Tell = Callable[[Note], None]


def silent(note: Note) -> None:
    """Tell nobody."""
