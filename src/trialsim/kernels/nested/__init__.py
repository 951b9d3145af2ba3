"""Mixed models with random effects of groups, patients or both, batched over replicates."""

from trialsim.kernels.nested.fit import NestedFit, Reason, fit_nested
from trialsim.kernels.nested.longitudinal import LongitudinalFit, fit_longitudinal
from trialsim.kernels.nested.statistics import GroupStatistics, group_statistics
from trialsim.kernels.nested.trajectories import LongitudinalStatistics
from trialsim.kernels.nested.visit_patterns import longitudinal_statistics

__all__ = [
    "GroupStatistics",
    "LongitudinalFit",
    "LongitudinalStatistics",
    "NestedFit",
    "Reason",
    "fit_longitudinal",
    "fit_nested",
    "group_statistics",
    "longitudinal_statistics",
]
