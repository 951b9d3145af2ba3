"""What the answer hangs on: tornado, heat maps, attribution, tipping points and the worst type I error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from trialsim.api.runs import load
from trialsim.api.sizes import left_aside
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.planning.sensitivity.trials import Budget, Progress

REPLICATES = 2_000
SEARCH_REPLICATES = 1_000


class Answer(Protocol):
    """An answer that can be told as plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        ...


class Sensitivity:
    """A sensitivity analysis.

    Attributes
    ----------
    answer : Tornado, HeatMap, Attribution, DesignTipping or WorstCase
        Its attributes are those of this object too.
    """

    def __init__(self, answer: Answer, labels: Mapping[str, str], notes: tuple[str, ...] = ()) -> None:
        self.answer, self._labels = answer, dict(labels)
        self.notes = (*getattr(answer, "notes", ()), *notes)

    def __getattr__(self, name: str) -> Any:
        """Return what the answer holds."""
        if name.startswith("_") or name == "answer":
            raise AttributeError(name)
        return getattr(self.answer, name)

    def __repr__(self) -> str:
        """Return the answer in words."""
        return self.text

    @property
    def text(self) -> str:
        """The findings in words, one a line."""
        from trialsim.report.sensitivity import sensitivity_text

        return sensitivity_text(self.to_dict(), self._labels)

    @property
    def frame(self) -> pd.DataFrame:
        """What the figure shows, as a data frame."""
        return self._figure()[1]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        return {**self.answer.to_dict(), "notes": list(self.notes)}

    def plot(self) -> Figure:
        """Return the figure: a tornado, heat map, steps of power, tipping curve or settings by type I error."""
        _, data, draw = self._figure()
        return draw(data)

    def files(self) -> dict[str, bytes]:
        """Return the answer as JSON and text, and its figure as PNG, SVG and CSV: their content by file name."""
        import json

        from trialsim.report.figure_files import figure_files

        name, data, draw = self._figure()
        told = json.dumps(self.to_dict(), indent=2) + "\n"
        files = {f"{name}.json": told.encode("utf-8"), f"{name}.txt": f"{self.text}\n".encode()}
        if data.empty:
            return files  # nothing has a range, so there is nothing to draw
        return {**files, **figure_files({name: (data, draw)})}

    def _figure(self) -> tuple[str, pd.DataFrame, Callable[[pd.DataFrame], Figure]]:
        from trialsim.report.figures import (
            attribution,
            design_tipping,
            sensitivity_heatmap,
            tornado,
            worst_type_i_error,
        )

        plain = self.to_dict()
        match plain["kind"]:
            case "tornado":
                return "tornado", tornado.tornado_data(plain, self._labels), tornado.draw_tornado
            case "heat_map":
                data = sensitivity_heatmap.sensitivity_heatmap_data(plain, self._labels)
                return "heat_map", data, sensitivity_heatmap.draw_sensitivity_heatmap
            case "attribution":
                return "attribution", attribution.attribution_data(plain, self._labels), attribution.draw_attribution
            case "design_tipping_point":
                data = design_tipping.design_tipping_data(plain, self._labels)
                return "tipping_point", data, design_tipping.draw_design_tipping
        data = worst_type_i_error.worst_type_i_error_data(plain, self._labels)
        return "worst_type_i_error", data, worst_type_i_error.draw_worst_type_i_error


