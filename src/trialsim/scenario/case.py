"""The frame of one point of a scenario: its names, its scales, and which arms are controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialsim import evidence
from trialsim.scenario import schema
from trialsim.scenario.checking.bench import known_instrument, measured, outcome_settings
from trialsim.scenario.ledger import Ledger
from trialsim.scenario.loading import Point
from trialsim.scenario.resolved import Scale
from trialsim.scenario.words import nearest


@dataclass(frozen=True, slots=True)
class Measure:
    """An outcome with its scale.

    Parameters
    ----------
    name, label : str
    instrument : str
        The name it has in the evidence catalogue; the outcome's own name where the catalogue has none.
    scale : Scale or None
        None is a continuous score.
    lower_is_better : bool
    settings : Outcome
        What was written about it.
    """

    name: str
    label: str
    instrument: str
    scale: Scale | None
    lower_is_better: bool
    settings: schema.Outcome


@dataclass(frozen=True, slots=True)
class Case:
    """One point of a scenario with its names in order, ready to be filled with numbers.

    Parameters
    ----------
    content : Content
    ledger : Ledger
    measures : tuple of Measure
        The K outcomes.
    strata, groups : tuple of str
        The S strata and the evidence group of each.
    arms : tuple of str
        The A arms.
    controls : tuple of int
        Arms without an effect.
    visits : tuple of float
        The V visit days.
    """

    content: schema.Content
    ledger: Ledger
    measures: tuple[Measure, ...]
    strata: tuple[str, ...]
    groups: tuple[str, ...]
    arms: tuple[str, ...]
    controls: tuple[int, ...]
    visits: tuple[float, ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes."""
        return tuple(measure.name for measure in self.measures)

    def arm(self, index: int) -> schema.Arm:
        """Return what was written about an arm."""
        return self.content.arms[self.arms[index]] or schema.Arm()

    def by_stratum(self, value: Any) -> list[Any]:
        """Return one value per stratum of something given once or by stratum."""
        return [value[name] if isinstance(value, Mapping) else value for name in self.strata]


def frame(point: Point, ledger: Ledger) -> Case:
    """Return the frame of a point of a scenario."""
    content = point.content
    names = measured(content.outcomes, content.estimands, content.counts)
    settings = outcome_settings(content.outcomes)
    arms = tuple(content.arms)
    strata = content.population.strata
    return Case(
        content=content,
        ledger=ledger,
        measures=tuple(_measure(name, settings.get(name, schema.Outcome()), ledger) for name in names),
        strata=tuple(strata),
        groups=tuple(stratum.group or name for name, stratum in strata.items()),
        arms=arms,
        controls=tuple(i for i, name in enumerate(arms) if name not in content.effects),
        visits=content.schedule.visits,
    )


def _measure(name: str, settings: schema.Outcome, ledger: Ledger) -> Measure:
    path = ("outcomes", name)
    instrument = known_instrument(settings.instrument or name)
    if instrument is None and settings.instrument is not None:
        known = [entry.name for entry in evidence.instruments()]
        match = nearest(settings.instrument, known)
        hint = f"; did you mean '{match}'?" if match else f"; there is {', '.join(known)}"
        ledger.fault((*path, "instrument"), f"the catalogue has no instrument '{settings.instrument}'{hint}")
    scale = _scale(name, settings, instrument, ledger)
    lower = settings.lower_is_better
    if lower is None and instrument is None:
        lower = True
        ledger.assumed((*path, "lower_is_better"), lower, "a lower score is taken to be a benefit")
    elif lower is None and instrument is not None:
        lower = instrument.lower_is_better
        ledger.derived((*path, "lower_is_better"), lower, f"direction of {instrument.label}")
    else:
        ledger.note((*path, "lower_is_better"), lower)
    label = settings.label or (instrument.label if instrument else name)
    return Measure(name, label, settings.instrument or name, scale, bool(lower), settings)


def _scale(name: str, settings: schema.Outcome, instrument: evidence.Instrument | None, ledger: Ledger) -> Scale | None:
    path = ("outcomes", name, "scale")
    given = settings.scale
    if given == "continuous":
        ledger.note(path, "continuous")
        return None
    if isinstance(given, schema.Grid):
        ledger.note(path, given.model_dump())
        return Scale(given.min, given.max, given.step)
    if instrument is None:
        if settings.instrument is None:
            message = f"the bounds of '{name}' are not known: give scale: {{min, max, step}} or scale: continuous"
            ledger.fault(path, message, key=True)
        return None
    scale = Scale(instrument.minimum, instrument.maximum, instrument.step)
    bounds = {"min": scale.minimum, "max": scale.maximum, "step": scale.step}
    ledger.derived(path, bounds, f"range of {instrument.label}")
    return scale
