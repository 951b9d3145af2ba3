"""Cluster-randomised trials: design effect, means and proportions.

References
----------
Donner A, Klar N (2000). Design and Analysis of Cluster Randomization Trials in Health Research. Arnold.
van Breukelen GJP, Candel MJJM, Berger MPF (2007). Relative efficiency of unequal versus equal cluster sizes in cluster
randomized and multicentre trials. Statistics in Medicine 26:2589-2603.
"""

from __future__ import annotations

import math

from trialsim.planning.formulas.answer import Answer
from trialsim.planning.formulas.checks import inside, one_of, positive, refuse, within
from trialsim.planning.formulas.level import level, t_power
from trialsim.planning.formulas.solving import Question, solve


def design_effect(icc: float, cluster_size: float, size_variation: float = 0.0) -> float:
    """Return the variance of a mean of clusters as a multiple of that of as many independent participants.

    Parameters
    ----------
    icc : float
        Intracluster correlation, in [0, 1].
    cluster_size : float
        Mean number of participants in a cluster, at least 1.
    size_variation : float
        Coefficient of variation of the cluster sizes, at least 0.

    Returns
    -------
    float
        1 + (m − 1) ρ, divided by 1 − CV² λ (1 − λ), λ = mρ/(1 + (m − 1)ρ) (van Breukelen, Candel & Berger 2007).

    Raises
    ------
    InputError
        If a number is out of range, or sizes vary so much that the approximation fails.
    """
    within(0.0, 1.0, icc=icc)
    if cluster_size < 1.0 or size_variation < 0.0:
        refuse(
            "cluster_size", f"must be at least 1, and its variation at least 0; are {cluster_size}, {size_variation}"
        )
    equal = 1.0 + (cluster_size - 1.0) * icc
    share = cluster_size * icc / equal
    efficiency = 1.0 - size_variation**2 * share * (1.0 - share)
    if efficiency <= 0.0:
        refuse("size_variation", f"is too large for the approximation: {size_variation:g}")
    return equal / efficiency


