"""Anything given to a reader is read or refused in words; nothing else happens, and it happens soon."""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trialsim import api
from trialsim.errors import InputError, TrialsimError
from trialsim.scenario import load, resolve

ROOT = Path(__file__).resolve().parents[2]
SOUND = (ROOT / "scenarios" / "quick_start.yaml").read_text(encoding="utf-8")
PLANNED = api.load(ROOT / "scenarios" / "self_harm.yaml")
DATA = api.cohort(PLANNED, n=6).to_csv(index=False)

PIECES = st.sampled_from(
    ["&a", "*a", "!!python/object/apply:os.system [x]", "<<: ", "[", "]", "{", "}", "- ", "? ", "| \n", ".nan", ".inf",
     "1e999", "-1e308", "9" * 400, "0x" + "f" * 90, "~", "\t", "\n---\n", '"\\e[2J"', "null", "'", "%YAML 9.9\n"]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A sound text with a few pieces replaced, removed or doubled."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.one_of(PIECES, st.text(max_size=20), st.just(text[start:end] * 2)))
        text = text[:start] + piece + text[end:]
    return text


def refusal(read: Callable[[], object]) -> str | None:
    """Return the words in which an input is refused, None where it is read; anything else is passed on."""
    try:
        read()
    except TrialsimError as error:
        return str(error)
    return None


def of_scenario(path: Path) -> str | None:
    """Return what load and resolve say against a file."""
    return refusal(lambda: resolve(load(path)))


@settings(max_examples=100)
@given(content=damaged(SOUND))
@example(content=SOUND.replace("-3}", "-1e308}"))
@example(content=SOUND.replace("share: 0.5", "share: 1e-300"))
def test_damaged_scenarios(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    assert of_scenario(path) != ""


@given(content=st.binary(max_size=400))
def test_bytes_as_a_scenario(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    assert of_scenario(path) != ""


@pytest.mark.parametrize("value", ["1e308", "-1e308", "18446744073709551616", "5e-324", "-0.0"])
def test_extreme_numbers_at_every_number(tmp_path, value):
    """Every number of the scenario in turn; what is accepted can also be resolved."""
    path = tmp_path / "s.yaml"
    places = [i for i, character in enumerate(SOUND) if character in string.digits and SOUND[i - 1] in " [:-"]
    assert len(places) > 10
    for place in places:
        end = place + len(SOUND[place:]) - len(SOUND[place:].lstrip("0123456789."))
        path.write_text(SOUND[:place] + value + SOUND[end:], encoding="utf-8")
        assert of_scenario(path) != ""


def test_bombs_do_not_go_off(tmp_path):
    layers = "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 30))
    path = tmp_path / "bomb.yaml"
    for text in ("k0: &k0 [x]\n" + layers, "a: " + "[" * 400_000, "a: " + "{a: " * 100_000, "- " * 300_000):
        path.write_text(text, encoding="utf-8")
        assert of_scenario(path)


@settings(max_examples=60)
@given(content=damaged(DATA))
@example(content=DATA.replace("\n1,", "\n,", 1))
@example(content=DATA.replace("\n", "\n\x00", 3))
@example(content=DATA.replace("\n", "\r", 5))
@example(content="patient,arm,day\n")
@example(content="")
def test_damaged_data(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert refusal(lambda: api.analyse(path, PLANNED)) != ""


def test_a_patient_without_a_name_is_told(tmp_path):
    frame = pd.read_csv(pd.io.common.StringIO(DATA), dtype={"patient": object})
    frame.loc[2, "patient"] = None
    frame.to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(InputError, match=r"d\.csv:4: patient: is empty; every row names its patient"):
        api.analyse(tmp_path / "d.csv", PLANNED)


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:9/d.csv", "file:///etc/passwd", "s3://bucket/d.csv", "ftp://127.0.0.1/d.csv"]
)
def test_an_address_is_not_followed(name):
    with pytest.raises(InputError, match="there is no such file"):
        api.analyse(name, PLANNED)


def test_an_archive_is_not_unpacked(tmp_path):
    pd.DataFrame({"patient": [1] * 1000}).to_csv(tmp_path / "d.csv.gz", index=False)
    with pytest.raises(InputError, match="is not a readable CSV file"):
        api.analyse(tmp_path / "d.csv.gz", PLANNED)


@pytest.mark.parametrize("reader", ["scenario", "data"])
def test_a_file_of_a_gigabyte(tmp_path, reader):
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(1_000_000_000)  # sparse: no room is taken
    with pytest.raises(InputError, match=r"too large to be a (scenario|CSV file): more than [0-9,]+ bytes"):
        load(path) if reader == "scenario" else api.analyse(path, PLANNED)


@pytest.mark.skipif(os.name != "posix", reason="named pipes and devices are POSIX")
def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "named pipe"), (Path("/dev/zero"), "device")):
        with pytest.raises(InputError, match=f"is a {kind}, not a file"):
            load(path)
        with pytest.raises(InputError, match=f"is a {kind}, not a file"):
            api.analyse(path, PLANNED)


def test_a_column_given_twice_is_told(tmp_path):
    (tmp_path / "d.csv").write_text(DATA.replace("day", "arm", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"d\.csv:1: arm: two columns have this name; keep one"):
        api.analyse(tmp_path / "d.csv", PLANNED)


def test_a_million_columns(tmp_path):
    (tmp_path / "d.csv").write_text("," * 999_998 + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="999,999 columns; at most 1,000 are read"):
        api.analyse(tmp_path / "d.csv", PLANNED)


def test_long_values_are_cut_in_messages(tmp_path):
    (tmp_path / "d.csv").write_text(DATA.replace(",dbt,", "," + "x" * 5000 + ","), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        api.analyse(tmp_path / "d.csv", PLANNED)
    assert len(max(str(raised.value).splitlines(), key=len)) < 400
