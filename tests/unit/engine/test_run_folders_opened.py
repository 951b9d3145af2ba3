"""Runs listed, compared, reproduced and looked into."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import trialsim as ts
from trials import BOUNDED, resolve
from trialsim.engine import environment, reproduce
from trialsim.engine.execute import execute
from trialsim.engine.opening import open_folder
from trialsim.engine.parts import find_parts
from trialsim.engine.reproduce import largest_difference
from trialsim.errors import InputError, RefusedError

CHANGES = {
    "outcomes": {"qids_sr16": {}},
    "analysis": {"primary": [{"method": "mmrm"}, {"method": "ancova"}]},
    "dropout.missing_by": {14: 0.3},
    "sample_size": [16, 40],
    "vary": {"effects.ketamine.specific_share": [0, 0.5]},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    execute(resolve(BOUNDED, CHANGES), folder, replicates=500, workers=1)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def other(folder, changes, replicates=500):
    execute(resolve(BOUNDED, {**CHANGES, **changes}), folder, replicates=replicates, workers=1)
    return folder


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_reading_a_part_leaves_no_thread_that_could_abort_the_end_of_the_program(finished):
    """One of Arrow's threads that lets go of Python's bytes while Python ends, ends the program by SIGABRT."""
    part = min((finished / "parts").glob("estimates*"))
    program = (
        "import os, sys, pathlib, numpy, pyarrow.compute, pyarrow.parquet\n"
        "from trialsim.engine import estimates, opening, plan, reading\n"
        "part, folder = map(pathlib.Path, sys.argv[1:])\n"
        "content, variants = part.read_bytes(), opening.open_folder(folder).resolved.variants\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "columns = numpy.asarray(reading.read_content(content)['p'])\n"
        "rows = estimates.trial_rows(content, variants[0], plan.cells(variants)[0], 3)\n"
        "print(len(columns), len(rows), count() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, part, finished], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == [len(pd.read_parquet(part)), 2, 0]


# One trial -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "replicate"), [(0, 0), (1, 37), (3, 499)])
def test_a_trial_is_analysed_as_it_was_stored_to_the_bit(finished, cell, replicate):
    trial = ts.trial(finished, replicate=replicate, cell=cell)
    assert trial.as_stored is True
    estimates = pd.read_parquet(finished / "estimates.parquet")
    stored = estimates[(estimates["cell"] == cell) & (estimates["replicate"] == replicate)].reset_index(drop=True)
    for name in ("estimate", "se", "df", "p", "ci_low", "ci_high"):
        assert (trial.analysis[name].to_numpy().view(np.int64) == stored[name].to_numpy().view(np.int64)).all()
    assert list(trial.analysis["method"]) == ["mmrm", "ancova"]


def test_the_patients_of_a_trial_are_those_of_its_cell(finished):
    trial = ts.trial(finished, replicate=37, cell=2)  # 16 patients at the second varied value
    assert trial.inspected.cell.settings == {"effects.ketamine.specific_share": 0.5}
    data = trial.data
    assert data["patient"].nunique() == 16
    larger = ts.trial(finished, replicate=37, cell=3).data
    pd.testing.assert_frame_equal(data, larger[larger["patient"] <= 16].reset_index(drop=True))
    # An ANCOVA done from the written data by hand finds the estimate.
    wide = data.pivot(index="patient", columns="day", values="qids_sr16").join(
        data.drop_duplicates("patient").set_index("patient")[["arm", "stratum"]]
    )
    seen = wide.dropna(subset=[14.0])
    design = np.column_stack(
        [np.ones(len(seen)), seen["arm"] == "ketamine", seen[0.0], seen["stratum"] == "bpd"]
    ).astype(float)
    by_hand = np.linalg.lstsq(design, seen[14.0].to_numpy(float), rcond=None)[0][1]
    assert trial.analysis["estimate"][1] == pytest.approx(by_hand, rel=1e-9)


def test_the_flow_of_a_trial_adds_up(finished):
    trial = ts.trial(finished, replicate=5, cell=1)
    flow = trial.flow.set_index(["stage", "arm"])["patients"]
    data = trial.data
    last = data[data["day"] == 14]
    for arm in ("midazolam", "ketamine"):
        assert flow["allocated", arm] == (last["arm"] == arm).sum()
        assert flow["started treatment", arm] + flow["did not start", arm] == flow["allocated", arm]
        assert flow["seen on day 14", arm] == last.loc[last["arm"] == arm, "qids_sr16"].notna().sum()
        assert flow["stayed to the last visit", arm] + flow["left before the last visit", arm] == flow["allocated", arm]
    assert flow["randomised", "all"] == 40 == flow["allocated", "midazolam"] + flow["allocated", "ketamine"]
    assert flow["analysed: primary, mmrm", "all"] == trial.analysis["n_analysed"][0]


@pytest.mark.parametrize(("cell", "replicate", "told"), [(4, 0, "cell: must be one of 0 to 3"), (0, 500, "0 to 499")])
def test_a_trial_that_there_is_not(finished, cell, replicate, told):
    with pytest.raises(InputError, match=told):
        ts.trial(finished, replicate=replicate, cell=cell)


def test_other_estimates_than_the_stored_are_told(copied):
    unit, files = next(iter(find_parts(copied).items()))
    part = files["estimates"]
    content = part.read_bytes()
    other_part = find_parts(other(copied.with_name("other"), {"simulation.seed": 12}))[unit]["estimates"]
    part.unlink()
    (part.parent / other_part.name).write_bytes(other_part.read_bytes())
    assert content != other_part.read_bytes()
    assert ts.trial(copied, replicate=0, cell=0).as_stored is False
    (part.parent / other_part.name).unlink()
    assert ts.trial(copied, replicate=0, cell=0).as_stored is None


# Fits that failed or fell back ---------------------------------------------------------------------------------


def test_every_fit_that_did_not_go_as_asked_is_listed_with_its_trial(finished):
    listed = pd.read_csv(finished / "failures.csv")
    estimates = pd.read_parquet(finished / "estimates.parquet")
    unusual = estimates[estimates["status"] != 0]
    assert len(listed) == len(unusual) > 0
    keys = ["cell", "n", "estimand", "method", "replicate", "rung"]
    assert listed[keys].to_numpy().tolist() == unusual[keys].to_numpy().tolist()
    row = listed.iloc[0]
    assert row["command"] == f"trialsim trial FOLDER --cell {row['cell']} --replicate {row['replicate']}"
    analysis = ts.trial(finished, replicate=row["replicate"], cell=row["cell"]).analysis
    assert row["rung"] in list(analysis["rung"])


# Reproduced ----------------------------------------------------------------------------------------------------


def test_a_run_is_reproduced_to_the_bit(finished):
    found = ts.reproduce(finished, workers=1)
    assert found.same
    assert len(found.blocks) == 1  # 1 % of 4, at least one
    assert found.blocks[0].to_the_bit
    assert found.blocks[0].difference == 0.0
    assert found.files == len(json.loads((finished / "manifest.json").read_text())["checksums"])
    assert len(ts.reproduce(finished, share=1.0, workers=1).blocks) == 4
    choices = {ts.reproduce(finished, seed=seed, workers=1).blocks[0].block for seed in range(8)}
    assert len(choices) > 1


def test_a_damaged_file_and_a_part_from_elsewhere_are_not_reproduced(copied):
    summary = copied / "summary.csv"
    summary.write_bytes(summary.read_bytes().replace(b"primary", b"primarx", 1))
    found = ts.reproduce(copied, workers=1)
    assert not found.same
    assert found.damaged == {"summary.csv": "is not what was written there"}
    assert all(block.same for block in found.blocks)


def test_on_another_processor_numbers_may_differ_in_their_last_bits_only(copied, monkeypatch):
    elsewhere = '{"cpu_family": "another", "numpy": "2.0.0", "scipy": "1.13.0"}'
    monkeypatch.setattr(reproduce, "environment_text", lambda: elsewhere)
    found = ts.reproduce(copied, workers=1)
    assert not found.blocks[0].to_the_bit
    assert found.blocks[0].computed_with == json.loads(environment.environment_text())
    assert found.same
    columns = {"estimate": np.array([1.0, -2.0, np.nan]), "rung": np.array(["a", "b", "c"])}
    for factor, within in ((1 + 1e-12, True), (1 + 1e-8, False)):
        near = {**columns, "estimate": columns["estimate"] * factor}
        difference = largest_difference(columns, near)
        assert difference == pytest.approx(abs(factor - 1), rel=1e-3)
        again = reproduce.Again("block", False, difference, {})
        assert again.same is within
        assert not again._replace(to_the_bit=True).same
    assert largest_difference(columns, {**columns, "rung": np.array(["a", "b", "d"])}) == np.inf
    assert largest_difference(columns, {**columns, "estimate": np.array([1.0, -2.0, 0.0])}) == np.inf


def test_blocks_from_another_processor_are_told_and_stand_in_the_manifest(tmp_path, monkeypatch):
    elsewhere = '{"cpu_family": "another", "numpy": "2.0.0", "scipy": "1.13.0"}'
    resolved, told = resolve(BOUNDED, CHANGES), []
    with monkeypatch.context() as there:
        there.setattr("trialsim.engine.estimates.environment_text", lambda: elsewhere)
        execute(resolved, tmp_path / "run", replicates=250, workers=1)
    done = execute(resolved, tmp_path / "run", replicates=500, workers=1, tell=told.append)
    assert [note.kind for note in told] == ["environment"]
    assert "2 of 4 blocks were computed with cpu_family another, numpy 2.0.0" in told[0].text
    assert len(done.manifest["computed_with"]) == 2
    by_block = {block.block: block for block in ts.reproduce(tmp_path / "run", share=1.0, workers=1).blocks}
    assert [block.to_the_bit for _, block in sorted(by_block.items())] == [False, True, False, True]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_out_of_range(finished, share):
    with pytest.raises(InputError, match="share"):
        ts.reproduce(finished, share=share)


def test_a_manifest_that_was_changed_is_refused(copied):
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["scenario"]["scenario"]["dropout"]["missing_by"] = {"14": 0.31}
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RefusedError, match="does not hold together"):
        ts.reproduce(copied)


def test_a_run_of_another_version_says_which_to_install(copied):
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["trialsim"] = "0.0.9"
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RefusedError, match=r"Install trialsim 0\.0\.9"):
        open_folder(copied)
    assert ts.list_runs(copied)["state"].tolist() == ["other version"]


def test_files_of_another_schema_of_this_version_are_not_to_be_had_by_installing_it(copied):
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["schema"] = 3
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RefusedError, match=r"another file schema \(3; .*\)\. Run its scenario again"):
        open_folder(copied)


# Listed --------------------------------------------------------------------------------------------------------


def test_runs_are_listed_with_their_state(finished, tmp_path):
    for name in ("finished", "unfinished", "damaged", "cut"):
        shutil.copytree(finished, tmp_path / name)
    (tmp_path / "unfinished" / "run.json").unlink()
    next((tmp_path / "unfinished" / "parts").glob("estimates_variant0001_block000001*")).unlink()
    (tmp_path / "damaged" / "summary.csv").write_text("x")
    (tmp_path / "cut" / "manifest.json").write_text("{")
    (tmp_path / "no run").mkdir()
    found = ts.list_runs(tmp_path).assign(name=lambda frame: [path.name for path in frame["folder"]]).set_index("name")
    assert found["state"].to_dict() == {
        "finished": "finished",
        "unfinished": "unfinished",
        "damaged": "damaged",
        "cut": "damaged",
    }
    row = found.loc["unfinished"]
    assert (row["blocks_done"], row["blocks"], row["replicates"], row["title"]) == (3, 4, 500, BOUNDED["title"])
    assert "summary.csv" in found.loc["damaged", "note"]
    files = [path for path in (tmp_path / "finished").rglob("*") if path.is_file()]
    assert found.loc["finished", "bytes"] == sum(path.stat().st_size for path in files)


# Compared ------------------------------------------------------------------------------------------------------


def test_a_run_does_not_differ_from_itself(finished, copied):
    found = ts.diff(finished, copied)
    assert found.same_scenario
    assert found.changed.empty
    assert (found.power["difference"] == 0.0).all()
    assert (found.power["mcse"] == 0.0).all()


def test_what_differs_is_named_with_both_values(finished, tmp_path):
    b = other(tmp_path / "b", {"dropout.missing_by": {14: 0.1}, "title": "Fewer leave"}, replicates=250)
    found = ts.diff(finished, b)
    assert not found.same_scenario
    changed = {row.path: (row.a, row.b) for row in found.changed.itertuples()}
    assert changed["dropout.missing_by.14"] == (0.3, 0.1)
    assert changed["title"] == (BOUNDED["title"], "Fewer leave")
    assert changed["replicates"] == (500, 250)
    assert all(path.startswith(("dropout", "title", "replicates")) for path in changed)


def test_runs_that_share_their_draws_are_compared_in_pairs(finished, tmp_path):
    b = other(tmp_path / "b", {"dropout.missing_by": {14: 0.1}})
    power = ts.diff(finished, b).power
    frames = [pd.read_parquet(folder / "estimates.parquet") for folder in (finished, b)]
    for row in power.itertuples():
        cell = {16: 0, 40: 1}[row.n] + (2 if power.loc[row.Index, "effects.ketamine.specific_share"] == 0.5 else 0)
        own = [frame[(frame["cell"] == cell) & (frame["method"] == row.method)] for frame in frames]
        usable = (own[0]["status"].to_numpy() != 2) & (own[1]["status"].to_numpy() != 2)
        assert row.null_a == row.null_b
        found = [  # where there is nothing to find, rejections either way
            ((part["p"] <= 0.05) & ((part["estimate"] < 0) | row.null_a)).to_numpy().astype(float)[usable]
            for part in own
        ]
        apart = found[0] - found[1]
        assert row.difference == pytest.approx(apart.mean(), abs=1e-12)
        assert row.mcse == pytest.approx(apart.std(ddof=1) / np.sqrt(len(apart)), abs=1e-12)
        assert row.paired
    unpaired = np.hypot(power["mcse_a"], power["mcse_b"])
    assert (power["mcse"] < unpaired).all()


def test_runs_of_two_seeds_are_independent(finished, tmp_path):
    b = other(tmp_path / "b", {"simulation.seed": 12, "vary": {"effects.ketamine.specific_share": [0.5, 1]}})
    found = ts.diff(finished, b)
    assert len(found.power) == 4  # of the one value that both vary over
    assert not found.power["paired"].any()
    np.testing.assert_allclose(found.power["mcse"], np.hypot(found.power["mcse_a"], found.power["mcse_b"]))
    assert (found.found.only_a, found.found.only_b) == (4, 4)


# What a scenario's hash is of ----------------------------------------------------------------------------------


def test_words_and_replicates_are_no_part_of_the_hash():
    key = resolve(BOUNDED, CHANGES).hash
    same = (
        {"title": "Other words"},
        {"description": "More words"},
        {"simulation.replicates": 77},
        {"arms.ketamine.label": "Ketamine 0.5 mg/kg"},
        {"population.strata.bpd.label": "With BPD"},
        {"estimands.primary.label": "Depression"},
    )
    assert {resolve(BOUNDED, {**CHANGES, **change}).hash for change in same} == {key}
    others = ({"simulation.seed": 12}, {"sample_size": [16, 41]}, {"dropout.never_starts": 0.031})
    assert key not in {resolve(BOUNDED, {**CHANGES, **change}).hash for change in others}


def test_where_it_is_written_changes_nothing(finished, tmp_path):
    deep = tmp_path / "a folder with spaces" / "and more"
    execute(resolve(BOUNDED, CHANGES), deep, replicates=500, workers=1)
    for name in ("manifest.json", "estimates.parquet", "summary.csv", "failures.csv"):
        assert (deep / name).read_bytes() == (finished / name).read_bytes()
    assert yaml.safe_load((deep / "manifest.json").read_text())["scenario_hash"]
