"""Power averaged over what the evidence leaves open, and what a pilot would change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trialsim.api.sizes import loaded_with
from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.planning.assurance import Assurance

DRAWS = 400


class Assured:
    """Assurance with its tables and figures.

    Attributes
    ----------
    answer : Assurance
        Its attributes are those of this object too.
    notes : tuple of str
        What was left aside.
    """

    def __init__(self, answer: Assurance, notes: tuple[str, ...] = ()) -> None:
        self.answer = answer
        self.notes = notes

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
        from trialsim.report.assurance import assurance_text

        return assurance_text(self.to_dict())

    @property
    def table(self) -> pd.DataFrame:
        """Every measure by varied value and number of patients, with Monte Carlo standard error and 95 % interval."""
        from trialsim.report.assurance_tables import measures_table

        return measures_table(self.to_dict())

    @property
    def draws(self) -> pd.DataFrame:
        """The draws of the priors: value of each path, true effect, and power by number of patients."""
        from trialsim.report.assurance_tables import draws_table

        return draws_table(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types."""
        return {**self.answer.to_dict(), "notes": list(self.notes)}

    def plot(self) -> Figure:
        """Return assurance against the number of patients as a matplotlib figure."""
        from trialsim.report.figures.assurance_curve import assurance_curve_data, draw_assurance_curve

        return draw_assurance_curve(assurance_curve_data(self.to_dict()))

    def plot_power(self, cell: int = 0) -> Figure:
        """Return the distribution of power as a matplotlib figure.

        Parameters
        ----------
        cell : int
            Which combination of varied values.
        """
        from trialsim.report.figures.power_distribution import draw_power_distribution, power_distribution_data

        return draw_power_distribution(power_distribution_data(self.to_dict(), cell))

    def plot_by_effect(self, cell: int = 0) -> Figure:
        """Return power against the true effect, its prior beneath, as a matplotlib figure.

        Parameters
        ----------
        cell : int
            Which combination of varied values.
        """
        from trialsim.report.figures.power_by_effect import draw_power_by_effect, power_by_effect_data

        return draw_power_by_effect(power_by_effect_data(self.to_dict(), cell))

    def plot_pilot(self, cell: int = 0) -> Figure:
        """Return the assurance after pilots as a matplotlib figure.

        Parameters
        ----------
        cell : int
            Which combination of varied values.

        Raises
        ------
        InputError
            If there is no pilot.
        """
        from trialsim.report.figures.pilot_value import draw_pilot_value, pilot_value_data

        if not self.answer.cells[cell].pilots:
            raise InputError([Fault("pilots", "there is none here; give the numbers of patients when asking")])
        return draw_pilot_value(pilot_value_data(self.to_dict(), cell))

    def files(self) -> dict[str, bytes]:
        """Return the answer as JSON, its tables as CSV, and its figures as PNG, SVG and CSV: content by file name."""
        import json

        from trialsim.report.csv_files import csv_text
        from trialsim.report.figure_files import figure_files
        from trialsim.report.figures.assurance_curve import assurance_curve_data, draw_assurance_curve
        from trialsim.report.figures.pilot_value import draw_pilot_value, pilot_value_data
        from trialsim.report.figures.power_by_effect import draw_power_by_effect, power_by_effect_data
        from trialsim.report.figures.power_distribution import draw_power_distribution, power_distribution_data

        answer = self.to_dict()
        figures: dict[str, Any] = {
            "assurance_curve": (assurance_curve_data(answer), draw_assurance_curve),
            "power_distribution": (power_distribution_data(answer), draw_power_distribution),
            "power_by_effect": (power_by_effect_data(answer), draw_power_by_effect),
        }
        if self.answer.cells[0].pilots:
            figures["pilot_value"] = (pilot_value_data(answer), draw_pilot_value)
        return {
            "assurance.json": (json.dumps(answer, indent=2) + "\n").encode("utf-8"),
            "assurance.txt": (self.text + "\n").encode("utf-8"),
            "measures.csv": csv_text(self.table).encode("utf-8"),
            "draws.csv": csv_text(self.draws).encode("utf-8"),
            **figure_files({name: pair for name, pair in figures.items() if len(pair[0])}),
        }


def assurance(
    scenario: Scenario | str | Path,
    *,
    draws: int = DRAWS,
    threshold: float = 0.8,
    relevant: float | None = None,
    pilots: Sequence[int] = (),
    go: float = 0.5,
    goal: Literal["primary", "alone", "all"] = "primary",
    cells: bool = False,
    leave_out: bool = False,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Assured:
    """Return power averaged over the priors of a scenario, by simulation.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file; with `priors`.
    draws : int
        Draws from the priors, rounded up to a multiple of 20; 250 trials are simulated at each.
    threshold : float
        Power that makes a trial worth running.
    relevant : float, optional
        Smallest benefit that matters, a size in the unit of the effect.
    pilots : sequence of int
        Patients randomised in pilots whose value is asked for.
    go : float
        Assurance from which the trial would be run; for the value of a pilot.
    goal : {'primary', 'alone', 'all'}
        Success is the primary hypothesis, within the scenario's multiplicity or alone at its own level, or all of them
        in the same trial.
    cells : bool
        Every combination of varied values instead of the scenario's own.
    leave_out : bool
        Leave out draws that no scenario can have, such as a mean beyond the end of its scale; otherwise an error.
    workers : int, optional
        Processes; as many as there are cores by default. The answer does not depend on it.
    settings : mapping, optional
        As for `load`; only with a file.
    progress : callable, optional
        Called with (draws done, draws in all).

    Returns
    -------
    Assured
        `table`, `draws`, `text`, `plot()`, `plot_power()`, `plot_by_effect()`, `plot_pilot()`.

    Raises
    ------
    InputError
        If the scenario is not sound or has no priors, a number is out of range, or a draw cannot be.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.planning.assurance import assurance as average
    from trialsim.planning.assurance_measures import Asking

    loaded = loaded_with(scenario, settings)
    asking = Asking(draws, goal, threshold, relevant, go, tuple(pilots), leave_out)
    answer = average(_cells(loaded, cells), asking, workers=workers or available_workers(), progress=progress)
    aside = loaded.varied if not cells else ()
    words = f"vary is left aside ({', '.join(aside)}): the scenario's own values are used."
    return Assured(answer, (words,) if aside else ())


def _cells(scenario: Scenario, every: bool) -> list[tuple[Mapping[str, Any], Scenario]]:
    """Return what is averaged over the priors: the scenario's own values, or every combination of varied ones."""
    if not every or not scenario.varied:
        return [({}, scenario.at_base())]
    both = [
        path
        for path in scenario.varied
        if any(f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.") for other in scenario.believed)
    ]
    if both:
        message = f"{', '.join(both)} has a prior and is varied; without --cells its varied values are left aside"
        raise InputError([Fault("vary", message, file=scenario.file)])
    return [(point.settings, Scenario(point, (point,), scenario.file, scenario.settings)) for point in scenario.points]
