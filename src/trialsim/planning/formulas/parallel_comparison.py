"""Sequential parallel comparison design: placebo non-responders of the first phase are randomised again.

In phase 1 a share of participants receives placebo, the others drug. Those who do not respond to placebo and stay go to
drug or placebo, half each, in phase 2. The test statistic weighs the two differences.

References
----------
Fava M, Evins AE, Dorer DJ, Schoenfeld DA (2003). The problem of the placebo response in clinical trials for psychiatric
disorders: culprits, possible remedies, and a novel study design approach. Psychotherapy and Psychosomatics 72:115-127.
Tamura RN, Huang X (2007). An examination of the efficiency of the sequential parallel design in psychiatric clinical
trials. Clinical Trials 4:309-317.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import inside, one_of, pair, within
from trialsim.planning.formulas.level import level, normal_power
from trialsim.planning.formulas.solving import Question, solve

TESTS = ("weighted", "either phase", "either phase, Bonferroni", "phase 1")


@dataclass(frozen=True, slots=True)
class _Phases:
    """Differences of the two phases, and their variances when multiplied by the number randomised."""

    differences: tuple[float, float]
    variances: tuple[float, float]


def sequential_parallel(
    *,
    phase1: Sequence[float],
    phase2: Sequence[float],
    endpoint: str = "response",
    test: str = "weighted",
    weight: float = 0.5,
    placebo_share: float = 0.66,
    leaving: float = 0.0,
    n_total: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
) -> Answer:
    """Return power or size of a sequential parallel comparison design.

    Parameters
    ----------
    phase1, phase2 : pair of float
        Response rates in (0, 1) of placebo then drug; in phase 2 among those who did not respond to placebo.
    endpoint : {"response", "continuous"}
        Rates are compared, or the normal scores of variance 1 that a cut makes into these rates.
    test : {"weighted", "either phase", "either phase, Bonferroni", "phase 1"}
        The weighted sum of both differences; rejection in at least one phase at the full level, or at half of it; or
        the first phase alone.
    weight : float
        Weight of phase 1, in [0, 1].
    placebo_share : float
        Share randomised to placebo in phase 1, in (0, 1).
    leaving : float
        Share of placebo non-responders who do not enter phase 2, in [0, 1).
    n_total : float, optional
        Participants randomised in phase 1. Leave out this or `power`.
    power : float, optional
    alpha, sides : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `effect` is the weighted difference.

    Raises
    ------
    InputError
        If not exactly one is left out, or a number is out of range.

    Notes
    -----
    z = (w d₁ + (1 − w) d₂)/√(w² v₁ + (1 − w)² v₂), unpooled variances; the expected number in phase 2 is
    n · share · (1 − rate) · (1 − leaving) (Tamura & Huang 2007). The phases are uncorrelated.
    """
    one_of("test", test, TESTS)
    one_of("endpoint", endpoint, ("response", "continuous"))
    within(0.0, 1.0, weight=weight)
    within(0.0, 1.0 - 1e-12, leaving=leaving)
    inside(0.0, 1.0, placebo_share=placebo_share)
    first, second = pair("phase1", phase1), pair("phase2", phase2)
    for rate in first:
        inside(0.0, 1.0, phase1=rate)
    for rate in second:
        inside(0.0, 1.0, phase2=rate)
    phases = _phases(first, second, endpoint, placebo_share, leaving)
    at = level(alpha, sides)
    share = 1.0 if test == "phase 1" else weight
    combined = share * phases.differences[0] + (1.0 - share) * phases.differences[1]

    def power_at(_effect: float, n: tuple[float, ...]) -> float:
        if test.startswith("either"):
            used = at._replace(alpha=alpha / 2.0) if test.endswith("Bonferroni") else at
            missed = (
                1.0 - normal_power(d / math.sqrt(v / n[0]), used)
                for d, v in zip(phases.differences, phases.variances, strict=True)
            )
            return 1.0 - math.prod(missed)
        variance = share**2 * phases.variances[0] + (1.0 - share) ** 2 * phases.variances[1]
        return normal_power(combined / math.sqrt(variance / n[0]), at)

    question = Question(
        power_at,
        at,
        f"sequential parallel comparison, {endpoint}, {test}",
        (1.0,),
        effect_name="phase1",
        inputs={"phase1": first, "phase2": second, "weight": share, "placebo_share": placebo_share, "leaving": leaving},
    )
    return solve(question, effect=combined, n_total=n_total, power=power)


def _phases(
    first: tuple[float, float], second: tuple[float, float], endpoint: str, placebo_share: float, leaving: float
) -> _Phases:
    """Return differences and variances of both phases for one participant randomised."""
    half = 0.5 * placebo_share * (1.0 - first[0]) * (1.0 - leaving)
    sizes = ((placebo_share, 1.0 - placebo_share), (half, half))
    if endpoint == "response":
        differences = (first[1] - first[0], second[1] - second[0])
        spreads = tuple((p * (1.0 - p), q * (1.0 - q)) for p, q in (first, second))
    else:
        differences = (float(ndtri(first[1]) - ndtri(first[0])), float(ndtri(second[1]) - ndtri(second[0])))
        spreads = ((1.0, 1.0), (1.0, 1.0))
    variances = tuple(sum(v / n for v, n in zip(*phase, strict=True)) for phase in zip(spreads, sizes, strict=True))
    return _Phases(differences, (variances[0], variances[1]))
