"""A first guess of the number of patients, by a formula where one fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from trialsim.engine.hypotheses import Hypothesis
from trialsim.scenario.resolved import Variant

_FIT = ("t_test", "welch", "ancova", "mmrm", "clda", "reference_based", "multiple_imputation", "wilcoxon", "nested")


def first_guess(variant: Variant, members: Sequence[Hypothesis], power: float) -> float:
    r"""Return about how many patients the hypotheses take; the largest sample size where no formula fits.

    Parameters
    ----------
    variant : Variant
    members : sequence of Hypothesis
    power : float

    Notes
    -----
    .. math:: N = \frac{(z_{1-\alpha/2} + z_{power})^2 \sigma^2 (1 - \rho^2) (1/\pi_1 + 1/\pi_0)}{\Delta^2 (1 - m)}

    with the SD at the visit within strata, its correlation with the baseline where the analysis adjusts for it,
    allocation shares and the share missing there. Where the search starts, no more.
    """
    guesses = [_of_difference(variant, member, power) for member in members]
    known = [guess for guess in guesses if guess is not None]
    return max(known) if known else float(max(variant.sample_sizes))


def _of_difference(variant: Variant, member: Hypothesis, power: float) -> float | None:
    estimand = variant.estimands[member.estimand]
    analysis = estimand.analyses[member.analysis]
    fits = analysis.method in _FIT and estimand.endpoint.kind == "score" and estimand.hypothesis.margin is None
    if not fits or estimand.interaction is not None or estimand.true_value in (None, 0.0):
        return None
    k, visit, n_outcomes = estimand.outcome, estimand.visit, len(variant.outcomes)
    share = variant.strata_share
    variance = variant.sd[:, visit, k] ** 2
    if "baseline" in analysis.covariates:
        variance = variance * (1.0 - variant.correlation[:, k, (visit + 1) * n_outcomes + k] ** 2)
    ratio = np.asarray(variant.allocation.ratio, dtype=np.float64)
    weights = np.asarray(estimand.weights(len(variant.arms)))
    per_patient = float(share @ variance * np.sum(weights**2 * ratio.sum() / ratio))
    needed = float(ndtri(1.0 - analysis.alpha / 2.0) + ndtri(power)) ** 2
    missing = 0.0
    if variant.dropout is not None:
        days, lost = (0.0, *variant.dropout.days), (variant.dropout.never_starts, *variant.dropout.missing)
        missing = float(np.interp(variant.visits_days[visit], days, lost))
    return needed * per_patient / (float(estimand.true_value or 1.0) ** 2 * max(1.0 - missing, 0.05))
