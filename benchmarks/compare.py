"""Time of `compare` on four designs at 2,000 replicates, and what common patients save for a fifth more patients."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import trialsim as ts

SCENARIO = Path(__file__).resolve().parents[1] / "scenarios" / "compare_designs.yaml"
DESIGNS = ("midazolam", "saline", "two_to_one", "larger")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    document = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    document["designs"] = {name: document["designs"][name] for name in DESIGNS}
    file = folder / "four.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    print(f"{SCENARIO.name}: {', '.join(DESIGNS)}; {options.replicates} replicates each, figures and page included\n")
    print(f"{'workers':>8}{'median s':>12}{'asked again, s':>18}")
    for workers in (1, 2):
        times: list[float] = []
        again: list[float] = []
        for repeat in range(options.repeats):
            out = folder / f"{workers}_{repeat}"
            command = [sys.executable, "-m", "trialsim", "compare", str(file), "--quiet", "--workers", str(workers)]
            command += ["--replicates", str(options.replicates), "--out", str(out)]
            for found in (times, again):
                start = time.perf_counter()
                subprocess.run(command, check=True)
                found.append(time.perf_counter() - start)
        print(f"{workers:8}{sorted(times)[len(times) // 2]:12.1f}{sorted(again)[len(again) // 2]:18.1f}")
    settings = {"simulation.replicates": options.replicates}
    answer = ts.compare(file, out=folder / "2_0", settings=settings)
    print("\npaired over independent MCSE of differences of power\n")
    columns = ["design", "other", "power_difference", "power_difference_mcse", "mcse_ratio", "normal_mcse_ratio"]
    print(answer.differences[columns].to_string(index=False))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
