r"""Covariance structures over visits: Σ as a function of free parameters, with first and second derivatives.

The unstructured covariance is written in its own elements, lower triangle by rows. The others are
:math:`\Sigma = D R D` with D the standard deviations (one, or one per visit in the heterogeneous
forms) in logarithms and the correlations R through :math:`\rho = \theta/\sqrt{1 + \theta^2}`, which
keeps each between −1 and 1; that of compound symmetry through a logistic curve from −1/(V − 1) to 1. These are
the parameters of R's mmrm (0.3.18), on which Kenward and Roger's second derivatives depend.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from trialsim.kernels.factor import cholesky

Array = NDArray[np.float64]


class Structure(Protocol):
    """A covariance structure for V visits; all arrays are stacks over replicates."""

    n_parameters: int

    def start(self, covariance: Array) -> Array:
        """Return parameters (R, m) near a covariance (R, V, V)."""

    def covariance(self, theta: Array) -> Array:
        """Return Σ (R, V, V)."""

    def jacobian(self, theta: Array) -> Array:
        """Return ∂Σ/∂θ (R, m, V, V)."""

    def curvature(self, theta: Array, weight: Array) -> Array:
        """Return Σ_ab G_ab ∂²Σ_ab/∂θ∂θ' (R, m, m) for weights G (R, V, V)."""


class Unstructured:
    """Every variance and covariance free.

    Parameters
    ----------
    n_visits : int
    """

    def __init__(self, n_visits: int) -> None:
        self._rows, self._columns = np.tril_indices(n_visits)
        self.n_parameters = len(self._rows)
        self._basis = np.zeros((self.n_parameters, n_visits, n_visits))
        index = np.arange(self.n_parameters)
        self._basis[index, self._rows, self._columns] = 1.0
        self._basis[index, self._columns, self._rows] = 1.0

    def start(self, covariance: Array) -> Array:
        """Return the elements of the lower triangle."""
        return np.ascontiguousarray(covariance[:, self._rows, self._columns])

    def covariance(self, theta: Array) -> Array:
        """Return the symmetric matrix of the elements."""
        n_visits = self._basis.shape[1]
        sigma = np.empty((len(theta), n_visits, n_visits))
        sigma[:, self._rows, self._columns] = theta
        sigma[:, self._columns, self._rows] = theta
        return sigma

    def jacobian(self, theta: Array) -> Array:
        """Return the symmetric unit matrices, shape (1, m, V, V): they do not depend on θ."""
        return self._basis[None]

    def curvature(self, theta: Array, weight: Array) -> Array:
        """Return zeros: Σ is linear in its elements."""
        return np.zeros((1, self.n_parameters, self.n_parameters))


class CholeskyUnstructured:
    """The unstructured covariance as R's mmrm writes it: Σ = D L L' D, L unit lower triangular, D in logarithms.

    Parameters
    ----------
    n_visits : int
    """

    def __init__(self, n_visits: int) -> None:
        self._n_visits = n_visits
        self._rows, self._columns = np.tril_indices(n_visits, -1)
        self.n_parameters = n_visits + len(self._rows)

    def start(self, covariance: Array) -> Array:
        """Return the parameters of a covariance, exactly."""
        factor = np.linalg.cholesky(covariance)
        scale = np.einsum("rvv->rv", factor)
        unit = factor / scale[:, :, None]
        return np.concatenate([np.log(scale), unit[:, self._rows, self._columns]], axis=1)

    def _factor(self, theta: Array) -> Array:
        unit = np.broadcast_to(np.eye(self._n_visits), (len(theta), self._n_visits, self._n_visits)).copy()
        unit[:, self._rows, self._columns] = theta[:, self._n_visits :]
        return np.exp(theta[:, : self._n_visits])[:, :, None] * unit

    def covariance(self, theta: Array) -> Array:
        """Return Σ."""
        factor = self._factor(theta)
        return np.asarray(factor @ factor.swapaxes(1, 2))

    def _factor_jacobian(self, theta: Array) -> Array:
        """Return ∂(DL)/∂θ, shape (R, m, V, V)."""
        v = self._n_visits
        jacobian = np.zeros((len(theta), self.n_parameters, v, v))
        visit = np.arange(v)
        jacobian[:, visit, visit] = self._factor(theta)
        scale = np.exp(theta[:, :v])
        jacobian[:, v + np.arange(len(self._rows)), self._rows, self._columns] = scale[:, self._rows]
        return jacobian

    def jacobian(self, theta: Array) -> Array:
        """Return ∂Σ/∂θ."""
        half = self._factor_jacobian(theta) @ self._factor(theta)[:, None].swapaxes(-1, -2)
        return np.asarray(half + half.swapaxes(-1, -2))

    def curvature(self, theta: Array, weight: Array) -> Array:
        """Return the weighted second derivatives: of C = DL, 2 tr(G ∂²C C') + 2 tr(G ∂C ∂C')."""
        v = self._n_visits
        factor, first = self._factor(theta), self._factor_jacobian(theta)
        symmetric = 0.5 * (weight + weight.swapaxes(1, 2))
        flat = first.reshape(*first.shape[:2], -1)
        bent = 2.0 * flat @ (symmetric[:, None] @ first).reshape(flat.shape).swapaxes(1, 2)
        # C_ij = exp(θ_i) L_ij: twice by the same logarithm gives row i again, by it and L_ij the scale alone.
        pull = 2.0 * symmetric @ factor
        visit = np.arange(v)
        bent[:, visit, visit] += np.einsum("rvw,rvw->rv", pull, factor)
        scale = np.exp(theta[:, :v])
        mixed = pull[:, self._rows, self._columns] * scale[:, self._rows]
        below = v + np.arange(len(self._rows))
        bent[:, self._rows, below] += mixed
        bent[:, below, self._rows] += mixed
        return np.asarray(bent)


