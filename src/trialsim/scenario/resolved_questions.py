"""What is asked, resolved: estimands with their endpoints and analyses, and hypotheses that are tested together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from trialsim.scenario.resolved_events import Strategy


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a score counts as met.

    Parameters
    ----------
    kind : {'reduction', 'lost_reduction', 'at_most', 'at_least', 'event'}
        Improved by at least, or by less than, a share of the baseline; at or below, or at or above, a score; or an
        event has happened.
    value : float
        The share, or the score in points.
    favourable : bool
        Whether meeting it is a benefit.
    event : str
        Name of the event; empty where scores decide.
    """

    kind: Literal["reduction", "lost_reduction", "at_most", "at_least", "event"]
    value: float
    favourable: bool
    event: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The variable of an estimand, and what leaving the trial does to it.

    Parameters
    ----------
    kind : {'score', 'binary', 'time', 'count'}
        A score at the visit; whether a criterion is met there; the days until it is first met; a number of events.
    dropout : {'hypothetical', 'composite', 'while_on_treatment'}
        Strategy for leaving.
    criterion : Criterion or None
        Of a binary endpoint or a time.
    from_visit : int
        Visit at which the clock of a time starts; -1 is the baseline.
    failure : {'baseline', 'worst'}
        Score of who left under the composite strategy.
    worst : float or None
        The worst score of the scale, points; None on the real line.
    lower_is_better : bool
        Direction of the score, or of the count.
    name : str
        Short words for reports, such as `response`; empty for a score.
    events : tuple of (str, str)
        Strategy for each event of the variant, by name.
    """

    kind: Literal["score", "binary", "time", "count"] = "score"
    dropout: Literal["hypothetical", "composite", "while_on_treatment"] = "hypothetical"
    criterion: Criterion | None = None
    from_visit: int = -1
    failure: Literal["baseline", "worst"] = "baseline"
    worst: float | None = None
    lower_is_better: bool = True
    name: str = ""
    events: tuple[tuple[str, Strategy], ...] = ()

    def handled(self, strategy: Strategy) -> tuple[str, ...]:
        """Return the names of the events that a strategy is for."""
        return tuple(name for name, own in self.events if own == strategy)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an estimand's test is about.

    Parameters
    ----------
    kind : {'superiority', 'non_inferiority', 'equivalence'}
    margin : float or None
        Above 0, on the scale of the estimate; None for superiority.
    """

    kind: Literal["superiority", "non_inferiority", "equivalence"] = "superiority"
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """One way to estimate an estimand.

    Parameters
    ----------
    method : str
        One of `schema.Method`.
    covariance : str
        Covariance structure over visits; 'none' for what looks at one visit.
    df : str
        Method for denominator degrees of freedom; 'residual' for least squares and t tests, 'normal' for the rest.
    covariates : tuple of str
        Any of 'baseline' and 'stratum'.
    alpha : float
        Two-sided level.
    fallback : {'default', 'none'} or tuple of str
        Whether, or which, simpler covariance structures are tried when a fit does not converge.
    name : str
        What it is called in the results; no two of an estimand share it.
    variance : {'constant', 'hc2', 'hc3'}
        Standard errors of an ANCOVA.
    strategy : str
        What an imputation assumes of those who left; 'none' for methods that impute nothing.
    measure : str
        What the estimate is, a key of `measures.MEASURES`.
    covariance_by : {'none', 'arm', 'stratum'}
        Whether arms or strata of an MMRM have covariance matrices of their own.
    delta : float
        Points added to imputed scores of the active arms.
    imputations : int
        Of a multiple imputation; 0 for the others.
    jackknife : {'full', 'one_step', 'none'}
    group : str
        Which clusters a nested analysis has a random effect for; empty for the others.
    residual_variance : {'common', 'by_arm', 'none'}
        Of a nested analysis.
    penalty : {'never', 'where_separated', 'always', 'none'}
        Firth's penalty of a logistic model.
    interval : {'miettinen_nurminen', 'newcombe', 'wald', 'none'}
        Of a risk difference.
    stratified : bool
        Of a log-rank test or Cox model.
    """

    method: str
    covariance: str
    df: str
    covariates: tuple[str, ...]
    alpha: float
    fallback: Literal["default", "none"] | tuple[str, ...]
    name: str
    variance: Literal["constant", "hc2", "hc3"] = "constant"
    strategy: str = "none"
    measure: str = "difference"
    covariance_by: Literal["none", "arm", "stratum"] = "none"
    delta: float = 0.0
    imputations: int = 0
    jackknife: Literal["full", "one_step", "none"] = "none"
    group: str = ""
    residual_variance: Literal["common", "by_arm", "none"] = "none"
    penalty: Literal["never", "where_separated", "always", "none"] = "none"
    interval: Literal["miettinen_nurminen", "newcombe", "wald", "none"] = "none"
    stratified: bool = False


@dataclass(frozen=True, slots=True)
class Estimand:
    """A question of the trial: one outcome at one visit, active minus control.

    Parameters
    ----------
    name, label : str
    outcome, visit : int
        Indices into the variant's outcomes (of a count endpoint: its counts) and visits.
    active, control : int
        Indices into the variant's arms: the first of each side.
    true_value : float or None
        Difference of the true means in points, averaged over strata with their shares as weights; None where it is
        found from potential outcomes when the scenario is run.
    analyses : tuple of Analysis
    endpoint : Endpoint
    hypothesis : Hypothesis
    interaction : tuple of int or None
        Two strata: the estimand is the effect in the first minus that in the second.
    arm_weights : tuple of float
        Weight of each arm's mean where the contrast is more than active minus control; empty where it is that.
    analysis_set : {'itt', 'mitt', 'per_protocol'}
        All randomised, those given at least one infusion, or those given all of them who stopped nothing.
    expectancy : {'included', 'excluded'}
        Whether the true value holds what patients and raters expect.
    """

    name: str
    label: str
    outcome: int
    visit: int
    active: int
    control: int
    true_value: float | None
    analyses: tuple[Analysis, ...]
    endpoint: Endpoint = Endpoint()
    hypothesis: Hypothesis = Hypothesis()
    interaction: tuple[int, int] | None = None
    arm_weights: tuple[float, ...] = ()
    analysis_set: Literal["itt", "mitt", "per_protocol"] = "itt"
    expectancy: Literal["included", "excluded"] = "included"

    def weights(self, n_arms: int) -> tuple[float, ...]:
        """Return the weight of each arm's mean in the contrast."""
        pair = {self.active: 1.0, self.control: -1.0}
        return self.arm_weights or tuple(pair.get(a, 0.0) for a in range(n_arms))


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """How the chance of a false finding is held over several hypotheses.

    Parameters
    ----------
    method : str
    hypotheses : tuple of (int, int)
        Estimand and analysis of each hypothesis, in order.
    alpha : float
        Two-sided level of the family.
    weights : tuple of float
        Share of alpha of each hypothesis at the start; empty where the procedure has none.
    transitions : tuple of tuple of float
        Of a graph; empty for the others.
    """

    method: str
    hypotheses: tuple[tuple[int, int], ...]
    alpha: float
    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
