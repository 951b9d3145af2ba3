"""`trialsim size`: the number of patients for a power, told and written."""

from __future__ import annotations

import json

import pandas as pd
import pytest

QUICK = ("size", "scenarios/quick_start.yaml", "--precision", "0.1", "--workers", "1")
PATH = "effects.ketamine.points.qids_sr16"


def test_the_answer_is_told(trialsim):
    done = trialsim(*QUICK, "--power", "0.8")
    lines = done.stdout.splitlines()
    assert "patients randomised (95 % interval" in lines[1]
    assert any(line.startswith("Arms: midazolam") for line in lines)
    assert "Completers to expect:" in done.stdout
    assert "defaults.accrual.eligible_of_screened" in done.stdout


def test_json_is_one_answer_and_python_gives_the_same(command, folder):
    import trialsim as ts

    told = json.loads(command(*QUICK, "--json").stdout)
    assert told["kind"] == "required_size"
    assert told["n_low"] <= told["n_total"] <= told["n_high"]
    answer = ts.required_sample_size(folder / "scenarios/quick_start.yaml", power=0.9, precision=0.1, workers=1)
    assert json.loads(json.dumps(answer.to_dict())) == told
    assert answer.n_total == told["n_total"]
    assert f"{answer.n_total:,} patients randomised" in answer.text


def test_files_of_the_answer(command, folder):
    done = command(*QUICK, "--out", "answer", "-q")
    written = {path.name for path in (folder / "answer").iterdir()}
    assert written == {"size.json", "size_curve.png", "size_curve.svg", "size_curve.csv"}
    assert "Written into answer" in done.stdout
    curve = pd.read_csv(folder / "answer/size_curve.csv")
    told = json.loads((folder / "answer/size.json").read_text(encoding="utf-8"))
    assert set(curve["kind"]) == {"fitted", "simulated"}
    assert (curve["low"] <= curve["power"]).all()
    assert (curve["power"] <= curve["high"]).all()
    assert curve["answer"].eq(told["n_total"]).all()
    assert curve["replicates"].sum() == told["trials"]
    # The same answer may be written again, another one may not.
    command(*QUICK, "--out", "answer", "-q")
    command(*QUICK, "--out", "answer", "-q", "--power", "0.7", code=4)


def test_a_power_out_of_reach_is_no_error(command):
    done = command(*QUICK, "--set", f"{PATH}=0")
    told = " ".join(done.stdout.split())
    assert "cannot be reached" in told
    assert "of trials claim it all the same." in told.partition("nothing to find. With ")[2]
    assert "The highest power" not in told


def test_a_figure_is_drawn_where_nothing_is_reached(command, folder):
    command(*QUICK, "--set", f"{PATH}=0", "--out", "none", "-q")
    assert (folder / "none/size_curve.png").stat().st_size > 1000


def test_vary_is_left_aside_and_said(command):
    settings = ["--set", "vary={effects.ketamine.points.qids_sr16: [-1, -2]}"]
    done = command(*QUICK, "-q", *settings)
    assert "vary is left aside (effects.ketamine.points.qids_sr16)" in " ".join(done.stdout.split())
    assert done.stdout.splitlines()[1] == command(*QUICK, "-q").stdout.splitlines()[1]


def test_detectable_effect(command):
    done = command(*QUICK, "--effect", PATH, "--n", "100", "--json")
    told = json.loads(done.stdout)
    assert told["kind"] == "detectable_effect"
    assert told["n_total"] == 100
    assert told["high"] < told["value"] < told["low"] < 0
    assert f"{PATH} = {told['value']:.4g}" in command(*QUICK, "--effect", PATH, "--n", "100", "-q").stdout


def test_all_cells(command, folder):
    told = json.loads(command(*QUICK, "--vary", f"{PATH}=-2,-3", "--json").stdout)
    assert [cell["settings"][PATH] for cell in told["cells"]] == [-2, -3]
    assert told["cells"][0]["n_total"] > told["cells"][1]["n_total"]
    done = command(*QUICK, "--cells", "--set", f"vary={{{PATH}: [-2, -3]}}", "--out", "cells", "-q")
    assert f"{told['cells'][0]['n_total']:,}" in done.stdout
    assert (folder / "cells/size_by_setting.png").stat().st_size > 1000
    assert "vary: there is nothing under it" in command(*QUICK, "--cells", code=2).stderr
    assert "must read path=value" in command(*QUICK, "--vary", PATH, code=2).stderr


def test_more_patients_than_there_may_be_is_no_error(command):
    done = command(*QUICK, "--most-patients", "60", "-q")
    assert "cannot be reached with 60 patients" in " ".join(done.stdout.split())
    assert "most patients: must be at least" in command(*QUICK, "--most-patients", "2", code=2).stderr
    assert "budget: must be at least 3,500" in command(*QUICK, "--budget", "3000", code=2).stderr


def test_formula_and_clinic_stand_beside_the_number(command):
    text = " ".join(command(*QUICK, "-q").stdout.split())
    assert "By formula: 136 (MMRM with dropout, Lu, Luo & Chen, t)." in text
    assert "The true effect: 3.00 points fewer with ketamine than with midazolam" in text
    assert "number needed to treat" in text


def test_what_is_wrong_is_told(command):
    assert "do not go together" in command(*QUICK, "--effect", PATH, "--n", "100", "--cells", code=2).stderr
    assert "go together" in command(*QUICK, "--effect", PATH, code=2).stderr
    assert "go together" in command(*QUICK, "--n", "100", code=2).stderr
    assert "power: must lie between" in command(*QUICK, "--power", "1", code=2).stderr
    assert "nothing.here" in command(*QUICK, "--effect", "nothing.here", "--n", "100", code=2).stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--workers", "1e3"), "'--workers': must be a whole number, not '1e3'."),
        (("--workers", "0"), "'--workers': must be at least 1, not 0."),
        (("--power", "high"), "'--power': must be a number, not 'high'."),
        (("--goal", "procedure"), "'--goal': 'procedure' is not one of 'primary', 'alone', 'each', 'all'."),
    ],
)
def test_what_an_option_must_be_is_told_in_plain_words(command, options, words):
    done = command("size", "scenarios/quick_start.yaml", *options, code=2)
    assert " ".join(done.stderr.split()).endswith(f"Error: Invalid value for {words}")
