"""Time to event, batched over replicates: log-rank, Cox, Kaplan-Meier, restricted mean survival time."""

from trialsim.kernels.survival.cox import CoxFit, fit_cox
from trialsim.kernels.survival.kaplan_meier import (
    KaplanMeier,
    Limits,
    confidence_limits,
    kaplan_meier,
    median_survival,
    survival_at,
)
from trialsim.kernels.survival.logrank import LogRank, log_rank
from trialsim.kernels.survival.restricted_mean import RestrictedMean, restricted_mean
from trialsim.kernels.survival.risksets import REASONS

__all__ = [
    "REASONS",
    "CoxFit",
    "KaplanMeier",
    "Limits",
    "LogRank",
    "RestrictedMean",
    "confidence_limits",
    "fit_cox",
    "kaplan_meier",
    "log_rank",
    "median_survival",
    "restricted_mean",
    "survival_at",
]
