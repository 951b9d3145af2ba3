"""How patients differ and what of them is missed, as the engine takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Intermittent:
    """Single visits that are missed by who is still in the trial.

    Parameters
    ----------
    model : {'mcar', 'mar', 'mnar'}
        Completely at random, or with a hazard that depends on the last observed score, or on the one that is missed.
    share : ndarray, shape (V,)
        Of those still in the trial.
    outcome : int
        Index of the outcome whose score drives the hazard.
    score_hazard_ratio_per_sd : float
        Hazard ratio for a score one standard deviation worse; 1 for `mcar`.
    delta : ndarray, shape (A, K), points
        Added to the scores at missed visits.
    """

    model: Literal["mcar", "mar", "mnar"]
    share: FloatArray
    outcome: int
    score_hazard_ratio_per_sd: float
    delta: FloatArray


@dataclass(frozen=True, slots=True)
class GroupHeterogeneity:
    """How the drug's effect differs between groups of patients, such as sites.

    Parameters
    ----------
    name : str
        Of the clusters.
    number : int
        Of groups.
    effect_sd : ndarray, shape (K,), points
    """

    name: str
    number: int
    effect_sd: FloatArray


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How the drug's specific effect differs between people, and between groups of them.

    Parameters
    ----------
    effect_sd : ndarray, shape (K,), points
        Between people, when the effect is whole.
    correlation : float
        Between a person's, or a group's, effects on two outcomes.
    course : ndarray, shape (A, S, V, K)
        Share of the whole effect at each visit; 0 in arms without the drug. With a model of infusions it is that of a
        patient who gets all of them.
    groups : tuple of GroupHeterogeneity
    """

    effect_sd: FloatArray
    correlation: float
    course: FloatArray
    groups: tuple[GroupHeterogeneity, ...]

    def alone(self) -> Heterogeneity:
        """Return the same for patients who share a group with nobody: what groups add is then their own."""
        variance = self.effect_sd**2 + sum(group.effect_sd**2 for group in self.groups)
        return replace(self, effect_sd=variance**0.5, groups=())


@dataclass(frozen=True, slots=True)
class Attendance:
    """How patients go to the sessions of a therapy.

    Parameters
    ----------
    mean : float
        Mean share of the sessions attended by who has not stopped, 0 to 1.
    concentration : float
        Sum of the parameters of its beta distribution.
    stop_hazard_per_day : float
        Of going to no more sessions, from the first one on.
    session_days : tuple of float
        Days of the planned sessions, rising.
    """

    mean: float
    concentration: float
    stop_hazard_per_day: float
    session_days: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Raters:
    """Raters whose severity differs.

    Parameters
    ----------
    number : int
        Raters of the trial.
    severity_sd : ndarray, shape (K,), points
        Standard deviation between raters; 0 for outcomes that patients rate themselves.
    central : bool
        Any rater at any visit, who knows nothing of what patients expect; otherwise each patient has one rater.
    """

    number: int
    severity_sd: FloatArray
    central: bool
