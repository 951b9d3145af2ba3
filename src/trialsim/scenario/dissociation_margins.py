"""The margins that a scenario's dissociation has. Workers need this and nothing of how its numbers were found."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trialsim.kernels.dissociation import DissociationMargins, draw_dissociation, fit_dissociation, repeat_last
from trialsim.kernels.lattice import even_normals, even_points
from trialsim.scenario.resolved_masking import Dissociation

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

POINTS = 65_536
"""Evenly spread patients over whom guesses are calibrated; shares are right to about 0.0002."""


@lru_cache(maxsize=64)
def fitted(given: Dissociation) -> DissociationMargins:
    """Return the margins of a scenario's dissociation, batch shape (kinds, S).

    Parameters
    ----------
    given : Dissociation

    Raises
    ------
    DissociationError, CorrelationError, ValueError
        As of `fit_dissociation`.
    """
    longest = max(len(row) for row in (*given.mean, *given.sd))
    distinct = min(given.infusions, longest + 1)
    mean, sd = (np.array([_as_long(row, distinct) for row in rows])[:, None, :] for rows in (given.mean, given.sd))
    margins = fit_dissociation(
        np.broadcast_to(mean, (len(given.kinds), len(given.multiplier), distinct)),
        sd,
        zeros=np.array(given.zeros)[:, None, None],
        correlation=given.correlation,
        maximum=given.maximum,
        multiplier=np.array(given.multiplier)[:, None],
    )
    return margins if distinct == given.infusions else repeat_last(margins, given.infusions)


@lru_cache(maxsize=16)
def worst_so_far(given: Dissociation, share: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Return the worst CADSS after each infusion in evenly spread patients.

    Parameters
    ----------
    given : Dissociation
    share : tuple of float
        Of the strata.

    Returns
    -------
    stratum : ndarray of int, shape (M,)
    worst : ndarray, shape (kinds, M, I), points
    """
    stratum = np.searchsorted(np.cumsum(share)[:-1], even_points(1, POINTS)[0], side="right")
    normals = even_normals(given.infusions + 1, POINTS)[1:, :, None]
    margins, n_strata = fitted(given), len(given.multiplier)
    worst = [
        np.maximum.accumulate(draw_dissociation(margins, normals, group=(k * n_strata + stratum)[None])[0], axis=1)
        for k in range(len(given.kinds))
    ]
    return stratum, np.stack(worst)


def _as_long(row: tuple[float, ...], length: int) -> list[float]:
    return [*row[:length], *[row[-1]] * (length - len(row))]
