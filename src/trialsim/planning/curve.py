r"""Power as a curve through simulated trials: probit regression whose errors know which trials share patients.

.. math:: \Phi^{-1}(\text{power}) = a + b u, \qquad u = x^e,

x what is searched for. It is the exact curve of a z test where x is a number of patients and e = 1/2, or an effect and
e = 1, but for rejections on the wrong side; t tests and mixed models are close to it. Maximum likelihood takes all
trials as independent. They are not: a replicate is tried at several x with the same patients. Replicates are
independent of each other, so standard errors come from their influences, each summed over the x at which the replicate
was tried (Liang & Zeger 1986), which is right whatever the correlation.

The line holds near the root only, so trials far away are left out, and a quadratic term is tried. Where it is clear,
the curve is the quadratic one; where it is not, what it may hide is added to the error of the root.

References
----------
Liang K-Y, Zeger SL (1986). Longitudinal data analysis using generalized linear models. Biometrika 73:13-22.
Finney DJ (1971). Probit Analysis, 3rd edition. Cambridge University Press.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

WINDOW = 1.4
"""Trials are used whose u is within this factor of the root's."""

CLEAR = 1.96
"""Standard errors from which on a curvature counts as one."""

_STEPS = 50
_TOLERANCE = 1e-10
_FURTHEST = 7.0


class Tried(NamedTuple):
    """The replicates of one block at one place.

    Attributes
    ----------
    place : float
    found, usable : ndarray of bool, shape (R, H)
        Whether a replicate finds what each hypothesis claims, and whether it could be analysed.
    """

    place: float
    found: Flags
    usable: Flags


class Count(NamedTuple):
    """All replicates at one place for one hypothesis."""

    place: float
    found: int
    usable: int
    replicates: int


