"""Resolve a scenario: find every number with its source, check that it can be had, and build the variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trialsim.errors import Fault, InputError
from trialsim.scenario.arrangement import allocation, dropout, sample_sizes
from trialsim.scenario.attainable import Margins, check_moments
from trialsim.scenario.case import Case, frame
from trialsim.scenario.correlations import correlations
from trialsim.scenario.course import Course, course
from trialsim.scenario.dissociation import dissociation
from trialsim.scenario.dynamics import infusion_days
from trialsim.scenario.entry import entry
from trialsim.scenario.events import events
from trialsim.scenario.export import content_hash
from trialsim.scenario.grouping import check_groups
from trialsim.scenario.ledger import Ledger
from trialsim.scenario.loading import Places, Point, Scenario, unique
from trialsim.scenario.masking import unblinding
from trialsim.scenario.mechanisms import clusters, counts
from trialsim.scenario.moments import baseline_moments, spread
from trialsim.scenario.operations import operations
from trialsim.scenario.questions import estimands, multiplicity
from trialsim.scenario.resolved import Provenance, Resolved, Variant
from trialsim.scenario.safety import safety, suicide_attempts
from trialsim.scenario.variation import heterogeneity, intermittent, raters, with_attendance, with_known_truth

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray


class _Truth(NamedTuple):
    """The patient model's numbers; None for correlations that could not be built."""

    baseline_mean: FloatArray
    baseline_sd: FloatArray
    mean: FloatArray
    sd: FloatArray
    correlation: FloatArray | None
    course: Course


def resolve(scenario: Scenario, *, known: Callable[[Resolved], bool] | None = None) -> Resolved:
    """Find every number of a scenario.

    Parameters
    ----------
    scenario : Scenario
    known : callable, optional
        Says whether this very scenario was found sound before: it is then not tried again whether scores on their
        scales can have such correlations, which takes most of the time.

    Returns
    -------
    Resolved

    Raises
    ------
    InputError
        With every fault found: values that no evidence gives, means and spreads a scale cannot have, correlations that
        cannot hold together.
    """
    margins = Margins()
    ledger, base = _variant(scenario.base, 0, margins)
    alone = scenario.points == (scenario.base,)
    varied = [] if alone else [_variant(point, index, margins) for index, point in enumerate(scenario.points)]
    sound = [variant for variant in ([base] if alone else [own for _, own in varied]) if variant is not None]
    faults = [fault for own in (ledger, *(own for own, _ in varied)) for fault in own.faults]
    resolved = None if faults else _resolved(scenario, sound, ledger)
    if resolved is not None and known is not None and known(resolved):
        return resolved
    margins.settle()
    faults = list(ledger.faults)
    places = Places(faults)
    for point, (own, _) in zip(() if alone else scenario.points, varied, strict=True):
        faults += places.new(own.faults, point.varied)
    if resolved is None or faults:
        raise InputError(unique(faults))
    return resolved


def _resolved(scenario: Scenario, variants: Sequence[Variant], ledger: Ledger) -> Resolved:
    simulation = scenario.content.simulation
    return Resolved(
        scenario=scenario,
        title=scenario.title,
        variants=tuple(variants),
        provenance=_provenance(scenario, ledger),
        hash=content_hash(variants, simulation.seed),
        replicates=simulation.replicates,
        seed=simulation.seed,
        precision=simulation.precision,
    )


def faults_of(point: Point) -> list[Fault]:
    """Return what is wrong with the numbers of a point whose references may be faulty elsewhere."""
    ledger = Ledger(point.root)
    case = frame(point, ledger)
    if case.measures and not ledger.faults:
        margins = Margins()
        _truth(case, margins)
        margins.settle()
    return ledger.faults


def _variant(point: Point, index: int, margins: Margins) -> tuple[Ledger, Variant | None]:
    """Return the ledger of a point and its variant, None where there are faults."""
    ledger = Ledger(point.root)
    case = frame(point, ledger)
    if ledger.faults:
        return ledger, None  # an unknown instrument would be told again by everything that needs it
    truth = _truth(case, margins)
    plan = allocation(case)
    leaving = dropout(case)
    population = case.content.population
    share = np.array([1.0 if stratum.share is None else stratum.share for stratum in population.strata.values()])
    happening = events(case, truth.sd[:, -1], truth.course.therapies)
    who, entered = None, truth.mean
    if not ledger.faults and truth.correlation is not None:
        who, entered = entry(case, margins, truth[:4], truth.correlation)
    asked = () if truth.mean is None else estimands(case, entered, share, happening)
    severity = raters(case, truth.sd, share)
    felt = dissociation(case)
    believed = unblinding(case, felt, share)
    counted = (*counts(case), *suicide_attempts(case))
    watched = safety(case, counted, happening)
    groups = clusters(case)
    running = operations(case, truth.course.therapies)
    if not ledger.faults and truth.correlation is not None:
        check_groups(case, margins, truth[:4], truth.correlation, groups)
    if ledger.faults or truth.correlation is None:
        return ledger, None
    _note_frame(case, share)
    variant = Variant(
        index=index,
        settings=point.settings,
        **_frame_fields(case, share),
        **_moment_fields(truth),
        allocation=plan,
        dropout=leaving,
        estimands=with_known_truth(case, asked),
        sample_sizes=sample_sizes(case),
        clusters=groups,
        counts=counted,
        multiplicity=multiplicity(case, asked),
        infusion_days=infusion_days(case),
        infusion_model=truth.course.infusions,
        therapies=with_attendance(case, truth.course.therapies),
        events=happening,
        intermittent=intermittent(case),
        entry=who,
        safety=watched,
        raters=severity,
        dissociation=felt,
        unblinding=believed,
        operations=running,
        heterogeneity=heterogeneity(case, truth.mean, truth.sd, share, truth.course.infusions),
    )
    return ledger, variant


