"""What can be run and is seldom meant: told as a warning, at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.errors import Fault
from trialsim.scenario.checking.bench import known_instrument, outcome_settings
from trialsim.scenario.checking.mechanisms import within_arms
from trialsim.scenario.document import Node
from trialsim.scenario.known_events import RESPONSE, known_event
from trialsim.scenario.paths import fault_at
from trialsim.scenario.schema import Content, Criterion, Estimand, Event, Outcome, TimeTo
from trialsim.scenario.timetable import days_of_infusions
from trialsim.scenario.words import listed, number


def cautions(content: Content, root: Node) -> list[Fault]:
    """Return what a user may not have meant, each at its file, line and column.

    Parameters
    ----------
    content : Content
        Checked.
    root : Node
        The document it comes from.
    """
    return [
        *_early_primary_visit(content, root),
        *_turned_contrasts(content, root),
        *_effects_for_the_worse(content, root),
        *_infusions_without_a_model(content, root),
        *_sites_of_one(content, root),
        *_looks_that_never_happen(content, root),
        *_fading_and_relapse(content, root),
    ]


def _early_primary_visit(content: Content, root: Node) -> list[Fault]:
    primary = content.estimands["primary"]
    common = content.schedule.infusions
    last = max((day for arm in content.arms.values() for day in days_of_infusions(common, arm)), default=0.0)
    if primary.visit > last:  # a visit on the day of an infusion comes before it
        return []
    message = (
        f"warning: the primary visit, day {number(primary.visit)}, comes before the last infusion, day {number(last)}: "
        "what the later infusions add is not part of the answer"
    )
    return [fault_at(root, ("estimands", "primary", "visit"), message)]


def _turned_contrasts(content: Content, root: Node) -> list[Fault]:
    """Tell of contrasts whose first arm is surely the control: it has no effect, and all that the second has is one."""
    told = []
    for name, outcome, first, second in _compared(content):
        if _is_control_of(content, first, second, outcome):
            message = (
                f"warning: {first}, which has no effect of its own, is in the place of the active arm and {second} in "
                f"that of the control: only findings in favour of {first} count as power. A contrast is [active arm, "
                f"control arm]; write [{second}, {first}] if that is meant"
            )
            told.append(fault_at(root, ("estimands", name, "contrast"), message))
    return told


def _effects_for_the_worse(content: Content, root: Node) -> list[Fault]:
    """Tell of effects whose every number has the sign of a harm, where a benefit is looked for."""
    told: dict[tuple[str, ...], Fault] = {}
    for _, outcome, active, control in _compared(content):
        if not _is_control_of(content, control, active, outcome):
            continue
        lower = _lower_is_better(content, outcome)
        for kind in ("points", "standardised"):
            path = ("effects", active, kind, outcome)
            values = _values((getattr(content.effects[active], kind) or {}).get(outcome))
            if not values or _is_varied(content, path) or not all((value > 0) == lower and value for value in values):
                continue
            given, better = listed([f"{value:+g}" for value in values]), "lower" if lower else "higher"
            message = (
                f"warning: an effect of {given} is for the worse, for {better} scores of {outcome} are better: only "
                f"findings in favour of {active} count as power. Turn the sign round if a benefit is meant"
            )
            told[path] = fault_at(root, path, message)
    return list(told.values())


def _compared(content: Content) -> Iterator[tuple[str, str, str, str]]:
    """Yield the names of estimands that look for a benefit of one arm in a score, with outcome, active and control arm.

    Not of tests against a margin (that going without is not much worse may be asked), nor of interactions.
    """
    for name, asked in content.estimands.items():
        margin = asked.non_inferiority_margin or asked.equivalence_margin
        if margin or asked.interaction or not isinstance(asked.contrast, tuple) or asked.outcome in content.counts:
            continue
        active, control = asked.contrast
        if isinstance(active, str) and isinstance(control, str):
            yield name, asked.outcome, active, control


def _is_varied(content: Content, path: tuple[str, ...]) -> bool:
    """Return whether a value, or one above or below it, is replaced by `vary`."""
    place = ".".join(path) + "."
    return any(place.startswith(f"{name}.") or f"{name}.".startswith(place) for name in content.vary)


def _lower_is_better(content: Content, outcome: str) -> bool:
    settings = outcome_settings(content.outcomes).get(outcome, Outcome())
    instrument = known_instrument(settings.instrument or outcome)
    if settings.lower_is_better is None and instrument is not None:
        return instrument.lower_is_better
    return settings.lower_is_better is not False


def _is_control_of(content: Content, control: str, active: str, outcome: str) -> bool:
    """Return whether one arm has an effect on an outcome and another, with the same therapy, has none."""
    if control in content.effects or active not in content.effects:
        return False
    if content.course is not None and outcome in (content.course.means or {}):
        return False
    given = [content.arms.get(arm) for arm in (control, active)]
    if len({arm and arm.therapy for arm in given}) > 1:
        return False
    effect = content.effects[active]
    differences = {**(effect.points or {}), **(effect.standardised or {})}
    return _is_something(differences.get(outcome)) or (
        effect.open_label_change is not None and _is_something(effect.specific_share, usual=True)
    )


def _is_something(given: Any, *, usual: bool = False) -> bool:
    """Return whether numbers, perhaps by stratum or outcome, hold one other than 0; `usual` where none is given."""
    return usual if given is None else any(_values(given))


def _values(given: Any) -> list[float]:
    """Return the numbers that are given once, or by stratum or outcome; each once."""
    if given is None:
        return []
    return list(dict.fromkeys(given.values())) if isinstance(given, Mapping) else [given]


def _infusions_without_a_model(content: Content, root: Node) -> list[Fault]:
    """Tell of an arm's own infusions whose effect is that of the common ones, as shares of the last visit's."""
    course = content.course
    if course is not None and (course.infusion_model is not None or course.means is not None):
        return []
    message = (
        "warning: without course.infusion_model the effect of this arm takes the same course as with the infusions of "
        "schedule: how many there are changes no score. Give course.infusion_model ({} takes its numbers from the "
        "catalogue)"
    )
    common = sorted(content.schedule.infusions)
    return [
        fault_at(root, ("arms", name, "infusions"), message)
        for name, arm in content.arms.items()
        if arm is not None
        and arm.infusions is not None
        and name in (content.effects or {})
        and sorted(arm.infusions) != common
    ]


_WORSE = "Only responders relapse: an arm in which more respond can end worse than its control."

_TAKEN_BACK = {
    "treatment_policy": f"loses the natural course and the placebo response too. {_WORSE} Lower return_to_baseline "
    "takes back less",
    "composite": "fails (composite), while who never responds keeps the natural course and the placebo response. "
    f"{_WORSE} The strategies while_on_treatment and hypothetical ask other questions",
}
"""What becomes of who relapses, by the strategies that count it against an arm in which more respond."""


def _fading_and_relapse(content: Content, root: Node) -> list[Fault]:
    """Tell of relapses beside a drug effect that fades by itself, where they are part of what is asked."""
    if content.course is None or content.course.infusion_model is None or not content.effects:
        return []
    told = []
    for name, given in (content.events or {}).items():
        if _or_known(given, name, "only_after") != RESPONSE:
            continue
        lost = _or_known(given, name, "return_to_baseline")
        strategies = {
            strategy
            for asked in content.estimands.values()
            if (strategy := _strategy(asked, name)) in _TAKEN_BACK
            # A failed response is no worse than none; a failed score is worse than that of who never responds.
            and (lost if strategy == "treatment_policy" else asked.endpoint in (None, "score"))
        }
        for strategy in (one for one in _TAKEN_BACK if one in strategies):
            message = (
                "warning: the effect of infusions fades by itself (course.infusion_model), and who relapses "
                f"{_TAKEN_BACK[strategy]}"
            )
            told.append(fault_at(root, ("events", name), message))
    return told


def _or_known(given: Event | None, name: str, key: str) -> Any:
    """Return what is written of an event, or what is known of one of its name."""
    written = None if given is None else getattr(given, key)
    return getattr(known_event(name), key) if written is None else written


def _strategy(asked: Estimand, event: str) -> str:
    endpoint = asked.endpoint
    if isinstance(endpoint, TimeTo) and isinstance(endpoint.time_to, Criterion) and endpoint.time_to.event == event:
        return "endpoint"
    return asked.intercurrent_events.events.get(event, "treatment_policy")


def _sites_of_one(content: Content, root: Node) -> list[Fault]:
    """Tell of groups across all arms, such as sites, of whom some have a single patient."""
    sizes = content.sample_size
    smallest = min(sizes) if isinstance(sizes, tuple) else sizes
    told = []
    for name, cluster in (content.clusters or {}).items():
        if cluster.number is None or cluster.entry == "rolling" or within_arms(content.arms, cluster):
            continue
        if smallest < 2 * cluster.number:
            message = (
                f"warning: of {cluster.number} groups some have a single patient or none where {smallest} are "
                "randomised, and tell nothing of what a group shares"
            )
            told.append(fault_at(root, ("clusters", name, "number"), message))
    return told


def _looks_that_never_happen(content: Content, root: Node) -> list[Fault]:
    """Tell of looks of a stopping rule after more patients than the largest trial has."""
    rule, sizes = content.safety and content.safety.stopping_rule, content.sample_size
    largest = max(sizes) if isinstance(sizes, tuple) else sizes
    path = ("safety", "stopping_rule", "looks")
    return [
        fault_at(
            root,
            (*path, position),
            f"warning: a look after {look} patients never happens: the largest trial has {largest}, and when the last "
            "of them has completed there is nothing left to stop",
        )
        for position, look in enumerate((rule and rule.looks) or ())
        if look >= largest
    ]
