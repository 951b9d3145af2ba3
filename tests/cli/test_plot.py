"""`trialsim plot cohort`: figures of simulated patients."""

from __future__ import annotations

import csv

from cli.conftest import content_of

QUICK = "scenarios/quick_start.yaml"


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_figure_with_its_data(trialsim, folder):
    done = trialsim("plot", "cohort", "scenarios/followup_rct.yaml", "--n", "120")
    assert "vary is left aside (effects.ketamine.specific_share)" in done.stderr
    assert "trajectories, distributions, correlations" in done.stdout
    there = folder / "outputs" / "followup_rct_cohort"
    files = content_of(there)
    names = ("correlations", "distributions", "trajectories")
    assert sorted(files) == [f"{name}.{kind}" for name in names for kind in ("csv", "png", "svg")]
    for name in names:
        assert files[f"{name}.png"].startswith(b"\x89PNG")
        assert b"<svg" in files[f"{name}.svg"]
    counted = [row for row in rows_of(there / "distributions.csv") if row["outcome"] == "madrs" and row["day"] == "0"]
    assert sum(int(row["n"]) for row in counted) == 120
    assert {row["stratum"] for row in counted} == {"bpd", "no_bpd"}
    assert len(rows_of(there / "correlations.csv")) == 36


def test_the_patients_are_those_of_the_cohort(command, folder):
    command("plot", "cohort", QUICK, "--n", "40", "--out", "figures")
    command("cohort", QUICK, "--n", "40", "--out", "c.csv")
    patients = [row for row in rows_of(folder / "c.csv") if row["day"] == "14" and row["arm"] == "ketamine"]
    scores = [float(row["qids_sr16"]) for row in patients if row["stratum"] == "bpd"]
    (shown,) = {
        row["mean"]
        for row in rows_of(folder / "figures" / "distributions.csv")
        if (row["day"], row["arm"], row["stratum"]) == ("14", "ketamine", "bpd")
    }
    assert abs(float(shown) - sum(scores) / len(scores)) < 1e-9


def test_dissociation_is_drawn_where_the_scenario_has_it(command, folder):
    done = command("plot", "cohort", QUICK, "--n", "60", "--set", "dissociation={}", "--out", "figures")
    assert "correlations, dissociation, each" in done.stdout
    rows = rows_of(folder / "figures" / "dissociation.csv")
    assert len(rows) == 2 * 2 * 4  # strata, arms, infusions
    assert sum(int(row["n"]) for row in rows if row["infusion"] == "1") == 60
    mean = {(row["stratum"], row["arm"]): float(row["mean"]) for row in rows if row["infusion"] == "1"}
    assert mean["bpd", "ketamine"] > mean["bpd", "midazolam"]


def test_other_files_are_left_as_they_are(command, folder):
    command("plot", "cohort", QUICK, "--n", "40", "--out", "figures")
    before = content_of(folder / "figures")
    command("plot", "cohort", QUICK, "--n", "40", "--out", "figures")
    assert "left as it is" in command("plot", "cohort", QUICK, "--n", "60", "--out", "figures", code=4).stderr
    assert content_of(folder / "figures") == before
    (folder / "file").write_text("x", encoding="utf-8")
    assert "is a file" in command("plot", "cohort", QUICK, "--n", "40", "--out", "file/in", code=4).stderr


def test_wrong_words_and_numbers(command):
    assert "trialsim plot cohort FILE" in command("plot", "power", QUICK, code=2).stderr
    command("plot", "cohort", QUICK, "--n", "3", code=2)
    command("plot", "cohort", code=2)
