"""Parts, results and drawings that were cut, flipped or deleted are found, told and made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import trialsim as ts
from faults.small_run import SMALL, digests
from trials import write
from trialsim.engine import truth_cache
from trialsim.engine.execute import execute
from trialsim.scenario import load, resolve


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


def delete(path: Path) -> None:
    path.unlink()


HARMS = {"cut in half": cut, "emptied": empty, "one bit flipped": flip, "deleted": delete}


@pytest.fixture
def copied(plain, tmp_path):
    shutil.copytree(plain, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def again(scenario, copied):
    """Ask for the run again; return what was done and the lines that were told."""
    resolved = resolve(load(scenario))

    def ask(**options):
        told = []
        done = execute(resolved, copied, replicates=1000, workers=1, tell=told.append, **options)
        return done, [note.text for note in told]

    return ask


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_part_is_found_and_computed_again(harm, copied, again, plain_bytes, record):
    (copied / "run.json").unlink()  # as a run that was stopped before its end
    part = next((copied / "parts").glob("estimates_variant0001_block000002_*"))
    HARMS[harm](part)
    done, told = again()
    assert done.units_computed == 1
    assert [part.name in line for line in told] == ([] if harm == "deleted" else [True])
    assert digests(copied) == plain_bytes
    record(f"a part {harm}", how="of a run that is not finished", times=1, computed_again="its block")


@pytest.mark.parametrize("harm", HARMS)
def test_verify_finds_a_damaged_part_of_a_finished_run(harm, copied, again, plain_bytes, record):
    part = next((copied / "parts").glob("estimates_variant0000_block000001_*"))
    HARMS[harm](part)
    done, told = again(verify=True)
    assert done.units_computed == 1
    assert part.name in told[0]
    assert digests(copied) == plain_bytes
    record(f"a part of a finished run {harm}", how="then --verify", times=1, computed_again="its block")


@pytest.mark.parametrize("name", ["summary.parquet", "estimates.parquet", "summary.csv", "failures.csv"])
@pytest.mark.parametrize("harm", ["cut in half", "deleted"])
def test_a_damaged_result_is_found_without_reading_everything(harm, name, copied, again, plain_bytes, record):
    HARMS[harm](copied / name)
    done, told = again()
    assert done.units_computed == 0
    assert not done.done_before
    assert name in told[0]
    assert digests(copied) == plain_bytes
    record(f"a result {harm}", how="summary, estimates or the list of failures", times=4, computed_again="no block")


def test_a_flipped_bit_in_a_result_is_found_by_verify(copied, again, plain_bytes, record):
    flip(copied / "summary.parquet")
    done, told = again()
    assert done.done_before  # of full length: the manifest is trusted
    assert not told
    done, told = again(verify=True)
    assert "summary.parquet" in told[0]
    assert digests(copied) == plain_bytes
    record("a result one bit flipped", how="the summary, then --verify", times=1, computed_again="no block")


def test_a_deleted_drawing_is_drawn_again_and_nothing_else_is_done(scenario, whole, whole_bytes, tmp_path, record):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    before = (folder / "run.json").read_bytes()
    (folder / "report.html").unlink()
    shutil.rmtree(folder / "figures")
    made = ts.run(scenario, out=folder, workers=1)
    assert not made.computed
    assert digests(folder) == whole_bytes
    assert (folder / "run.json").read_bytes() == before
    record("report and figures deleted", how="the command given again", times=1, computed_again="no block")


@pytest.mark.parametrize("harm", ["cut in half", "one bit flipped", "deleted"])
def test_damaged_true_values_are_found_again(harm, copied, again, plain_bytes, record):
    HARMS[harm](copied / "parts" / "variant0001_truths.json")
    (copied / "summary.csv").unlink()
    again()
    assert digests(copied) == plain_bytes
    record(f"stored true values {harm}", how="a file of parts/", times=1, computed_again="the true values")


@pytest.mark.parametrize("harm", HARMS)
def test_damaged_true_values_of_the_cache_folder_are_found_again(harm, tmp_path, monkeypatch, record):
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path / "cache"))
    responses = resolve(load(write(tmp_path, SMALL, {"estimands.primary.endpoint": "response", "analysis": {}})))
    execute(responses, tmp_path / "first", replicates=250, workers=1)
    kept = list((tmp_path / "cache" / "truths").iterdir())
    assert len(kept) == 2  # one for each varied value

    for path in kept:
        HARMS[harm](path)
    monkeypatch.setattr(truth_cache, "_found", {})
    execute(responses, tmp_path / "second", replicates=250, workers=1)
    assert digests(tmp_path / "second") == digests(tmp_path / "first")
    record(
        f"true values in the cache folder {harm}", how="another run folder", times=1, computed_again="the true values"
    )


@pytest.mark.parametrize("harm", ["cut in half", "emptied", "deleted"])
def test_a_damaged_run_json_costs_the_times_only(harm, copied, again, plain_bytes, record):
    HARMS[harm](copied / "run.json")
    done, _ = again()
    assert done.units_computed == 0
    assert digests(copied) == plain_bytes
    how = "the command given again"
    record(f"run.json {harm}", how=how, times=1, computed_again="no block", lost="times of earlier sessions")