def sensitivity(
    scenario: Scenario | str | Path,
    *,
    metric: Literal["power", "n", "bias", "type_i_error"] = "power",
    ranges: Mapping[str, Sequence[Any]] | None = None,
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    replicates: int = REPLICATES,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return a tornado: how a measure moves as each assumption goes over its plausible range, one at a time.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file. What it varies is left aside.
    metric : {'power', 'n', 'bias', 'type_i_error'}
        `n` is the number randomised that `target` power takes; for the type I error every effect is 0.
    ranges : mapping of str to (low, high), optional
        By hand, by path; beside those under the scenario's `sensitivity` and those of the evidence catalogue.
    estimand : str
        Its first analysis is asked.
    n : int, optional
        Number randomised; by default the scenario's, of several the one whose power is nearest the target.
    target : float
        Power.
    replicates : int
        Simulated trials of each setting.
    workers : int, optional
        Processes; as many as there are cores by default. The answer does not depend on it.
    settings : mapping, optional
        As for `load`; only with a file.
    progress : callable, optional
        Called with (done, expected); first with nothing done, when all is checked that can be before work begins.

    Returns
    -------
    Sensitivity
        With `bars`, `base` and so on; `frame`, `text`, `plot()`.

    Raises
    ------
    InputError
        If the scenario is not sound, a range by hand cannot be, or a number is out of range.
    """
    from trialsim.planning.sensitivity.tornado import tornado

    loaded = _loaded(scenario, settings)
    answer = tornado(
        loaded,
        budget=_budget(replicates, workers, progress),
        ranges=ranges,
        metric=metric,
        estimand=estimand,
        n=n,
        target=_power(target),
    )
    return Sensitivity(answer, _labels(loaded), left_aside(loaded))


def heat_map(
    scenario: Scenario | str | Path,
    rows: str,
    columns: str,
    *,
    metric: Literal["power", "type_i_error"] = "power",
    steps: int = 5,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    replicates: int = SEARCH_REPLICATES,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return power (or type I error) over a grid of two assumptions.

    Parameters
    ----------
    scenario : Scenario, str or Path
    rows, columns : str
        Paths that have a range, by hand or in the evidence catalogue.
    steps : int
        Values of each, from 2 to 15.
    metric, ranges, estimand, n, target, replicates, workers, settings, progress
        As of `sensitivity`.

    Raises
    ------
    InputError
        As `sensitivity`, and if a path has no range.
    """
    from trialsim.planning.sensitivity.heat import heat_map as over_two

    loaded = _loaded(scenario, settings)
    answer = over_two(
        loaded,
        rows,
        columns,
        budget=_budget(replicates, workers, progress),
        ranges=ranges,
        metric=metric,
        estimand=estimand,
        n=n,
        target=_power(target),
        steps=steps,
    )
    return Sensitivity(answer, _labels(loaded), left_aside(loaded))


def attribute(
    first: Scenario | str | Path,
    second: Scenario | str | Path,
    *,
    together: Sequence[Sequence[str]] = (),
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    replicates: int = REPLICATES,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return what each assumption contributes to the difference of power between two scenarios (Shapley values).

    Parameters
    ----------
    first, second : Scenario, str or Path
    together : sequence of sequences of str
        Paths that count as one assumption.
    settings : mapping, optional
        For the first; only with a file.
    estimand, n, target, replicates, workers, progress
        As of `sensitivity`.

    Raises
    ------
    InputError
        If the scenarios do not ask the same, do not differ, or a mixed one cannot be.
    """
    from trialsim.planning.sensitivity.attribution import attribution

    loaded, other = _loaded(first, settings), _loaded(second, None)
    answer = attribution(
        loaded,
        other,
        budget=_budget(replicates, workers, progress),
        estimand=estimand,
        n=n,
        target=_power(target),
        together=together,
    )
    labels = {**_labels(other), **_labels(loaded)}
    return Sensitivity(answer, labels, (*left_aside(loaded), *left_aside(other)))


def design_tipping_point(
    scenario: Scenario | str | Path,
    *,
    limit: float | None = None,
    estimand: str = "primary",
    n: int | None = None,
    target: float = 0.8,
    replicates: int = SEARCH_REPLICATES,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return how much worse those who leave the active arm have to be for power, and for the effect, to be lost.

    Parameters
    ----------
    scenario : Scenario, str or Path
    limit : float, optional
        Largest delta, points; by default half as much again as takes the effect away, within the length of the scale.
    estimand, n, target, replicates, workers, settings, progress
        As of `sensitivity`.

    Raises
    ------
    InputError
        If the estimand is not a difference of scores, or nobody leaves.
    """
    from trialsim.planning.sensitivity.tipping import design_tipping_point as tipping

    loaded = _loaded(scenario, settings)
    answer = tipping(
        loaded,
        budget=_budget(replicates, workers, progress),
        estimand=estimand,
        n=n,
        target=_power(target),
        limit=limit,
    )
    return Sensitivity(answer, _labels(loaded), left_aside(loaded))


def worst_type_i_error(
    scenario: Scenario | str | Path,
    *,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    estimand: str = "primary",
    n: int | None = None,
    replicates: int = SEARCH_REPLICATES,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Return the setting of the nuisances with the largest type I error, confirmed on fresh draws.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Every effect in it is set to 0.
    ranges : mapping of str to (low, high), optional
        As of `sensitivity`; `sample_size` and `allocation.ratio` may be among them.
    replicates : int
        Of each setting of the search; ten times as many confirm.
    estimand, n, workers, settings, progress
        As of `sensitivity`.

    Raises
    ------
    InputError
        If nothing has a range, or the arms differ without any effect.
    """
    from trialsim.planning.sensitivity.worst import worst_type_i_error as search

    loaded = _loaded(scenario, settings)
    answer = search(loaded, budget=_budget(replicates, workers, progress), ranges=ranges, estimand=estimand, n=n)
    return Sensitivity(answer, _labels(loaded), left_aside(loaded))


def _budget(replicates: int, workers: int | None, progress: Progress | None) -> Budget:
    from trialsim.engine.backends import available_workers
    from trialsim.planning.sensitivity.trials import Budget

    return Budget(replicates, workers or available_workers(), progress)


def _power(target: float) -> float:
    from trialsim.errors import Fault, InputError, as_share

    if not 0.1 <= target <= 0.99:
        raise InputError([Fault("target", f"must lie between 0.1 and 0.99; got {target:g}{as_share(target, 0.99)}")])
    return target


def _loaded(scenario: Scenario | str | Path, settings: Mapping[str, Any] | None) -> Scenario:
    if not isinstance(scenario, Scenario):
        return load(scenario, settings=settings)
    if settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    return scenario


def _labels(scenario: Scenario) -> dict[str, str]:
    variant = resolve(scenario.at_base()).variants[0]
    pairs = (
        (variant.arms, variant.arm_labels),
        (variant.strata, variant.strata_labels),
        (variant.outcomes, variant.outcome_labels),
    )
    return {name: label for names, labels in pairs for name, label in zip(names, labels, strict=True)}
