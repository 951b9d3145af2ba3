"""What a pilot would teach about a comparison of two means: how assurance moves after it, with a normal prior.

References
----------
O'Hagan A, Stevens JW, Campbell MJ (2005). Assurance in clinical trial design. Pharmaceutical Statistics 4:187-201.
Raiffa H, Schlaifer R (1961). Applied Statistical Decision Theory. Harvard Business School.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, roots_legendre

from trialsim.planning.formulas.answer import Answer, rounded_up
from trialsim.planning.formulas.checks import allocation, finite, inside, pair, positive
from trialsim.planning.formulas.level import level

Array = NDArray[np.float64]

REACH = 9.0
NODES = 200


def assurance_after_pilot(
    *,
    prior_mean: float,
    prior_sd: float,
    n_total: float,
    n_pilot: float,
    go: float = 0.5,
    sd: float | Sequence[float] = 1.0,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
) -> Answer:
    """Return how the assurance of a comparison of two means moves after a pilot, with a normal prior.

    Parameters
    ----------
    prior_mean, prior_sd : float
        What is believed about the true difference, active − control; `prior_sd` above 0.
    n_total, n_pilot : float
        Participants of the trial, and of the pilot, in both arms; the pilot's do not enter the trial's analysis.
    go : float
        Assurance from which the trial is run.
    sd : float or pair of float
        Known standard deviation of both arms, or of control then active.
    ratio : pair of float
        Allocation, control then active, in both.
    null : float
        Difference under the null hypothesis; minus the margin for non-inferiority.
    alpha, sides : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `power` is the assurance before, which is the mean of that after; `details` holds `sd` and `median` of the
        assurance after the pilot, `chance_run` and `chance_changed` (that the trial is run, that the decision changes),
        `value` (of the pilot) and `value_of_certainty` (of knowing the effect), in units of a successful trial.

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    The mean believed after the pilot is normal about the prior mean with variance τ⁴/(τ² + s²), s the pilot's standard
    error; the belief after it has variance v = τ²s²/(τ² + s²), and the assurance A is that of such a prior,
    Φ((m − z SE)/√(SE² + v)), increasing in the mean m. Running the trial is worth its assurance less `go`, not running
    it 0; the value of a pilot is E max(A − go, 0) − max(E A − go, 0).
    """
    finite(prior_mean=prior_mean, null=null)
    positive(prior_sd=prior_sd, n_total=n_total, n_pilot=n_pilot)
    inside(0.0, 1.0, go=go)
    spread, parts, at = pair("sd", sd), allocation(ratio), level(alpha, sides)
    positive(sd=min(spread))
    of_trial, of_pilot = (_variance(spread, parts, n) for n in (n_total, n_pilot))
    ahead, known = abs(prior_mean - null), prior_sd**2 * of_pilot / (prior_sd**2 + of_pilot)
    moves = math.sqrt(prior_sd**2 - known)

    def after(mean: Array | float, left: float) -> Array:
        """Return the assurance when a mean is believed with a variance left."""
        return np.asarray(ndtr((mean + ndtri(at.tail) * math.sqrt(of_trial)) / math.sqrt(of_trial + left)))

    def turn(left: float) -> float:
        """Return the mean at which the assurance is `go`."""
        return float(ndtri(go) * math.sqrt(of_trial + left) - ndtri(at.tail) * math.sqrt(of_trial))

    before = float(after(ahead, prior_sd**2))
    run = float(ndtr((ahead - turn(known)) / moves))
    square = _expected(lambda mean: after(mean, known) ** 2, ahead, moves)
    idle = max(before - go, 0.0)
    n = tuple(n_total * part / sum(parts) for part in parts)
    return Answer(
        quantity="power",
        value=before,
        power=before,
        effect=prior_mean,
        n=n,
        n_rounded=rounded_up(n, parts),
        alpha=at.alpha,
        sides=at.sides,
        method="assurance of two means after a pilot, normal prior, z test",
        inputs=MappingProxyType({"prior_sd": prior_sd, "sd": spread, "null": null, "n_pilot": n_pilot, "go": go}),
        details=MappingProxyType({
            "sd": math.sqrt(max(square - before**2, 0.0)),
            "median": float(after(ahead, known)),
            "chance_run": run,
            "chance_changed": 1.0 - run if before >= go else run,
            "value": _gain(lambda mean: after(mean, known) - go, ahead, moves, turn(known)) - idle,
            "value_of_certainty": _gain(lambda mean: after(mean, 0.0) - go, ahead, prior_sd, turn(0.0)) - idle,
        }),
    )  # fmt: skip


def _variance(spread: tuple[float, float], parts: tuple[float, float], n: float) -> float:
    """Return the variance of a difference of means."""
    return sum(sd**2 * sum(parts) / (n * part) for sd, part in zip(spread, parts, strict=True))


def _gain(worth: Callable[[Array], Array], mean: float, sd: float, turn: float) -> float:
    """Return the expectation of a worth over the normal means beyond the turn, where it is positive."""
    return _expected(worth, mean, sd, start=(turn - mean) / sd)


def _expected(function: Callable[[Array], Array], mean: float, sd: float, *, start: float = -REACH) -> float:
    """Return the expectation of a function of a normal variable beyond a standardised start, by Gauss-Legendre."""
    low = max(start, -REACH)
    if low >= REACH:
        return 0.0
    nodes, weights = roots_legendre(NODES)
    z = 0.5 * (REACH - low) * nodes + 0.5 * (REACH + low)
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return float(0.5 * (REACH - low) * weights @ (density * function(mean + sd * z)))
