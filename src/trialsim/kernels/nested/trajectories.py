r"""All that a longitudinal random-effects model needs to know of a trial: sums per pattern of visits and per group.

A patient seen at the visits of pattern p has :math:`V_p = \sigma^2 I + B_pDB_p'`, B the patient's random effects at
each time; a random effect of the group, of weight w at each time, adds :math:`\tau ww'` over all its members. Let
:math:`U_p` be an orthonormal basis of the columns of :math:`[B_p\ w_p]`. Then

- what :math:`U_p` leaves of a patient's rows has variance :math:`\sigma^2`, the same for everybody;
- :math:`u = U_p'[X\ y]` has one, two or three rows and the covariance :math:`M_p = U_p'V_pU_p`: the products of its
  rows, summed over the patients of a pattern, are enough;
- with :math:`\ell_p = U_p'w_p`, the group adds :math:`\tau hh'`, h the :math:`\ell_p` of its members one below the
  other: the sums of u over the members of each group and pattern are enough.

With :math:`a_g = \sum n_{gp}\,\ell_p'M_p^{-1}\ell_p`, :math:`b_g = \sum u'M_p^{-1}\ell_p` and
:math:`\kappa = \tau/(1 + \tau a_g)`, a group takes :math:`\kappa b_gb_g'` from :math:`Z'V^{-1}Z` and adds
:math:`\log(1 + \tau a_g)` to log\|V\| (Sherman and Morrison); the other moments are derivatives of these two.

References
----------
Laird NM, Ware JH (1982), Biometrics 38:963.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.factor import cholesky, solve_lower
from trialsim.kernels.nested.components import Moments

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]
RandomEffect = Literal["intercept", "slope", "uncorrelated"]
GroupEffect = Literal["level", "growth"]


_EDGE = 1e-8
"""Share of the variance about least squares below which a residual variance counts as 0, and V as singular."""


class Patterns(NamedTuple):
    """What the patterns of visits in a block have in common over its replicates; P patterns, bases of up to m columns.

    Attributes
    ----------
    codes : ndarray of int, shape (P,)
        Sum of 2^v over the visits v seen, in order.
    basis : ndarray, shape (P, V, m)
        U; columns that a pattern does not need are 0.
    derivative : ndarray, shape (P, k, m, m)
        Of M in the residual variance and the elements of D.
    spare : ndarray, shape (P, m, m)
        1 on the diagonal where a column is not needed.
    load : ndarray, shape (P, m)
        ℓ; 0 in a model without groups.
    """

    codes: Index
    basis: Array
    derivative: Array
    spare: Array
    load: Array


class LongitudinalStatistics(NamedTuple):
    """Cross-products per pattern and sums per group; d = q + 1, the scores come last.

    θ is the residual variance, the elements of D, and the group variance where there are groups.

    Attributes
    ----------
    patterns : Patterns
    random : str
        As given to `longitudinal_statistics`.
    to_time : ndarray, shape (2, 2) or (1, 1)
        T, such that TDT' is the covariance of intercept (at time 0) and slope.
    counts : ndarray, shape (R, P)
        Patients of each pattern.
    left_count : ndarray, shape (R,)
        Dimensions outside the bases.
    left_products : ndarray, shape (R, d, d)
        [X e]'[X e] of what the bases leave, e what least squares leave of the scores.
    products : ndarray, shape (R, P · m · m, d · d)
        Sums of u[s, a] u[t, b] over the patients of a pattern.
    members : ndarray, shape (R, G, P)
        Patients of each group and pattern; G = 0 without groups.
    sums : ndarray, shape (R, G, d, P · m)
        Sums of u over these.
    offset : ndarray, shape (R, q)
        Coefficients of least squares.
    squares : ndarray, shape (R,)
        Sum of squares of the scores.
    finite : ndarray of bool, shape (R,)
        False where a score or a covariate at an observed visit is infinite or a covariate is missing.
    """

    patterns: Patterns
    random: RandomEffect
    to_time: Array
    counts: Array
    left_count: Array
    left_products: Array
    products: Array
    members: Array
    sums: Array
    offset: Array
    squares: Array
    finite: Flags

    @property
    def n_observations(self) -> Array:
        """Observed scores, shape (R,)."""
        columns = self.patterns.spare.shape[-1] - np.einsum("pmm->p", self.patterns.spare)
        return np.asarray(self.left_count + self.counts @ columns)

    @property
    def has_groups(self) -> bool:
        """Whether the model has a random effect of the group."""
        return bool(self.members.shape[1] > 0)

    @property
    def n_parameters(self) -> int:
        """Length of θ."""
        return int(self.patterns.derivative.shape[1]) + self.has_groups

    @property
    def residual_squares(self) -> Array:
        """Residual sum of squares of least squares, shape (R,)."""
        size, d = self.patterns.spare.shape[-1], self.left_products.shape[-1]
        inside = self.products.reshape(*self.counts.shape, size * size, d * d)[:, :, :: size + 1, -1]
        return np.asarray(self.left_products[:, -1, -1] + inside.sum(axis=(1, 2)))

    @property
    def variance(self) -> Array:
        """Variance of the scores about least squares, shape (R,)."""
        return np.asarray(self.residual_squares / np.maximum(self.n_observations, 1.0))

    def take(self, replicates: Index) -> LongitudinalStatistics:
        """Return the statistics of some of the replicates."""
        return self._replace(
            counts=self.counts[replicates],
            left_count=self.left_count[replicates],
            left_products=self.left_products[replicates],
            products=self.products[replicates],
            members=self.members[replicates],
            sums=self.sums[replicates],
            offset=self.offset[replicates],
            squares=self.squares[replicates],
            finite=self.finite[replicates],
        )

    def room(self, theta: Array, step: Array) -> Array:
        """Return the share of a step, shape (R,), at which the residual variance becomes 0.

        V is singular there and nowhere before, as long as D and the group variance are not negative.
        """
        falling = step[:, 0] < 0.0
        return np.where(falling, theta[:, 0] / np.where(falling, -step[:, 0], 1.0), np.inf)

    def moments(self, theta: Array) -> Moments:
        """Return the moments at θ, shape (R, p)."""
        within = self._within(theta)
        if not self.has_groups:
            return within.moments
        group = theta[:, -1]
        loads = (within.weights @ self.patterns.load[None, :, None, :, None])[..., 0]
        a = self.members @ (loads * self.patterns.load[:, None]).sum(axis=-1)
        turned = loads.swapaxes(2, 3).reshape(len(theta), self.sums.shape[3], loads.shape[2])
        b = self.sums @ turned[:, None]
        moments = _with_groups(within.moments, a, b, group)
        return moments._replace(definite=moments.definite & (group >= 0.0))

    def _within(self, theta: Array) -> _Within:
        """Return the moments without the group effect, and the weights that make them."""
        k = self.patterns.derivative
        n_patient, size, d = k.shape[1], k.shape[-1], self.left_products.shape[-1]
        first, second = np.triu_indices(n_patient)
        square = _square(n_patient)
        covariance = self.patterns.spare + np.einsum("ri,pist->rpst", theta[:, :n_patient], k)
        factor, regular = cholesky(covariance.reshape(-1, size, size))
        root = solve_lower(factor, np.eye(size))
        inverse = (root.swapaxes(1, 2) @ root).reshape(covariance.shape)
        half = inverse[:, :, None] @ k
        one = half @ inverse[:, :, None]
        two = half[:, :, first] @ one[:, :, second]
        two = 0.5 * (two + two.swapaxes(-1, -2))
        weights = np.concatenate([inverse[:, :, None], one, two], axis=2)
        traces = (half[:, :, first] * half[:, :, second].swapaxes(-1, -2)).sum(axis=(-1, -2))
        sums = weights.swapaxes(1, 2).reshape(len(theta), weights.shape[2], self.products.shape[1]) @ self.products
        sums = sums.reshape(*sums.shape[:2], d, d)
        log_det = 2.0 * np.log(np.einsum("rmm->rm", factor)).sum(axis=1).reshape(self.counts.shape)
        regular = regular.reshape(self.counts.shape) | (self.counts == 0)
        definite = np.all(regular, axis=1) & (theta[:, 0] > _EDGE * self.variance)
        moments = Moments(
            definite,
            (self.counts * log_det).sum(axis=1),
            (self.counts[:, None] @ np.einsum("rpiss->rpi", half))[:, 0],
            (self.counts[:, None] @ traces)[:, 0][:, square],
            sums[:, 0],
            sums[:, 1 : 1 + n_patient],
            sums[:, 1 + n_patient :][:, square],
        )
        self._add_left(moments, np.where(theta[:, 0] > 0.0, theta[:, 0], 1.0))
        return _Within(moments, weights)

    def _add_left(self, moments: Moments, residual: Array) -> None:
        """Add what is outside the bases, of variance σ² throughout."""
        weight, products = 1.0 / residual, self.left_products
        moments.log_det[:] -= self.left_count * np.log(weight)
        moments.trace[:, 0] += self.left_count * weight
        moments.trace_pair[:, 0, 0] += self.left_count * weight**2
        moments.zz[:] += weight[:, None, None] * products
        moments.zz_one[:, 0] += (weight**2)[:, None, None] * products
        moments.zz_two[:, 0, 0] += (weight**3)[:, None, None] * products


class _Within(NamedTuple):
    """Moments without groups; weights M⁻¹, M⁻¹KᵢM⁻¹, and M⁻¹KᵢM⁻¹KⱼM⁻¹ (i ≤ j), shape (R, P, n, m, m)."""

    moments: Moments
    weights: Array


def _square(size: int) -> Index:
    """Return the place of each element of a symmetric matrix among those of its upper triangle."""
    first, second = np.triu_indices(size)
    square = np.zeros((size, size), dtype=np.intp)
    square[first, second] = square[second, first] = np.arange(len(first))
    return square


def _with_groups(within: Moments, a: Array, b: Array, tau: Array) -> Moments:
    """Return the moments with the group effect; a, shape (R, G, n), and b, shape (R, G, d, n), under each weight.

    The weights of the first and second order are −1 and ½ times the derivatives of M⁻¹, so those of a and b are too.
    """
    k = within.trace.shape[1]
    square = _square(k)
    a0, a1, a2 = a[..., 0], a[..., 1 : 1 + k], a[..., 1 + k :][..., square]
    rho = 1.0 / (1.0 + tau[:, None] * a0)
    kappa = tau[:, None] * rho
    log_det = within.log_det + np.log1p(tau[:, None] * a0).sum(axis=1)
    trace = np.concatenate(
        [within.trace - (kappa[..., None] * a1).sum(axis=1), (a0 * rho).sum(axis=1)[:, None]], axis=1
    )
    pair = np.empty((len(tau), k + 1, k + 1))
    outer = a1[..., :, None] * a1[..., None, :]
    curved = (kappa**2)[..., None, None] * outer - 2.0 * kappa[..., None, None] * a2
    pair[:, :k, :k] = within.trace_pair + curved.sum(axis=1)
    pair[:, k, :k] = pair[:, :k, k] = ((rho**2)[..., None] * a1).sum(axis=1)
    pair[:, k, k] = ((a0 * rho) ** 2).sum(axis=1)
    zz, one, two = _group_products(a0, a1, a2, b, rho, kappa)
    zz += within.zz
    one[:, :k] += within.zz_one
    two[:, :k, :k] += within.zz_two
    return Moments(within.definite, log_det, trace, pair, zz, one, two)


def _group_products(a0: Array, a1: Array, a2: Array, b: Array, rho: Array, kappa: Array) -> tuple[Array, Array, Array]:
    """Return what the groups add to Z'V⁻¹Z and, by its derivatives, to the other products.

    Each is Σ (cb' + bc'), c a combination of b and its derivatives; the second-order ones also have the products of
    the first derivatives.
    """
    n_replicates, n_groups, d, _ = b.shape
    k = a1.shape[-1]
    first, second = np.triu_indices(k)
    b0, b1, b2 = b[..., :1], b[..., 1 : 1 + k], b[..., 1 + k :]
    a_first, a_second, a_pair = (
        piece[:, :, None] for piece in (a1[..., first], a1[..., second], a2[..., first, second])
    )
    r, s, a0, a1 = rho[..., None, None], kappa[..., None, None], a0[..., None, None], a1[:, :, None]
    c = [
        -0.5 * s * b0,
        0.5 * s**2 * a1 * b0 - s * b1,
        0.5 * r**2 * b0,
        0.5 * (s**2 * a_pair - s**3 * a_first * a_second) * b0
        + 0.5 * s**2 * (a_first * b1[..., second] + a_second * b1[..., first])
        - s * b2,
        0.5 * r**2 * b1 - 0.5 * s * r**2 * a1 * b0,
        0.5 * a0 * r**3 * b0,
    ]
    ends = np.cumsum([piece.shape[-1] for piece in c])[:-1]
    flat = np.concatenate(c, axis=3).transpose(0, 3, 2, 1).reshape(n_replicates, (ends[-1] + 1) * d, n_groups)
    sums = (flat @ b[..., 0]).reshape(n_replicates, ends[-1] + 1, d, d)
    zz, one, one_group, two, two_mixed, two_group = np.split(sums + sums.swapaxes(-1, -2), ends, axis=1)
    slopes = b1.transpose(0, 3, 2, 1).reshape(n_replicates, k * d, n_groups)
    crossed = (slopes * kappa[:, None]) @ slopes.swapaxes(1, 2)
    crossed = crossed.reshape(n_replicates, k, d, k, d).swapaxes(2, 3)
    whole = np.empty((n_replicates, k + 1, k + 1, d, d))
    whole[:, :k, :k] = two[:, _square(k)] - 0.5 * (crossed + crossed.swapaxes(-1, -2))
    whole[:, k, :k] = whole[:, :k, k] = two_mixed
    whole[:, k, k] = two_group[:, 0]
    return zz[:, 0], np.concatenate([one, one_group], axis=1), whole
