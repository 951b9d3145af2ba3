r"""What differs between two runs: their scenarios value by value, and the power they found.

Runs of the same seed and seed scheme share their patients, whatever their scenarios say: draws are addressed, and the
scenario is not in the address. Replicate by replicate they are pairs, and the difference of two powers has the standard
error of the mean of paired differences :math:`d_r = x_r - y_r`, x and y being 1 where a trial finds its effect:

.. math:: \mathrm{SE} = s_d / \sqrt{R}.

Otherwise the two are independent and their squared standard errors add up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.engine.decided import CO_PRIMARY, read_decided
from trialsim.engine.hypotheses import Hypothesis, hypotheses
from trialsim.engine.opening import RunFolder, manifest_of, open_folder
from trialsim.engine.reading import open_parquet, require_file
from trialsim.engine.shards import unfinished
from trialsim.errors import RefusedError
from trialsim.kernels.operating_characteristics import FAILED, counts_as_power
from trialsim.scenario.methods import power_sign
from trialsim.scenario.resolved import Variant

Flags = NDArray[np.bool_]

_WITHIN, _TOGETHER, _MEMBERS, _ROWS = "(within)", "(together)", "(members)", "(rows)"
"""Beside the columns of a row: what decides it, and from where that is read."""
_KEYS = ("n", "estimand", "method")


class Changed(NamedTuple):
    """A value that differs; None where a run has none.

    Attributes
    ----------
    path : str
        In the scenario, or of the run: `seed`, `replicates`, versions.
    a, b : object
    """

    path: str
    a: Any
    b: Any


class PowerDifference(NamedTuple):
    """Power in two runs, `a - b`; in a run in which there is nothing to find, the type I error.

    Of hypotheses tested together it is that within the procedure, of co-primary ones that of all in the same trial.

    Attributes
    ----------
    setting : dict
        Varied values, size, estimand and method that both runs have.
    power_a, mcse_a, power_b, mcse_b : float
    difference, mcse : float
    paired : bool
        Whether the runs share their draws, so that they are compared replicate by replicate.
    replicates : int
        Pairs, or replicates of the smaller run.
    null_a, null_b : bool
        Whether every rejection is a false one: what stands there is the type I error, as in the run's own tables.
    within_a, within_b : str
        The procedure that the power is within; empty for the test alone.
    alone_a, alone_mcse_a, alone_b, alone_mcse_b : float
        The same of the test alone, at its own level.
    """

    setting: dict[str, Any]
    power_a: float
    mcse_a: float
    power_b: float
    mcse_b: float
    difference: float
    mcse: float
    paired: bool
    replicates: int
    null_a: bool
    null_b: bool
    within_a: str
    within_b: str
    alone_a: float
    alone_mcse_a: float
    alone_b: float
    alone_mcse_b: float


class Difference(NamedTuple):
    """What differs between two runs.

    Attributes
    ----------
    a, b : Path
    same_scenario : bool
        Whether the scenarios have one hash.
    changed : tuple of Changed
    power : tuple of PowerDifference
        Of cells that both have.
    only_a, only_b : int
        Rows of the summaries that the other run lacks.
    """

    a: Path
    b: Path
    same_scenario: bool
    changed: tuple[Changed, ...]
    power: tuple[PowerDifference, ...]
    only_a: int
    only_b: int


def difference(a: Path, b: Path) -> Difference:
    """Return what differs between two finished runs.

    Parameters
    ----------
    a, b : Path
        Run folders.

    Raises
    ------
    RefusedError
        If one is no run folder, or is not finished.
    """
    of_a, of_b = manifest_of(a), manifest_of(b)
    (rows_a, all_a), (rows_b, all_b) = _summary(a, of_a, of_b), _summary(b, of_b, of_a)
    pair = _paired(a, of_a, b, of_b)
    power = tuple(_power(rows_a[key], rows_b[key], dict(key), pair) for key in rows_a if key in rows_b)
    return Difference(
        a,
        b,
        of_a["scenario_hash"] == of_b["scenario_hash"],
        tuple(_changed(of_a, of_b)),
        power,
        all_a - len(power),
        all_b - len(power),
    )


class _Pair(NamedTuple):
    a: RunFolder
    b: RunFolder


def _paired(a: Path, of_a: Mapping[str, Any], b: Path, of_b: Mapping[str, Any]) -> _Pair | None:
    """Return both runs opened, if they share their draws and were made by this version; None otherwise."""
    if any(of_a.get(key) != of_b.get(key) for key in ("seed", "seed_scheme", "block_size")):
        return None
    try:
        return _Pair(open_folder(a), open_folder(b))
    except RefusedError:
        return None


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Changed]:
    """Yield what differs: values as resolved, then what is only written, then how it was run."""
    values_a, values_b = _values(a), _values(b)
    for path in dict.fromkeys([*values_a, *values_b]):
        if values_a.get(path) != values_b.get(path):
            yield Changed(path, values_a.get(path), values_b.get(path))
    versions_a, versions_b = _run_values(a), _run_values(b)
    for path in dict.fromkeys([*versions_a, *versions_b]):
        if versions_a.get(path) != versions_b.get(path):
            yield Changed(path, versions_a.get(path), versions_b.get(path))


def _values(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return every resolved value by its path, and what is written besides: title, labels, what is varied."""
    rows = manifest["scenario"].get("provenance", [])
    resolved = {str(row["path"]): row["value"] for row in rows}
    resolved = {leaf: value for path, part in resolved.items() for leaf, value in _leaves(path, part)}
    written = dict(_leaves("", manifest["scenario"]["scenario"]))
    besides = {path: value for path, value in written.items() if path not in resolved and value != {}}
    both = {**resolved, **besides}
    return {path: value for path, value in both.items() if not path.startswith("simulation.")}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), item)
    else:
        yield path, value


