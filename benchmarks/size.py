"""The search for a sample size: how long it takes, and how often its interval holds the true size of a mixed model.

size.py speed      seconds of `trialsim size` for scenarios/followup_rct.yaml to ±2 %, two workers
size.py repeats    200 searches with other seeds against the truth in tests/statistical/data/size_truth.json
size.py truth      makes that truth: a million simulated trials at each of three sizes
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.engine.successes import Unit, ask, run
from trialsim.planning.curve import Trials, Tried, fit_curve
from trialsim.planning.size import search_size
from trialsim.scenario import load, resolve
from trialsim.streams import BLOCK_SIZE

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "tests" / "statistical" / "data" / "size_truth.yaml"
TRUTH = SCENARIO.with_suffix(".json")
POWER = 0.9
SIZES = (58, 62, 66)
SEED_OF_TRUTH = 2**40
MILLION = 1_000_000


def truth(options: argparse.Namespace) -> None:
    """Simulate a million trials at each of three sizes and store where power reaches 0.9."""
    resolved = resolve(load(SCENARIO))
    asked = ask(resolved.variants[0], resolved.hash, "primary")
    trials = Trials()
    blocks = MILLION // BLOCK_SIZE
    for first in range(0, blocks, 200):
        units = [Unit(i, first + i, ((asked, SIZES),)) for i in range(min(200, blocks - first))]
        for unit, successes in zip(units, run(units, SEED_OF_TRUTH, options.workers), strict=True):
            for n, one in zip(SIZES, successes, strict=True):
                trials.add(unit.block, Tried(float(n), one.found, one.usable))
    curve = fit_curve(trials, 0, POWER, 0.5)
    assert curve is not None
    content = {
        "about": "The size at which the scenario beside this file has the power: a probit curve in the square root of "
        "N through simulated trials at three sizes, which share patients. Made by benchmarks/size.py truth.",
        "scenario_hash": resolved.hash,
        "seed": SEED_OF_TRUTH,
        "power": POWER,
        "n": curve.place,
        "n_se": curve.place * curve.relative_se,
        "simulated": [
            {"n": round(count.place), "found": count.found, "usable": count.usable, "replicates": count.replicates}
            for count in trials.counts(0)
        ],
    }
    TRUTH.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=2))


def repeats(options: argparse.Namespace) -> None:
    """Print how many intervals of 200 hold the truth, at some precisions."""
    true: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))
    resolved = resolve(load(SCENARIO))
    assert resolved.hash == true["scenario_hash"]
    print(f"truth {true['n']:.3f}, standard error {true['n_se']:.3f}\n")
    print(f"{'precision':>10}{'held of 200':>14}{'bias of N, %':>15}{'mean half-width, %':>21}{'trials':>10}")
    for precision in options.precisions:
        seeded = [replace(resolved, seed=seed) for seed in range(200)]
        found = [search_size(one, power=POWER, precision=precision).found for one in seeded]
        held = sum(one.interval[0] <= true["n"] <= one.interval[1] for one in found)
        bias = np.mean([math.log(one.curve.place / true["n"]) for one in found if one.curve is not None])
        width = np.mean([one.half_width for one in found])
        cost = np.mean([one.trials.number for one in found])
        print(f"{precision:10g}{held:14}{100 * bias:15.2f}{100 * width:21.2f}{cost:10.0f}")


def speed(options: argparse.Namespace) -> None:
    """Print the seconds of whole commands."""
    print(f"{'scenario':<20}{'median s':>10}{'N':>8}{'± %':>8}{'trials':>10}")
    for name in ("quick_start", "followup_rct"):
        times = []
        command = [sys.executable, "-m", "trialsim", "size", str(ROOT / "scenarios" / f"{name}.yaml"), "--json"]
        for _ in range(options.times):
            start = time.perf_counter()
            done = subprocess.run([*command, "--workers", str(options.workers)], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        told = json.loads(done.stdout)
        median = sorted(times)[len(times) // 2]
        print(f"{name:<20}{median:10.1f}{told['n_total']:8}{100 * told['half_width']:8.2f}{told['trials']:10}")


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "repeats", "truth"), nargs="?", default="speed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--times", type=int, default=3, help="repeats of a command")
    parser.add_argument("--precisions", type=float, nargs="+", default=[0.05, 0.03])
    options = parser.parse_args()
    {"speed": speed, "repeats": repeats, "truth": truth}[options.what](options)


if __name__ == "__main__":
    main()
