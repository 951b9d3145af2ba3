r"""Who is randomised: those who pass screening and run-in, and how many had to be screened for each of them.

What is selected by are latent normals (`trialsim.kernels.selection`). Participants are drawn from the part that
passes, by the inverse of its distribution function, and everything later given it; so nobody is drawn in vain, and a
participant's draws do not depend on the cut-off of another stratum.

Of those screened a share p passes screening and a share q of them the run-in. Taken in turn until one is randomised,
their number is geometric with mean 1/(pq), and of those turned away a binomial number with chance
:math:`p(1-q)/(1-pq)` goes out in the run-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrik

from trialsim.errors import Fault, InputError
from trialsim.kernels.margins import BoundedMargins
from trialsim.kernels.selection import draw_passing
from trialsim.scenario.resolved import Variant
from trialsim.scenario.resolved_entry import Eligibility, Entry
from trialsim.scenario.selection import Numbers, Selection, SelectionError, build_selection
from trialsim.streams import Streams

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

_GRID_TOLERANCE = 1e-9

_ADDED_UP = 12
"""Numbers up to this one are found by adding up probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Those who are randomised.

    Parameters
    ----------
    latent : ndarray, shape (E, N, R)
        Latent normals of what was selected by.
    inflated : ndarray of bool, shape (R, N)
        Whose screening and baseline scores are recorded too high.
    records : dict of str to ndarray, shape (R, N)
        `screening` (recorded score, points), `screened` (people screened until this one was randomised) and
        `excluded_in_run_in` (of these), where there is such a step.
    """

    latent: Array
    inflated: Flags
    records: dict[str, Array]


def selection_of(variant: Variant, own: Array, margins: Sequence[BoundedMargins | None]) -> Selection | None:
    """Return what a variant selects by; None where nobody is turned away.

    Parameters
    ----------
    variant : Variant
    own : ndarray, shape (A, S, J, J)
        Latent correlations of the scores, without what groups of patients share.
    margins : sequence of J BoundedMargins or None
        Batch shape (A, S).

    Raises
    ------
    InputError
        If what is selected by would have more in common with the scores than there is.
    """
    if variant.entry is None or not variant.entry.selects:
        return None
    numbers = Numbers(
        variant.baseline_mean, variant.baseline_sd, variant.sd, variant.correlation, margins, variant.lower_is_better
    )
    try:
        return build_selection(variant.entry, numbers, own)
    except SelectionError as error:
        raise InputError([Fault(f"population.{error.part}", str(error))]) from error


def admit(
    variant: Variant,
    selection: Selection,
    baseline_margins: Sequence[BoundedMargins | None],
    streams: Streams,
    stratum: Index,
    *,
    count: bool = True,
) -> Admission:
    """Return what is drawn of those who are randomised.

    Parameters
    ----------
    variant : Variant
    selection : Selection
    baseline_margins : sequence of K BoundedMargins or None
        Batch shape (S,).
    streams : Streams
    stratum : ndarray of int, shape (R, N)
    count : bool
        Whether it is counted how many were screened for each of them.
    """
    entry = variant.entry or Entry()
    shape = stratum.shape[::-1]
    steps = [name for name, part in (("screening", entry.eligibility), ("run_in", entry.run_in)) if part is not None]
    latent = np.empty((len(steps), *shape))
    for e, purpose in enumerate(steps):
        bound = selection.bound[:, e][stratum.T]
        latent[e] = draw_passing(streams.generator(purpose).random(shape), bound, above=selection.above[e])
    records: dict[str, Array] = {}
    inflated = np.zeros(stratum.shape, dtype=bool)
    if entry.eligibility is not None:
        score = _screening_score(variant, entry.eligibility, baseline_margins, latent[0], stratum)
        if entry.eligibility.at_least:
            inflated = score < entry.eligibility.cut_off - _GRID_TOLERANCE
        records["screening"] = recorded(variant, entry.eligibility, score, inflated)
    if count:
        records.update(_screened(selection.share, steps, streams, stratum))
    return Admission(latent, inflated, records)


def _screening_score(
    variant: Variant, eligibility: Eligibility, margins: Sequence[BoundedMargins | None], z: Array, stratum: Index
) -> Array:
    """Return the true screening score of latent normals (N, R), shape (R, N), points."""
    k = eligibility.outcome
    margin = margins[k]
    if margin is None:
        return np.asarray(variant.baseline_mean[stratum, k] + variant.baseline_sd[stratum, k] * z.T)
    score = np.empty(stratum.shape)
    for s, thresholds in enumerate(margin.thresholds):
        inside = stratum == s
        score[inside] = margin.values[np.searchsorted(thresholds, z.T[inside])]
    return score


def recorded(variant: Variant, eligibility: Eligibility, score: Array, inflated: Flags) -> Array:
    """Return scores as they are recorded, points.

    Parameters
    ----------
    variant : Variant
    eligibility : Eligibility
    score : ndarray, shape (R, N), points
    inflated : ndarray of bool, shape (R, N)
        To whose score points are added, within the scale.
    """
    scale = variant.scales[eligibility.outcome]
    most = np.inf if scale is None else scale.maximum
    raised = np.minimum(score + eligibility.inflation, most)
    if scale is not None:
        # The same floats as every other score of the scale.
        raised = scale.minimum + np.round((raised - scale.minimum) / scale.step) * scale.step
    return np.where(inflated, raised, score)


def record_baseline(variant: Variant, baseline: Array, inflated: Flags) -> Array:
    """Return the baseline scores as they are recorded, shape (R, N, K), points."""
    eligibility = None if variant.entry is None else variant.entry.eligibility
    if eligibility is None or not inflated.any():
        return baseline
    written = baseline.copy()
    k = eligibility.outcome
    written[..., k] = recorded(variant, eligibility, baseline[..., k], inflated)
    return written


def _screened(share: Array, steps: Sequence[str], streams: Streams, stratum: Index) -> dict[str, Array]:
    """Return how many were screened for each participant, and how many of them went out in the run-in."""
    shape = stratum.shape[::-1]
    both = share.prod(axis=1)[stratum]
    turned_away = geometric(streams.generator("screened").random(shape).T, both)
    found = {"screened": turned_away + 1.0}
    if "run_in" in steps:
        before = share[:, 0] if len(steps) > 1 else np.ones(len(share))
        with np.errstate(divide="ignore", invalid="ignore"):
            chance = before * (1.0 - share[:, -1]) / (1.0 - share.prod(axis=1))
        uniform = streams.generator("screened", time="run_in").random(shape).T
        found["excluded_in_run_in"] = binomial(uniform, turned_away, np.nan_to_num(chance)[stratum])
    return found


def geometric(uniform: Array, share: Array) -> Array:
    """Return numbers of failures before the first success of a share, by inversion; uniform numbers of [0, 1)."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.floor(np.log1p(-uniform) / np.log1p(-share)) + 0.0)


