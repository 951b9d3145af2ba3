r"""What participants bring along: age, sex, bipolar depression, number of failed treatments.

Each is a step function of a latent standard normal :math:`\rho Z_b + \sqrt{1-\rho^2}\,\varepsilon`, with
:math:`Z_b` the latent baseline of an outcome and ε the normal quantile of an addressed uniform number. Without a
correlation it depends on nothing else; with one, those who pass a cut-off differ in it from those who do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.kernels.copula import ScoreTable
from trialsim.kernels.margins import BoundedMargins
from trialsim.scenario.characteristics import characteristic_loading, characteristic_margin
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_entry import Characteristic
from trialsim.streams import Streams

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_SMALLEST_UNIFORM = 2.0**-54
"""What stands for a uniform number of 0, whose quantile is infinite."""


@dataclass(frozen=True, slots=True, eq=False)
class CharacteristicModel:
    """A characteristic ready to be drawn.

    Parameters
    ----------
    given : Characteristic
    margin : BoundedMargins
        Batch shape (S,).
    loading : ndarray, shape (S,)
        Latent correlation with the baseline.
    """

    given: Characteristic
    margin: BoundedMargins
    loading: Array


def build_characteristics(
    variant: Variant, baseline_margins: list[BoundedMargins | None]
) -> tuple[CharacteristicModel, ...]:
    """Return the characteristics of a variant, none where a scenario has none.

    Parameters
    ----------
    variant : Variant
    baseline_margins : list of K BoundedMargins or None
        Batch shape (S,).
    """
    found = []
    for given in variant.entry.characteristics if variant.entry is not None else ():
        margin = characteristic_margin(given)
        loading = characteristic_loading(given, margin, baseline_margins[given.outcome])
        found.append(CharacteristicModel(given, margin, loading))
    return tuple(found)


def draw_characteristic(model: CharacteristicModel, baseline: Array, streams: Streams, stratum: Index) -> Array:
    """Return a characteristic of every participant, shape (R, N).

    Parameters
    ----------
    model : CharacteristicModel
    baseline : ndarray, shape (R, N)
        Latent baseline of its outcome.
    streams : Streams
    stratum : ndarray of int, shape (R, N)
    """
    uniform = streams.generator("characteristic", model.given.name).random(stratum.shape[::-1]).T
    own = ndtri(np.maximum(uniform, _SMALLEST_UNIFORM))
    loading, rest = model.loading.take(stratum), np.sqrt(1.0 - model.loading**2).take(stratum)
    latent = np.ravel(np.where(loading == 0.0, own, loading * baseline + rest * own))
    drawn = np.empty(stratum.size)
    for s, thresholds in enumerate(model.margin.thresholds):
        inside = np.flatnonzero(stratum == s)
        drawn[inside] = ScoreTable(thresholds, model.margin.values)(latent[inside])
    return drawn.reshape(stratum.shape)
