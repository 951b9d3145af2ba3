"""Run folders that hold anything: opened, run into, compared, merged; refused in words, and nothing is obeyed."""

from __future__ import annotations

import ast
import copy
import hashlib
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialsim as ts
from trialsim.cli.results import show_run
from trialsim.engine.manifest import damages, read_manifest
from trialsim.errors import RefusedError, TrialsimError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
SCENARIO = ts.load(ROOT / "scenarios" / "quick_start.yaml", settings={"simulation.replicates": 20, "sample_size": [40]})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run; read only."""
    folder = tmp_path_factory.mktemp("made") / "run"
    ts.run(SCENARIO, out=folder, workers=1)
    return folder


@pytest.fixture
def run_folder(made, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(made, tmp_path / "run")


def looked_into(made: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """Return what opens a run folder without computing much."""
    return {
        "open": lambda: ts.open_run(folder).power_table(),
        "answer": lambda: ts.open_run(folder).answer,
        "results": lambda: ts.open_run(folder).to_dict(),
        "diff": lambda: ts.diff(made, folder),
        "list": lambda: ts.list_runs(folder.parent),
    }


def merged(folder: Path) -> Callable[[], object]:
    """Return what merges a folder as the one shard of a run, and draws what comes of it."""
    return lambda: ts.merge([folder], folder.parent / "merged")


def refusal(act: Callable[[], object]) -> str | None:
    """Return the words of a refusal, None where there is none; anything but trialsim's own errors is passed on."""
    try:
        act()
    except TrialsimError as error:
        return str(error)
    return None


