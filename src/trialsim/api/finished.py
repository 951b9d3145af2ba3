"""What a run gives back: its tables, figures and report, read from its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from trialsim.errors import RefusedError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.api.answer import Answer
    from trialsim.report.families import FamilyTable
    from trialsim.report.table import PowerTable

_SUMMARY = ("cell", "variant", "n", "estimand", "method", "contrast", "alpha", "null", "replicates", "power")
"""Columns without which nothing can be made of a summary."""

P = ParamSpec("P")
T = TypeVar("T")


def _from_folder(look: Callable[Concatenate[Run, P], T]) -> Callable[Concatenate[Run, P], T]:
    """Let what goes wrong with the content of a folder be a refusal, unless this very call has written it."""

    @wraps(look)
    def looked(run: Run, /, *args: P.args, **kwargs: P.kwargs) -> T:
        from trialsim.engine.manifest import refuse_damaged
        from trialsim.engine.reading import refusing

        if run.computed:
            return look(run, *args, **kwargs)
        with refusing(run.folder, checked=refuse_damaged):
            return look(run, *args, **kwargs)

    return looked


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
    whole : bool
        False where only a shard was computed, and there are no results yet.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)  # pages long
    computed: bool = False
    whole: bool = True

    @cached_property
    @_from_folder
    def summary(self) -> pd.DataFrame:
        """Operating characteristics, one row per cell and hypothesis; columns in docs/data_dictionary.md."""
        from trialsim.engine.reading import strange

        found = self._table("summary.parquet")
        missing = [name for name in _SUMMARY if name not in found]
        if missing or not len(found):
            raise strange(self.folder / "summary.parquet", "it has no rows" if not missing else f"no {missing[0]}")
        return found

    @cached_property
    @_from_folder
    def answer(self) -> Answer:
        """What the command line shows: sentences and tables."""
        from trialsim.api.answer import answer_of, read_answer
        from trialsim.engine.manifest import ANSWER

        return read_answer(self.folder / ANSWER) or answer_of(self)

    @_from_folder
    def to_dict(self) -> dict[str, Any]:
        """Return the tables of the run as JSON's types, rows by table, and what to beware of (`notes`).

        Of a shard there are only its folder and the hash of its scenario.
        """
        from trialsim.api.results import read_results, results_of
        from trialsim.engine.manifest import RESULTS

        told = {"folder": str(self.folder), "scenario_hash": self.manifest["scenario_hash"]}
        if not self.whole:
            return {**told, "notes": []}
        tables = read_results(self.folder / RESULTS) or results_of(self)
        return {**told, **tables, "notes": list(self.answer.notes)}

    @cached_property
    @_from_folder
    def families(self) -> pd.DataFrame | None:
        """Hypotheses tested together, one row per cell; None where the scenario has no `multiplicity`."""
        from trialsim.report.families import families_of

        return families_of(self.folder)

    @cached_property
    @_from_folder
    def operations(self) -> pd.DataFrame | None:
        """How the trials were run, one row per cell and measure; None where the scenario has no `operations`."""
        import pandas as pd

        path = self.folder / "operations_summary.parquet"
        return pd.read_parquet(path) if path.exists() else None

    @cached_property
    @_from_folder
    def twins(self) -> pd.DataFrame | None:
        """Closed forms beside simulated power, one row per cell and hypothesis; None where none applies."""
        from trialsim.report.twins import twins_of

        return twins_of(self.folder)

    @cached_property
    @_from_folder
    def failures(self) -> pd.DataFrame | None:
        """Fits that failed or fell back, one row each with the command that shows its trial; None without any."""
        import pandas as pd

        from trialsim.engine.failures import FAILURES

        path = self.folder / FAILURES
        return pd.read_csv(path, keep_default_na=False) if path.exists() else None

    @_from_folder
    def failure_words(self) -> str:
        """Return how many fits failed or fell back, and how to look at one; empty where all went well."""
        from trialsim.engine.failures import failure_words

        return failure_words(self.folder, self.answer.fell_back, self.answer.failed)

    @property
    @_from_folder
    def twin_warning(self) -> str:
        """Where simulated power and closed form differ by more than their errors allow, and why; empty if nowhere."""
        from trialsim.report.design import labels_of
        from trialsim.report.twins import warning_words

        return "" if self.twins is None else warning_words(self.twins, labels=labels_of(self.manifest["scenario"]))

    @property
    @_from_folder
    def harms(self) -> list[str]:
        """Where the true effect of the primary hypothesis is a harm, and what it is, in words; empty if nowhere."""
        from trialsim.report.design import labels_of
        from trialsim.report.harms import harm_notes
        from trialsim.report.summary import hypotheses

        resolved, primary = self.manifest["scenario"], hypotheses(self.summary)[0]
        return harm_notes(resolved, self.summary, primary, families=self.families, labels=labels_of(resolved))

    @property
    @_from_folder
    def short_coverage(self) -> list[str]:
        """Where intervals of the primary analysis hold the true value too seldom, in words; empty if nowhere."""
        from trialsim.report.coverage import coverage_notes
        from trialsim.report.design import labels_of
        from trialsim.report.summary import hypotheses

        labels = labels_of(self.manifest["scenario"])
        return coverage_notes(self.summary, hypotheses(self.summary)[0], labels=labels)

    @cached_property
    @_from_folder
    def clinic(self) -> pd.DataFrame | None:
        """True effects in the words of the clinic, one row per variant and estimand; None where there are none."""
        from trialsim.report.clinic import clinic_of

        return clinic_of(self.folder)

    @_from_folder
    def estimates(self, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the per-replicate estimates.

        Parameters
        ----------
        columns : list of str, optional
            Only these; a long run has many rows.
        """
        return self._table("estimates.parquet", columns)

    def _table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        import pandas as pd

        from trialsim.engine.manifest import refuse_damaged
        from trialsim.engine.reading import refusing, require_file

        require_file(self.folder / name)
        with refusing(self.folder, checked=refuse_damaged):  # what this call has written may be damaged since
            return pd.read_parquet(self.folder / name, columns=columns)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @_from_folder
    def power_table(self) -> PowerTable:
        """Return power of the primary hypothesis by varied value and sample size.

        Where it is tested together with others, this is its power within the procedure, of co-primary hypotheses that
        all of them are found.
        """
        from trialsim.report.design import labels_of
        from trialsim.report.table import power_table

        return power_table(self.summary, labels=labels_of(self.manifest["scenario"]), families=self.families)

    @_from_folder
    def plot_power(self) -> Figure:
        """Return power of every hypothesis, each tested alone, against sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data

        labels = labels_of(self.manifest["scenario"])
        figure = draw_power_curves(power_curve_data(self.summary, labels=labels, families=self.families, alone=True))
        self._say_asked(figure)
        return figure

    @_from_folder
    def plot_heatmap(self) -> Figure:
        """Return power over varied value and sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data

        labels = labels_of(self.manifest["scenario"])
        figure = draw_power_heatmap(power_heatmap_data(self.summary, labels=labels, families=self.families))
        self._say_asked(figure)
        return figure

    def _say_asked(self, figure: Figure) -> None:
        """Let a figure say that its numbers of patients are those asked for, where some trials do not reach them."""
        from trialsim.report.figures.asked import say_asked

        say_asked(figure, self.asked_note)

    @property
    @_from_folder
    def asked_note(self) -> str:
        """That numbers of patients are those asked for; empty where recruitment reaches them in every trial."""
        from trialsim.report.recruited import asked_words, recruited_of

        return asked_words(recruited_of(self.folder, self.manifest["scenario"]))

    @_from_folder
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

    @_from_folder
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
    from trialsim.engine.manifest import read_manifest
    from trialsim.engine.shards import unfinished

    place = Path(folder)
    manifest = read_manifest(place)
    if manifest is None:
        raise RefusedError(f"{place} does not hold a trialsim run.")
    if not finished(place, int(manifest["replicates"])):
        raise unfinished(place)
    return Run(place, manifest)
