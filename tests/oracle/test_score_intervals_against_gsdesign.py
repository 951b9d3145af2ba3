"""Score intervals and tests of two risks against R's gsDesign (ciBinomial, testBinomial).

Tests agree to rounding. gsDesign's limits come from root finding that stops early: the interval test asks for 5e-5, and
that our own limits are nearer to the critical value than theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from oracle.comparison import Reference, release
from trialsim.kernels.binary import Counts, score_interval, score_test

FILE = Path(__file__).parent / "data" / "power" / "gsdesign_survival_rates.json"
GSDESIGN = Reference("Score tests and intervals of two risks", release(FILE, "gsDesign"))
CASES = {
    name: case
    for name, case in json.loads(FILE.read_text(encoding="utf-8"))["cases"].items()
    if name.startswith("ciBinomial")
}
INTERVALS = {
    "difference_MN_adj1": ("difference", True),
    "difference_FM_adj0": ("difference", False),
    "rr_MN": ("ratio", True),
    "or_MN": ("odds_ratio", True),
}


def table(case: dict[str, Any]) -> Counts:
    given = case["input"]
    return Counts(*(np.array([float(given[key])]) for key in ("x1", "n1", "x2", "n2")))


@pytest.mark.parametrize("name", CASES)
def test_statistics(name: str) -> None:
    case = CASES[name]
    plain = score_test(table(case), bias_correction=False)
    GSDESIGN.close(name, "z, Farrington-Manning", case["z_test_FM"], plain.z[0], relative=1e-12)
    GSDESIGN.close(name, "chi-square", case["chisq_p_FM"], plain.z[0] ** 2, relative=1e-12)
    corrected = score_test(table(case)).z[0]
    GSDESIGN.close(name, "z, Miettinen-Nurminen", case["z_test_MN"], corrected, relative=1e-12)


@pytest.mark.parametrize("which", INTERVALS)
@pytest.mark.parametrize("name", CASES)
def test_intervals(name: str, which: str) -> None:
    case, (measure, corrected) = CASES[name], INTERVALS[which]
    counts = table(case)
    interval = score_interval(counts, measure=measure, bias_correction=corrected)
    critical = ndtri(0.975)
    for ours, theirs, side in zip((interval.low[0], interval.high[0]), case[which], (1.0, -1.0), strict=True):
        if theirs is None:
            assert np.isinf(ours)
            continue
        GSDESIGN.close(f"{name}: {which}", "limits", theirs, ours, absolute=5e-5)
        miss = [
            abs(side * score_test(counts, null=value, measure=measure, bias_correction=corrected).z[0] - critical)
            for value in (ours, theirs)
        ]
        assert miss[0] < 1e-10
        assert miss[0] <= miss[1]


def test_every_reference_case_is_read() -> None:
    assert len(CASES) == 2