class _Correlation(NamedTuple):
    value: Array  # (R, V, V)
    first: Array  # (R, c, V, V)
    second: Array  # (R, c, c, V, V)


class Scaled:
    """Standard deviations times a patterned correlation matrix.

    Parameters
    ----------
    n_visits : int
    pattern : {'compound_symmetry', 'ar1', 'toeplitz', 'ante_dependence'}
    heterogeneous : bool
        Whether every visit has a standard deviation of its own.
    """

    def __init__(self, n_visits: int, pattern: str, *, heterogeneous: bool) -> None:
        self._n_visits = n_visits
        self._exponents = _exponents(n_visits, pattern)
        self._n_sd = n_visits if heterogeneous else 1
        self._logistic = pattern == "compound_symmetry"
        self._lowest = -1.0 / (n_visits - 1) if self._logistic else -1.0
        self.n_parameters = self._n_sd + self._exponents.shape[0]

    def start(self, covariance: Array) -> Array:
        """Return mean log standard deviations and mean correlations; of a covariance of this structure, exactly."""
        sd = np.sqrt(np.einsum("rvv->rv", covariance))
        correlation = covariance / (sd[:, :, None] * sd[:, None, :])
        below = np.tril(np.ones_like(correlation[0]), -1)
        rho = np.empty((len(covariance), self._exponents.shape[0]))
        for c, exponent in enumerate(self._exponents):
            # Only pairs whose correlation is this parameter to the power of one say it directly.
            direct = below * (exponent == 1) * (self._exponents.sum(axis=0) == 1)
            rho[:, c] = (correlation * direct).sum(axis=(1, 2)) / direct.sum()
        log_sd = np.log(sd) if self._n_sd > 1 else np.log(sd).mean(axis=1, keepdims=True)
        edge = 1.0 - 1e-9
        theta = np.concatenate([log_sd, self._unmapped(np.clip(rho, edge * self._lowest, edge))], axis=1)
        # Mean correlations need not make a matrix; milder ones do, in the end none at all.
        for share in (0.9, 0.5, 0.0):
            _, definite = cholesky(self.covariance(theta))
            if definite.all():
                break
            theta[~definite, self._n_sd :] = self._unmapped(share * rho[~definite])
        return theta

    def covariance(self, theta: Array) -> Array:
        """Return D R D."""
        return np.asarray(self._outer_sd(theta) * self._correlation(theta).value)

    def jacobian(self, theta: Array) -> Array:
        """Return derivatives by the log standard deviations, then by the correlations' θ."""
        correlation = self._correlation(theta)
        outer = self._outer_sd(theta)[:, None]
        share = self._share()
        by_sd = share[None] * outer * correlation.value[:, None]
        return np.concatenate([by_sd, outer * correlation.first], axis=1)

    def curvature(self, theta: Array, weight: Array) -> Array:
        """Return the weighted second derivatives; those by a log standard deviation are products of firsts."""
        correlation = self._correlation(theta)
        weighted = weight * self._outer_sd(theta)
        share = self._share()
        m, s = self.n_parameters, self._n_sd
        second = np.empty((len(theta), m, m))
        second[:, :s, :s] = np.einsum("svw,tvw,rvw->rst", share, share, weighted * correlation.value)
        mixed = np.einsum("svw,rvw,rcvw->rsc", share, weighted, correlation.first)
        second[:, :s, s:] = mixed
        second[:, s:, :s] = mixed.transpose(0, 2, 1)
        second[:, s:, s:] = np.einsum("rvw,rcdvw->rcd", weighted, correlation.second)
        return second

    def _outer_sd(self, theta: Array) -> Array:
        sd = np.exp(np.broadcast_to(theta[:, : self._n_sd], (len(theta), self._n_visits)))
        return np.asarray(sd[:, :, None] * sd[:, None, :])

    def _share(self) -> Array:
        """∂ log(d_v d_w) / ∂ log d_s, shape (s, V, V)."""
        if self._n_sd == 1:
            return np.full((1, self._n_visits, self._n_visits), 2.0)
        eye = np.eye(self._n_visits)
        return eye[:, :, None] + eye[:, None, :]

    def _mapped(self, t: Array) -> tuple[Array, Array, Array]:
        """Return the correlations with their first and second derivatives by θ."""
        if self._logistic:
            width = 1.0 - self._lowest
            p = expit(t)
            return self._lowest + width * p, width * p * (1.0 - p), width * p * (1.0 - p) * (1.0 - 2.0 * p)
        root = 1.0 + t**2
        return t / np.sqrt(root), root**-1.5, -3.0 * t * root**-2.5

    def _unmapped(self, rho: Array) -> Array:
        """Return θ of correlations."""
        if self._logistic:
            return np.asarray(logit((rho - self._lowest) / (1.0 - self._lowest)))
        return np.asarray(rho / np.sqrt(1.0 - rho**2))

    def _correlation(self, theta: Array) -> _Correlation:
        """R_vw = Π_c ρ_c^e_cvw with its derivatives by θ, the powers written so that ρ = 0 is no trouble."""
        rho, slope, bend = self._mapped(theta[:, self._n_sd :])
        exponents = self._exponents[None]
        r = rho[:, :, None, None]
        powers = r**exponents
        d1 = exponents * r ** np.maximum(exponents - 1, 0)
        d2 = exponents * (exponents - 1) * r ** np.maximum(exponents - 2, 0)
        n_rho = rho.shape[1]
        value = powers.prod(axis=1)
        first = np.empty_like(powers)
        second = np.empty((*powers.shape[:2], n_rho, *powers.shape[2:]))
        for c in range(n_rho):
            others = np.delete(powers, c, axis=1).prod(axis=1)
            dc = slope[:, c, None, None] * d1[:, c]
            first[:, c] = dc * others
            second[:, c, c] = others * (slope[:, c, None, None] ** 2 * d2[:, c] + bend[:, c, None, None] * d1[:, c])
            for e in range(c):
                rest = np.delete(powers, (c, e), axis=1).prod(axis=1)
                cross = dc * slope[:, e, None, None] * d1[:, e] * rest
                second[:, c, e] = second[:, e, c] = cross
        return _Correlation(value, first, second)


