"""What Python users import: load a scenario, run it, look at its patients and results, analyse real data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.api import formula
    from trialsim.api.cohorts import cohort, plot_cohort
    from trialsim.api.operating import OperationsResult, simulate_operations
    from trialsim.api.real_data import analyse
    from trialsim.api.repeated_measures import MmrmResult, mmrm
    from trialsim.api.replays import ReplayResult, replay, replayable
    from trialsim.api.runs import Run, load, open_run, run
    from trialsim.api.sizes import Sized, detectable_effect, required_sample_size
    from trialsim.api.tipping import TippingPoint, tipping_point

__all__ = [
    "MmrmResult",
    "OperationsResult",
    "ReplayResult",
    "Run",
    "Sized",
    "TippingPoint",
    "analyse",
    "cohort",
    "detectable_effect",
    "formula",
    "load",
    "mmrm",
    "open_run",
    "plot_cohort",
    "replay",
    "replayable",
    "required_sample_size",
    "run",
    "simulate_operations",
    "tipping_point",
]

_HOME = {
    "analyse": "real_data",
    "cohort": "cohorts",
    "plot_cohort": "cohorts",
    "OperationsResult": "operating",
    "simulate_operations": "operating",
    "MmrmResult": "repeated_measures",
    "mmrm": "repeated_measures",
    "ReplayResult": "replays",
    "replay": "replays",
    "replayable": "replays",
    "Run": "runs",
    "load": "runs",
    "open_run": "runs",
    "run": "runs",
    "Sized": "sizes",
    "detectable_effect": "sizes",
    "required_sample_size": "sizes",
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
