"""`trialsim run`: what is written, what is printed, what is kept and what is refused."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

import trialsim as trialsim_api
from cli.conftest import ENVIRONMENT, console_script, content_of
from trialsim.errors import RefusedError

QUICK = ("run", "scenarios/quick_start.yaml", "--replicates", "20", "--set", "sample_size=[40, 60]", "--workers", "1")
TABLES = {"summary.csv", "summary.parquet", "estimates.parquet"}
FILES = {"report.html", "answer.json", "results.json", "manifest.json", "run.json", *TABLES}


def _files(place):
    """Return the names of the files in a run folder; only some systems keep the file of a lock that is free."""
    return {path.name for path in place.iterdir() if path.is_file()} - {"run.lock"}


def loaded_by(folder, *arguments):
    """Return which large packages a command loads."""
    names = (
        "numpy",
        "pandas",
        "matplotlib",
        "scipy.special",
        "scipy.optimize",
        "scipy.linalg",
        "trialsim.analysis.registry",
        "trialsim.patients",
    )
    program = f"import sys; from trialsim.cli import main\nsys.argv = ['trialsim', *{arguments!r}]\ntry: main()\n"
    program += f"finally: print('LOADED', *[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_a_run_from_start_to_end_and_again(trialsim, command, folder):
    first = trialsim(*QUICK)
    place = folder / "outputs" / "quick_start"
    assert _files(place) == FILES
    assert {path.stem for path in (place / "figures").glob("*.png")} == {"power_curves", "trajectories", "accuracy"}
    assert "A small trial with an effect of three points" in first.stdout
    assert "20 simulated trials per cell" in first.stdout
    assert "outputs/quick_start/report.html" in first.stdout.replace(os.sep, "/")
    assert "±" in first.stdout

    # The same again computes nothing, prints the same table and leaves every byte.
    before = content_of(place)
    second = command(*QUICK)
    assert "Already computed; nothing was run again" in second.stdout
    assert "Simulating" not in second.stderr
    assert content_of(place) == before
    table = [line for line in first.stdout.splitlines() if "±" in line]
    assert [line for line in second.stdout.splitlines() if "±" in line] == table
    for options in ((), ("--json",)):
        assert loaded_by(folder, *QUICK, *options) == {"numpy"}  # nothing that computes, draws or reads tables

    # Fewer replicates than there are: the table of those there.
    command(*QUICK, "--replicates", "10")
    assert content_of(place) == before

    # Another scenario: refused, and nothing is changed.
    for change in (("--seed", "2"), ("--set", "effects.ketamine.points.qids_sr16=-1")):
        refused = command(*QUICK, *change, code=4)
        assert "Nothing was written" in refused.stderr
        assert "--out" in refused.stderr
        assert refused.stdout == ""
    assert content_of(place) == before

    # More replicates extend it.
    assert "30 simulated trials per cell" in command(*QUICK, "--replicates", "30").stdout
    with open(place / "summary.csv", encoding="utf-8", newline="") as handle:
        assert {row["replicates"] for row in csv.DictReader(handle)} == {"30"}

    # Words are no part of the scenario: a new title is written into the report, the numbers stay.
    numbers = (place / "summary.csv").read_bytes()
    command(*QUICK, "--set", "title=Another title")
    assert (place / "summary.csv").read_bytes() == numbers
    assert "Another title" in (place / "report.html").read_text(encoding="utf-8")

    # A report or an answer that was deleted comes back.
    for name in ("report.html", "answer.json", "results.json"):
        shown = (place / name).read_bytes()
        (place / name).unlink()
        again = command(*QUICK, "--set", "title=Another title").stdout
        assert "nothing was run again" in again
        assert "Another title" in again
        assert (place / name).read_bytes() == shown
    assert "Another title" in (place / "answer.json").read_text(encoding="utf-8")


def test_a_value_that_is_set_is_not_varied(command, folder):
    text = (folder / "scenarios" / "quick_start.yaml").read_text(encoding="utf-8")
    (folder / "varied.yaml").write_text(
        f"{text}\nvary: {{effects.ketamine.points.qids_sr16: [0, -3]}}\n", encoding="utf-8"
    )
    settings = ("--set", "effects.ketamine.points.qids_sr16=-1", "--replicates", "5")
    rows = json.loads(command("run", "varied.yaml", *settings, "--json", "--out", "set").stdout)["summary"]
    assert {row["true_value"] for row in rows} == {-1.0}


def test_a_varied_visit_and_a_null_are_told_in_words(command, folder):
    text = (folder / "scenarios" / "quick_start.yaml").read_text(encoding="utf-8")
    (folder / "varied.yaml").write_text(f"{text}\nvary: {{estimands.primary.visit: [7, 14]}}\n", encoding="utf-8")
    null = ("--set", "effects.ketamine.points.qids_sr16=0", "--set", "sample_size=[40, 60]", "--replicates", "5")
    told = command("run", "varied.yaml", *null, "--out", "varied").stdout
    assert "Day of the visit, primary" in told
    assert "Type I error in %" in told
    assert "Power" not in told
    page = (folder / "varied" / "report.html").read_text(encoding="utf-8")
    assert "find a difference in QIDS-SR16 at day 7 or 14 where there is none?" in page


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_scenario(trialsim, folder):
    os.mkfifo(folder / "pipe.yaml")
    assert "pipe.yaml: is a named pipe, not a file" in trialsim("run", "pipe.yaml", code=2).stderr


def test_json_and_quiet(command):
    out = ("--out", "results")
    done = command(*QUICK, *out, "--json")
    content = json.loads(done.stdout)
    assert content["folder"] == "results"
    assert len(content["scenario_hash"]) == 64
    assert [row["n"] for row in content["summary"]] == [40, 60]
    assert all(row["converged"] + row["fell_back"] + row["failed"] == 20 for row in content["summary"])
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["started", "progress", "finished"]
    assert events[1]["done"] == events[1]["total"] == 1
    assert events[2]["folder"] == "results"
    assert command(*QUICK, *out, "--quiet", "--json").stderr == ""
    silent = command(*QUICK, *out, "--quiet")
    assert silent.stdout == silent.stderr == ""


TOGETHER = """
estimands:
  primary:   {outcome: qids_sr16, visit: 14, contrast: [ketamine, midazolam]}
  responded: {outcome: qids_sr16, visit: 14, contrast: [ketamine, midazolam], endpoint: response}
  not_worse: {outcome: qids_sr16, visit: 7, contrast: [ketamine, midazolam], non_inferiority_margin: 1.0}
