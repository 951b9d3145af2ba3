"""The closed forms by name: `ts.formula.two_sample_t(difference=3, sd=6, power=0.9)`.

A formula is loaded when it is first used. docs/concepts/closed_forms.md says which one answers which question.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialsim.planning.formulas import Answer

FORMULAS = "trialsim.planning.formulas"
"""The package that holds them."""

SUBJECTS: MappingProxyType[str, tuple[tuple[str, tuple[str, ...]], ...]] = MappingProxyType(
    {
        "Means": (
            ("means", ("two_sample_t", "welch_t", "two_sample_z", "one_sample_t", "paired_t", "mean_ratio_t")),
            ("ancova", ("ancova",)),
        ),
        "Margins": (
            ("equivalence", ("noninferiority_means", "equivalence_means")),
            ("proportions", ("farrington_manning",)),
        ),
        "Repeated measures": (
            ("longitudinal", ("mmrm", "variance_inflation")),
            ("slopes", ("slope_difference", "estimating_equation")),
        ),
        "Proportions": (("proportions", ("two_proportions", "arcsine_proportions", "odds_ratio")),),
        "Time to an event": (("survival", ("logrank_events", "logrank")),),
        "Several arms": (("factorial", ("two_by_two", "one_way")),),
        "Groups of patients": (
            (
                "clustered",
                (
                    "cluster_randomised_means",
                    "cluster_randomised_proportions",
                    "cluster_size_for_means",
                    "design_effect",
                ),
            ),
            ("partial_nesting", ("partially_nested", "partially_nested_arm", "level_if_groups_ignored")),
        ),
        "Ranks": (("ranks", ("mann_whitney", "signed_rank", "sign_test", "probability_of_superiority")),),
        "Uncertain effects": (
            ("assurance", ("assurance", "assurance_limit")),
            ("pilot", ("assurance_after_pilot",)),
        ),
        "Tables and correlations": (("association", ("correlation_test", "chi_square_test")),),
        "Placebo response": (("parallel_comparison", ("sequential_parallel",)),),
    }
)
"""Formulas by subject: module and functions."""

MODULES: MappingProxyType[str, str] = MappingProxyType(
    {name: module for parts in SUBJECTS.values() for module, names in parts for name in names}
)
"""The module of each formula."""

__all__ = [*MODULES]


def __getattr__(name: str) -> Callable[..., Answer | float]:
    """Load a formula when it is first asked for."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The function of a module of the same name is the one that is meant.
    found: Any = getattr(import_module(f"{FORMULAS}.{MODULES[name]}"), name)
    return found  # type: ignore[no-any-return]


def __dir__() -> list[str]:
    return [*MODULES]
