"""Whether the scales can have the means, spreads and correlations asked for; faults say what they can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

_AT_ONCE = 1 << 14
"""Correlations looked at together: what they are computed from takes 2.4 kB each."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether scores can have their correlations.

    Parameters
    ----------
    scales : tuple of Scale or None
        Of the K outcomes; None for continuous ones.
    means, sds : ndarray, shape (V + 1, K), points
        From the baseline on.
    correlation : ndarray, shape (J, J)
    askers : list of (Case, str)
        Who is told what cannot be, with the arm and stratum in words.
    """

    scales: tuple[Scale | None, ...]
    means: FloatArray
    sds: FloatArray
    correlation: FloatArray
    askers: list[tuple[Case, str]]


class Margins:
    """Fitted margins, and questions about them that wait until many are answered at once.

    One answer takes nearly as long as a hundred, and those of a run that is known to be sound need not be given.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Scale, bytes], BoundedMargins] = {}
        self._waiting: dict[tuple[object, ...], _Question] = {}
        self._sound: set[tuple[object, ...]] = set()

    def fit(self, scale: Scale, mean: FloatArray, sd: FloatArray) -> BoundedMargins:
        """Return margins with these means and SDs, arrays of one shape."""
        key = (scale, mean.tobytes() + sd.tobytes())
        if key not in self._known:
            self._known[key] = _fitted(scale, mean, sd)
        return self._known[key]

    def ask(
        self, case: Case, moments: tuple[FloatArray, FloatArray, FloatArray, FloatArray], correlation: FloatArray
    ) -> None:
        """Have `settle` report correlations that the scores cannot have once they are on their scales.

        Parameters
        ----------
        case : Case
        moments : tuple of ndarray
            Baseline mean and SD, (S, K); mean, (A, S, V, K); SD, (S, V, K).
        correlation : ndarray, shape (S, J, J)
        """
        baseline_mean, baseline_sd, mean, sd = moments
        scales = tuple(measure.scale for measure in case.measures)
        for a, s in np.ndindex(mean.shape[:2]):
            means = np.concatenate([baseline_mean[s][None], mean[a, s]])
            sds = np.concatenate([baseline_sd[s][None], sd[s]])
            key = (scales, *(array.tobytes() for array in (means, sds, correlation[s])))
            if key not in self._sound:
                asked = self._waiting.setdefault(key, _Question(scales, means, sds, correlation[s], []))
                if not asked.askers or asked.askers[-1][0] is not case:  # a case is told of the first arm alone
                    asked.askers.append((case, f"in {case.arms[a]}, {case.strata[s]}"))

    def settle(self) -> None:
        """Answer what was asked: what cannot be goes into the ledger of every case that asked."""
        alike: dict[tuple[object, ...], list[tuple[tuple[object, ...], _Question]]] = {}
        for key, asked in self._waiting.items():
            alike.setdefault((asked.scales, asked.means.shape), []).append((key, asked))
        self._waiting = {}
        for questions in alike.values():
            n_scores = questions[0][1].means.size
            at_once = max(1, _AT_ONCE // (n_scores * n_scores))
            for start in range(0, len(questions), at_once):
                keys, some = zip(*questions[start : start + at_once], strict=True)
                self._sound.update(key for key, sound in zip(keys, _answer(some), strict=True) if sound)


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


def _answer(questions: Sequence[_Question]) -> list[bool]:
    """Return which of some questions about the same scales can be, and tell who asked of the others."""
    try:
        latent = latent_correlation(np.stack([asked.correlation for asked in questions]), _scores(questions))
    except (MarginError, CorrelationError) as error:
        if len(questions) > 1:  # the error is of one of them: each on its own has its own
            return [sound for asked in questions for sound in _answer([asked])]
        for case, where in questions[0].askers:
            if isinstance(error, CorrelationError):
                _report_pair(case, error, where)
            else:  # pragma: no cover - check_moments has told it already
                case.ledger.fault(("outcomes",), f"{where}: {error}")
        return [False]
    sound: list[bool] = is_positive_definite(latent).tolist()
    for asked, matrix, can_be in zip(questions, latent, sound, strict=True):
        if not can_be:
            for case, where in asked.askers:
                _report_latent(case, matrix, where)
    return sound


def _scores(questions: Sequence[_Question]) -> list[BoundedMargins | None]:
    """Return the margin of each of the J scores, a batch of the questions, None for continuous ones."""
    means = np.stack([asked.means for asked in questions])
    sds = np.stack([asked.sds for asked in questions])
    fitted = [
        None if scale is None else _fitted(scale, means[..., k], sds[..., k])
        for k, scale in enumerate(questions[0].scales)
    ]
    return [
        None if margin is None else BoundedMargins(margin.values, *(part[:, visit] for part in margin[1:]))
        for visit in range(means.shape[1])
        for margin in fitted
    ]


def _fitted(scale: Scale, mean: FloatArray, sd: FloatArray) -> BoundedMargins:
    return fit_bounded_margins(mean, sd, minimum=scale.minimum, maximum=scale.maximum, step=scale.step)


def _report_pair(case: Case, error: CorrelationError, where: str) -> None:
    i, j = error.pair
    low, high = error.attainable
    message = (
        f"the correlation of {score_name(case, i)} with {score_name(case, j)} {where} cannot be {number(error.target)} "
        f"on these scales: {number(low)} to {number(high)} is attainable"
    )
    case.ledger.fault(_correlation_path(case, i, j), message, key=True, near=("outcomes",))


def _report_latent(case: Case, latent: FloatArray, where: str) -> None:
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
