"""Missing scores as the estimand asks: reference-based imputation, delta adjustment, endpoints without imputation."""

from trialsim.kernels.imputation.conditional_mean import ConditionalMean, conditional_mean, impute_conditional_means
from trialsim.kernels.imputation.delta import accumulated_delta, quadratic_tipping_point, search_tipping_point
from trialsim.kernels.imputation.endpoint import Target
from trialsim.kernels.imputation.endpoints import composite, while_on_treatment
from trialsim.kernels.imputation.groups import REASONS, Model
from trialsim.kernels.imputation.multiple import MultipleImputation, Normals, draw_normals, multiple_imputation
from trialsim.kernels.imputation.rubin import Pooled, pool_rubin
from trialsim.kernels.imputation.strategies import STRATEGIES, Parameters

__all__ = [
    "REASONS",
    "STRATEGIES",
    "ConditionalMean",
    "Model",
    "MultipleImputation",
    "Normals",
    "Parameters",
    "Pooled",
    "Target",
    "accumulated_delta",
    "composite",
    "conditional_mean",
    "draw_normals",
    "impute_conditional_means",
    "multiple_imputation",
    "pool_rubin",
    "quadratic_tipping_point",
    "search_tipping_point",
    "while_on_treatment",
]
