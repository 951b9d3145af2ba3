"""`trialsim analyze` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCENARIO = Path(__file__).parents[2] / "scenarios" / "quick_start.yaml"


def trialsim(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trialsim", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_written_cohort_is_analysed(tmp_path):
    written = trialsim("cohort", SCENARIO, "--out", "trial.csv", folder=tmp_path)
    assert written.returncode == 0, written.stderr
    table = trialsim("analyze", "trial.csv", "--scenario", SCENARIO, folder=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "primary" in table.stdout
    assert "mmrm" in table.stdout
    rows = json.loads(trialsim("analyze", "trial.csv", "--scenario", SCENARIO, "--json", folder=tmp_path).stdout)
    assert rows[0]["estimand"] == "primary"
    assert rows[0]["se"] > 0
    (line,) = (line.split() for line in table.stdout.splitlines() if line.startswith("primary"))
    shown = line[line.index("mmrm") + 1 :]
    assert float(shown[0].replace("−", "-")) == float(f"{rows[0]['estimate']:.4g}")
    assert "-" not in shown[0]
    assert float(shown[1]) == float(f"{rows[0]['se']:.4g}")
    assert float(shown[3]) == round(rows[0]["p"], 4)
    assert float(shown[4].replace("−", "-")) == float(f"{rows[0]['ci_low']:.4g}")


def test_an_analysis_that_cannot_be_done_says_so(tmp_path):
    trialsim("cohort", SCENARIO, "--n", 4, "--out", "few.csv", folder=tmp_path)
    done = trialsim("analyze", "few.csv", "--scenario", SCENARIO, folder=tmp_path)
    assert done.returncode == 3
    assert "Not every analysis could be carried out" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_file_is_told_with_its_line(tmp_path):
    (tmp_path / "bad.csv").write_text("patient,arm,day\n1,ketamine,0\n", encoding="utf-8")
    done = trialsim("analyze", "bad.csv", "--scenario", SCENARIO, folder=tmp_path)
    assert done.returncode == 2
    assert "no such column" in done.stderr
    assert "Traceback" not in done.stderr
