"""The Python interface: load, run, open, look."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialsim as ts
from trials import BOUNDED, write
from trialsim.errors import InputError, RefusedError

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "simulation.replicates": 20,
    "outcomes": {"qids_sr16": {}},
    "vary": {"effects.ketamine.specific_share": [0, 1]},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    return ts.run(write(folder, BOUNDED, SMALL), out=folder / "out", workers=1)


def test_a_run_gives_its_results(done):
    assert done.computed
    assert len(done.summary) == 4
    assert len(done.estimates()) == 80
    assert list(done.estimates(["p"]).columns) == ["p"]
    assert done.report.is_file()
    assert done.manifest["replicates"] == 20
    assert done.plot_power().axes
    assert done.plot_heatmap().axes
    assert done.power_table() is not None


@pytest.mark.parametrize("name", ["answer.json", "results.json"])
def test_a_finished_run_without_an_answer_is_given_one(name, done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "out")
    answer, manifest = folder / name, folder / "manifest.json"
    told, listed = answer.read_bytes(), manifest.read_bytes()
    answer.unlink()
    content = json.loads(listed)
    del content["checksums"][name]
    manifest.write_text(json.dumps(content), encoding="utf-8")
    opened = ts.open_run(folder)
    assert opened.answer == done.answer  # from the tables
    assert {**opened.to_dict(), "folder": str(done.folder)} == done.to_dict()
    assert not answer.exists()
    assert not ts.run(write(tmp_path, BOUNDED, SMALL), out=folder, workers=1).computed
    assert (answer.read_bytes(), manifest.read_bytes()) == (told, listed)


@pytest.mark.parametrize("name", ["answer.json", "results.json"])
def test_what_is_shown_at_once_is_compared_with_its_checksum(name, done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "out")
    sound = (folder / name).read_bytes()
    (folder / name).write_bytes(sound.replace(b"1", b"9"))
    told = []
    again = ts.run(write(tmp_path, BOUNDED, SMALL), out=folder, workers=1, tell=told.append)
    assert f"{name} is not what was written there. It is made again." in told[0].text
    assert (folder / name).read_bytes() == sound
    assert (again.answer, again.computed) == (done.answer, False)


def test_a_manifest_that_is_lost_or_damaged_is_refused_with_a_remedy_that_loses_nothing(done, tmp_path):
    folder = shutil.copytree(done.folder, tmp_path / "out")
    manifest, scenario = folder / "manifest.json", write(tmp_path, BOUNDED, SMALL)
    sound = manifest.read_bytes()
    for content in (sound[:500], None):
        manifest.unlink()
        if content is not None:
            manifest.write_bytes(content)
        with pytest.raises(RefusedError, match=r"(?i)bring (it|the file) back, or name another folder with --out"):
            ts.run(scenario, out=folder, workers=1)
    manifest.write_bytes(sound)
    assert not ts.run(scenario, out=folder, workers=1).computed


def test_a_run_as_json_has_every_digit_of_its_tables(done):
    told = json.loads(json.dumps(done.to_dict(), allow_nan=False))
    assert list(told) == ["folder", "scenario_hash", "summary", "twins", "notes"]
    for name in ("summary", "twins"):
        frame = getattr(done, name)
        rows = pd.DataFrame(told[name], columns=frame.columns)
        for column in frame.select_dtypes("number"):
            np.testing.assert_array_equal(rows[column].to_numpy(float), frame[column].to_numpy(float))


def test_what_no_scores_can_have_is_told_before_anything_is_written(done, tmp_path):
    """Also where the folder holds a finished run, whose own scenario is not tried again."""
    baseline = {"qids_sr16": {"mean": 18, "sd": 4}, "rare": {"mean": 0.02, "sd": 0.15}}
    settings = {
        "outcomes": {"qids_sr16": {}, "rare": {"scale": {"min": 0, "max": 2, "step": 1}, "post_sd": 0.15}},
        "outcomes.rare.baseline_correlation": 0.1,
        "population.strata.bpd.baseline": baseline,
        "population.strata.no_bpd.baseline": baseline,
        "effects.ketamine.points": {"qids_sr16": -3, "rare": 0},
        "course.control_change.rare": 0,
        "covariance.outcomes": [{"pair": ["qids_sr16", "rare"], "baseline": 0.9, "later": 0.2}],
    }
    for folder in (tmp_path / "new", done.folder):
        with pytest.raises(InputError, match=r"cannot be 0\.9 on these scales"):
            ts.run(ROOT / "scenarios" / "quick_start.yaml", out=folder, settings=settings, workers=1)
    assert not (tmp_path / "new").exists()


def test_running_again_and_opening_give_the_same(done):
    again = ts.run(write(done.folder.parent, BOUNDED, SMALL), out=done.folder, workers=1)
    assert not again.computed
    opened = ts.open_run(done.folder)
    for other in (again, opened):
        pd.testing.assert_frame_equal(other.summary, done.summary)
        assert other.manifest == done.manifest


def test_settings_replace_values_of_the_file(tmp_path):
    scenario = ts.load(write(tmp_path, BOUNDED, SMALL), settings={"sample_size": [44]})
    run = ts.run(scenario, out=tmp_path / "out", workers=1)
    assert set(run.summary["n"]) == {44}
    with pytest.raises(TypeError, match="settings go with a file"):
        ts.run(scenario, out=tmp_path / "out", settings={"sample_size": [4]})


def test_replicates_and_seed_may_be_given_for_a_file_or_a_scenario(tmp_path):
    path = write(tmp_path, BOUNDED, {**SMALL, "vary": {}, "sample_size": [44]})
    by_file = ts.run(path, out=tmp_path / "file", replicates=10, seed=5, workers=1)
    loaded = ts.run(ts.load(path), out=tmp_path / "loaded", replicates=10, seed=5, workers=1)
    assert by_file.manifest["replicates"] == 10
    pd.testing.assert_frame_equal(by_file.estimates(), loaded.estimates())
    for given in (path, ts.load(path)):
        with pytest.raises(InputError, match=r"^replicates=0: simulation\.replicates: must be at least 1"):
            ts.run(given, out=tmp_path / "none", replicates=0)


def test_a_folder_without_a_run_cannot_be_opened(tmp_path):
    with pytest.raises(RefusedError, match="does not hold a trialsim run"):
        ts.open_run(tmp_path)


def test_an_unfinished_run_says_so(done, tmp_path):
    (tmp_path / "manifest.json").write_bytes((done.folder / "manifest.json").read_bytes())
    with pytest.raises(RefusedError, match="not finished"):
        ts.open_run(tmp_path)


def test_a_cohort_is_one_row_per_patient_and_day(tmp_path):
    scenario = ts.load(write(tmp_path, BOUNDED))
    table = ts.cohort(scenario, n=30)
    assert len(table) == 30 * 4
    assert list(table["day"][:4]) == [0.0, 3.0, 7.0, 14.0]
    assert set(table["arm"]) == {"midazolam", "ketamine"}
    assert table.groupby("patient")["arm"].nunique().eq(1).all()
    assert table.loc[~table["present"], ["qids_sr16", "madrs", "bsl23"]].isna().all(axis=None)
    assert table.loc[table["present"], ["qids_sr16", "madrs", "bsl23"]].notna().all(axis=None)


def test_a_smaller_cohort_is_the_beginning_of_the_larger(tmp_path):
    scenario = ts.load(write(tmp_path, BOUNDED))
    pd.testing.assert_frame_equal(ts.cohort(scenario, n=20), ts.cohort(scenario, n=60)[: 20 * 4])
    assert not np.array_equal(ts.cohort(scenario, n=20)["madrs"], ts.cohort(scenario, n=20, replicate=1)["madrs"])


def test_a_cohort_of_nobody_is_refused(tmp_path):
    with pytest.raises(InputError, match="1 or more"):
        ts.cohort(ts.load(write(tmp_path, BOUNDED)), n=0)


@pytest.mark.parametrize("potential_outcomes", [False, True])
def test_more_patients_than_the_memory_has_room_for_are_refused(tmp_path, monkeypatch, potential_outcomes):
    monkeypatch.setattr("trialsim.engine.needs.memory_of_machine", lambda: 1_000_000_000)
    given = ts.load(write(tmp_path, BOUNDED))
    with pytest.raises(InputError, match=r"n: 50,000 patients need about .* of 1 GB memory, since all 250 trials"):
        ts.cohort(given, n=50_000, potential_outcomes=potential_outcomes)
    assert len(ts.cohort(given, n=50, potential_outcomes=potential_outcomes))


def test_the_public_names():
    assert set(ts.__all__) <= set(dir(ts))
    for name in ts.__all__:
        assert getattr(ts, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'power'"):
        _ = ts.power


def test_a_cohort_of_a_file_is_that_of_the_scenario_loaded(tmp_path):
    path = write(tmp_path, BOUNDED, SMALL)
    loaded = ts.load(path)
    pd.testing.assert_frame_equal(ts.cohort(str(path), n=8), ts.cohort(loaded, n=8))
    pd.testing.assert_frame_equal(
        ts.cohort(path, n=np.int64(8), settings={"simulation.seed": 5}),
        ts.cohort(ts.load(path, settings={"simulation.seed": 5}), n=8),
    )
    figures = ts.plot_cohort(path, n=40)
    assert set(figures) == set(ts.plot_cohort(loaded, n=40))
    with pytest.raises(TypeError, match="settings go with a file"):
        ts.cohort(loaded, settings={"sample_size": [4]})


@pytest.mark.parametrize("wrong", ["many", 2.5, True, 0, -3])
def test_a_number_of_patients_that_is_none_is_refused(tmp_path, wrong):
    path = write(tmp_path, BOUNDED, SMALL)
    for asked in (ts.cohort, ts.plot_cohort):
        with pytest.raises(InputError, match=f"n: must be a whole number, 1 or more; got {wrong!r}"):
            asked(path, n=wrong)
    with pytest.raises(InputError, match="replicate: must be a whole number, 0 or more; got -1"):
        ts.cohort(path, n=8, replicate=-1)


def test_runs_of_a_folder_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder; name one that run folders lie in"):
        ts.list_runs(tmp_path / "nowhere")
