"""What counts as power, from a contrast's standard error: superiority, a margin, or both of two."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtrit

from trialsim.analysis.contract import Observed
from trialsim.kernels.operating_characteristics import NULL_TOLERANCE
from trialsim.planning.formulas.ancova import power_over_imbalance
from trialsim.planning.formulas.equivalence import both_tests_power
from trialsim.planning.formulas.level import Level, level, normal_power, t_beyond
from trialsim.scenario.methods import benefit_sign, power_sign
from trialsim.scenario.resolved import Analysis, Estimand, Variant


class Question(NamedTuple):
    """What a closed form is asked for.

    Attributes
    ----------
    variant, estimand, analysis
    n : int
        Participants randomised.
    truth : float or None
        True value, where it is known otherwise than from the model's means.
    seen : Observed or None
        Trials that risks and events are counted in.
    """

    variant: Variant
    estimand: Estimand
    analysis: Analysis
    n: int
    truth: float | None
    seen: Observed | None


class Contrast(NamedTuple):
    """A comparison of means: effect, its standard error, degrees of freedom, covariates out of balance by chance."""

    effect: float
    se: float
    df: float
    covariates: int = 0


def power_of(asked: Question, contrast: Contrast) -> float | None:
    """Return the probability of what counts as power; None where there is nothing to find.

    Parameters
    ----------
    asked : Question
    contrast : Contrast
    """
    estimand, analysis = asked.estimand, asked.analysis
    kind, margin = estimand.hypothesis.kind, estimand.hypothesis.margin
    effect, se, df, covariates = contrast
    if margin is None:
        if abs(effect) <= NULL_TOLERANCE:
            return None
        sign = power_sign(estimand, analysis.measure, effect)
        return _beyond(sign * effect / se, df, covariates, level(analysis.alpha, 2))
    if kind == "equivalence":
        if abs(effect) >= margin:
            return None
        # Both tests share the imbalance, so its mean is paid for.
        wider = se * math.sqrt((df + covariates - 1.0) / (df - 1.0)) if covariates and df > 1.0 else se
        return both_tests_power(
            (-margin - effect) / wider, (margin - effect) / wider, df, level(analysis.alpha / 2.0, 1)
        )
    short = margin + benefit_sign(estimand.endpoint, analysis.measure) * effect
    return None if short <= NULL_TOLERANCE else _beyond(short / se, df, covariates, level(analysis.alpha / 2.0, 1))


def _beyond(shift: float, df: float, covariates: int, at: Level) -> float:
    """Return P(T > c), t noncentral, over the chance imbalance of covariates."""
    if covariates:
        return power_over_imbalance(shift, df + 2.0 + covariates, covariates, at)
    if math.isinf(df):
        return normal_power(shift, at)
    return t_beyond(float(stdtrit(df, 1.0 - at.tail)), df, shift, both=False)
