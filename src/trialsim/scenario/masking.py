"""What patients and raters believe about the arm, and what believing does, with the sources of every number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trialsim import evidence
from trialsim.kernels.blinding import GuessError, GuessModel, fit_guess_model, guess_probability
from trialsim.scenario import schema
from trialsim.scenario.arrangement import check_fits_scale, check_has_rater
from trialsim.scenario.case import Case
from trialsim.scenario.comparators import DRUG, PERFECT, usual_comparator
from trialsim.scenario.dissociation_margins import worst_so_far
from trialsim.scenario.dynamics import infusion_days
from trialsim.scenario.ledger import known_quantity
from trialsim.scenario.resolved_masking import Dissociation, Unblinding
from trialsim.scenario.words import listed

if TYPE_CHECKING:
    from trialsim.scenario.resolved import FloatArray

NO_IDEA = 0.5
"""Share that guesses active where nothing tells the arms apart."""


class _Felt(NamedTuple):
    """What the patients of an arm may have felt.

    Attributes
    ----------
    stratum : ndarray of int, shape (M,)
    worst : ndarray, shape (kinds, M, I), points
        CADSS after each infusion.
    kind : tuple of int
        By arm.
    infusions : tuple of tuple of int
        Behind the belief at each visit and after the last one, shape (V + 1, A).
    """

    stratum: FloatArray
    worst: FloatArray
    kind: tuple[int, ...]
    infusions: tuple[tuple[int, ...], ...]

    def at(self, arm: int, row: int) -> FloatArray:
        """Return the worst CADSS behind an arm's belief at a visit (-1: after the last one), shape (M,)."""
        return np.asarray(self.worst[self.kind[arm], :, self.infusions[row][arm] - 1])


def unblinding(case: Case, found: Dissociation | None, share: FloatArray) -> Unblinding | None:
    """Return what patients believe and what it does; None where the scenario has none of it, or it cannot be.

    Parameters
    ----------
    case : Case
    found : Dissociation or None
        None where none is possible, which has been told.
    share : ndarray, shape (S,)
        Of the strata.
    """
    given = case.content.unblinding
    if given is None or found is None:
        return None
    asked = tuple(kind >= 0 for kind in found.kind)
    active = active_arms(case)
    infusions = _infusions_felt(case, given, asked)
    felt = _Felt(*worst_so_far(found, tuple(share.tolist())), found.kind, infusions)
    models = _guess_models(case, given, felt, active)
    expectancy = _expectancy(case, given)
    raters, follows = _raters(case, given)
    case.ledger.note(("unblinding", "means_are"), given.means_are)
    if models is None or expectancy is None:
        return None
    return Unblinding(
        asked=asked,
        active=active,
        intercept=tuple(model.intercept + model.other_cues for model in models),
        slope=models[0].slope,
        felt=infusions,
        expected_share=_expected_share(case, felt, models),
        expectancy=expectancy,
        rater_expectancy=raters,
        follows_patient=follows,
        means_are=given.means_are,
    )


def active_arms(case: Case) -> tuple[bool, ...]:
    """Return, by arm, whether 'active' is the right guess: those with ketamine, else those with an effect."""
    with_drug = tuple(case.arm(a).infusion == DRUG for a in range(len(case.arms)))
    return with_drug if any(with_drug) else tuple(a not in case.controls for a in range(len(case.arms)))


def means_hold(case: Case, asked: schema.Estimand) -> bool:
    """Return whether an estimand's mean scores are exactly those of the scenario, whatever patients believe.

    Parameters
    ----------
    case : Case
    asked : Estimand
    """
    given = case.content.unblinding
    return given is None or (asked.expectancy == "excluded" and given.means_are == "without")


# When ----------------------------------------------------------------------------------------------------------


def _infusions_felt(case: Case, given: schema.Unblinding, asked: tuple[bool, ...]) -> tuple[tuple[int, ...], ...]:
    """Return how many infusions are behind each arm's belief at each visit, and after the last one."""
    after, path = given.after, ("unblinding", "after")
    case.ledger.note(path, after.model_dump() if isinstance(after, schema.GuessAtVisit) else after)
    rows = []
    for until in (*case.visits, np.inf):
        row = []
        for own, guesses in zip(infusion_days(case), asked, strict=True):
            past = sum(day < until for day in own)
            if isinstance(after, schema.GuessAtVisit):
                past = sum(day < after.visit for day in own) if until > after.visit else 0
            elif after != "each_infusion":
                past = int(after) if past >= int(after) else 0
            row.append(past if guesses else 0)
        rows.append(tuple(row))
    return tuple(rows)


# Guesses -------------------------------------------------------------------------------------------------------


def _guess_models(
    case: Case, given: schema.Unblinding, felt: _Felt, active: tuple[bool, ...]
) -> tuple[GuessModel, ...] | None:
    """Return how each arm guesses, with one slope for all; None where it cannot be, which is told."""
    guessing = [a for a, n in enumerate(felt.infusions[-1]) if n > 0]
    shares = _shares(case, given, guessing, active)
    if given.guess == PERFECT:
        return (GuessModel(0.0, 0.0),) * len(case.arms)
    first = [next((a for a in guessing if active[a] == wanted), None) for wanted in (True, False)]
    if any(arm is None for arm in first) or len(shares) < len(guessing):
        return None  # told by the checks
    pair = [int(arm) for arm in first if arm is not None]
    slope = _slope(case, given, felt, pair, shares)
    if slope is None:
        return None
    found = []
    for a in range(len(case.arms)):
        if a not in guessing:
            found.append(GuessModel(0.0, slope))
            continue
        scores = felt.at(a, -1)
        found.append(fit_guess_model(scores, scores, active_share=shares[a], control_share=shares[a], slope=slope))
    return tuple(found)


