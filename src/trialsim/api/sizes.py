"""How many patients a power takes, and the effect that a number of patients finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trialsim.api.runs import load
from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.planning.detectable import DetectableEffect
    from trialsim.planning.size import RequiredSize
    from trialsim.report.sizes import SizedCell

BUDGET = 400_000


class Sized:
    """An answer with its power curve.

    Attributes
    ----------
    answer : RequiredSize or DetectableEffect
        Its attributes are those of this object too.
    notes : tuple of str
        What was left aside.
    """

    def __init__(self, answer: RequiredSize | DetectableEffect, notes: tuple[str, ...]) -> None:
        self.answer = answer
        self.notes = (*notes, *getattr(answer, "notes", ()))

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
        """The answer in words."""
        from trialsim.report.sizes import size_text

        return size_text(self.to_dict())

    @property
    def curve(self) -> pd.DataFrame:
        """Power at the sizes (or values) tried, and the curve through them with its 95 % band."""
        import pandas as pd

        return pd.DataFrame(self.answer.curve)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        return {**self.answer.to_dict(), "notes": list(self.notes)}

    def plot(self) -> Figure:
        """Return the power curve as a matplotlib figure."""
        from trialsim.report.figures.size_curve import draw_size_curve, size_curve_data

        return draw_size_curve(size_curve_data(self.to_dict()))

    def files(self) -> dict[str, bytes]:
        """Return the answer as JSON, and its figure as PNG, SVG and CSV: their content by file name."""
        import json

        from trialsim.report.figure_files import figure_files
        from trialsim.report.figures.size_curve import draw_size_curve, size_curve_data

        told = json.dumps(self.to_dict(), indent=2) + "\n"
        return {
            "size.json": told.encode("utf-8"),
            **figure_files({"size_curve": (size_curve_data(self.to_dict()), draw_size_curve)}),
        }


class SizeTable:
    """The sizes of all cells of a scenario.

    Attributes
    ----------
    title : str
    answers : list of Sized
        In the order of the scenario's variants.
    """

    def __init__(self, title: str, cells: Sequence[tuple[dict[str, Any], Sized]], labels: Mapping[str, str]) -> None:
        self.title = title
        self.answers = [answer for _, answer in cells]
        self._settings = [settings for settings, _ in cells]
        self._labels = labels

    def __repr__(self) -> str:
        """Return the answers in words."""
        return self.text

    @property
    def text(self) -> str:
        """The answers as a table of text."""
        from trialsim.report.sizes import sizes_text

        return sizes_text(self.title, self._cells(), labels=self._labels)

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell: its settings, the number of patients with its interval, and the closed form."""
        from trialsim.report.figures.size_by_setting import size_by_setting_data

        return size_by_setting_data(self.title, self._cells(), labels=self._labels)

    def to_dict(self) -> dict[str, Any]:
        """Return the answers as JSON's types."""
        cells = [
            {"settings": settings, **answer.to_dict()}
            for settings, answer in zip(self._settings, self.answers, strict=True)
        ]
        return {"schema": 1, "kind": "required_sizes", "title": self.title, "cells": cells}

    def plot(self) -> Figure:
        """Return the number of patients against the varied value as a matplotlib figure."""
        from trialsim.report.figures.size_by_setting import draw_size_by_setting

        return draw_size_by_setting(self.table)

    def files(self) -> dict[str, bytes]:
        """Return the answers as JSON, and their figure as PNG, SVG and CSV: their content by file name."""
        import json

        from trialsim.report.figure_files import figure_files
        from trialsim.report.figures.size_by_setting import draw_size_by_setting

        told = json.dumps(self.to_dict(), indent=2) + "\n"
        return {
            "sizes.json": told.encode("utf-8"),
            **figure_files({"size_by_setting": (self.table, draw_size_by_setting)}),
        }

    def _cells(self) -> list[SizedCell]:
        from trialsim.report.sizes import SizedCell
        from trialsim.report.summary import setting_words

        return [
            SizedCell(settings, setting_words(settings, labels=self._labels, skip_names=True), answer.to_dict())
            for settings, answer in zip(self._settings, self.answers, strict=True)
        ]


