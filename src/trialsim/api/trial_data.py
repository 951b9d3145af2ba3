"""A real trial's data, checked against its scenario and put in the form that analyses take."""

from __future__ import annotations

import csv
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Observed
from trialsim.errors import Fault, InputError
from trialsim.scenario.files import read_bytes
from trialsim.scenario.words import listed, nearest

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.scenario import Variant
    from trialsim.scenario.resolved import Cluster, Scale

Array = NDArray[np.float64]
Index = NDArray[np.intp]

MAXIMUM_FAULTS = 20
MAXIMUM_BYTES = 50_000_000
MAXIMUM_COLUMNS = 1_000
LONGEST_HEADING = 1_000_000

_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_FIELDS = re.compile(r"Expected ([0-9]+) fields in line ([0-9]+), saw ([0-9]+)")
"""What pandas says of a row that is too long."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}

INFUSIONS_GIVEN = "infusions_given"
"""Column of the number of infusions that a patient was given."""

FOLLOWED = "followed_until_day"
"""Column of the day of the last visit before a patient left, seen or missed; it need not be there."""


def read_trial(data: pd.DataFrame | str | Path, variant: Variant) -> Observed:
    """Return one trial as a block of one.

    Parameters
    ----------
    data : DataFrame, str or Path
        Long, as `trialsim cohort` writes it.
    variant : Variant
        Says which columns there must be.

    Raises
    ------
    InputError
        With every fault found, by line where the data came from a file.
    """
    frame, source = _read(data)
    return _observed(frame, source, variant)


def _read(data: pd.DataFrame | str | Path) -> tuple[pd.DataFrame, str | None]:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data.reset_index(drop=True), None
    source = str(data)
    # The bytes are read here: pandas would take an address for a download and unpack archives of any size.
    content = read_bytes(Path(data), source, MAXIMUM_BYTES, what="CSV file", endings=(".csv",))
    try:
        names = next(csv.reader(content[:LONGEST_HEADING].decode("utf-8-sig", "replace").splitlines()[:1]), [])
        _check_heading(names, source)
        texts = dict.fromkeys(("patient", "arm", "stratum"), str)
        return pd.read_csv(BytesIO(content), dtype=texts, low_memory=False, encoding="utf-8-sig"), source
    except pd.errors.EmptyDataError:
        raise InputError([Fault("", "is empty; its first line names the columns", file=source)]) from None
    except pd.errors.ParserError as error:
        found = _FIELDS.search(str(error))
        words = f"{found[3]} columns where the first line names {found[1]}" if found else str(error)
        message = f"is not a table with commas between its columns: {words}"
        raise InputError([Fault("", message, int(found[2]) if found else None, file=source)]) from None
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise InputError([Fault("", f"is not a readable CSV file in UTF-8: {error}", file=source)]) from None


def _check_heading(names: list[str], source: str) -> None:
    """Refuse another separator, more columns than a trial has, and a name that two columns have."""
    other = next((words for sign, words in _OTHER_SEPARATORS.items() if len(names) == 1 and sign in names[0]), None)
    if other is not None:
        message = f"the columns seem to be separated by {other}: write commas between columns, and points in decimals"
        raise InputError([Fault("", message, line=1, file=source)])
    if len(names) > MAXIMUM_COLUMNS:
        message = f"{len(names):,} columns; at most {MAXIMUM_COLUMNS:,} are read"
        raise InputError([Fault("", message, line=1, file=source)])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            [Fault(_short(name), "two columns have this name; keep one", line=1, file=source) for name in twice]
        )


def _short(value: object) -> str:
    """Return a value as it is shown in a message."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


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
            self.faults = [*self.faults[:MAXIMUM_FAULTS], Fault("", f"and {more} more like these", last=True)]
        if self.faults:
            raise InputError(self.faults)


