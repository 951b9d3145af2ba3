"""`trialsim operations`, and what `run` and `plot` make of how a trial is run."""

from __future__ import annotations

import csv
import html
import json

import pytest
import yaml

from cli.conftest import content_of
from trials import BOUNDED, write

SCENARIO = "scenarios/multisite_operations.yaml"
SMALL = ("--replicates", "20", "--workers", "1", "--set", "sample_size=[12, 16]")
FIGURES = {
    "recruitment", "site_rampup", "pipeline", "trial_flow", "capacity_use", "waiting", "trial_costs",
}  # fmt: skip


def test_the_answer_its_tables_and_figures(command, folder):
    done = command("operations", SCENARIO, *SMALL, "--out", "answer")
    for told in (
        "12 patients: the last one is randomised in month",
        "Recruitment is done in 24 months in 100.0 % of trials (95 % interval 83.9 % to 100.0 %)",
        "Where it jams",
        "Only leaving for a reason of the clinic",
        "Not eligible",
        "In all",
        "Information, % of the final",
    ):
        assert told in " ".join(done.stdout.split()), told
    files = content_of(folder / "answer")
    assert {name[:-4] for name in files if name.endswith(".png")} == FIGURES
    assert {f"{name}.{kind}" for name in FIGURES for kind in ("csv", "svg")} <= set(files)
    written = json.loads(files["operations.json"])
    assert {row["n"] for row in written["summary"]} == {12, 16}


def test_json_has_every_measure_with_its_error(command):
    told = json.loads(command("operations", SCENARIO, *SMALL, "--json").stdout)
    rows = {(row["n"], row["measure"]): row for row in told["summary"]}
    for name in ("months_to_last_visit", "cost_total_usd", "recruited_by_target", "use_chairs"):
        row = rows[16, name]
        assert row["low"] <= row["value"] <= row["high"]
        assert row["mcse"] >= 0.0
        assert row["trials"] == 20
    assert told["notes"] == []
    assert {row["series"] for row in told["calendar"]} >= {"randomised", "information"}


def test_recruitment_that_cannot_be_done_is_an_answer_with_the_number_reached(command):
    done = command("operations", SCENARIO, *SMALL, "--set", "operations.recruitment.until_month=9")
    words = " ".join(done.stdout.split())
    assert "16 patients: recruitment ends in month 9 at the latest. By then" in words
    assert "patients are randomised on average (" in words


def test_a_scenario_without_operations_is_told_what_is_missing(command):
    done = command("operations", "scenarios/quick_start.yaml", code=2)
    assert "operations: is missing: how the trial is run, at least sites: {number: ...}" in done.stderr
    assert "To try it: --set 'operations={sites: {number: 6}}'" in done.stderr
    told = command("operations", "scenarios/quick_start.yaml", *SMALL, "--set", "operations={sites: {number: 6}}")
    assert "by the closed form" in told.stdout


def test_what_is_varied_is_left_aside_and_said_so(command):
    vary = "vary={operations.recruitment.until_month: [12, 24]}"
    done = command("operations", SCENARIO, *SMALL, "--set", vary, "-q")
    assert "vary is left aside (operations.recruitment.until_month)" in " ".join(done.stdout.split())


def test_power_against_months_and_money_comes_from_runs(command, folder):
    changes = {
        "outcomes": {"qids_sr16": {}},
        "operations": {"sites": {"number": 2, "rate_per_month": 3}, "recruitment": {"until_month": 3}},
        "sample_size": [24],
        "simulation.replicates": 40,
        "vary": {"effects.ketamine.specific_share": [0, 0.6]},
    }
    write(folder, BOUNDED, changes)
    command("run", "scenario.yaml", "--workers", "1", "--out", "run", "-q")
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    for told in (
        '<section id="operations"',
        "USD per % of power",
        "Power against months and money",
        "Running the trial",
    ):
        assert told in page, told
    assert "the trial has the patients it has" in page
    done = command("operations", "scenario.yaml", "--workers", "1", "--run", "run", "--json")
    power = json.loads(done.stdout)["power"]
    assert [row["n"] for row in power] == [24]
    assert {row["line"] for row in power} == {"Share of the change that is specific to ketamine: 60\u00a0%"}
    for row in power:
        assert row["usd_per_percent"] == pytest.approx(row["usd"] / (100 * row["power"]))
        assert row["usd_per_percent_mcse"] > 0
        assert row["randomised"] < 24
    (folder / "run" / "operations_summary.parquet").unlink()
    done = command("operations", "scenario.yaml", "--workers", "1", "--run", "run", code=2)
    assert "this run says nothing of operations" in done.stderr


def test_plot_draws_how_trials_are_run(command, folder):
    scenario = yaml.safe_load((folder / SCENARIO).read_text(encoding="utf-8"))
    scenario["simulation"]["replicates"], scenario["sample_size"] = 10, [20]
    (folder / "small.yaml").write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    done = command("plot", "operations", "small.yaml")
    assert "recruitment, site_rampup, pipeline, trial_flow, capacity_use, waiting, trial_costs" in done.stdout
    assert {
        name[:-4] for name in content_of(folder / "outputs" / "small_operations") if name.endswith(".png")
    } == FIGURES
    assert "cannot be drawn; write `trialsim plot cohort FILE` or" in command("plot", "x", "small.yaml", code=2).stderr
    # A cohort of 2,000 patients is more than any clinic has room for: they are treated as planned.
    command("cohort", "small.yaml", "--out", "c.csv")


def test_a_number_that_recruitment_does_not_reach_is_not_said_to_be_randomised(command, folder):
    settings = {
        "operations": "{sites: {number: 3}, recruitment: {until_month: 16}}",
        "sample_size": 60,
        "outcomes": "{qids_sr16: {scale: continuous}}",
        "effects.ketamine.points.qids_sr16": -6,
    }
    given = [part for path, value in settings.items() for part in ("--set", f"{path}={value}")]
    done = command(
        "run", "scenarios/quick_start.yaml", "--replicates", "20", "--workers", "1", *given, "--out", "short"
    )
    assert "Patients to be randomised" in done.stdout
    assert "Patients randomised" not in done.stdout
    assert "by patients to be randomised" in " ".join(done.stdout.split())
    page = html.unescape((folder / "short" / "report.html").read_text(encoding="utf-8")).replace("\u00a0", " ")
    with (folder / "short" / "operations_summary.csv").open(encoding="utf-8", newline="") as file:
        told = {row["measure"]: row for row in csv.DictReader(file)}
    assert float(told["recruited"]["value"]) < 1.0
    share, mean = 100 * float(told["recruited"]["value"]), float(told["randomised"]["value"])
    reached = f"Recruitment to month 16 reaches 60 in {share:.1f} % of trials (95 % interval "
    randomised = f"; on average {mean:.1f} ± {float(told['randomised']['mcse']):.1f} patients are randomised."
    assert page.count(reached) == page.count(randomised) == 2
    assert "60 patients to be randomised are enough for 80 % power" in page
    assert "60 patients are to be randomised 1 : 1. Recruitment to month 16" in page
    assert "patients are randomised 1 : 1" not in page
