"""Run folders: the same bytes however they came about, whole parts only, and folders that are refused."""

import csv
import hashlib
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import trialsim as ts
from trials import BOUNDED, resolve, write
from trialsim.engine import estimates, merging
from trialsim.engine.execute import execute
from trialsim.engine.manifest import was_run
from trialsim.engine.store import write_atomically
from trialsim.errors import RefusedError

CHANGES = {
    "outcomes": {"qids_sr16": {}},
    "analysis": {"primary": [{"method": "mmrm"}, {"method": "ancova"}]},
    "dropout.missing_by": {14: 0.3},
    "vary": {"effects.ketamine.specific_share": [0, 0.5]},
    "simulation.replicates": 500,
}


def compute(folder, replicates, *, workers=1, changes=None):
    """Simulate without figures and report."""
    return execute(resolve(BOUNDED, {**CHANGES, **(changes or {})}), folder, replicates=replicates, workers=workers)


def digests(folder, leave_out=("run.json",)):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in leave_out
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 500 replicates by one worker; read only."""
    folder = tmp_path_factory.mktemp("run") / "run"
    compute(folder, 500)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """The same run, to be changed."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_only_a_finished_run_of_the_same_scenario_and_version_was_found_sound(copied, tmp_path):
    same = resolve(BOUNDED, {**CHANGES, "simulation.replicates": 250})
    assert was_run(copied, same)
    for other in ({"title": "Another"}, {"effects.ketamine.specific_share": 0.4}, {"sample_size": [30]}):
        assert not was_run(copied, resolve(BOUNDED, {**CHANGES, **other})), other
    manifest, run = copied / "manifest.json", copied / "run.json"
    written = manifest.read_text(encoding="utf-8")
    for strange in (written.replace('"trialsim": "', '"trialsim": "9.'), "nonsense", "{}", '{"scenario": 1}'):
        assert strange != written
        manifest.write_text(strange, encoding="utf-8")
        assert not was_run(copied, same), strange[:20]
    manifest.write_text(written, encoding="utf-8")
    assert was_run(copied, same)
    run.write_text(run.read_text(encoding="utf-8").replace('"finished": true', '"finished": false'), encoding="utf-8")
    assert not was_run(copied, same)
    assert not was_run(tmp_path / "nowhere", same)


def test_everything_but_run_json_is_the_same_for_any_number_of_workers(tmp_path):
    # The whole of it: results, figures and report.
    path = write(tmp_path, BOUNDED, CHANGES)
    runs = {workers: ts.run(path, out=tmp_path / str(workers), workers=workers) for workers in (1, 2, 4)}
    one = digests(runs[1].folder)
    assert {"summary.parquet", "summary.csv", "estimates.parquet", "report.html", "manifest.json"} <= set(one)
    assert {f"figures/power_curves.{kind}" for kind in ("png", "svg", "csv")} <= set(one)
    assert sum(name.startswith("parts/") and name.endswith(".parquet") for name in one) == 4
    for workers in (2, 4):
        assert digests(runs[workers].folder) == one
        assert json.loads((runs[workers].folder / "run.json").read_text())["sessions"][0]["workers"] == workers


def test_a_replicate_is_the_same_in_a_longer_run(finished, tmp_path):
    compute(tmp_path / "long", 1000, workers=2)
    short, long = (pd.read_parquet(folder / "estimates.parquet") for folder in (finished, tmp_path / "long"))
    keys = ["cell", "estimand", "method", "replicate"]
    kept = long[long["replicate"] < 500].reset_index(drop=True)
    pd.testing.assert_frame_equal(short, kept, check_exact=True)
    assert (long.groupby(keys[:-1], observed=True)["replicate"].count() == 1000).all()
    row = long[(long["replicate"] == 37) & (long["cell"] == 2)]
    pd.testing.assert_frame_equal(
        row.reset_index(drop=True), short[(short["replicate"] == 37) & (short["cell"] == 2)].reset_index(drop=True)
    )


def test_an_extended_run_keeps_its_parts_and_equals_a_run_in_one_go(finished, copied, tmp_path):
    old = digests(finished / "parts")
    execution = compute(copied, 700)
    assert execution.units_computed == 2
    new = digests(copied / "parts")
    assert {name: new[name] for name in old} == old
    compute(tmp_path / "at once", 700)
    assert digests(copied) == digests(tmp_path / "at once")