def inside(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a document, the first entries of lists only."""
    children = document.items() if isinstance(document, dict) else enumerate(document[:2])
    found = []
    for key, value in children:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += inside(value, (*path, key))
    return found


STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.sampled_from([10**30, 1e308, -0.0, "", "\x1b[2J", "../../x"]),
    st.sampled_from([[], {}, [[]], {"a": 1}, "2", "x" * 5000]),
)  # fmt: skip


@settings(max_examples=12)
@given(data=st.data(), value=STRANGE)
def test_a_strange_manifest(made, tmp_path_factory, data, value):
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from([path for path in inside(manifest) if len(path) < 5]))
    changed = copy.deepcopy(manifest)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    place = tmp_path_factory.mktemp("strange")
    folder = shutil.copytree(made, place / "run")
    (folder / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    for act in looked_into(made, folder).values():
        assert refusal(act) != ""


@pytest.mark.parametrize("name", ["answer", "results"])
@settings(max_examples=12)
@given(data=st.data(), value=STRANGE)
def test_a_strange_answer(made, tmp_path_factory, name, data, value):
    answer = json.loads((made / f"{name}.json").read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from(inside(answer)))
    place = answer
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    folder = shutil.copytree(made, tmp_path_factory.mktemp("strange") / "run")
    (folder / f"{name}.json").write_text(json.dumps(answer), encoding="utf-8")
    told = refusal(looked_into(made, folder)[name])
    assert told is None or f"{name}.json" in told


def test_an_answer_steers_no_terminal(run_folder, capsys):
    answer = (run_folder / "answer.json").read_text(encoding="utf-8")
    (run_folder / "answer.json").write_text(answer.replace("Power", "\\u001b[2J[red]Power"), encoding="utf-8")
    show_run(ts.open_run(run_folder), quiet=False, as_json=False)
    shown = capsys.readouterr().out
    assert "\x1b[2J" not in shown
    assert "\\x1b[2J[red]Power" in shown


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"nonsense", b"\xff\xfe", b'{"schema": NaN}', b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000],
)
def test_a_manifest_that_is_none(made, run_folder, content):
    (run_folder / "manifest.json").write_bytes(content)
    for name, act in {**looked_into(made, run_folder), "merge": merged(run_folder)}.items():
        assert name == "list" or "manifest.json" in refusal(act)
    assert "manifest.json" in refusal(lambda: ts.run(SCENARIO, out=run_folder, workers=1))


def test_replicates_that_would_fill_the_memory(run_folder):
    path = run_folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "replicates": 10**15}), encoding="utf-8")
    assert f"replicates is {10**15}" in refusal(lambda: ts.run(SCENARIO, out=run_folder, workers=1))


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "..\\..\\outside", "C:/x", "a/../../b"])
def test_checksums_lead_to_no_file_outside(run_folder, name):
    path = run_folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["checksums"][name] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(RefusedError, match="names no file of the folder"):
        read_manifest(run_folder)


def other_table(path: Path) -> None:
    """Write a table of other columns."""
    pq.write_table(pa.table({"a": [1, 2]}), path)


def junk(path: Path) -> None:
    """Write bytes that begin and end as Parquet does."""
    path.write_bytes(b"PAR1 junk" + pickle.dumps([1]) + b"PAR1")


def pipe(path: Path) -> None:
    """Put a named pipe there: who opens it waits for somebody to write."""
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    """Put a link to an endless device there."""
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("change", [other_table, junk, pipe, endless])
@pytest.mark.parametrize("name", ["summary.parquet", "estimates.parquet", "part", "run.json"])
def test_strange_files(made, run_folder, change, name):
    if change in (pipe, endless) and os.name != "posix":
        pytest.skip("pipes and devices are POSIX")
    change(next((run_folder / "parts").glob("estimates*")) if name == "part" else run_folder / name)
    for act in looked_into(made, run_folder).values():
        assert refusal(act) != ""
    if name == "part":
        assert "is damaged" in refusal(merged(run_folder))


def test_a_folder_that_was_damaged_is_made_whole_again(made, run_folder):
    junk(run_folder / "summary.parquet")
    other_table(next((run_folder / "parts").glob("estimates*")))
    ts.run(SCENARIO, out=run_folder, workers=1, verify=True)
    manifest = read_manifest(run_folder)
    assert damages(run_folder, manifest, read=True) == {}
    assert manifest == read_manifest(made)


def test_a_part_of_another_run_is_not_taken(made, run_folder, tmp_path):
    other = ts.load(
        ROOT / "scenarios" / "quick_start.yaml",
        settings={"simulation.replicates": 20, "sample_size": [40], "simulation.seed": 9},
    )
    ts.run(other, out=tmp_path / "other", workers=1)
    mine = next((run_folder / "parts").glob("estimates*"))
    theirs = next((tmp_path / "other" / "parts").glob("estimates*"))
    mine.unlink()
    shutil.copy(theirs, mine.with_name(theirs.name))
    (run_folder / "run.json").unlink()
    assert "of another scenario or block" in refusal(lambda: ts.run(SCENARIO, out=run_folder, workers=1))


def test_a_part_with_holes_is_not_taken(run_folder):
    """Its name holds the checksum of what it holds, and its rows and columns are as many as they should be."""
    mine = next((run_folder / "parts").glob("estimates*"))
    table = pq.read_table(mine)
    place = table.column_names.index("p")
    holed = pa.array([None, *table["p"].to_pylist()[1:]], table.schema.field(place).type)
    content = io.BytesIO()
    field = table.schema.field(place).with_nullable(True)
    pq.write_table(table.set_column(place, field, holed), content, use_dictionary=["rung"])
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    mine.with_name(f"{mine.stem.rpartition('_')[0]}_{digest}.parquet").write_bytes(content.getvalue())
    mine.unlink()
    (run_folder / "run.json").unlink()
    assert "(other columns)" in refusal(lambda: ts.run(SCENARIO, out=run_folder, workers=1))


class Payload:
    """Runs when it is unpickled."""

    def __reduce__(self):
        """Return what would be called."""
        return print, ("CODE WAS RUN",)


def test_pickles_in_a_run_folder_are_not_read(made, run_folder, capfd):
    """As an object array, and as the extension type whose reader once unpickled what it held."""
    import numpy as np

    payload = pickle.dumps(Payload())
    field = pa.field(
        "cell",
        pa.int32(),
        metadata={b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": payload},
    )
    for name in ("summary.parquet", "estimates.parquet"):
        pq.write_table(pa.table([pa.array([0], pa.int32())], schema=pa.schema([field])), run_folder / name)
    np.save(run_folder / "parts" / "guesses_variant0000_block000000_0000000000000000.npy", np.array([Payload()]))
    for act in looked_into(made, run_folder).values():
        assert refusal(act) != ""
    assert "CODE WAS RUN" not in capfd.readouterr().out


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_the_source_reads_no_pickle_and_runs_no_text(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN & {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "joblib.load", "pd.read_pickle")
            if called == "np.load":
                assert "allow_pickle=False" in ast.unparse(node)
