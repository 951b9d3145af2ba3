"""What small runs, cohorts, plots and replays write: the files, and the columns of each with their types."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Columns = dict[str, str]
"""Type of each column by its name."""

PATH = "effects.ketamine.points.qids_sr16"
PRIMARY = {"outcome": "qids_sr16", "visit": 14, "contrast": ["ketamine", "midazolam"]}
TABLES = ("summary", "families", "estimates", "safety", "stopping", "blinding")
OPERATIONS = ("operations", "operations_summary", "operations_calendar", "operations_waits")
PARQUET_ONLY = {"estimates", "operations"}

RUN = {
    "sample_size": [12],
    "simulation.replicates": 4,
    "vary": {PATH: [-3, 0]},
    "estimands.responders": {**PRIMARY, "endpoint": "response"},
    "analysis.responders": [{"method": "risk_difference"}, {"method": "logistic"}],
    "multiplicity": {"method": "holm"},
    "unblinding": {},
    "safety": {"suicide_attempts": {}, "stopping_rule": {"event": "suicide_attempts", "look_every": 10}},
    "course.infusion_model": {},
    "operations": {"sites": {"number": 2, "rate_per_month": 8, "chairs": 1}},
}
"""Settings of a run that writes every file there is."""

COHORT = {
    "sample_size": [40],
    "schedule.visits": [3, 7, 14, 20.5],
    "outcomes": ["qids_sr16", "bsl23"],
    "effects.ketamine.points.bsl23": -0.3,
    "course.infusion_model": {},
    "population.characteristics": {},
    "population.eligibility": {"outcome": "qids_sr16", "at_least": 14},
    "population.run_in": {"response": 0.25},
    "clusters": {"site": {"number": 4, "icc": 0.02}},
    "counts": {"self_harm": {"rate_per_year": 12, "dispersion": 2}},
    "events": {"rescue": {"per_day": 0.02}},
    "dissociation": {},
    "unblinding": {},
    "arms.ketamine.therapy": "dbt",
    "therapies": {"dbt": {"attendance": {"mean": 0.8, "sd": 0.2}}},
    "safety": {"adverse_events": {"nausea": {}}, "suicide_attempts": {}},
    "dropout": {"missing_by": {20.5: 0.2}},
    "missing": {"intermittent": {"share": 0.1}},
    "estimands.treated": {**PRIMARY, "analysis_set": "mitt"},
}
"""Settings of a cohort with every column there is."""

COMPARISON = {
    "sample_size": 40,
    "simulation.replicates": 20,
    "unblinding": {},
    "designs": {"plain": {}, "larger": {"sample_size": 48}, "saline": {"arms.midazolam.infusion": "saline"}},
}
"""Settings of a comparison that writes every file there is."""

GENERAL = {
    PATH: "(varied path)",
    "site": "(cluster)",
    "self_harm": "(count)",
    "suicide_attempts": "(count)",
    "rescue_day": "(event)_day",
    "nausea": "(adverse event)",
    "qids_sr16": "(outcome)",
    "bsl23": "(outcome)",
}
"""What stands on the page for names that belong to one scenario."""

AS_GIVEN = ("(varied path)", "(outcome)")
"""Columns whose type depends on the scenario."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Parameters
    ----------
    columns : dict of str to dict
        Types of columns by the file, without its ending.
    run, cohort, replay, comparison : tuple of str
        Files of a run folder, of a folder of `trialsim plot cohort`, of `trialsim replay`, and of a comparison without
        the run folders of its designs; numbers of blocks as 0.
    """

    columns: dict[str, Columns]
    run: tuple[str, ...]
    cohort: tuple[str, ...]
    replay: tuple[str, ...]
    comparison: tuple[str, ...]


def written(folder: Path) -> Written:
    """Make everything in a folder and return what is there.

    Parameters
    ----------
    folder : Path
        Empty.
    """
    scenario = ["scenarios/quick_start.yaml"]
    _call("run", *scenario, *_settings(RUN), "--workers", "1", "--out", folder / "run")
    _call("plot", "cohort", *scenario, *_settings(COHORT), "--n", "64", "--out", folder / "figures")
    _call("replay", "danayan2023", "--replicates", "20", "--out", folder / "replay")
    _call("trial", folder / "run", "--replicate", "1", "--out", folder / "trial")
    shown = ("--potential-outcomes", "--items", "--n", "200", "--out", folder / "cohort.csv")
    _call("cohort", *scenario, *_settings(COHORT), *shown)
    columns = {f"run/{name}": kinds for name, kinds in _run_columns(folder / "run").items()}
    columns["flow"] = _csv(folder / "trial" / "flow.csv")
    columns["cohort"] = _general(_csv(folder / "cohort.csv"))
    for part in ("figures", "replay"):
        columns |= {f"{part}/{file.stem}": _csv(file) for file in sorted((folder / part).glob("*.csv"))}
    compared = folder / "comparison"
    _call("compare", *scenario, *_settings(COMPARISON), "--workers", "1", "--out", compared)
    columns |= {f"comparison/{name}": kinds for name, kinds in _comparison_columns(compared).items()}
    files = [_files(folder / part) for part in ("run", "figures", "replay", "comparison")]
    files[-1] = tuple(name for name in files[-1] if not name.startswith("designs/"))
    return Written(columns, *files)


def _call(*words: object) -> None:
    """Run a command of the command line in the project's folder."""
    import contextlib

    from typer.testing import CliRunner

    from trialsim.cli.app import app

    with contextlib.chdir(ROOT):
        done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code:
        raise RuntimeError(f"trialsim {words[0]} ended with {done.exit_code}: {done.output}") from done.exception


