"""Log-rank test: events needed, and participants under staggered entry, dropout and piecewise constant hazards.

References
----------
Schoenfeld DA (1981). The asymptotic properties of nonparametric tests for comparing survival distributions. Biometrika
68:316-319.
Freedman LS (1982). Tables of the number of patients required in clinical trials using the logrank test. Statistics in
Medicine 1:121-129.
Lachin JM, Foulkes MA (1986). Evaluation of sample size and power for analyses of survival with allowance for nonuniform
patient entry, losses to follow-up, noncompliance, and stratification. Biometrics 42:507-519.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr, ndtri

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import allocation, one_of, positive, refuse
from trialsim.planning.formulas.follow_up import Accrual, Hazard, event_probability, hazard_of, uniform_accrual
from trialsim.planning.formulas.level import Level, level, normal_power
from trialsim.planning.formulas.solving import Question, solve

METHODS = ("schoenfeld", "freedman")


def logrank_events(
    *,
    hazard_ratio: float | None = None,
    events: float | None = None,
    power: float | None = None,
    method: str = "schoenfeld",
    null: float = 1.0,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, events needed or detectable hazard ratio of the log-rank test.

    Parameters
    ----------
    hazard_ratio : float, optional
        Active over control; one that is solved for is below `null`.
    events : float, optional
        Events in both arms together.
    power : float, optional
        Leave out exactly one of the three.
    method : {"schoenfeld", "freedman"}
    null : float
        Hazard ratio under the null hypothesis; above 1 for non-inferiority. Schoenfeld only.
    ratio : pair of float
        Allocation of participants, control then active.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `n` has one entry, the events.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    With D events and a share p of participants in the active arm, the noncentrality is √(D p (1 − p)) |log HR − log
    HR₀| (Schoenfeld 1981), or √(D k) |1 − HR| / (1 + k HR), k = p / (1 − p) (Freedman 1982).
    """
    one_of("method", method, METHODS)
    positive(hazard_ratio=hazard_ratio, null=null, events=events)
    if method == "freedman" and null != 1.0:
        refuse("null", "must be 1 with Freedman's formula; Schoenfeld's has other null values")
    at, parts = level(alpha, sides, either_direction), allocation(ratio)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        return normal_power(math.sqrt(n[0]) * _drift(effect, null, parts, method), at)

    question = Question(
        power_at,
        at,
        f"log-rank test, {method.capitalize()}",
        (1.0,),
        effect_from=null,
        effect_to=0.0,
        effect_name="hazard_ratio",
        unit="events",
        inputs={"ratio": parts, "null": null},
    )
    return solve(question, effect=hazard_ratio, n_total=events, power=power)


