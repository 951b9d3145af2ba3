"""`trialsim runs`, `trial`, `reproduce` and `diff`, and going on with a run, as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess

import pandas as pd
import pytest

from cli.conftest import ENVIRONMENT, SCENARIOS, console_script, content_of

SMALL = ("run", "scenarios/quick_start.yaml", "--set", "sample_size=[6, 40]", "--workers", "1", "--quiet")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run of 20 replicates; read only."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(SCENARIOS, folder / "scenarios")
    command = [*console_script(), *SMALL, "--replicates", "20"]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return folder / "outputs" / "quick_start"


@pytest.fixture
def finished(made, folder):
    """The same run among the outputs of the test's own folder."""
    return shutil.copytree(made, folder / "outputs" / "quick_start")


def test_looking_into_what_a_run_left(command, folder, finished):
    before = content_of(finished)
    assert "finished" in command("runs").stdout
    listed = json.loads(command("runs", "outputs", "--json").stdout)
    assert [(row["state"], row["blocks_done"], row["replicates"]) for row in listed] == [("finished", 1, 20)]

    told = command("trial", "outputs/quick_start", "--cell", "1", "--replicate", "7").stdout
    assert "cell 1, n 40, replicate 7" in told
    assert "stored these estimates, to the bit" in told
    place = folder / "outputs" / "quick_start_cell1_replicate7"
    assert {path.name for path in place.iterdir()} == {"data.csv", "flow.csv", "analysis.csv"}
    estimates = pd.read_parquet(finished / "estimates.parquet")
    stored = estimates[(estimates["cell"] == 1) & (estimates["replicate"] == 7)]
    assert pd.read_csv(place / "analysis.csv")["estimate"].tolist() == stored["estimate"].tolist()
    # The patients are those that `trialsim cohort` writes.
    command("cohort", "scenarios/quick_start.yaml", "--n", "40", "--replicate", "7", "--out", "cohort.csv")
    assert (place / "data.csv").read_bytes() == (folder / "cohort.csv").read_bytes()
    as_json = json.loads(command("trial", "outputs/quick_start", "--replicate", "7", "--json").stdout)
    assert as_json["as_stored"] is True
    assert (
        "must be one of 0 to 19; got 20" in command("trial", "outputs/quick_start", "--replicate", "20", code=2).stderr
    )

    told = command("reproduce", "outputs/quick_start", "--workers", "1").stdout
    assert "variant0000_block000000: the same to the bit" in told
    assert told.endswith("Reproduced.\n")
    assert json.loads(command("reproduce", "outputs/quick_start", "--json", "--workers", "1").stdout)["same"] is True
    assert content_of(finished) == before

    shutil.copytree(finished, folder / "damaged")
    (folder / "damaged" / "summary.csv").write_text("cell\n0\n", encoding="utf-8")
    spoilt = command("reproduce", "damaged", "--workers", "1", code=3)
    assert "summary.csv has" in spoilt.stdout
    assert "was not reproduced" in spoilt.stderr
    assert "damaged" in command("runs", ".").stdout


def test_a_trial_lies_beside_its_run_wherever_one_stands(command, folder, finished, monkeypatch):
    told = []
    for stands_in, run in ((finished, "."), (finished / "parts", "..")):
        monkeypatch.chdir(stands_in)
        told.append(command("trial", run, "--replicate", "4").stdout.splitlines()[-1])
        assert (finished.parent / "quick_start_cell0_replicate4" / "data.csv").is_file()
    assert told[0] == told[1]
    assert told[0].startswith(f"Wrote {finished.parent / 'quick_start_cell0_replicate4'}: data.csv")


@pytest.mark.parametrize("out", ["outputs/quick_start", "outputs/quick_start/figures", "outputs/other/../quick_start"])
def test_a_trial_is_not_written_among_the_results(command, finished, out):
    before = content_of(finished)
    told = command("trial", "outputs/quick_start", "--out", out, code=4)
    assert f"{out} lies in outputs/quick_start, among what the run wrote" in told.stderr
    assert "Name another folder with --out" in told.stderr
    assert told.stdout == ""
    assert content_of(finished) == before


