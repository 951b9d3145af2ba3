"""What follows from power and estimates at draws of the priors: each number with its Monte Carlo standard error.

Draws come in independent groups, so the differences between groups tell the error of anything, over the draws and over
the replicates within them.

References
----------
Woodruff RS (1952). Confidence intervals for medians and other position measures. Journal of the American Statistical
Association 47:635-646.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.successes import Goal
from trialsim.kernels.ensembles import noise_of_shares, without_noise
from trialsim.kernels.jackknife import delete_a_group, least_error_of_share, t_interval

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

POWER_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ESTIMATE_QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
EXCEEDANCE = np.linspace(0.0, 1.0, 101)
EFFECT_BINS = 12


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of the priors.

    Parameters
    ----------
    draws : int
        Of the priors; rounded up to a multiple of the number of groups.
    goal : {'primary', 'alone', 'all'}
        What is to succeed: the primary hypothesis, within its multiplicity procedure or alone, or all of them in the
        same trial.
    threshold : float
        Power that makes a trial worth running.
    relevant : float or None
        Smallest benefit that matters, in the unit of the effect; None: any benefit.
    go : float
        Assurance from which the trial would be run.
    pilots : tuple of int
        Numbers randomised in pilots whose value is asked for.
    leave_out : bool
        Whether draws that no scenario can have are left out.
    """

    draws: int
    goal: Goal = "primary"
    threshold: float = 0.8
    relevant: float | None = None
    go: float = 0.5
    pilots: tuple[int, ...] = ()
    leave_out: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A number with its Monte Carlo standard error and 95 % interval, over draws and the replicates within them."""

    value: float
    mcse: float
    low: float
    high: float


class SizeTrials(NamedTuple):
    """Trials of one size, over M draws.

    Attributes
    ----------
    power, twin : ndarray, shape (M,)
    estimate, success : ndarray, shape (M, R)
        Success is 0 or 1; both NaN where an analysis failed.
    effect, benefit : ndarray, shape (M,)
        The latter signed so that more is better; all 0 where there is no benefit to speak of, as in an interaction.
    claimable : ndarray of bool, shape (M,)
    groups : ndarray of int, shape (M,)
    """

    power: Array
    twin: Array
    estimate: Array
    success: Array
    effect: Array
    benefit: Array
    claimable: Flags
    groups: Index

    @property
    def sided(self) -> bool:
        """Whether one side is a benefit."""
        return bool(np.any(self.benefit != 0.0)) or not np.any(self.effect != 0.0)

    def only(self, keep: Flags) -> SizeTrials:
        """Return some of the draws."""
        return SizeTrials(*(part[keep] for part in self))  # type: ignore[arg-type]


def told(
    statistic: Callable[[Flags], Mapping[str, float]],
    groups: Index,
    *,
    shares: tuple[str, ...] = (),
    counted: tuple[str, ...] = (),
) -> dict[str, Told]:
    """Return numbers with their errors, by name; what never occurs is left out.

    Parameters
    ----------
    statistic : callable
        From the draws that count to numbers by name.
    groups : ndarray of int, shape (M,)
    shares : tuple of str
        Numbers whose intervals are kept between 0 and 1.
    counted : tuple of str
        Shares of draws: evenly spread draws may show no difference between groups, which is not certainty.
    """
    names = list(statistic(np.ones(len(groups), dtype=bool)))
    values, errors = delete_a_group(lambda keep: np.array(list(statistic(keep).values())), groups)
    n_groups = len(np.unique(groups))
    found = {}
    for name, value, error in zip(names, values.tolist(), errors.tolist(), strict=True):
        if np.isfinite(value):
            if name in counted:
                error = max(error, least_error_of_share(len(groups), n_groups))
            low, high = t_interval(value, error, n_groups)
            ends = (max(low, 0.0), min(high, 1.0)) if name in shares else (low, high)
            found[name] = Told(value, error, *ends)
    return found


def _quantiles(
    values: Array, by_draw: Callable[[Array], Array], shares: tuple[float, ...], groups: Index
) -> list[Told]:
    """Return quantiles with errors by way of the distribution function there (Woodruff).

    Parameters
    ----------
    values : ndarray
        All values, of all draws.
    by_draw : callable
        From points (Q,) to the share of each draw's values up to them, shape (M, Q).
    shares : tuple of float
    groups : ndarray of int, shape (M,)
    """
    points = np.quantile(values, shares)
    up_to = by_draw(points)
    _, errors = delete_a_group(lambda keep: up_to[keep].mean(axis=0), groups)
    found = []
    for share, point, error in zip(shares, points.tolist(), errors.tolist(), strict=True):
        # Evenly spread draws may show no difference between groups; half a draw is as finely as they tell.
        ends = t_interval(share, max(error, 0.5 / len(groups)), len(np.unique(groups)))
        low, high = np.quantile(values, np.clip(ends, 0.0, 1.0)).tolist()
        reach = (ends.high - share) / max(error, 0.5 / len(groups))
        found.append(Told(point, (high - low) / (2.0 * reach), low, high))
    return found


def of_priors(of: SizeTrials, asking: Asking, keep: Flags) -> dict[str, float]:
    """Return what the priors alone say of the effect."""
    benefit, effect = of.benefit[keep], of.effect[keep]
    found = {
        "claimable": float(np.mean(of.claimable[keep])),
        "effect": float(effect.mean()),
        "effect_sd": float(effect.std(ddof=1)),
    }
    if of.sided:
        found["benefit"] = float(np.mean(benefit > 0.0))
    if asking.relevant is not None:
        found["relevant"] = float(np.mean(benefit >= asking.relevant))
    return found


CHANCES = ("benefit", "claimable", "relevant")
SHARES = (
    "assurance", "closed_form", "power_above", "success_and_benefit", "success_and_relevant", "power_if_benefit",
    "power_if_relevant", "benefit_if_success", "relevant_if_success", "false_claim_if_success",
)  # fmt: skip


def of_trials(of: SizeTrials, asking: Asking) -> dict[str, Told]:
    """Return everything that is said of the trials of one size, by name; nothing where no trial gave an estimate."""
    if not len(of.power):
        return {}
    found = told(lambda keep: _measures(of, asking, keep), of.groups, shares=SHARES, counted=("power_above",))
    clean = without_noise(of.power, noise_of_shares(of.success))
    of_power = _quantiles(
        clean, lambda points: (clean[:, None] <= points).astype(np.float64), POWER_QUANTILES, of.groups
    )
    found |= {f"power_q{100 * q:g}": one for q, one in zip(POWER_QUANTILES, of_power, strict=True)}
    seen = of.estimate[np.isfinite(of.estimate)]
    of_estimate = _quantiles(seen, lambda points: _shares_up_to(of.estimate, points), ESTIMATE_QUANTILES, of.groups)
    return found | {f"estimate_q{100 * q:g}": one for q, one in zip(ESTIMATE_QUANTILES, of_estimate, strict=True)}


def _shares_up_to(estimate: Array, points: Array) -> Array:
    """Return the share of each draw's estimates that are at most each point, shape (M, Q)."""
    usable = np.sum(np.isfinite(estimate), axis=1)
    return np.stack([np.sum(estimate <= point, axis=1) / usable for point in points], axis=1)


