"""Dissociation, guesses and expectancy as the engine takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

Means = Literal["with_expectancy", "without"]


@dataclass(frozen=True, slots=True)
class Dissociation:
    """CADSS at each infusion, by what is infused; equal ones hash alike.

    Parameters
    ----------
    kinds : tuple of str
        What is infused in any arm.
    kind : tuple of int
        Index into `kinds` by arm; -1 for an arm without infusions.
    infusions : int
        The largest number of any arm.
    mean, sd : tuple of tuple of float, points
        By kind and infusion; the last number of a row holds for all infusions that follow.
    zeros : tuple of float
        Share of patients who score 0, by kind.
    correlation : float
        Between any two infusions of a patient.
    multiplier : tuple of float
        Of mean and SD, by stratum.
    maximum : float, points
        Of the scale.
    """

    kinds: tuple[str, ...]
    kind: tuple[int, ...]
    infusions: int
    mean: tuple[tuple[float, ...], ...]
    sd: tuple[tuple[float, ...], ...]
    zeros: tuple[float, ...]
    correlation: float
    multiplier: tuple[float, ...]
    maximum: float


@dataclass(frozen=True, slots=True, eq=False)
class Unblinding:
    """What patients believe about their arm, and what believing does.

    Parameters
    ----------
    asked : tuple of bool
        By arm: whether its patients guess; those without infusions do not.
    active : tuple of bool
        By arm: whether 'active' is the right guess.
    intercept : tuple of float
        Log odds of guessing 'active' without any dissociation, by arm; arms differ in it by other cues.
    slope : float
        What the log odds gain with log(1 + worst CADSS so far).
    felt : tuple of tuple of int
        Number of an arm's infusions that its patients' belief comes from, shape (V + 1, A): at each visit, then after
        the last one.
    expected_share : ndarray, shape (A, S, V)
        Of patients who believe in the active drug at each visit; 1/2 where nobody is asked.
    expectancy : ndarray, shape (S, K), points
        Benefit of believing in the active drug over believing in the control, on every score.
    rater_expectancy : ndarray, shape (S, K), points
        The same of the rater's belief.
    follows_patient : float
        Share of raters who believe what their patient believes; the others toss a coin.
    means_are : {'with_expectancy', 'without'}
        Whether the scenario's means hold what patients expect under the masking described, or none of it.
    """

    asked: tuple[bool, ...]
    active: tuple[bool, ...]
    intercept: tuple[float, ...]
    slope: float
    felt: tuple[tuple[int, ...], ...]
    expected_share: FloatArray
    expectancy: FloatArray
    rater_expectancy: FloatArray
    follows_patient: float
    means_are: Means