def _exponents(n_visits: int, pattern: str) -> NDArray[np.int64]:
    """Return how often each correlation parameter enters each pair of visits, shape (c, V, V)."""
    visit = np.arange(n_visits)
    lag = np.abs(visit[:, None] - visit[None, :])
    if pattern == "compound_symmetry":
        return np.asarray(lag > 0, dtype=np.int64)[None]
    if pattern == "ar1":
        return np.asarray(lag[None], dtype=np.int64)
    if pattern == "toeplitz":
        return np.stack([(lag == c).astype(np.int64) for c in range(1, n_visits)])
    if pattern == "ante_dependence":
        first, last = np.minimum.outer(visit, visit), np.maximum.outer(visit, visit)
        return np.stack([((first <= c) & (c < last)).astype(np.int64) for c in range(n_visits - 1)])
    raise ValueError(f"no covariance pattern {pattern!r}")


PATTERNS = ("compound_symmetry", "ar1", "toeplitz", "ante_dependence")
STRUCTURES = ("unstructured", *PATTERNS, *(f"heterogeneous_{name}" for name in PATTERNS))
"""Names of the covariance structures."""

LADDER = ("unstructured", "heterogeneous_toeplitz", "heterogeneous_ar1", "compound_symmetry")
"""What is tried in turn where a fit does not converge."""


def structure(name: str, n_visits: int) -> Structure:
    """Return a covariance structure by name.

    Parameters
    ----------
    name : str
        One of `STRUCTURES`.
    n_visits : int
        With one visit every structure is its variance.

    Raises
    ------
    ValueError
        If there is no structure of that name.
    """
    if name not in STRUCTURES:
        raise ValueError(f"no covariance structure {name!r}; known are {', '.join(STRUCTURES)}")
    if name == "unstructured" or n_visits == 1:
        return Unstructured(n_visits)
    return Scaled(n_visits, name.removeprefix("heterogeneous_"), heterogeneous=name.startswith("heterogeneous_"))