def cluster_randomised_means(
    *,
    difference: float | None = None,
    sd: float = 1.0,
    icc: float,
    cluster_size: float,
    size_variation: float = 0.0,
    clusters: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, clusters or detectable difference of means in a cluster-randomised trial.

    Parameters
    ----------
    difference : float, optional
        True difference of means, active − control.
    sd : float
        Total standard deviation, between and within clusters together.
    icc, cluster_size, size_variation : float
        As in `design_effect`.
    clusters : float, optional
        Clusters in both arms together, as many in each; at least 4.
    power : float, optional
        Leave out exactly one of the three.
    alpha, sides, either_direction : as in `means.two_sample_t`

    Returns
    -------
    Answer
        `n` counts clusters; `details` holds `design_effect` and `participants`.

    Raises
    ------
    InputError
        If not exactly one is left out, a number is out of range, or the power cannot be reached.

    Notes
    -----
    Variance of an arm's mean σ² D/(k m), D the design effect, k clusters of m in the arm; t with 2(k − 1) degrees of
    freedom (Donner & Klar 2000).
    """
    positive(sd=sd)
    inflated = design_effect(icc, cluster_size, size_variation)
    at = level(alpha, sides, either_direction)

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        se = sd * math.sqrt(2.0 * inflated / (n[0] * cluster_size))
        return t_power(abs(effect) / se, sum(n) - 2.0, at)

    question = Question(
        power_at,
        at,
        "cluster-randomised means, t",
        least=4.0,
        unit="clusters",
        size_name="clusters",
        inputs={"sd": sd, "icc": icc, "cluster_size": cluster_size, "size_variation": size_variation},
        details_at=lambda _e, n: {"design_effect": inflated, "participants": sum(n) * cluster_size},
    )
    return solve(question, effect=difference, n_total=clusters, power=power)


def cluster_size_for_means(
    *,
    difference: float,
    sd: float = 1.0,
    icc: float,
    clusters: float,
    power: float,
    alpha: float = 0.05,
    sides: int = 2,
) -> Answer:
    """Return the cluster size that a cluster-randomised trial with a given number of clusters needs.

    Parameters
    ----------
    difference, sd, icc, clusters, alpha, sides : as in `cluster_randomised_means`
    power : float
        Between 0 and 1.

    Returns
    -------
    Answer
        The quantity is "size", in participants of each arm.

    Raises
    ------
    InputError
        If a number is out of range, or no cluster size is large enough: the ICC alone sets a limit.

    Notes
    -----
    As `cluster_randomised_means`, with equal clusters.
    """
    positive(sd=sd, clusters=clusters)
    within(0.0, 1.0, icc=icc)
    if clusters < 4.0:
        refuse("clusters", f"must be at least 4, not {clusters:g}")
    at = level(alpha, sides)
    if difference != 0.0 and icc > 0.0:
        limit = t_power(abs(difference) / (sd * math.sqrt(4.0 * icc / clusters)), clusters - 2.0, at)
        if power >= limit:
            refuse(
                "clusters",
                f"are too few for power {power:g}: with {clusters:g} it stays below {limit:.4f}, however large they "
                f"are, since an icc of {icc:g} makes their participants alike; give more clusters",
            )

    def power_at(effect: float, n: tuple[float, ...]) -> float:
        size = sum(n) / clusters
        se = sd * math.sqrt(4.0 * (1.0 + (size - 1.0) * icc) / sum(n))
        return t_power(abs(effect) / se, clusters - 2.0, at)

    question = Question(
        power_at,
        at,
        "cluster-randomised means, t",
        least=clusters,
        inputs={"sd": sd, "icc": icc, "clusters": clusters},
        details_at=lambda _e, n: {"cluster_size": sum(n) / clusters},
    )
    return solve(question, effect=difference, n_total=None, power=power)


def cluster_randomised_proportions(
    *,
    p_control: float,
    p_active: float | None = None,
    icc: float,
    cluster_size: float,
    clusters: float | None = None,
    power: float | None = None,
    direction: str = "up",
    alpha: float = 0.05,
    sides: int = 2,
    either_direction: bool = False,
) -> Answer:
    """Return power, clusters or detectable proportion in a cluster-randomised trial.

    Parameters
    ----------
    p_control, p_active : float
        True proportions, in (0, 1).
    icc, cluster_size, clusters, power, alpha, sides, either_direction : as in `cluster_randomised_means`
    direction : {"up", "down"}
        Where a proportion is looked for that is solved for.

    Returns
    -------
    Answer
        `n` counts clusters; `details` holds `design_effect` and `participants`.

    Raises
    ------
    InputError
        As in `cluster_randomised_means`.

    Notes
    -----
    Unpooled variance (p₀q₀ + p₁q₁) D/(k m), t with 2(k − 1) degrees of freedom (Donner & Klar 2000).
    """
    inside(0.0, 1.0, p_control=p_control, p_active=p_active)
    one_of("direction", direction, ("up", "down"))
    inflated = design_effect(icc, cluster_size)
    at = level(alpha, sides, either_direction)

    def power_at(p: float, n: tuple[float, ...]) -> float:
        variance = (p_control * (1.0 - p_control) + p * (1.0 - p)) * inflated / (n[0] * cluster_size)
        return t_power(abs(p - p_control) / math.sqrt(variance), sum(n) - 2.0, at)

    question = Question(
        power_at,
        at,
        "cluster-randomised proportions, t",
        least=4.0,
        unit="clusters",
        size_name="clusters",
        effect_from=p_control,
        effect_to=1.0 if direction == "up" else 0.0,
        effect_name="p_active",
        inputs={"p_control": p_control, "icc": icc, "cluster_size": cluster_size},
        details_at=lambda _e, n: {"design_effect": inflated, "participants": sum(n) * cluster_size},
    )
    return solve(question, effect=p_active, n_total=clusters, power=power)