def _note_frame(case: Case, share: FloatArray) -> None:
    """Note who takes part, in which arms and when."""
    ledger, content = case.ledger, case.content
    for name, value in zip(case.strata, share.tolist(), strict=True):
        ledger.note(("population", "strata", name, "share"), value)
    ledger.note(("population", "strata_by"), content.population.strata_by)
    for name, arm in content.arms.items():
        told = {} if arm is None else arm.model_dump(exclude={"label"}, mode="json", exclude_none=True)
        ledger.note_whole(("arms", name), told)
    ledger.note(("schedule", "infusions"), list(content.schedule.infusions))
    ledger.note(("schedule", "visits"), list(content.schedule.visits))


def _frame_fields(case: Case, share: FloatArray) -> dict[str, Any]:
    """Return the fields of a variant that say who takes part, in which arms and when, and what is measured."""
    population = case.content.population
    return {
        "arms": case.arms,
        "arm_labels": tuple(case.arm(a).label or _spoken(name) for a, name in enumerate(case.arms)),
        "strata": case.strata,
        "strata_labels": tuple(stratum.label or _spoken(name) for name, stratum in population.strata.items()),
        "strata_share": _read_only(share),
        "strata_by": population.strata_by,
        "outcomes": case.outcomes,
        "outcome_labels": tuple(measure.label for measure in case.measures),
        "scales": tuple(measure.scale for measure in case.measures),
        "lower_is_better": tuple(measure.lower_is_better for measure in case.measures),
        "visits_days": _read_only(np.array(case.visits)),
    }


def _moment_fields(truth: _Truth) -> dict[str, Any]:
    """Return the fields of a variant that say how scores are distributed."""
    names = ("baseline_mean", "baseline_sd", "mean", "sd", "correlation")
    return {name: _read_only(getattr(truth, name)) for name in names}


def _truth(case: Case, margins: Margins) -> _Truth:
    baseline_mean, baseline_sd = baseline_moments(case)
    later = spread(case)
    changes = course(case, baseline_mean, baseline_sd, later)
    mean = changes.mean
    sd = np.repeat(later.post_sd[:, None, :], len(case.visits), axis=1)
    correlation = correlations(case, later.baseline_correlation)
    possible = check_moments(case, baseline_mean, baseline_sd, mean, sd)
    moments = (baseline_mean, baseline_sd, mean, sd)
    if possible and correlation is not None and not any(np.isnan(array).any() for array in moments):
        margins.ask(case, moments, correlation)
    return _Truth(*moments, correlation, changes)


def _read_only(array: FloatArray) -> FloatArray:
    own = np.array(array, dtype=np.float64, order="C") + 0.0  # no negative zeros
    own.flags.writeable = False
    return own


def _spoken(name: str) -> str:
    """Return a name as words: `no_bpd` becomes `no bpd`."""
    return name.replace("_", " ")


def _provenance(scenario: Scenario, ledger: Ledger) -> tuple[Provenance, ...]:
    varied = [
        Provenance(f"vary.{path}", values, "given", None, None, "takes these values in turn")
        for path, values in scenario.content.vary.items()
    ]
    designs = [
        Provenance(
            f"designs.{design.name}",
            {path: node.plain() for path, node in design.changes.items()},
            "given",
            None,
            None,
            "a design for compare; left aside otherwise",
        )
        for design in scenario.designs
    ]
    simulation = Ledger(scenario.base.root)
    simulation.note(("simulation", "replicates"), scenario.content.simulation.replicates)
    if scenario.content.simulation.precision is not None:
        simulation.note(("simulation", "precision"), scenario.content.simulation.precision)
    simulation.note(("simulation", "seed"), scenario.content.simulation.seed)
    believed = []
    if scenario.content.priors:
        from trialsim.scenario.prior_sources import prior_sources

        believed = prior_sources(scenario.content)
    return (*ledger.rows, *simulation.rows, *varied, *designs, *believed)
