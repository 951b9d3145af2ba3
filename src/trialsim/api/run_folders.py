"""What can be done with run folders: list them, compute some of one again, compare two, look into one trial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.runs import OUTPUTS
from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.engine.difference import Difference
    from trialsim.engine.inspection import Inspected
    from trialsim.engine.reproduce import Reproduction


def list_runs(place: str | Path = OUTPUTS) -> pd.DataFrame:
    """Return the run folders in a folder, those worked on last first.

    Parameters
    ----------
    place : str or Path
        Looked through one level deep; may itself be a run folder.

    Returns
    -------
    DataFrame
        folder, state (finished, shard, unfinished, running, damaged, other version, or comparison, whose designs' runs
        are listed as well), blocks_done and blocks (a block of a variant each; of a shard its own), title,
        scenario_hash, replicates, age_seconds since it was last worked on, bytes, note, shard (such as 3/20; empty for
        a whole run).

    Raises
    ------
    InputError
        If there is no such folder.
    """
    import pandas as pd

    from trialsim.engine.listing import Listed, listed

    if not Path(place).is_dir():
        raise InputError([Fault("", f"{place} is not a folder; name one that run folders lie in")])
    return pd.DataFrame(listed(Path(place)), columns=list(Listed._fields))


def reproduce(
    folder: str | Path, *, share: float = 0.01, seed: int | None = None, workers: int | None = None
) -> Reproduction:
    """Compare a run's files with their checksums and compute a random share of its blocks, and true values, again.

    Parameters
    ----------
    folder : str or Path
        A run folder; nothing is written into it.
    share : float
        Of the blocks, above 0 and at most 1; at least one is computed.
    seed : int, optional
        Of the choice of blocks; another choice each time by default.
    workers : int, optional
        Processes; as many as there are cores by default.

    Returns
    -------
    Reproduction
        `same` says whether all is as it should be: blocks and true values to the bit where the versions of NumPy and
        SciPy and the kind of processor are those that they were computed with, to a relative 1e-9 elsewhere.

    Raises
    ------
    InputError
        If `share` is out of range.
    RefusedError
        If it is no run folder, was made by another version, or holds no whole block.
    """
    from trialsim.engine.backends import available_workers
    from trialsim.engine.manifest import refuse_damaged
    from trialsim.engine.opening import open_folder
    from trialsim.engine.reading import refusing
    from trialsim.engine.reproduce import reproduce as again

    if not 0.0 < share <= 1.0:
        raise InputError([Fault("share", f"must lie above 0 and be at most 1; got {share}")])
    with refusing(Path(folder), checked=refuse_damaged):
        return again(open_folder(Path(folder)), share=share, seed=seed, workers=workers or available_workers())


@dataclass(frozen=True)
class RunDifference:
    """What differs between two runs.

    Parameters
    ----------
    found : Difference
    """

    found: Difference

    @property
    def same_scenario(self) -> bool:
        """Whether the results of both hang on the same values."""
        return self.found.same_scenario

    @cached_property
    def changed(self) -> pd.DataFrame:
        """Values that differ: path, a, b."""
        import pandas as pd

        return pd.DataFrame(self.found.changed, columns=["path", "a", "b"], dtype=object)

    @cached_property
    def power(self) -> pd.DataFrame:
        """Power of cells that both runs have, with the difference a - b and its Monte Carlo standard error."""
        import pandas as pd

        rows = [
            {**row.setting, **{k: v for k, v in row._asdict().items() if k != "setting"}} for row in self.found.power
        ]
        return pd.DataFrame(rows)


def diff(a: str | Path, b: str | Path) -> RunDifference:
    """Return what differs between two runs' scenarios and results.

    Parameters
    ----------
    a, b : str or Path
        Folders of finished runs.

    Raises
    ------
    RefusedError
        If one is no run folder, or is not finished.
    """
    from trialsim.engine.difference import difference
    from trialsim.engine.manifest import refuse_damaged
    from trialsim.engine.reading import refusing

    with refusing(Path(a), Path(b), checked=refuse_damaged):
        return RunDifference(difference(Path(a), Path(b)))


@dataclass(frozen=True)
class Trial:
    """One simulated trial of a run.

    Parameters
    ----------
    inspected : Inspected
    """

    inspected: Inspected

    @property
    def as_stored(self) -> bool | None:
        """Whether its analyses give the stored estimates to the bit; None where none are stored."""
        return self.inspected.as_stored

    @cached_property
    def data(self) -> pd.DataFrame:
        """Its patients, one row per patient and day, as `cohort` gives them."""
        from trialsim.api.cohorts import cohort_table

        return cohort_table(self.inspected.cohort, self.inspected.variant)

    @cached_property
    def flow(self) -> pd.DataFrame:
        """How patients went through it: stage, arm (`all` for all), patients."""
        import pandas as pd

        from trialsim.engine.inspection import flow

        return pd.DataFrame(flow(self.inspected))

    @cached_property
    def analysis(self) -> pd.DataFrame:
        """What its analyses said, one row per hypothesis, with the columns of estimates.parquet."""
        import pandas as pd

        return pd.DataFrame(self.inspected.analyses)

    def files(self) -> dict[str, bytes]:
        """Return data.csv, flow.csv and analysis.csv: their content by name."""
        # 15 digits tell all scores of a scale apart and write whole numbers as such; estimates have every digit.
        return {
            "data.csv": self.data.to_csv(index=False, lineterminator="\n", float_format="%.15g").encode(),
            "flow.csv": self.flow.to_csv(index=False, lineterminator="\n").encode(),
            "analysis.csv": self.analysis.to_csv(index=False, lineterminator="\n").encode(),
        }


def trial(folder: str | Path, *, replicate: int, cell: int = 0) -> Trial:
    """Return one simulated trial of a run: its patients, how they went through it, and its analyses.

    Parameters
    ----------
    folder : str or Path
        A run folder.
    replicate : int
        From 0.
    cell : int
        Its number in the summary.

    Raises
    ------
    InputError
        If the run has no such cell or replicate.
    RefusedError
        If it is no run folder, or was made by another version.
    """
    from trialsim.engine.inspection import inspect
    from trialsim.engine.manifest import refuse_damaged
    from trialsim.engine.opening import open_folder
    from trialsim.engine.reading import refusing

    with refusing(Path(folder), checked=refuse_damaged):
        return Trial(inspect(open_folder(Path(folder)), replicate=replicate, cell=cell))


def trial_words(inspected: Inspected) -> dict[str, Any]:
    """Return what tells a trial from the others of its run: cell, varied values, size, replicate."""
    cell = inspected.cell
    return {"cell": cell.index, **cell.settings, "n": cell.n, "replicate": inspected.replicate}