def _observed(frame: pd.DataFrame, source: str | None, variant: Variant) -> Observed:
    checker = _Checker(source)
    for column in _columns(variant):
        if column not in frame.columns:
            checker.add(column, f"no such column; the columns are {listed(map(_short, frame.columns))}")
    checker.stop()
    for row in np.flatnonzero(frame["patient"].isna().to_numpy()):
        checker.add("patient", "is empty; every row names its patient", int(row))
    days = [0.0, *(float(day) for day in variant.visits_days)]
    day = _codes_of_days(frame, days, checker)
    codes = {"arm": _codes(frame, "arm", variant.arms, checker), "stratum": np.zeros(len(frame), dtype=np.intp)}
    if len(variant.strata) > 1:
        codes["stratum"] = _codes(frame, "stratum", variant.strata, checker)
    codes |= {one.name: _groups(frame, one, codes["arm"], checker) for one in variant.clusters}
    scores = [_scores(frame, variant, k, checker) for k in range(len(variant.outcomes))]
    happened = {event.name: _event_days(frame, event.name, checker) for event in variant.events}
    given = _infusions_given(frame, variant, checker)
    stays = _numbers(frame, FOLLOWED, "a day (0 or later)", checker) if FOLLOWED in frame.columns else None
    values = np.stack([*scores, *(_events(frame, one.name, day, checker) for one in variant.counts)], axis=1)
    checker.stop()
    _require_visits(variant, day, checker)
    checker.stop()
    patients, person = np.unique(frame["patient"].astype(str).to_numpy(), return_inverse=True)
    for row in np.flatnonzero(frame.assign(_day=day).duplicated(["patient", "_day"])):
        checker.add(
            "day", f"patient {_short(frame['patient'].iloc[row])} has two rows for this day; keep one", int(row)
        )
    of_patient = {name: _constant(frame, name, code, person, checker) for name, code in codes.items()}
    event_days = {name: _one_day(frame, f"{name}_day", one, person, checker) for name, one in happened.items()}
    infusions = None if given is None else _one_day(frame, INFUSIONS_GIVEN, given, person, checker)
    until = None if stays is None else _one_day(frame, FOLLOWED, stays, person, checker)
    grid = np.full((len(patients), len(days), values.shape[1]), np.nan)
    grid[person, day] = values
    for k, outcome in enumerate(variant.outcomes):
        lost = patients[np.isnan(grid[:, 0, k])]
        if len(lost):
            words = ", ".join(map(_short, lost[:5])) + (" and others" if len(lost) > 5 else "")
            checker.add(outcome, f"no score on day 0 for patient {words}; the analyses need the baseline")
    checker.stop()
    n_outcomes = len(variant.outcomes)
    return Observed(
        of_patient["arm"],
        of_patient["stratum"],
        len(variant.arms),
        len(variant.strata),
        grid[None, :, 0, :n_outcomes],
        grid[None, :, 1:, :n_outcomes],
        np.asarray(variant.visits_days),
        counts=grid[None, :, 1:, n_outcomes:] if variant.counts else None,
        groups={one.name: of_patient[one.name] for one in variant.clusters},
        event_visit={name: np.searchsorted(variant.visits_days, days_of) for name, days_of in event_days.items()},
        left=None if until is None else np.searchsorted(variant.visits_days, until, side="right"),
        **_as_planned(variant, of_patient["arm"], event_days, infusions),
    )


def _require_visits(variant: Variant, day: Index, checker: _Checker) -> None:
    """Report visits of estimands that no row is of; times to an event and counts are known without."""
    for estimand in variant.estimands:
        if estimand.endpoint.kind in ("score", "binary") and not (day == estimand.visit + 1).any():
            when = f"day {variant.visits_days[estimand.visit]:g}"
            checker.add("day", f"there is no row for {when}, the visit of the estimand {estimand.name}")


def _columns(variant: Variant) -> list[str]:
    """Return the columns that must be there."""
    names = ["patient", "arm", "day", *variant.outcomes]
    if len(variant.strata) > 1:
        names.append("stratum")
    names += [f"{event.name}_day" for event in variant.events]
    if _needs_infusions(variant):
        names.append(INFUSIONS_GIVEN)
    return [*names, *(count.name for count in variant.counts), *(cluster.name for cluster in variant.clusters)]


