r"""How much worse those who leave the active arm would have to be: the tipping point before a trial has begun.

Whoever leaves is not seen again, so no data tell what became of them. Let their unseen scores in the active arm be
worse by δ points than scores missing at random would be. Then

1. the true effect on everybody is not θ but :math:`\theta + h\,\delta\,\pi`, with π the share of the active arm that
   has left by the visit and h = ±1 the direction of harm: at :math:`\delta^* = |\theta| / \pi` nothing of it is left;
2. an analysis under missingness at random sees the same data whatever δ is: its power stays, and from δ* on it is the
   chance of claiming a benefit that is not there;
3. an analysis that imputes at random and adds δ to what it imputes (and so is right) finds less: at some δ its power
   falls below the target.

References
----------
Cro S, Morris TP, Kenward MG, Carpenter JR (2020). Sensitivity analysis for clinical trials with missing continuous
outcome data using controlled multiple imputation: a practical guide. Statistics in Medicine 39:2815-2842.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.engine.block import draw_block
from trialsim.errors import Fault, InputError
from trialsim.planning.plain import without_nan
from trialsim.planning.sensitivity.trials import (
    NO_ESTIMATE,
    Budget,
    Place,
    Question,
    Sample,
    alone_notes,
    blocks_for,
    checked_size,
    simulate,
    size_for,
)
from trialsim.scenario import Scenario
from trialsim.scenario.methods import benefit_sign
from trialsim.scenario.paths import fault_at
from trialsim.streams import Streams

GRID = 9
"""Deltas of the first pass, 0 and the limit among them."""

REFINED = 4
"""Deltas of the second, between the two that bracket the target."""

_Z95 = 1.959963984540054
_SD_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class AtDelta:
    """What holds if those who left the active arm are worse by delta points.

    Parameters
    ----------
    delta : float
        Points, 0 or more, in the direction of harm.
    true_effect : float
        On everybody, active minus control.
    bias, bias_mcse : float
        Of the analysis under missingness at random.
    power, mcse, low, high : float
        Of the analysis that adds delta to what it imputes; Wilson's interval.
    """

    delta: float
    true_effect: float
    bias: float
    bias_mcse: float
    power: float
    mcse: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class DesignTipping:
    """The tipping point at the design stage.

    Parameters
    ----------
    title, estimand : str
    n, replicates : int
    target : float
    arms : tuple of str
        Active and control.
    left_active, left_control, left_mcse : float
        Shares of the arms that have left by the visit; the error is that of the active arm's.
    true_effect : float
        Had those who leave gone on as their arm did.
    direction : int
        1 where a higher score is a harm, -1 where a lower one is.
    limit : float
        Largest delta looked at, points.
    power_at_random, power_at_random_mcse : float
        Of the scenario's own analysis; NaN where no trial could be analysed, as when everybody leaves.
    power_at_0 : float
        Of the delta-adjusted analysis without a delta; NaN likewise, as are power and bias of the rows.
    tipping, tipping_low, tipping_high : float or None
        Delta at which the power of the delta-adjusted analysis falls to the target, with its 95 % interval; None where
        it does not within the limit. An end that lies outside what was looked at is None.
    flip, flip_low, flip_high : float or None
        Delta at which the true effect is gone, with the 95 % interval that the share who left brings.
    flip_both : float or None
        The same if those who left the control arm are worse by delta as well; None where that never is.
    rows : tuple of AtDelta
    reason : str
        Why there is no tipping point; empty where there is one.
    procedure : str
        The multiplicity procedure that powers are within; empty for the test alone. Delta is added for the estimand
        alone: other hypotheses of the procedure keep their analyses.
    members : int
        How many hypotheses a success finds.
    notes : tuple of str
    """

    title: str
    estimand: str
    n: int
    replicates: int
    target: float
    arms: tuple[str, str]
    left_active: float
    left_control: float
    left_mcse: float
    true_effect: float
    direction: int
    limit: float
    power_at_random: float
    power_at_random_mcse: float
    power_at_0: float
    tipping: float | None
    tipping_low: float | None
    tipping_high: float | None
    flip: float | None
    flip_low: float | None
    flip_high: float | None
    flip_both: float | None
    rows: tuple[AtDelta, ...]
    reason: str
    procedure: str
    members: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "design_tipping_point", **asdict(self)})
        return told


def design_tipping_point(
    scenario: Scenario,
    *,
    budget: Budget,
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    limit: float | None = None,
) -> DesignTipping:
    """Return how much worse those who leave the active arm have to be for power, and for the effect itself, to be lost.

    Parameters
    ----------
    scenario : Scenario
    budget : Budget
    estimand : str
        Of a score, compared between two arms.
    n : int, optional
    target : float
        Power below which the trial is not worth its while.
    limit : float, optional
        Largest delta, points; by default half as much again as takes the effect away, within the length of the scale
        (of a score without bounds: 5 standard deviations).

    Raises
    ------
    InputError
        If the estimand is not a difference of scores, nobody leaves, or a number is out of range.
    """
    question = Question(scenario, estimand, within=True)
    _require_scores(question)
    _require_leaving(question)
    _limit(question, limit, math.inf)
    if n is not None:
        checked_size(question.resolved.variants[0], n)
    budget.begin()
    at = size_for(question, n, target, budget)
    own, asked_of = question.at({}), question.asked_of
    blocks = blocks_for(budget.replicates)
    active, control, error = _left(question, at, blocks)
    if active == 0.0:
        raise InputError([_nobody_leaves(question)])
    direction = -benefit_sign(asked_of.endpoint, "difference")
    truth = question.truth(own)
    helps = direction * truth < 0.0
    largest = _limit(question, limit, abs(truth) / active if helps else math.inf)
    (at_random,) = simulate([Place(own, at)], blocks, question.seed, replace(budget, progress=None))
    tried = _tried(question, at, largest, target, direction, blocks, budget)
    deltas = sorted(tried)
    shares = [tried[delta].share for delta in deltas]
    intervals = [tried[delta].interval for delta in deltas]
    rows = tuple(
        AtDelta(delta, truth + direction * delta * active, *_bias(at_random, truth, direction * delta * active),
                share.value, share.mcse, interval.low, interval.high)
        for delta, share, interval in zip(deltas, shares, intervals, strict=True)
    )  # fmt: skip
    tipping = _crossing(deltas, [share.value for share in shares], target)
    return DesignTipping(
        title=scenario.title,
        estimand=estimand,
        n=at,
        replicates=len(at_random.found),
        target=target,
        arms=(own.variant.arms[asked_of.active], own.variant.arms[asked_of.control]),
        left_active=active,
        left_control=control,
        left_mcse=error,
        true_effect=truth,
        direction=direction,
        limit=largest,
        power_at_random=at_random.share.value,
        power_at_random_mcse=at_random.share.mcse,
        power_at_0=shares[0].value,
        tipping=tipping,
        tipping_low=_crossing(deltas, [interval.low for interval in intervals], target),
        tipping_high=_crossing(deltas, [interval.high for interval in intervals], target),
        **_flips(abs(truth) if helps else None, active, control, error),
        rows=rows,
        reason=_reason(tipping, shares[0].value, target, largest),
        procedure=own.procedure,
        members=len(own.members),
        notes=() if own.procedure else alone_notes(question, "Power"),
    )


def _tried(
    question: Question,
    n: int,
    largest: float,
    target: float,
    direction: int,
    blocks: Sequence[int],
    budget: Budget,
) -> dict[float, Sample]:
    """Return trials by delta: from 0 to the largest, and closer where power falls below the target."""
    tried: dict[float, Sample] = {}
    grid = [float(f"{x:.6g}") for x in np.linspace(0.0, largest, GRID)]
    _try(question, n, grid, direction, blocks, budget, tried)
    bracket = _bracket(tried, target)
    if bracket is not None:
        inside = [float(f"{x:.6g}") for x in np.linspace(*bracket, REFINED + 2)[1:-1]]
        _try(question, n, inside, direction, blocks, budget, tried)
    return tried


def _flips(effect: float | None, active: float, control: float, error: float) -> dict[str, float | None]:
    """Return the deltas that take an effect of so many points away, by the shares who leave; None without one."""
    if effect is None:
        return dict.fromkeys(("flip", "flip_low", "flip_high", "flip_both"))
    apart = active - control
    return {
        "flip": effect / active,
        "flip_low": effect / (active + _Z95 * error),
        "flip_high": effect / (active - _Z95 * error) if active > _Z95 * error else None,
        "flip_both": effect / apart if apart > 3.0 * error else None,
    }


def _require_scores(question: Question) -> None:
    one = question.asked_of
    is_score = one.endpoint.kind == "score" and one.analyses[0].measure == "difference"
    if not is_score or one.interaction is not None or one.arm_weights or one.hypothesis.margin is not None:
        message = (
            "delta is added to scores of one arm against another, tested for a difference; this estimand is something "
            "else. Ask an estimand of a score, without interaction or margin"
        )
        raise InputError([Fault(f"estimands.{question.estimand}", message)])


def _require_leaving(question: Question) -> None:
    """Refuse a scenario in which nobody can leave, before anything is simulated."""
    variant = question.resolved.variants[0]
    if variant.dropout is None and not any(event.ends_follow_up for event in variant.events):
        raise InputError([_nobody_leaves(question)])


def _nobody_leaves(question: Question) -> Fault:
    day = f"{question.resolved.variants[0].visits_days[-1]:g}"
    message = (
        "nobody leaves the active arm in this scenario, so there are no unseen scores to be worse; say who leaves, "
        f"such as dropout: {{missing_by: {{{day}: 0.1}}}}"
    )
    return fault_at(question.scenario.base.root, ("dropout",), message, key=True)


def _limit(question: Question, limit: float | None, flip: float) -> float:
    """Return the largest delta: half as much again as takes the effect away, within the length of the scale."""
    if limit is not None:
        if not 0.0 < limit < math.inf:
            raise InputError([Fault("limit", f"must be a number of points above 0; got {limit:g}")])
        return limit
    variant, k = question.resolved.variants[0], question.asked_of.outcome
    scale = variant.scales[k]
    sd = float(variant.sd[:, question.asked_of.visit, k].max())
    longest = _SD_LIMIT * sd if scale is None else scale.maximum - scale.minimum
    return min(longest, float(f"{1.5 * flip:.2g}"))


def _left(question: Question, n: int, blocks: Sequence[int]) -> tuple[float, float, float]:
    """Return the shares of the active and the control arm that left by the visit, with the error of the first."""
    asked, one = question.at({}), question.asked_of
    active: list[NDArray[np.float64]] = []
    control: list[NDArray[np.float64]] = []
    for block in blocks:
        cohort = draw_block(asked.variant, asked.key, Streams(question.seed, block), n)
        gone = cohort.followed <= one.visit
        for arm, shares in ((one.active, active), (one.control, control)):
            inside = cohort.arm == arm
            shares.append((gone & inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1))
    found = np.concatenate(active)
    return float(found.mean()), float(np.concatenate(control).mean()), float(found.std(ddof=1) / math.sqrt(len(found)))


def _try(
    question: Question,
    n: int,
    deltas: Sequence[float],
    direction: int,
    blocks: Sequence[int],
    budget: Budget,
    tried: dict[float, Sample],
) -> None:
    """Simulate the analysis that imputes at random and adds delta, for every delta on the same patients."""
    own = question.asked_of.analyses[0]
    path = f"analysis.{question.estimand}"
    covariates = [name for name in ("baseline", "stratum") if name in own.covariates] if own.covariates else []
    plain = {"method": "reference_based", "strategy": "missing_at_random", "jackknife": "one_step", "alpha": own.alpha}
    places = [
        Place(question.at({path: {**plain, "covariates": covariates, "delta": direction * delta}}), n)
        for delta in deltas
    ]
    samples = simulate(places, blocks, question.seed, budget)
    tried |= dict(zip(deltas, samples, strict=True))


def _bias(sample: Sample, truth: float, moved: float) -> tuple[float, float]:
    measured = sample.bias(truth + moved)
    return measured.value, measured.mcse


def _bracket(tried: dict[float, Sample], target: float) -> tuple[float, float] | None:
    deltas = sorted(tried)
    return next(((a, b) for a, b in pairwise(deltas) if tried[a].share.value >= target > tried[b].share.value), None)


def _crossing(deltas: Sequence[float], power: Sequence[float], target: float) -> float | None:
    """Return the first delta at which power falls to the target, with probits linear between the deltas tried."""
    for (a, b), (p, q) in zip(pairwise(deltas), pairwise(power), strict=True):
        if p >= target > q:
            high, low, aim = (float(ndtri(min(max(x, 1e-6), 1.0 - 1e-6))) for x in (p, q, target))
            return a + (b - a) * (high - aim) / (high - low)
    return None


def _reason(tipping: float | None, at_0: float, target: float, limit: float) -> str:
    if tipping is not None:
        return ""
    if math.isnan(at_0):
        return f"With delta added {NO_ESTIMATE}."
    if at_0 < target:
        return f"Without any delta the power is {100 * at_0:.1f} %, below {100 * target:g} % already."
    return f"Up to {limit:g} points the power stays at {100 * target:g} % or above."
