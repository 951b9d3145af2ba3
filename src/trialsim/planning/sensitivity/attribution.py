"""Which assumptions the difference of power between two scenarios is due to: Shapley values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.engine.successes import Asked
from trialsim.errors import Fault, InputError
from trialsim.planning.plain import without_nan
from trialsim.planning.question_parts import LEAVING, question_parts, unlike
from trialsim.planning.sensitivity.differences import Difference, differences, mixed
from trialsim.planning.sensitivity.shapley import (
    Array,
    Coalition,
    coalitions,
    sampled_orders,
    sampled_value,
    shapley_weights,
)
from trialsim.planning.sensitivity.trials import (
    NO_ESTIMATE,
    Budget,
    Measured,
    Place,
    Question,
    alone_notes,
    blocks_for,
    checked_size,
    is_beyond_noise,
    simulate,
    size_for,
    standard_error,
    words_of,
)
from trialsim.scenario import Scenario, resolve
from trialsim.scenario.paths import find, split_path
from trialsim.scenario.resolved import Estimand, Variant
from trialsim.scenario.words import listed

EXACT_UP_TO = 8
PERMUTATIONS = 32
"""Orders that are sampled beyond, half of them the others reversed."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one assumption contributes.

    Parameters
    ----------
    name : str
    paths : tuple of str
    before, after : object
        In the first scenario and in the second, by path.
    contribution, mcse : float
        Shapley value in shares of trials, and its Monte Carlo standard error.
    alone, last : float
        Change if it alone is changed first, and if it is changed last; where they differ, assumptions act together.
    beyond_noise : bool
    """

    name: str
    paths: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]
    contribution: float
    mcse: float
    alone: float
    last: float
    beyond_noise: bool


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Why the power of two scenarios differs.

    Parameters
    ----------
    first, second : str
        Titles.
    estimand : str
    n_first, n_second, replicates : int
    power_first, power_second, difference : float
    mcse_first, mcse_second, difference_mcse : float
        The last is paired.
    exact : bool
        Whether all orders enter; otherwise a sample of them.
    settings : int
        Mixed scenarios that were simulated.
    contributions : tuple of Contribution
        Largest first; they add up to the difference.
    notes : tuple of str
    procedure : str
        The multiplicity procedure that power is within; empty for the test alone.
    members : int
        How many hypotheses a success finds.
    """

    first: str
    second: str
    estimand: str
    n_first: int
    n_second: int
    replicates: int
    power_first: float
    power_second: float
    difference: float
    mcse_first: float
    mcse_second: float
    difference_mcse: float
    exact: bool
    orders: int
    settings: int
    contributions: tuple[Contribution, ...]
    notes: tuple[str, ...]
    procedure: str
    members: int

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        told: dict[str, Any] = without_nan({"schema": 1, "kind": "attribution", **asdict(self)})
        return told


