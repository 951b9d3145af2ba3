"""Shards of a run: computed apart, put together to the same bytes, refused where they do not belong together."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import ROOT, content_of

TIMES = ("run.json", "run.lock")
SCENARIO = str(ROOT / "scenarios" / "quick_start.yaml")
VARIED = {"effects.ketamine.points.qids_sr16": [-3, 0]}
SMALL = ("--replicates", "1000", "--set", "sample_size=[40]", "--set", f"vary={json.dumps(VARIED)}")


def compute(command, out, *arguments):
    """Compute into a folder by one worker."""
    return command("run", SCENARIO, *SMALL, "--workers", "1", "--out", str(out), *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A whole run, and the same in three shards; read only."""
    import trialsim as ts

    place = tmp_path_factory.mktemp("made")
    scenario = ts.load(
        SCENARIO,
        settings={
            "simulation.replicates": 1000,
            "sample_size": [40],
            "vary": VARIED,
        },
    )
    ts.run(scenario, out=place / "whole", workers=1)
    for k in (1, 2, 3):
        ts.run(scenario, out=place / f"s{k}", workers=1, shard=f"{k}/3")
    return place


@pytest.fixture
def shards(made, tmp_path):
    """The three shards, to be changed."""
    return [str(shutil.copytree(made / f"s{k}", tmp_path / f"s{k}")) for k in (1, 2, 3)]


