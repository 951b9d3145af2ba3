"""What a replay of a study looks at, and how each quantity is worked out from simulated patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim import evidence
from trialsim.kernels.two_sample import pooled_t_test
from trialsim.patients.cohort import Cohort
from trialsim.patients.mechanisms.dissociation import CADSS
from trialsim.scenario import Variant

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

Mark = Literal["calibration", "check", "assumed"]
Kind = Literal[
    "change", "standardised_change", "difference", "score_before", "score_after", "response", "remission",
    "dissociation",
]  # fmt: skip

_TOLERANCE = 1e-9
"""Of a comparison of scores, points, or of shares: halves of a score are not exact."""


class Target(NamedTuple):
    """A quantity that a replay looks at.

    Attributes
    ----------
    name : str
    kind : str
        What is worked out: a key of the table of kinds in this module.
    mark : {'calibration', 'check', 'assumed'}
    outcome : str
        Name of the outcome, empty for dissociation.
    stratum : str
        Whom it is about; empty for everybody.
    published : str
        Name of the published figure in the evidence catalogue; empty where there is none.
    grade : str
        Severity grade in which a mean score is looked for; empty for other kinds.
    infusion : int
        Number of the infusion, from 1; 0 for other kinds.
    """

    name: str
    kind: Kind
    mark: Mark
    outcome: str = ""
    stratum: str = ""
    published: str = ""
    grade: str = ""
    infusion: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found for one target.

    Parameters
    ----------
    target : Target
    values : ndarray, shape (W, R)
        The quantity in each world (the arm as given first) and replicate, in its unit.
    agrees : ndarray of bool, shape (R,), or None
        Replicates as large as the published figure, significant at the study's level, in the grade looked for, or with
        less dissociation than at the first infusion; None where there is nothing to hold against.
    lattice : float or None
        Distance between neighbouring values that a study of this size can give; None where there is none.
    """

    target: Target
    values: Array
    agrees: Flags | None
    lattice: float | None


def look(target: Target, variant: Variant, worlds: Sequence[Cohort]) -> Found:
    """Return a target in every world, and which replicates of the first agree with what was published.

    Parameters
    ----------
    target : Target
    variant : Variant
    worlds : sequence of Cohort
        The same patients under each arm.
    """
    work_out = _KINDS[target.kind]
    values = np.stack([work_out(target, variant, world) for world in worlds])
    agrees = _agreement(target, variant, values[0], worlds[0])
    return Found(target, values, agrees, _lattice(target, variant, worlds[0]))


def _agreement(target: Target, variant: Variant, values: Array, world: Cohort) -> Flags | None:
    """Return which replicates agree with what was published, shape (R,); None where it has no number."""
    if target.kind == "difference":
        return _significant(target, variant, world)
    if target.grade:
        return _in_grade(target, values)
    if target.infusion > 1:
        return np.asarray(values < _dissociation(target._replace(infusion=1), variant, world))
    published = evidence.get(target.published).value if target.published else None
    if published is None:
        return None
    return np.asarray(values * np.sign(published) >= abs(published) - _TOLERANCE)


def _change(target: Target, variant: Variant, world: Cohort) -> Array:
    return _mean(_changes(target, variant, world), _members(target, variant, world))


