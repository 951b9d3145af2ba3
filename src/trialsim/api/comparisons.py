"""Designs held against each other on the same virtual patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.runs import OUTPUTS, loaded
from trialsim.errors import Fault, InputError, RefusedError
from trialsim.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.planning.comparison import Prepared
    from trialsim.report.comparison import Table

LONGEST_NAME = 80


@dataclass(frozen=True)
class Compared:
    """A finished comparison of designs.

    Parameters
    ----------
    folder : Path
    answer : dict
        The whole comparison as JSON's types.
    computed : bool
        False where the folder already held all simulated trials.
    """

    folder: Path
    answer: dict[str, Any]
    computed: bool

    def __repr__(self) -> str:
        """Return the findings."""
        return "\n".join(self.findings)

    @cached_property
    def findings(self) -> list[str]:
        """What was found, one finding a sentence."""
        from trialsim.report.comparison_findings import findings

        return findings(self.answer)

    @property
    def notes(self) -> list[str]:
        """What was left aside or made alike."""
        return list(self.answer["notes"])

    @cached_property
    def designs(self) -> pd.DataFrame:
        """One row per design: measures with their errors, rank, and whether another beats it."""
        import pandas as pd

        from trialsim.report.comparison_page import design_rows

        return pd.DataFrame(design_rows(self.answer))

    @cached_property
    def differences(self) -> pd.DataFrame:
        """One row per pair of designs: differences of power, estimate and bias with paired errors."""
        import pandas as pd

        return pd.DataFrame(self.answer["differences"])

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"

    def table(self) -> Table:
        """Return the designs as a table in words."""
        from trialsim.report.comparison import design_table

        return design_table(self.answer)

    def caption(self) -> str:
        """Return what the numbers of the table are."""
        from trialsim.report.comparison import caption

        return caption(self.answer)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison with its findings as JSON's types."""
        return {**self.answer, "findings": self.findings, "folder": str(self.folder)}

    def plot_forest(self) -> Figure:
        """Return the differences of power from the reference as a matplotlib figure."""
        from trialsim.report.figures.design_forest import design_forest_data, draw_design_forest

        return draw_design_forest(design_forest_data(self.answer))

    def plot_power(self) -> Figure:
        """Return the power of each design beside the power wanted as a matplotlib figure."""
        from trialsim.report.figures.design_power import design_power_data, draw_design_power

        return draw_design_power(design_power_data(self.answer))

    def plot_pareto(self, against: str | None = None) -> Figure:
        """Return power against what it takes as a matplotlib figure.

        Parameters
        ----------
        against : str, optional
            A measure, such as `n`, `months`, `cost_usd` or `control_patients`; by default those of the report.

        Raises
        ------
        InputError
            If there is no such measure, or no design has it.
        """
        from trialsim.planning.comparison.metrics import BY_NAME
        from trialsim.report.figures.design_pareto import design_pareto_data, draw_design_pareto
        from trialsim.scenario.words import did_you_mean

        if against is not None and against not in BY_NAME:
            raise InputError([Fault("against", f"there is no measure {against!r}{did_you_mean(against, BY_NAME)}")])
        frame = design_pareto_data(self.answer, against)
        if frame["value"].isna().all():
            reason = self.answer["designs"][0]["metrics"][against]["reason"]
            raise InputError([Fault("against", f"no design has {against}: {reason}")])
        return draw_design_pareto(frame)


