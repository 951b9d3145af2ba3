"""The analyses a scenario plans, carried out on the data of a real trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED, Estimates, Observed
from trialsim.analysis.registry import analyse as analyse_block
from trialsim.errors import Fault, InputError
from trialsim.scenario import Scenario, resolve

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.scenario import Variant

MAXIMUM_FAULTS = 20


def analyse(data: pd.DataFrame | str | Path, scenario: Scenario) -> pd.DataFrame:
    """Return every analysis of every estimand of a scenario on one trial's data.

    Parameters
    ----------
    data : DataFrame, str or Path
        Long: one row per patient and day, with columns patient, arm, day, stratum (where the scenario has more than
        one) and one for each outcome, as `trialsim cohort` writes them. Day 0 is the baseline; a score that was not
        taken is empty, or its row is absent.
    scenario : Scenario
        What it varies is left aside.

    Returns
    -------
    DataFrame
        estimand, outcome, visit_days, contrast, method, estimate, se, df, p, ci_low, ci_high (level 1 − alpha),
        alpha, how (the covariance or reason of failure), failed and n_analysed.

    Raises
    ------
    InputError
        With every fault found in the data, by line where they came from a file.
    """
    import pandas as pd

    variant = resolve(scenario.at_base()).variants[0]
    frame, source = _read(data)
    observed = _observed(frame, source, variant)
    rows = []
    for estimand in variant.estimands:
        for analysis in estimand.analyses:
            found = analyse_block(observed, estimand, analysis, (observed.arm.shape[1],))[0]
            rows.append(
                {
                    "estimand": estimand.name,
                    "outcome": variant.outcomes[estimand.outcome],
                    "visit_days": float(variant.visits_days[estimand.visit]),
                    "contrast": f"{variant.arms[estimand.active]} - {variant.arms[estimand.control]}",
                    "method": analysis.name,
                    **_numbers(found, analysis.alpha),
                }
            )
    return pd.DataFrame(rows)


def _numbers(found: Estimates, alpha: float) -> dict[str, Any]:
    return {
        "estimate": float(found.estimate[0]),
        "se": float(found.se[0]),
        "df": float(found.df[0]),
        "p": float(found.p[0]),
        "ci_low": float(found.low[0]),
        "ci_high": float(found.high[0]),
        "alpha": alpha,
        "how": found.rungs[int(found.rung[0])],
        "failed": bool(found.status[0] == FAILED),
        "n_analysed": int(found.n_analysed[0]),
    }


def _read(data: pd.DataFrame | str | Path) -> tuple[pd.DataFrame, str | None]:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data.reset_index(drop=True), None
    source = str(data)
    try:
        return pd.read_csv(data, dtype={"patient": str, "arm": str, "stratum": str}), source
    except FileNotFoundError:
        raise InputError([Fault("", "there is no such file", file=source)]) from None
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, OSError) as error:
        raise InputError([Fault("", f"is not a readable CSV file in UTF-8: {error}", file=source)]) from None


class _Checker:
    """Collects faults, with the line of the file a row came from."""

    def __init__(self, source: str | None) -> None:
        self.source = source
        self.faults: list[Fault] = []

    def add(self, column: str, message: str, row: int | None = None) -> None:
        line = None if row is None or self.source is None else row + 2
        place = f"row {row}: {column}" if row is not None and self.source is None else column
        self.faults.append(Fault(place, message, line=line, file=self.source))

    def stop(self) -> None:
        """Raise what was found, if anything."""
        if len(self.faults) > MAXIMUM_FAULTS:
            more = len(self.faults) - MAXIMUM_FAULTS
            self.faults = [*self.faults[:MAXIMUM_FAULTS], Fault("", f"and {more} more like these", line=10**9)]
        if self.faults:
            raise InputError(self.faults)


def _observed(frame: pd.DataFrame, source: str | None, variant: Variant) -> Observed:
    checker = _Checker(source)
    needed = ["patient", "arm", "day", *variant.outcomes]
    if len(variant.strata) > 1:
        needed.append("stratum")
    for column in needed:
        if column not in frame.columns:
            checker.add(column, f"no such column; the columns are {', '.join(map(str, frame.columns))}")
    checker.stop()
    days = [0.0, *(float(day) for day in variant.visits_days)]
    day = _codes_of_days(frame, days, checker)
    arm = _codes(frame, "arm", variant.arms, checker)
    strata = ("",) if len(variant.strata) == 1 else variant.strata
    stratum = np.zeros(len(frame), dtype=np.intp) if len(strata) == 1 else _codes(frame, "stratum", strata, checker)
    scores = np.stack([_scores(frame, variant, k, checker) for k in range(len(variant.outcomes))], axis=1)
    checker.stop()
    patients, person = np.unique(frame["patient"].astype(str).to_numpy(), return_inverse=True)
    grid = np.full((len(patients), len(days), scores.shape[1]), np.nan)
    for row in np.flatnonzero(frame.assign(_day=day).duplicated(["patient", "_day"])):
        checker.add("day", f"patient {frame['patient'].iloc[row]} has two rows for this day; keep one", int(row))
    for name, codes in (("arm", arm), ("stratum", stratum)):
        first = np.zeros(len(patients), dtype=np.intp)
        first[person[::-1]] = codes[::-1]
        for row in np.flatnonzero(codes != first[person]):
            checker.add(name, f"patient {frame['patient'].iloc[row]} has another {name} before", int(row))
    grid[person, day] = scores
    for k, outcome in enumerate(variant.outcomes):
        lost = patients[np.isnan(grid[:, 0, k])]
        if len(lost):
            words = ", ".join(lost[:5]) + (" and others" if len(lost) > 5 else "")
            checker.add(outcome, f"no score on day 0 for patient {words}; the analyses need the baseline")
    checker.stop()
    of_patient = np.zeros((2, 1, len(patients)), dtype=np.intp)
    of_patient[0, 0, person], of_patient[1, 0, person] = arm, stratum
    return Observed(
        of_patient[0],
        of_patient[1],
        len(variant.arms),
        len(variant.strata),
        grid[None, :, 0],
        grid[None, :, 1:],
        np.asarray(variant.visits_days),
    )


def _codes(frame: pd.DataFrame, column: str, names: tuple[str, ...], checker: _Checker) -> NDArray[np.intp]:
    index = {name: code for code, name in enumerate(names)}
    codes = np.array([index.get(str(value).strip(), -1) for value in frame[column]], dtype=np.intp)
    for row in np.flatnonzero(codes < 0):
        checker.add(column, f"'{frame[column].iloc[row]}' is none of {', '.join(names)}", int(row))
    return codes


def _codes_of_days(frame: pd.DataFrame, days: list[float], checker: _Checker) -> NDArray[np.intp]:
    import pandas as pd

    values = pd.to_numeric(frame["day"], errors="coerce").to_numpy(dtype=float)
    codes = np.array([days.index(value) if value in days else -1 for value in values], dtype=np.intp)
    known = ", ".join(f"{day:g}" for day in days)
    for row in np.flatnonzero(codes < 0):
        checker.add("day", f"'{frame['day'].iloc[row]}' is no visit of the scenario ({known})", int(row))
    return codes


def _scores(frame: pd.DataFrame, variant: Variant, k: int, checker: _Checker) -> NDArray[np.float64]:
    import pandas as pd

    name, scale = variant.outcomes[k], variant.scales[k]
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
    wrong = (np.isnan(values) & frame[name].notna().to_numpy()) | np.isinf(values)
    for row in np.flatnonzero(wrong):
        checker.add(name, f"'{frame[name].iloc[row]}' is not a score", int(row))
    if scale is not None:
        with np.errstate(invalid="ignore"):
            outside = (values < scale.minimum - 1e-9) | (values > scale.maximum + 1e-9)
        for row in np.flatnonzero(outside & ~wrong):
            checker.add(name, f"{values[row]:g} is outside the scale, {scale.minimum:g} to {scale.maximum:g}", int(row))
    return np.asarray(values)
