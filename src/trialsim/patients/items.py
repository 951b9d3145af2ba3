r"""Item scores behind a total: what a patient ticked, given what it adds up to.

A total is a number of points to be placed. Each domain (QIDS-SR16) or item (BSL-23) offers as many places as it has
points above 0, and the total is shared out point by point without replacement, every free place of domain k standing a
chance proportional to the patient's severity weight :math:`w_k`: Wallenius' multivariate hypergeometric distribution.
Every total that the scale has can be placed, and is reproduced exactly. It is drawn at once as a race: place j of
domain k arrives at :math:`-\log(1 - u_{kj}) / w_k`, and the first `total` places count. So with the same uniform
numbers a higher total lowers no domain. A domain whose score is known already, as item 12 is where suicidal ideation is
an outcome of its own, has its places filled before the race: the others run for what is left.

The weights are log-normal over patients around those of the evidence (`defaults.items`), which makes patients differ in
profile. This is an assumption: no item scores of this population are published.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from trialsim.evidence import get

Array = NDArray[np.float64]
Items = NDArray[np.int8]
Index = NDArray[np.intp]

QIDS_DOMAINS = (
    "sleep",
    "sad",
    "appetite_weight",
    "concentration",
    "self_view",
    "suicidal_ideation",
    "interest",
    "energy",
    "psychomotor",
)
"""The nine domains whose sum is the total, in the order of their first items."""

QIDS_PROFILE = len(QIDS_DOMAINS)
"""Uniform numbers that make a patient's profile: the first of those `qids_items` takes."""

_QIDS_PLACES = 3 * QIDS_PROFILE
_SLEEP, _APPETITE, _PSYCHOMOTOR = 0, 2, 8  # domains that are maxima over items
_SUICIDAL = QIDS_DOMAINS.index("suicidal_ideation")
_SINGLE = {1: 5, 3: 10, 4: 11, 5: 12, 6: 13, 7: 14}  # domain: the one item, counted from 1, that it is

QIDS_UNIFORMS = QIDS_PROFILE + _QIDS_PLACES + 10
"""Uniform numbers that one patient's QIDS-SR16 takes: profile, places, then 5, 3 and 2 inside the three maxima."""

BSL23_PROFILE = 23
"""Uniform numbers that make a patient's profile: the first of those `bsl23_items` takes."""

BSL23_UNIFORMS = BSL23_PROFILE + 4 * BSL23_PROFILE
"""Uniform numbers that one patient's BSL-23 takes."""

_SMALLEST = 2.0**-54  # a uniform number of exactly 0 would be a weight of 0


