"""Events after randomisation as the engine takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

Strategy = Literal["treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum"]


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something that happens to some patients, at most once to each.

    Parameters
    ----------
    name, label : str
    hazard_until : tuple of float
        Days, rising, at which pieces of constant hazard end; the last piece goes on.
    per_day : ndarray, shape (A, S, len(hazard_until))
        Hazard of a patient with an average score; 0 where it cannot happen.
    outcome : int
        Index of the outcome whose score drives the hazard.
    score_hazard_ratio_per_sd : float
        Hazard ratio for a score one standard deviation worse.
    depends_on : {'last', 'current'}
        The last score seen (missing at random), or the one about to be seen at the next visit (not at random).
    from_day : float
    until_day : float or None
    only_after : str
        Name of another event, or 'response', which counts where it is seen if the event depends on the last score, and
        otherwise where there is one; empty for neither.
    response : float
        Improvement that is a response, as a share of the baseline score.
    therapy_hazard_ratio : tuple of float
        By therapy of the variant, from its first session until a patient stops.
    infusion_hazard_ratio : ndarray, shape (A,)
        Up to a patient's last infusion.
    effect : ndarray, shape (S, K), points
        Added to scores from the next visit on.
    lasts_days : float or None
        How long the effect lasts; None is to the end.
    return_to_baseline : float
        Share of the improvement that is lost.
    stops_infusions, stops_therapy, ends_follow_up : bool
    """

    name: str
    label: str
    hazard_until: tuple[float, ...]
    per_day: FloatArray
    outcome: int
    score_hazard_ratio_per_sd: float
    depends_on: Literal["last", "current"]
    from_day: float
    until_day: float | None
    only_after: str
    response: float
    therapy_hazard_ratio: tuple[float, ...]
    infusion_hazard_ratio: FloatArray
    effect: FloatArray
    lasts_days: float | None
    return_to_baseline: float
    stops_infusions: bool
    stops_therapy: bool
    ends_follow_up: bool

    @property
    def changes_scores(self) -> bool:
        """Whether scores differ, or are not there, after the event."""
        stops = self.stops_infusions or self.stops_therapy or self.ends_follow_up
        return bool(stops or self.return_to_baseline or self.effect.any())
