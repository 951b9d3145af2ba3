"""The helper that compares can fail, and notes what it compared in the unit of the allowance."""

from __future__ import annotations

import json

import numpy as np
import pytest

from oracle import comparison
from oracle.comparison import FOLDER_VARIABLE, Reference, numbers_of, pytest_sessionfinish, release

R = Reference("kind", "source")


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    """Keep these comparisons off the page."""
    monkeypatch.setattr(comparison, "NOTED", {})
    return comparison.NOTED


@pytest.mark.parametrize(
    ("theirs", "ours", "allowed"),
    [
        (1.0, 1.0 + 2e-6, {"relative": 1e-6}),
        (0.0, 1e-300, {"relative": 1e-6}),
        (1e-9, 3e-9, {"relative": 1e-6, "absolute": 1e-9}),
        (1.0, 1.3, {"absolute": 0.1, "unit": ("SE", 2.0)}),
        (1.0, 1.0 + 1e-15, {}),
        ([1.0, 2.0], [1.0, 2.1], {"absolute": 0.01}),
        ([1.0, 2.0], 1.0, {"absolute": 2.0}),
        (1.0, np.nan, {"absolute": np.inf}),
        (np.nan, np.nan, {"absolute": 1.0}),
        (np.nan, 1.0, {"absolute": 1.0, "undefined": True}),
        (np.inf, 1.0, {"absolute": 1.0}),
        (np.inf, -np.inf, {"relative": 1.0}),
        (None, None, {"absolute": 1.0, "undefined": True}),
        (True, False, {}),
    ],
)
def test_what_is_further_off_than_allowed_fails(theirs, ours, allowed):
    with pytest.raises(AssertionError):
        R.close("case", "quantity", theirs, ours, **allowed)


def test_above_by_more_than_the_slack_fails():
    R.at_most("case", "−2 log-likelihood", 10.0, 9.0, slack=1e-6)
    with pytest.raises(AssertionError, match="ours"):
        R.at_most("case", "−2 log-likelihood", 10.0, 10.1, slack=1e-6)
    with pytest.raises(AssertionError):
        R.at_most("case", "−2 log-likelihood", 10.0, np.nan, slack=1e-6)


def test_what_is_near_enough_is_noted_by_its_largest_difference(noted):
    R.close("case", "estimate", [2.0, 4.0], [2.0, 4.0 + 4e-7], relative=1e-6)
    R.close("case", "estimate", 1.0, 1.0 + 5e-7, relative=1e-6)
    R.close("case", "estimate", 5.0, 5.2, absolute=0.5, unit=("SE", 2.0))
    R.same("case", "limits", [np.inf, np.nan], [np.inf, np.nan], undefined=True)
    relative, scaled, equal = noted.values()
    assert (relative.numbers, relative.theirs, relative.ours) == (3, 2.0, 2.0)
    assert relative.difference == pytest.approx(5e-7, rel=1e-6)
    assert (scaled.allowed, scaled.difference) == ("0.5 SE", pytest.approx(0.1))
    assert (equal.allowed, equal.difference) == ("equal", 0.0)


def test_notes_are_written_where_a_folder_is_named(tmp_path, monkeypatch):
    R.same("case", "n", 3, 3)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    pytest_sessionfinish()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    pytest_sessionfinish()
    (path,) = tmp_path.iterdir()
    (note,) = json.loads(path.read_text(encoding="utf-8"))
    assert (note["kind"], note["case"], note["numbers"], note["ours"]) == ("kind", "case", 1, 3.0)
    assert "test_notes_are_written" in note["test"]


def test_releases_are_read_from_the_reference_file(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"versions": {"R": "4.2.2", "mmrm": "0.3.18"}}', encoding="utf-8")
    assert release(path, "mmrm") == "mmrm 0.3.18 (R 4.2.2)"
    assert release(path, base="glm") == "glm (R 4.2.2)"
    with pytest.raises(AssertionError, match="not numbers"):
        numbers_of([1.0, None])
