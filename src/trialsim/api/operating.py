"""How the trials of a scenario are run: how long, how likely in time, how dear, and where it jams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.finished import Run, open_run
from trialsim.api.runs import load
from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.report.figure_files import Draw
    from trialsim.report.operations_tables import Table
    from trialsim.scenario import Resolved

TABLES = ("operations", "operations_summary", "operations_calendar", "operations_waits")


class OperationsResult:
    """How the trials of a scenario are run.

    Attributes
    ----------
    trials : DataFrame
        One row per number of patients and simulated trial.
    summary : DataFrame
        One row per number of patients and measure: mean over trials, Monte Carlo standard error, quantiles.
    calendar : DataFrame
        One row per number of patients, series and month.
    waits : DataFrame
        One row per number of patients, queue and days waited.
    power : DataFrame or None
        Power beside months and money, of the runs that were given.
    notes : tuple of str
        What was left aside.
    """

    def __init__(
        self,
        resolved: Resolved,
        files: Mapping[str, pd.DataFrame],
        notes: tuple[str, ...],
        power: pd.DataFrame | None = None,
    ) -> None:
        from trialsim.report.design import labels_of
        from trialsim.report.operations import operated_of

        told = resolved.to_dict()
        self.title = resolved.title
        self.trials, self.summary, self.calendar, self.waits = (files[name] for name in TABLES)
        self.power = power
        self.notes = notes
        self._told = operated_of(files, told["variants"][0], labels_of(told), resolved.variants[0].index)

    def __repr__(self) -> str:
        """Return the answer in words."""
        return self.text

    @property
    def text(self) -> str:
        """The answer in words."""
        from trialsim.report.operations_words import answer_words

        return "\n\n".join([*answer_words(self._told), *self.notes])

    @property
    def tables(self) -> list[Table]:
        """Tables of text: time and money, the funnel, where it jams, who is where by month, and power."""
        from trialsim.report.operations_tables import power_table, tables

        return [*tables(self._told), *([] if self.power is None else [power_table(self.power)])]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON's types: the summary by number of patients and measure, and what was left aside."""
        from trialsim.report.summary import json_records

        found: dict[str, Any] = {"title": self.title, "notes": list(self.notes)}
        for name, frame in (("summary", self.summary), ("calendar", self.calendar), ("waits", self.waits)):
            found[name] = json_records(frame)
        if self.power is not None:
            found["power"] = json_records(self.power)
        return found

    def plot_recruitment(self) -> Figure:
        """Return patients randomised by month as a fan with its targets."""
        return self.figures["recruitment"]

    def plot_sites(self) -> Figure:
        """Return the sites that are open by month."""
        return self.figures["site_rampup"]

    def plot_pipeline(self) -> Figure:
        """Return who is randomised, under way and past the last visit by month."""
        return self.figures["pipeline"]

    def plot_capacity(self) -> Figure:
        """Return how far chairs, staff, therapists and raters are used by month.

        Raises
        ------
        InputError
            If nothing has a limit.
        """
        if "capacity_use" not in self.figures:
            raise InputError([Fault("operations", "nothing has a limit, so that nothing can be full")])
        return self.figures["capacity_use"]

    def plot_waiting(self) -> Figure:
        """Return how long patients wait for the first infusion and for a therapy group.

        Raises
        ------
        InputError
            If there is neither.
        """
        if "waiting" not in self.figures:
            raise InputError([Fault("operations", "there is neither infusion nor therapy group to wait for")])
        return self.figures["waiting"]

    def plot_flow(self) -> Figure:
        """Return the flow of patients from those assessed to the last visit."""
        return self.figures["trial_flow"]

    def plot_costs(self) -> Figure:
        """Return what the money goes to."""
        return self.figures["trial_costs"]

    def plot_power(self) -> Figure:
        """Return power against months and against money.

        Raises
        ------
        InputError
            If no run was given.
        """
        if self.power is None:
            raise InputError([Fault("runs", "power comes from finished runs: give their folders as runs")])
        return self.figures["power_by_means"]

    @property
    def figures(self) -> OperationsFigures:
        """All figures, by name."""
        from trialsim.report.figures.operations import operations_drawings

        return OperationsFigures(operations_drawings(self._told, self.power))

    def files(self) -> dict[str, bytes]:
        """Return tables as CSV, the answer as JSON and all figures: their content by file name."""
        import json

        from trialsim.report.csv_files import csv_text

        named = zip(TABLES, (self.trials, self.summary, self.calendar, self.waits), strict=True)
        return {
            "operations.json": (json.dumps(self.to_dict(), indent=2) + "\n").encode("utf-8"),
            **{f"{name}.csv": csv_text(frame).encode("utf-8") for name, frame in named},
            **self.figures.files(),
        }