def test_fits_that_failed_are_told_with_a_command_that_shows_one(command, finished):
    told = command(*SMALL[:-1], "--replicates", "20").stdout
    line = next(line for line in told.splitlines() if "failures.csv" in line)
    shown = line.partition("To look at the first: trialsim ")[2].split()
    assert command(*shown).stdout.count("fell back") + command(*shown).stdout.count("failed") > 0
    assert "trialsim trial FOLDER" in (finished / "report.html").read_text(encoding="utf-8")


def test_two_runs_are_compared(command, folder, finished):
    command(*SMALL, "--replicates", "20", "--set", "effects.ketamine.points.qids_sr16=-6", "--out", "outputs/larger")
    told = command("diff", "outputs/quick_start", "outputs/larger").stdout
    assert "effects.ketamine.points.qids_sr16" in told
    assert "the patients are the same" in told
    found = json.loads(command("diff", "outputs/quick_start", "outputs/larger", "--json").stdout)
    assert [one["path"] for one in found["changed"]] == ["effects.ketamine.points.qids_sr16"]
    assert all(row["paired"] and row["difference"] <= 0 for row in found["power"])
    assert "does not hold a trialsim run" in command("diff", "outputs/quick_start", "scenarios", code=4).stderr


def test_where_there_is_nothing_to_find_runs_are_compared_by_their_type_i_error(command, folder, finished):
    command(*SMALL, "--replicates", "20", "--set", "effects.ketamine.points.qids_sr16=0", "--out", "outputs/nothing")
    (row, _) = json.loads(command("diff", "outputs/quick_start", "outputs/nothing", "--json").stdout)["power"]
    summary = pd.read_csv(folder / "outputs/nothing/summary.csv")
    assert (row["null_a"], row["null_b"]) == (False, True)
    assert row["power_b"] == summary["type_i_error"][0]
    assert row["difference"] == pytest.approx(row["power_a"] - row["power_b"])
    told = command("diff", "outputs/quick_start", "outputs/nothing").stdout
    assert "† Nothing is to be found there: the type I error." in told


@pytest.mark.parametrize("option", ["--extend", "--replicates"])
def test_a_folder_that_is_for_more_replicates_says_so(command, finished, option):
    told = command(*SMALL[:-1], option, "10")
    assert "quick_start is planned for 20 simulated trials per cell: all of them are computed and shown" in told.stderr
    assert "For 10 name another folder with --out." in told.stderr
    assert "20 simulated trials per cell" in told.stdout
    assert "planned" not in command(*SMALL[:-1], option, "20").stderr


def test_one_damaged_block_is_told_once(command, finished):
    part = next((finished / "parts").glob("estimates*"))
    part.write_bytes(part.read_bytes()[:-1])
    told = command(*SMALL, "--replicates", "20", "--verify").stderr
    assert told.count(part.name) == 1
    part.unlink()
    assert command(*SMALL, "--replicates", "20").stderr.count(part.name) == 1
    (finished / "summary.csv").unlink()
    assert command(*SMALL, "--replicates", "20").stderr.count("summary.csv is missing. It is made again.") == 1


def test_a_run_is_extended_or_says_why_not(command, finished):
    told = command(*SMALL[:-1], "--extend", "30").stdout
    assert "30 simulated trials per cell" in told
    assert json.loads((finished / "run.json").read_text(encoding="utf-8"))["sessions"][1]["units_computed"] == 0
    nothing = command(*SMALL, "--extend", "30", "--out", "nowhere", code=4).stderr
    assert "no run that could be extended" in nothing
    assert "--replicates 30" in nothing
    assert "give one of them" in command(*SMALL, "--extend", "30", "--replicates", "40", code=2).stderr
