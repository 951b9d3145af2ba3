"""How much worse those who left would have to be for a real trial's result to be lost: its tipping point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import FAILED, Estimates, Observed
from trialsim.analysis.endpoints import leaving
from trialsim.analysis.registry import analyse
from trialsim.errors import Fault, InputError, RunError
from trialsim.kernels.imputation import STRATEGIES, search_tipping_point
from trialsim.scenario import Scenario, resolve
from trialsim.scenario.methods import METHODS, benefit_sign
from trialsim.scenario.resolved import Analysis, Estimand, Variant
from trialsim.scenario.words import did_you_mean, listed

if TYPE_CHECKING:
    import pandas as pd

    Array = NDArray[np.float64]

IMPUTING = ("reference_based", "multiple_imputation")
STEPS = 20
"""Into which the way to the largest delta is cut before the last one is halved."""
FINENESS = 1e-4
"""Width of the last bracket, as a share of the largest delta."""


@dataclass(frozen=True, eq=False)
class TippingPoint:
    """Where a result is lost, and the way there.

    Parameters
    ----------
    estimand, method, strategy : str
        The question, the imputing analysis by name, and what it assumes of those who left before delta is added.
    alpha : float
        Two-sided level.
    delta : float
        Points added to the imputed scores of all arms but the control at which the result is no longer significant in
        favour of the active arm, in the direction of harm (negative where a lower score is worse). 0 where there is no
        such result to lose, infinite where none up to `limit` loses it.
    limit : float
        The largest delta tried, points.
    imputed : int
        Patients of the active arm without a score at the visit because they left.
    path : DataFrame
        Every delta tried, from 0 away: delta, estimate, se, df, p, ci_low, ci_high, significant.
    """

    estimand: str
    method: str
    strategy: str
    alpha: float
    delta: float
    limit: float
    imputed: int
    path: pd.DataFrame


def tipping_point(
    data: pd.DataFrame | str | Path,
    scenario: Scenario,
    *,
    estimand: str = "primary",
    analysis: str | None = None,
    strategy: str | None = None,
    limit: float | None = None,
) -> TippingPoint:
    """Return how much worse the imputed scores of the active arm must be for the result to be lost.

    Parameters
    ----------
    data : DataFrame, str or Path
        As for `analyse`.
    scenario : Scenario
        What it varies is left aside.
    estimand : str
        Of a score, as if nobody had left (hypothetical).
    analysis : str, optional
        Name of one of its analyses by reference_based or multiple_imputation; the first of these by default. Where it
        has none: reference_based after imputation at random, adjusted for baseline and stratum, at the alpha of its
        first analysis.
    strategy : str, optional
        What is assumed of those who left, instead of the analysis's own.
    limit : float, optional
        Largest delta tried, points, above 0; by default the length of the scale, or for a score without limits 5
        standard deviations of the scores at the visit.

    Raises
    ------
    InputError
        If the data or the question cannot be right; says what to do.
    RunError
        If the analysis fails before anything is added.

    Notes
    -----
    Deltas in steps of a twentieth of the limit are tried until the result is lost, and the last step is halved ten
    times and more. The imputations drawn are the same for every delta.
    """
    from trialsim.api.trial_data import read_trial

    variant = resolve(scenario.at_base()).variants[0]
    question = _question(variant, estimand)
    chosen = _imputing(question, len(variant.strata), analysis, strategy)
    observed = read_trial(data, variant)
    harm = -benefit_sign(question.endpoint, chosen.measure)
    furthest = harm * _limit(limit, variant, question, observed)
    tried = _Tried(observed, question, chosen)
    _require_sound(tried.at(0.0), question, chosen)
    delta = search_tipping_point(
        tried.p_of_benefit,
        (1,),
        limit=furthest,
        alpha=chosen.alpha,
        n_grid=STEPS + 1,
        tolerance=FINENESS * abs(furthest),
    )
    return TippingPoint(
        question.name,
        chosen.name,
        chosen.strategy,
        chosen.alpha,
        float(delta[0]),
        float(furthest),
        _imputed(observed, question),
        tried.path(),
    )


def _require_sound(start: Estimates, estimand: Estimand, analysis: Analysis) -> None:
    if start.status[0] == FAILED:
        raise RunError(
            f"There is no tipping point of {estimand.name}: {analysis.name} fails before anything is added "
            f"({start.rungs[int(start.rung[0])]}). Look for an arm or visit with too few scores."
        )


def _imputed(observed: Observed, estimand: Estimand) -> int:
    """Return how many patients of the active arm left before the visit."""
    gone = leaving(observed, estimand) <= estimand.visit
    return int((gone & (observed.arm == estimand.active)).sum())


class _Tried:
    """The analyses carried out so far, by delta."""

    def __init__(self, observed: Observed, estimand: Estimand, analysis: Analysis) -> None:
        self.observed, self.estimand, self.analysis = observed, estimand, analysis
        self._found: dict[float, Estimates] = {}

    def at(self, delta: float) -> Estimates:
        """Return the analysis with a delta."""
        if delta not in self._found:
            size = self.observed.arm.shape[1]
            changed = replace(self.analysis, delta=delta)
            self._found[delta] = analyse(self.observed, self.estimand, changed, (size,))[0]
        return self._found[delta]

    def p_of_benefit(self, delta: Array) -> Array:
        """Return the p-value, shape (1,); 1 where the estimate is on the side of harm."""
        found = self.at(float(delta[0]))
        return np.where(self._in_favour(found), found.p, 1.0)

    def _in_favour(self, found: Estimates) -> NDArray[np.bool_]:
        """Whether a small p speaks for the active arm; against a margin it always does."""
        if self.estimand.hypothesis.margin is not None:
            return np.ones(1, dtype=bool)
        return np.asarray(benefit_sign(self.estimand.endpoint, self.analysis.measure) * found.estimate > 0)

    def path(self) -> pd.DataFrame:
        """Return every analysis, from no delta away."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for delta in sorted(self._found, key=abs):
            found = self._found[delta]
            rows.append(
                {
                    "delta": delta,
                    "estimate": float(found.estimate[0]),
                    "se": float(found.se[0]),
                    "df": float(found.df[0]),
                    "p": float(found.p[0]),
                    "ci_low": float(found.low[0]),
                    "ci_high": float(found.high[0]),
                    "significant": bool((self._in_favour(found) & (found.p < self.analysis.alpha))[0]),
                }
            )
        return pd.DataFrame(rows)


