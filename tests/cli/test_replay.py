"""`trialsim replay`: a published study repeated in simulated patients."""

from __future__ import annotations

import csv
import json

from cli.conftest import content_of

FEW = ("--replicates", "40")


def test_the_table_and_what_it_says(trialsim):
    done = trialsim("replay", "danayan2023", *FEW)
    assert done.stdout.startswith("Danayan et al. 2023")
    text = " ".join(done.stdout.split())
    for said in (
        "calibration: the model was set to the published figure",
        "check: nothing was fitted to it",
        "assumed: hangs on numbers that no study gives",
        "40 simulated studies of 100 patients (seed 2023)",
        "is what the drug adds",
        "QIDS-SR16 response: the model gives",
    ):
        assert said in text
    (change,) = [line for line in done.stdout.splitlines() if line.startswith("QIDS-SR16 change, BPD+  ")]
    assert change.split()[3] == "−5.95"
    (infusion,) = [line for line in done.stdout.splitlines() if line.startswith("CADSS at infusion 4")]
    assert "below infusion 1" in infusion


def test_json_has_every_number_and_the_same_seed_gives_the_same(command):
    told = json.loads(command("replay", "danayan2023", *FEW, "--json").stdout)
    assert (told["name"], told["replicates"], told["seed"]) == ("danayan2023", 40, 2023)
    rows = {row["quantity"]: row for row in told["quantities"]}
    change = rows["qids_change_bpd"]
    assert (change["published"], change["mark"]) == (-5.95, "calibration")
    assert change["simulated_low"] < change["simulated"] < change["instead"] < 0
    assert rows["response"]["published"] == 0.27
    assert rows["qids_difference"]["published"] is None
    assert rows["cadss_infusion_1"]["agrees"] is None
    assert json.loads(command("replay", "danayan2023", *FEW, "--json").stdout) == told
    other = json.loads(command("replay", "danayan2023", *FEW, "--json", "--seed", "5").stdout)
    assert other["quantities"][0]["simulated"] != change["simulated"]


def test_what_can_be_replayed(command):
    assert command("replay", "--list").stdout.startswith("danayan2023  Danayan et al. 2023")
    assert list(json.loads(command("replay", "--list", "--json").stdout)) == ["danayan2023"]


def test_wrong_names_and_numbers(command):
    assert "did you mean 'danayan2023'?" in command("replay", "danayan", code=2).stderr
    assert "trialsim replay --list" in command("replay", code=2).stderr
    command("replay", "danayan2023", "--replicates", "1", code=2)
    command("replay", "danayan2023", "--seed", "-1", code=2)


def test_table_and_figure_as_files(command, folder):
    done = command("replay", "danayan2023", *FEW, "--out", "there")
    assert "Wrote there" in done.stdout
    files = content_of(folder / "there")
    name = "replay_danayan2023"
    assert sorted(files) == [f"{name}.csv", *(f"{name}_figure.{kind}" for kind in ("csv", "png", "svg"))]
    with open(folder / "there" / f"{name}.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert rows[0]["quantity"] == "qids_change_bpd"
    assert rows[0]["published"] == "-5.95"
    command("replay", "danayan2023", *FEW, "--out", "there")
    assert content_of(folder / "there") == files
    assert "left as it is" in command("replay", "danayan2023", "--replicates", "41", "--out", "there", code=4).stderr
    assert content_of(folder / "there") == files
