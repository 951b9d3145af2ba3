"""Whether the scales can have the means, spreads and correlations asked for; faults say what they can have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from trialsim.kernels.copula import CorrelationError, latent_correlation
from trialsim.kernels.correlation import is_positive_definite, worst_pair
from trialsim.kernels.margins import BoundedMargins, MarginError, attainable_sd, fit_bounded_margins
from trialsim.scenario.case import Case
from trialsim.scenario.correlations import score_name
from trialsim.scenario.words import number

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray, Scale

Path = tuple[str | int, ...]

SMALLEST_SD = 1e-6
"""In steps of the scale: below it a score is a constant, which has no correlation with anything."""


class Margins:
    """Fitted margins by moments, so that variants that share an arm share the work."""

    def __init__(self) -> None:
        self._known: dict[tuple[Scale, bytes], BoundedMargins] = {}
        self._passed: set[bytes] = set()

    def fit(self, scale: Scale, mean: FloatArray, sd: FloatArray) -> BoundedMargins:
        """Return margins with these means and SDs, arrays of one shape."""
        key = (scale, mean.tobytes() + sd.tobytes())
        if key not in self._known:
            grid = {"minimum": scale.minimum, "maximum": scale.maximum, "step": scale.step}
            self._known[key] = fit_bounded_margins(mean, sd, **grid)
        return self._known[key]

    def is_new(self, *arrays: FloatArray) -> bool:
        """Whether this combination has not been asked for before."""
        key = b"".join(array.tobytes() for array in arrays)
        new = key not in self._passed
        self._passed.add(key)
        return new


def check_moments(
    case: Case, baseline_mean: FloatArray, baseline_sd: FloatArray, mean: FloatArray, sd: FloatArray
) -> bool:
    """Report means outside their scale and spreads that cannot be; return whether all is well.

    Parameters
    ----------
    case : Case
    baseline_mean, baseline_sd : ndarray, shape (S, K), points
    mean : ndarray, shape (A, S, V, K), points
    sd : ndarray, shape (S, V, K), points
    """
    n_faults = len(case.ledger.faults)
    for k, measure in enumerate(case.measures):
        if measure.scale is None:
            continue
        at_baseline = [
            _check_baseline(case, s, k, baseline_mean[s, k], baseline_sd[s, k]) for s in range(len(case.strata))
        ]
        # Later means start from the baseline, so where that is at fault they would only repeat it.
        for s, a in product(np.flatnonzero(at_baseline).tolist(), range(len(case.arms))):
            if not _check_means(case, (a, s, k), mean[a, s, :, k]):
                at_baseline[s] = False
        if all(at_baseline):
            _check_spread(case, k, mean[..., k], sd[..., k])
    return len(case.ledger.faults) == n_faults


def _check_baseline(case: Case, s: int, k: int, mean: float, sd: float) -> bool:
    measure, path = case.measures[k], ("population", "strata", case.strata[s], "baseline", case.outcomes[k])
    where = f"{measure.name} at baseline in {case.strata[s]}"
    scale = measure.scale
    if scale is None or np.isnan(mean) or np.isnan(sd):
        return True
    if not scale.minimum < mean < scale.maximum:
        case.ledger.fault(path, _outside(where, mean, scale))
        return False
    low, high = _attainable(mean, scale)
    if not low <= sd <= high:
        case.ledger.fault(path, _impossible_sd(where, mean, sd, low, high))
    return bool(low <= sd <= high)


def _check_means(case: Case, position: tuple[int, int, int], means: FloatArray) -> bool:
    """Report the visit at which an arm's mean is furthest outside the scale; NaN is passed over, its fault is known."""
    a, s, k = position
    scale = case.measures[k].scale
    if scale is None or np.isnan(means).any():
        return True
    excess = np.maximum(scale.minimum - means, means - scale.maximum)
    v = int(np.argmax(excess))
    if excess[v] >= 0:
        where = f"{case.outcomes[k]} at day {case.visits[v]:g} in {case.arms[a]}, {case.strata[s]}"
        case.ledger.fault(mean_path(case, a, k), _outside(where, means[v], scale))
    return bool(excess[v] < 0)


def _check_spread(case: Case, k: int, mean: FloatArray, sd: FloatArray) -> None:
    """Report the arm, stratum and visit where an SD is furthest from what the scale allows.

    Parameters
    ----------
    case : Case
    k : int
    mean : ndarray, shape (A, S, V), points
    sd : ndarray, shape (S, V), points
    """
    scale = case.measures[k].scale
    if scale is None:
        return
    low, high = _attainable(mean, scale)
    excess = np.nan_to_num(np.maximum(sd - high, low - sd), nan=-np.inf)
    a, s, v = (int(i) for i in np.unravel_index(np.argmax(excess), excess.shape))
    if excess[a, s, v] > 0:
        where = f"{case.outcomes[k]} at day {case.visits[v]:g} in {case.arms[a]}, {case.strata[s]}"
        message = _impossible_sd(where, mean[a, s, v], sd[s, v], low[a, s, v], high[a, s, v])
        case.ledger.fault(("outcomes", case.outcomes[k], "post_sd"), message)