def binomial(uniform: Array, n: Array, chance: Array) -> Array:
    """Return binomial numbers by inversion: the smallest with P(X <= number) > uniform number.

    Parameters
    ----------
    uniform : ndarray
        Of [0, 1).
    n : ndarray
        Whole numbers.
    chance : ndarray
        From 0 to 1.
    """
    u, of, p = np.ravel(uniform), np.ravel(n), np.ravel(chance)
    found = np.where(p >= 1.0, of, 0.0)
    left = np.flatnonzero((of > 0) & (p > 0.0) & (p < 1.0))
    term = (1.0 - p[left]) ** of[left]
    total = term.copy()
    # Most numbers are small, and are had fastest by adding up their probabilities.
    for k in range(_ADDED_UP):
        on = total <= u[left]
        left, term, total = left[on], term[on], total[on]
        found[left] = k + 1.0
        term *= (of[left] - k) / (k + 1.0) * p[left] / (1.0 - p[left])
        total += term
    left = left[total <= u[left]]
    found[left] = _by_inverse(u[left], of[left], p[left])
    return found.reshape(uniform.shape)


def _by_inverse(u: Array, n: Array, p: Array) -> Array:
    """Return binomial numbers by the continuous inverse, which may be off by one at a step."""
    number = np.clip(np.nan_to_num(np.floor(bdtrik(u, n, p))), 0.0, n)
    number = np.where((number > 0) & (bdtr(number - 1.0, n.astype(np.intp), p) > u), number - 1.0, number)
    low = (number < n) & (bdtr(number, n.astype(np.intp), p) <= u)
    return np.asarray(np.where(low, number + 1.0, number))
