"""A published study repeated in simulated patients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trialsim.engine.replay import Replay
    from trialsim.report.replay import Cells


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """What was published beside what simulated studies show.

    Parameters
    ----------
    frame : DataFrame
        One row per quantity: label, mark (calibration, check or assumed), unit, the published figure with its interval
        and its name in the evidence catalogue, mean and 2.5-97.5 % range over simulated studies, the share of them that
        agree and in what (`compared`), and the same patients under the other arm (`instead`, `by_drug`).
    replicates : DataFrame
        Columns quantity, arm, replicate, value: every simulated study.
    """

    frame: pd.DataFrame
    replicates: pd.DataFrame
    _replay: Replay = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the replay."""
        return self._replay.name

    @property
    def title(self) -> str:
        """Title of the study."""
        return self._replay.resolved.title

    @property
    def seed(self) -> int:
        """Seed of all draws."""
        return self._replay.resolved.seed

    @property
    def scenario_hash(self) -> str:
        """Hash of the scenario behind it."""
        return self._replay.resolved.hash

    @property
    def n_replicates(self) -> int:
        """Number of simulated studies."""
        return self._replay.resolved.replicates

    @property
    def n_patients(self) -> int:
        """Patients in each simulated study."""
        return max(self._replay.variant.sample_sizes)

    @property
    def arm_labels(self) -> tuple[str, ...]:
        """The arm that the study had, and the one beside it, in words."""
        return tuple(self._replay.variant.arm_labels[arm] for arm in self._replay.arms)

    @property
    def findings(self) -> list[str]:
        """What the replay says, in sentences."""
        from trialsim.report.replay import findings

        return findings(self._replay, self.frame)

    def printed(self) -> list[Cells]:
        """Return the table as texts."""
        from trialsim.report.replay import printed

        return printed(self.frame)

    def plot(self) -> Figure:
        """Return how each quantity is spread over simulated studies, with the published figure as a line."""
        from trialsim.report.figures.replay import replay_data

        return self._draw(replay_data(self._replay))

    def files(self) -> dict[str, bytes]:
        """Return table and figure as files: their content by name."""
        from trialsim.report.csv_files import csv_text
        from trialsim.report.figure_files import figure_files
        from trialsim.report.figures.replay import replay_data

        name = f"replay_{self.name}"
        drawn = figure_files({f"{name}_figure": (replay_data(self._replay), self._draw)})
        return {f"{name}.csv": csv_text(self.frame).encode("utf-8"), **drawn}

    def _draw(self, histograms: pd.DataFrame) -> Figure:
        from trialsim.report.figures.replay import draw_replay

        note = f"{self.n_replicates:,} simulated studies of {self.n_patients} patients each."
        return draw_replay(histograms, title=self.title, note=note)


def replay(name: str, *, replicates: int | None = None, seed: int | None = None) -> ReplayResult:
    """Repeat a published study in simulated patients, under its own arm and under another one.

    Parameters
    ----------
    name : str
        Such as ``danayan2023``; `replayable` lists them.
    replicates : int, optional
        Simulated studies, 2 or more; 2,000 by default.
    seed : int, optional
        Of all draws; that of the replay's scenario by default.

    Raises
    ------
    InputError
        If no study has this name, or a number is out of range.
    """
    from trialsim.engine import replay as engine
    from trialsim.report.replay import replay_frame, replicate_frame

    done = engine.replay(name, replicates=replicates, seed=seed)
    return ReplayResult(replay_frame(done), replicate_frame(done), done)


def replayable() -> dict[str, str]:
    """Return the studies that can be replayed: names and titles."""
    from trialsim.engine.replay import replay_names, replay_scenario

    return {name: replay_scenario(name).title for name in replay_names()}
