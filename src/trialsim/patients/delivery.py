"""How a trial was carried out for its patients: what they were given, and when, where it was not all as planned.

Days count from the patient's own day 0, as those of the schedule do. Made by whoever runs the trial (the engine, from
the operations simulated); without it everybody is given everything on time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """What was delivered to each participant.

    Parameters
    ----------
    infusion_day : ndarray, shape (R, N, I), days
        When each infusion was given; infinite where it was not, and where an arm has fewer.
    left_day : ndarray, shape (R, N), days
        From when on nobody is seen any more, for reasons that have nothing to do with the scores; infinite for none.
    visited : ndarray of bool, shape (R, N, V)
        Whether a visit could be held within its window.
    therapy_delay_days : ndarray, shape (R, N)
        By how much the arm's therapy begins later than planned; infinite where it does not begin.
    sessions_held : ndarray, shape (R, N)
        Share of the sessions from then on that are held.
    groups : mapping of str to ndarray of int, shape (R, N)
        Groups that came about, by name of the clusters; -1 for none.
    enrolled : ndarray of bool, shape (R, N)
        Who was randomised before recruitment ended: the first of each replicate.
    """

    infusion_day: Array
    left_day: Array
    visited: Flags
    therapy_delay_days: Array
    sessions_held: Array
    enrolled: Flags
    groups: Mapping[str, Index] = field(default_factory=dict)
