"""Scores that nobody sees, where they differ from those of like patients who are seen (MNAR by a delta).

Points are added to the mean of who has left, or misses a visit: on the latent scale, so that scores keep to the steps
and bounds of theirs. They change the unseen score itself and nothing that would follow from it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.scenario.resolved import Variant

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEFT, MISSED = "left", "missed"


class Gaps(NamedTuple):
    """Who is not seen, each of shape (R, N, V).

    Attributes
    ----------
    left : ndarray of bool
        Who has left by a visit.
    missed : ndarray of bool
        Who has not left and misses a visit.
    """

    left: Flags
    missed: Flags

    @property
    def present(self) -> Flags:
        """Who is seen at a visit."""
        return np.asarray(~self.left & ~self.missed)


def deltas_of(variant: Variant) -> dict[str, Array]:
    """Return the points added to unseen scores, shape (A, K), by why they are not seen; only where there are any.

    Parameters
    ----------
    variant : Variant
    """
    parts = {LEFT: variant.dropout, MISSED: variant.intermittent}
    return {why: part.delta for why, part in parts.items() if part is not None and part.delta.any()}


def with_unseen(scores: Array, unseen: dict[str, Array], gaps: Gaps) -> Array:
    """Return scores in which those that are not seen are what they would be.

    Parameters
    ----------
    scores : ndarray, shape (R, N, V, K), points
        As if all were seen.
    unseen : dict of str to ndarray, shape (R, N, V, K), points
        As if none were, by why.
    gaps : Gaps
    """
    for why, hidden in ((MISSED, gaps.missed), (LEFT, gaps.left)):
        if why in unseen:
            scores = np.where(hidden[..., None], unseen[why], scores)
    return scores
