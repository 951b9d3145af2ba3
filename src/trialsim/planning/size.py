"""The smallest number of patients for a power, by simulation of the scenario itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from trialsim.engine.successes import Asked, Goal, ask
from trialsim.errors import Fault, InputError
from trialsim.kernels.montecarlo import wilson_interval
from trialsim.planning.clinical import ClinicalEffect, TrueEffect, clinical_effect, true_effects
from trialsim.planning.closed_form import ALONE, ClosedForm, closed_form
from trialsim.planning.first_guess import first_guess
from trialsim.planning.reached import Reached
from trialsim.planning.recruitment import recruitment_of
from trialsim.planning.sampling import (
    MOST_TRIALS,
    Sampler,
    aim_of,
    blocking,
    called,
    claimed,
    curve_rows,
    highest,
    nobody_seen,
    nothing_to_find,
    rounded_up,
    why,
)
from trialsim.planning.screening import Screening, screening_of
from trialsim.planning.search import Z95, Aim, Axis, Found, Progress, Task, search
from trialsim.scenario.resolved import Resolved, Variant

MOST_PATIENTS = 20_000
"""Far beyond any trial in the field: what takes more is out of reach, and not worth the hours to find out how far."""

MOST_SCORES = 400_000
"""Scores of a trial, baselines among them: what a block of trials of the largest size may take of memory."""
BLOCKS_AT_MOST = 8
"""Simulated where there may be fewer patients than are needed."""

FEWEST = 4
"""Patients in each arm and stratum, on average, of the smallest trial that is tried."""


@dataclass(frozen=True, slots=True)
class PowerThere:
    """Power at a size by the fitted curve, with its 95 % interval."""

    power: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class RequiredSize:
    """How many patients a power takes.

    Parameters
    ----------
    reached : bool
        Whether there is such a number.
    reason : str
        Why there is none, or why it is less precise than asked for; empty where all is well.
    title, goal, hypothesis : str
        Of the scenario; what was wanted; the hypothesis that needs most.
    procedure : str
        That it is tested within; empty where it is tested alone.
    power, precision : float
        As asked for.
    n_total, n_low, n_high : int or None
        Number randomised and the ends of its 95 % interval, rounded up to whole multiples of the allocation ratio.
    n_exact : float or None
        Before rounding.
    half_width : float or None
        Of the interval, relative.
    arms : dict of str to int
        Number randomised to each arm.
    at_n_total : PowerThere or None
    share_missing : float or None
        Of the randomised without a score at the visit; None where nothing was simulated.
    completers, to_screen : int or None
        Expected with `n_total` randomised; completers of those whom recruitment reaches, where it ends before.
    recruitment : Reached or None
        Where recruitment ends before all trials have their number, what it reaches of `n_total`; of the largest number
        tried where the power is not reached. None where every trial has its number.
    screening : Screening
    patients_per_percent : float or None
        How many more one more percentage point of power takes here.
    best_n, best_power : float or None
        The highest power seen, and where; of no more than `most_patients`, where there is such a limit.
    most_patients : int or None
        That there may be.
    closed_form : ClosedForm or None
        Size by formula of the hypothesis that needs most; None where none applies, or where all are to be found in the
        same trial.
    clinical : ClinicalEffect or None
        True effect of the estimand that needs most in the words of the clinic; of one that no number finds, if there is
        one.
    true_effects : tuple of TrueEffect
        Of each hypothesis, where several are to be found in the same trial.
    trials, blocks : int
        Simulated trials, and blocks of replicates.
    curve : list of dict
        Rows `kind` (fitted or simulated), `at` (N), `power`, `low`, `high`, `replicates`, `failed`.
    notes : tuple of str
        What was left aside.
    """

    reached: bool
    reason: str
    title: str
    goal: Goal
    hypothesis: str
    procedure: str
    power: float
    precision: float
    n_total: int | None
    n_low: int | None
    n_high: int | None
    n_exact: float | None
    half_width: float | None
    arms: Mapping[str, int]
    at_n_total: PowerThere | None
    share_missing: float | None
    completers: int | None
    to_screen: int | None
    recruitment: Reached | None
    screening: Screening
    patients_per_percent: float | None
    best_n: int | None
    best_power: float | None
    most_patients: int | None
    closed_form: ClosedForm | None
    clinical: ClinicalEffect | None
    true_effects: tuple[TrueEffect, ...]
    trials: int
    blocks: int
    curve: list[dict[str, Any]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        clinical = None if self.clinical is None else self.clinical.to_dict()
        effects = [effect.to_dict() for effect in self.true_effects]
        return {"schema": 1, "kind": "required_size", **asdict(self), "clinical": clinical, "true_effects": effects}


def required_size(
    resolved: Resolved,
    *,
    power: float,
    precision: float = 0.02,
    goal: Goal = "primary",
    workers: int = 1,
    most_trials: int = MOST_TRIALS,
    most_patients: int | None = None,
    progress: Progress | None = None,
) -> RequiredSize:
    """Return the smallest number of patients for a power.

    Parameters
    ----------
    resolved : Resolved
        Its first variant is simulated.
    power : float
        From 0.1 to 0.99.
    precision : float
        Relative half-width of the 95 % interval at which simulation stops, from 0.002 to 0.5.
    goal : {'primary', 'each', 'all'}
        The primary hypothesis alone; each hypothesis; or all of them in the same trial.
    workers : int
        The answer does not depend on it.
    most_trials : int
        Budget of simulated trials.
    most_patients : int, optional
        That there may be; a power that takes more is out of reach, and the one with so many is told.
    progress : callable, optional
        Called with (blocks done, blocks expected).

    Raises
    ------
    InputError
        If a number is out of range.
    """
    variant = resolved.variants[0]
    axis = _axis(variant)
    if most_patients is not None and most_patients < axis.least:
        message = f"must be at least {axis.least:.0f}, the smallest trial that is tried; got {most_patients}"
        raise InputError([Fault("most patients", message)])
    searched = search_size(
        resolved,
        power=power,
        precision=precision,
        goal=goal,
        workers=workers,
        most_trials=most_trials,
        progress=progress,
    )
    answer = _answer(resolved, goal, searched, axis)
    if most_patients is not None:
        most = round(axis.step) * (most_patients // round(axis.step))
        answer = _within(replace(answer, most_patients=most_patients), searched, most)
    return _recruited(answer, resolved) if searched.possible else answer


def _recruited(answer: RequiredSize, resolved: Resolved) -> RequiredSize:
    """Return an answer with what recruitment reaches of its number, where that may be less."""
    most = math.inf if answer.most_patients is None else answer.most_patients
    tried = (round(row["at"]) for row in answer.curve if row["at"] <= most)
    n = answer.n_total if answer.reached else max(tried, default=None)
    if n is None:
        return answer
    reached = recruitment_of(resolved.variants[0], n, seed=resolved.seed, replicates=resolved.replicates)
    if reached is None or answer.share_missing is None or answer.completers is None:
        return replace(answer, recruitment=reached)
    completers = math.floor(reached.mean * (1.0 - answer.share_missing))
    return replace(answer, recruitment=reached, completers=completers)


class Searched(NamedTuple):
    """A search for a size.

    Attributes
    ----------
    asked, aim : Asked, Aim
        What was asked.
    found : Found
    reason : str
        How it ended, in words.
    sampler : Sampler
        What simulated it.
    possible : bool
        Whether some number of patients may be enough, so that there was a search.
    """

    asked: Asked
    aim: Aim
    found: Found
    reason: str
    sampler: Sampler
    possible: bool = True


def search_size(
    resolved: Resolved,
    *,
    power: float,
    precision: float,
    goal: Goal = "primary",
    workers: int = 1,
    most_trials: int = MOST_TRIALS,
    progress: Progress | None = None,
) -> Searched:
    """Return the search that `required_size` tells of, without what stands beside the number.

    Parameters
    ----------
    resolved, power, precision, goal, workers, most_trials, progress
        As of `required_size`.
    """
    variant = resolved.variants[0]
    asked = ask(variant, resolved.hash, goal)
    aim = aim_of(asked, power, precision, most_trials)
    axis = _axis(variant)
    sampler = Sampler(lambda places: ((asked, tuple(round(n) for n in places)),), resolved.seed, workers)
    impossible = nobody_seen(asked) or nothing_to_find(asked)
    if impossible:
        found = sampler.once(axis.nearest(max(variant.sample_sizes)), 0 if asked.together else blocking(asked))
        reason = f"The power of {100 * power:g} % cannot be reached: {impossible}.{_best_words(asked, found)}"
        return Searched(asked, aim, found, reason, sampler, possible=False)
    start = first_guess(asked.variant, asked.members, power)
    if start > axis.most:
        start = 0.1 * axis.most  # a formula may be wrong, and smaller trials soon show whether it is
    columns = 1 if asked.together else len(asked.members)
    found = search(sampler, axis, aim, start, hypotheses=columns, progress=progress)
    return Searched(asked, aim, found, why(found, aim, axis.most, in_patients), sampler)


def in_patients(place: float) -> str:
    """Return a place of a search for a size in words."""
    return f"{round(place):,} patients"


def _best_words(asked: Asked, found: Found) -> str:
    """Return the highest power seen as a sentence; where there is nothing to find, it is a claim and no power."""
    return (claimed if nothing_to_find(asked) else highest)(found, in_patients)


def _within(answer: RequiredSize, searched: Searched, most: int) -> RequiredSize:
    """Return an answer that takes no more than so many patients: where it took more, the power that they give."""
    found = searched.found
    simulated = [count for count in found.trials.counts(found.hypothesis) if count.usable]
    beyond = answer.n_total is not None and answer.n_total > most
    if not beyond and (answer.reached or all(count.place <= most for count in simulated)):
        return answer
    told = answer.reason.removesuffix(_best_words(searched.asked, found))  # perhaps of a size beyond what there may be
    first = max(found.trials.blocks) + 1
    tasks = [Task(first + i, (float(most),)) for i in range(BLOCKS_AT_MOST)]
    for task, tried in zip(tasks, searched.sampler(tasks), strict=True):
        found.trials.add(task.block, tried[0])
    there = next(count for count in found.trials.counts(found.hypothesis) if count.place == most)
    interval = wilson_interval(there.found, there.usable)
    if answer.n_total is not None:
        told = (
            f"The power of {100 * answer.power:g} % cannot be reached with {most:,} patients. "
            f"{answer.n_total:,} are needed"
        )
        told += "." if answer.n_low is None else f" (95 % interval {answer.n_low:,} to {answer.n_high:,})."
    power = there.found / there.usable if there.usable else None
    what = "the share of trials that claim it all the same" if nothing_to_find(searched.asked) else "the power"
    gives = "" if power is None else (
        f" With {most:,} {what} is {100 * power:.1f} % (95 % interval {100 * interval.low:.1f} to "
        f"{100 * interval.high:.1f} %)."
    )  # fmt: skip
    return replace(
        answer,
        reached=False,
        reason=f"{told}{gives}",
        best_n=most,
        best_power=power,
        trials=found.trials.number,
        blocks=len(found.trials.blocks),
        curve=curve_rows(found, float),
    )


def _axis(variant: Variant) -> Axis:
    """Return the sizes that are tried: whole multiples of the allocation ratio."""
    step = sum(variant.allocation.ratio)
    least = step * math.ceil(FEWEST * len(variant.strata) / min(variant.allocation.ratio))
    scores = len(variant.outcomes) * (len(variant.visits_days) + 1)
    most = step * (min(MOST_PATIENTS, MOST_SCORES // scores) // step)
    return Axis(0.5, float(least), float(max(most, least)), float(step))


def _answer(resolved: Resolved, goal: Goal, searched: Searched, axis: Axis) -> RequiredSize:
    asked, aim, found, reason, sampler, _ = searched
    variant, curve, best = resolved.variants[0], found.curve, found.best
    step = round(axis.step)
    exact = curve.place if curve is not None else axis.least if found.status == "smallest" else None
    total = None if exact is None else max(rounded_up(exact, step), round(axis.least))
    low, high = (None if math.isnan(end) else rounded_up(end, step) for end in found.interval)
    screening = screening_of(variant, resolved.hash)
    missing = sampler.share_missing(0 if asked.together else found.hypothesis)
    arms = {} if total is None else {
        name: total // step * part for name, part in zip(variant.arms, variant.allocation.ratio, strict=True)
    }  # fmt: skip
    there = None
    if curve is not None and total is not None:
        there = PowerThere(*(float(part[0]) for part in curve.band(np.array([float(total)]), Z95)))
    needy = asked.members[found.hypothesis if not asked.together else 0 if searched.possible else blocking(asked)]
    formula = None
    if searched.possible and not (asked.together and len(asked.members) > 1):
        formula = closed_form(asked.variant, asked.key, needy, aim.power, step=step, most=round(axis.most), curve=curve)
    if formula is not None and asked.variant.multiplicity is not None:
        formula = replace(formula, leaves_out=(ALONE, *formula.leaves_out))
    return RequiredSize(
        reached=total is not None,
        reason=reason,
        title=resolved.title,
        goal=goal,
        hypothesis=called(asked, found.hypothesis),
        procedure=asked.procedure,
        power=aim.power,
        precision=aim.precision,
        n_total=total,
        n_low=low,
        n_high=high,
        n_exact=exact,
        half_width=None if curve is None else found.half_width,
        arms=arms,
        at_n_total=there,
        share_missing=missing,
        completers=None if total is None else math.floor(total * (1.0 - missing)),
        to_screen=None if total is None else screening.number(total),
        recruitment=None,
        screening=screening,
        patients_per_percent=None if curve is None else 0.01 / curve.power_slope(),
        best_n=None if best is None else round(best.place),
        best_power=None if best is None else best.found / best.usable,
        most_patients=None,
        closed_form=formula,
        clinical=clinical_effect(asked.variant, asked.key, asked.variant.estimands[needy.estimand]),
        true_effects=true_effects(asked),
        trials=found.trials.number,
        blocks=len(found.trials.blocks),
        curve=curve_rows(found, float),
        notes=_notes(asked, goal),
    )


def _notes(asked: Asked, goal: Goal) -> tuple[str, ...]:
    """Return how hypotheses were tested where that may be taken otherwise."""
    plan = asked.variant.multiplicity
    if goal == "each" and plan is not None and plan.method == "co_primary":
        return ("Co-primary hypotheses are found together or not at all: each takes as many patients as all of them.",)
    if goal in ("primary", "alone") or plan is not None:
        return ()
    return ("The scenario has no multiplicity: every hypothesis is tested at its own level.",)