class OperationsFigures(Mapping[str, "Figure"]):
    """Figures by name, drawn when looked at.

    Parameters
    ----------
    drawings : mapping of str to (DataFrame, callable)
        The data of each figure, and what draws it.
    """

    def __init__(self, drawings: Mapping[str, tuple[pd.DataFrame, Draw]]) -> None:
        self._drawings = dict(drawings)

    def __getitem__(self, name: str) -> Figure:
        """Return a figure."""
        data, draw = self._drawings[name]
        return draw(data)

    def __iter__(self) -> Iterator[str]:
        """Return the names of the figures, in reading order."""
        return iter(self._drawings)

    def __len__(self) -> int:
        """Return how many figures there are."""
        return len(self._drawings)

    @property
    def data(self) -> dict[str, pd.DataFrame]:
        """What each figure draws."""
        return {name: data for name, (data, _) in self._drawings.items()}

    def files(self) -> dict[str, bytes]:
        """Return every figure as PNG, SVG and CSV: their content by file name."""
        from trialsim.report.figure_files import figure_files

        return figure_files(self._drawings)


def simulate_operations(
    scenario: Scenario | str | Path,
    *,
    replicates: int | None = None,
    workers: int | None = None,
    runs: Sequence[Run | str | Path] = (),
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> OperationsResult:
    """Return how the trials of a scenario's base values are run, without simulating scores.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file; with `operations`. What it varies is left aside.
    replicates : int, optional
        Simulated trials; the scenario's by default. Replicate r is that of a run.
    workers : int, optional
        Processes; as many as there are cores by default. The answer does not depend on it.
    runs : sequence of Run, str or Path
        Finished runs of scenarios with operations, whose power is shown against months and money: one line a design.
    settings : mapping, optional
        As for `load`; only with a file.
    progress : callable, optional
        Called with (blocks done, blocks in all).

    Raises
    ------
    InputError
        If the scenario is not sound, or says nothing of operations.
    RefusedError
        If a folder does not hold a finished run.
    """
    import pandas as pd

    from trialsim.engine.backends import available_workers
    from trialsim.engine.operations_files import cell_rows, trial_rows
    from trialsim.engine.operations_runs import run_operations

    loaded = scenario if isinstance(scenario, Scenario) else load(scenario, settings=settings)
    if settings and loaded is scenario:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    resolved = resolve(loaded.at_base())
    variant = resolved.variants[0]
    if variant.operations is None:
        message = (
            "is missing: how the trial is run, at least sites: {number: ...}; the rest has defaults, accrual, funnel "
            "and prices from the evidence catalogue. To try it: --set 'operations={sites: {number: 6}}'"
        )
        raise InputError([Fault(f"{loaded.file}: operations", message)])
    power = _power(runs)
    wholes = run_operations(
        variant,
        resolved.seed,
        replicates or resolved.replicates,
        workers=workers or available_workers(),
        progress=progress,
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for cell, whole in enumerate(wholes):
        about = {"cell": cell, "variant": variant.index, "n": whole.n}
        for name, part in {
            "operations": trial_rows(whole, about),
            **cell_rows(whole, about, variant.operations),
        }.items():
            rows.setdefault(name, []).extend(part)
    files = {name: pd.DataFrame(part) for name, part in rows.items()}
    if "operations_waits" not in files:
        files["operations_waits"] = pd.DataFrame(columns=["cell", "variant", "n", "queue", "days"])
    notes: tuple[str, ...] = ()
    if loaded.varied:
        notes = (f"vary is left aside ({', '.join(loaded.varied)}): the scenario's own values are used.",)
    return OperationsResult(resolved, files, notes, power)


def _power(runs: Sequence[Run | str | Path]) -> pd.DataFrame | None:
    """Return power beside months and money of several runs; their titles tell the lines apart."""
    import pandas as pd

    from trialsim.report.operations import power_of_run

    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    if not opened:
        return None
    parts = []
    for run in opened:
        path = run.folder / "operations_summary.parquet"
        if not path.exists():
            raise InputError([Fault(str(run.folder), "this run says nothing of operations: run it with operations")])
        title = str(run.manifest["title"]) if len(opened) > 1 else ""
        resolved, operated = run.manifest["scenario"], pd.read_parquet(path)
        parts.append(power_of_run(run.summary, operated, resolved, families=run.families, title=title))
    return pd.concat(parts, ignore_index=True)