@dataclass(slots=True)
class Trials:
    """What was tried so far: by block, because trials of one replicate at several places share their patients."""

    blocks: dict[int, list[Tried]] = field(default_factory=dict)

    def add(self, block: int, tried: Tried) -> None:
        """Add a block at a place where it was not tried yet."""
        self.blocks.setdefault(block, []).append(tried)

    def has(self, block: int, place: float) -> bool:
        """Return whether a block was tried at a place."""
        return any(tried.place == place for tried in self.blocks.get(block, ()))

    @property
    def number(self) -> int:
        """Simulated trials in all."""
        return sum(len(tried.found) for tried in self._all())

    def counts(self, hypothesis: int) -> list[Count]:
        """Return the counts of one hypothesis, places rising."""
        totals: dict[float, NDArray[np.intp]] = {}
        for tried in self._all():
            usable = tried.usable[:, hypothesis]
            own = np.array([np.sum(tried.found[:, hypothesis] & usable), usable.sum(), len(usable)])
            totals[tried.place] = totals.get(tried.place, np.zeros(3, dtype=np.intp)) + own
        return [Count(place, *map(int, totals[place])) for place in sorted(totals)]

    def _all(self) -> Iterator[Tried]:
        for tried in self.blocks.values():
            yield from tried


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A fitted power curve and where it reaches the target.

    Parameters
    ----------
    exponent, centre : float
        u = x**exponent; the terms are powers of u / centre - 1.
    coefficients : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
        Between replicates.
    root : float
        u at which the target is reached.
    root_se : float
        With what a curvature may hide.
    misfit : float
        The part of it that a curvature may hide, in u.
    """

    exponent: float
    centre: float
    coefficients: Array
    covariance: Array
    root: float
    root_se: float
    misfit: float

    @property
    def place(self) -> float:
        """Where the target is reached."""
        return float(self.root ** (1.0 / self.exponent))

    @property
    def relative_se(self) -> float:
        """Standard error of the logarithm of `place`."""
        return self.root_se / self.root / self.exponent

    @property
    def curved(self) -> bool:
        """Whether the curve has a quadratic term."""
        return len(self.coefficients) > 2

    def band(self, places: Array, half_width: float) -> tuple[Array, Array, Array]:
        """Return power and the ends of its band at some places.

        Parameters
        ----------
        places : ndarray, shape (P,)
        half_width : float
            In standard errors, on the probit scale; the misfit of the root is in it everywhere.
        """
        x = _terms(places**self.exponent, self.centre, len(self.coefficients))
        eta = x @ self.coefficients
        hidden = self.misfit * self.slope(self.root)
        se = np.sqrt(np.einsum("pi,ij,pj->p", x, self.covariance, x) + hidden**2)
        return ndtr(eta), ndtr(eta - half_width * se), ndtr(eta + half_width * se)

    def slope(self, u: float) -> float:
        """Return the slope of the probit of power in u."""
        return float(_slopes(u, self.centre, len(self.coefficients)) @ self.coefficients)

    def power_slope(self) -> float:
        """Return by how much power rises at the root with one more unit of x."""
        eta = float((_terms(np.array([self.root]), self.centre, len(self.coefficients)) @ self.coefficients)[0])
        density = math.exp(-0.5 * eta**2) / math.sqrt(2.0 * math.pi)
        return density * self.slope(self.root) * self.exponent * self.root / self.place


def fit_curve(trials: Trials, hypothesis: int, target: float, exponent: float) -> Curve | None:
    """Return the power curve of one hypothesis around its root; None where the trials show no rising one yet.

    Parameters
    ----------
    trials : Trials
    hypothesis : int
    target : float
        Power, between 0 and 1.
    exponent : float
        u = x**exponent.
    """
    everything = [count for count in trials.counts(hypothesis) if count.usable]
    curve = _fit(trials, hypothesis, everything, target, exponent)
    if curve is None:
        return None
    near = [count for count in everything if 1.0 / WINDOW < count.place**exponent / curve.root < WINDOW]
    if len(near) in (0, 1, len(everything)):
        return curve
    return _fit(trials, hypothesis, near, target, exponent) or curve


def _fit(trials: Trials, hypothesis: int, counts: list[Count], target: float, exponent: float) -> Curve | None:
    if len(counts) < 2:
        return None
    u = np.array([count.place for count in counts]) ** exponent
    found, usable = (np.array([getattr(count, name) for count in counts], float) for name in ("found", "usable"))
    centre = float(np.average(u, weights=usable))
    z = float(ndtri(target))
    line = _Model.fitted(u, found, usable, centre, 2)
    if line is None or line.coefficients[1] <= 0.0:
        return None
    root = centre * float(1.0 + (z - line.coefficients[0]) / line.coefficients[1])
    if root <= 0.0:
        return None
    places = [count.place for count in counts]
    own = line.influence(trials, hypothesis, places)
    slope = float(_slopes(root, centre, 2) @ line.coefficients)
    of_root = -(own @ _terms(np.array([root]), centre, 2)[0]) / slope
    straight = Curve(exponent, centre, line.coefficients, own.T @ own, root, float(np.linalg.norm(of_root)), 0.0)
    bent = _Model.fitted(u, found, usable, centre, 3) if len(counts) > 2 else None
    if bent is None:
        return straight
    return _weighed(straight, of_root, bent, bent.influence(trials, hypothesis, places), z)


def _weighed(line: Curve, of_root: Array, bent: _Model, own: Array, z: float) -> Curve:
    """Return the line or the quadratic curve: the latter where it clearly misses the target at the line's root.

    The gap is that of the quadratic curve at the root of the line, in u. Where chance may have made it, what it is
    larger than chance makes it on average is taken as a bias of the root that is not known.
    """
    at_root = _terms(np.array([line.root]), line.centre, 3)[0]
    rise = float(_slopes(line.root, line.centre, 3) @ bent.coefficients)
    slope = line.slope(line.root)
    gap = float(at_root @ bent.coefficients - z) / slope
    gap_se = float(np.linalg.norm((own @ at_root + rise * of_root) / slope))
    if abs(gap) <= CLEAR * gap_se or rise <= 0.0:
        misfit = math.sqrt(max(gap**2 - gap_se**2, 0.0))
        se = math.hypot(line.root_se, misfit)
        return Curve(line.exponent, line.centre, line.coefficients, line.covariance, line.root, se, misfit)
    root = _quadratic_root(bent.coefficients, line.centre, line.root, z)
    if root is None:
        se = math.hypot(line.root_se, gap)
        return Curve(line.exponent, line.centre, line.coefficients, line.covariance, line.root, se, abs(gap))
    se = float(np.linalg.norm(own @ _terms(np.array([root]), line.centre, 3)[0]))
    se /= float(_slopes(root, line.centre, 3) @ bent.coefficients)
    return Curve(line.exponent, line.centre, bent.coefficients, own.T @ own, root, se, 0.0)


def _quadratic_root(coefficients: Array, centre: float, near: float, z: float) -> float | None:
    """Return where a quadratic curve reaches z while rising; None where it does not, or only far from `near`."""
    c, b, a = coefficients[0] - z, coefficients[1], coefficients[2]
    inside = b * b - 4.0 * a * c
    if inside <= 0.0:
        return None
    # The rising branch, in the form that loses no digits for a small a.
    divisor = float(b + math.sqrt(inside))
    root = centre * float(1.0 - 2.0 * c / divisor) if divisor > 0.0 else math.nan
    return root if near / WINDOW < root < near * WINDOW else None


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A probit regression at its maximum."""

    u: Array
    centre: float
    coefficients: Array
    information: Array

    @classmethod
    def fitted(cls, u: Array, found: Array, usable: Array, centre: float, k: int) -> _Model | None:
        """Return the fit by Fisher scoring with step-halving; None where it does not converge."""
        x = _terms(u, centre, k)
        beta = np.zeros(k)
        beta[0] = ndtri((found.sum() + 0.5) / (usable.sum() + 1.0))
        value = _log_likelihood(x @ beta, found, usable)
        for _ in range(_STEPS):
            score, information = _derivatives(x, beta, found, usable)
            try:
                step = np.linalg.solve(information, score)
            except np.linalg.LinAlgError:
                return None
            length = 1.0
            while (new := _log_likelihood(x @ (beta + length * step), found, usable)) < value and length > 1e-6:
                length *= 0.5
            beta, value = beta + length * step, new
            if np.abs(step).max() < _TOLERANCE * (1.0 + np.abs(beta).max()):
                return cls(u, centre, beta, information)
        return None

    def influence(self, trials: Trials, hypothesis: int, places: list[float]) -> Array:
        """Return by how much each replicate moves the coefficients, shape (all R, k)."""
        k = len(self.coefficients)
        x = _terms(self.u, self.centre, k)
        eta = x @ self.coefficients
        p, factor = ndtr(eta), _factor(eta)
        position = {place: i for i, place in enumerate(places)}
        scores = []
        for block in trials.blocks.values():
            tried = [(position[one.place], one) for one in block if one.place in position]
            if tried:
                own = sum(
                    (one.usable[:, hypothesis] * (one.found[:, hypothesis] - p[i]) * factor[i])[:, None] * x[i]
                    for i, one in tried
                )
                scores.append(np.asarray(own))
        influence: Array = np.linalg.solve(self.information, np.concatenate(scores).T).T
        return influence