def qids_items(total: ArrayLike, uniforms: Array, suicidal_ideation: ArrayLike | None = None) -> Items:
    r"""Return the sixteen QIDS-SR16 items of patients with given totals.

    Parameters
    ----------
    total : array_like, shape (...), points
        Whole numbers from 0 to 27.
    uniforms : ndarray, broadcast to (..., QIDS_UNIFORMS)
        Uniform numbers from 0 to 1, 1 excluded; the axes before the last are those of `total`, participants first where
        they are to keep their draws as a trial grows. The first `QIDS_PROFILE` are the patient's profile: the same ones
        at every visit keep it.
    suicidal_ideation : array_like, broadcast to (...), points, optional
        What item 12 is known to be, whole numbers from 0 to 3; NaN where it is not known, and drawn like the others.

    Returns
    -------
    ndarray of int8, shape (..., 16)
        Items 1 to 16, each 0 to 3. `qids_total` of them is the total. Of the items on less and on more appetite or
        weight (6 and 8, 7 and 9) only those of one direction are above 0, as the form asks.

    Raises
    ------
    ValueError
        If a total is not a whole number from 0 to 27, a known item 12 not one from 0 to 3, or their shapes differ.

    Notes
    -----
    1. The nine domains, as the module says. Of a total t and a known s, item 12 is
       :math:`s' = \min(\max(s, t - 24), t)`, the nearest that t allows: s itself unless s > t, or t - s > 24, which is
       more than the other eight domains hold. They share out t - s', which does not fall as t rises.
    2. In a domain of several items one, any with the same chance, has the domain's score d; the others are uniform on
       0, ..., d. The three maxima are thus kept exactly.
    """
    points = _points(total, 27, "QIDS-SR16 total")
    uniforms = _matching(uniforms, points, QIDS_UNIFORMS, "QIDS-SR16")
    weights = np.array([_assumed(f"qids_sr16.{domain}.weight") for domain in QIDS_DOMAINS])
    profile, places, inside = np.split(uniforms, [QIDS_PROFILE, QIDS_PROFILE + _QIDS_PLACES], axis=-1)
    weights = weights * np.exp(_assumed("qids_sr16.profile_sd") * ndtri(np.maximum(profile, _SMALLEST)))
    arrival = _arrivals(weights, places)
    if suicidal_ideation is not None:
        arrival[..., _SUICIDAL, :] = _settled(arrival[..., _SUICIDAL, :], _possible(suicidal_ideation, points))
    domains = _share_out(points, arrival)
    items = np.zeros((*points.shape, 16), dtype=np.int8)
    for domain, item in _SINGLE.items():
        items[..., item - 1] = domains[..., domain]
    items[..., 0:4] = _with_maximum(domains[..., _SLEEP], inside[..., 0:5])
    items[..., 14:16] = _with_maximum(domains[..., _PSYCHOMOTOR], inside[..., 8:10])
    pair = _with_maximum(domains[..., _APPETITE], inside[..., 5:7])  # appetite, weight
    more = inside[..., 7:8] >= 0.5
    items[..., 5:9:2] = np.where(more, 0, pair)  # 6, 8: decreased
    items[..., 6:9:2] = np.where(more, pair, 0)  # 7, 9: increased
    return items


def bsl23_items(score: ArrayLike, uniforms: Array) -> Items:
    """Return the 23 BSL-23 items of patients with given scores.

    Parameters
    ----------
    score : array_like, shape (...), mean item score
        From 0 to 4 in steps of 1/23.
    uniforms : ndarray, broadcast to (..., BSL23_UNIFORMS)
        Uniform numbers from 0 to 1, 1 excluded; axes as for `qids_items`. The first `BSL23_PROFILE` are the patient's
        profile.

    Returns
    -------
    ndarray of int8, shape (..., 23)
        Each 0 to 4; `bsl23_score` of them is the score.

    Raises
    ------
    ValueError
        If a score is not on the scale's steps, or the uniform numbers are of another shape.

    Notes
    -----
    All items have the same weight but for the patient's profile, for want of published item means.
    """
    points = _points(23 * np.asarray(score, dtype=np.float64), 92, "BSL-23 sum (23 times the score)")
    uniforms = _matching(uniforms, points, BSL23_UNIFORMS, "BSL-23")
    profile, places = np.split(uniforms, [BSL23_PROFILE], axis=-1)
    weights = np.exp(_assumed("bsl23.profile_sd") * ndtri(np.maximum(profile, _SMALLEST)))
    return _share_out(points, _arrivals(weights, places))


def qids_domains(items: ArrayLike) -> NDArray[np.int64]:
    """Return the nine domains (..., 9) of QIDS-SR16 items (..., 16), in the order of `QIDS_DOMAINS`.

    Sleep, appetite and weight, and psychomotor change are the worst of items 1-4, 6-9 and 15-16.
    """
    scores = np.asarray(items, dtype=np.int64)
    domains = np.empty((*scores.shape[:-1], len(QIDS_DOMAINS)), dtype=np.int64)
    for domain, (first, last) in {_SLEEP: (0, 4), _APPETITE: (5, 9), _PSYCHOMOTOR: (14, 16)}.items():
        domains[..., domain] = scores[..., first:last].max(axis=-1)
    for domain, item in _SINGLE.items():
        domains[..., domain] = scores[..., item - 1]
    return domains


def qids_total(items: ArrayLike) -> NDArray[np.int64]:
    """Return the QIDS-SR16 total of items (..., 16): the sum of the nine domains."""
    return np.asarray(qids_domains(items).sum(axis=-1))


