"""The synthetic patients of one simulated trial, as a table and in figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.sizes import loaded_with
from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from trialsim.patients.cohort import Cohort
    from trialsim.report.figures.cohort import Drawing
    from trialsim.scenario import Resolved, Variant


_MORE_THAN_A_RUN = {False: 1.4, True: 2.0}
"""Memory of a block in which everything is made, over that of one with what a run needs; in every arm or not."""

DRAWN_PATIENTS = 2000
"""Patients of the cohort that is drawn, unless asked otherwise."""


def cohort(
    scenario: Scenario | str | Path,
    *,
    n: int | None = None,
    replicate: int = 0,
    potential_outcomes: bool = False,
    items: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return one simulated trial of a scenario's base values, one row per patient and day.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file. What it varies is left aside.
    n : int, optional
        Patients; the largest sample size by default.
    replicate : int
        Which simulated trial; the first n patients are those of the run.
    potential_outcomes : bool
        Show each patient in every arm, with the same draws: one row per patient, arm and day. In the world of an arm
        all patients have it, and groups are formed among all of them.
    items : bool
        Add the items of QIDS-SR16 and BSL-23, and the domains of QIDS-SR16, where they are rated on their own scales.
        Item 12 of the QIDS-SR16 is the score of suicidal ideation (qids_si) where that is an outcome too, or the
        nearest that the total allows.
    settings : mapping, optional
        As for `load`; only with a file.

    Returns
    -------
    DataFrame
        patient, stratum, arm, with potential outcomes `assigned` (the arm that the patient was randomised to), one
        column for each kind of groups (numbered from 1; empty for who is in none), characteristics and what is known
        of screening and run-in where they are simulated, day, one column for each outcome (points) and each count
        (events since the visit before), empty once the patient has left, `<event>_day` for each event (empty where
        none was seen before the patient left), followed_until_day (the last visit before the patient left or died,
        where visits may be missed), infusions_given (where an estimand's analysis set needs it), cadss_infusion_1 and
        on, says_active and sessions_attended (where these are simulated), each adverse event (how many since the visit
        before; on day 0 those of that day), present (whether the patient is seen on that day), and items.

    Raises
    ------
    InputError
        If the scenario is not sound, or `n` or `replicate` is no such number.
    """
    import numpy as np
    import pandas as pd

    from trialsim.api.items import with_items
    from trialsim.engine.block import draw_block, patient_source
    from trialsim.streams import BLOCK_SIZE, Streams

    resolved, size = _asked(loaded_with(scenario, settings), n, replicate, all_arms=potential_outcomes)
    variant = resolved.variants[0]
    block, row = divmod(replicate, BLOCK_SIZE)
    streams = Streams(resolved.seed, block)
    drawn = draw_block(variant, resolved.hash, streams, size)
    trial, stratum = drawn.trial(row, size), drawn.stratum
    if not potential_outcomes:
        frame = cohort_table(trial, variant)
        return with_items(frame, resolved, replicate) if items else frame
    source, size = patient_source(variant, resolved.hash), trial.arm.shape[1]
    worlds = []
    for arm in range(len(variant.arms)):
        world = source.follow(streams, stratum, np.full_like(stratum, arm)).trial(row, size)
        worlds.append(cohort_table(world, variant, assigned=trial.arm[0]))
    frame = pd.concat(worlds, ignore_index=True).sort_values("patient", kind="stable", ignore_index=True)
    return with_items(frame, resolved, replicate) if items else frame


