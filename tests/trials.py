"""Small scenarios for tests, and what their simulation gives."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from trialsim import scenario
from trialsim.analysis.contract import Observed
from trialsim.api import Run, open_run
from trialsim.engine.block import compute_block
from trialsim.engine.execute import execute
from trialsim.streams import BLOCK_SIZE

CONTINUOUS: dict[str, Any] = {
    "schema": 1,
    "title": "One score on the real line",
    "population": {"strata": {"all": {"share": 1.0, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}}}},
    "outcomes": {
        "score": {
            "scale": "continuous",
            "lower_is_better": True,
            "label": "Score",
            "post_sd": 5.0,
            "baseline_correlation": 0.5,
        }
    },
    "schedule": {"visits": [3, 7, 14]},
    "arms": {"control": {}, "active": {}},
    "allocation": {"block_sizes": [4], "stratify_by": []},
    "course": {"means": {"score": {"control": [18.0, 16.0, 15.0], "active": [18.0, 16.0, 15.0]}}},
    "covariance": {"visits": {"structure": "ar1", "rho": 0.7}},
    "estimands": {"primary": {"outcome": "score", "visit": 14, "contrast": ["active", "control"]}},
    "analysis": {"primary": [{"method": "mmrm"}, {"method": "ancova"}]},
    "sample_size": [80],
    "simulation": {"replicates": 250, "seed": 20230419},
}
"""Two arms without a difference, complete data; analysed by MMRM and by ANCOVA."""

BOUNDED: dict[str, Any] = {
    "schema": 1,
    "title": "Two groups, three scales",
    "population": {
        "strata": {
            "bpd": {"share": 0.5, "baseline": "defaults.trd_bpd"},
            "no_bpd": {"share": 0.5, "baseline": "defaults.trd_no_bpd"},
        }
    },
    "outcomes": {"qids_sr16": {}, "madrs": {}, "bsl23": {}},
    "schedule": {"infusions": [0, 3, 7, 10], "visits": [3, 7, 14]},
    "arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine"}},
    "effects": {"ketamine": {"open_label_change": "danayan2023", "specific_share": 0.34}},
    "dropout": {"model": "mar", "missing_by": {14: 0.1}, "never_starts": 0.03},
    "estimands": {"primary": {"outcome": "qids_sr16", "visit": 14, "contrast": ["ketamine", "midazolam"]}},
    "sample_size": [40, 60],
    "simulation": {"replicates": 250, "seed": 11},
}
"""The follow-up trial in small."""


def changed(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a scenario with values put at dotted paths; None takes a key away."""
    new = copy.deepcopy(dict(document))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = new
        for key in parents:
            place = place.setdefault(key, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return new


def resolve(document: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> scenario.Resolved:
    """Return a scenario, with changes, resolved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(yaml.safe_dump(changed(document, changes or {}), sort_keys=False), encoding="utf-8")
        return scenario.resolve(scenario.load(path))


def write(folder: Path, document: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Path:
    """Write a scenario, with changes, to a file and return its path."""
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(changed(document, changes or {}), sort_keys=False), encoding="utf-8")
    return path


def simulate(
    document: Mapping[str, Any], changes: Mapping[str, Any] | None = None, *, replicates: int
) -> list[dict[str, np.ndarray]]:
    """Return estimate, se, df, p, status and share_missing of each analysis at the largest size, whole blocks."""
    resolved = resolve(document, changes)
    variant = resolved.variants[0]
    blocks = [compute_block(variant, resolved.hash, resolved.seed, b) for b in range(-(-replicates // BLOCK_SIZE))]
    n_hypotheses = sum(len(estimand.analyses) for estimand in variant.estimands)
    results = []
    for h in range(len(blocks[0]) - n_hypotheses, len(blocks[0])):
        columns = {
            name: np.concatenate([getattr(block[h].estimates, name) for block in blocks])
            for name in ("estimate", "se", "df", "p", "status", "n_analysed")
        }
        columns["share_missing"] = np.concatenate([block[h].share_missing for block in blocks])
        results.append(columns)
    return results


def observed(scores, *, baseline=None, arm=None, stratum=None, n_arms=2, n_strata=1) -> Observed:
    """Return a block of trials with one outcome as the analyst sees it; arms alternate by default."""
    scores = np.asarray(scores, dtype=float)
    n_replicates, n_participants, _ = scores.shape
    shape = (n_replicates, n_participants)
    if arm is None:
        arm = np.broadcast_to(np.arange(n_participants) % n_arms, shape)
    if stratum is None:
        stratum = np.zeros(shape, dtype=np.intp)
    if baseline is None:
        baseline = np.random.default_rng(1).normal(20.0, 4.0, shape)
    return Observed(
        np.asarray(arm), np.asarray(stratum), n_arms, n_strata, np.asarray(baseline)[..., None], scores[..., None]
    )


def simulated(file: Path | scenario.Scenario, folder: Path, **settings: Any) -> Run:
    """Return a run as the command makes it, without figures and report, which take longer than a small simulation."""
    loaded = file if isinstance(file, scenario.Scenario) else scenario.load(file, settings=settings)
    resolved = scenario.resolve(loaded)
    execute(resolved, folder, replicates=resolved.replicates)
    return open_run(folder)