def _settings(settings: Mapping[str, Any]) -> Iterable[str]:
    for path, value in settings.items():
        yield from ("--set", f"{path}={_flow(value)}")


def _flow(value: Any) -> str:
    """Return a value as YAML on one line; JSON would make texts of days."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    return json.dumps(value)


def _run_columns(run: Path) -> dict[str, Columns]:
    found = {name: _general(_parquet(run / f"{name}.parquet")) for name in (*TABLES, *OPERATIONS)}
    for name in {*TABLES, *OPERATIONS} - PARQUET_ONLY:
        _require_same(found[name], _general(_csv(run / f"{name}.csv")), f"{name}.csv")
    found["failures"] = _csv(run / "failures.csv")
    part = next((run / "parts").glob("estimates_*.parquet"))
    listed = list(found["estimates"])
    _require_same(listed[listed.index("estimate") :], _parquet(part), part.name)
    found["parts/safety"] = _numbered(_parquet(next((run / "parts").glob("safety_*.parquet"))))
    _check_guesses(next((run / "parts").glob("guesses_*.npy")))
    for file in sorted((run / "figures").glob("*.csv")):
        found[f"figures/{file.stem}"] = _general(_csv(file))
    for name in ("manifest", "run"):
        found[name] = _json(run / f"{name}.json")
    found["session"] = _kinds(json.loads((run / "run.json").read_text(encoding="utf-8"))["sessions"][0])
    return found


def _comparison_columns(folder: Path) -> dict[str, Columns]:
    found = {name: _parquet(folder / f"{name}.parquet") for name in ("designs", "differences")}
    for name, columns in found.items():
        _require_same(columns, _csv(folder / f"{name}.csv"), f"{name}.csv")
    found |= {f"figures/{file.stem}": _csv(file) for file in sorted((folder / "figures").glob("*.csv"))}
    found["manifest"] = _json(folder / "manifest.json")
    found["comparison"] = _json(folder / "comparison.json")
    return found


def _require_same(wanted: Iterable[str], found: Iterable[str], name: str) -> None:
    if list(wanted) != list(found):
        raise ValueError(f"{name} has other columns than it should: {sorted(set(wanted) ^ set(found))}")


def _check_guesses(file: Path) -> None:
    """Hold the file of guesses against what the page says: (sample sizes, replicates, arms, guesses), whole numbers."""
    import numpy as np

    guesses = np.load(file, allow_pickle=False)
    if guesses.shape != (1, 250, 2, 2) or guesses.dtype.kind != "i":
        raise ValueError(f"{file.name} is of shape {guesses.shape} and type {guesses.dtype}")


def _files(folder: Path) -> tuple[str, ...]:
    """Return the files of a folder by name, with 0 for the digits of blocks and variants, and one checksum for all."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"run.lock"}
    found = {re.sub(r"(variant|block)(\d+)", lambda m: m[1] + "0" * len(m[2]), name) for name in found}
    return tuple(sorted({re.sub(r"_[0-9a-f]{16}\.", "_CHECKSUM.", name) for name in found}))


