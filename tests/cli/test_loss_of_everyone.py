"""A trial that everybody leaves: every command says so, and none of them fails."""

from __future__ import annotations

import json

import pandas as pd
import pytest

FILE = "scenarios/quick_start.yaml"
LOST = ("--set", "dropout.missing_by={14: 1}")
EFFECT = "effects.ketamine.points.qids_sr16"
PLAIN = ("--set", "analysis.primary.method=t_test")
QUICK = ("--replicates", "250", "--workers", "1")


@pytest.fixture
def lost(folder):
    """A scenario file whose trial everybody leaves."""
    text = (folder / FILE).read_text(encoding="utf-8")
    path = folder / "scenarios/lost.yaml"
    path.write_text(text.replace("\neffects:", "\ndropout: {missing_by: {14: 1}}\neffects:"), encoding="utf-8")
    return str(path)


def test_a_run_has_no_power_and_bounds_that_say_nothing(command, folder):
    done = command("run", FILE, *LOST, "--out", "lost", *QUICK, "-q")
    shown = command("run", FILE, *LOST, "--out", "lost", *QUICK).stdout
    assert "500 fits failed" in " ".join(shown.split())
    assert "nan" not in (done.stdout + shown).lower()
    summary = pd.read_csv(folder / "lost/summary.csv")
    assert summary["power"].isna().all()
    assert summary["power_failures_as_0"].eq(0.0).all()
    assert summary["power_failures_as_1"].eq(1.0).all()
    command("trial", "lost", "--cell", "0", "--replicate", "0", "--out", "one")
    page = (folder / "lost/report.html").read_text(encoding="utf-8")
    assert "No fit gave an estimate" in page
    assert "– ± –" not in page


def test_no_number_of_patients_and_no_effect_is_enough(command):
    done = command("size", FILE, *LOST, *PLAIN, "-q")
    told = " ".join(done.stdout.split())
    assert "The power of 90 % cannot be reached: all have left by the visit of primary" in told
    told = " ".join(command("size", FILE, *LOST, *PLAIN, "--effect", EFFECT, "--n", "80", "-q").stdout.split())
    assert "cannot be reached: all have left by the visit of primary" in told
    assert "no trial can be analysed" in told


@pytest.mark.parametrize(("method", "never"), [("t_test", 0), ("ancova", 1), ("wilcoxon", 0)])
def test_no_closed_form_is_shown(command, folder, method, never):
    settings = ("--set", f"analysis.primary.method={method}", "--set", f"dropout.never_starts={never}")
    done = command("run", FILE, *LOST, *settings, *QUICK, "--out", method, "--json")
    assert "twins" not in json.loads(done.stdout)


def test_a_comparison_with_it_is_told(command, folder, lost):
    done = command("compare", FILE, lost, "--replicates", "250", "--workers", "1", "--out", "compared", "-q", "--json")
    told = json.loads(done.stdout)
    assert told["designs"][1]["metrics"]["power"]["value"] is None
    assert "cannot be compared: no fit gave an estimate" in " ".join(told["findings"])
    forest = pd.read_csv(next((folder / "compared").rglob("design_forest.csv")))
    assert forest["difference"].isna().all()


def test_sensitivity_says_where_no_trial_could_be_analysed(command, folder):
    heat = ("--heat", EFFECT, "dropout.missing_by.14", "--steps", "2", "--range", "dropout.missing_by.14=0.1,1")
    heat += ("--range", f"{EFFECT}=-4,-2")
    done = command(
        "sensitivity",
        FILE,
        *LOST,
        *PLAIN,
        *QUICK,
        "--n",
        "80",
        "-q",
        "--tornado",
        *heat,
        "--tipping",
        "--worst",
        "--out",
        "s",
    )
    told = " ".join(done.stdout.split())
    assert "nan" not in told
    assert "– (± –)" not in told
    assert "no trial could be analysed with the scenario's own values" in told
    assert "2 of 4 cells (–) have no value: no trial could be analysed" in told
    assert "No delta at which the power falls to 80 %: with delta added no trial could be analysed." in told
    assert "own values, on the same draws: no trial could be analysed" in told
    for path in (folder / "s").glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_a_difference_from_no_power_is_due_to_nothing(command, lost):
    told = command("sensitivity", FILE, *QUICK, "--n", "80", "--against", lost, "-q", code=2).stderr
    assert "with these of the second" in told
    assert "no trial could be analysed" in told


def test_assurance_and_cohorts_go_through(command, folder):
    prior = ("--set", f"priors={{{EFFECT}: {{normal: {{mean: -3, sd: 1}}}}}}")
    told = command("assurance", FILE, *LOST, *PLAIN, *prior, "--draws", "100", "--workers", "1", "-q").stdout
    assert "nan" not in told
    command("cohort", FILE, *LOST, "--out", "cohort")
    command("plot", "cohort", FILE, *LOST, "--n", "100", "--out", "drawn")
