"""The mixed model for repeated measures, batched over replicates."""

from trialsim.kernels.mmrm.design import Design
from trialsim.kernels.mmrm.fit import FAILED, MmrmFit, fit_mmrm
from trialsim.kernels.mmrm.statistics import PatternStatistics, pattern_statistics
from trialsim.kernels.mmrm.structures import LADDER, STRUCTURES

__all__ = [
    "FAILED",
    "LADDER",
    "STRUCTURES",
    "Design",
    "MmrmFit",
    "PatternStatistics",
    "fit_mmrm",
    "pattern_statistics",
]