def attribution(
    first: Scenario,
    second: Scenario,
    *,
    budget: Budget,
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    together: Sequence[Sequence[str]] = (),
    exact_up_to: int = EXACT_UP_TO,
    permutations: int = PERMUTATIONS,
) -> Attribution:
    """Return what each assumption contributes to the difference of power between two scenarios.

    Parameters
    ----------
    first, second : Scenario
        Their base values. The seed is the first one's.
    budget : Budget
    estimand : str
        That both have and ask the same by: all that `question_parts` tells.
    n : int, optional
        Number randomised in both; by default their own, and where both list the same, the one nearest the target.
    target : float
    together : sequence of sequences of str
        Paths that are one assumption.
    exact_up_to : int
        Assumptions up to which all 2^m mixed scenarios are simulated.
    permutations : int
        Sampled orders beyond; even.

    Raises
    ------
    InputError
        If the scenarios do not ask the same, do not differ, or a mixed one cannot be.

    Notes
    -----
    Power is that within the multiplicity procedure where both scenarios have the same one and its hypotheses ask the
    same; otherwise that of the test alone, and the notes say so.
    """
    a, b = _questions(first, second, estimand)
    _require_one_question(a, b)
    found = differences(a.scenario, b.scenario, _decisive(a), together)
    if n is not None:
        found = [one for one in found if one.paths != ("sample_size",)]
    if not found:
        message = "the two scenarios differ in nothing that power hangs on, so there is nothing to attribute"
        raise InputError([Fault("--against", message)])
    every = frozenset(range(len(found)))
    exact = len(found) <= exact_up_to
    orders = [] if exact else sampled_orders(len(found), a.seed, permutations)
    wanted = coalitions(len(found), orders)
    asked = [_asked(a, b, found, coalition) for coalition in wanted]
    for question in (a, b) if n is not None else ():
        checked_size(question.resolved.variants[0], n or 0)
    budget.begin()
    sizes = _sizes(a, b, n, target, budget)
    own_size = [any("sample_size" in found[i].paths for i in coalition) for coalition in wanted]
    places = [Place(one, sizes[int(second)]) for one, second in zip(asked, own_size, strict=True)]
    samples = simulate(places, blocks_for(budget.replicates), a.seed, budget)
    measured = [sample.share for sample in samples]
    _require_power(wanted, measured, found)
    value = {coalition: one.value for coalition, one in zip(wanted, measured, strict=True)}
    influence = {coalition: one.influence for coalition, one in zip(wanted, measured, strict=True)}
    told = [_with_defaults(one, a, b) for one in found]
    shown = [_contribution(i, one, len(found), value, influence, orders) for i, one in enumerate(told)]
    shown.sort(key=lambda one: abs(one.contribution), reverse=True)
    nothing: Coalition = frozenset()
    return Attribution(
        first=_titled(first, second),
        second=_titled(second, first),
        estimand=estimand,
        n_first=sizes[0],
        n_second=sizes[1],
        replicates=len(samples[0].found),
        power_first=value[nothing],
        power_second=value[every],
        difference=value[every] - value[nothing],
        mcse_first=standard_error(influence[nothing]),
        mcse_second=standard_error(influence[every]),
        difference_mcse=standard_error(influence[every] - influence[nothing]),
        exact=exact,
        orders=math.factorial(len(found)) if exact else len(orders),
        settings=len(wanted),
        contributions=tuple(shown),
        notes=_notes(a, b),
        procedure=a.at({}).procedure,
        members=len(a.at({}).members),
    )


def _questions(first: Scenario, second: Scenario, estimand: str) -> tuple[Question, Question]:
    """Return what is asked of both: power within their procedure if they have the same one, otherwise of the test."""
    a, b = (Question(scenario, estimand, within=True) for scenario in (first, second))
    (plan, parts), (other, others) = (_family_of(question) for question in (a, b))
    if plan == other and not any(unlike(one, two) for one, two in zip(parts, others, strict=True)):
        return a, b
    return Question(first, estimand), Question(second, estimand)


