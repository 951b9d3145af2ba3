"""`trialsim sensitivity`: told, written, drawn, and refused."""

from __future__ import annotations

import json

import pandas as pd
import pytest

FILE = "scenarios/quick_start.yaml"
QUICK = ("sensitivity", FILE, "--replicates", "250", "--workers", "1", "-q")
PATH = "effects.ketamine.points.qids_sr16"
SD = "outcomes.qids_sr16.post_sd"


def test_the_tornado_is_told_with_what_is_noise(trialsim):
    done = trialsim(*QUICK, "--n", "80")
    assert "with 80 patients randomised" in done.stdout
    assert f"Most hangs on {PATH}" in done.stdout
    assert "No change larger than noise" in done.stdout
    assert "Ranges that are assumed" in done.stdout


def test_all_parts_are_written_and_python_gives_the_same(command, folder):
    import trialsim as ts

    other = folder / "other.yaml"
    text = (folder / FILE).read_text(encoding="utf-8")
    other.write_text(text.replace("qids_sr16: -3}", "qids_sr16: -2}"), encoding="utf-8")
    leaves = ("--set", "dropout.missing_by={14: 0.2}")
    done = command(
        *QUICK, "--n", "80", *leaves, "--tornado", "--heat", PATH, SD, "--steps", "2", "--against", str(other),
        "--tipping", "--worst", "--out", "found", "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    kinds = ["tornado", "heat_map", "attribution", "design_tipping_point", "worst_type_i_error"]
    assert [one["kind"] for one in told] == kinds
    names = ("tornado", "heat_map", "attribution", "tipping_point", "worst_type_i_error")
    written = {path.name for path in (folder / "found").iterdir()}
    assert written == {f"{name}.{end}" for name in names for end in ("json", "txt", "png", "svg", "csv")}
    tornado = pd.read_csv(folder / "found/tornado.csv")
    assert set(tornado["end"]) == {"low", "high"}
    assert tornado["base"].eq(told[0]["base"]).all()
    steps = pd.read_csv(folder / "found/attribution.csv")
    assert steps["contribution"].sum() == pytest.approx(told[2]["difference"], abs=1e-12)
    settings = {"dropout.missing_by": "{14: 0.2}"}
    again = ts.sensitivity(folder / FILE, n=80, replicates=250, workers=1, settings=settings)
    assert json.loads(json.dumps(again.to_dict())) == told[0]
    assert again.plot().axes
    assert len(again.frame) == 2 * len(again.bars)
    assert "Most hangs on" in again.text


def test_what_cannot_be_is_told_with_its_place(command):
    for arguments, told in (
        (("--range", f"{SD}=6,5"), "above high"),
        (("--range", f"{SD}=6"), "two values are needed"),
        (("--range", "effects.ketamine.pionts.x=1,2"), "did you mean 'points'"),
        (("--heat", PATH, "nothing"), "has no range"),
        (("--tipping",), f"{FILE}:6:1: dropout: nobody leaves"),
        (("--against", FILE), "nothing to attribute"),
        (("--against", "scenarios/therapy_groups.yaml"), "share no estimand"),
        (("--n", "3"), "at least 4"),
        (("--heat", PATH, SD, "--metric", "bias"), "--metric: chooses what a tornado shows (a heat map: power or type"),
        (("--tipping", "--range", f"{SD}=5,6"), "--range: is of a tornado, --heat or --worst: add one of them"),
        (("--steps", "3"), "--steps: is of a heat map: add --heat PATH PATH"),
        (("--together", f"{PATH},{SD}"), "--together: joins assumptions of --against: add it with its FILE"),
        (("--worst", "--limit", "3"), "--limit: is the largest delta of --tipping: add it"),
    ):
        assert told in command(*QUICK, *arguments, code=2).stderr, arguments


def test_an_end_out_of_reach_ends_nothing(command):
    done = command(*QUICK, "--n", "80", "--range", f"{SD}=5,50")
    assert "cannot be had" in done.stdout
    assert f"{SD} = 50:" in done.stdout


def test_help_names_what_there_is(trialsim):
    told = trialsim("sensitivity", "--help").stdout
    for option in ("--heat", "--against", "--tipping", "--worst", "--range", "--metric"):
        assert option in told


def test_all_parts_are_checked_before_any_of_them_works(command, monkeypatch):
    from trialsim.planning.sensitivity import attribution, heat, tipping, tornado, worst

    def works(*given, **options):
        pytest.fail("a part began to work before all were checked")

    for module in (attribution, heat, tipping, tornado, worst):
        monkeypatch.setattr(module, "simulate", works)
    for module in (attribution, heat, tipping, tornado):
        monkeypatch.setattr(module, "size_for", works)
    parts = ("--tornado", "--heat", PATH, "nothing", "--tipping", "--worst", "--against", FILE)
    told = " ".join(command(*QUICK, *parts, code=2).stderr.split())
    for fault in ("nothing: has no range", "dropout: nobody leaves", "--against: the two scenarios differ in nothing"):
        assert fault in told
    leaves = ("--set", "dropout.missing_by={14: 0.2}")
    told = command(*QUICK, *leaves, "--tornado", "--worst", "--tipping", "--limit", "-1", "--n", "2", code=2).stderr
    assert "limit: must be a number of points above 0" in told
    assert "n: must be at least 4" in told


def test_what_was_found_is_told_though_a_later_part_fails(command, folder):
    other = folder / "scenarios/other.yaml"
    text = (folder / FILE).read_text(encoding="utf-8")
    other.write_text(text.replace("\neffects:", "\ndropout: {missing_by: {14: 1}}\neffects:"), encoding="utf-8")
    done = command(*QUICK, "--n", "80", "--tornado", "--against", str(other), "--out", "found", code=2)
    assert f"Most hangs on {PATH}" in done.stdout
    assert (folder / "found/tornado.csv").exists()
    assert "no trial could be analysed" in done.stderr
