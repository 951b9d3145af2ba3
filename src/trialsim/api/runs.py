"""Load, run, and what a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import Fault, InputError, RefusedError
from trialsim.scenario import Option, Scenario, resolve
from trialsim.scenario import load as load_scenario
from trialsim.scenario.at_value import with_simulation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.engine.backends import Backend
    from trialsim.engine.notes import Tell
    from trialsim.engine.shards import Shard
    from trialsim.planning.precision import Estimate
    from trialsim.report.families import FamilyTable
    from trialsim.report.table import PowerTable
    from trialsim.scenario import Resolved

OUTPUTS = Path("outputs")

_SUMMARY = ("cell", "variant", "n", "estimand", "method", "contrast", "alpha", "null", "replicates", "power")
"""Columns without which nothing can be made of a summary."""


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
    whole : bool
        False where only a shard was computed, and there are no results yet.
    """

    folder: Path
    manifest: dict[str, Any] = field(repr=False)  # pages long
    computed: bool = False
    whole: bool = True

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Operating characteristics, one row per cell and hypothesis; columns in docs/data_dictionary.md."""
        from trialsim.engine.reading import strange

        found = self._table("summary.parquet")
        missing = [name for name in _SUMMARY if name not in found]
        if missing or not len(found):
            raise strange(self.folder / "summary.parquet", "it has no rows" if not missing else f"no {missing[0]}")
        return found

    @cached_property
    def families(self) -> pd.DataFrame | None:
        """Hypotheses tested together, one row per cell; None where the scenario has no `multiplicity`."""
        from trialsim.report.families import families_of

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

    @cached_property
    def failures(self) -> pd.DataFrame | None:
        """Fits that failed or fell back, one row each with the command that shows its trial; None without any."""
        import pandas as pd

        from trialsim.engine.failures import FAILURES

        path = self.folder / FAILURES
        return pd.read_csv(path, keep_default_na=False) if path.exists() else None

    def failure_words(self) -> str:
        """Return how many fits failed or fell back, and how to look at one; empty where all went well."""
        from trialsim.engine.failures import failure_words

        counts = self.summary[["fell_back", "failed"]].sum()
        return failure_words(self.folder, int(counts["fell_back"]), int(counts["failed"]))

    @property
    def twin_warning(self) -> str:
        """Where simulated power and closed form differ by more than their errors allow, and why; empty if nowhere."""
        from trialsim.report.design import labels_of
        from trialsim.report.twins import warning_words

        return "" if self.twins is None else warning_words(self.twins, labels=labels_of(self.manifest["scenario"]))

    @property
    def harms(self) -> list[str]:
        """Where the true effect of the primary hypothesis is a harm, and what it is, in words; empty if nowhere."""
        from trialsim.report.design import labels_of
        from trialsim.report.harms import harm_notes
        from trialsim.report.summary import hypotheses

        resolved, primary = self.manifest["scenario"], hypotheses(self.summary)[0]
        return harm_notes(resolved, self.summary, primary, families=self.families, labels=labels_of(resolved))

    @cached_property
    def clinic(self) -> pd.DataFrame | None:
        """True effects in the words of the clinic, one row per variant and estimand; None where there are none."""
        from trialsim.report.clinic import clinic_of

        return clinic_of(self.folder)

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
        with refusing(self.folder, checked=refuse_damaged):
            return pd.read_parquet(self.folder / name, columns=columns)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    def power_table(self) -> PowerTable:
        """Return power of the primary hypothesis by varied value and sample size.

        Where it is tested together with others, this is its power within the procedure, of co-primary hypotheses that
        all of them are found.
        """
        from trialsim.report.design import labels_of
        from trialsim.report.table import power_table

        return power_table(self.summary, labels=labels_of(self.manifest["scenario"]), families=self.families)

    def plot_power(self) -> Figure:
        """Return power of every hypothesis, each tested alone, against sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_curves import draw_power_curves, power_curve_data

        labels = labels_of(self.manifest["scenario"])
        return draw_power_curves(power_curve_data(self.summary, labels=labels, families=self.families, alone=True))

    def plot_heatmap(self) -> Figure:
        """Return power over varied value and sample size as a matplotlib figure."""
        from trialsim.report.design import labels_of
        from trialsim.report.figures.power_heatmap import draw_power_heatmap, power_heatmap_data

        labels = labels_of(self.manifest["scenario"])
        return draw_power_heatmap(power_heatmap_data(self.summary, labels=labels, families=self.families))

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
    replicates: int | None = None,
    seed: int | None = None,
    extend: int | None = None,
    verify: bool = False,
    wait: bool = True,
    scheduler: str | None = None,
    shard: str | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    tell: Tell | None = None,
    confirm: Callable[[Estimate], bool] | None = None,
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
    replicates, seed : int, optional
        Simulated trials per cell and seed of all draws, instead of the scenario's.
    extend : int, optional
        Grow the run that the folder holds to this many replicates in total; the scenario's number is left aside.
    verify : bool
        Read every file of a finished run and compare its checksum; otherwise the manifest is trusted for files that
        are there in full length.
    wait : bool
        Wait for another process that works in the folder; otherwise refuse.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers compute instead of this machine's: ``tcp://10.0.0.5:8786``.
    shard : str, optional
        Compute only this part of the run, such as ``3/20``, and stop; `merge` puts the parts together.
    force : bool
        Run what is larger than somebody may have meant.
    progress : callable, optional
        Called with (blocks done, blocks in all).
    tell : callable, optional
        Called with notes (`kind`, `text`), such as that a damaged part is computed again.
    confirm : callable, optional
        Where the scenario has `simulation.precision`: called after the first 500 replicates with what the rest will
        take (`precision`, `replicates`, `seconds`), and whether to go on is what it returns.

    Raises
    ------
    InputError
        If the scenario is not sound.
    RefusedError
        If the folder holds something else, or nothing that could be extended, the run is too large, or `confirm`
        said no.
    RunError
        If the disk is full, the folder cannot be written to, the memory does not suffice, or workers are lost for good.
    """
    from trialsim.engine.shards import parse_shard

    scenario = loaded(scenario, settings, replicates=replicates, seed=seed)
    resolved = resolve(scenario)
    part = None if shard is None else parse_shard(shard)
    folder = Path(out) if out is not None else OUTPUTS / f"{own_name(scenario.file)}{_ending(part)}"
    given: dict[str, Any] = {"force": force, "verify": verify, "wait": wait, "tell": tell}
    backend = _backend(workers, scheduler)
    if resolved.precision is None or extend is not None:
        wanted = resolved.replicates if extend is None else _extended(folder, extend)
        _say_longer(resolved, folder, wanted, tell)
        return carry_out(resolved, folder, wanted, backend=backend, shard=part, progress=progress, **given)
    if part is not None:
        raise InputError([Fault("shard", "a run to a precision grows by what it finds: give replicates instead of it")])
    return carry_out(resolved, folder, None, backend=backend, progress=progress, confirm=confirm, **given)


def loaded(
    scenario: Scenario | str | Path,
    settings: Mapping[str, Any] | None,
    *,
    replicates: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """Return a scenario that may be loaded already, with other replicates or another seed where they are given.

    Raises
    ------
    InputError
        If the scenario is not sound, or a number is out of range.
    TypeError
        If settings are given for a scenario that is loaded already.
    """
    given = {name: value for name, value in (("replicates", replicates), ("seed", seed)) if value is not None}
    if not isinstance(scenario, Scenario):
        own = {f"simulation.{name}": Option(value, f"{name}={value}") for name, value in given.items()}
        return load(scenario, settings={**(settings or {}), **own})
    if settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    return with_simulation(scenario, given) if given else scenario


def carry_out(
    resolved: Resolved, folder: Path, replicates: int | None, *, tell: Tell | None = None, **options: Any
) -> Run:
    """Return a run that is computed into a folder, or what is missing of it there.

    Parameters
    ----------
    resolved : Resolved
    folder : Path
    replicates : int or None
        None: as many as the scenario's precision takes.
    tell : callable, optional
    **options
        As of `trialsim.engine.execute.execute`, or of `trialsim.api.precision.run_to_precision`.
    """
    from trialsim.engine.execute import execute
    from trialsim.engine.notes import silent

    options |= {"tell": tell or silent, "publish": partial(_publish, resolved, folder)}
    if replicates is None:
        from trialsim.api.precision import run_to_precision

        execution = run_to_precision(resolved, folder, **options)
    else:
        execution = execute(resolved, folder, replicates=replicates, **options)
    return Run(folder, execution.manifest, computed=not execution.done_before, whole=execution.merged)


def own_name(file: str) -> str:
    """Return what the outputs of a scenario file are called; a name of dots alone would lead out of their folder."""
    stem = Path(file).stem
    return stem if stem.strip(".") else "scenario"


def _ending(shard: Shard | None) -> str:
    return "" if shard is None else f"_shard_{shard.number}_of_{shard.of}"


def _backend(workers: int | None, scheduler: str | None) -> Backend:
    from trialsim.engine.backends import Dask, Local, available_workers

    if scheduler is None:
        return Local(workers or available_workers())
    if workers is not None:
        raise InputError([Fault("workers", "are those that the scheduler has; leave this out, or the scheduler")])
    return Dask(scheduler)


def _extended(folder: Path, replicates: int) -> int:
    """Return the number of replicates that a run is to grow to; refuse where there is none."""
    from trialsim.engine.manifest import read_manifest

    if read_manifest(folder) is None:
        raise RefusedError(
            f"{folder} holds no run that could be extended. Give its folder with --out, or start a run of "
            f"{replicates:,} with --replicates {replicates}."
        )
    return replicates


def _say_longer(resolved: Resolved, folder: Path, wanted: int, tell: Tell | None) -> None:
    """Say so where a folder is for more replicates than are asked for: none that was computed is taken back."""
    from trialsim.engine.manifest import build_manifest, check_folder

    there = check_folder(folder, build_manifest(resolved, wanted))
    if tell is not None and there is not None and there["replicates"] > wanted:
        from trialsim.engine.notes import Note

        text = (
            f"{folder} is planned for {there['replicates']:,} simulated trials per cell: all of them are computed and "
            f"shown, not {wanted:,}. For {wanted:,} name another folder with --out."
        )
        tell(Note("longer", text))


def _publish(resolved: Resolved, folder: Path, manifest: dict[str, Any]) -> list[Path]:
    from trialsim.engine.example import one_trial, trajectories
    from trialsim.report.clinic import write_clinic
    from trialsim.report.origins import SCORES, origin_words
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
    note = f"{note}.\n{origin_words(own.provenance, SCORES)}".strip()
    drawn = [*write_twins(folder, resolved), *write_clinic(folder, resolved.variants, resolved.hash)]
    return [*drawn, *publish(folder, manifest, trajectories(variant, trial), note)]


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
