"""A block of replicates of one variant at all its sample sizes: the one place where truth and estimate meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates, Observed
from trialsim.analysis.registry import analyse
from trialsim.designs.allocation import allocate
from trialsim.engine.decision import adjusted_p
from trialsim.engine.hypotheses import Hypothesis, hypotheses
from trialsim.patients.cohort import Cohort, PatientSource
from trialsim.patients.mechanisms.unblinding import GUESS
from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams

if TYPE_CHECKING:
    from trialsim.operations.outcome import Outcome

Flags = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CellBlock:
    """The estimates of one hypothesis at one sample size, over the replicates of a block.

    Parameters
    ----------
    n : int
        Number randomised.
    hypothesis : Hypothesis
    estimates : Estimates
    share_missing : ndarray, shape (R,)
        Share of the randomised without a score at the estimand's visit.
    p_adjusted : ndarray, shape (R,)
        p-value after the scenario's multiplicity procedure; NaN for a hypothesis outside it.
    guesses : ndarray of int, shape (R, A, 2), or None
        Patients of each arm who believe they have the active drug, and the control; None where nobody guesses.
    """

    n: int
    hypothesis: Hypothesis
    estimates: Estimates
    share_missing: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]
    guesses: NDArray[np.int32] | None = None


class _ByContent:
    """A variant that compares by identity of content, so that a worker builds its patient model once."""

    def __init__(self, variant: Variant, key: str) -> None:
        self.variant, self.key = variant, key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.key == self.key


@lru_cache(maxsize=64)
def _source(variant: _ByContent) -> PatientSource:
    return PatientSource(variant.variant)


def patient_source(variant: Variant, key: str) -> PatientSource:
    """Return the patient model of a variant, built once in each process.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario; with the variant's index it names the patient model.
    """
    return _source(_ByContent(variant, f"{key}/{variant.index}"))


class Drawn(NamedTuple):
    """A block of trials at some of a variant's sizes.

    Attributes
    ----------
    variant : Variant
        With these sizes.
    cohort : Cohort
        Of the largest of them.
    outcomes : tuple of Outcome
        How the trials were run at each of these sizes; empty where the variant does not say.
    """

    variant: Variant
    cohort: Cohort
    outcomes: tuple[Outcome, ...]


def draw_blocks(variant: Variant, key: str, streams: Streams, *, only_needed: bool = False) -> Iterator[Drawn]:
    """Yield the cohorts of a block: one for all sizes, or one for each where not all went as planned.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    streams : Streams
    only_needed : bool
        As of `draw_block`.

    Notes
    -----
    Those who come late take up room that others were to have, so that a smaller trial is not the beginning of a larger
    one. Where everybody is enrolled and treated as planned, patients are those of the scenario without operations.
    """
    sizes = tuple(sorted(variant.sample_sizes))
    outcomes = _run(variant, streams, sizes)
    if _as_planned_throughout(variant, outcomes):
        yield Drawn(variant, _plain(variant, key, streams, sizes[-1], only_needed=only_needed), outcomes)
        return
    for n, outcome in zip(sizes, outcomes, strict=True):
        cohort = _followed(variant, key, streams, outcome, only_needed=only_needed)
        yield Drawn(replace(variant, sample_sizes=(n,)), cohort, (outcome,))


def draw_block(
    variant: Variant, key: str, streams: Streams, n_participants: int, *, only_needed: bool = False
) -> Cohort:
    """Return the cohort of one block, randomised and followed.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario; with the variant's index it names the patient model.
    streams : Streams
    n_participants : int
    only_needed : bool
        Make only what the scenario's questions need; other scores are NaN.
    """
    alone = replace(variant, sample_sizes=(n_participants,))
    return next(draw_blocks(alone, key, streams, only_needed=only_needed)).cohort


def _run(variant: Variant, streams: Streams, sizes: tuple[int, ...]) -> tuple[Outcome, ...]:
    if variant.operations is None:
        return ()
    from trialsim.engine.operations import operate

    return tuple(operate(variant, streams, n) for n in sizes)


def _as_planned_throughout(variant: Variant, outcomes: tuple[Outcome, ...]) -> bool:
    if not outcomes:
        return True
    from trialsim.engine.operations import is_as_planned

    chosen = any(cluster.made_by for cluster in variant.clusters) or any(
        quota is not None for outcome in outcomes for quota in outcome.operations.recruitment.quotas
    )
    return not chosen and all(map(is_as_planned, outcomes))


def _plain(variant: Variant, key: str, streams: Streams, n_participants: int, *, only_needed: bool) -> Cohort:
    source = patient_source(variant, key)
    stratum = source.enrol(streams, n_participants)
    arm = allocate(variant.allocation, stratum, variant.strata, streams)
    return source.follow(streams, stratum, arm, only_needed=only_needed)


def _followed(variant: Variant, key: str, streams: Streams, outcome: Outcome, *, only_needed: bool) -> Cohort:
    from trialsim.engine.operations import delivery_of

    source, delivery = patient_source(variant, key), delivery_of(variant, outcome)
    stratum, arm = outcome.enrolment.stratum, outcome.arm
    return source.follow(streams, stratum, arm, delivery=delivery, only_needed=only_needed)


def blinded(variant: Variant, cohort: Cohort) -> Observed:
    """Return what the analyst sees of a cohort: events up to the first visit after leaving."""
    event_visit = seen_events(cohort)
    treated, adherent = _as_planned(variant, cohort, event_visit)
    return Observed(
        cohort.arm,
        cohort.stratum,
        len(variant.arms),
        len(variant.strata),
        cohort.baseline,
        cohort.observed,
        np.asarray(variant.visits_days),
        included=None if cohort.enrolled is None or cohort.enrolled.all() else cohort.enrolled,
        counts=cohort.observed_counts,
        groups=cohort.groups,
        event_visit=event_visit,
        left=cohort.followed,
        treated=treated,
        adherent=adherent,
    )


def seen_events(cohort: Cohort) -> dict[str, Index]:
    """Return the first visit touched by each event, shape (R, N); V where none was seen before the patient left."""
    n_visits, left = cohort.present.shape[2], cohort.followed
    return {name: np.where(visit <= left, visit, n_visits) for name, visit in cohort.event_visit.items()}


def _as_planned(
    variant: Variant, cohort: Cohort, event_visit: Mapping[str, Index]
) -> tuple[Flags | None, Flags | None]:
    """Return who was treated at all, and who was as planned; None where no estimand asks."""
    asked = any(estimand.analysis_set != "itt" for estimand in variant.estimands)
    if not asked or cohort.infusions is None or cohort.started is None:
        return None, None
    planned = np.array([len(days) for days in variant.infusion_days])[cohort.arm]
    treated = np.where(planned > 0, cohort.infusions > 0, cohort.started)
    adherent = treated & (cohort.infusions == planned)
    for event in variant.events:
        if event.name in event_visit and (event.stops_infusions or event.stops_therapy):
            adherent &= event_visit[event.name] == len(variant.visits_days)
    return treated, adherent


def compute_block(variant: Variant, key: str, seed: int, block: int) -> list[CellBlock]:
    """Return all estimates of one block, ordered by sample size, then hypothesis.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    seed, block : int
    """
    return [
        cell
        for drawn in draw_blocks(variant, key, Streams(seed, block), only_needed=True)
        for cell in analyse_block(drawn.variant, drawn.cohort)
    ]


def analyse_block(variant: Variant, cohort: Cohort) -> list[CellBlock]:
    """Return all estimates of a block that has been drawn, ordered by sample size, then hypothesis.

    Parameters
    ----------
    variant : Variant
    cohort : Cohort
        Of its largest sample size.
    """
    sizes = tuple(sorted(variant.sample_sizes))
    observed = blinded(variant, cohort)
    by_hypothesis = {}
    for hypothesis in hypotheses(variant):
        estimand = variant.estimands[hypothesis.estimand]
        by_hypothesis[hypothesis] = analyse(observed, estimand, estimand.analyses[hypothesis.analysis], sizes)
    cells = []
    for s, n in enumerate(sizes):
        of_size = {hypothesis: results[s] for hypothesis, results in by_hypothesis.items()}
        adjusted = adjusted_p(variant, of_size)
        guesses = guess_tables(variant, cohort, n)
        for hypothesis, estimates in of_size.items():
            visit = variant.estimands[hypothesis.estimand].visit
            missing = 1.0 - _share_of_enrolled(cohort.present[:, :n, visit], cohort)
            cells.append(CellBlock(n, hypothesis, estimates, missing, adjusted[hypothesis], guesses))
    return cells


def _share_of_enrolled(seen: Flags, cohort: Cohort) -> NDArray[np.float64]:
    """Return the share of flags (R, n) that are set among the first n who were enrolled, shape (R,)."""
    if cohort.enrolled is None:
        return np.asarray(seen.mean(axis=1))
    enrolled = cohort.enrolled[:, : seen.shape[1]].sum(axis=1)
    return np.asarray(seen.sum(axis=1) / np.maximum(enrolled, 1))


def guess_tables(variant: Variant, cohort: Cohort, n: int) -> NDArray[np.int32] | None:
    """Return how the first n participants of each replicate guess, by arm; None where nobody does.

    Parameters
    ----------
    variant : Variant
    cohort : Cohort
    n : int

    Returns
    -------
    ndarray of int, shape (R, A, 2)
        Say active, say control.
    """
    if variant.unblinding is None:
        return None
    guess, arm = cohort.records[GUESS][:, :n], cohort.arm[:, :n]
    inside = arm[..., None] == np.arange(len(variant.arms))
    if cohort.enrolled is not None:
        inside &= cohort.enrolled[:, :n, None]
    says = [np.sum(inside & (guess == value)[..., None], axis=1) for value in (1.0, 0.0)]
    return np.stack(says, axis=-1).astype(np.int32)
