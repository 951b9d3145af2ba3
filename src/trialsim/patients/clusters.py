r"""Groups of patients: who is in which, and what the members share.

Therapy groups of a given size are filled in order of enrolment within an arm; a given number of groups, such as sites,
is joined in turn; and where the running of the trial is simulated, sites and therapy groups may be those that came
about. A group adds to the scores after baseline of its members what they share, one effect for each
outcome, the same at all visits (`trialsim.kernels.group_effects`); several kinds of groups add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import Fault, InputError
from trialsim.kernels.group_effects import GroupError, between_outcomes, split
from trialsim.kernels.margins import BoundedMargins
from trialsim.scenario.grouping import by_score, too_large
from trialsim.scenario.resolved import Cluster, Variant
from trialsim.streams import Streams

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class GroupEffects:
    """What groups share, and what is left to the patients themselves.

    Parameters
    ----------
    loading : ndarray, shape (C, A, S, J)
        Of each kind of group on each score: square roots of latent intraclass correlations; 0 for baselines and for
        arms without such groups.
    between : ndarray, shape (K, K)
        Lower Cholesky factor of the correlation of a group's effects on two outcomes.
    factor : ndarray, shape (A, S, J, J)
        Lower Cholesky factor of the patients' own part, R − G.
    """

    loading: Array
    between: Array
    factor: Array


def build_group_effects(
    variant: Variant, latent: Array, margins: Sequence[BoundedMargins | None]
) -> GroupEffects | None:
    """Return what the groups of a variant share; None where there are no groups.

    Parameters
    ----------
    variant : Variant
    latent : ndarray, shape (A, S, J, J)
        Latent correlations R.
    margins : sequence of J BoundedMargins or None
        In the order of the correlations, batch shape (A, S).

    Raises
    ------
    InputError
        If groups would share more than a patient's scores at two visits have in common.
    """
    if not variant.clusters:
        return None
    between = between_outcomes(np.asarray(variant.correlation), len(variant.outcomes))
    icc = np.stack([by_score(cluster, len(variant.visits_days)) for cluster in variant.clusters])
    try:
        share, own = split(latent, icc, [cluster.arms for cluster in variant.clusters], margins, between)
    except GroupError as error:
        path = f"clusters.{variant.clusters[error.group].name}.icc"
        raise InputError([Fault(path, too_large(error, variant.clusters, variant.outcomes))]) from error
    factors = (np.asarray(np.linalg.cholesky(part), dtype=np.float64) for part in (between, own))
    return GroupEffects(np.sqrt(share), *factors)


def memberships(variant: Variant, arm: Index, found: Mapping[str, Index] = MappingProxyType({})) -> dict[str, Index]:
    """Return the group of every participant by name of the clusters; −1 for none.

    Parameters
    ----------
    variant : Variant
    arm : ndarray of int, shape (R, N)
        In order of enrolment.
    found : mapping of str to ndarray of int, shape (R, N)
        Groups that came about otherwise; they stand instead of those made here.

    Returns
    -------
    dict of str to ndarray of int, shape (R, N)
        With a `size`, groups are numbered in turn over the arms that have them, so that no two arms share one; the
        last group of an arm may have fewer members. Of a larger trial the first participants keep their groups.
    """
    return {
        cluster.name: _groups(cluster, arm) if cluster.name not in found else found[cluster.name]
        for cluster in variant.clusters
    }


def _groups(cluster: Cluster, arm: Index) -> Index:
    groups = np.full(arm.shape, -1, dtype=np.intp)
    if cluster.number:
        inside = np.isin(arm, cluster.arms)
        groups[inside] = ((np.cumsum(inside, axis=1) - 1) % cluster.number)[inside]
        return groups
    for position, one in enumerate(cluster.arms):
        inside = arm == one
        place = np.cumsum(inside, axis=1) - 1
        groups[inside] = (place // cluster.size * len(cluster.arms) + position)[inside]
    return groups


def draw_shared(
    variant: Variant, effects: GroupEffects, groups: Mapping[str, Index], arm: Index, streams: Streams
) -> Array:
    """Return the standard normal effect of everybody's groups.

    Parameters
    ----------
    variant : Variant
    effects : GroupEffects
    groups : mapping of str to ndarray of int, shape (R, N)
        Of `memberships`.
    arm : ndarray of int, shape (R, N)
    streams : Streams

    Returns
    -------
    ndarray, shape (C, K, N, R)
        0 for who is in no group. Neither another kind of group nor another outcome, arm or participant moves a draw.
    """
    n_replicates, n_participants = arm.shape
    n_outcomes = len(variant.outcomes)
    shared = np.zeros((len(variant.clusters), n_outcomes, n_participants, n_replicates))
    for c, cluster in enumerate(variant.clusters):
        drawn = shared[c]
        across = cluster.number or cluster.made_by
        for arms in [cluster.arms] if across else [(one,) for one in cluster.arms]:
            # Groups that lie within an arm are drawn arm by arm; those across arms belong to none.
            name = "" if across else variant.arms[arms[0]]
            n, r = np.nonzero((np.isin(arm, arms) & (groups[cluster.name] >= 0)).T)
            member = groups[cluster.name][r, n] // (1 if across else len(cluster.arms))
            n_groups = int(member.max(initial=-1)) + 1
            for k, outcome in enumerate(variant.outcomes):
                generator = streams.generator("group", f"{cluster.name}/{name}/{outcome}")
                drawn[k, n, r] = generator.standard_normal((n_groups, n_replicates))[member, r]
        drawn[:] = np.einsum("kl,lnr->knr", effects.between, drawn)
    return shared
