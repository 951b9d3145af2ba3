"""Latin hypercubes: points spread evenly over each of several independent uniforms.

References
----------
McKay MD, Beckman RJ, Conover WJ (1979). A comparison of three methods for selecting values of input variables in the
analysis of output from a computer code. Technometrics 21:239-245.
Owen AB (1992). A central limit theorem for Latin hypercube sampling. Journal of the Royal Statistical Society B
54:541-551.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]


def latin_hypercube(generators: Sequence[Generator], size: int) -> Array:
    """Return the points of one Latin hypercube, shape (size, P), uniform over (0, 1).

    Parameters
    ----------
    generators : sequence of Generator
        One for each column, so that another column moves none of the others.
    size : int
        Points; each of as many equal parts of the interval holds one, in every column.

    Notes
    -----
    Each point taken alone is uniform over the unit cube; the points of one hypercube are not independent. The mean of a
    function has a variance of at most that of independent points times size / (size − 1), and close to none where the
    function is a sum of functions of single columns. Independent hypercubes tell the error.
    """
    columns = [(rng.permutation(size) + rng.random(size)) / size for rng in generators]
    # A random number of exactly 0 in the lowest part would have an infinite quantile.
    points = np.stack(columns, axis=1) if columns else np.empty((size, 0))
    return np.clip(points, 2.0**-54, 1.0 - 2.0**-53)
