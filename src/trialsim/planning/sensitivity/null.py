"""The same trial without any effect of treatment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.engine.truth import is_null, true_values
from trialsim.errors import InputError
from trialsim.planning.sensitivity.trials import Question
from trialsim.scenario import Scenario
from trialsim.scenario.at_value import at_values
from trialsim.scenario.paths import fault_at
from trialsim.scenario.schema import Content


def without_effect(scenario: Scenario, estimand: str = "primary") -> Scenario:
    """Return a scenario in which no treatment does anything, checked by its true value.

    Parameters
    ----------
    scenario : Scenario
    estimand : str

    Raises
    ------
    InputError
        If the arms differ all the same, or the hypothesis has a margin.
    """
    root = scenario.base.root
    question = Question(scenario, estimand)
    if question.asked_of.hypothesis.margin is not None:
        message = "is tested against a margin: without an effect such a hypothesis is not null; ask another estimand"
        raise InputError([fault_at(root, ("estimands", estimand), message)])
    nothing = at_values(question.scenario, null_settings(scenario.content))
    asked = Question(nothing, estimand).at({})
    ((hypothesis, truth),) = true_values(asked.variant).items()
    if not is_null(truth, asked.variant, hypothesis):
        message = (
            f"is {truth.value:+.4g} though every effect is set to 0, so no rejection would be false: what else makes "
            "the arms differ (expectancy, events, the means of course) has to be set alike for them with --set"
        )
        raise InputError([fault_at(root, ("estimands", estimand), message)])
    return nothing


def null_settings(content: Content) -> dict[str, Any]:
    """Return what is set so that no treatment does anything."""
    settings: dict[str, Any] = {}
    for arm, effect in content.effects.items():
        if effect.specific_share is not None or effect.open_label_change is not None:
            settings[f"effects.{arm}.specific_share"] = _zeros(effect.specific_share or 0.0)
        for kind in ("points", "standardised"):
            if getattr(effect, kind) is not None:
                settings[f"effects.{arm}.{kind}"] = _zeros(getattr(effect, kind))
    measured = {one.outcome for one in content.estimands.values()} | set(content.outcomes or ())
    for name, therapy in content.therapies.items():
        outcomes = therapy.effects if therapy.effects is not None else measured - set(content.counts)
        settings[f"therapies.{name}.effects"] = {outcome: {"points": 0.0} for outcome in sorted(outcomes)}
        settings[f"therapies.{name}.synergy"] = 0.0
    for name, count in content.counts.items():
        settings[f"counts.{name}.rate_ratio"] = dict.fromkeys(count.rate_ratio, 1.0)
    return settings


def _zeros(value: Any) -> Any:
    return {key: _zeros(item) for key, item in value.items()} if isinstance(value, Mapping) else 0.0
