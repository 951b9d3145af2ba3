"""The items of questionnaires beside the scores of a simulated cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.scenario import Resolved


def with_items(frame: pd.DataFrame, resolved: Resolved, replicate: int) -> pd.DataFrame:
    """Return a cohort's table with the items of its questionnaires after the other columns.

    Parameters
    ----------
    frame : DataFrame
        Of `cohort`: patient, day and a column for each outcome.
    resolved : Resolved
    replicate : int
        Which simulated trial it is.

    Returns
    -------
    DataFrame
        With `<outcome>_item_<number>` for each item, and `<outcome>_domain_<name>` for the nine domains of a QIDS-SR16,
        whole numbers; empty where the score is. What they add up to is the score.

    Raises
    ------
    InputError
        If no outcome is rated by such a questionnaire on its own scale, or a column is there already.
    """
    import numpy as np
    import pandas as pd

    from trialsim.patients.questionnaires import QUESTIONNAIRES, draw_items

    rated = _rated(resolved)
    patients, days = frame["patient"].to_numpy() - 1, frame["day"].to_numpy()
    columns: dict[str, pd.api.extensions.ExtensionArray] = {}
    for outcome, instrument in rated.items():
        scores = frame[outcome].to_numpy(dtype=np.float64)
        names = [f"{outcome}_{name}" for name in QUESTIONNAIRES[instrument].columns]
        items = np.zeros((len(frame), len(names)), dtype=np.int64)
        for day in np.unique(days):
            rows = np.flatnonzero((days == day) & ~np.isnan(scores))
            items[rows] = draw_items(
                instrument,
                scores[rows],
                resolved.seed,
                outcome=outcome,
                replicate=replicate,
                day=float(day),
                patients=patients[rows],
            )
        for position, name in enumerate(names):
            column = pd.array(items[:, position], dtype="Int64")
            column[np.isnan(scores)] = pd.NA
            columns[name] = column
    taken = [name for name in columns if name in frame.columns]
    if taken:
        raise InputError([Fault("items", f"there is a column '{taken[0]}' already; give the outcome another name")])
    return pd.concat([frame, pd.DataFrame(columns, index=frame.index)], axis=1)


def _rated(resolved: Resolved) -> dict[str, str]:
    """Return the instrument of every outcome whose items can be drawn."""
    from trialsim import evidence
    from trialsim.patients.questionnaires import QUESTIONNAIRES
    from trialsim.scenario.checking.bench import outcome_settings

    variant = resolved.variants[0]
    settings = outcome_settings(resolved.scenario.content.outcomes)
    found = {}
    for name, scale in zip(variant.outcomes, variant.scales, strict=True):
        instrument = (settings[name].instrument if name in settings else None) or name
        if instrument not in QUESTIONNAIRES or scale is None:
            continue
        own = evidence.instrument(instrument)
        if (scale.minimum, scale.maximum, scale.step) == (own.minimum, own.maximum, own.step):
            found[name] = instrument
    if not found:
        known = " and ".join(QUESTIONNAIRES)
        raise InputError([Fault("items", f"no outcome has items: {known} have, on their own scales")])
    return found
