"""Mixed models with a random group effect, in all arms or in some, batched over replicates."""

from trialsim.kernels.nested.fit import NestedFit, Reason, fit_nested
from trialsim.kernels.nested.statistics import GroupStatistics, group_statistics

__all__ = ["GroupStatistics", "NestedFit", "Reason", "fit_nested", "group_statistics"]
