"""Assurance: power averaged over what is believed about the true effect.

References
----------
O'Hagan A, Stevens JW, Campbell MJ (2005). Assurance in clinical trial design. Pharmaceutical Statistics 4:187-201.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr, ndtri

from trialsim.errors import UnreachableError
from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, finite, inside, pair, positive, refuse
from trialsim.planning.formulas.level import level
from trialsim.planning.formulas.solving import Question, solve


def assurance(
    *,
    prior_mean: float,
    prior_sd: float,
    sd: float | Sequence[float] = 1.0,
    n_total: float | None = None,
    power: float | None = None,
    ratio: Sequence[float] = (1, 1),
    null: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
) -> Answer:
    """Return the assurance of a comparison of two means, or the size that reaches it, with a normal prior.

    Parameters
    ----------
    prior_mean, prior_sd : float
        What is believed about the true difference, active − control; `prior_sd` at least 0.
    sd : float or pair of float
        Known standard deviation of both arms, or of control then active.
    n_total : float, optional
        Participants in both arms. Leave out this or `power`.
    power : float, optional
        The assurance asked for, below `assurance_limit`.
    ratio : pair of float
        Allocation, control then active.
    null : float
        Difference under the null hypothesis; minus the margin for non-inferiority.
    alpha, sides : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `power` is the assurance, `effect` the prior mean; `details` holds `limit`.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the assurance is above its limit.

    Notes
    -----
    P(z > z_{1−α/s}) over both prior and data, in the direction of the prior mean: Φ((|m − null| − z SE)/√(SE² + τ²)).
    """
    spread = pair("sd", sd)
    positive(sd=min(spread))
    at, parts = level(alpha, sides), allocation(ratio)
    limit = assurance_limit(prior_mean=prior_mean, prior_sd=prior_sd, null=null)
    if power is not None and n_total is None:
        inside(0.0, 1.0, power=power)
        if power >= limit:
            reason = f"no size has an assurance of {power:g}: its limit is {limit:.5f}; ask for less, or learn more"
            raise UnreachableError("n_total", reason, limit)

    def power_at(mean: float, n: tuple[float, ...]) -> float:
        variance = spread[0] ** 2 / n[0] + spread[1] ** 2 / n[1]
        return float(
            ndtr((abs(mean - null) + ndtri(at.tail) * math.sqrt(variance)) / math.sqrt(variance + prior_sd**2))
        )

    question = Question(
        power_at,
        at,
        "assurance of two means, normal prior, z test",
        parts,
        effect_name="prior_mean",
        inputs={"prior_sd": prior_sd, "sd": spread, "null": null},
        details_at=lambda _e, _n: {"limit": limit},
    )
    return solve(question, effect=prior_mean, n_total=n_total, power=power)


def assurance_limit(*, prior_mean: float, prior_sd: float, null: float = 0.0) -> float:
    """Return the assurance of a trial without end: the prior probability that the effect lies in its direction.

    Parameters
    ----------
    prior_mean, prior_sd, null : float
        As in `assurance`.

    Returns
    -------
    float
        Φ(|m − null| / τ); 1 if τ is 0 and the mean is not the null value.

    Raises
    ------
    InputError
        If `prior_sd` is negative.
    """
    finite(prior_mean=prior_mean, prior_sd=prior_sd, null=null)
    if prior_sd < 0.0:
        refuse("prior_sd", f"must be at least 0, not {prior_sd:g}")
    distance = abs(prior_mean - null)
    if prior_sd == 0.0:
        return 1.0 if distance > 0.0 else 0.5
    return float(ndtr(distance / prior_sd))
