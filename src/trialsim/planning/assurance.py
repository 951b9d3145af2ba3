"""Assurance by simulation: power averaged over the priors of a scenario, and what else follows from its distribution.

References
----------
O'Hagan A, Stevens JW, Campbell MJ (2005). Assurance in clinical trial design. Pharmaceutical Statistics 4:187-201.
Kunzmann K, Grayling MJ, Lee KM, Robertson DS, Rufibach K, Wason JMS (2021). A review of Bayesian perspectives on sample
size derivation for confirmatory trials. The American Statistician 75:424-432.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.successes import Asked, Goal, ask
from trialsim.errors import Fault, InputError
from trialsim.kernels.ensembles import noise_of_shares
from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.planning.assurance_measures import (
    CHANCES,
    Asking,
    SizeTrials,
    Told,
    by_effect,
    exceedance,
    of_priors,
    of_trials,
    told,
)
from trialsim.planning.pilot import PilotValue, pilot_values
from trialsim.planning.plain import without_nan
from trialsim.planning.prior_draws import GROUPS, PriorDraws, draw_priors, without_priors
from trialsim.planning.prior_trials import Drawn, Report, Setup, sign_of_benefit, simulate, trials_of
from trialsim.planning.sampling import called, name_of
from trialsim.scenario import resolve
from trialsim.scenario.loading import Scenario
from trialsim.scenario.paths import key_mark
from trialsim.scenario.priors import beliefs
from trialsim.streams import BLOCK_SIZE

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

OWN_BLOCKS = 4
"""Blocks of replicates at the scenario's own values."""
FEWEST_DRAWS, MOST_DRAWS = 2 * GROUPS, 100_000
PILOT_SIZES = (4, 10_000)


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
    title, goal, hypothesis, hypothesis_label, measure : str
        Of the scenario; what is to succeed, by name and in words; the measure of the first hypothesis's effect.
    estimated : str
        The first hypothesis, of which benefit, true effect and estimate are told, where several are to be found in the
        same trial; empty where there is one.
    benefit_sign : int
        1 where a positive effect is a benefit, -1 where a negative one is, 0 for an interaction, which is neither.
    threshold, go : float
    relevant : float or None
    priors : dict of str to str
        Distribution by path.
    replicates, trials : int
        Of each draw; simulated in all.
    cells : tuple of CellAssurance
    """

    title: str
    goal: Goal
    hypothesis: str
    hypothesis_label: str
    measure: str
    estimated: str
    benefit_sign: int
    threshold: float
    go: float
    relevant: float | None
    priors: Mapping[str, str]
    replicates: int
    trials: int
    cells: tuple[CellAssurance, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "assurance", **asdict(self)})
        return told


def assurance(
    cells: Sequence[tuple[Mapping[str, Any], Scenario]],
    asking: Asking,
    *,
    workers: int = 1,
    progress: Report | None = None,
) -> Assurance:
    """Return power averaged over the priors of a scenario.

    Parameters
    ----------
    cells : sequence of (mapping, Scenario)
        Varied values, and a scenario with base values only.
    asking : Asking
    workers : int
        The answer does not depend on it.
    progress : callable, optional
        Called with (draws done, draws in all).

    Raises
    ------
    InputError
        If there is no prior, a number is out of range, or a draw cannot be.
    """
    first = cells[0][1]
    _check(first, asking)
    asked = _asked(without_priors(first), asking)
    if asking.relevant is not None and sign_of_benefit(asked) == 0:
        raise InputError([Fault("relevant", "is the size of a benefit, and an interaction has none; leave it out")])
    total = len(cells) * _draws(asking)
    answers = [
        _cell(scenario, settings, asking, workers, _from(progress, position * _draws(asking), total))
        for position, (settings, scenario) in enumerate(cells)
    ]
    member = asked.members[0]
    estimand = asked.variant.estimands[member.estimand]
    n_sizes = len(answers[0].sizes)
    per_draw, own = n_sizes + len(asking.pilots), OWN_BLOCKS * n_sizes
    return Assurance(
        title=first.title,
        goal=asking.goal,
        hypothesis=called(asked, 0),
        hypothesis_label=_label(asked, estimand.label),
        measure=estimand.analyses[member.analysis].measure,
        estimated=name_of(asked, member) if asked.together and len(asked.members) > 1 else "",
        benefit_sign=sign_of_benefit(asked),
        threshold=asking.threshold,
        go=asking.go,
        relevant=asking.relevant,
        priors={belief.path: belief.prior.name or belief.prior.formula for belief in beliefs(first.content.priors)},
        replicates=BLOCK_SIZE,
        trials=BLOCK_SIZE * sum(cell.draws * per_draw + own for cell in answers),
        cells=tuple(answers),
    )


def _draws(asking: Asking) -> int:
    return -(-asking.draws // GROUPS) * GROUPS


def _from(progress: Report | None, before: int, total: int) -> Report | None:
    return None if progress is None else lambda done, _: progress(before + done, total)


def _check(scenario: Scenario, asking: Asking) -> None:
    faults = []
    if not scenario.content.priors:
        message = "there are none to average over: say what is believed, such as effects.ketamine.specific_share: "
        faults.append(Fault("priors", f"{message}{{beta: {{mean: 0.34, sd: 0.17}}}}", file=scenario.file))
    if not FEWEST_DRAWS <= asking.draws <= MOST_DRAWS:
        faults.append(Fault("draws", f"must lie between {FEWEST_DRAWS} and {MOST_DRAWS:,}; got {asking.draws}"))
    for name in ("threshold", "go"):
        if not 0.0 < getattr(asking, name) < 1.0:
            faults.append(Fault(name, f"must lie between 0 and 1; got {getattr(asking, name):g}"))
    if asking.relevant is not None and not 0.0 <= asking.relevant < math.inf:
        faults.append(Fault("relevant", f"is the size of a benefit, at least 0; got {asking.relevant:g}"))
    for n in asking.pilots:
        if not PILOT_SIZES[0] <= n <= PILOT_SIZES[1]:
            faults.append(Fault("pilot", f"must have {PILOT_SIZES[0]} to {PILOT_SIZES[1]:,} patients; got {n}"))
    if len(set(asking.pilots)) < len(asking.pilots):
        faults.append(Fault("pilot", "the same number of patients is given twice"))
    if faults:
        raise InputError(faults)


def _label(asked: Asked, label: str) -> str:
    """Return what is to succeed, in words, with the procedure that it is tested within."""
    if asked.together:
        return called(asked, 0)
    return f"{label}, within {asked.procedure.replace('_', ' ')}" if asked.procedure else label


def _asked(scenario: Scenario, asking: Asking) -> Asked:
    resolved = resolve(scenario)
    return ask(resolved.variants[0], resolved.hash, asking.goal)


def _cell(
    scenario: Scenario, settings: Mapping[str, Any], asking: Asking, workers: int, progress: Report | None
) -> CellAssurance:
    draws = draw_priors(scenario, _draws(asking))
    bare = without_priors(scenario)
    asked = _asked(bare, asking)
    sizes = tuple(sorted(asked.variant.sample_sizes))
    place = key_mark(scenario.base.root, ("priors",))
    setup = Setup(bare, sizes, tuple(sorted(asking.pilots)), asking.goal, place)
    found = trials_of(setup, draws, workers, progress, leave_out=asking.leave_out)
    without_pilots = replace(setup, pilots=())
    seed = bare.content.simulation.seed
    own = [simulate(asked, without_pilots, seed, block) for block in range(OWN_BLOCKS)]
    return _summary(setup, draws, found, own, asking, sign_of_benefit(asked), settings)


def _summary(
    setup: Setup,
    draws: PriorDraws,
    by_draw: Mapping[int, Drawn],
    own: Sequence[Drawn],
    asking: Asking,
    sign: int,
    settings: Mapping[str, Any],
) -> CellAssurance:
    kept, found = list(by_draw), list(by_draw.values())
    groups = draws.groups[kept]
    of_sizes = [_trials_of_size(s, found, sign, groups) for s in range(len(setup.sizes))]
    table = {path: draws.values[kept, p].tolist() for p, path in enumerate(draws.paths)}
    table["effect"] = of_sizes[-1].effect.tolist()
    table |= {f"power_{n}": of.power.tolist() for n, of in zip(setup.sizes, of_sizes, strict=True)}
    shown = np.stack([one.pilot for one in found])
    return CellAssurance(
        settings=settings,
        draws=len(found),
        left_out=len(draws.values) - len(found),
        effect_exact=all(one.exact for one in found),
        measures=_of_the_priors(of_sizes[-1], asking),
        sizes=tuple(
            _of_size(n, of, asking, [one.found[s][one.usable[s]] for one in own])
            for s, (n, of) in enumerate(zip(setup.sizes, of_sizes, strict=True))
        ),
        pilots=pilot_values(setup.pilots, shown, of_sizes[-1].power, of_sizes[-1].success, groups, asking.go),
        table=table,
    )


def _of_the_priors(of: SizeTrials, asking: Asking) -> dict[str, Told]:
    known = of.only(np.isfinite(of.effect))
    if not len(known.effect):
        return {}
    counted = CHANCES if np.ptp(known.effect) > 0.0 else ()  # with the same effect in all draws they are known
    return told(lambda keep: of_priors(known, asking, keep), known.groups, shares=CHANCES, counted=counted)


def _trials_of_size(s: int, found: Sequence[Drawn], sign: int, groups: NDArray[np.intp]) -> SizeTrials:
    effect = np.array([one.effect for one in found])
    success = np.stack([np.where(one.usable[s], one.found[s], np.nan) for one in found])
    usable = np.isfinite(success).sum(axis=1)
    with np.errstate(invalid="ignore"):
        power = np.nansum(success, axis=1) / usable
    return SizeTrials(
        power=power,
        twin=np.array([one.twin[s] for one in found]),
        estimate=np.stack([one.estimate[s] for one in found]),
        success=success,
        effect=effect,
        benefit=sign * effect,
        claimable=np.array([one.claimable for one in found]),
        groups=groups,
    )


def _of_size(n: int, of: SizeTrials, asking: Asking, own: Sequence[NDArray[np.bool_]]) -> SizeAssurance:
    failed = int(np.isnan(of.success).sum())
    sound = of.only(np.isfinite(of.power))
    at_own = np.concatenate(own)
    own_power = float(at_own.mean()) if len(at_own) else math.nan
    total = float(np.var(sound.power, ddof=1)) if len(sound.power) > 1 else 0.0
    return SizeAssurance(
        n_total=n,
        measures=of_trials(sound, asking),
        own_power=own_power,
        own_mcse=mcse_proportion(own_power, len(at_own)),
        failed=failed,
        noise_share=1.0 if total == 0.0 else min(noise_of_shares(sound.success) / total, 1.0),
        exceedance=exceedance(sound),
        by_effect=by_effect(sound),
    )
