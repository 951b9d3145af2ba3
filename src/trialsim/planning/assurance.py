"""Assurance by simulation: power averaged over the priors of a scenario, and what else follows from its distribution.

References
----------
O'Hagan A, Stevens JW, Campbell MJ (2005). Assurance in clinical trial design. Pharmaceutical Statistics 4:187-201.
Kunzmann K, Grayling MJ, Lee KM, Robertson DS, Rufibach K, Wason JMS (2021). A review of Bayesian perspectives on sample
size derivation for confirmatory trials. The American Statistician 75:424-432.
Louis TA (1984). Estimating a population of parameter values using Bayes and empirical Bayes methods. Journal of the
American Statistical Association 79:393-398.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.successes import Asked, Goal, ask
from trialsim.errors import Fault, InputError
from trialsim.kernels.jackknife import delete_a_group, t_interval
from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.planning.pilot import PilotValue, pilot_values
from trialsim.planning.prior_draws import GROUPS, PriorDraws, draw_priors, without_priors
from trialsim.planning.prior_trials import Drawn, Report, Setup, benefit_of, simulate, trials_of
from trialsim.planning.sampling import called
from trialsim.scenario import resolve
from trialsim.scenario.loading import Scenario
from trialsim.scenario.priors import beliefs
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

OWN_BLOCKS = 4
"""Blocks of replicates at the scenario's own values."""
FEWEST_DRAWS, MOST_DRAWS = 2 * GROUPS, 100_000
POWER_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ESTIMATE_QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
EXCEEDANCE = np.linspace(0.0, 1.0, 101)
EFFECT_BINS = 12


class Asking(NamedTuple):
    """What is asked of the priors.

    Attributes
    ----------
    threshold : float
        Power that makes a trial worth running.
    relevant : float or None
        Smallest benefit that matters, in the unit of the effect; None: any benefit.
    go : float
        Assurance from which the trial would be run.
    """

    threshold: float
    relevant: float | None
    go: float