def bsl23_score(items: ArrayLike) -> Array:
    """Return the BSL-23 score of items (..., 23), their mean."""
    return np.asarray(np.asarray(items, dtype=np.int64).sum(axis=-1) / 23)


def _assumed(name: str) -> float:
    """Return an assumed number on items."""
    value = get(f"defaults.items.{name}").value
    if value is None:
        raise ValueError(f"defaults.items.{name} must have a value in the evidence data")
    return value


def _points(total: ArrayLike, largest: int, label: str) -> Index:
    """Return totals as whole numbers; one that the scale does not have is an error."""
    given = np.asarray(total, dtype=np.float64)
    finite = np.where(np.isfinite(given), given, -1.0)
    points = np.rint(finite)
    wrong = (np.abs(finite - points) > 1e-6) | (points < 0) | (points > largest)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"a {label} must be a whole number from 0 to {largest}; got {given[index]:g} at index {index}")
    return points.astype(np.intp)


def _matching(uniforms: Array, points: Index, count: int, label: str) -> Array:
    """Return the uniform numbers broadcast to the totals."""
    try:
        return np.broadcast_to(uniforms, (*points.shape, count))
    except ValueError:
        raise ValueError(
            f"{label} items of totals {points.shape} need uniform numbers of shape {(*points.shape, count)}; "
            f"got {np.shape(uniforms)}"
        ) from None


def _possible(suicidal_ideation: ArrayLike, points: Index) -> Array:
    """Return the scores of item 12, the nearest ones that the totals allow; NaN where it is not known."""
    given = np.asarray(suicidal_ideation, dtype=np.float64)
    unknown = np.isnan(given)
    known = _points(np.where(unknown, 0.0, given), 3, "score of suicidal ideation (item 12)")
    try:
        scores = np.broadcast_to(np.where(unknown, np.nan, known), points.shape)
    except ValueError:
        raise ValueError(
            f"scores of suicidal ideation must have the shape of the totals, {points.shape}; got {given.shape}"
        ) from None
    return np.asarray(np.minimum(np.maximum(scores, points - (_QIDS_PLACES - 3)), points))


def _arrivals(weights: Array, uniforms: Array) -> Array:
    """Return when each place arrives (..., D, K), of domains with weights (..., D), given D x K uniform numbers."""
    n_domains = weights.shape[-1]
    places = uniforms.reshape(*uniforms.shape[:-1], n_domains, uniforms.shape[-1] // n_domains)
    return -np.log1p(-places) / weights[..., None]


def _settled(arrival: Array, scores: Array) -> Array:
    """Return the arrivals (..., K) of a domain of known score: so many places before all others, the rest after."""
    known = np.where(np.arange(arrival.shape[-1]) < scores[..., None], -np.inf, np.inf)
    return np.where(np.isnan(scores)[..., None], arrival, known)


def _share_out(points: Index, arrival: Array) -> Items:
    """Return the points (..., D) of domains whose places arrive at given times (..., D, K)."""
    n_places = arrival.shape[-2] * arrival.shape[-1]
    order = np.argsort(arrival.reshape(*points.shape, n_places), axis=-1, kind="stable")
    taken = np.zeros(order.shape, dtype=np.int8)
    np.put_along_axis(taken, order, (np.arange(n_places) < points[..., None]).astype(np.int8), axis=-1)
    return np.asarray(taken.reshape(arrival.shape).sum(axis=-1, dtype=np.int8))


def _with_maximum(largest: Items, uniforms: Array) -> Items:
    """Return items (..., M) whose maximum is given.

    The first uniform number says which item has it; the others, of M - 1 or M columns, what the rest have.
    """
    n_items = max(uniforms.shape[-1] - 1, 2)
    holder = np.floor(uniforms[..., :1] * n_items)
    others = np.floor(uniforms[..., 1:] * (largest[..., None] + 1))
    return np.where(np.arange(n_items) == holder, largest[..., None], others).astype(np.int8)
