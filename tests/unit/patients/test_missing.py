"""Missed visits: draws that move nobody, gaps beside leaving, and what the last score seen is."""

import numpy as np
import pytest

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import blinded, compute_block, draw_block
from trialsim.patients.calibration import baseline_hazards
from trialsim.patients.mechanisms import State
from trialsim.patients.missing import DrawnVisits
from trialsim.patients.model import build_patient_model
from trialsim.patients.seen import LastSeen
from trialsim.streams import Streams

GAPS = {"missing": {"intermittent": {"share": 0.2}}}
LEAVING = {"dropout": {"model": "mar", "missing_by": {14: 0.3}, "score_hazard_ratio_per_sd": 2.0}}


def cohort(document=BOUNDED, changes=None, *, n=60):
    resolved = resolve(document, changes)
    return draw_block(resolved.variants[0], resolved.hash, Streams(3, 0), n)


def test_missed_visits_change_no_score_and_nobody_who_leaves_at_random():
    at_random = {"dropout.model": "mcar"}
    without, gaps = cohort(changes=at_random), cohort(changes={**at_random, **GAPS})
    for part in ("stratum", "arm", "baseline", "scores"):
        np.testing.assert_array_equal(getattr(without, part), getattr(gaps, part), err_msg=part)
    assert np.all(gaps.present <= without.present)
    assert (gaps.present[:, :, -1] & ~gaps.present[:, :, 0]).any()


def test_a_share_of_zero_is_no_missed_visit():
    base = cohort(CONTINUOUS, LEAVING)
    none = cohort(CONTINUOUS, {**LEAVING, "missing": {"intermittent": {"share": {7: 0}, "model": "mar"}}})
    np.testing.assert_array_equal(base.present, none.present)


def test_the_first_patients_of_a_larger_trial_miss_the_same_visits():
    np.testing.assert_array_equal(cohort(changes=GAPS, n=120).present[:, :60], cohort(changes=GAPS).present)


def test_more_gaps_take_more_of_the_same_visits():
    some, more = (cohort(CONTINUOUS, {"missing": {"intermittent": {"share": s}}}) for s in (0.1, 0.3))
    assert np.all(some.present >= more.present)


def test_shares_by_day_are_for_those_days_only():
    present = cohort(CONTINUOUS, {"missing": {"intermittent": {"share": {7: 0.3}}}}).present
    assert present[:, :, [0, 2]].all()
    assert not present[:, :, 1].all()


def test_hazards_at_random_are_minus_the_logarithms_of_coming():
    model = build_patient_model(
        resolve(CONTINUOUS, {"missing": {"intermittent": {"share": {3: 0.1, 14: 0.25}}}}).variants[0]
    )
    found = baseline_hazards(model)
    assert found.leaving is None
    np.testing.assert_allclose(found.missing, [-np.log(0.9), 0.0, -np.log(0.75)], rtol=1e-9)


def presence(scores, asked, *, baseline=20.0):
    """Who of one trial of 4000 is seen when all have these scores and hazards are large where scores are high."""
    model = build_patient_model(asked)
    shape = (1, 4000)
    everybody = np.zeros(shape, dtype=np.intp)
    course = np.broadcast_to(np.asarray(scores, dtype=float)[:, None], (*shape, 3, 1))
    start = np.full((*shape, 1), baseline)
    there = np.ones((*shape, 3), dtype=bool)
    seen = LastSeen(model, start)
    none = np.zeros((*shape, 0), dtype=bool)
    state = State(
        model, Streams(1, 0), everybody, everybody, {}, start, course, (0,), none, none, there[..., 0], there, seen
    )
    visits = DrawnVisits(baseline_hazards(model))
    visits.begin(state)
    for v in range(3):
        seen.come(course[:, :, v], v)
        seen.miss(visits.at(state, v))
    return visits.gaps.present


STEEP = {"score_hazard_ratio_per_sd": 20.0}


@pytest.mark.parametrize(("model", "visit"), [("mar", 2), ("mnar", 1)])
def test_a_bad_visit_shows_at_it_or_at_the_next(model, visit):
    asked = resolve(CONTINUOUS, {"missing": {"intermittent": {"share": 0.1, "model": model, **STEEP}}}).variants[0]
    calm = presence([18.0, 16.0, 15.0], asked)
    bad = presence([18.0, 31.0, 15.0], asked)
    others = [v for v in range(3) if v != visit]
    np.testing.assert_array_equal(bad[..., others], calm[..., others])
    assert bad[..., visit].mean() < 0.5 < calm[..., visit].mean()


def test_who_misses_a_bad_visit_is_judged_by_the_one_before():
    changes = {
        "missing": {"intermittent": {"share": {7: 0.4}}},
        "dropout": {"model": "mar", "missing_by": {3: 0.0, 7: 0.0, 14: 0.1}, **STEEP},
    }
    present = presence([18.0, 31.0, 15.0], resolve(CONTINUOUS, changes).variants[0])
    missed = ~present[0, :, 1]
    assert 0.35 < missed.mean() < 0.45
    assert present[0, missed, 2].mean() > 0.9
    assert present[0, ~missed, 2].mean() < 0.2


def test_the_share_without_a_score_counts_gaps_and_leaving():
    resolved = resolve(CONTINUOUS, {**GAPS, **LEAVING, "simulation.replicates": 250})
    variant = resolved.variants[0]
    cell = compute_block(variant, resolved.hash, resolved.seed, 0)[0]
    whole = draw_block(variant, resolved.hash, Streams(resolved.seed, 0), 80)
    seen = ~np.isnan(blinded(variant, whole).scores[:, :, -1, 0])
    np.testing.assert_allclose(cell.share_missing, 1 - seen.mean(axis=1), atol=1e-12)
    assert (cell.estimates.n_analysed == (~np.isnan(whole.observed[..., 0]).all(axis=2)).sum(axis=1)).all()
    assert cell.share_missing.mean() == pytest.approx(1 - 0.7 * 0.8, abs=0.02)


def test_hazards_do_not_hang_on_the_luck_of_few_raters_or_sites():
    few = {"raters": {"number": 2, "icc": {"score": 0.7}}, **LEAVING}
    many = {**few, "raters": {"number": 900, "icc": {"score": 0.7}}}
    one, other = (baseline_hazards(build_patient_model(resolve(CONTINUOUS, c).variants[0])) for c in (few, many))
    np.testing.assert_array_equal(one.leaving, other.leaving)
    own = {"heterogeneity": {"effect_sd": {"score": 3.0}, "arms": ["active"]}, **LEAVING}
    sites = {"sites": {"number": 2, "icc": 0.0, "effect_sd": {"score": 3.0}}}
    by_site = {**own, "heterogeneity.effect_sd.score": 0.0, "clusters": sites}
    one, other = (baseline_hazards(build_patient_model(resolve(CONTINUOUS, c).variants[0])) for c in (own, by_site))
    np.testing.assert_allclose(one.leaving, other.leaving, rtol=1e-12)
