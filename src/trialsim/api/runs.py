"""Load, run, and what a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import RefusedError
from trialsim.scenario import Scenario, resolve
from trialsim.scenario import load as load_scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.report.families import FamilyTable
    from trialsim.report.table import PowerTable
    from trialsim.scenario import Resolved

OUTPUTS = Path("outputs")


def load(path: str | Path, *, settings: Mapping[str, Any] | None = None) -> Scenario:
    """Return a checked scenario from a YAML file.

    Parameters
    ----------
    path : str or Path
    settings : mapping, optional
        Values to put at scenario paths, such as ``{"sample_size": [100, 200]}``.

    Raises
    ------
    InputError
        With every fault found and its place.
    """
    return load_scenario(path, settings=settings)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    folder : Path
        The run folder.
    manifest : dict
        What was run.
    computed : bool
        False where the folder already held the results and nothing was computed.
    """

    folder: Path
    manifest: dict[str, Any]
    computed: bool = False

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Operating characteristics, one row per cell and hypothesis; columns in docs/data_dictionary.md."""
        import pandas as pd

        return pd.read_parquet(self.folder / "summary.parquet")

    @cached_property
    def families(self) -> pd.DataFrame | None:
        """Hypotheses tested together, one row per cell; None where the scenario has no `multiplicity`."""
        from trialsim.report.publish import families_of

        return families_of(self.folder)

    @cached_property
    def operations(self) -> pd.DataFrame | None:
        """How the trials were run, one row per cell and measure; None where the scenario has no `operations`."""
        import pandas as pd

        path = self.folder / "operations_summary.parquet"
        return pd.read_parquet(path) if path.exists() else None

    @cached_property
    def twins(self) -> pd.DataFrame | None:
        """Closed forms beside simulated power, one row per cell and hypothesis; None where none applies."""
        from trialsim.report.twins import twins_of

        return twins_of(self.folder)

    def estimates(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the per-replicate estimates.

        Parameters
        ----------
        columns : list of str, optional
            Only these; a long run has many rows.
        """
        import pandas as pd

        return pd.read_parquet(self.folder / "estimates.parquet", columns=columns)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    def power_table(self) -> PowerTable:
        """Return power of the primary hypothesis by varied value and sample size."""
        from trialsim.report.design import labels_of
        from trialsim.report.table import power_table

        return power_table(self.summary, labels=labels_of(self.manifest["scenario"]))

    def plot_power(self) -> Figure:
        """Return power against sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data

        return draw_power_curves(power_curve_data(self.summary, labels=labels_of(self.manifest["scenario"])))

    def plot_heatmap(self) -> Figure:
        """Return power over varied value and sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data

        return draw_power_heatmap(power_heatmap_data(self.summary, labels=labels_of(self.manifest["scenario"])))

    def plot_families(self) -> Figure:
        """Return power of hypotheses tested together against sample size as a matplotlib figure.

        Raises
        ------
        RefusedError
            If the scenario has no `multiplicity`.
        """
        from trialsim.report.design import labels_of
        from trialsim.report.figures.families import draw_families, family_data

        return draw_families(family_data(self._families(), self.summary, labels=labels_of(self.manifest["scenario"])))

    def family_tables(self) -> list[FamilyTable]:
        """Return power alone and within the procedure, one table per varied value.

        Raises
        ------
        RefusedError
            If the scenario has no `multiplicity`.
        """
        from trialsim.report.design import labels_of
        from trialsim.report.families import family_tables

        labels = labels_of(self.manifest["scenario"])
        return family_tables(self._families(), self.summary, labels=labels, names=True)

    def _families(self) -> pd.DataFrame:
        if self.families is None:
            raise RefusedError(
                f"In {self.folder} each hypothesis was tested alone. Write how they are tested together under "
                "multiplicity, such as {method: holm}, and run the scenario again."
            )
        return self.families


def run(
    scenario: Scenario | str | Path,
    *,
    out: str | Path | None = None,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Simulate a scenario and write results, figures and report into a run folder.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file.
    out : str or Path, optional
        Run folder; outputs/<name of the file> by default. Of the same scenario, what is there is kept
        and only what is missing is computed.
    workers : int, optional
        Processes; as many as there are cores by default. Results do not depend on it.
    settings : mapping, optional
        As for `load`; only with a file.
    progress : callable, optional
        Called with (blocks done, blocks in all).

    Raises
    ------
    InputError
        If the scenario is not sound.
    RefusedError
        If the folder holds something else.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.engine.execute import execute, finish

    if not isinstance(scenario, Scenario):
        scenario = load(scenario, settings=settings)
    elif settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    resolved = resolve(scenario)
    folder = Path(out) if out is not None else OUTPUTS / Path(scenario.file).stem
    execution = execute(
        resolved,
        folder,
        replicates=resolved.replicates,
        workers=workers or available_workers(),
        progress=progress,
    )
    if execution.done_before:
        # Drawings that somebody deleted are made again from the results.
        if not ((folder / "report.html").exists() and (folder / "figures").is_dir()):
            _publish(resolved, folder, execution.manifest)
        return Run(folder, execution.manifest)
    _publish(resolved, folder, execution.manifest)
    finish(execution)
    return Run(folder, execution.manifest, computed=True)


def _publish(resolved: Resolved, folder: Path, manifest: dict[str, Any]) -> None:
    from trialsim.engine.example import one_trial, trajectories
    from trialsim.report.publish import publish
    from trialsim.report.twins import write_twins

    # The scenario's own values; they need not be among those it varies.
    own = resolve(resolved.scenario.at_base())
    variant = own.variants[0]
    n = sorted(variant.sample_sizes)[len(variant.sample_sizes) // 2]
    trial = one_trial(variant, own.hash, own.seed, replicate=0, n=n)
    note = f"One simulated trial (replicate 0) of {n} patients"
    if resolved.variants[0].settings:
        note += " at the scenario's own values"
    write_twins(folder, resolved)
    publish(folder, manifest, trajectories(variant, trial), f"{note}.")


def open_run(folder: str | Path) -> Run:
    """Return a finished run from its folder.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    RefusedError
        If the folder does not hold a finished run.
    """
    from trialsim.engine.execute import finished
    from trialsim.engine.manifest import read_json

    place = Path(folder)
    manifest = read_json(place / "manifest.json")
    if manifest is None:
        raise RefusedError(f"{place} does not hold a trialsim run.")
    if not finished(place, int(manifest["replicates"])):
        raise RefusedError(f"The run in {place} is not finished. Give its command again, and it goes on.")
    return Run(place, manifest)
