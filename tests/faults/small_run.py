"""A run small enough to be killed often, and the bytes of a run folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from trials import BOUNDED

TIMES = ("run.json", "run.lock")
"""Files of a run folder that may differ between runs of one scenario."""

SMALL = {
    **BOUNDED,
    "title": "A run that is disturbed",
    "outcomes": {"qids_sr16": {}},
    "dropout": {"model": "mar", "missing_by": {14: 0.3}},
    "analysis": {"primary": [{"method": "mmrm"}, {"method": "ancova"}]},
    "sample_size": [18, 40],
    "vary": {"effects.ketamine.specific_share": [0, 0.5]},
    "simulation": {"replicates": 1000, "seed": 11},
}
"""Two varied values, two sizes, two analyses; some fits fall back."""


def write_scenario(folder: Path) -> Path:
    """Return the small scenario as a file in a folder."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL, sort_keys=False), encoding="utf-8")
    return path


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a run folder, but those that hold times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TIMES
    }
