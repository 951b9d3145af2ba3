"""Reading the imputation reference cases as blocks of one trial."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.imputation import Model, Target

Array = NDArray[np.float64]

FOLDER = Path(__file__).parent / "data" / "imputation"
CASES = ("i1_n80_T4", "i3_n60_T3_1to2")
ANTIDEPRESSANT = Path(__file__).parents[3] / "shared" / "reference" / "antidepressant.csv"
SHORT_NAMES = {
    "MAR": "missing_at_random",
    "JR": "jump_to_reference",
    "CR": "copy_reference",
    "CIR": "copy_increments",
    "LMCF": "last_mean_carried_forward",
}


class Case(NamedTuple):
    """One trial; x = intercept, baseline, arm, bpd (constant over visits)."""

    ids: list[str]
    y: Array
    x: Array
    arm: NDArray[np.intp]
    event: NDArray[np.intp]


def read_case(name: str) -> tuple[Case, dict[str, Any]]:
    """Return the data and R's results."""
    with open(FOLDER / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    ids = list(dict.fromkeys(row["id"] for row in rows))
    n_visits = len({row["visit"] for row in rows})
    y = np.full((1, len(ids), n_visits), np.nan)
    x = np.ones((1, len(ids), 4))
    event = np.full((1, len(ids)), n_visits)
    for row in rows:
        i = ids.index(row["id"])
        x[0, i, 1:] = float(row["baseline"]), row["arm"] == "A1", float(row["bpd"])
        if row["y"]:
            y[0, i, int(row["visit"]) - 1] = float(row["y"])
        if row["ice_visit"]:
            event[0, i] = int(row["ice_visit"]) - 1
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return Case(ids, y, x, x[..., 2].astype(np.intp), event), content["strategies"]


def model_of(label: str) -> Model:
    """Return the imputation model behind a label such as JR_covariance_by_arm."""
    short = label.removesuffix("_covariance_by_arm")
    return Model(SHORT_NAMES[short], arm_columns=(2,), n_constant=1, by_arm=short != label)


def target_of(label: str) -> Target:
    """Return what trt_2, lsm_ref_2 or lsm_alt_2 asks for."""
    kind, visit = label.rsplit("_", 1)
    adjusted = (1.0, 1.0, 0.0, 1.0)
    at = int(visit) - 1
    return {
        "trt": Target(at, (0.0, 0.0, 1.0, 0.0)),
        "lsm_ref": Target(at, (0.0,) * 4, adjusted),
        "lsm_alt": Target(at, (0.0, 0.0, 1.0, 0.0), adjusted),
    }[kind]


def read_antidepressant() -> Case:
    """Return the antidepressant trial, change from baseline; x = intercept, baseline, drug. Drug jumps to placebo."""
    with open(ANTIDEPRESSANT, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    ids = list(dict.fromkeys(row["PATIENT"] for row in rows))
    y, x = np.full((1, len(ids), 4), np.nan), np.ones((1, len(ids), 3))
    for row in rows:
        i = ids.index(row["PATIENT"])
        x[0, i, 1:] = float(row["BASVAL"]), row["THERAPY"] == "DRUG"
        y[0, i, int(row["VISIT"]) - 4] = float(row["CHANGE"])
    seen = ~np.isnan(y)
    # The event is the first of the visits that the patient did not come back from; one who did has none.
    event = 4 - np.argmax(np.concatenate([seen[..., ::-1], np.ones_like(seen[..., :1])], axis=2), axis=2)
    return Case(ids, y, x, x[..., 2].astype(np.intp), event)
