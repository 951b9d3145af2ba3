"""From the p-values of a trial's hypotheses to what may be claimed of them together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates
from trialsim.engine.hypotheses import Hypothesis
from trialsim.kernels import multiplicity as kernel
from trialsim.scenario.resolved import Multiplicity, Variant

Array = NDArray[np.float64]


def adjusted_p(variant: Variant, estimates: Mapping[Hypothesis, Estimates]) -> dict[Hypothesis, Array]:
    """Return adjusted p-values, shape (R,), of each hypothesis; NaN for those outside the procedure.

    Parameters
    ----------
    variant : Variant
    estimates : mapping
        Of one sample size.

    Notes
    -----
    Each is the smallest level of the family at which the hypothesis is rejected, so that it is compared with the
    procedure's alpha. A hypothesis whose analysis failed is not rejected and holds up no other.
    """
    adjusted = {hypothesis: np.full(len(found.p), np.nan) for hypothesis, found in estimates.items()}
    plan = variant.multiplicity
    if plan is None:
        return adjusted
    members = family(plan)
    decision = _decide(variant, plan, [estimates[member] for member in members])
    for column, member in enumerate(members):
        adjusted[member] = decision.adjusted[:, column]
    return adjusted


def family(plan: Multiplicity) -> list[Hypothesis]:
    """Return the hypotheses of a procedure, in its order."""
    return [Hypothesis(*member) for member in plan.hypotheses]


def _decide(variant: Variant, plan: Multiplicity, found: list[Estimates]) -> kernel.Decision:
    p = np.stack([estimates.p for estimates in found], axis=1)
    alpha, weights = plan.alpha, plan.weights
    match plan.method:
        case "bonferroni":
            return kernel.bonferroni(p, alpha=alpha, weights=np.asarray(weights))
        case "holm":
            return kernel.graph_test(p, kernel.holm_graph(weights), alpha=alpha)
        case "hochberg":
            return kernel.hochberg(p, alpha=alpha)
        case "hommel":
            return kernel.hommel(p, alpha=alpha)
        case "fixed_sequence":
            return kernel.fixed_sequence(p, alpha=alpha)
        case "fallback":
            return kernel.fallback(p, weights, alpha=alpha)
        case "co_primary":
            return kernel.co_primary(p, alpha=alpha)
        case "graph":
            return kernel.graph_test(p, kernel.Graph.of(weights, plan.transitions), alpha=alpha)
        case "dunnett":
            return _dunnett(variant, plan, found)
    raise ValueError(f"there is no procedure {plan.method!r}")


def _dunnett(variant: Variant, plan: Multiplicity, found: list[Estimates]) -> kernel.Decision:
    """Return Dunnett's step-down test; correlations are those of the planned allocation.

    Degrees of freedom are the smallest of the comparisons, rounded down to whole ones.
    """
    ratio = np.asarray(variant.allocation.ratio, dtype=np.float64)
    asked = [variant.estimands[e] for e, _ in plan.hypotheses]
    loadings = kernel.dunnett_loadings(ratio[asked[0].control], ratio[[estimand.active for estimand in asked]])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([estimates.estimate / estimates.se for estimates in found], axis=1)
        df = np.floor(np.nanmin(np.stack([estimates.df for estimates in found]), axis=0, initial=np.inf))
    return kernel.dunnett(t, loadings, df=np.maximum(df, 1.0), method="step-down", alpha=plan.alpha)
