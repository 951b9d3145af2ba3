"""Ordinary least squares for whole blocks of trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower, solve_lower_transposed

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class LeastSquaresFit(NamedTuple):
    """One contrast of a block of regressions.

    Attributes
    ----------
    estimate, se, df : ndarray, shape (R,)
        NaN where the covariates are collinear or no residual degree of freedom is left.
    residual_variance : ndarray, shape (R,)
    estimable : ndarray of bool, shape (R,)
    """

    estimate: Array
    se: Array
    df: Array
    residual_variance: Array
    estimable: Flags


def moments(x: Array, y: Array, included: Flags, *, sizes: tuple[int, ...] | None = None) -> tuple[Array, Array]:
    """Return the cross-products that a regression needs, for the first n participants, for each n.

    Parameters
    ----------
    x : ndarray, shape (R, N, q)
        Covariates, the intercept among them.
    y : ndarray, shape (R, N)
        Response; anything where not included.
    included : ndarray of bool, shape (R, N)
    sizes : tuple of int, optional
        Increasing numbers of participants; (N,) by default.

    Returns
    -------
    products : ndarray, shape (S, R, q + 1, q + 1)
        [X y]'[X y] over those included.
    count : ndarray, shape (S, R)
    """
    sizes = (y.shape[1],) if sizes is None else sizes
    z = np.empty((*y.shape, x.shape[2] + 1))
    np.multiply(x, included[:, :, None], out=z[:, :, :-1])
    z[:, :, -1] = np.where(included, y, 0.0)
    products = np.empty((len(sizes), len(y), z.shape[2], z.shape[2]))
    count = np.empty((len(sizes), len(y)))
    start = 0
    for s, size in enumerate(sizes):
        part = z[:, start:size]
        np.matmul(part.transpose(0, 2, 1), part, out=products[s])
        count[s] = included[:, start:size].sum(axis=1)
        start = size
    return np.cumsum(products, axis=0), np.cumsum(count, axis=0)


def fit_least_squares(products: Array, count: Array, contrast: Array) -> LeastSquaresFit:
    r"""Return one contrast of each regression from its cross-products.

    Parameters
    ----------
    products : ndarray, shape (R, q + 1, q + 1)
        [X y]'[X y].
    count : ndarray, shape (R,)
        Observations n.
    contrast : ndarray, shape (q,)
        Weights c of the coefficients.

    Notes
    -----
    With the Cholesky factor :math:`L` of X'X and :math:`l = L^{-1}X'y`: :math:`c'\hat\beta = (L^{-1}c)'l`,
    residual variance :math:`s^2 = (y'y - l'l)/(n - q)`, standard error :math:`s |L^{-1}c|`, n − q degrees
    of freedom.
    """
    q = products.shape[1] - 1
    factor, definite = cholesky(products)
    # y may be fitted perfectly; only X has to have full rank.
    exact = ~definite
    if exact.any():
        part, rank = cholesky(products[exact][:, :q, :q])
        definite[exact] = rank
        factor[exact, :q, :q] = part
        factor[exact, q, :q] = solve_lower(part, products[exact][:, :q, q:])[..., 0]
        factor[exact, q, q] = 0.0
    df = count - q
    estimable = definite & (df > 0)
    lower = factor[:, :q, :q]
    whitened = solve_lower(lower, np.broadcast_to(contrast[:, None], (len(products), q, 1)))[..., 0]
    variance = factor[:, q, q] ** 2 / np.where(df > 0, df, 1.0)
    estimate = (whitened * factor[:, q, :q]).sum(axis=1)
    se = np.sqrt(variance * (whitened**2).sum(axis=1))
    hide = np.where(estimable, 1.0, np.nan)
    return LeastSquaresFit(estimate * hide, se * hide, df * hide, variance * hide, estimable)


def coefficients(products: Array) -> Array:
    """Return the coefficients of each regression, shape (R, q), from [X y]'[X y] of full-rank covariates."""
    q = products.shape[1] - 1
    factor, _ = cholesky(products[:, :q, :q])
    return solve_lower_transposed(factor, solve_lower(factor, products[:, :q, q:]))[..., 0]
