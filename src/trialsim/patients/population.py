"""Who is enrolled: the stratum of every participant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams

Index = NDArray[np.intp]


def draw_strata(variant: Variant, n_participants: int, n_replicates: int, streams: Streams) -> Index:
    """Return the stratum of every participant, in order of enrolment.

    Parameters
    ----------
    variant : Variant
        With `strata_by` 'share' each participant is drawn; with 'quota' every first n hold the shares
        as closely as whole people allow.
    n_participants, n_replicates : int
    streams : Streams

    Returns
    -------
    ndarray of int, shape (R, N)
    """
    share = np.asarray(variant.strata_share)
    if variant.strata_by == "quota":
        return np.broadcast_to(quota_sequence(share, n_participants), (n_replicates, n_participants))
    uniform = streams.generator("stratum").random((n_participants, n_replicates))
    strata = np.searchsorted(np.cumsum(share), uniform, side="right")
    return np.minimum(strata, len(share) - 1).T


def quota_sequence(share: NDArray[np.float64], n_participants: int) -> Index:
    """Return strata such that among every first n each is within one of its share; the neediest comes next."""
    sequence = np.empty(n_participants, dtype=np.intp)
    count = np.zeros(len(share))
    for i in range(n_participants):
        sequence[i] = np.argmax(share * (i + 1) - count)
        count[sequence[i]] += 1
    return sequence