def test_surplus_replicates_of_the_last_block_are_left_out(tmp_path):
    compute(tmp_path / "run", 7)
    estimates = pd.read_parquet(tmp_path / "run" / "estimates.parquet")
    assert sorted(estimates["replicate"].unique()) == list(range(7))
    assert pd.read_parquet(tmp_path / "run" / "summary.parquet")["replicates"].eq(7).all()


def test_estimates_are_in_the_order_of_cells_hypotheses_and_replicates(finished):
    estimates = pd.read_parquet(finished / "estimates.parquet")
    assert len(estimates) == 4 * 2 * 500
    assert estimates["cell"].is_monotonic_increasing
    groups = estimates.groupby(["cell", "method"], observed=True)["replicate"]
    assert groups.apply(lambda r: list(r) == list(range(500))).all()
    summary = pd.read_parquet(finished / "summary.parquet")
    assert list(summary["cell"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(summary["n"]) == [40, 40, 60, 60, 40, 40, 60, 60]


def test_parquet_says_that_no_estimate_has_holes(finished):
    for path in [finished / "estimates.parquet", *(finished / "parts").glob("estimates_*.parquet")]:
        assert [field.name for field in pq.read_schema(path) if field.nullable] == []


def test_a_merge_that_fails_leaves_no_half_of_its_estimates(copied, monkeypatch):
    before = digests(copied)
    (copied / "estimates.parquet").unlink()

    def broken(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(merging, "summarise_family", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        compute(copied, 500)
    assert digests(copied).keys() == before.keys() - {"estimates.parquet"}
    monkeypatch.undo()
    compute(copied, 500)
    assert digests(copied) == before


@pytest.mark.parametrize(
    ("place", "name"),
    [(pq.ParquetWriter, "write_table"), (estimates, "sync_rename")],
    ids=["while they are written", "as they are flushed"],
)
def test_estimates_that_cannot_be_written_are_told(place, name, copied, monkeypatch):
    (copied / "estimates.parquet").unlink()

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(place, name, full)
    with pytest.raises(OSError, match="the disk is full"):
        compute(copied, 500)
    assert list(copied.glob("*estimates.parquet*")) == []


def test_the_summary_is_worked_out_from_the_estimates(finished):
    summary = pd.read_parquet(finished / "summary.parquet")
    estimates = pd.read_parquet(finished / "estimates.parquet")
    for _, row in summary.iterrows():
        own = estimates[(estimates["cell"] == row["cell"]) & (estimates["method"] == row["method"])]
        usable = own[own["status"] < 2]
        assert row["power"] == pytest.approx(((usable["p"] <= 0.05) & (usable["estimate"] < 0)).mean(), abs=1e-12)
        assert row["bias"] == pytest.approx(usable["estimate"].mean() - row["true_value"], abs=1e-12)
        assert (row["converged"], row["fell_back"], row["failed"]) == tuple(
            (own["status"] == s).sum() for s in range(3)
        )
    assert list(summary["null"]) == [True] * 4 + [False] * 4
    assert summary.loc[summary["null"], "type_i_error"].notna().all()
    assert summary.loc[~summary["null"], "type_i_error"].isna().all()


def test_summary_csv_has_every_digit(finished):
    with open(finished / "summary.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    parquet = pd.read_parquet(finished / "summary.parquet")
    assert list(rows[0]) == list(parquet.columns)
    for column in ("power", "bias", "empirical_se", "coverage"):
        assert [float(row[column]) for row in rows] == list(parquet[column])


def test_an_interrupted_run_goes_on_where_it_stopped(finished, copied):
    part = next((copied / "parts").glob("estimates_variant0001_block000000_*.parquet"))
    part.unlink()
    for name in ("run.json", "summary.parquet", "estimates.parquet"):
        (copied / name).unlink()
    for place in (copied, copied / "parts"):
        (place / f".{part.name}.1.tmp").write_bytes(b"half a file")
    told = []
    execution = execute(resolve(BOUNDED, CHANGES), copied, replicates=500, workers=1, tell=told.append)
    assert execution.units_computed == 1
    assert [note.kind for note in told] == ["removed", "removed"]
    assert digests(copied) == digests(finished)


def test_a_finished_run_asked_for_again_computes_nothing(finished, copied):
    times = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    execution = compute_only(copied, 500)
    assert execution.done_before
    assert execution.units_computed == 0
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == times


def compute_only(folder, replicates, changes=None):
    return execute(resolve(BOUNDED, {**CHANGES, **(changes or {})}), folder, replicates=replicates, workers=1)


def refused(folder, match, replicates=500, changes=None):
    before = digests(folder) if folder.is_dir() else folder.read_bytes()
    with pytest.raises(RefusedError, match=match):
        compute_only(folder, replicates, changes)
    assert (digests(folder) if folder.is_dir() else folder.read_bytes()) == before


def test_another_scenarios_folder_is_refused(copied):
    refused(copied, "another scenario", changes={"dropout.missing_by": {14: 0.31}})


def test_another_seed_is_another_scenario(copied):
    refused(copied, "another scenario", changes={"simulation.seed": 12})


def test_another_title_is_the_same_scenario(copied):
    again = compute_only(copied, 500, {"title": "Other words"})
    assert again.units_computed == 0
    assert again.manifest["title"] == "Other words"


def test_fewer_replicates_take_nothing_back(copied):
    before = digests(copied)
    again = compute_only(copied, 250)
    assert again.units_computed == 0
    assert again.manifest["replicates"] == 500
    assert digests(copied) == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    refused(tmp_path, "not a trialsim run")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "is a file")


def test_a_damaged_manifest_is_refused(copied):
    (copied / "manifest.json").write_text("{", encoding="utf-8")
    refused(copied, "cannot be read")
    (copied / "manifest.json").write_text("[1]", encoding="utf-8")
    refused(copied, "not what trialsim writes")


@pytest.mark.parametrize("key", ["trialsim", "seed_scheme", "schema"])
def test_another_versions_folder_is_refused(copied, key):
    manifest = json.loads((copied / "manifest.json").read_text(encoding="utf-8"))
    manifest[key] = "0.0.1"
    (copied / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    refused(copied, "another (version of trialsim|seed scheme|file schema)")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")

    def half(target):
        target.write_text("ne", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, half)
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text(encoding="utf-8") == "old"


def test_global_generators_are_left_alone(tmp_path):
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = (np.random.get_state()[1].copy(), random.getstate())  # noqa: NPY002
    compute(tmp_path / "run", 10)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]


def test_a_trial_of_a_shorter_run_is_the_same_trial_of_a_longer_one(finished, tmp_path):
    """Surplus replicates of the last block are left out, and none is put in another's place."""
    compute(tmp_path / "run", 300)
    short, long = (pd.read_parquet(folder / "estimates.parquet") for folder in (tmp_path / "run", finished))
    assert short["replicate"].tolist() == list(range(300)) * 8  # two variants, two sizes, two analyses
    pd.testing.assert_frame_equal(short, long[long["replicate"] < 300].reset_index(drop=True))


def test_progress_is_told_from_nothing_to_all(tmp_path):
    told = []
    execute(
        resolve(BOUNDED, CHANGES), tmp_path / "run", replicates=300, workers=1, progress=lambda *at: told.append(at)
    )
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_true_values_are_found_once_and_kept_with_the_scenario_they_are_of(tmp_path, monkeypatch):
    changes = {"estimands.primary.endpoint": "response", "analysis": {}, "vary": {}}
    compute(tmp_path / "run", 250, changes=changes)
    before = pd.read_parquet(tmp_path / "run" / "summary.parquet")
    assert before["true_value_se"].iloc[0] > 0
    monkeypatch.setattr("trialsim.engine.truth_files.true_values", lambda *_, **__: pytest.fail("found a second time"))
    compute(tmp_path / "run", 500, changes=changes)
    after = pd.read_parquet(tmp_path / "run" / "summary.parquet")
    np.testing.assert_array_equal(before["true_value"], after["true_value"])
    kept = json.loads((tmp_path / "run" / "parts" / "variant0000_truths.json").read_text())
    assert kept["true_values"][0][0] == before["true_value"].iloc[0]