def _standardised_change(target: Target, variant: Variant, world: Cohort) -> Array:
    """Return the mean change over the standard deviation of the changes, shape (R,)."""
    changes, inside = _changes(target, variant, world), _members(target, variant, world)
    mean = _mean(changes, inside)
    squares = np.where(inside, (changes - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.asarray(mean / np.sqrt(squares / (inside.sum(axis=1) - 1)))


def _difference(target: Target, variant: Variant, world: Cohort) -> Array:
    """Return the mean change in the stratum minus that in the others, shape (R,), points."""
    changes, inside = _changes(target, variant, world), _members(target, variant, world)
    return _mean(changes, inside) - _mean(changes, ~inside)


def _score_before(target: Target, variant: Variant, world: Cohort) -> Array:
    return _mean(_before(target, variant, world), _members(target, variant, world))


def _score_after(target: Target, variant: Variant, world: Cohort) -> Array:
    return _mean(_after(target, variant, world), _members(target, variant, world))


def _response(target: Target, variant: Variant, world: Cohort) -> Array:
    """Return the share whose score improved by at least the instrument's share of the baseline, shape (R,)."""
    scale = evidence.instrument(target.outcome)
    if scale.response is None or not scale.lower_is_better:
        raise ValueError(f"{scale.label} has no response cut-off for falling scores")
    limit = (1.0 - scale.response) * _before(target, variant, world)
    return _mean(_after(target, variant, world) <= limit + _TOLERANCE, _members(target, variant, world))


def _remission(target: Target, variant: Variant, world: Cohort) -> Array:
    scale = evidence.instrument(target.outcome)
    if scale.remission is None or not scale.lower_is_better:
        raise ValueError(f"{scale.label} has no remission cut-off for falling scores")
    return _mean(_after(target, variant, world) <= scale.remission, _members(target, variant, world))


def _dissociation(target: Target, variant: Variant, world: Cohort) -> Array:
    return _mean(world.records[CADSS][:, :, target.infusion - 1], _members(target, variant, world))


_KINDS: dict[str, Callable[[Target, Variant, Cohort], Array]] = {
    "change": _change,
    "standardised_change": _standardised_change,
    "difference": _difference,
    "score_before": _score_before,
    "score_after": _score_after,
    "response": _response,
    "remission": _remission,
    "dissociation": _dissociation,
}
"""How each kind of quantity is worked out: one value per replicate, shape (R,)."""


def _significant(target: Target, variant: Variant, world: Cohort) -> Flags:
    """Return whether a t test on the changes finds a difference between the stratum and the others, shape (R,)."""
    inside = _members(target, variant, world)
    test = pooled_t_test(_changes(target, variant, world), inside, ~inside)
    return np.asarray(test.p <= variant.estimands[0].analyses[0].alpha)


def _in_grade(target: Target, mean: Array) -> Flags:
    """Return whether mean scores lie in the severity grade looked for, shape (R,)."""
    bands = evidence.instrument(target.outcome).bands
    place = [band.label for band in bands].index(target.grade)
    return np.asarray(np.searchsorted([band.low for band in bands], mean, side="right") - 1 == place)


def _lattice(target: Target, variant: Variant, world: Cohort) -> float | None:
    """Return the distance between neighbouring values of a mean over patients of a study."""
    if target.kind == "standardised_change":
        return None
    n_patients = int(_members(target, variant, world)[0].sum())
    if target.kind in ("response", "remission", "dissociation"):
        return 1.0 / n_patients
    scale = variant.scales[variant.outcomes.index(target.outcome)]
    return None if scale is None else scale.step / n_patients


def _members(target: Target, variant: Variant, world: Cohort) -> Flags:
    """Return whom a target is about, shape (R, N)."""
    if not target.stratum:
        return np.ones(world.stratum.shape, dtype=bool)
    return np.asarray(world.stratum == variant.strata.index(target.stratum))


def _before(target: Target, variant: Variant, world: Cohort) -> Array:
    return world.baseline[..., variant.outcomes.index(target.outcome)]


def _after(target: Target, variant: Variant, world: Cohort) -> Array:
    return world.scores[:, :, -1, variant.outcomes.index(target.outcome)]


def _changes(target: Target, variant: Variant, world: Cohort) -> Array:
    return _after(target, variant, world) - _before(target, variant, world)


def _mean(values: NDArray[np.generic], inside: Flags) -> Array:
    """Return the mean over the patients inside, shape (R,)."""
    return np.asarray(np.where(inside, values, 0.0).sum(axis=1) / inside.sum(axis=1))
