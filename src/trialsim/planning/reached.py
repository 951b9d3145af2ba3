"""What recruitment reaches of a number to be randomised: simulated by planning, read from a run by the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reached:
    """What recruitment reaches of a number to be randomised.

    Parameters
    ----------
    n : int
        To be randomised.
    until_month : float
        Month in which recruitment ends.
    share, low, high : float
        Trials that reach the number, with the 95 % interval.
    mean, mcse : float
        Patients randomised, over all trials.
    """

    n: int
    until_month: float
    share: float
    low: float
    high: float
    mean: float
    mcse: float
