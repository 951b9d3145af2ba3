"""The patient model of one variant: margins, latent correlations and dropout hazards, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.copula import latent_correlation
from trialsim.kernels.margins import BoundedMargins, fit_bounded_margins
from trialsim.scenario.resolved import Variant

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PatientModel:
    """All that is needed to draw patients of one variant.

    Parameters
    ----------
    variant : Variant
    baseline_margins : tuple of (BoundedMargins or None)
        One for each outcome, batch shape (S,); None on the real line.
    margins : tuple of (BoundedMargins or None)
        One for each outcome, batch shape (A, S, V).
    factor : ndarray, shape (A, S, J, J)
        Lower Cholesky factors of the latent correlations; J = K (V + 1), baselines first.
    """

    variant: Variant
    baseline_margins: tuple[BoundedMargins | None, ...]
    margins: tuple[BoundedMargins | None, ...]
    factor: Array


def build_patient_model(variant: Variant) -> PatientModel:
    """Return the patient model of a variant that `scenario.resolve` has checked.

    Parameters
    ----------
    variant : Variant
    """
    n_arms, n_strata, n_visits, _ = variant.mean.shape
    baseline_margins: list[BoundedMargins | None] = []
    margins: list[BoundedMargins | None] = []
    for k, scale in enumerate(variant.scales):
        if scale is None:
            baseline_margins.append(None)
            margins.append(None)
            continue
        grid = {"minimum": scale.minimum, "maximum": scale.maximum, "step": scale.step}
        baseline_margins.append(fit_bounded_margins(variant.baseline_mean[:, k], variant.baseline_sd[:, k], **grid))
        sd = np.broadcast_to(variant.sd[None, :, :, k], (n_arms, n_strata, n_visits))
        margins.append(fit_bounded_margins(variant.mean[..., k], sd, **grid))
    target = np.broadcast_to(variant.correlation, (n_arms, *variant.correlation.shape))
    latent = latent_correlation(target, _all_margins(baseline_margins, margins, n_arms, n_visits))
    return PatientModel(
        variant, tuple(baseline_margins), tuple(margins), np.asarray(np.linalg.cholesky(latent), dtype=np.float64)
    )


def _all_margins(
    baseline: list[BoundedMargins | None], later: list[BoundedMargins | None], n_arms: int, n_visits: int
) -> list[BoundedMargins | None]:
    """Return the J margins in the order of the correlation matrix, each of batch shape (A, S)."""
    ordered = [None if m is None else _for_arms(m, n_arms) for m in baseline]
    for v in range(n_visits):
        ordered += [None if m is None else _at_visit(m, v) for m in later]
    return ordered


def _for_arms(margins: BoundedMargins, n_arms: int) -> BoundedMargins:
    return BoundedMargins(margins.values, *(np.broadcast_to(part, (n_arms, *part.shape)) for part in margins[1:]))


def _at_visit(margins: BoundedMargins, visit: int) -> BoundedMargins:
    return BoundedMargins(margins.values, *(part[:, :, visit] for part in margins[1:]))