def _terms(u: Array, centre: float, k: int) -> Array:
    return np.asarray((u / centre - 1.0)[:, None] ** np.arange(k), dtype=np.float64)


def _slopes(u: float, centre: float, k: int) -> Array:
    """Return the derivatives of the terms in u."""
    t = u / centre - 1.0
    return np.array([0.0, 1.0, 2.0 * t])[:k] / centre


def _factor(eta: Array) -> Array:
    """Return phi / (p (1 - p)); beyond 7 standard deviations as there."""
    near = np.clip(eta, -_FURTHEST, _FURTHEST)
    density = np.exp(-0.5 * near**2) / math.sqrt(2.0 * math.pi)
    return np.asarray(density / (ndtr(near) * ndtr(-near)))


def _derivatives(x: Array, beta: Array, found: Array, usable: Array) -> tuple[Array, Array]:
    eta = np.clip(x @ beta, -_FURTHEST, _FURTHEST)
    factor = _factor(eta)
    weight = usable * factor**2 * ndtr(eta) * ndtr(-eta)
    return x.T @ ((found - usable * ndtr(eta)) * factor), (x * weight[:, None]).T @ x


def _log_likelihood(eta: Array, found: Array, usable: Array) -> float:
    near = np.clip(eta, -_FURTHEST, _FURTHEST)
    return float(found @ np.log(ndtr(near)) + (usable - found) @ np.log(ndtr(-near)))