def lasting(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that do not hold times."""
    return {name: content for name, content in content_of(folder).items() if name not in TIMES}


def test_the_whole_is_the_same_bytes(command, made, shards, tmp_path):
    done = command("merge", *shards[::-1], "--out", str(tmp_path / "x"))
    assert "1,000 simulated trials per cell" in done.stdout
    assert lasting(tmp_path / "x") == lasting(made / "whole")
    assert not (Path(shards[0]) / "summary.csv").exists()


def test_a_merged_run_can_be_extended_and_is_finished(command, made, shards, tmp_path):
    out = str(tmp_path / "x")
    command("merge", *shards, "--out", out, "--quiet")
    events = [json.loads(line) for line in compute(command, out, "--json").stderr.splitlines()]
    assert events[-1]["event"] == "finished"
    assert events[-1]["computed"] is False


def test_shards_have_folders_of_their_own_and_say_what_comes_next(command, tmp_path):
    done = command("run", SCENARIO, *SMALL, "--workers", "1", "--shard", "2/3")
    assert done.stdout == (
        "The shard is done: outputs/quick_start_shard_2_of_3. When all are: trialsim merge SHARD... --out FOLDER\n"
    )


def test_a_missing_shard_is_named(command, shards, tmp_path):
    told = command("merge", shards[0], shards[2], "--out", str(tmp_path / "x"), code=4).stderr
    assert "3 of 8 blocks are missing, so nothing was written. They are of shard 2/3" in told
    assert not (tmp_path / "x").exists()


def test_an_unfinished_shard_is_named(command, shards, tmp_path):
    next((Path(shards[1]) / "parts").glob("estimates*")).unlink()
    told = command("merge", *shards, "--out", str(tmp_path / "x"), code=4).stderr
    assert "1 of 8 blocks is missing, so nothing was written. It is of shard 2/3: run or finish it" in told


def test_a_damaged_part_is_named_and_its_shard_repairs_it(command, made, shards, tmp_path):
    part = next((Path(shards[1]) / "parts").glob("estimates*"))
    part.write_bytes(part.read_bytes()[:-1])
    told = command("merge", *shards, "--out", str(tmp_path / "x"), code=4).stderr
    assert f"{part} is damaged" in told
    assert "Nothing was written. Give the command of that shard again" in told
    assert not (tmp_path / "x").exists()
    compute(command, shards[1], "--shard", "2/3")
    command("merge", *shards, "--out", str(tmp_path / "x"))
    assert lasting(tmp_path / "x") == lasting(made / "whole")


def test_overlapping_shards_are_taken_once_and_told(command, made, shards, tmp_path):
    compute(command, shards[0], "--shard", "2/3")
    done = command("merge", *shards, "--out", str(tmp_path / "x"), "--json")
    notes = [event for event in map(json.loads, done.stderr.splitlines()) if event["event"] == "note"]
    assert [(note["kind"], note["text"][:42]) for note in notes] == [
        ("overlap", "3 blocks are in more than one of the folde")
    ]
    assert lasting(tmp_path / "x") == lasting(made / "whole")


def test_a_sound_copy_is_taken_where_another_is_damaged(command, made, shards, tmp_path):
    compute(command, shards[0], "--shard", "2/3")
    part = min((Path(shards[1]) / "parts").glob("estimates*"))
    bad = Path(shards[0]) / "parts" / part.name
    bad.write_bytes(part.read_bytes()[:-1])
    told = command("merge", *shards, "--out", str(tmp_path / "x")).stderr
    assert f"{bad} is damaged: it is not what was written there. The block of {shards[1]} is taken." in told
    assert "2 blocks are in more than one of the folders, with the same content" in told
    assert lasting(tmp_path / "x") == lasting(made / "whole")


def test_the_whole_is_not_put_into_a_shard(command, shards, tmp_path):
    before = content_of(tmp_path)
    for out in (shards[1], f"{shards[1]}/whole"):
        told = command("merge", *shards, "--out", out, code=4).stderr
        assert f"{shards[1]} is one of the shards, which stay as they are" in told
        assert "Name another folder with --out." in told
    assert content_of(tmp_path) == before


def test_shards_are_not_merged_into_a_longer_run(command, made, shards, tmp_path):
    longer = shutil.copytree(made / "whole", tmp_path / "longer")
    arguments = (*SMALL[2:], "--workers", "1", "--extend", "1001", "--quiet")
    command("run", SCENARIO, *arguments, "--out", str(longer))
    before = content_of(longer)
    told = command("merge", *shards, "--out", str(longer), code=4).stderr
    assert "holds a run of 1,001 simulated trials per cell, more than the 1,000 of these shards" in told
    assert content_of(longer) == before


def test_a_finished_run_is_not_made_a_shard(command, made, tmp_path):
    whole = shutil.copytree(made / "whole", tmp_path / "whole")
    before = content_of(whole)
    for more in ((), ("--extend", "2000")):
        told = command(
            "run", SCENARIO, *(SMALL[2:] if more else SMALL), "--out", str(whole), "--shard", "1/4", *more, code=4
        ).stderr
        assert "holds a finished run of 1,000 simulated trials per cell" in told
        assert "Name another folder for the shard with --out" in told
    assert content_of(whole) == before


def test_what_asks_a_shard_for_results_is_told_to_merge(command, made):
    told = command("diff", str(made / "s2"), str(made / "whole"), code=4).stderr
    assert "s2 holds shard 2/3 of a run. Put all of its shards together first: trialsim merge SHARD..." in told


def test_an_empty_shard_is_told(command, tmp_path):
    arguments = ("--out", str(tmp_path / "x"), "--shard", "3/3", "--set", "vary={}", "--replicates", "500")
    told = command("run", SCENARIO, "--set", "sample_size=[40]", "--workers", "1", *arguments)
    assert "This run has 2 blocks: shard 3/3 is empty, and the whole does not need it." in told.stderr


def test_shards_are_listed_as_such(command, made, shards, tmp_path):
    next((Path(shards[2]) / "parts").glob("estimates*")).unlink()
    told = {words[0]: " ".join(words) for words in map(str.split, command("runs", str(tmp_path)).stdout.splitlines())}
    assert "shard 1/3, done " in told[shards[0]]
    assert "shard 3/3, unfinished, 1 of 2 blocks" in told[shards[2]]
    listed = {Path(row["folder"]).name: row for row in json.loads(command("runs", str(made), "--json").stdout)}
    assert (listed["s2"]["state"], listed["s2"]["shard"], listed["s2"]["blocks_done"]) == ("shard", "2/3", 3)
    assert (listed["whole"]["state"], listed["whole"]["shard"], listed["whole"]["blocks"]) == ("finished", "", 8)


def test_shards_that_disagree_are_refused(command, shards, tmp_path):
    compute(command, shards[0], "--shard", "2/3")
    theirs = {path.name for path in (Path(shards[1]) / "parts").iterdir()}
    mine = next(path for path in sorted((Path(shards[0]) / "parts").glob("estimates*")) if path.name in theirs)
    other = mine.read_bytes() + b" "
    name = f"{mine.stem.rpartition('_')[0]}_{hashlib.sha256(other).hexdigest()[:16]}.parquet"
    mine.with_name(name).write_bytes(other)
    mine.unlink()
    told = command("merge", *shards, "--out", str(tmp_path / "x"), code=4).stderr
    assert "and not with the same results" in told
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--seed", "5"), "is of another scenario"),
        (("--replicates", "500"), "is of another number of replicates (500)"),
        (("--replicates", "500"), "its own --shard K/N and --extend 1000; then merge again"),
    ],
)
def test_shards_of_other_runs_are_refused(command, shards, tmp_path, change, words):
    compute(command, tmp_path / "other", "--shard", "2/3", *change)
    told = command("merge", shards[0], str(tmp_path / "other"), "--out", str(tmp_path / "x"), code=4).stderr
    assert words in told
    assert "not shards of one run" in told


def test_shards_of_another_version_are_refused(command, shards, tmp_path):
    path = Path(shards[1]) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "trialsim": "0.0.1"}), encoding="utf-8")
    told = command("merge", *shards, "--out", str(tmp_path / "x"), code=4).stderr
    assert "s2 is of another version of trialsim (0.0.1)" in told


def test_what_is_no_shard_is_refused(command, shards, tmp_path):
    out = ("--out", str(tmp_path / "x"))
    assert "nowhere does not hold a shard of a run" in command("merge", shards[0], "nowhere", *out, code=4).stderr
    assert "is given twice" in command("merge", shards[0], f"{shards[0]}/../s1", *out, code=4).stderr
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "mine.txt").write_text("mine")
    assert "are not a trialsim run" in command("merge", *shards, "--out", str(tmp_path / "y"), code=4).stderr
    assert [path.name for path in (tmp_path / "y").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", "9999999/9999999", "1/100001"])
def test_what_is_no_shard_number(command, shard):
    told = command("run", SCENARIO, "--shard", shard, code=2).stderr
    assert "is no shard; write which one of how many, such as 3/20. There may be up to 100,000" in told