def _question(variant: Variant, name: str) -> Estimand:
    names = [estimand.name for estimand in variant.estimands]
    if name not in names:
        words = f"there is no estimand '{name}'{did_you_mean(name, names)}"
        raise InputError([Fault("estimand", words)])
    estimand = variant.estimands[names.index(name)]
    if estimand.endpoint.kind != "score" or estimand.endpoint.dropout != "hypothetical":
        words = f"{name} imputes nothing; a tipping point is of a score as if nobody had left (hypothetical)"
        raise InputError([Fault("estimand", words)])
    if estimand.interaction is not None:
        raise InputError([Fault("estimand", f"{name} is an interaction; a tipping point is of one effect")])
    if estimand.arm_weights:
        raise InputError([Fault("estimand", f"{name} compares more than two arms; a tipping point is of one pair")])
    return estimand


def _imputing(estimand: Estimand, n_strata: int, name: str | None, strategy: str | None) -> Analysis:
    """Return the analysis that is asked for, the first that imputes, or imputation at random."""
    known = {analysis.name: analysis for analysis in estimand.analyses if analysis.method in IMPUTING}
    if name is not None and name not in known:
        have = f"those of {estimand.name} are {listed(known)}" if known else f"{estimand.name} has none"
        words = f"'{name}' is no analysis by reference_based or multiple_imputation; {have}"
        raise InputError([Fault("analysis", words)])
    if name is None and not known:
        chosen = _at_random(estimand.analyses[0].alpha, n_strata)
    else:
        chosen = known[name] if name is not None else next(iter(known.values()))
    if strategy is None:
        return chosen
    if strategy not in STRATEGIES:
        words = f"'{strategy}' is none of {', '.join(STRATEGIES)}"
        raise InputError([Fault("strategy", words)])
    return replace(chosen, strategy=strategy)


def _at_random(alpha: float, n_strata: int) -> Analysis:
    """Return the analysis of those who left as if they had gone on like those who stayed."""
    method = "reference_based"
    about = METHODS[method]
    covariates = tuple(name for name in about.covariates if name != "stratum" or n_strata > 1)
    return Analysis(
        method,
        "none",
        about.df,
        covariates,
        alpha,
        "none",
        method,
        strategy="missing_at_random",
        measure=about.measure,
        jackknife="full",
    )


def _limit(given: float | None, variant: Variant, estimand: Estimand, observed: Observed) -> float:
    if given is not None:
        if not (np.isfinite(given) and given > 0):
            raise InputError([Fault("limit", f"must be a number of points above 0; got {given}")])
        return float(given)
    scale = variant.scales[estimand.outcome]
    if scale is not None:
        return scale.maximum - scale.minimum
    spread = float(np.nanstd(observed.scores[0, :, estimand.visit, estimand.outcome]))
    return 5.0 * spread if spread > 0 else 1.0