def _slope(
    case: Case, given: schema.Unblinding, felt: _Felt, pair: list[int], shares: dict[int, float]
) -> float | None:
    """Return how steeply guesses follow dissociation: as given, else as the first active and control arm need it."""
    path = ("unblinding", "slope")
    if given.slope is not None:
        case.ledger.note(path, given.slope)
        return given.slope
    first, second = pair
    try:
        model = fit_guess_model(
            felt.at(first, -1), felt.at(second, -1), active_share=shares[first], control_share=shares[second]
        )
    except GuessError as error:
        if isinstance(given.guess, dict):
            case.ledger.fault(
                ("unblinding", "guess"), f"{error} (unblinding.slope: 2 is about that of trials against midazolam)"
            )
            return None
        quantity = evidence.get("defaults.guessing.slope")
        case.ledger.evidence(path, quantity, note="dissociation alone does not tell the arms apart so well")
        return float(quantity.value or 0.0)
    words = f"solved, so that guesses in {case.arms[first]} and {case.arms[second]} come from dissociation alone"
    case.ledger.derived(path, round(model.slope, 6), words)
    return model.slope


def _shares(case: Case, given: schema.Unblinding, guessing: list[int], active: tuple[bool, ...]) -> dict[int, float]:
    """Return the share of each arm that guesses active."""
    path = ("unblinding", "guess")
    if given.guess == PERFECT:
        case.ledger.note(path, PERFECT, "half of every arm guess active, whatever they felt")
        return {}
    if isinstance(given.guess, dict):
        case.ledger.note(path, given.guess)
        return {a: given.guess[case.arms[a]] for a in guessing if case.arms[a] in given.guess}
    comparator = given.guess or usual_comparator(case.content.arms)
    if given.guess is not None:
        case.ledger.note(path, given.guess)
    if comparator is None:
        return {}  # told by the checks
    found = {}
    for a in guessing:
        quantity = evidence.get(f"defaults.guessing.{comparator}.{'ketamine_arm' if active[a] else 'control_arm'}")
        right = float(quantity.value or NO_IDEA)
        found[a] = right if active[a] else 1.0 - right
        case.ledger.evidence((*path, case.arms[a]), quantity, found[a], "share that guesses active")
    return found


def _expected_share(case: Case, felt: _Felt, models: tuple[GuessModel, ...]) -> FloatArray:
    """Return the share of patients that believes in the active drug at each visit, shape (A, S, V)."""
    share = np.full((len(case.arms), len(case.strata), len(case.visits)), NO_IDEA)
    for a, model in enumerate(models):
        for v in range(len(case.visits)):
            if felt.infusions[v][a] > 0:
                says = guess_probability(model, felt.at(a, v), active=True)
                share[a, :, v] = [says[felt.stratum == s].mean() for s in range(len(case.strata))]
    share.flags.writeable = False
    return share


# What believing does -------------------------------------------------------------------------------------------


def _expectancy(case: Case, given: schema.Unblinding) -> FloatArray | None:
    """Return what believing in the active drug is worth, shape (S, K), points; None where it is not known."""
    if given.expectancy is not None:
        return _points(case, given.expectancy, ("unblinding", "expectancy"))
    points = np.zeros((len(case.strata), len(case.measures)))
    missing = []
    for k, measure in enumerate(case.measures):
        for s, (stratum, group) in enumerate(zip(case.strata, case.groups, strict=True)):
            quantity = known_quantity(f"defaults.expectancy.{group}.{measure.instrument}")
            if quantity is None:
                missing.append(measure.name)
                break
            points[s, k] = float(quantity.value or 0.0)
            case.ledger.evidence(("unblinding", "expectancy", measure.name, stratum), quantity)
    if missing:
        message = (
            f"is missing: nothing is known for {listed(missing)} in the groups {listed(case.groups)}; give points by "
            "outcome (0 for none)"
        )
        case.ledger.fault(("unblinding", "expectancy"), message, key=True)
        return None
    return _frozen(points)


def _points(case: Case, given: dict[str, float | dict[str, float]], path: tuple[str, ...]) -> FloatArray:
    points = np.zeros((len(case.strata), len(case.measures)))
    for k, outcome in enumerate(case.outcomes):
        if outcome in given:
            points[:, k] = case.by_stratum(given[outcome])
            check_fits_scale(case, (*path, outcome), outcome, given[outcome])
            case.ledger.note((*path, outcome), given[outcome])
        else:
            case.ledger.assumed((*path, outcome), 0.0, "not named")
    return _frozen(points)


def _raters(case: Case, given: schema.Unblinding) -> tuple[FloatArray, float]:
    """Return what raters' beliefs are worth, shape (S, K), points, and the share who believe what patients do."""
    none = np.zeros((len(case.strata), len(case.measures)))
    if given.raters is None:
        return _frozen(none), 0.0
    path = ("unblinding", "raters")
    central = given.raters.central
    if central is None:
        central = case.content.raters is not None and case.content.raters.central
    case.ledger.note((*path, "central"), central)
    if central:
        return _frozen(none), 0.0
    follows = given.raters.follows_patient
    if follows is None:
        follows = 1.0
        case.ledger.assumed((*path, "follows_patient"), follows, "raters hear what patients believe")
    else:
        case.ledger.note((*path, "follows_patient"), follows)
    for measure in case.measures:
        if measure.name in given.raters.expectancy:
            check_has_rater(case, (*path, "expectancy", measure.name), measure)
    return _points(case, given.raters.expectancy, (*path, "expectancy")), follows


def _frozen(values: FloatArray) -> FloatArray:
    array = np.array(values, dtype=np.float64) + 0.0
    array.flags.writeable = False
    return array
