"""Responses of two arms, batched over trials: tests, differences, ratios and standardised risks."""

from trialsim.kernels.binary.counts import REASONS, Counts, count_responses
from trialsim.kernels.binary.differences import (
    Comparison,
    newcombe_difference,
    odds_ratio,
    risk_ratio,
    wald_difference,
)
from trialsim.kernels.binary.scores import score_interval, score_test
from trialsim.kernels.binary.standardised import StandardisedRisks, standardised_risks
from trialsim.kernels.binary.tables import (
    ChiSquareTest,
    MantelHaenszelTest,
    chi_square_test,
    fisher_test,
    mantel_haenszel_test,
)

__all__ = [
    "REASONS",
    "ChiSquareTest",
    "Comparison",
    "Counts",
    "MantelHaenszelTest",
    "StandardisedRisks",
    "chi_square_test",
    "count_responses",
    "fisher_test",
    "mantel_haenszel_test",
    "newcombe_difference",
    "odds_ratio",
    "risk_ratio",
    "score_interval",
    "score_test",
    "standardised_risks",
    "wald_difference",
]
