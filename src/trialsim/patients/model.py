"""The patient model of one variant: margins, latent correlations and dropout hazards, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.kernels.copula import ScoreTable, latent_correlation
from trialsim.kernels.margins import BoundedMargins, fit_bounded_margins, hermite_coefficients
from trialsim.patients.characteristics import CharacteristicModel, build_characteristics
from trialsim.patients.clusters import GroupEffects, build_group_effects
from trialsim.patients.entry import selection_of
from trialsim.patients.needed import needed_outcomes
from trialsim.scenario.resolved import Variant
from trialsim.scenario.selection import Selection

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
        Lower Cholesky factors of the latent correlations, but for what selection at entry looks at; J = K (V + 1),
        baselines first.
    groups : GroupEffects or None
        What groups of patients share; None where there are none.
    slope : ndarray, shape (A, S, V, K), points
        By how much the mean score rises with the latent normals, to first order.
    selection : Selection or None
        Who passes screening and run-in; None where nobody is turned away.
    characteristics : tuple of CharacteristicModel
    needed : frozenset of int
        Outcomes whose scores the scenario's questions, or what happens to patients, depend on.
    """

    variant: Variant
    baseline_margins: tuple[BoundedMargins | None, ...]
    margins: tuple[BoundedMargins | None, ...]
    factor: Array
    groups: GroupEffects | None
    slope: Array
    selection: Selection | None = None
    characteristics: tuple[CharacteristicModel, ...] = ()
    needed: frozenset[int] = frozenset()
    _tables: dict[tuple[int, int, int, int], ScoreTable] = field(default_factory=dict)

    def score_table(self, arm: int, stratum: int, visit: int, outcome: int) -> ScoreTable | None:
        """Return what puts latent normals of an arm and stratum on the scale at a visit; None on the real line.

        Parameters
        ----------
        arm, stratum : int
        visit : int
            -1 is the baseline.
        outcome : int
        """
        margins = self.baseline_margins[outcome] if visit < 0 else self.margins[outcome]
        if margins is None:
            return None
        key = (arm if visit >= 0 else 0, stratum, visit, outcome)
        if key not in self._tables:  # worked out once
            thresholds = margins.thresholds[stratum] if visit < 0 else margins.thresholds[arm, stratum, visit]
            self._tables[key] = ScoreTable(thresholds, margins.values)
        return self._tables[key]


def build_patient_model(variant: Variant) -> PatientModel:
    """Return the patient model of a variant that `scenario.resolve` has checked.

    Parameters
    ----------
    variant : Variant

    Raises
    ------
    InputError
        If groups of patients, or what selection looks at, would share more than their scores can.
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
    ordered = _all_margins(baseline_margins, margins, n_arms, n_visits)
    latent = latent_correlation(target, ordered)
    groups = build_group_effects(variant, latent, ordered)
    own = latent if groups is None else groups.factor @ np.swapaxes(groups.factor, -1, -2)
    selection = selection_of(variant, own, ordered)
    if selection is not None:
        known = selection.loading @ np.swapaxes(selection.loading, -1, -2)
        latent = latent - known
        if groups is not None:
            groups = replace(groups, factor=np.asarray(np.linalg.cholesky(own - known), dtype=np.float64))
    return PatientModel(
        variant,
        tuple(baseline_margins),
        tuple(margins),
        np.asarray(np.linalg.cholesky(latent), dtype=np.float64),
        groups,
        _slopes(variant, margins),
        selection,
        build_characteristics(variant, baseline_margins),
        needed_outcomes(variant),
    )


def _slopes(variant: Variant, margins: list[BoundedMargins | None]) -> Array:
    n_arms = len(variant.arms)
    slope = np.broadcast_to(variant.sd, (n_arms, *variant.sd.shape)).copy()
    for k, margin in enumerate(margins):
        if margin is not None:
            slope[..., k] = hermite_coefficients(margin, order=1)[..., 0]
    return slope


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
