"""The interval of a required size, against the size that a million simulated trials give."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trialsim.planning.size import search_size
from trialsim.scenario import load, resolve

SCENARIO = Path(__file__).parent / "data" / "size_truth.yaml"
TRUTH = json.loads(SCENARIO.with_suffix(".json").read_text(encoding="utf-8"))


def test_the_truth_is_that_of_the_scenario():
    assert resolve(load(SCENARIO)).hash == TRUTH["scenario_hash"]
    assert [row["replicates"] for row in TRUTH["simulated"]] == [1_000_000] * 3
    powers = [row["found"] / row["usable"] for row in TRUTH["simulated"]]
    assert powers[0] < TRUTH["power"] < powers[-1]
    assert TRUTH["n_se"] < 0.001 * TRUTH["n"]


@pytest.mark.slow
def test_intervals_hold_the_true_size_of_a_mixed_model():
    """Of 200 searches with other seeds, MMRM with dropout; 95 % intervals hold it 190 times, 175 are 4.9 errors less.

    To a half-width of 6 %, which is quick; benchmarks/size.py does it to 3 and 2 % (188 and 190 of 200).
    """
    resolved = resolve(load(SCENARIO))
    seeded = [replace(resolved, seed=seed) for seed in range(200)]
    found = [search_size(one, power=TRUTH["power"], precision=0.06).found for one in seeded]
    off = np.array([math.log(one.curve.place / TRUTH["n"]) for one in found])
    assert all(one.half_width <= 0.06 for one in found)
    assert sum(one.interval[0] <= TRUTH["n"] <= one.interval[1] for one in found) >= 175
    # 4.9 standard errors of the mean are 1 % of the size.
    assert abs(off.mean()) < 4.9 * off.std(ddof=1) / math.sqrt(200)
