"""Who enters the trial, as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Characteristic:
    """Something that participants bring along.

    Parameters
    ----------
    name : str
    kind : {'share', 'count', 'years'}
        Yes or no; a least number and a Poisson variable on top; whole numbers of a truncated normal.
    mean : ndarray, shape (S,)
        The share, where it is yes or no.
    sd : ndarray, shape (S,)
        Of 'years'; 0 for the others, where it follows.
    minimum : int
    maximum : int or None
        None for a count, which has no end.
    outcome : int
        Index of the outcome whose baseline it goes with.
    baseline_correlation : float
        With that baseline, in the unselected population of each stratum.
    """

    name: str
    kind: Literal["share", "count", "years"]
    mean: FloatArray
    sd: FloatArray
    minimum: int
    maximum: int | None
    outcome: int
    baseline_correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Eligibility:
    """A cut-off on a screening score.

    Parameters
    ----------
    outcome : int
    cut_off : float, points
    at_least : bool
        Whether scores at or above the cut-off are eligible, or those at or below it.
    screening_correlation : float
        Of the screening score with the baseline.
    days_before : float
        Days from screening to baseline.
    inflation : float, points
        Added to the recorded screening and baseline score of who would have failed without it.
    inflation_window : float, points
        How far below the cut-off that is done.
    """

    outcome: int
    cut_off: float
    at_least: bool
    screening_correlation: float
    days_before: float
    inflation: float
    inflation_window: float


@dataclass(frozen=True, slots=True, eq=False)
class RunIn:
    """A placebo run-in whose responders are not randomised.

    Parameters
    ----------
    outcome : int
    days : float
    response : float
        Improvement that excludes, as a share of the score at its start.
    improvement_mean, improvement_sd : ndarray, shape (S,)
        Of that share in those who enter the run-in.
    correlation : float
        Of the improvement in the run-in with later improvement without the drug.
    """

    outcome: int
    days: float
    response: float
    improvement_mean: FloatArray
    improvement_sd: FloatArray
    correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Who enters the trial.

    Parameters
    ----------
    characteristics : tuple of Characteristic
    eligibility : Eligibility or None
        None where everybody is eligible.
    run_in : RunIn or None
    """

    characteristics: tuple[Characteristic, ...] = ()
    eligibility: Eligibility | None = None
    run_in: RunIn | None = None

    @property
    def selects(self) -> bool:
        """Whether some are turned away."""
        return self.eligibility is not None or self.run_in is not None