def _parquet(file: Path) -> Columns:
    import pyarrow.parquet as pq

    def words(kind: str) -> str:
        if kind.startswith("int"):
            return "whole number"
        return {"double": "number", "null": "number", "bool": "true or false"}.get(kind, "text")

    return {field.name: words(str(field.type)) for field in pq.read_schema(file)}


def _csv(file: Path) -> Columns:
    with open(file, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return {name: _kind([row[name] for row in rows if row[name]]) for name in rows[0]}


def _kind(values: list[str]) -> str:
    """Return the type of a column from its values, empty ones left out."""
    if all(value in ("True", "False") for value in values):
        return "true or false"
    if all(re.fullmatch(r"-?\d+", value) for value in values):
        return "whole number"
    try:
        [float(value) for value in values]
    except ValueError:
        return "text"
    return "number"


def _json(file: Path) -> Columns:
    return _kinds(json.loads(file.read_text(encoding="utf-8")))


def _kinds(content: Mapping[str, Any]) -> Columns:
    kinds = {bool: "true or false", int: "whole number", float: "number", str: "text", dict: "mapping", list: "list"}
    return {name: kinds[type(value)] for name, value in content.items()}


def _general(columns: Columns) -> Columns:
    """Return columns with what is a scenario's own under a general name."""
    found: Columns = {}
    for name, kind in columns.items():
        questionnaire = re.sub(r"^(qids_sr16|bsl23)_(item)_\d+$", r"(outcome)_\2_N", name)
        questionnaire = re.sub(r"^qids_sr16_domain_\w+$", "(outcome)_domain_NAME", questionnaire)
        questionnaire = re.sub(r"^cadss_infusion_\d+$", "cadss_infusion_N", questionnaire)
        general = GENERAL.get(name, _of_operations(questionnaire))
        found.setdefault(general, "as given" if general in AS_GIVEN else kind)
    return found


def _of_operations(name: str) -> str:
    """Return the name of a number of operations without that of its arm, resource or component."""
    stages = "randomised|left_before_start|started|all_infusions|left_before_therapy|in_group|last_visit_held"
    name = re.sub(rf"^({stages}|last_visit_not_held|missed_last_visit)_(midazolam|ketamine)$", r"\1_(arm)", name)
    name = re.sub(r"^stratum_(bpd|no_bpd)_randomised$", "stratum_(stratum)_randomised", name)
    name = re.sub(r"^((?:peak_|busiest_site_)?use)_\w+$", r"\1_(resource)", name)
    return re.sub(
        r"^cost_(fixed|month|site|site_month|screen|infusion|session|visit)_usd$", "cost_(component)_usd", name
    )


def _numbered(columns: Columns) -> Columns:
    """Return columns with letters for the numbers of events and arms."""
    found: Columns = {}
    for name, kind in columns.items():
        found.setdefault(re.sub(r"_\d+$", "_A", re.sub(r"_\d+_(?=\d)", "_E_", name)), kind)
    return found
