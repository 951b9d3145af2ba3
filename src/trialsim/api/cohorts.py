"""The synthetic patients of one simulated trial as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd


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
        patient, stratum, arm, day, one column for each outcome (points; empty once the patient has left)
        and present (whether the patient is still there).
    """
    import numpy as np
    import pandas as pd

    from trialsim.engine.example import one_trial

    if n is not None and n < 1:
        raise InputError([Fault("n", f"must be 1 or more; got {n}")])
    resolved = resolve(scenario.at_base())
    variant = resolved.variants[0]
    size = n or max(variant.sample_sizes)
    trial = one_trial(variant, resolved.hash, resolved.seed, replicate=replicate, n=size)
    days = np.array([0.0, *variant.visits_days])
    scores = np.concatenate([trial.baseline[0][:, None], trial.observed[0]], axis=1)
    present = np.concatenate([np.ones((size, 1), dtype=bool), trial.present[0]], axis=1)
    columns = {
        "patient": np.repeat(np.arange(1, size + 1), len(days)),
        "stratum": np.repeat(np.asarray(variant.strata)[trial.stratum[0]], len(days)),
        "arm": np.repeat(np.asarray(variant.arms)[trial.arm[0]], len(days)),
        "day": np.tile(days, size),
        **{name: scores[..., k].reshape(-1) for k, name in enumerate(variant.outcomes)},
        "present": present.reshape(-1),
    }
    return pd.DataFrame(columns)
