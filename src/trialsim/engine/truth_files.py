"""The true values that a run folder keeps, a file for each variant: they do not change when the run grows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from trialsim.engine.environment import environment_text
from trialsim.engine.hypotheses import hypotheses
from trialsim.engine.parts import PARTS
from trialsim.engine.reading import read_json
from trialsim.engine.store import write_json
from trialsim.engine.truth import Truth, Truths, true_values
from trialsim.errors import RefusedError
from trialsim.scenario.resolved import Variant


class Kept(NamedTuple):
    """True values in a run folder, and with which versions and processor they were computed, as JSON."""

    truths: Truths
    environment: str


def path_of_truths(folder: Path, variant: Variant) -> Path:
    """Return the file of a variant's true values in a run folder."""
    return folder / PARTS / f"variant{variant.index:04d}_truths.json"


def truths_of(folder: Path, variant: Variant, key: str, *, again: bool = False) -> Truths:
    """Return the true values of a variant, found once in a run folder.

    Parameters
    ----------
    folder : Path
        The run folder.
    variant : Variant
    key : str
        Hash of the scenario.
    again : bool
        Compute what the folder does not hold, also where it was found elsewhere before.
    """
    kept = read_truths(folder, variant, key)
    if kept is not None:
        return kept.truths
    found = true_values(variant, again=again)
    content = {
        "scenario_hash": key,
        "environment": environment_text(),
        "true_values": [list(found[hypothesis]) for hypothesis in hypotheses(variant)],
    }
    write_json(path_of_truths(folder, variant), {**content, "sha256": _digest(content)})
    return found


def read_truths(folder: Path, variant: Variant, key: str) -> Kept | None:
    """Return true values found earlier; None where there are none, or the file is damaged or of another scenario.

    Parameters
    ----------
    folder : Path
        The run folder.
    variant : Variant
    key : str
        Hash of the scenario.
    """
    try:
        content = read_json(path_of_truths(folder, variant))
    except RefusedError:
        return None
    if content is None or content.pop("sha256", None) != _digest(content) or content.get("scenario_hash") != key:
        return None
    listed, pairs = hypotheses(variant), content["true_values"]
    if len(pairs) != len(listed):
        return None
    return Kept({h: Truth(*pair) for h, pair in zip(listed, pairs, strict=True)}, content["environment"])


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
