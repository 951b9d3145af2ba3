"""Every row of docs/reliability.md names a test that there is."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["faults", "hostile"])
def test_every_row_names_a_test(name):
    rows = json.loads((ROOT / "docs" / "reliability" / f"{name}.json").read_text(encoding="utf-8"))
    assert len(rows) > 10
    for row in rows:
        file, _, test = row["test"].partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row["test"]