def _family_of(question: Question) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the procedure that decides a question, and what each of its hypotheses asks; empty for the test alone."""
    variant, asked = question.resolved.variants[0], question.at({})
    plan = variant.multiplicity
    if plan is None or not asked.procedure:
        return {}, []
    tested = [variant.estimands[estimand] for estimand, _ in plan.hypotheses]
    members = [(one.name, which) for one, (_, which) in zip(tested, plan.hypotheses, strict=True)]
    return {**asdict(plan), "hypotheses": members}, [_parts_of(variant, one) for one in tested]


def _decisive(question: Question) -> set[str]:
    """Return the estimands that success hangs on: all of the procedure, or the one that is asked."""
    asked = question.at({})
    return {one.name for one in asked.variant.estimands} if asked.procedure else {question.estimand}


def _require_power(wanted: Sequence[Coalition], measured: Sequence[Measured], found: Sequence[Difference]) -> None:
    """Refuse where a mixed scenario has no power: there is nothing to attribute; the fewest changes are named."""
    without = [coalition for coalition, one in zip(wanted, measured, strict=True) if math.isnan(one.value)]
    if not without:
        return
    changed = [found[i].name for i in min((sorted(coalition) for coalition in without), key=len)]
    where = f"with these of the second, {', '.join(changed)}," if changed else "as it is"
    message = (
        f"in the first scenario {where} {NO_ESTIMATE}, so it has no power, and a difference from it is due to nothing. "
        "Compare scenarios of which enough patients stay"
    )
    raise InputError([Fault("--against", message)])


def _titled(scenario: Scenario, other: Scenario) -> str:
    """Return a title, with the file where both are called the same."""
    return scenario.title if scenario.title != other.title else f"{scenario.title} ({Path(scenario.file).name})"


def _with_defaults(one: Difference, a: Question, b: Question) -> Difference:
    """Return a single value as it is in both scenarios, a default where it is not written."""
    if len(one.paths) > 1 or one.name == one.paths[0]:
        return one
    values = []
    for question in (a, b):
        node = find(question.scenario.base.root, split_path(one.name))
        rows = {row.path: row.value for row in question.resolved.provenance}
        values.append(rows.get(one.name) if node is None or node.value is None else node.plain())
    return replace(one, before={one.paths[0]: values[0]}, after={one.paths[0]: values[1]})


def _notes(a: Question, b: Question) -> tuple[str, ...]:
    alone = () if a.at({}).procedure else alone_notes(a, "Power") or alone_notes(b, "Power")
    if a.seed == b.seed:
        return alone
    return (
        *alone,
        f"Both are simulated with the seed of the first scenario, {a.seed}, so that they share their patients.",
    )


def _require_one_question(a: Question, b: Question) -> None:
    """Refuse scenarios that do not ask the same."""
    first, second = (_parts(question) for question in (a, b))
    apart = [f"{part} ({first[part]} in the first, {second[part]} in the second)" for part in unlike(first, second)]
    if apart:
        message = (
            f"the scenarios share no estimand of this name, for they differ in its {listed(apart)}. A difference of "
            "power between two questions is due to no assumption; let both ask the same"
        )
        raise InputError([Fault(f"estimands.{a.estimand}", message)])


def _parts(question: Question) -> dict[str, str]:
    """Return the parts of a question: an endpoint by its numbers and not by its name, leaving only where some leave."""
    return _parts_of(question.resolved.variants[0], question.asked_of)


def _parts_of(variant: Variant, one: Estimand) -> dict[str, str]:
    parts = {**question_parts(variant, one), "endpoint": one.endpoint.kind}
    return {part: words for part, words in parts.items() if variant.dropout is not None or part != LEAVING}


def _sizes(a: Question, b: Question, n: int | None, target: float, budget: Budget) -> tuple[int, int]:
    if n is not None:
        return checked_size(a.resolved.variants[0], n), checked_size(b.resolved.variants[0], n)
    own = [question.resolved.variants[0].sample_sizes for question in (a, b)]
    if own[0] == own[1]:
        size = size_for(a, None, target, budget)
        return size, size
    return size_for(a, None, target, budget), size_for(b, None, target, budget)


def _asked(a: Question, b: Question, found: Sequence[Difference], coalition: Coalition) -> Asked:
    """Return the question in the first scenario with some of its assumptions changed to the second's."""
    if len(coalition) == len(found):
        return b.at({})
    changed = [found[i] for i in sorted(coalition)]
    try:
        return a.of(resolve(mixed(a.scenario, b.scenario, changed)))
    except (InputError, StopIteration) as error:
        words = words_of(error) if isinstance(error, InputError) else "its estimand is not there"
        names = ", ".join(one.name for one in changed)
        message = (
            f"the first scenario cannot have only these of the second: {names} ({words}). Take paths that belong "
            "together as one assumption with --together PATH,PATH"
        )
        raise InputError([Fault("--against", message)]) from error


def _contribution(
    i: int,
    one: Difference,
    m: int,
    value: Mapping[Coalition, float],
    influence: Mapping[Coalition, Array],
    orders: Sequence[Sequence[int]],
) -> Contribution:
    if orders:
        contribution, mcse = sampled_value(i, value, influence, orders)
    else:
        weights = shapley_weights(i, m)
        contribution = math.fsum(weight * value[coalition] for coalition, weight in weights.items())
        mcse = standard_error(np.sum([weight * influence[coalition] for coalition, weight in weights.items()], axis=0))
    every: Coalition = frozenset(range(m))
    return Contribution(
        one.name,
        one.paths,
        one.before,
        one.after,
        contribution,
        mcse,
        value[frozenset({i})] - value[frozenset()],
        value[every] - value[every - {i}],
        is_beyond_noise(contribution, mcse),
    )