@dataclass(frozen=True, slots=True)
class Told:
    """A number with its Monte Carlo standard error and 95 % interval, over draws and the replicates within them."""

    value: float
    mcse: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SizeAssurance:
    """What the priors make of a trial of one size.

    Parameters
    ----------
    n_total : int
        Patients randomised.
    measures : dict of str to Told
        See docs/concepts/assurance.md; those of what never occurs are left out.
    own_power, own_mcse : float
        Power at the scenario's own values.
    failed : int
        Trials without an estimate.
    noise_share : float
        Share of the variance of the draws' powers that is noise of their replicates; taken out of the distribution.
    exceedance : list of dict
        Rows `power`, `chance` (of a power at least that), `low`, `high`.
    by_effect : list of dict
        Rows `effect`, `from`, `to`, `power`, `low`, `high`, `draws`: mean power in draws with nearly the same effect.
    """

    n_total: int
    measures: Mapping[str, Told]
    own_power: float
    own_mcse: float
    failed: int
    noise_share: float
    exceedance: list[dict[str, float]]
    by_effect: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class CellAssurance:
    """Assurance for one combination of varied values.

    Parameters
    ----------
    settings : dict
        Value of each varied path; empty where nothing is varied.
    draws, left_out : int
        Draws of the priors that were simulated, and those that no scenario can have.
    effect_exact : bool
        Whether the model gives the true effects exactly.
    measures : dict of str to Told
        Of the priors alone: `benefit`, `relevant`, `claimable` (chances), `effect` (mean), `effect_sd`.
    sizes : tuple of SizeAssurance
        Rising.
    pilots : tuple of PilotValue
    table : dict of str to list of float
        One entry a draw: value of each path, `effect`, and `power_N` by size.
    """

    settings: Mapping[str, Any]
    draws: int
    left_out: int
    effect_exact: bool
    measures: Mapping[str, Told]
    sizes: tuple[SizeAssurance, ...]
    pilots: tuple[PilotValue, ...]
    table: Mapping[str, list[float]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Assurance:
    """The answer of `assurance`.

    Parameters
    ----------
    title, goal, hypothesis, measure : str
        Of the scenario; what is to succeed; the first hypothesis and the measure of its effect.
    benefit_sign : int
        1 where a positive effect is a benefit, -1 where a negative one is.
    threshold, go : float
    relevant : float or None
    priors : dict of str to str
        Distribution by path.
    replicates, trials : int
        Of each draw; simulated in all.
    cells : tuple of CellAssurance
    notes : tuple of str
    """

    title: str
    goal: Goal
    hypothesis: str
    measure: str
    benefit_sign: int
    threshold: float
    go: float
    relevant: float | None
    priors: Mapping[str, str]
    replicates: int
    trials: int
    cells: tuple[CellAssurance, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        return {"schema": 1, "kind": "assurance", **asdict(self)}


def assurance(
    scenarios: Mapping[int, tuple[Mapping[str, Any], Scenario]],
    *,
    draws: int,
    asking: Asking,
    goal: Goal = "primary",
    pilots: tuple[int, ...] = (),
    leave_out: bool = False,
    workers: int = 1,
    progress: Report | None = None,
) -> Assurance:
    """Return power averaged over the priors of a scenario.

    Parameters
    ----------
    scenarios : mapping of int to (mapping, Scenario)
        By position: the varied values and a scenario with base values only.
    draws : int
        Of the priors; rounded up to a multiple of `GROUPS`.
    asking : Asking
    goal : {'primary', 'all'}
        The primary hypothesis alone, or all of them in the same trial.
    pilots : tuple of int
        Numbers randomised in pilots whose value is asked for.
    leave_out : bool
        Leave out draws that no scenario can have.
    workers : int
        The answer does not depend on it.
    progress : callable, optional
        Called with (draws done, draws in all).

    Raises
    ------
    InputError
        If there is no prior, a number is out of range, or a draw cannot be.
    """
    first = scenarios[0][1]
    _check(first, draws, asking, pilots)
    number = -(-draws // GROUPS) * GROUPS
    cells = []
    for position, (settings, scenario) in scenarios.items():
        report = None if progress is None else _from(progress, position * number, len(scenarios) * number)
        cells.append(_cell(scenario, settings, number, asking, goal, pilots, leave_out, workers, report))
    asked = _asked(without_priors(first), goal)
    member = asked.members[0]
    estimand = asked.variant.estimands[member.estimand]
    trials = sum(cell.draws for cell in cells) * BLOCK_SIZE * (len(cells[0].sizes) + len(pilots))
    return Assurance(
        title=first.title,
        goal=goal,
        hypothesis=called(asked, 0),
        measure=estimand.analyses[member.analysis].measure,
        benefit_sign=int(benefit_of(asked, 1.0)),
        threshold=asking.threshold,
        go=asking.go,
        relevant=asking.relevant,
        priors={belief.path: belief.prior.name or belief.prior.formula for belief in beliefs(first.content.priors)},
        replicates=BLOCK_SIZE,
        trials=trials + OWN_BLOCKS * BLOCK_SIZE * len(cells) * len(cells[0].sizes),
        cells=tuple(cells),
        notes=(),
    )


def _from(progress: Report, before: int, total: int) -> Report:
    return lambda done, _: progress(before + done, total)


def _check(scenario: Scenario, draws: int, asking: Asking, pilots: tuple[int, ...]) -> None:
    faults = []
    if not scenario.content.priors:
        message = "there are none to average over: say what is believed, such as effects.ketamine.specific_share: "
        faults.append(Fault("priors", f"{message}{{beta: {{mean: 0.34, sd: 0.17}}}}", file=scenario.file))
    if not FEWEST_DRAWS <= draws <= MOST_DRAWS:
        faults.append(Fault("draws", f"must lie between {FEWEST_DRAWS} and {MOST_DRAWS:,}; got {draws}"))
    for name, value in (("threshold", asking.threshold), ("go", asking.go)):
        if not 0.0 < value < 1.0:
            faults.append(Fault(name, f"must lie between 0 and 1; got {value:g}"))
    if asking.relevant is not None and not asking.relevant >= 0.0:
        faults.append(Fault("relevant", f"is the size of a benefit, at least 0; got {asking.relevant:g}"))
    faults += [Fault("pilot", f"must be from 4 to 10,000 patients; got {n}") for n in pilots if not 4 <= n <= 10_000]
    if len(set(pilots)) < len(pilots):
        faults.append(Fault("pilot", "the same number of patients is given twice"))
    if faults:
        raise InputError(faults)


def _asked(scenario: Scenario, goal: Goal) -> Asked:
    resolved = resolve(scenario)
    return ask(resolved.variants[0], resolved.hash, goal)


def _cell(
    scenario: Scenario,
    settings: Mapping[str, Any],
    number: int,
    asking: Asking,
    goal: Goal,
    pilots: tuple[int, ...],
    leave_out: bool,
    workers: int,
    progress: Report | None,
) -> CellAssurance:
    draws = draw_priors(scenario, number)
    bare = without_priors(scenario)
    resolved = resolve(bare)
    asked = ask(resolved.variants[0], resolved.hash, goal)
    setup = Setup(bare, tuple(sorted(resolved.variants[0].sample_sizes)), tuple(sorted(pilots)), goal)
    by_draw = trials_of(setup, draws, workers, progress, leave_out=leave_out)
    bare_setup = Setup(bare, setup.sizes, (), goal)
    own = [simulate(asked, bare_setup, resolved.seed, block) for block in range(OWN_BLOCKS)]
    return _summary(setup, draws, by_draw, own, asking, int(benefit_of(asked, 1.0)), settings)


class _Of(NamedTuple):
    """Trials of one size, over M draws.

    Attributes
    ----------
    power, twin : ndarray, shape (M,)
    estimate, success : ndarray, shape (M, R)
        Success is 0 or 1; both NaN where an analysis failed.
    effect, benefit : ndarray, shape (M,)
        The latter signed so that more is better.
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
    groups: NDArray[np.intp]


def _summary(
    setup: Setup,
    draws: PriorDraws,
    by_draw: Mapping[int, Drawn],
    own: list[Drawn],
    asking: Asking,
    sign: int,
    settings: Mapping[str, Any],
) -> CellAssurance:
    kept = list(by_draw)
    groups, found = draws.groups[kept], list(by_draw.values())
    effect = np.array([one.effect for one in found])
    claimable = np.array([one.claimable for one in found])
    sizes, table = [], {path: draws.values[kept, p].tolist() for p, path in enumerate(draws.paths)}
    table["effect"] = effect.tolist()
    of_last = None
    for s, n in enumerate(setup.sizes):
        usable = np.stack([one.usable[s] for one in found])
        success = np.where(usable, np.stack([one.found[s] for one in found]), np.nan)
        of = _Of(
            power=np.array([_mean(row) for row in success]),
            twin=np.array([one.twin[s] for one in found]),
            estimate=np.stack([one.estimate[s] for one in found]),
            success=success,
            effect=effect,
            benefit=sign * effect,
            claimable=claimable,
            groups=groups,
        )
        here = [one.found[s][one.usable[s]] for one in own]
        seen = np.concatenate(here)
        sizes.append(_of_size(n, of, asking, float(seen.mean()) if len(seen) else np.nan, len(seen), int((~usable).sum())))
        table[f"power_{n}"] = of.power.tolist()
        of_last = of
    if of_last is None:
        raise ValueError("a scenario has at least one sample size")
    pilots = pilot_values(
        setup.pilots, np.stack([one.pilot for one in found]), of_last.power, of_last.success, groups, asking.go
    )
    return CellAssurance(
        settings=settings,
        draws=len(found),
        left_out=len(draws.values) - len(found),
        effect_exact=all(one.exact for one in found),
        measures=_told(lambda keep: _of_priors(of_last, asking, keep), groups, ()),
        sizes=tuple(sizes),
        pilots=pilots,
        table=table,
    )


def _mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan


def _told(statistic: Any, groups: NDArray[np.intp], shares: tuple[str, ...]) -> dict[str, Told]:
    """Return the numbers of a statistic with their errors; `shares` are kept between 0 and 1."""
    names = list(statistic(np.ones(len(groups), dtype=bool)))
    values, errors = delete_a_group(lambda keep: np.array(list(statistic(keep).values())), groups)
    n_groups = len(np.unique(groups))
    told = {}
    for name, value, error in zip(names, values.tolist(), errors.tolist(), strict=True):
        if not np.isfinite(value):
            continue
        low, high = t_interval(value, error, n_groups)
        if name in shares:
            low, high = max(low, 0.0), min(high, 1.0)
        told[name] = Told(value, error, low, high)
    return told


def _of_priors(of: _Of, asking: Asking, keep: Flags) -> dict[str, float]:
    benefit = of.benefit[keep]
    told = {
        "benefit": float(np.mean(benefit > 0.0)),
        "claimable": float(np.mean(of.claimable[keep])),
        "effect": float(benefit.mean()) * (1.0 if np.all(of.effect == of.benefit) else -1.0),
        "effect_sd": float(benefit.std(ddof=1)),
    }
    if asking.relevant is not None:
        told["relevant"] = float(np.mean(benefit >= asking.relevant))
    return told


SHARES = (
    "assurance", "closed_form", "power_above", "success_and_benefit", "success_and_relevant", "power_if_benefit",
    "power_if_relevant", "benefit_if_success", "relevant_if_success", "false_claim_if_success",
    *(f"power_q{100 * q:g}" for q in POWER_QUANTILES),
)  # fmt: skip


def _of_size(n: int, of: _Of, asking: Asking, own: float, n_own: int, failed: int) -> SizeAssurance:
    sound = np.isfinite(of.power)
    if not sound.all():
        of = _Of(*(part[sound] for part in of))
    measures = _told(lambda keep: _measures(of, asking, keep), of.groups, SHARES)
    noise = _noise(of.success)
    total = float(np.var(of.power, ddof=1))
    return SizeAssurance(
        n_total=n,
        measures=measures,
        own_power=own,
        own_mcse=mcse_proportion(own, n_own),
        failed=failed,
        noise_share=1.0 if total == 0.0 else min(noise / total, 1.0),
        exceedance=_exceedance(of),
        by_effect=_by_effect(of),
    )


def _noise(success: Array) -> float:
    """Return the mean variance that a draw's power has from its finite number of replicates."""
    count = np.sum(np.isfinite(success), axis=1)
    power = np.nanmean(success, axis=1)
    return float(np.mean(power * (1.0 - power) / np.maximum(count - 1, 1)))


def shrunk(values: Array, noise: float) -> Array:
    """Return noisy values drawn together, so that their variance is that without the noise.

    Parameters
    ----------
    values : ndarray, shape (M,)
    noise : float
        Mean variance of the noise in each.

    Notes
    -----
    Louis (1984): an ensemble whose first two moments are those of the true values.
    """
    total = float(np.var(values, ddof=1)) if len(values) > 1 else 0.0
    factor = np.sqrt(max(total - noise, 0.0) / total) if total > 0.0 else 0.0
    return np.asarray(values.mean() + factor * (values - values.mean()))


def _measures(of: _Of, asking: Asking, keep: Flags) -> dict[str, float]:
    power, benefit = of.power[keep], of.benefit[keep]
    clean = shrunk(power, _noise(of.success[keep]))
    helps, expected = benefit > 0.0, float(power.mean())
    told = {
        "assurance": expected,
        "closed_form": float(of.twin[keep].mean()),
        "closed_form_difference": float((power - of.twin[keep]).mean()),
        "power_above": float(np.mean(clean >= asking.threshold)),
        "power_sd": float(clean.std(ddof=1)),
        **{
            f"power_q{100 * q:g}": float(value)
            for q, value in zip(POWER_QUANTILES, np.quantile(clean, POWER_QUANTILES), strict=True)
        },
        "success_and_benefit": float(np.mean(power * helps)),
        "power_if_benefit": _ratio(power, helps),
        "benefit_if_success": _ratio(helps, power),
        "false_claim_if_success": _ratio(~of.claimable[keep], power),
    }
    if asking.relevant is not None:
        matters = benefit >= asking.relevant
        told["success_and_relevant"] = float(np.mean(power * matters))
        told["power_if_relevant"] = _ratio(power, matters)
        told["relevant_if_success"] = _ratio(matters, power)
    return told | _predicted(of, keep)


def _ratio(values: Any, weights: Any) -> float:
    total = float(np.sum(weights))
    return float(np.sum(values * weights)) / total if total > 0.0 else np.nan


def _predicted(of: _Of, keep: Flags) -> dict[str, float]:
    """Return the prior-predictive distribution of the estimate, and how success exaggerates it."""
    estimate, success = of.estimate[keep], of.success[keep]
    seen = estimate[np.isfinite(estimate)]
    told = {
        f"estimate_q{100 * q:g}": float(value)
        for q, value in zip(ESTIMATE_QUANTILES, np.quantile(seen, ESTIMATE_QUANTILES), strict=True)
    }
    won = np.where(np.isfinite(success) & np.isfinite(estimate), success, 0.0)
    told["estimate_if_success"] = _ratio(np.nan_to_num(estimate), won)
    told["effect_if_success"] = _ratio(of.effect[keep], won.sum(axis=1))
    return told


def _exceedance(of: _Of) -> list[dict[str, float]]:
    noise = _noise(of.success)

    def chances(keep: Flags) -> Array:
        clean = np.sort(shrunk(of.power[keep], noise))
        return 1.0 - np.searchsorted(clean, EXCEEDANCE - 1e-12, side="left") / len(clean)

    values, errors = delete_a_group(chances, of.groups)
    n_groups = len(np.unique(of.groups))
    rows = []
    for power, value, error in zip(EXCEEDANCE.tolist(), values.tolist(), errors.tolist(), strict=True):
        low, high = t_interval(value, error, n_groups)
        rows.append({"power": power, "chance": value, "low": max(low, 0.0), "high": min(high, 1.0)})
    return rows


def _by_effect(of: _Of) -> list[dict[str, float]]:
    """Return mean power in bins of effects that hold about as many draws each."""
    edges = np.unique(np.quantile(of.effect, np.linspace(0.0, 1.0, EFFECT_BINS + 1)))
    place = np.clip(np.searchsorted(edges, of.effect, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for b in np.unique(place):
        power, effect = of.power[place == b], of.effect[place == b]
        error = float(power.std(ddof=1)) / np.sqrt(len(power)) if len(power) > 1 else np.nan
        low, high = t_interval(float(power.mean()), error, len(power)) if len(power) > 1 else (np.nan, np.nan)
        rows.append({
            "effect": float(effect.mean()), "from": float(effect.min()), "to": float(effect.max()),
            "power": float(power.mean()), "low": max(low, 0.0), "high": min(high, 1.0), "draws": len(power),
        })  # fmt: skip
    return rows