def _needs_infusions(variant: Variant) -> bool:
    return any(estimand.analysis_set != "itt" for estimand in variant.estimands)


def _event_days(frame: pd.DataFrame, name: str, checker: _Checker) -> Array:
    """Return the day of an event in every row; infinite where it is empty."""
    return _numbers(frame, f"{name}_day", "a day (0 or later), or empty where it did not happen", checker)


def _infusions_given(frame: pd.DataFrame, variant: Variant, checker: _Checker) -> Array | None:
    if not _needs_infusions(variant):
        return None
    return _numbers(frame, INFUSIONS_GIVEN, "a number of infusions (0 or more)", checker, empty=0.0)


def _numbers(frame: pd.DataFrame, column: str, what: str, checker: _Checker, *, empty: float = np.inf) -> Array:
    import pandas as pd

    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    given = frame[column].notna().to_numpy()
    with np.errstate(invalid="ignore"):
        wrong = given & ~(np.isfinite(values) & (values >= 0.0))
    for row in np.flatnonzero(wrong):
        checker.add(column, f"'{_short(frame[column].iloc[row])}' is not {what}", int(row))
    return np.where(given, values, empty)


def _one_day(frame: pd.DataFrame, column: str, values: Array, person: Index, checker: _Checker) -> Array:
    """Return a number that must be the same in all rows of a patient, shape (1, patients)."""
    first = np.zeros(int(person.max(initial=-1)) + 1)
    first[person[::-1]] = values[::-1]
    for row in np.flatnonzero(values != first[person]):
        checker.add(column, f"patient {_short(frame['patient'].iloc[row])} has another {column} before", int(row))
    return first[None]


def _as_planned(
    variant: Variant, arm: Index, event_days: dict[str, Array], infusions: Array | None
) -> dict[str, NDArray[np.bool_]]:
    """Return who was treated at all, and who as planned, where an analysis set needs it."""
    if infusions is None:
        return {}
    planned = np.array([len(days) for days in variant.infusion_days])[arm]
    treated = (planned == 0) | (infusions > 0)
    adherent = treated & (infusions >= planned)
    for event in variant.events:
        if event.stops_infusions or event.stops_therapy:
            adherent &= event_days[event.name] > variant.visits_days[-1]
    return {"treated": treated, "adherent": adherent}


def _constant(frame: pd.DataFrame, name: str, codes: Index, person: Index, checker: _Checker) -> Index:
    """Return what must be the same in all rows of a patient, shape (1, patients)."""
    first = np.zeros(int(person.max(initial=-1)) + 1, dtype=np.intp)
    first[person[::-1]] = codes[::-1]
    for row in np.flatnonzero(codes != first[person]):
        checker.add(name, f"patient {_short(frame['patient'].iloc[row])} has another {name} before", int(row))
    return first[None]


def _codes(frame: pd.DataFrame, column: str, names: tuple[str, ...], checker: _Checker) -> Index:
    index = {name: code for code, name in enumerate(names)}
    codes = np.array([index.get(str(value).strip(), -1) for value in frame[column]], dtype=np.intp)
    for value, rows in _alike(frame[column], codes < 0).items():
        close = nearest(value, names) if value else None
        hint = f"; did you mean '{close}'?" if close else ""
        checker.add(column, f"{_quoted(value)}{_where(rows)} is none of {', '.join(names)}{hint}", rows[0])
    return codes


