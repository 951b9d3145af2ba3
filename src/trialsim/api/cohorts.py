"""The synthetic patients of one simulated trial as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from trialsim.patients.cohort import Cohort
    from trialsim.scenario import Variant


def cohort(scenario: Scenario, *, n: int | None = None, replicate: int = 0) -> pd.DataFrame:
    """Return one simulated trial of a scenario's base values, one row per patient and day.

    Parameters
    ----------
    scenario : Scenario
        What it varies is left aside.
    n : int, optional
        Patients; the largest sample size by default.
    replicate : int
        Which simulated trial; the first n patients are those of the run.

    Returns
    -------
    DataFrame
        patient, stratum, arm, one column for each kind of groups (numbered from 1; empty for who is in none), day, one
        column for each outcome (points) and each count (events since the visit before), empty once the patient has
        left, and present (whether the patient is still there).
    """
    import numpy as np
    import pandas as pd

    from trialsim.engine.block import draw_block
    from trialsim.streams import BLOCK_SIZE, Streams

    if n is not None and n < 1:
        raise InputError([Fault("n", f"must be 1 or more; got {n}")])
    resolved = resolve(scenario.at_base())
    variant = resolved.variants[0]
    size = n or max(variant.sample_sizes)
    block, row = divmod(replicate, BLOCK_SIZE)
    trial = draw_block(variant, resolved.hash, Streams(resolved.seed, block), size).trial(row, size)
    days = np.array([0.0, *variant.visits_days])
    scores = np.concatenate([trial.baseline[0][:, None], trial.observed[0]], axis=1)
    present = np.concatenate([np.ones((size, 1), dtype=bool), trial.present[0]], axis=1)
    columns = {
        "patient": np.repeat(np.arange(1, size + 1), len(days)),
        "stratum": np.repeat(np.asarray(variant.strata)[trial.stratum[0]], len(days)),
        "arm": np.repeat(np.asarray(variant.arms)[trial.arm[0]], len(days)),
        **{name: _whole(np.repeat(group[0] + 1.0, len(days)), empty=0.0) for name, group in trial.groups.items()},
        "day": np.tile(days, size),
        **{name: scores[..., k].reshape(-1) for k, name in enumerate(variant.outcomes)},
        **_events(trial, variant),
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


def _whole(values: NDArray[np.float64], *, empty: float | None = None) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers, empty where they are NaN or `empty`."""
    import numpy as np
    import pandas as pd

    return pd.array(np.where(values == empty, np.nan, values), dtype="Float64").astype("Int64")
