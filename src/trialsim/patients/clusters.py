r"""Groups of patients: who is in which, and what the members share.

Therapy groups of a given size, or of sizes drawn from a range, are filled in order of enrolment within an arm, or have
their places taken again by newcomers; a given number of groups, such as sites, is joined in turn; a therapist leads
several groups; and where the running of the trial is simulated, sites and therapy groups may be those that came about.
A group adds to the scores after baseline of its members what they share, one effect for each outcome, the same at all
visits or growing with the therapy (`trialsim.kernels.group_effects`); several kinds of groups add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
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
    icc = np.stack([by_score(cluster) for cluster in variant.clusters])
    try:
        share, own = split(latent, icc, [cluster.arms for cluster in variant.clusters], margins, between)
    except GroupError as error:
        path = f"clusters.{variant.clusters[error.group].name}.icc"
        raise InputError([Fault(path, too_large(error, variant.clusters, variant.outcomes))]) from error
    factors = (np.asarray(np.linalg.cholesky(part), dtype=np.float64) for part in (between, own))
    return GroupEffects(np.sqrt(share), *factors)


def memberships(
    variant: Variant, arm: Index, streams: Streams, came_about: Mapping[str, Index] = MappingProxyType({})
) -> dict[str, Index]:
    """Return the group of every participant by name of the clusters; −1 for none.

    Parameters
    ----------
    variant : Variant
    arm : ndarray of int, shape (R, N)
        In order of enrolment.
    streams : Streams
        Of the sizes of groups, where they differ.
    came_about : mapping of str to ndarray of int, shape (R, N)
        Groups that came about otherwise; they stand instead of those made here.

    Returns
    -------
    dict of str to ndarray of int, shape (R, N)
        Groups within an arm are numbered in turn over the arms that have them, so that no two arms share one; the last
        group that is filled may have fewer members. Of a larger trial the first participants keep their groups.
    """
    found = {
        cluster.name: came_about[cluster.name]
        if cluster.name in came_about
        else _groups(cluster, variant, arm, streams)
        for cluster in variant.clusters
        if not cluster.of
    }
    for cluster in variant.clusters:
        if cluster.of:
            found[cluster.name] = _leaders(cluster, _named(variant, cluster.of), found[cluster.of])
    return {cluster.name: found[cluster.name] for cluster in variant.clusters}


def _named(variant: Variant, name: str) -> Cluster:
    return next(cluster for cluster in variant.clusters if cluster.name == name)


def _groups(cluster: Cluster, variant: Variant, arm: Index, streams: Streams) -> Index:
    groups = np.full(arm.shape, -1, dtype=np.intp)
    if not cluster.size:
        inside = np.isin(arm, cluster.arms)
        groups[inside] = ((np.cumsum(inside, axis=1) - 1) % cluster.number)[inside]
        return groups
    for position, one in enumerate(cluster.arms):
        inside = arm == one
        place = np.cumsum(inside, axis=1) - 1
        if cluster.rolling:
            own = place % cluster.number
        elif cluster.size == cluster.largest:
            own = place // cluster.size
        else:
            own = _filled(place, _sizes(cluster, variant.arms[one], arm.shape, streams))
        groups[inside] = (own * len(cluster.arms) + position)[inside]
    return groups


def _sizes(cluster: Cluster, arm: str, shape: tuple[int, ...], streams: Streams) -> Index:
    """Return the sizes of an arm's groups, as many as all participants could need, shape (R, G)."""
    n_replicates, n_participants = shape
    most = -(-n_participants // cluster.size)
    uniform = streams.generator("group_size", f"{cluster.name}/{arm}").random((most, n_replicates)).T
    return cluster.size + np.floor(uniform * (cluster.largest - cluster.size + 1)).astype(np.intp)


def _filled(place: Index, sizes: Index) -> Index:
    """Return the group of who has a place, counted within the arm, when groups of sizes (R, G) are filled in turn."""
    ends = np.cumsum(sizes, axis=1)
    # One search for all replicates: each has a stretch of the number line to itself.
    stretch = ends.max() + 1 + place.max()
    offset = np.arange(len(place))[:, None] * stretch
    at = np.searchsorted((ends + offset).reshape(-1), (place + offset).reshape(-1), side="right")
    return np.asarray(at.reshape(place.shape) - np.arange(len(place))[:, None] * sizes.shape[1])


def _leaders(cluster: Cluster, led: Cluster, groups: Index) -> Index:
    """Return who leads everybody's group: each takes the next groups to begin, within an arm where those are."""
    n_arms = len(led.arms) if led.within_arms else 1
    own, position = np.divmod(groups, n_arms)
    return np.where(groups < 0, -1, own // cluster.groups_each * n_arms + position)


def draw_shared(
    variant: Variant, effects: GroupEffects, groups: Mapping[str, Index], arm: Index, streams: Streams
) -> Array:
    r"""Return the standard normal effect of everybody's groups.

    In a group with rolling entry, of m members at a time, the member who joins as number q has
    :math:`m^{-1/2} \sum_{j=q}^{q+m-1} w_j`, w standard normal: two who join d places apart have the correlation
    :math:`\max(0, 1 - d/m)` of who is there at the same time.

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
        within = (_named(variant, cluster.of) if cluster.of else cluster).within_arms
        for arms in [(one,) for one in cluster.arms] if within else [cluster.arms]:
            # Groups that lie within an arm are drawn arm by arm; those across arms belong to none.
            name = variant.arms[arms[0]] if within else ""
            n, r = np.nonzero((np.isin(arm, arms) & (groups[cluster.name] >= 0)).T)
            member = groups[cluster.name][r, n] // (len(cluster.arms) if within else 1)
            for k, outcome in enumerate(variant.outcomes):
                generator = streams.generator("group", f"{cluster.name}/{name}/{outcome}")
                if cluster.rolling:
                    joined = (np.cumsum(np.isin(arm, arms), axis=1)[r, n] - 1) // cluster.number
                    drawn[k, n, r] = _rolling(generator, cluster, joined, member, r, n_replicates)
                else:
                    n_groups = int(member.max(initial=-1)) + 1
                    drawn[k, n, r] = generator.standard_normal((n_groups, n_replicates))[member, r]
        drawn[:] = np.einsum("kl,lnr->knr", effects.between, drawn)
    return shared


def _rolling(
    generator: Generator, cluster: Cluster, joined: Index, slot: Index, replicate: Index, n_replicates: int
) -> Array:
    """Return the effects on members by their number in the group: a moving average over who is there with them."""
    length = int(joined.max(initial=-1)) + 1 + cluster.size
    total = np.zeros((length, cluster.number, n_replicates))
    np.cumsum(generator.standard_normal((length - 1, cluster.number, n_replicates)), axis=0, out=total[1:])
    spanned = total[joined + cluster.size, slot, replicate] - total[joined, slot, replicate]
    return np.asarray(spanned / np.sqrt(cluster.size))