def _alike(cells: pd.Series[Any], wrong: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Return the rows of each value that is wrong; an empty cell is an empty text."""
    rows_of: dict[str, list[int]] = {}
    empty = cells.isna().to_numpy()
    for row in np.flatnonzero(wrong):
        rows_of.setdefault("" if empty[row] else str(cells.iloc[row]), []).append(int(row))
    return rows_of


def _quoted(value: str) -> str:
    return f"'{_short(value)}'" if value else "an empty cell"


def _where(rows: list[int]) -> str:
    return "" if len(rows) == 1 else f", in {len(rows):,} rows,"


def _codes_of_days(frame: pd.DataFrame, days: list[float], checker: _Checker) -> Index:
    import pandas as pd

    values = pd.to_numeric(frame["day"], errors="coerce").to_numpy(dtype=float)
    codes = np.array([days.index(value) if value in days else -1 for value in values], dtype=np.intp)
    known = ", ".join(f"{day:g}" for day in days)
    for value, rows in _alike(frame["day"], codes < 0).items():
        checker.add("day", f"{_quoted(value)}{_where(rows)} is no visit of the scenario ({known})", rows[0])
    return codes


def _scores(frame: pd.DataFrame, variant: Variant, k: int, checker: _Checker) -> Array:
    import pandas as pd

    name, scale = variant.outcomes[k], variant.scales[k]
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = (np.isnan(values) & frame[name].notna().to_numpy()) | np.isinf(values)
    for row in np.flatnonzero(wrong):
        text = str(frame[name].iloc[row])
        point = f"; decimals take a point: {text.replace(',', '.')}" if _DECIMAL_COMMA.fullmatch(text.strip()) else ""
        checker.add(name, f"'{_short(text)}' is not a score{point}", int(row))
    if scale is not None:
        with np.errstate(invalid="ignore"):
            outside = (values < scale.minimum - 1e-9) | (values > scale.maximum + 1e-9)
        for row in np.flatnonzero(outside & ~wrong):
            checker.add(name, f"{values[row]:g} is outside the scale, {scale.minimum:g} to {scale.maximum:g}", int(row))
        for row in np.flatnonzero(_between_steps(values, scale) & ~outside):
            message = (
                f"{_short(frame[name].iloc[row])} is no score of the scale, {scale.minimum:g} to {scale.maximum:g} in "
                f"steps of {scale.step:g}; for scores between them give outcomes.{name}.scale: continuous"
            )
            checker.add(name, message, int(row))
    return np.asarray(values)


def _between_steps(values: Array, scale: Scale) -> NDArray[np.bool_]:
    """Return which scores lie between the steps of a scale; means of items, which are written rounded, never do."""
    if scale.step % 1.0 != 0.0:
        return np.zeros(values.shape, dtype=bool)
    steps = np.where(np.isfinite(values), values - scale.minimum, 0.0) / scale.step
    return np.asarray(np.abs(steps - np.round(steps)) > 1e-9)


def _events(frame: pd.DataFrame, name: str, day: Index, checker: _Checker) -> Array:
    """Return the events since the visit before; what stands beside the baseline is not looked at."""
    import pandas as pd

    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        whole = (values >= 0.0) & (values == np.floor(values)) & np.isfinite(values)
    for row in np.flatnonzero(~whole & frame[name].notna().to_numpy() & (day > 0)):
        checker.add(
            name, f"'{_short(frame[name].iloc[row])}' is not a number of events (a whole number, 0 or more)", int(row)
        )
    return np.asarray(values)


def _groups(frame: pd.DataFrame, cluster: Cluster, arm: Index, checker: _Checker) -> Index:
    """Return the group of every row, counted from 0; −1 where none is given."""
    given = frame[cluster.name].notna().to_numpy()
    labels = np.array([str(value).strip() for value in frame[cluster.name]], dtype=str)
    given = given & (labels != "")
    codes = np.full(len(frame), -1, dtype=np.intp)
    codes[given] = np.unique(labels[given], return_inverse=True)[1]
    for row in np.flatnonzero(given & (arm >= 0) & ~np.isin(arm, cluster.arms)):
        patient, of = _short(frame["patient"].iloc[row]), frame["arm"].iloc[row]
        checker.add(
            cluster.name, f"patient {patient} is in arm {of}, which has no such groups; leave it empty", int(row)
        )
    return codes
