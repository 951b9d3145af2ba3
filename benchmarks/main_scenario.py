"""Time and memory of the whole of scenarios/followup_rct.yaml at 2,000 replicates per cell."""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCENARIO = Path(__file__).resolve().parents[1] / "scenarios" / "followup_rct.yaml"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{SCENARIO.name}, {options.replicates} replicates per cell\n")
    print(f"{'workers':>8}{'median s':>12}{'peak MB, one process':>24}")
    for workers in (1, 2):
        times = []
        for _ in range(options.repeats):
            folder = Path(tempfile.mkdtemp())
            command = [sys.executable, "-m", "trialsim", "run", str(SCENARIO), "--quiet", "--workers", str(workers)]
            start = time.perf_counter()
            subprocess.run(
                [*command, "--replicates", str(options.replicates), "--out", str(folder / "run")], check=True
            )
            times.append(time.perf_counter() - start)
            shutil.rmtree(folder)
        # The largest of all processes so far, so the last line counts for both.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{workers:8}{sorted(times)[len(times) // 2]:12.1f}{peak:24.0f}")


if __name__ == "__main__":
    main()
