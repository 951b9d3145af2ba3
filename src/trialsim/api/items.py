"""The items of questionnaires beside the scores of a simulated cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialsim.errors import Fault, InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

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
        whole numbers; empty where the score is. What they add up to is the score. Item 12 of a QIDS-SR16 is the score
        of the outcome that is this item (instrument qids_si, on its own scale; the first, were there several), or the
        nearest that the total allows.

    Raises
    ------
    InputError
        If no outcome is rated by such a questionnaire on its own scale, or a column is there already.
    """
    import numpy as np
    import pandas as pd

    from trialsim.patients.questionnaires import QUESTIONNAIRES, draw_items

    own = _on_own_scale(resolved)
    patients, days = frame["patient"].to_numpy() - 1, frame["day"].to_numpy()
    columns: dict[str, pd.api.extensions.ExtensionArray] = {}
    for outcome, instrument in own.items():
        if instrument not in QUESTIONNAIRES:
            continue
        scores = frame[outcome].to_numpy(dtype=np.float64)
        parts = _scores(frame, own, QUESTIONNAIRES[instrument].parts)
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
                parts={part: known[rows] for part, known in parts.items()},
            )
        for position, name in enumerate(names):
            column = pd.array(items[:, position], dtype="Int64")
            column[np.isnan(scores)] = pd.NA
            columns[name] = column
    taken = [name for name in columns if name in frame.columns]
    if taken:
        raise InputError([Fault("items", f"there is a column '{taken[0]}' already; give the outcome another name")])
    return pd.concat([frame, pd.DataFrame(columns, index=frame.index)], axis=1)


def _on_own_scale(resolved: Resolved) -> dict[str, str]:
    """Return the instrument of every outcome that has items or is one, rated on its own scale; some must have items."""
    from trialsim import evidence
    from trialsim.patients.questionnaires import QUESTIONNAIRES
    from trialsim.scenario.checking.bench import outcome_settings

    variant = resolved.variants[0]
    settings = outcome_settings(resolved.scenario.content.outcomes)
    wanted = {name for questionnaire in QUESTIONNAIRES.values() for name in questionnaire.parts} | set(QUESTIONNAIRES)
    found = {}
    for name, scale in zip(variant.outcomes, variant.scales, strict=True):
        instrument = (settings[name].instrument if name in settings else None) or name
        if instrument not in wanted or scale is None:
            continue
        own = evidence.instrument(instrument)
        if (scale.minimum, scale.maximum, scale.step) == (own.minimum, own.maximum, own.step):
            found[name] = instrument
    if not set(found.values()) & set(QUESTIONNAIRES):
        known = " and ".join(QUESTIONNAIRES)
        raise InputError([Fault("items", f"no outcome has items: {known} have, on their own scales")])
    return found


def _scores(frame: pd.DataFrame, own: dict[str, str], instruments: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the scores of instruments that are rated, of the first outcome each."""
    outcomes = {instrument: outcome for outcome, instrument in reversed(own.items()) if instrument in instruments}
    return {instrument: frame[outcome].to_numpy(dtype="float64") for instrument, outcome in outcomes.items()}
