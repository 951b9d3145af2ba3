"""Every reference file at hand is copied, unchanged, into tests/oracle/data and read by a test.

The folder of reference files stands beside the project where they were made; elsewhere there is nothing to compare.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DATA = HERE / "data"
SHARED = Path(__file__).parents[3] / "shared" / "reference"
LATER = ("adaptive", "group_sequential", "timings")
"""Folders of sequential and adaptive designs, and of times: nothing of this project reads them."""

IN_PLACE = ("antidepressant.csv", "fev_data.csv")
"""Data of R packages, which are not part of this project: read where they are, never copied."""

FILES = sorted(
    path.relative_to(SHARED)
    for path in SHARED.rglob("*")
    if path.suffix in (".csv", ".json") and path.relative_to(SHARED).parts[0] not in LATER
)


def content(path: Path) -> Any:
    """Return the bytes of a table; of a JSON file what it says, but for where its table stands."""
    if path.suffix != ".json":
        return path.read_bytes()
    return {key: value for key, value in json.loads(path.read_text(encoding="utf-8")).items() if key != "csv"}


def readers() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.py")) if path != Path(__file__))


def is_named(file: Path, text: str) -> bool:
    """Whether test modules name a file: itself, or its folder and a pattern or prefix that takes it in."""
    if file.name in text or f'"{file.stem}"' in text:
        return True
    folder = f'"{file.parent}"' in text
    patterns = ("*.json", "m[01]*.json", "mm*.json", "pn*.json", "cr*.json", "rs*.json", "dunnett_data*.json")
    taken = [pattern for pattern in patterns if f'"{pattern}"' in text]
    return folder and any(Path(f"{file.stem}.json").match(pattern) for pattern in taken)


@pytest.mark.skipif(not SHARED.exists(), reason=f"no folder of reference files beside the project ({SHARED})")
class TestReferenceFiles:
    def test_there_are_some(self) -> None:
        assert len(FILES) > 80

    @pytest.mark.parametrize("file", [file for file in FILES if file.name not in IN_PLACE], ids=str)
    def test_is_copied_unchanged_and_read(self, file: Path) -> None:
        copy = DATA / file
        assert copy.exists(), f"copy {SHARED / file} to {copy} and compare it in a test"
        assert content(copy) == content(SHARED / file), f"{file} is not the reference file any more"
        assert is_named(file, readers()), f"no module of tests/oracle reads {file}"

    @pytest.mark.parametrize("name", IN_PLACE)
    def test_is_read_in_place_and_never_copied(self, name: str) -> None:
        assert (SHARED / name).exists()
        assert not list(DATA.rglob(name))
        assert name in readers()
