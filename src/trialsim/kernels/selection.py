r"""Selection by latent scores: who passes, what is drawn of those who do, and what that does to all other scores.

A participant's J scores are step functions of latent standard normals Z with correlation R. Selection looks at E
further standard normals S, independent of each other, whose correlations with Z are the columns of the loadings Λ
(J, E):

.. math:: Z = \Lambda S + L \varepsilon, \qquad L L' = R - \Lambda \Lambda'.

Each S must lie on one side of a bound. So the selected are drawn with S from its truncated normal by inverting the
distribution function, nobody is drawn in vain, and in the unselected population Z has the correlations R. On the real
line the moments of Z given selection are those of Tallis (1961): with :math:`\lambda = \varphi(b) / \Phi(-b)`,
:math:`\mathrm{E}(S \mid S > b) = \lambda` and :math:`\mathrm{var}(S \mid S > b) = 1 + b\lambda - \lambda^2`.

References
----------
Tallis GM (1961), Journal of the Royal Statistical Society B 23:223.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from trialsim.kernels.copula import CorrelationError, latent_correlation
from trialsim.kernels.margins import BoundedMargins

Array = NDArray[np.float64]

SMALLEST_EIGENVALUE = 1e-9
"""Of what selection leaves to the scores themselves, below which it does not count as a correlation matrix."""

_STEPS = 40
"""Halvings of the interval in which the largest possible correlation lies."""

_REACH = 9.0
"""Standard deviations beyond which a normal has no mass to speak of."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def share_passing(bound: Array, *, above: bool) -> Array:
    """Return the share of standard normals on the right side of a bound, with the shape of `bound`."""
    return np.asarray(scipy.special.ndtr(-bound if above else bound))


def draw_passing(uniform: Array, bound: Array, *, above: bool) -> Array:
    """Return standard normals given that they are on the right side of a bound.

    Parameters
    ----------
    uniform : ndarray
        Of [0, 1).
    bound : ndarray
        Broadcasts to the shape of `uniform`; infinite where all pass.
    above : bool
        Whether those above the bound pass, or those at or below it.

    Returns
    -------
    ndarray, shape of `uniform`
        Rises with the uniform number where those above pass, and falls where those below do.
    """
    lower = bound if above else -bound
    # 1 - u is never 0, and is multiplied with the smaller tail, so that nothing is lost however high the bound is.
    z = -scipy.special.ndtri((1.0 - uniform) * scipy.special.ndtr(-lower))
    z = np.maximum(z, np.nextafter(lower, np.inf))
    return np.asarray(z if above else -z)


def latent_loading(target: Array, own: BoundedMargins | None, margins: Sequence[BoundedMargins | None]) -> Array | None:
    """Return the correlations of a latent normal with the scores' that give those asked for on the scales.

    Parameters
    ----------
    target : ndarray, shape (..., J)
        Correlations of what selection looks at with the scores.
    own : BoundedMargins or None
        Margin of what selection looks at, batch shape (...); None on the real line.
    margins : sequence of J BoundedMargins or None

    Returns
    -------
    ndarray, shape (..., J), or None
        None where the scales cannot have such correlations.
    """
    loading = np.zeros_like(target)
    if not (np.abs(target) <= 1.0).all():
        return None
    for j, margin in enumerate(margins):
        if target[..., j].any():
            pair = np.ones((*target.shape[:-1], 2, 2))
            pair[..., 0, 1] = pair[..., 1, 0] = target[..., j]
            try:
                loading[..., j] = latent_correlation(pair, [own, margin])[..., 0, 1]
            except CorrelationError:
                return None
    return loading


def remainder(latent: Array, loading: Array) -> Array | None:
    """Return R − ΛΛ', what selection leaves to the scores themselves; None where that is no correlation matrix.

    Parameters
    ----------
    latent : ndarray, shape (..., J, J)
    loading : ndarray, shape (..., J, E)
    """
    own = latent - loading @ np.swapaxes(loading, -1, -2)
    definite = np.linalg.eigvalsh(own)[..., 0] > SMALLEST_EIGENVALUE
    return np.asarray(own) if definite.all() else None


def largest_share(
    left: Array, target: Array, own: BoundedMargins | None, margins: Sequence[BoundedMargins | None]
) -> float:
    """Return by how much the correlations of what selection looks at must be multiplied to be possible.

    Parameters
    ----------
    left : ndarray, shape (..., J, J)
        Latent correlations without what else is shared.
    target, own, margins
        As of `latent_loading`.

    Returns
    -------
    float
        At least 0 and at most 1.
    """
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        loading = latent_loading(middle * target, own, margins)
        possible = loading is not None and remainder(left, loading[..., None]) is not None
        low, high = (middle, high) if possible else (low, middle)
    return low


def selected_means(
    loading: Array, bound: Array, above: Sequence[bool], margin: BoundedMargins | None, mean: Array, sd: Array
) -> Array:
    r"""Return the mean score of the selected.

    Parameters
    ----------
    loading : ndarray, shape (..., E)
        Correlations of the latent score with what selection looks at.
    bound : ndarray, shape (..., E)
    above : sequence of E bool
    margin : BoundedMargins or None
        Of the score in the unselected population, batch shape (...); None on the real line.
    mean, sd : ndarray, shape (...), points
        In the unselected population.

    Returns
    -------
    ndarray, shape (...), points

    Notes
    -----
    For a score with thresholds t and jumps d it is :math:`x_0 + \sum_l d_l\,\mathrm{E}\,\Phi\{(\Lambda S - t_l) /
    \tau\}`, :math:`\tau^2 = 1 - \Lambda\Lambda'`, integrated over the truncated normals S by Gauss and Legendre's rule.
    """
    result = np.empty_like(mean)
    for at in np.ndindex(mean.shape):
        nodes = [_nodes(float(bound[(*at, e)]), above=up) for e, up in enumerate(above)]
        points, weights = (np.meshgrid(*part, indexing="ij") for part in zip(*nodes, strict=True))
        weight = np.prod(np.stack(weights), axis=0).reshape(-1)
        shift = np.stack(points, axis=-1).reshape(-1, len(above)) @ loading[at]
        if margin is None:
            result[at] = mean[at] + sd[at] * (weight @ shift)
            continue
        left = np.sqrt(1.0 - np.sum(loading[at] ** 2))
        beyond = weight @ scipy.special.ndtr((shift[:, None] - margin.thresholds[at]) / left)
        result[at] = margin.values[0] + np.diff(margin.values) @ beyond
    return result


def _nodes(bound: float, *, above: bool) -> tuple[Array, Array]:
    """Return points of a truncated standard normal and their weights, which add to 1."""
    low = max(bound if above else -bound, -_REACH)
    high = max(low, 0.0) + _REACH
    points = 0.5 * (low + high) + 0.5 * (high - low) * _NODES
    # Without the constant the density is at most 1 at the lower end, however far out that is.
    weights = _WEIGHTS * np.exp(0.5 * (max(low, 0.0) ** 2 - points**2))
    return (points if above else -points), weights / weights.sum()
