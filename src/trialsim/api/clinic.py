"""What a scenario's effects mean in the words of the clinic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.api.runs import load
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd


def clinical_effects(scenario: Scenario | str | Path, *, settings: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the true effects of a scenario as a clinician looks at them; nothing is analysed.

    Parameters
    ----------
    scenario : Scenario, str or Path
        Loaded, or a YAML file. All that it varies is gone through.
    settings : mapping, optional
        As for `load`; only with a file.

    Returns
    -------
    DataFrame
        One row per combination of varied values and estimand that is a score or a response of two arms: `points`
        (active − control) beside Cohen's `d`; `responders_active` and `responders_control` (shares), their difference
        `more`, `number_needed` to treat (negative: to harm; empty where the simulation sees no difference); `better`,
        the probability that a patient on active does better than another on control. Each with the ends of its 95 %
        Monte Carlo interval, `_low` and `_high`; `patients` simulated under each arm.

    Raises
    ------
    InputError
        If the scenario is not sound.
    """
    from trialsim.report.clinic import clinic_table

    if not isinstance(scenario, Scenario):
        scenario = load(scenario, settings=settings)
    elif settings:
        raise TypeError("settings go with a file; give them to load for a scenario that is loaded already")
    resolved = resolve(scenario)
    return clinic_table(resolved.variants, resolved.hash)