def _run_values(manifest: Mapping[str, Any]) -> dict[str, Any]:
    names = ("seed", "replicates", "block_size", "seed_scheme", "trialsim", "schema")
    return {
        **{name: manifest.get(name) for name in names},
        **{f"versions.{name}": value for name, value in manifest.get("versions", {}).items()},
        **{f"environment.{name}": value for name, value in manifest.get("environment", {}).items()},
    }


Key = tuple[tuple[str, Any], ...]


def _summary(folder: Path, own: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict[Key, dict[str, Any]], int]:
    """Return the rows of a summary that the other run may have too, by what tells them apart, and the number of all."""
    path = folder / "summary.parquet"
    if not path.exists():
        raise unfinished(folder)
    with open_parquet(path) as file:
        rows = file.read().to_pylist()
    count = len(rows)
    rows = _decided(folder, rows)
    shared = [name for name in _varied(own) if name in _varied(other)]
    alone = [name for name in _varied(own) if name not in shared]
    if alone:
        # The other run has one value where this one has several: its row is the one at that value.
        fixed = _values(other)
        rows = [row for row in rows if all(_same(row[name], fixed.get(name)) for name in alone)]
    return {tuple((name, _plain(row[name])) for name in (*shared, *_KEYS)): row for row in rows}, count


def _varied(manifest: Mapping[str, Any]) -> list[str]:
    variants = manifest["scenario"].get("variants") or [{}]
    return list(variants[0].get("settings", {}))


