"""The analyses a scenario can name: what each takes, what its estimate is, and which settings go with it."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from trialsim.scenario.resolved import Endpoint, Estimand


class Measure(NamedTuple):
    """What an estimate is: active against control, 0 where there is no difference.

    Attributes
    ----------
    words : str
        Name for reports.
    unit : str
        Unit of the estimate; `log` for ratios, whose estimates are natural logarithms.
    follows : {'value', 'event', 'event_free'}
        Whether a larger estimate means larger values, events more often or sooner, or longer without an event.
    """

    words: str
    unit: str
    follows: str


MEASURES: MappingProxyType[str, Measure] = MappingProxyType(
    {
        "difference": Measure("difference of means", "points", "value"),
        "superiority": Measure("probability of a higher score, less one half", "probability", "value"),
        "risk_difference": Measure("difference of risks", "risk", "event"),
        "log_odds_ratio": Measure("log odds ratio", "log", "event"),
        "log_hazard_ratio": Measure("log hazard ratio", "log", "event"),
        "event_free_difference": Measure("difference of event-free shares", "risk", "event_free"),
        "restricted_mean_difference": Measure("difference of restricted mean times", "days", "event_free"),
        "log_rate_ratio": Measure("log rate ratio", "log", "value"),
    }
)


class Method(NamedTuple):
    """What a scenario may say of an analysis method.

    Attributes
    ----------
    endpoint : {'score', 'binary', 'time', 'count'}
    measure : str
        A key of `MEASURES`.
    covariates : tuple of str
        What it adjusts for where nothing is said.
    may_adjust : tuple of str
        What it can adjust for.
    df : str
        Degrees of freedom where nothing is said.
    settings : tuple of str
        Keys of an analysis that go with it, besides name, method, covariates and alpha.
    margin : bool
        Whether it can test against a margin.
    interaction : {'model', 'strata', 'none'}
        Whether an interaction is a term of its model, or the difference of two analyses, or cannot be had.
    """

    endpoint: str
    measure: str
    covariates: tuple[str, ...] = ()
    may_adjust: tuple[str, ...] = ()
    df: str = "normal"
    settings: tuple[str, ...] = ()
    margin: bool = True
    interaction: str = "strata"


_BOTH = ("baseline", "stratum")

METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "mmrm": Method(
            "score",
            "difference",
            _BOTH,
            _BOTH,
            "satterthwaite",
            ("covariance", "covariance_by", "df", "fallback"),
            interaction="model",
        ),
        # With the baseline among the responses, unadjusted standard errors are too small in small trials.
        "clda": Method(
            "score",
            "difference",
            ("stratum",),
            ("stratum",),
            "kenward-roger",
            ("covariance", "covariance_by", "df", "fallback"),
            interaction="model",
        ),
        "ancova": Method("score", "difference", _BOTH, _BOTH, "residual", ("variance",), interaction="model"),
        "t_test": Method("score", "difference", df="residual"),
        "welch": Method("score", "difference", df="residual"),
        "wilcoxon": Method("score", "superiority", margin=False, interaction="none"),
        "van_elteren": Method("score", "superiority", ("stratum",), ("stratum",), margin=False, interaction="none"),
        "reference_based": Method(
            "score", "difference", _BOTH, _BOTH, settings=("strategy", "delta", "jackknife"), interaction="none"
        ),
        "multiple_imputation": Method(
            "score", "difference", _BOTH, _BOTH, "rubin", ("strategy", "delta", "imputations"), interaction="none"
        ),
        "nested": Method(
            "score",
            "difference",
            _BOTH,
            _BOTH,
            "kenward-roger",
            ("group", "df", "residual_variance"),
            interaction="model",
        ),
        "risk_difference": Method("binary", "risk_difference", settings=("interval",)),
        "fisher": Method("binary", "risk_difference", margin=False, interaction="none"),
        "cmh": Method("binary", "log_odds_ratio", ("stratum",), ("stratum",), margin=False, interaction="none"),
        "logistic": Method("binary", "log_odds_ratio", _BOTH, _BOTH, settings=("penalty",), interaction="model"),
        "g_computation": Method("binary", "risk_difference", _BOTH, _BOTH, settings=("penalty",)),
        "log_rank": Method("time", "log_hazard_ratio", settings=("stratified",), margin=False, interaction="none"),
        "cox": Method("time", "log_hazard_ratio", ("baseline",), _BOTH, settings=("stratified",), interaction="model"),
        "kaplan_meier": Method("time", "event_free_difference"),
        "rmst": Method("time", "restricted_mean_difference"),
        "negative_binomial": Method("count", "log_rate_ratio", ("stratum",), ("stratum",), interaction="model"),
    }
)

USUAL_METHOD = MappingProxyType(
    {"score": "mmrm", "binary": "risk_difference", "time": "cox", "count": "negative_binomial"}
)
"""The method where none is named, by kind of endpoint."""

SETTINGS = tuple(dict.fromkeys(name for method in METHODS.values() for name in method.settings))
"""Every key of an analysis that goes with some methods only."""


def benefit_sign(endpoint: Endpoint, measure: str) -> int:
    """Return 1 where a positive estimate favours the active arm, -1 where a negative one does.

    Parameters
    ----------
    endpoint : Endpoint
    measure : str
        A key of `MEASURES`.
    """
    if endpoint.criterion is None:
        return -1 if endpoint.lower_is_better else 1
    sooner_is_better = 1 if endpoint.criterion.favourable else -1
    return -sooner_is_better if MEASURES[measure].follows == "event_free" else sooner_is_better


def power_sign(estimand: Estimand, measure: str, true_value: float) -> int:
    """Return the side on which a rejection counts as power: 1, -1, or 0 for either.

    Parameters
    ----------
    estimand : Estimand
    measure : str
        A key of `MEASURES`.
    true_value : float

    Notes
    -----
    That of benefit for a comparison of arms; that of the truth for an interaction, which favours nobody; either
    against a margin.
    """
    if estimand.hypothesis.margin is not None:
        return 0
    given = sum(weight for weight in estimand.arm_weights if weight > 0)
    if estimand.interaction is not None or given > 1.0 + 1e-9:
        return (true_value > 0) - (true_value < 0)
    return benefit_sign(estimand.endpoint, measure)