def logrank(
    *,
    control_hazard: float | Hazard,
    hazard_ratio: float | None = None,
    accrual: float | Accrual,
    follow_up: float,
    dropout_hazard: float | Sequence[float] = 0.0,
    n_total: float | None = None,
    power: float | None = None,
    method: str = "schoenfeld",
    null: float = 1.0,
    ratio: Sequence[float] = (1, 1),
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, participants or detectable hazard ratio of a log-rank test with staggered entry and dropout.

    Parameters
    ----------
    control_hazard : float or Hazard
        Events per unit of time in the control arm, constant or in pieces.
    hazard_ratio : float, optional
        Active over control, below 1 if solved for.
    accrual : float or Accrual
        Duration of uniform accrual, or its rate in pieces; rates set the pattern, `n_total` the number.
    follow_up : float
        Time from the last entry to the analysis, at least 0.
    dropout_hazard : float or pair of float
        Losses per unit of time, of both arms or of control and active.
    n_total : float, optional
        Participants in both arms.
    power : float, optional
    method : {"schoenfeld", "freedman", "lachin-foulkes"}
        The first two turn the events needed into participants by the probability of an event; the third weighs each
        arm's own probability, under the null hypothesis and under the alternative.
    null : float
        Hazard ratio under the null hypothesis; 1 with "freedman" and "lachin-foulkes".
    ratio, alpha, sides, either_direction : as in `logrank_events`

    Returns
    -------
    Answer
        `details` holds the expected `events`, and the probabilities `p_event_control`, `p_event_active`.

    Raises
    ------
    InputError
        As in `logrank_events`.

    Notes
    -----
    Lachin & Foulkes (1986), on the log hazard ratio: √n |log HR| = z √(V₀) + z_power √(V₁), V₁ = Σ 1/(share·P(event)),
    and V₀ the same with the mean hazard λ̄ = (n₀ λ₀ + n₁ λ₁)/n in both arms.
    """
    one_of("method", method, (*METHODS, "lachin-foulkes"))
    positive(hazard_ratio=hazard_ratio, null=null)
    if follow_up < 0.0:
        refuse("follow_up", f"must be at least 0, not {follow_up:g}")
    if method != "schoenfeld" and null != 1.0:
        refuse("null", "must be 1 with this method; Schoenfeld's has other null values")
    at, parts = level(alpha, sides, either_direction), allocation(ratio)
    trial = _Trial(control_hazard, accrual, follow_up, dropout_hazard, parts)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        if method == "lachin-foulkes":
            return trial.lachin_foulkes(effect, sum(n), at)
        return normal_power(math.sqrt(trial.events(effect, n)) * _drift(effect, null, parts, method), at)

    words = "Lachin & Foulkes" if method == "lachin-foulkes" else method.capitalize()
    question = Question(
        power_at,
        at,
        f"log-rank test, {words}, exponential follow-up",
        parts,
        effect_from=null,
        effect_to=0.0,
        effect_name="hazard_ratio",
        inputs=trial.inputs,
        details_at=trial.details,
    )
    return solve(question, effect=hazard_ratio, n_total=n_total, power=power)


def _drift(hazard_ratio: float, null: float, parts: tuple[float, float], method: str) -> float:
    """Return the noncentrality that one event brings."""
    k = parts[1] / parts[0]
    if method == "freedman":
        return math.sqrt(k) * abs(1.0 - hazard_ratio) / (1.0 + k * hazard_ratio)
    return math.sqrt(k) / (1.0 + k) * abs(math.log(hazard_ratio / null))


class _Trial:
    """What is known of entry, hazards and losses of a trial."""

    def __init__(
        self,
        control_hazard: float | Hazard,
        accrual: float | Accrual,
        follow_up: float,
        dropout_hazard: float | Sequence[float],
        parts: tuple[float, float],
    ) -> None:
        self.hazard = hazard_of(control_hazard)
        self.accrual = accrual if isinstance(accrual, Accrual) else uniform_accrual(accrual)
        self.time = self.accrual.end + follow_up
        losses = tuple(dropout_hazard) if isinstance(dropout_hazard, Sequence) else (dropout_hazard, dropout_hazard)
        if len(losses) != 2 or min(losses) < 0.0:
            refuse("dropout_hazard", f"must be one number of at least 0 or two, control and active, not {losses}")
        self.dropout = (float(losses[0]), float(losses[1]))
        self.parts = parts
        self.inputs = {
            "control_hazard": self.hazard,
            "accrual": self.accrual,
            "follow_up": follow_up,
            "dropout": self.dropout,
        }

    def probabilities(self, factors: tuple[float, float]) -> tuple[float, float]:
        """Return the probability of an event in each arm, the control's hazard multiplied by a factor for each."""
        first, second = (
            event_probability(self.time, self.hazard.times_factor(factor), accrual=self.accrual, dropout_hazard=loss)
            for factor, loss in zip(factors, self.dropout, strict=True)
        )
        return first, second

    def events(self, hazard_ratio: float, n: tuple[float, ...]) -> float:
        """Return the number of events expected."""
        return sum(size * p for size, p in zip(n, self.probabilities((1.0, hazard_ratio)), strict=True))

    def details(self, hazard_ratio: float, n: tuple[float, ...]) -> dict[str, float]:
        """Return the events and their probabilities by name."""
        control, active = self.probabilities((1.0, hazard_ratio))
        events = n[0] * control + n[1] * active
        return {"events": events, "p_event_control": control, "p_event_active": active}

    def lachin_foulkes(self, hazard_ratio: float, total: float, at: Level) -> float:
        """Return the power by Lachin & Foulkes."""
        share = tuple(part / sum(self.parts) for part in self.parts)
        mean = share[0] + share[1] * hazard_ratio
        sd0, sd1 = (
            math.sqrt(sum(1.0 / (part * p) for part, p in zip(share, self.probabilities(factors), strict=True)))
            for factors in ((mean, mean), (1.0, hazard_ratio))
        )
        shift, critical = math.sqrt(total) * abs(math.log(hazard_ratio)), -ndtri(at.tail) * sd0
        other = ndtr((-shift - critical) / sd1) if at.both else 0.0
        return float(ndtr((shift - critical) / sd1) + other)
