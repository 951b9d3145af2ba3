"""Whether groups of patients can share as much as a scenario asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trialsim.kernels.copula import latent_correlation
from trialsim.kernels.group_effects import GroupError, between_outcomes, split
from trialsim.kernels.margins import BoundedMargins
from trialsim.scenario.resolved import Cluster

if TYPE_CHECKING:
    from trialsim.scenario.attainable import Margins
    from trialsim.scenario.case import Case
    from trialsim.scenario.resolved import FloatArray


def check_groups(
    case: Case,
    margins: Margins,
    moments: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    correlation: FloatArray,
    clusters: Sequence[Cluster],
) -> None:
    """Report the groups whose intraclass correlation is too large, with the largest possible one.

    Parameters
    ----------
    case : Case
    margins : Margins
    moments : tuple of ndarray
        Baseline mean and SD, (S, K); mean, (A, S, V, K); SD, (S, V, K).
    correlation : ndarray, shape (S, J, J)
        That the scores can have.
    clusters : sequence of Cluster
    """
    if not clusters:
        return
    margins.settle()
    if case.ledger.faults:
        return
    scores = score_margins(case, margins, moments)
    n_arms = moments[2].shape[0]
    latent = latent_correlation(np.broadcast_to(correlation, (n_arms, *correlation.shape)), scores)
    icc = np.stack([by_score(cluster) for cluster in clusters])
    between = between_outcomes(correlation, len(case.measures))
    try:
        split(latent, icc, [cluster.arms for cluster in clusters], scores, between)
    except GroupError as error:
        cluster = clusters[error.group]
        case.ledger.fault(("clusters", cluster.name, "icc"), too_large(error, clusters, case.outcomes))


def by_score(cluster: Cluster) -> FloatArray:
    """Return the intraclass correlations of the J scores, 0 for the baselines."""
    later = cluster.growth[:, None] ** 2 * cluster.icc
    return np.concatenate([np.zeros(len(cluster.icc)), later.reshape(-1)])


def too_large(error: GroupError, clusters: Sequence[Cluster], outcomes: Sequence[str]) -> str:
    """Return what is wrong in words, with the largest intraclass correlation there can be."""
    icc = clusters[error.group].icc
    k = int(np.argmax(icc))
    of = f" of {outcomes[k]}" if len(outcomes) > 1 else ""
    beside = " beside the other groups" if len(clusters) > 1 else ""
    possible = np.floor(1e4 * error.share * icc[k]) / 1e4
    return (
        f"the intraclass correlation{of} must be at most {possible:g}{beside}, not {icc[k]:g}: what a group shares is "
        "the same at all visits and not there at baseline, and a patient's scores at two visits have no more than "
        "that in common"
    )


def score_margins(
    case: Case, margins: Margins, moments: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
) -> list[BoundedMargins | None]:
    """Return the margin of each of the J scores, batch shape (A, S); None for continuous ones."""
    baseline_mean, baseline_sd, mean, sd = moments
    # The baseline is one more visit, the same in all arms.
    means = np.concatenate([np.broadcast_to(baseline_mean[None, :, None], mean[:, :, :1].shape), mean], axis=2)
    sds = np.broadcast_to(np.concatenate([baseline_sd[:, None], sd], axis=1), means.shape)
    fitted = [
        None if measure.scale is None else margins.fit(measure.scale, means[..., k].copy(), sds[..., k].copy())
        for k, measure in enumerate(case.measures)
    ]
    return [
        None if m is None else BoundedMargins(m.values, *(part[:, :, v] for part in m[1:]))
        for v in range(means.shape[2])
        for m in fitted
    ]
