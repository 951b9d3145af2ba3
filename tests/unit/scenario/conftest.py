"""A small sound scenario, and helpers that change one thing in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trialsim import scenario
from trialsim.errors import Fault, InputError

BASE = """\
schema: 1
title: A test
population:
  strata:
    bpd: {share: 0.5, baseline: defaults.trd_bpd}
    no_bpd: {share: 0.5, baseline: defaults.trd_no_bpd}
outcomes:
  qids_sr16: {}
  madrs: {}
schedule: {infusions: [0, 3, 7, 10], visits: [3, 7, 10, 14]}
arms:
  midazolam: {infusion: midazolam}
  ketamine: {infusion: ketamine}
allocation: {ratio: [1, 1], block_sizes: [4, 6]}
effects:
  ketamine: {points: {qids_sr16: -2.0, madrs: -5.0}}
dropout: {model: mar, missing_by: {14: 0.07}, never_starts: 0.03}
estimands:
  primary: {outcome: qids_sr16, visit: 14, contrast: [ketamine, midazolam]}
analysis:
  primary: {method: mmrm}
sample_size: [80, 120]
simulation: {replicates: 10, seed: 7}
"""


def changed(*changes: tuple[str, str]) -> str:
    """Return the sound scenario with pieces of its text replaced."""
    text = BASE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a scenario file and returns its path."""

    def write_file(*changes: tuple[str, str], text: str | None = None) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(changed(*changes) if text is None else text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def resolved(write: Callable[..., Path]) -> Callable[..., scenario.Resolved]:
    """Return a function that loads and resolves the sound scenario with changes."""

    def resolve_changed(*changes: tuple[str, str], settings: dict[str, object] | None = None) -> scenario.Resolved:
        return scenario.resolve(scenario.load(write(*changes), settings=settings or {}))

    return resolve_changed


@pytest.fixture
def faults(write: Callable[..., Path]) -> Callable[..., list[str]]:
    """Return a function that gives the faults of a changed scenario as `line:column: path: message`."""

    def told(
        *changes: tuple[str, str], text: str | None = None, settings: dict[str, object] | None = None
    ) -> list[str]:
        path = write(*changes, text=text)
        with pytest.raises(InputError) as caught:
            scenario.resolve(scenario.load(path, settings=settings or {}))
        return [_without_file(fault, path) for fault in caught.value.faults]

    return told


def _without_file(fault: Fault, path: Path) -> str:
    return str(fault).removeprefix(f"{path}:").strip()
