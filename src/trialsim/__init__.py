"""Synthetic patients, randomised designs and the power they have.

The public names are loaded when first used, so that `import trialsim` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialsim._version import __version__

if TYPE_CHECKING:
    from trialsim.api import Assured as Assured
    from trialsim.api import Compared as Compared
    from trialsim.api import MmrmResult as MmrmResult
    from trialsim.api import OperationsResult as OperationsResult
    from trialsim.api import ReplayResult as ReplayResult
    from trialsim.api import Run as Run
    from trialsim.api import RunDifference as RunDifference
    from trialsim.api import Sensitivity as Sensitivity
    from trialsim.api import Sized as Sized
    from trialsim.api import SizeTable as SizeTable
    from trialsim.api import TippingPoint as TippingPoint
    from trialsim.api import Trial as Trial
    from trialsim.api import analyse as analyse
    from trialsim.api import assurance as assurance
    from trialsim.api import attribute as attribute
    from trialsim.api import clinical_effects as clinical_effects
    from trialsim.api import cohort as cohort
    from trialsim.api import compare as compare
    from trialsim.api import design_tipping_point as design_tipping_point
    from trialsim.api import detectable_effect as detectable_effect
    from trialsim.api import diff as diff
    from trialsim.api import formula as formula
    from trialsim.api import heat_map as heat_map
    from trialsim.api import list_runs as list_runs
    from trialsim.api import load as load
    from trialsim.api import merge as merge
    from trialsim.api import mmrm as mmrm
    from trialsim.api import open_run as open_run
    from trialsim.api import plot_cohort as plot_cohort
    from trialsim.api import replay as replay
    from trialsim.api import replayable as replayable
    from trialsim.api import reproduce as reproduce
    from trialsim.api import required_sample_size as required_sample_size
    from trialsim.api import required_sample_sizes as required_sample_sizes
    from trialsim.api import run as run
    from trialsim.api import sensitivity as sensitivity
    from trialsim.api import simulate_operations as simulate_operations
    from trialsim.api import tipping_point as tipping_point
    from trialsim.api import trial as trial
    from trialsim.api import worst_type_i_error as worst_type_i_error

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
    "__version__",
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


def __getattr__(name: str) -> object:
    if name in __all__:
        from trialsim import api

        return getattr(api, name)
    raise AttributeError(f"module 'trialsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
