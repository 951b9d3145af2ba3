"""Randomisation lists: permuted blocks or complete, one for each stratum, taken by position in the stratum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.scenario.resolved import Allocation
from trialsim.streams import Streams

Index = NDArray[np.intp]


def allocate(allocation: Allocation, strata: Index, names: tuple[str, ...], streams: Streams) -> Index:
    """Return the arm of every participant.

    Parameters
    ----------
    allocation : Allocation
    strata : ndarray of int, shape (R, N)
        Stratum of every participant, in order of enrolment.
    names : tuple of str
        Names of the strata; a list belongs to a name, not to a position.
    streams : Streams

    Returns
    -------
    ndarray of int, shape (R, N)
        Index of the arm. Of a larger trial the first participants keep their arms.
    """
    n_replicates, n_participants = strata.shape
    if not allocation.stratified:
        return randomisation_list(allocation, n_participants, n_replicates, streams, "")
    arms = np.zeros(strata.shape, dtype=np.intp)
    for s, name in enumerate(names):
        inside = strata == s
        position = np.cumsum(inside, axis=1) - 1
        longest = int(position.max()) + 1 if inside.any() else 0
        if longest:
            listed = randomisation_list(allocation, longest, n_replicates, streams, name)
            rows, columns = np.nonzero(inside)
            arms[rows, columns] = listed[rows, position[rows, columns]]
    return arms


def randomisation_list(allocation: Allocation, length: int, n_replicates: int, streams: Streams, stratum: str) -> Index:
    """Return one randomisation list for each replicate.

    Parameters
    ----------
    allocation : Allocation
    length : int
        Participants on the list.
    n_replicates : int
    streams : Streams
    stratum : str
        Name of the stratum the list is for; empty for an unstratified trial.

    Returns
    -------
    ndarray of int, shape (R, length)
    """
    generator = streams.generator("allocation", stratum)
    ratio = np.asarray(allocation.ratio)
    if allocation.method == "complete":
        uniform = generator.random((length, n_replicates))
        arms = np.searchsorted(np.cumsum(ratio) / ratio.sum(), uniform, side="right")
        return np.minimum(arms, len(ratio) - 1).T
    sizes = np.asarray(allocation.block_sizes)
    n_blocks = -(-length // int(sizes.min()))
    # One row of draws for each block, so that a longer list begins with the shorter one.
    draws = generator.random((n_blocks, n_replicates, 1 + int(sizes.max())))
    size = sizes[(draws[:, :, 0] * len(sizes)).astype(np.intp)]
    place = np.arange(sizes.max())
    keys = np.where(place < size[:, :, None], draws[:, :, 1:], np.inf)
    arms = unshuffled(allocation.ratio, int(sizes.max()))[np.argsort(keys, axis=2)]
    position = np.cumsum(size, axis=0)[:, :, None] - size[:, :, None] + place
    kept = (place < size[:, :, None]) & (position < length)
    listed = np.empty((n_replicates, length), dtype=np.intp)
    replicate = np.broadcast_to(np.arange(n_replicates)[None, :, None], kept.shape)
    listed[replicate[kept], position[kept]] = arms[kept]
    return listed


def unshuffled(ratio: Sequence[int], length: int) -> Index:
    """Return the arms of a block before it is shuffled, in the ratio after every whole multiple of its sum.

    Parameters
    ----------
    ratio : sequence of int
    length : int

    Returns
    -------
    ndarray of int, shape (length,)
        As near as the ratio allows to the arms taken in turn: with blocks of one size, trials with other ratios give
        most patients the same arm, so that comparing them is sharper.
    """
    period, n_arms = sum(ratio), len(ratio)
    arms = np.empty(-(-length // period) * period, dtype=np.intp)
    for start in range(0, len(arms), period):
        places = start + np.argsort(np.arange(start, start + period) % n_arms, kind="stable")
        arms[places] = np.repeat(np.arange(n_arms), ratio)
    return arms[:length]