def _same(one: Any, other: Any) -> bool:
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _power(
    row_a: Mapping[str, Any], row_b: Mapping[str, Any], setting: dict[str, Any], pair: _Pair | None
) -> PowerDifference:
    (power_a, mcse_a), (power_b, mcse_b) = (_share(row) for row in (row_a, row_b))
    (alone_a, alone_mcse_a), (alone_b, alone_mcse_b) = (_share_alone(row) for row in (row_a, row_b))
    found, mcse = power_a - power_b, math.hypot(mcse_a, mcse_b)
    count = min(row_a["replicates"], row_b["replicates"])
    if pair is not None:
        usable_a, success_a = _successes(pair.a, row_a, count)
        usable_b, success_b = _successes(pair.b, row_b, count)
        both = usable_a & usable_b
        apart = success_a[both].astype(np.float64) - success_b[both].astype(np.float64)
        count = len(apart)
        found = float(apart.mean()) if count else math.nan
        mcse = float(apart.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return PowerDifference(
        setting,
        power_a,
        mcse_a,
        power_b,
        mcse_b,
        found,
        mcse,
        pair is not None,
        count,
        _is_null(row_a),
        _is_null(row_b),
        str(row_a[_WITHIN]),
        str(row_b[_WITHIN]),
        alone_a,
        alone_mcse_a,
        alone_b,
        alone_mcse_b,
    )


def _decided(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of a summary with the procedure that decides each, and of co-primary hypotheses what it found."""
    families = _families(folder)
    found = []
    for row in rows:
        family = families.get(row["cell"])
        members = [] if family is None else str(family["hypotheses"]).split(", ")
        own = {str(row["estimand"]), f"{row['estimand']}.{row['method']}"}
        if not _is_first(row, rows):
            own.discard(str(row["estimand"]))
        procedure = "" if family is None or not own & set(members) else str(family["procedure"])
        if row["null"] and procedure != CO_PRIMARY:
            procedure = ""  # the type I error is that of the test, as in the run's own tables
        together = family if procedure == CO_PRIMARY else None
        found.append({**row, _WITHIN: procedure, _TOGETHER: together, _MEMBERS: len(members), _ROWS: rows})
    return found


def _families(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the summary of hypotheses tested together by cell; empty where each is tested alone."""
    path = folder / "families.parquet"
    if not path.exists():
        return {}
    with open_parquet(path) as file:
        return {row["cell"]: row for row in file.read().to_pylist()}


def _is_first(row: Mapping[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Return whether a row is of the first analysis of its estimand."""
    same = (one for one in rows if (one["cell"], one["estimand"]) == (row["cell"], row["estimand"]))
    return bool(next(same)["method"] == row["method"])


def _is_null(row: Mapping[str, Any]) -> bool:
    together = row[_TOGETHER]
    return bool(row["null"] if together is None else together["true_effects"] < row[_MEMBERS])


def _share(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the share of trials that tables show for a row, and its standard error."""
    if row[_TOGETHER] is not None:
        name = "family_wise_error" if _is_null(row) else "conjunctive_power"
        return row[_TOGETHER][name], row[_TOGETHER][f"{name}_mcse"]
    if row[_WITHIN]:
        return row["adjusted_power"], row["adjusted_power_mcse"]
    return _share_alone(row)


def _share_alone(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the same of the test alone, at its own level."""
    name = "rejection_rate" if row["null"] else "power"
    return row[name], row[f"{name}_mcse"]


def _successes(run: RunFolder, row: Mapping[str, Any], count: int) -> tuple[Flags, Flags]:
    """Return which replicates gave an estimate, and which found the effect, or rejected where there is none."""
    import pyarrow.parquet as pq

    path = run.path / "estimates.parquet"
    require_file(path)
    variant = run.resolved.variants[row["variant"]]
    if row[_WITHIN]:
        of_cell = [one for one in row[_ROWS] if one["cell"] == row["cell"]]
        asked = next(
            one
            for one in hypotheses(variant)
            if (variant.estimands[one.estimand].name, _method(variant, one)) == (row["estimand"], row["method"])
        )
        decided = read_decided(run.path, variant, asked, of_cell)
        if decided is not None:
            return decided.usable[:count], decided.found[:count]
    table = pq.read_table(
        path,
        columns=["replicate", "estimate", "p", "status", "estimand", "method"],
        filters=[("cell", "==", row["cell"])],
    )
    own = (np.asarray(table["estimand"]) == row["estimand"]) & (np.asarray(table["method"]) == row["method"])
    own &= np.asarray(table["replicate"]) < count
    estimate, p = (np.asarray(table[name])[own] for name in ("estimate", "p"))
    estimand = next(estimand for estimand in variant.estimands if estimand.name == row["estimand"])
    sign = 0 if row["null"] else power_sign(estimand, row["measure"], row["true_value"])
    usable = np.asarray(table["status"])[own] != FAILED
    return usable, usable & (p <= row["alpha"]) & counts_as_power(estimate, sign)


def _method(variant: Variant, hypothesis: Hypothesis) -> str:
    return variant.estimands[hypothesis.estimand].analyses[hypothesis.analysis].name
