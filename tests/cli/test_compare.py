"""`trialsim compare`: designs on the same patients, told, written and shown again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

DESIGNS = """
designs:
  plain:
  more: {label: "Larger & <b>", sample_size: 96}
  ancova: {analysis.primary.method: ancova}
"""


@pytest.fixture
def file(folder):
    """A scenario with three designs."""
    text = (folder / "scenarios/quick_start.yaml").read_text(encoding="utf-8").replace("[80, 160]", "80")
    (folder / "trial.yaml").write_text(text + DESIGNS, encoding="utf-8")
    return "trial.yaml"


def test_a_comparison_is_told_written_and_shown_again(trialsim, folder, file):
    done = trialsim("compare", file, "--workers", "1")
    assert "Larger & <b> (more)" in done.stdout
    words = " ".join(done.stdout.split())
    assert "paired MCSE" in words
    assert "with 16 patients more, 8 more of them on control" in words
    assert "ancova and plain cannot be told apart in power" in words
    place = folder / "outputs/compare_trial"
    figures = {f"design_{name}.{end}" for name in ("forest", "power", "pareto") for end in ("png", "svg", "csv")}
    assert {path.name for path in (place / "figures").iterdir()} == figures
    assert {path.name for path in (place / "designs").iterdir()} == {"plain", "more", "ancova"}
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "Larger &amp; &lt;b&gt;" in page
    assert "<b>" not in page
    assert "://" not in page.replace("http://www.w3.org", "")
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    again = trialsim("compare", file, "--workers", "2")
    assert "Already simulated; no trial was run again." in again.stdout
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()} == before


def test_json_and_tables_and_python_agree(command, folder, file):
    import trialsim as ts

    told = json.loads(command("compare", file, "--json", "--workers", "1", "--reference", "more").stdout)
    assert (told["kind"], told["reference"], told["seed"], told["replicates"]) == ("comparison", "more", 1, 200)
    assert len(told["findings"]) >= 4
    result = ts.compare(folder / file, out=folder / "outputs/compare_trial", reference="more", workers=1)
    assert not result.computed
    assert result.findings == told["findings"]
    written = pd.read_csv(folder / "outputs/compare_trial/designs.csv").set_index("name")
    assert list(written.index) == ["plain", "more", "ancova"]
    powers = {row["name"]: row["metrics"]["power"]["value"] for row in told["designs"]}
    assert written["power"].to_dict() == powers
    assert result.designs.set_index("name")["power"].to_dict() == powers
    pairs = pd.read_csv(folder / "outputs/compare_trial/differences.csv")
    assert pairs["power_difference"].tolist() == [row["power_difference"] for row in told["differences"]]
    for figure in (result.plot_forest(), result.plot_power(), result.plot_pareto(), result.plot_pareto("visits")):
        assert figure.get_axes()
    with pytest.raises(ts.errors.InputError, match="no design has months"):
        result.plot_pareto("months")
    with pytest.raises(ts.errors.InputError, match="there is no measure 'visit'"):
        result.plot_pareto("visit")


def test_more_replicates_extend_and_fewer_take_nothing_back(command, folder, file):
    command("compare", file, "-q", "--workers", "1")
    told = json.loads(command("compare", file, "--json", "--workers", "1", "--replicates", "300").stdout)
    assert told["replicates"] == 300
    told = json.loads(command("compare", file, "--json", "--workers", "1", "--replicates", "100").stdout)
    assert told["replicates"] == 300


def test_several_files(command, folder):
    text = (folder / "scenarios/quick_start.yaml").read_text(encoding="utf-8")
    (folder / "other.yaml").write_text(text.replace("seed: 1", "seed: 2"), encoding="utf-8")
    told = json.loads(command("compare", "scenarios/quick_start.yaml", "other.yaml", "--json", "--workers", "1").stdout)
    assert told["differences"][0]["same_trials"]
    assert told["differences"][0]["power_difference"] == 0.0
    assert any("Seeds differ" in note for note in told["notes"])
    assert (folder / "outputs/compare_quick_start_other/report.html").exists()


def test_what_is_wrong_is_told_before_work_starts(command, folder, file):
    for arguments, words in (
        (["scenarios/quick_start.yaml"], "a comparison needs two designs"),
        (["nowhere.yaml", file], "nowhere.yaml: there is no such file"),
        ([file, "--metric", "powr"], "did you mean 'power'?"),
        ([file, "--max-cost", "1000000"], "no design has cost"),
        ([file, "--set", "designs.more.sample_size=1"], "designs.more.sample_size: must be at least 4"),
    ):
        done = command("compare", *arguments, code=2)
        assert words in done.stderr
    assert not (folder / "outputs").exists()


def test_a_folder_of_something_else_is_left_as_it_is(command, folder, file):
    (folder / "mine").mkdir()
    (folder / "mine/letter.txt").write_text("dear", encoding="utf-8")
    assert "not a comparison" in command("compare", file, "--out", "mine", code=4).stderr
    assert [path.name for path in (folder / "mine").iterdir()] == ["letter.txt"]
    command("compare", file, "-q", "--workers", "1")
    done = command("compare", file, "--set", "effects.ketamine.points.qids_sr16=-2", code=4)
    assert "holds the results of another scenario" in done.stderr


def test_other_commands_leave_designs_aside_and_say_so(command, file):
    assert "designs is left aside (plain, more, ancova)" in command("run", file, "-q", "--workers", "1").stderr
    assert "3 designs to compare" in command("validate", file).stdout
    assert "designs.more" in command("explain", file).stdout


def test_what_is_left_aside_is_an_event_where_events_are_asked_for(trialsim, file):
    early = ("--set", "estimands.primary.visit=3", "--workers", "1")
    done = trialsim("run", file, *early, "--json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    notes = {event["kind"]: event["text"] for event in events if event["event"] == "note"}
    assert "designs is left aside (plain, more, ancova)" in notes["aside"]
    assert "last infusion" in notes["warning"]
    assert events[-1]["event"] == "finished"


def test_an_impossible_budget_is_an_answer(command, file):
    done = command("compare", file, "--max-patients", "20", "--workers", "1")
    assert "No design keeps to the budget of at most 20 patients" in " ".join(done.stdout.split())


def test_one_design_too_large_is_refused_before_another_is_simulated(command, folder, file, monkeypatch):
    monkeypatch.setattr("trialsim.engine.needs.MOST_PATIENTS", 250 * 80)
    done = command("compare", file, "--workers", "1", code=4)
    assert "simulates 24,000 patients" in done.stderr
    assert "give --force" in done.stderr
    assert not (folder / "outputs/compare_trial").exists()
    command("compare", file, "--workers", "1", "-q", "--force")
    assert "no trial was run again" in command("compare", file, "--workers", "1").stdout


def test_a_comparison_is_listed_with_its_runs_and_is_no_run_itself(command, file):
    command("compare", file, "-q", "--workers", "1")
    rows = {row["folder"]: row for row in json.loads(command("runs", "--json").stdout)}
    assert rows.pop(str(Path("outputs/compare_trial")))["state"] == "comparison"
    assert {Path(folder).as_posix() for folder in rows} == {
        f"outputs/compare_trial/designs/{name}" for name in ("plain", "more", "ancova")
    }
    assert {row["state"] for row in rows.values()} == {"finished"}
    for words in (("reproduce", "outputs/compare_trial"), ("run", file, "--out", "outputs/compare_trial")):
        told = command(*words, code=4).stderr
        assert "outputs/compare_trial holds a comparison" in told
        assert "Delete" not in told


def test_a_harm_is_told_and_none_is_best_by_its_power(trialsim, folder):
    text = (folder / "scenarios/quick_start.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text) | {"effects": {"ketamine": {"points": {"qids_sr16": 3}}}, "sample_size": 80}
    document["designs"] = {"base": {}, "larger": {"sample_size": 160}}
    (folder / "harm.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    words = " ".join(trialsim("compare", "harm.yaml", "--workers", "1").stdout.split())
    harm = "no number of patients finds a benefit of ketamine. Is the contrast turned round?"
    assert harm in words
    assert "base and larger: The true effect of ketamine against midazolam on QIDS-SR16 at day 14 is +3" in words
    assert "No design is best by power" in words
    assert "the highest is" not in words
    assert "Best by" not in words
    assert "beaten by" not in words
    assert "0.0 ± 0.0" not in words
    assert "0.0 (0.0 to " in words
    assert harm in (folder / "outputs/compare_harm/report.html").read_text(encoding="utf-8")
    document["designs"]["larger"] = {"effects.ketamine.points.qids_sr16": -3}
    (folder / "one.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    told = " ".join(trialsim("compare", "one.yaml", "--workers", "1").stdout.split())
    assert "base: The true effect of ketamine" in told
    assert "turned round" not in told
    assert "Best by power: larger" in told