def _attainable(mean: float | FloatArray, scale: Scale) -> tuple[FloatArray, FloatArray]:
    """Return the smallest SD that is not a constant, and the largest."""
    low, high = attainable_sd(mean, minimum=scale.minimum, maximum=scale.maximum, step=scale.step)
    return np.maximum(low, SMALLEST_SD * scale.step), high


def _outside(where: str, mean: float, scale: Scale) -> str:
    bounds = f"{number(scale.minimum)} to {number(scale.maximum)}"
    return f"the mean of {where} would be {number(mean)}, outside the scale: strictly within {bounds} is attainable"


def _impossible_sd(where: str, mean: float, sd: float, low: float | FloatArray, high: float | FloatArray) -> str:
    # On a scale with two scores the mean leaves one SD only, to be given with all its digits.
    digits = 4 if float(high) - float(low) > 1e-3 * float(high) else 12
    bounds = f"{float(low):.{digits}g} to {float(high):.{digits}g}"
    return f"the SD of {where} cannot be {number(sd)} with a mean of {number(mean)}: {bounds} is attainable"


def mean_path(case: Case, arm: int, k: int) -> Path:
    """Return the path that most directly sets an arm's mean in an outcome."""
    name, outcome = case.arms[arm], case.outcomes[k]
    if outcome in (case.content.course.means or {}):
        return ("course", "means", outcome, name)
    own_points = case.content.effects[name].points if name in case.content.effects else None
    therapy = case.content.therapies.get(case.arm(arm).therapy or "")
    if therapy is not None and outcome in (therapy.effects or {}) and outcome not in (own_points or {}):
        return ("therapies", str(case.arm(arm).therapy), "effects", outcome)
    if name in case.content.effects:
        effect = case.content.effects[name]
        kinds = ("open_label_change", "points", "standardised")
        kind = next(kind for kind in kinds if getattr(effect, kind) is not None)
        return ("effects", name, kind, outcome)
    if outcome in (case.content.course.control_change or {}):
        return ("course", "control_change", outcome)
    active = next((arm for arm, effect in case.content.effects.items() if effect.open_label_change is not None), None)
    return ("effects", active, "specific_share") if active else ("course", "control_change", outcome)


def check_correlations(
    case: Case,
    margins: Margins,
    moments: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    correlation: FloatArray,
) -> None:
    """Report correlations that the scores cannot have once they are on their scales.

    Parameters
    ----------
    case : Case
    margins : Margins
    moments : tuple of ndarray
        Baseline mean and SD, (S, K); mean, (A, S, V, K); SD, (S, V, K).
    correlation : ndarray, shape (S, J, J)
    """
    baseline_mean, baseline_sd, mean, sd = moments
    for a, s in np.ndindex(mean.shape[:2]):
        means = np.concatenate([baseline_mean[s][None], mean[a, s]])  # (V + 1, K)
        sds = np.concatenate([baseline_sd[s][None], sd[s]])
        if not margins.is_new(means, sds, correlation[s]):
            continue
        where = f"in {case.arms[a]}, {case.strata[s]}"
        try:
            scores = list(_scores(case, margins, means, sds))
            latent = latent_correlation(correlation[s], scores)
        except MarginError as error:  # pragma: no cover - check_moments has told it already
            case.ledger.fault(("outcomes",), f"{where}: {error}")
        except CorrelationError as error:
            _report_pair(case, error, where)
        else:
            _check_latent(case, latent, where)


def _scores(case: Case, margins: Margins, means: FloatArray, sds: FloatArray) -> Iterator[BoundedMargins | None]:
    """Yield the margin of each of the J scores, None for continuous ones."""
    fitted = [
        None if measure.scale is None else margins.fit(measure.scale, means[:, k].copy(), sds[:, k].copy())
        for k, measure in enumerate(case.measures)
    ]
    for visit in range(len(means)):
        for margin in fitted:
            if margin is None:
                yield None
            else:
                at_visit = (margin.probabilities[visit], margin.thresholds[visit], margin.mean[visit], margin.sd[visit])
                yield BoundedMargins(margin.values, *at_visit)


def _report_pair(case: Case, error: CorrelationError, where: str) -> None:
    i, j = error.pair
    low, high = error.attainable
    message = (
        f"the correlation of {score_name(case, i)} with {score_name(case, j)} {where} cannot be {number(error.target)} "
        f"on these scales: {number(low)} to {number(high)} is attainable"
    )
    case.ledger.fault(_correlation_path(case, i, j), message, key=True, near=("outcomes",))


def _check_latent(case: Case, latent: FloatArray, where: str) -> None:
    if not is_positive_definite(latent):
        i, j = worst_pair(latent)
        message = (
            f"the correlations cannot all be had on these scales {where}: most to blame is {score_name(case, i)} with "
            f"{score_name(case, j)}; a smaller correlation or scale: continuous would do"
        )
        case.ledger.fault(_correlation_path(case, i, j), message, key=True, near=("outcomes",))


def _correlation_path(case: Case, i: int, j: int) -> Path:
    """Return the path that sets the correlation of two scores."""
    size = len(case.measures)
    if i % size != j % size:
        return ("covariance", "outcomes")
    return ("outcomes", case.outcomes[i % size]) if i < size else ("covariance", "visits")