def plot_cohort(
    scenario: Scenario | str | Path,
    *,
    n: int = DRAWN_PATIENTS,
    replicate: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> CohortFigures:
    """Return figures of one simulated trial of a scenario's base values.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file. What it varies is left aside.
    n : int
        Patients; the first of them are those of a smaller trial.
    replicate : int
        Which simulated trial.
    settings : mapping, optional
        As for `load`; only with a file.

    Returns
    -------
    CohortFigures
        Mean courses, distributions before and after, correlations, and dissociation where it is simulated. Under each
        stands which of the numbers behind it are assumed, derived, measured or given in the scenario.

    Raises
    ------
    InputError
        If the scenario is not sound, or `n` or `replicate` is no such number.
    """
    from trialsim.report.figures.cohort import cohort_figures

    resolved, size = _asked(loaded_with(scenario, settings), n, replicate)
    # So many patients no clinic would have room for: all are treated as planned.
    planned = replace(resolved.variants[0], operations=None)
    trial = _trial(replace(resolved, variants=(planned,), hash=f"{resolved.hash}/planned"), size, replicate)
    figures = cohort_figures(resolved.variants[0], trial, title=resolved.title, provenance=resolved.provenance)
    return CohortFigures(figures)


class CohortFigures(Mapping[str, "Figure"]):
    """Figures of a simulated cohort by name, drawn when looked at.

    Parameters
    ----------
    drawings : mapping of str to (DataFrame, callable)
        The data of each figure, and what draws it.
    """

    def __init__(self, drawings: Mapping[str, Drawing]) -> None:
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


def _asked(scenario: Scenario, n: int | None, replicate: int, *, all_arms: bool = False) -> tuple[Resolved, int]:
    """Return the scenario at its base values with its numbers, and how many patients are wanted."""
    faults = [
        Fault(name, f"must be a whole number, {least} or more; got {value!r}")
        for name, value, least in (("n", n, 1), ("replicate", replicate, 0))
        if value is not None and not (_is_whole(value) and value >= least)
    ]
    if faults:
        raise InputError(faults)
    resolved = resolve(scenario.at_base())
    size = int(n or max(resolved.variants[0].sample_sizes))
    _refuse_without_memory(resolved.variants[0], size, all_arms=all_arms)
    return resolved, size


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _refuse_without_memory(variant: Variant, size: int, *, all_arms: bool) -> None:
    """Refuse more patients than the memory has room for: a trial is drawn together with the others of its block."""
    from trialsim.engine.needs import bytes_words, memory_of_machine, unit_memory
    from trialsim.streams import BLOCK_SIZE

    there = memory_of_machine()
    needed = _MORE_THAN_A_RUN[all_arms] * unit_memory(replace(variant, sample_sizes=(size,)))
    if there is not None and needed > there:
        message = (
            f"{size:,} patients need about {bytes_words(needed)} of {bytes_words(there)} memory, since all "
            f"{BLOCK_SIZE} trials of a block are drawn: about {int(size * there / needed):,} fit; fewer outcomes and "
            "visits need less"
        )
        raise InputError([Fault("n", message)])


def _trial(resolved: Resolved, size: int, replicate: int) -> Cohort:
    """Return the first patients of a replicate as the run has them, a cohort with R = 1."""
    from trialsim.engine.block import draw_block
    from trialsim.streams import BLOCK_SIZE, Streams

    block, row = divmod(replicate, BLOCK_SIZE)
    return draw_block(resolved.variants[0], resolved.hash, Streams(resolved.seed, block), size).trial(row, size)


def cohort_table(trial: Cohort, variant: Variant, *, assigned: NDArray[np.intp] | None = None) -> pd.DataFrame:
    """Return the rows of a cohort with R = 1, patients in order and days rising within."""
    import numpy as np
    import pandas as pd

    size = trial.arm.shape[1]
    days = np.array([0.0, *variant.visits_days])
    scores = np.concatenate([trial.baseline[0][:, None], trial.observed[0]], axis=1)
    present = np.concatenate([np.ones((size, 1), dtype=bool), trial.present[0]], axis=1)
    arms = np.asarray(variant.arms)
    columns = {
        "patient": np.repeat(np.arange(1, size + 1), len(days)),
        "stratum": np.repeat(np.asarray(variant.strata)[trial.stratum[0]], len(days)),
        "arm": np.repeat(arms[trial.arm[0]], len(days)),
        **({} if assigned is None else {"assigned": np.repeat(arms[assigned], len(days))}),
        **{name: _whole(np.repeat(group[0] + 1.0, len(days)), empty=0.0) for name, group in trial.groups.items()},
        **{name: _by_day(values, len(days)) for name, values in _at_entry(trial, variant).items()},
        "day": np.tile(days, size),
        **{name: scores[..., k].reshape(-1) for k, name in enumerate(variant.outcomes)},
        **_events(trial, variant),
        **{name: np.repeat(days_of, len(days)) for name, days_of in _happened(trial, variant).items()},
        **{name: _whole(np.repeat(values, len(days))) for name, values in _underwent(trial).items()},
        **_adverse(trial, variant),
        "present": present.reshape(-1),
    }
    return pd.DataFrame(columns)


def _events(trial: Cohort, variant: Variant) -> dict[str, pd.api.extensions.ExtensionArray]:
    """Return the counts by name, one value per patient and day; nothing is counted on day 0."""
    import numpy as np

    seen = trial.observed_counts
    if seen is None:
        return {}
    events = np.concatenate([np.full_like(seen[0][:, :1], np.nan), seen[0]], axis=1)
    return {count.name: _whole(events[..., c].reshape(-1)) for c, count in enumerate(variant.counts)}


def _adverse(trial: Cohort, variant: Variant) -> dict[str, pd.api.extensions.ExtensionArray]:
    """Return the adverse events by name, one value per patient and day."""
    from trialsim.engine.safety import seen_adverse_events

    if variant.safety is None or not variant.safety.adverse_events:
        return {}
    seen = seen_adverse_events(trial)[0]
    return {event.name: _whole(seen[..., e].reshape(-1)) for e, event in enumerate(variant.safety.adverse_events)}


def _happened(trial: Cohort, variant: Variant) -> dict[str, NDArray[np.float64]]:
    """Return the days of events, rounded up so that no visit comes between, and the infusions given, by patient."""
    import numpy as np

    from trialsim.api.trial_data import FOLLOWED
    from trialsim.engine.block import seen_events

    n_visits = len(variant.visits_days)
    columns = {
        f"{name}_day": np.where(visit[0] < n_visits, np.ceil(1000.0 * trial.event_day[name][0]) / 1000.0, np.nan)
        for name, visit in seen_events(trial).items()
    }
    if variant.intermittent is not None or variant.operations is not None:  # otherwise the last visit seen tells it
        columns[FOLLOWED] = np.array([0.0, *variant.visits_days])[trial.followed[0]]
    if trial.infusions is not None and any(estimand.analysis_set != "itt" for estimand in variant.estimands):
        columns["infusions_given"] = trial.infusions[0].astype(np.float64)
    return columns


def _underwent(trial: Cohort) -> dict[str, NDArray[np.float64]]:
    """Return the CADSS of each infusion given, what is believed after the last one, and the sessions attended."""
    import numpy as np

    from trialsim.patients.mechanisms.attendance import SESSIONS
    from trialsim.patients.mechanisms.dissociation import CADSS
    from trialsim.patients.mechanisms.unblinding import GUESS

    columns: dict[str, NDArray[np.float64]] = {}
    if CADSS in trial.records:
        scores = trial.records[CADSS][0]
        if trial.infusions is not None:  # the record goes on after a patient has left
            had = np.cumsum(~np.isnan(scores), axis=1) <= trial.infusions[0][:, None]
            scores = np.where(had, scores, np.nan)
        columns |= {f"cadss_infusion_{i + 1}": scores[:, i] for i in range(scores.shape[1])}
    if GUESS in trial.records:
        columns["says_active"] = trial.records[GUESS][0]
    if SESSIONS in trial.records:
        columns["sessions_attended"] = trial.records[SESSIONS][0].astype(np.float64)
    return columns


def _at_entry(trial: Cohort, variant: Variant) -> dict[str, NDArray[np.float64]]:
    """Return characteristics, screening scores and numbers screened by name, one value per patient."""
    brought = () if variant.entry is None else variant.entry.characteristics
    names = [*(one.name for one in brought), "screening", "screened", "excluded_in_run_in"]
    return {name: trial.records[name][0] for name in names if name in trial.records}


def _by_day(values: NDArray[np.float64], n_days: int) -> NDArray[np.float64] | pd.api.extensions.ExtensionArray:
    """Return one value per patient and day, whole numbers as such."""
    import numpy as np

    repeated = np.repeat(values, n_days)
    return _whole(repeated) if (repeated == np.round(repeated)).all() else repeated


def _whole(values: NDArray[np.float64], *, empty: float | None = None) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers, empty where they are NaN or `empty`."""
    import numpy as np
    import pandas as pd

    return pd.array(np.where(values == empty, np.nan, values), dtype="Float64").astype("Int64")
