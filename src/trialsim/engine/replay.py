"""A published study repeated in silico: what it found, beside what the same study finds in simulated patients.

Each replicate is one study. Its patients are followed in every arm with the same draws: as they were treated, and as if
they had been given something else, so that what the drug adds can be told from what would have come without it.

A quantity of a replay is marked by what agreement with the published figure is worth:

- ``calibration``: the model was set to it, so that agreement shows only that the program does as it is told;
- ``check``: nothing was fitted to it;
- ``assumed``: it hangs on numbers that no study gives, or there is no published figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim import evidence
from trialsim.engine.block import patient_source
from trialsim.errors import Fault, InputError
from trialsim.kernels.two_sample import pooled_t_test
from trialsim.patients.cohort import Cohort
from trialsim.scenario import Resolved, Scenario, Variant, load, resolve
from trialsim.scenario.words import did_you_mean
from trialsim.streams import BLOCK_SIZE, Streams

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


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A study repeated in silico.

    Parameters
    ----------
    name : str
    resolved : Resolved
        The scenario behind it.
    arms : tuple of int
        Arm of each world: first the one that the study had.
    found : tuple of Found
        In the order of a table.
    """

    name: str
    resolved: Resolved
    arms: tuple[int, ...]
    found: tuple[Found, ...]

    @property
    def variant(self) -> Variant:
        """The simulated truth and design."""
        return self.resolved.variants[0]


class _Study(NamedTuple):
    """What a replay is made of: the arm the study had, the arm beside it, and what is looked at."""

    given: str
    instead: str
    targets: tuple[Target, ...]


_IN_WORDS = "danayan2023.difference"
"""No difference between the groups, and large improvements in both: published without numbers."""

_STUDIES = {
    "danayan2023": _Study(
        "ketamine",
        "midazolam",
        (
            Target("qids_change_bpd", "change", "calibration", "qids_sr16", "bpd", "danayan2023.bpd.qids_sr16.change"),
            Target("bsl_change_bpd", "change", "calibration", "bsl23", "bpd", "danayan2023.bpd.bsl23.change"),
            Target("qids_difference", "difference", "calibration", "qids_sr16", "bpd", _IN_WORDS),
            Target("qids_effect_size_bpd", "standardised_change", "check", "qids_sr16", "bpd", _IN_WORDS),
            Target("qids_effect_size_no_bpd", "standardised_change", "check", "qids_sr16", "no_bpd", _IN_WORDS),
            Target("response", "response", "check", "qids_sr16", published="mcintyre2020.qids_sr16.response"),
            Target("remission", "remission", "check", "qids_sr16", published="mcintyre2020.qids_sr16.remission"),
            Target("qids_before_bpd", "score_before", "assumed", "qids_sr16", "bpd", grade="severe"),
            Target("qids_after_bpd", "score_after", "assumed", "qids_sr16", "bpd", grade="moderate"),
        ),
    )
}
"""Studies that can be replayed, by the name of their scenario."""


def replay_names() -> tuple[str, ...]:
    """Return the names of the studies that can be replayed."""
    return tuple(_STUDIES)


def replay_scenario(name: str, *, replicates: int | None = None, seed: int | None = None) -> Scenario:
    """Return the scenario of a study that can be replayed.

    Parameters
    ----------
    name : str
    replicates : int, optional
        At least 2.
    seed : int, optional

    Raises
    ------
    InputError
        If no study has this name, with the nearest one that there is, or a number is out of range.
    """
    if name not in _STUDIES:
        raise InputError([Fault("", f"no study called {name!r} can be replayed{did_you_mean(name, _STUDIES)}")])
    if replicates is not None and replicates < 2:
        raise InputError([Fault("replicates", f"must be 2 or more, to have a range; got {replicates}")])
    settings = {"simulation.replicates": replicates, "simulation.seed": seed}
    with as_file(files("trialsim.scenario").joinpath("replays", f"{name}.yaml")) as path:
        return load(path, settings={key: value for key, value in settings.items() if value is not None})


def replay(name: str, *, replicates: int | None = None, seed: int | None = None) -> Replay:
    """Repeat a published study in silico.

    Parameters
    ----------
    name : str
        One of `replay_names`.
    replicates : int, optional
        Simulated studies, at least 2; the scenario's by default.
    seed : int, optional
        The scenario's by default.

    Raises
    ------
    InputError
        If no study has this name, or a number is out of range.
    """
    resolved = resolve(replay_scenario(name, replicates=replicates, seed=seed))
    variant, study = resolved.variants[0], _STUDIES[name]
    arms = tuple(variant.arms.index(arm) for arm in (study.given, study.instead))
    blocks = [_block(resolved, arms, study.targets, block) for block in range(-(-resolved.replicates // BLOCK_SIZE))]
    kept = slice(resolved.replicates)
    found = []
    for parts in zip(*blocks, strict=True):
        flags = [part.agrees for part in parts if part.agrees is not None]
        found.append(
            replace(
                parts[0],
                values=np.concatenate([part.values for part in parts], axis=1)[:, kept],
                agrees=np.concatenate(flags)[kept] if flags else None,
            )
        )
    return Replay(name, resolved, arms, tuple(found))


def _block(resolved: Resolved, arms: tuple[int, ...], targets: tuple[Target, ...], block: int) -> list[Found]:
    """Return what the replicates of one block show: every patient in every arm, with the same draws."""
    variant = resolved.variants[0]
    source = patient_source(variant, resolved.hash)
    streams = Streams(resolved.seed, block)
    stratum = source.enrol(streams, max(variant.sample_sizes))
    worlds = [source.follow(streams, stratum, np.full_like(stratum, arm)) for arm in arms]
    return [_look(target, variant, worlds) for target in targets]


# What is looked at --------------------------------------------------------------------------------------------


def _look(target: Target, variant: Variant, worlds: list[Cohort]) -> Found:
    """Return a target in every world, and which replicates of the first agree with what was published."""
    work_out = _KINDS[target.kind]
    values = np.stack([work_out(target, variant, world) for world in worlds])
    agrees = None
    if target.kind == "difference":
        agrees = _significant(target, variant, worlds[0])
    elif target.grade:
        agrees = _in_grade(target, values[0])
    elif target.published:
        published = evidence.get(target.published).value
        if published is not None:
            agrees = values[0] * np.sign(published) >= abs(published) - _TOLERANCE
    return Found(target, values, agrees, _lattice(target, variant, worlds[0]))


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


_KINDS: dict[str, Callable[[Target, Variant, Cohort], Array]] = {
    "change": _change,
    "standardised_change": _standardised_change,
    "difference": _difference,
    "score_before": _score_before,
    "score_after": _score_after,
    "response": _response,
    "remission": _remission,
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
    if target.kind in ("response", "remission"):
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