def required_sample_size(
    scenario: Scenario | str | Path,
    *,
    power: float = 0.9,
    precision: float = 0.02,
    goal: Literal["primary", "alone", "each", "all"] = "primary",
    workers: int | None = None,
    budget: int = BUDGET,
    most_patients: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sized:
    """Return the smallest number of patients for a power, by simulation of the scenario's base values.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file. What it varies is left aside.
    power : float
        From 0.1 to 0.99.
    precision : float
        Relative half-width of the 95 % interval of the number at which simulation stops, from 0.002 to 0.5.
    goal : {'primary', 'alone', 'each', 'all'}
        The primary hypothesis, within the scenario's multiplicity where that has it (of co-primary hypotheses, all in
        the same trial), or alone at its own level; each hypothesis, within the multiplicity; or all of them in the
        same trial.
    workers : int, optional
        Processes; as many as there are cores by default. The answer does not depend on it.
    budget : int
        Most simulated trials, at least 3,500.
    most_patients : int, optional
        That there may be; a power that takes more is out of reach, and the one with so many is told.
    settings : mapping, optional
        As for `load`; only with a file.
    progress : callable, optional
        Called with (blocks done, blocks expected).

    Returns
    -------
    Sized
        Has the attributes of `RequiredSize`: `reached`, `reason`, `n_total`, `n_low`, `n_high`, `arms`, `completers`,
        `to_screen` and so on; `curve` and `plot()`.

    Raises
    ------
    InputError
        If the scenario is not sound or a number is out of range.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.planning.size import required_size

    loaded = loaded_with(scenario, settings)
    answer = required_size(
        resolve(loaded.at_base()),
        power=power,
        precision=precision,
        goal=goal,
        workers=workers or available_workers(),
        most_trials=budget,
        most_patients=most_patients,
        progress=progress,
    )
    return Sized(answer, left_aside(loaded))


def required_sample_sizes(
    scenario: Scenario | str | Path,
    *,
    power: float = 0.9,
    precision: float = 0.02,
    goal: Literal["primary", "alone", "each", "all"] = "primary",
    workers: int | None = None,
    budget: int = BUDGET,
    most_patients: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SizeTable:
    """Return the smallest number of patients for a power at every combination of what a scenario varies.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file; with `vary`, such as ``settings={"vary": {"effects.ketamine.specific_share": [0.2,
        0.34]}}``.
    power, precision, goal, workers, budget, most_patients, settings, progress
        As of `required_sample_size`; the budget is that of each combination.

    Returns
    -------
    SizeTable

    Raises
    ------
    InputError
        If the scenario is not sound or varies nothing, or a number is out of range.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.planning.size import required_size
    from trialsim.report.design import labels_of

    loaded = loaded_with(scenario, settings)
    if not loaded.varied:
        message = "there is nothing under it; name a path and its values, such as effects.ketamine.specific_share"
        raise InputError([Fault("vary", message, file=str(loaded.file))])
    resolved = resolve(loaded)
    done = 0

    def passed_on(blocks: int, expected: int) -> None:
        if progress is not None:
            progress(done + blocks, done + expected)

    cells = []
    for variant in resolved.variants:
        answer = required_size(
            replace(resolved, variants=(variant,)),
            power=power,
            precision=precision,
            goal=goal,
            workers=workers or available_workers(),
            most_trials=budget,
            most_patients=most_patients,
            progress=passed_on,
        )
        done += answer.blocks
        cells.append((dict(variant.settings), Sized(answer, ())))
    return SizeTable(resolved.title, cells, labels_of(resolved.to_dict()))


def detectable_effect(
    scenario: Scenario | str | Path,
    path: str,
    *,
    n: int,
    power: float = 0.9,
    precision: float = 0.02,
    goal: Literal["primary", "alone", "each", "all"] = "primary",
    workers: int | None = None,
    budget: int = BUDGET,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sized:
    """Return the value of a scenario path at which a trial of a given size has a power.

    Parameters
    ----------
    scenario : Scenario, str or Path
    path : str
        Such as `effects.ketamine.points.qids_sr16`. The scenario's value there gives the sign; 0 is no effect.
    n : int
        Number randomised.
    power, precision, goal, workers, budget, settings, progress
        As of `required_sample_size`; precision is that of the value.

    Returns
    -------
    Sized
        Has the attributes of `DetectableEffect`: `reached`, `reason`, `value`, `low`, `high`; `curve` and `plot()`.

    Raises
    ------
    InputError
        If the scenario is not sound, there is no number other than 0 at the path, or a number is out of range.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.planning.detectable import detectable_effect as search_effect

    loaded = loaded_with(scenario, settings)
    answer = search_effect(
        loaded,
        path,
        n=n,
        power=power,
        precision=precision,
        goal=goal,
        workers=workers or available_workers(),
        most_trials=budget,
        progress=progress,
    )
    return Sized(answer, left_aside(loaded))


def loaded_with(scenario: Scenario | str | Path, settings: Mapping[str, Any] | None) -> Scenario:
    """Return a scenario that may be given as a file; settings go with a file only."""
    if not isinstance(scenario, Scenario):
        return load(scenario, settings=settings)
    if settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    return scenario


def left_aside(scenario: Scenario, *, priors: bool = True) -> tuple[str, ...]:
    """Return what of a scenario a question leaves aside, in words; its priors too unless they are what is asked."""
    notes = [scenario.designs_aside] if scenario.designs else []
    return (
        *notes,
        *(
            f"{what} left aside ({', '.join(paths)}): the scenario's own values are used."
            for what, paths in (("vary is", scenario.varied), ("priors are", scenario.believed if priors else ()))
            if paths
        ),
    )