def compare(
    scenarios: Scenario | str | Path | Sequence[Scenario | str | Path] | Mapping[str, Scenario | str | Path],
    *,
    out: str | Path | None = None,
    reference: str | None = None,
    estimand: str | None = None,
    metric: str = "power",
    front: Sequence[str] = (),
    target: float = 0.8,
    max_patients: float | None = None,
    max_months: float | None = None,
    max_cost: float | None = None,
    cells: bool = False,
    workers: int | None = None,
    settings: Mapping[str, Any] | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Simulate designs on the same virtual patients and hold them against each other.

    Parameters
    ----------
    scenarios : Scenario, str or Path, or several of them in a sequence or a mapping by name
        One whose `designs` are compared, or several that are compared at their base values.
    out : str or Path, optional
        Folder; outputs/compare_<name> by default. What it holds of the same designs is kept.
    reference : str, optional
        Design that the others are held against; the first by default.
    estimand : str, optional
        The question; the first that all designs have by default.
    metric : str
        What designs are ranked by, such as `power`, `n`, `bias`, `control_patients`.
    front : sequence of str
        Measures of the Pareto front; by default power, patients in all and on control, and months and cost where all
        designs have them.
    target : float
        Power wanted, between 0 and 1.
    max_patients, max_months, max_cost : float, optional
        Budget; a design that needs more is shown, but not ranked.
    cells : bool
        Whether every sample size and combination of varied values is a design of its own; otherwise the first
        sample size and the base values.
    workers : int, optional
        Processes; as many as there are cores by default. The answer does not depend on it.
    settings : mapping, optional
        As for `load`; only with files.
    replicates, seed : int, optional
        Simulated trials of each design and seed of all draws, instead of the first scenario's.
    force : bool
        Run what is larger than somebody may have meant.
    progress : callable, optional
        Called with (blocks done, blocks in all).

    Returns
    -------
    Compared

    Raises
    ------
    InputError
        If a scenario is not sound, there are not two designs, they share no estimand, or something asked for is not
        there.
    RefusedError
        If the folder holds something else, or a design is too large.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.planning.comparison import Request, prepare
    from trialsim.planning.comparison import compare as simulate_and_compare
    from trialsim.report.comparison_page import is_published, publish_comparison

    named = _named(scenarios, partial(loaded, settings=settings, replicates=replicates, seed=seed))
    limits = {"max_patients": max_patients, "max_months": max_months, "max_cost": max_cost}
    request = Request(
        reference=reference,
        estimand=estimand,
        metric=metric,
        front=tuple(front),
        target=target,
        budget={name: float(value) for name, value in limits.items() if value is not None},
    )
    prepared = prepare(named, cells=cells)
    folder = Path(out) if out is not None else OUTPUTS / f"compare_{'_'.join(named)}"[:LONGEST_NAME]
    wanted = max(prepared.replicates, _replicates_there(folder))
    comparison, computed = simulate_and_compare(
        prepared,
        folder,
        request,
        replicates=wanted,
        workers=workers or available_workers(),
        progress=progress,
        force=force,
    )
    told = comparison.to_dict()
    if not is_published(folder, told):
        publish_comparison(folder, told, _write_manifest(folder, prepared, wanted))
    return Compared(folder, told, computed)


def _named(scenarios: Any, load: Callable[[Scenario | str | Path], Scenario]) -> dict[str, Scenario]:
    """Return the scenarios by name: that given, or that of the file."""
    if isinstance(scenarios, Scenario | str | Path):
        scenarios = [scenarios]
    if isinstance(scenarios, Mapping):
        return {str(name): load(one) for name, one in scenarios.items()}
    found: dict[str, Scenario] = {}
    faults: list[Fault] = []
    for one in scenarios:
        try:
            read = load(one)
        except InputError as error:
            faults += error.faults
            continue
        name, number = Path(read.file).stem, 1
        while name in found:
            number += 1
            name = f"{Path(read.file).stem}_{number}"
        found[name] = read
    if faults:
        raise InputError(list(dict.fromkeys(faults)))
    if not found:
        raise InputError([Fault("scenarios", "at least one is needed")])
    return found


def _replicates_there(folder: Path) -> int:
    """Return how many replicates a folder's comparison has already; 0 for a new folder.

    Raises
    ------
    RefusedError
        If the folder holds anything else.
    """
    from trialsim.engine.manifest import COMPARISON, DESIGNS
    from trialsim.engine.reading import read_json

    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"{folder} is a file. Name a folder with --out.")
    there = read_json(folder / "manifest.json") if folder.is_dir() else None
    if there is not None and there.get("kind") == COMPARISON:
        return int(there["replicates"])
    # A comparison that was interrupted has the runs of its designs, and no manifest yet.
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if names - {DESIGNS, "truths.json"}:
        raise RefusedError(
            f"{folder} holds files that are not a comparison. Nothing was written. Name another folder with --out."
        )
    return 0


def _write_manifest(folder: Path, prepared: Prepared, replicates: int) -> dict[str, Any]:
    from trialsim.engine.manifest import COMPARISON, DESIGNS, build_manifest
    from trialsim.engine.store import write_json

    common = build_manifest(prepared.contenders[0].resolved, replicates)
    shared = {key: value for key, value in common.items() if key not in ("title", "scenario_hash", "scenario")}
    manifest = {
        "kind": COMPARISON,
        "title": prepared.title,
        **shared,
        "designs": {
            design.name: {
                "file": design.contender.file,
                "folder": f"{DESIGNS}/{design.contender.folder}",
                "scenario_hash": design.contender.resolved.hash,
                "cell": design.cell.index,
                "n": design.cell.n,
            }
            for design in prepared.designs
        },
    }
    write_json(folder / "manifest.json", manifest)
    return manifest
