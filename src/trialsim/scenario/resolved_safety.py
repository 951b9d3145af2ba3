"""Safety as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

SUICIDE_ATTEMPTS = "suicide_attempts"
"""Name of the count of suicide attempts."""


@dataclass(frozen=True, slots=True, eq=False)
class AdverseEvent:
    """An adverse event, with each infusion or at a steady rate.

    Parameters
    ----------
    name, label : str
    per_infusion : ndarray, shape (A,)
        Chance with each infusion; 0 for one that comes by day.
    per_day : ndarray, shape (A,)
        Mean number a day; 0 for one that comes with infusions.
    """

    name: str
    label: str
    per_infusion: FloatArray
    per_day: FloatArray


@dataclass(frozen=True, slots=True)
class Watched:
    """Something that is added up for each arm.

    Parameters
    ----------
    name, label : str
    kind : {'adverse_event', 'count', 'event'}
    index : int
        Among the variant's adverse events, counts or events.
    per_infusion : bool
        Whether it is held against infusions given; else against days followed.
    """

    name: str
    label: str
    kind: Literal["adverse_event", "count", "event"]
    index: int
    per_infusion: bool


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When an excess of an event stops the trial.

    Parameters
    ----------
    watched : int
        Index among `Safety.watched`.
    active, control : int
        Indices of arms.
    looks : tuple of int
        Numbers of patients, in order of enrolment, after whose completion is looked; rising, below the largest sample
        size. A look at the last patient of a trial stops nothing any more.
    alpha : float
        One-sided level of each look.
    """

    watched: int
    active: int
    control: int
    looks: tuple[int, ...]
    alpha: float


@dataclass(frozen=True, slots=True)
class Safety:
    """What is watched for patients' safety.

    Parameters
    ----------
    adverse_events : tuple of AdverseEvent
    watched : tuple of Watched
        Adverse events, counts and events after randomisation.
    stopping_rule : StoppingRule or None
    """

    adverse_events: tuple[AdverseEvent, ...]
    watched: tuple[Watched, ...]
    stopping_rule: StoppingRule | None