multiplicity: {method: fixed_sequence}
vary: {effects.ketamine.points.qids_sr16: [-3, 0, 4]}
"""


def test_hypotheses_tested_together_are_told_everywhere(command, folder):
    lines = (folder / "scenarios" / "quick_start.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith(("estimands:", "  primary:")))
    (folder / "together.yaml").write_text(kept + TOGETHER, encoding="utf-8")
    asked = ("run", "together.yaml", "--replicates", "20", "--set", "sample_size=[40, 60]", "--workers", "1")
    told = command(*asked, "--out", "together").stdout
    assert "Hypotheses tested together" in told
    table = told[told.index("Hypotheses tested together") :]
    headings = [line.split() for line in table.splitlines() if line.startswith("N ")]
    assert headings[0] == ["N", "Tested", "primary", "responded", "not_worse", "any", "all"]
    assert headings[-1] == ["N", "Tested", "primary", "responded", "not_worse", "any", "all", "any", "null"]
    lines = table[: table.index("Share of trials")].splitlines()
    assert [sum(f" {how} " in line for line in lines) for how in ("alone", "together")] == [6, 6]
    content = json.loads(command(*asked, "--out", "together", "--json").stdout)
    assert [row["n"] for row in content["families"]] == [40, 60] * 3
    assert content["families"][0]["hypotheses"] == "primary, responded, not_worse"
    place = folder / "together"
    assert _files(place) - {"failures.csv"} == FILES | {"families.csv", "families.parquet"}
    assert {path.suffix for path in (place / "figures").glob("families.*")} == {".png", ".svg", ".csv"}
    run = trialsim_api.open_run(place)
    assert run.families is not None
    assert len(run.families) == 6
    assert "any true effect" in [text.get_text() for text in run.plot_families().legends[0].get_texts()]
    before = content_of(place)
    (place / "report.html").unlink()
    command(*asked, "--out", "together", "--quiet")
    assert content_of(place) == before


def test_a_run_without_a_procedure_says_so(command, folder):
    command(*QUICK, "--out", "alone", "--quiet")
    run = trialsim_api.open_run(folder / "alone")
    assert run.families is None
    with pytest.raises(RefusedError, match="tested alone"):
        run.plot_families()


def test_a_folder_with_other_files_is_left_alone(command, folder):
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    refused = command(*QUICK, "--out", "mine", code=4)
    assert "not a trialsim run" in refused.stderr
    assert content_of(folder / "mine") == {"thesis.txt": b"years of work"}
    assert "is a file" in command(*QUICK, "--out", "mine/thesis.txt", code=4).stderr


def test_a_damaged_manifest_is_told(command, folder):
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in command(*QUICK, "--out", "broken", code=4).stderr


def test_places_that_can_hold_no_run_are_told_with_a_remedy(command, folder):
    (folder / "nowhere").symlink_to(folder / "gone")
    (folder / "file").write_text("mine", encoding="utf-8")
    for out, words in (
        ("nowhere", "nowhere is a link that leads nowhere. Name a folder with --out."),
        ("file/in", "file is a file, so nothing can be written into file/in. Name a folder with --out."),
    ):
        assert words in command(*QUICK, "--out", out, code=4).stderr
    long = command(*QUICK, "--out", "x" * 300, code=3).stderr
    assert "the name is too long for the system. Give a shorter one." in long
    assert len(long) < 200
    for empty in (("--out", ""), ("--out=",)):
        assert "--out: is empty; name a place" in command(*QUICK, *empty, code=2).stderr
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    assert "loop.yaml: is a link that leads to no file; name the scenario itself" in (
        command("run", "loop.yaml", code=2).stderr
    )
    for arguments in (("trial", "file"), ("trial", "file/manifest.json"), ("reproduce", "file")):
        assert "does not hold a trialsim run" in command(*arguments, code=4).stderr
    assert "file does not hold a shard of a run" in command("merge", "file", "--out", "x", code=4).stderr


def test_options_are_told_as_they_are_written(command):
    told = command(*QUICK[:2], "--shard", "1/3", "--precision", "0.02", code=2).stderr
    assert told.startswith("--shard: a run to a precision grows")
    dask = ("--backend", "dask", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2")
    assert command(*QUICK[:2], *dask, code=2).stderr.startswith("--workers: are those that the scheduler has")


def test_time_left_is_told_as_a_person_would():
    from trialsim.cli.progress import time_words

    assert [time_words(seconds) for seconds in (0.4, 89.0, 90.0, 3570.0, 3599.0, 16497.0)] == [
        "0 s", "89 s", "2 min", "1 h 0 min", "1 h 0 min", "4 h 35 min"
    ]  # fmt: skip


HANGUP = getattr(signal, "SIGHUP", None)


@pytest.mark.skipif(os.name == "nt", reason="a terminal's signals are sent to a process group here")
@pytest.mark.parametrize(
    ("number", "times", "workers"),
    [(signal.SIGINT, 1, "1"), (signal.SIGINT, 20, "1"), (signal.SIGTERM, 1, "2"), (HANGUP, 1, "1")],
    ids=["ctrl-c", "ctrl-c-again-and-again", "told-to-end", "terminal-closed"],
)
def test_a_run_that_is_stopped_keeps_finished_blocks(folder, number, times, workers):
    command = [*console_script(), "run", "scenarios/quick_start.yaml", "--replicates", "1000000", "--workers", workers]
    parts, told = folder / "outputs" / "quick_start" / "parts", folder / "told.txt"
    with told.open("w") as stream, heeded(number):
        process = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
        )
    try:
        wait_for(lambda: list(parts.glob("*.parquet")))
        os.killpg(process.pid, number)
        wait_for(lambda: times == 1 or "Interrupted" in told.read_text(encoding="utf-8"))
        for _ in range(times - 1):
            if process.poll() is None:
                os.killpg(process.pid, number)
            time.sleep(0.005)
        process.wait(timeout=30)
    finally:
        process.kill()
    words = told.read_text(encoding="utf-8")
    assert process.returncode == 128 + number, words
    assert "the same command goes on from there" in words
    assert not [noise for noise in ("Traceback", "Exception ignored", "resource_tracker") if noise in words], words
    assert list(parts.glob("*.parquet"))
    assert not list(parts.glob(".*"))
    told_by_run = json.loads((folder / "outputs" / "quick_start" / "run.json").read_text(encoding="utf-8"))
    assert told_by_run["finished"] is False
    assert told_by_run["sessions"][0]["state"] == "interrupted"


@contextmanager
def heeded(number):
    """Have a signal heeded by what is started; one that this process ignores would be ignored there too."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def wait_for(condition):
    """Wait until something is true, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_precision_is_reached_or_refused_before_long_work(command, folder):
    done = command("run", "scenarios/quick_start.yaml", "--precision", "0.03", "--workers", "1", "--out", "precise")
    assert "Every power to ±3 percentage points: about" in done.stderr
    rows = list(csv.DictReader((folder / "precise/summary.csv").read_text(encoding="utf-8").splitlines()))
    assert all((float(row["power_high"]) - float(row["power_low"])) / 2 <= 0.03 for row in rows)
    long = ("run", "scenarios/quick_start.yaml", "--precision", "0.002", "--minutes", "0", "--workers", "1")
    refused = command(*long, "--out", "long", "-q", code=4)
    assert "more than the 0 min that may be spent unasked" in refused.stderr
    assert "--yes" in refused.stderr
    assert (folder / "long/parts").is_dir()
    assert "must be at least 0.001" in command(*long[:2], "--precision", "0.0001", code=2).stderr


def test_a_contrast_turned_round_is_told_before_and_after(trialsim, folder):
    turned = ("--set", "estimands.primary.contrast=[midazolam, ketamine]")
    checked = trialsim("validate", QUICK[1], *turned)
    assert "write [ketamine, midazolam] if that is meant" in checked.stderr
    words = "is +3.00 points, in favour of ketamine: no number of patients finds a benefit of midazolam."
    assert words in " ".join(trialsim(*QUICK, *turned).stdout.split())
    told = json.loads(trialsim(*QUICK, *turned, "--json").stdout)
    assert any(words in note for note in told["notes"])
    page = (folder / "outputs" / "quick_start" / "report.html").read_text(encoding="utf-8")
    assert words in page
    assert "is enough for" not in page
    assert "Sample-size statement" not in page
