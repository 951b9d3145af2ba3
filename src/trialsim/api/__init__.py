"""What Python users import: load a scenario, run it, look at its patients and results, analyse real data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.api import formula
    from trialsim.api.assurances import Assured, assurance
    from trialsim.api.clinic import clinical_effects
    from trialsim.api.cohorts import cohort, plot_cohort
    from trialsim.api.comparisons import Compared, compare
    from trialsim.api.finished import Run, open_run
    from trialsim.api.operating import OperationsResult, simulate_operations
    from trialsim.api.real_data import analyse
    from trialsim.api.repeated_measures import MmrmResult, mmrm
    from trialsim.api.replays import ReplayResult, replay, replayable
    from trialsim.api.run_folders import RunDifference, Trial, diff, list_runs, reproduce, trial
    from trialsim.api.runs import load, run
    from trialsim.api.sensitivities import (
        Sensitivity,
        attribute,
        design_tipping_point,
        heat_map,
        sensitivity,
        worst_type_i_error,
    )
    from trialsim.api.shards import merge
    from trialsim.api.sizes import Sized, SizeTable, detectable_effect, required_sample_size, required_sample_sizes
    from trialsim.api.tipping import TippingPoint, tipping_point

__all__ = [
    "Assured",
    "Compared",
    "MmrmResult",
    "OperationsResult",
    "ReplayResult",
    "Run",
    "RunDifference",
    "Sensitivity",
    "SizeTable",
    "Sized",
    "TippingPoint",
    "Trial",
    "analyse",
    "assurance",
    "attribute",
    "clinical_effects",
    "cohort",
    "compare",
    "design_tipping_point",
    "detectable_effect",
    "diff",
    "formula",
    "heat_map",
    "list_runs",
    "load",
    "merge",
    "mmrm",
    "open_run",
    "plot_cohort",
    "replay",
    "replayable",
    "reproduce",
    "required_sample_size",
    "required_sample_sizes",
    "run",
    "sensitivity",
    "simulate_operations",
    "tipping_point",
    "trial",
    "worst_type_i_error",
]

_HOME = {
    "analyse": "real_data",
    "clinical_effects": "clinic",
    "Assured": "assurances",
    "assurance": "assurances",
    "cohort": "cohorts",
    "plot_cohort": "cohorts",
    "Compared": "comparisons",
    "compare": "comparisons",
    "OperationsResult": "operating",
    "simulate_operations": "operating",
    "MmrmResult": "repeated_measures",
    "mmrm": "repeated_measures",
    "ReplayResult": "replays",
    "replay": "replays",
    "replayable": "replays",
    "RunDifference": "run_folders",
    "Trial": "run_folders",
    "diff": "run_folders",
    "reproduce": "run_folders",
    "list_runs": "run_folders",
    "trial": "run_folders",
    "Run": "finished",
    "load": "runs",
    "open_run": "finished",
    "run": "runs",
    "merge": "shards",
    "SizeTable": "sizes",
    "Sensitivity": "sensitivities",
    "attribute": "sensitivities",
    "design_tipping_point": "sensitivities",
    "heat_map": "sensitivities",
    "sensitivity": "sensitivities",
    "worst_type_i_error": "sensitivities",
    "Sized": "sizes",
    "detectable_effect": "sizes",
    "required_sample_size": "sizes",
    "required_sample_sizes": "sizes",
    "TippingPoint": "tipping",
    "tipping_point": "tipping",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name == "formula":
        return import_module(f"{__name__}.formula")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