def _measures(of: SizeTrials, asking: Asking, keep: Flags) -> dict[str, float]:
    power, benefit = of.power[keep], of.benefit[keep]
    clean = without_noise(power, noise_of_shares(of.success[keep]))
    helps, expected = benefit > 0.0, float(power.mean())
    found = {
        "assurance": expected,
        "closed_form": float(of.twin[keep].mean()),
        "closed_form_difference": float((power - of.twin[keep]).mean()),
        "power_above": float(np.mean(clean >= asking.threshold)),
        "power_sd": float(clean.std(ddof=1)),
        "false_claim_if_success": _ratio(~of.claimable[keep], power),
    }
    if of.sided:
        found["success_and_benefit"] = float(np.mean(power * helps))
        found["power_if_benefit"] = _ratio(power, helps)
        found["benefit_if_success"] = _ratio(helps, power)
    if asking.relevant is not None:
        matters = benefit >= asking.relevant
        found["success_and_relevant"] = float(np.mean(power * matters))
        found["power_if_relevant"] = _ratio(power, matters)
        found["relevant_if_success"] = _ratio(matters, power)
    # How success exaggerates: the estimate of trials that succeed beside the true effect in them.
    won = np.where(np.isfinite(of.success[keep]) & np.isfinite(of.estimate[keep]), of.success[keep], 0.0)
    found["estimate_if_success"] = _ratio(np.nan_to_num(of.estimate[keep]), won)
    found["effect_if_success"] = _ratio(of.effect[keep], won.sum(axis=1))
    return found


def _ratio(values: Any, weights: Any) -> float:
    total = float(np.sum(weights))
    return float(np.sum(values * weights)) / total if total > 0.0 else np.nan


def exceedance(of: SizeTrials) -> list[dict[str, float]]:
    """Return the chance of a power of at least 0, 0.01, ..., 1."""
    if not len(of.power):
        return []
    noise = noise_of_shares(of.success)

    def chances(keep: Flags) -> Array:
        clean = np.sort(without_noise(of.power[keep], noise))
        return 1.0 - np.searchsorted(clean, EXCEEDANCE - 1e-12, side="left") / len(clean)

    values, errors = delete_a_group(chances, of.groups)
    n_groups = len(np.unique(of.groups))
    rows = []
    for power, value, error in zip(EXCEEDANCE.tolist(), values.tolist(), errors.tolist(), strict=True):
        low, high = t_interval(value, error, n_groups)
        rows.append({"power": power, "chance": value, "low": max(low, 0.0), "high": min(high, 1.0)})
    return rows


def by_effect(of: SizeTrials) -> list[dict[str, float]]:
    """Return mean power in bins of effects that hold about as many draws each."""
    if not len(of.power):
        return []
    edges = np.unique(np.quantile(of.effect, np.linspace(0.0, 1.0, EFFECT_BINS + 1)))
    place = np.clip(np.searchsorted(edges, of.effect, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for b in np.unique(place):
        power, effect = of.power[place == b], of.effect[place == b]
        low, high = 0.0, 1.0
        if len(power) > 1:
            low, high = t_interval(float(power.mean()), float(power.std(ddof=1)) / len(power) ** 0.5, len(power))
        rows.append({
            "effect": float(effect.mean()), "from": float(effect.min()), "to": float(effect.max()),
            "power": float(power.mean()), "low": max(low, 0.0), "high": min(high, 1.0), "draws": len(power),
        })  # fmt: skip
    return rows
