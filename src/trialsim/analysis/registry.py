"""Which analysis a scenario's method name stands for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from trialsim.analysis.ancova import analyse_ancova
from trialsim.analysis.contract import Estimates, Observed
from trialsim.analysis.mmrm import analyse_clda, analyse_mmrm
from trialsim.analysis.reference_based import analyse_reference_based
from trialsim.analysis.two_arms import analyse_t_test
from trialsim.scenario.resolved import Analysis, Estimand

Analyse = Callable[[Observed, Estimand, Analysis, tuple[int, ...]], list[Estimates]]

METHODS: MappingProxyType[str, Analyse] = MappingProxyType(
    {
        "mmrm": analyse_mmrm,
        "clda": analyse_clda,
        "ancova": analyse_ancova,
        "t_test": analyse_t_test,
        "welch": analyse_t_test,
        "reference_based": analyse_reference_based,
    }
)
"""Methods by name; each analyses the first n participants of every trial of a block, for each n."""
