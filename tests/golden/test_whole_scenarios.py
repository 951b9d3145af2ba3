"""Whole scenarios whose results are stored: a difference is a result that changes, and belongs into the changelog.

`python tests/golden/test_whole_scenarios.py` stores them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from trialsim.engine.block import compute_block
from trialsim.scenario import load, resolve

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
STORED = HERE / "results.json"

CASES = {
    "quick_start": {"sample_size": 100},
    "all_outcomes": {"sample_size": 80},
    "ketamine_dbt_factorial": {"sample_size": 80},
    "unblinding": {"sample_size": 80},
    "durability": {"sample_size": 80},
}


def results(name: str) -> dict[str, list[float]]:
    """Return mean estimate, mean standard error, mean p and share missing of the first block, by hypothesis."""
    resolved = resolve(load(SCENARIOS / f"{name}.yaml", settings=CASES[name]))
    variant = resolved.variants[0]
    found = {}
    for block in compute_block(variant, resolved.hash, resolved.seed, 0):
        estimand = variant.estimands[block.hypothesis.estimand]
        numbers = (block.estimates.estimate, block.estimates.se, block.estimates.p, block.share_missing)
        key = f"{estimand.name}/{estimand.analyses[block.hypothesis.analysis].name}"
        found[key] = [float(np.nanmean(values)) if not np.isnan(values).all() else -1.0 for values in numbers]
    return found


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_stored(name: str) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))[name]
    found = results(name)
    assert found.keys() == stored.keys()
    for key, numbers in stored.items():
        np.testing.assert_allclose(found[key], numbers, rtol=1e-9, err_msg=key)


if __name__ == "__main__":
    STORED.write_text(json.dumps({name: results(name) for name in CASES}, indent=1) + "\n", encoding="utf-8")
