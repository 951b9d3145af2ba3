"""Events of simulated patients, one at a time: when they can happen, and what they do to the scores that follow."""

from __future__ import annotations

import numpy as np
import pytest

from trials import CONTINUOUS, resolve
from trialsim.engine.block import patient_source
from trialsim.patients.mechanisms.events import Factor, first_time
from trialsim.streams import Streams

N = 120
ALWAYS = 1e-6, 1000.0


def follow(changes, *, arm=None, without=(), n=N, document=CONTINUOUS, block=0):
    """Return the cohort of one block; arms alternate by default."""
    resolved = resolve(document, changes)
    source = patient_source(resolved.variants[0], resolved.hash)
    streams = Streams(5, block)
    stratum = source.enrol(streams, n)
    arms = np.broadcast_to(np.arange(n) % 2, stratum.shape) if arm is None else np.full_like(stratum, arm)
    return source.follow(streams, stratum, arms, without=without)


def happening(**event):
    return {"events": {"change": {"per_day": 0.05, **event}}}


# Times -------------------------------------------------------------------------------------------------------


def test_a_time_is_where_the_cumulative_hazard_reaches_what_was_drawn():
    # Hazard 0.1 up to day 4, then 0.3, halved up to day 6 for the second: 0.4 + 0.3 t, and 0.2 + 0.15 t up to day 6.
    drawn, begin = np.array([0.3, 0.3, 0.7, 0.7, 3.0, 0.7]), np.array([0.0, 0.0, 0.0, 0.0, 0.0, 5.0])
    half = np.array([1.0, 0.5, 1.0, 0.5, 1.0, 1.0])
    pieces = [
        Factor(np.array(-np.inf), np.array(4.0), np.full(6, 0.1)),
        Factor(np.array(4.0), np.array(np.inf), np.full(6, 0.3)),
        Factor(np.array(-np.inf), np.full(6, 6.0), half),
    ]
    found = first_time(drawn, begin, 10.0, np.ones(()), pieces)
    np.testing.assert_allclose(found, [3.0, 4 + 0.1 / 0.15, 5.0, 6 + 0.2 / 0.3, np.inf, 5 + 0.7 / 0.3], rtol=1e-12)
    twice = first_time(drawn, begin, 10.0, np.full((), 2.0), pieces)
    np.testing.assert_allclose(twice[:1], [1.5], rtol=1e-12)


def test_events_happen_where_and_when_they_can():
    cohort = follow(happening(per_day=1.0, arms=["active"], from_day=4, until_day=9))
    day = cohort.event_day["change"]
    assert np.isinf(day[cohort.arm == 0]).all()
    happened = np.isfinite(day[cohort.arm == 1])
    assert happened.mean() > 0.98
    assert day[np.isfinite(day)].min() >= 4.0
    assert day[np.isfinite(day)].max() <= 9.0
    np.testing.assert_array_equal(cohort.event_visit["change"][np.isinf(day)], 3)


def test_a_hazard_of_0_lets_nothing_happen():
    assert np.isinf(follow(happening(per_day=0.0)).event_day["change"]).all()


def test_hazards_by_arm_and_stratum():
    rates = {"control": {"all": 0.0}, "active": {"all": 5.0}}
    cohort = follow(happening(per_day=rates))
    np.testing.assert_array_equal(np.isfinite(cohort.event_day["change"]), cohort.arm == 1)


def test_what_waits_for_another_event_comes_after_it():
    second = {"per_day": 0.5, "only_after": "first"}
    changes = {"events": {"second": second, "first": {"per_day": 0.1}}}
    cohort = follow(changes)
    first, later = cohort.event_day["first"], cohort.event_day["second"]
    assert np.isfinite(later).any()
    assert np.all(later[np.isfinite(later)] > first[np.isfinite(later)])
    within = np.searchsorted([3, 7], first) == np.searchsorted([3, 7], later)
    assert np.any(within & np.isfinite(later)), "both may happen between two visits"
    gone = follow(changes, without=("first",))
    assert np.isinf(gone.event_day["second"]).all()
    assert "first" not in gone.event_day


def test_relapse_comes_after_a_response():
    halved = {"course.means.score.active": [8.0, 8.0, 8.0]}
    cohort = follow({**halved, **happening(per_day=1.0, only_after="response")})
    improved = (cohort.baseline[:, :, None, 0] - cohort.scores[..., 0]) / cohort.baseline[:, :, None, 0]
    day = cohort.event_day["change"]
    # A visit decides about what follows it, with the effect of nothing.
    first = np.argmax(improved >= 0.5, axis=2)
    responded = (improved >= 0.5).any(axis=2)
    assert np.isinf(day[~responded]).all()
    finite = np.isfinite(day)
    assert np.all(day[finite] > np.array([3.0, 7.0, 14.0])[first[finite]])
    early = responded & (first == 0)
    assert np.isfinite(day[early]).mean() > 0.98


def test_who_is_worse_has_the_event_more_often():
    driven = happening(score_hazard_ratio_per_sd=4.0)
    for depends, when in (("last", 0), ("current", 1)):
        cohort = follow({"events": {"change": {**driven["events"]["change"], "depends_on": depends}}})
        visit = cohort.event_visit["change"]
        scores = np.concatenate([cohort.baseline[:, :, None, 0], cohort.scores[..., 0]], axis=2)
        second = visit == 1
        still = visit > 1
        assert scores[:, :, 1 + when][second].mean() > scores[:, :, 1 + when][still].mean() + 2.0


# Effects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depends", ["last", "current"])
def test_effects_come_with_the_next_visit_and_nobody_else_is_touched(depends):
    event = {"per_day": 0.05, "score_hazard_ratio_per_sd": 1.5, "depends_on": depends, "effect": {"score": -4.0}}
    cohort, spared = follow({"events": {"change": event}}), follow({})
    moved = cohort.scores - spared.scores
    first = cohort.event_visit["change"] + (depends == "current")
    expected = np.where(np.arange(3) >= first[..., None], -4.0, 0.0)
    np.testing.assert_allclose(moved[..., 0], expected, atol=1e-12)
    np.testing.assert_array_equal(cohort.scores[expected == 0.0], spared.scores[expected == 0.0])


def test_an_event_switched_off_is_as_if_it_had_never_been_written():
    one = {"per_day": 0.05, "effect": {"score": -4.0}}
    both = {"events": {"one": one, "two": {"per_day": 0.1, "effect": {"score": 2.0}}}}
    off, never = follow(both, without=("two",)), follow({"events": {"one": one}})
    np.testing.assert_array_equal(off.scores, never.scores)
    np.testing.assert_array_equal(off.event_day["one"], never.event_day["one"])
    with_both = follow(both)
    unhappened = np.isinf(with_both.event_day["two"])
    np.testing.assert_array_equal(with_both.scores[unhappened], off.scores[unhappened])


def test_a_bounded_score_stays_on_its_scale():
    changes = {
        "population": {"strata": {"all": {"share": 1.0, "baseline": {"score": {"mean": 20.0, "sd": 5.0}}}}},
        "outcomes.score.scale": {"min": 0, "max": 40, "step": 1},
        **happening(effect={"score": -9.0}),
    }
    cohort = follow(changes, n=400)
    past = np.arange(3) >= cohort.event_visit["change"][..., None]
    assert cohort.scores.min() >= 0
    assert set(np.unique(cohort.scores)) <= set(np.arange(41.0))
    spared = follow({**changes, "events": None}, n=400)
    moved = (cohort.scores - spared.scores)[..., 0]
    assert -9.5 < moved[past].mean() < -8.0  # to first order: the floor takes the rest
    assert not moved[~past].any()


def test_an_effect_may_end():
    cohort, spared = follow(happening(effect={"score": -4.0}, lasts_days=5.0)), follow({})
    days = np.array([3.0, 7.0, 14.0])
    since = days - cohort.event_day["change"][..., None]
    np.testing.assert_allclose(
        (cohort.scores - spared.scores)[..., 0], np.where((since >= 0) & (since <= 5), -4.0, 0.0)
    )


FADING, GROWING = [0.0, 3.0, 6.0], [6.0, 4.0, 1.0]
"""Mean scores after a baseline of 20: a gain that fades, and one that grows. Hardly anybody is worse than at entry."""


def relapsing(means, n=400, **event):
    """Return the cohort of which some relapse, and the same patients spared; 100,000 of them."""
    course = {"course.means.score.active": means}
    return follow({**course, **happening(**event)}, arm=1, n=n), follow(course, arm=1, n=n)


def assert_mean(values, expected):
    """Bound of 4.9 standard errors: a false alarm in a million."""
    assert abs(values.mean() - expected) < 4.9 * values.std() / np.sqrt(values.size), (values.mean(), expected)


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("cause", [{}, {"only_after": "response"}, {"score_hazard_ratio_per_sd": 0.5}])
def test_who_relapses_is_expected_back_at_the_baseline_by_the_share_asked_for(share, cause):
    cohort, spared = relapsing(FADING, return_to_baseline=share, **cause)
    relapsed = cohort.event_visit["change"]
    for before in (0, 1):
        inside = relapsed == before + 1
        assert inside.mean() > 0.02
        for visit in range(before + 1, 3):
            # Whoever is picked, by luck of a visit too, is back on average, and stays there.
            unchanged = spared.scores[inside, visit, 0] - cohort.baseline[inside, 0]
            changed = cohort.scores[inside, visit, 0] - cohort.baseline[inside, 0]
            assert_mean(changed - (1 - share) * unchanged, 0.0)
        np.testing.assert_array_equal(cohort.scores[inside, : before + 1], spared.scores[inside, : before + 1])


def test_what_treatment_gives_after_a_relapse_is_kept():
    cohort, _ = relapsing(GROWING, return_to_baseline=1.0)
    inside = cohort.event_visit["change"] == 1
    for visit in (1, 2):
        assert_mean(cohort.scores[inside, visit, 0] - cohort.baseline[inside, 0], GROWING[visit] - GROWING[0])


def test_a_relapse_at_the_score_that_is_there_takes_effect_from_the_visit_after():
    cohort, spared = relapsing(FADING, return_to_baseline=1.0, depends_on="current", score_hazard_ratio_per_sd=0.5)
    inside = cohort.event_visit["change"] == 0
    np.testing.assert_array_equal(cohort.scores[inside, 0], spared.scores[inside, 0])
    for visit in (1, 2):
        assert_mean(cohort.scores[inside, visit, 0] - cohort.baseline[inside, 0], 0.0)


def test_who_has_gained_nothing_loses_nothing():
    cohort, spared = relapsing([40.0, 40.0, 40.0], return_to_baseline=1.0, n=40)
    np.testing.assert_array_equal(cohort.scores, spared.scores)
    at_entry, without = relapsing([10.0, 10.0, 10.0], return_to_baseline=1.0, until_day=3, n=40)
    assert np.isfinite(at_entry.event_day["change"]).any()
    np.testing.assert_array_equal(at_entry.scores, without.scores)


def test_two_relapses_take_back_no_more_than_all():
    events = {name: {"per_day": 0.1, "return_to_baseline": 0.7} for name in ("one", "two")}
    cohort = follow({"course.means.score.active": FADING, "events": events}, arm=1, n=400)
    both = (cohort.event_visit["one"] == 1) & (cohort.event_visit["two"] == 1)
    spared = follow({"course.means.score.active": FADING}, arm=1, n=400)
    for visit in (1, 2):
        unchanged = spared.scores[both, visit, 0] - cohort.baseline[both, 0]
        assert_mean(cohort.scores[both, visit, 0] - cohort.baseline[both, 0] - 0.3**2 * unchanged, 0.0)


def test_what_ends_the_follow_up_ends_all_else():
    changes = {
        "events": {
            "death": {"per_day": 0.1},
            "other": {"per_day": 0.1, "effect": {"score": -1.0}},
            "seen": {"per_day": 0.1, "depends_on": "current", "score_hazard_ratio_per_sd": 1.2},
        },
        "estimands.primary.intercurrent_events": {"death": "composite"},
    }
    cohort = follow(changes)
    death = cohort.event_day["death"]
    np.testing.assert_array_equal(cohort.present, np.array([3.0, 7.0, 14.0]) < death[..., None])
    for name in ("other", "seen"):
        day = cohort.event_day[name]
        assert np.all(day[np.isfinite(day)] <= death[np.isfinite(day)])
    alone = follow({**changes, "events": {"death": {"per_day": 0.1}}})
    np.testing.assert_array_equal(death, alone.event_day["death"])


def test_fewer_patients_are_the_first_of_more():
    small, large = follow(happening(effect={"score": 1.0}), n=40), follow(happening(effect={"score": 1.0}), n=80)
    np.testing.assert_array_equal(small.scores, large.scores[:, :40])
    np.testing.assert_array_equal(small.event_day["change"], large.event_day["change"][:, :40])


# What is seen ------------------------------------------------------------------------------------------------

GAPS = {"missing": {"intermittent": {"share": 0.4}}}
DRIVEN = {"per_day": 0.03, "score_hazard_ratio_per_sd": 2.5}
DAYS = (0.0, 3.0, 7.0, 14.0)
MEANS = (20.0, 18.0, 16.0, 15.0)


def by_hand(cohort, seen, per_day, ratio):
    """The day of an event that goes by the last score seen, patient by patient from the numbers drawn."""
    shape = cohort.arm.shape
    scores = np.concatenate([cohort.baseline[:, :, None], cohort.scores], axis=2)[..., 0]
    found = np.full(shape, np.inf)
    uniform = [Streams(5, 0).generator("event", "change", f"day {day:g}").random(shape[::-1]).T for day in DAYS[1:]]
    for trial, patient in np.ndindex(shape):
        for v in range(3):
            last = max(at for at in range(v + 1) if at == 0 or seen[trial, patient, at - 1])
            hazard = per_day * ratio ** ((scores[trial, patient, last] - MEANS[last]) / 5.0)
            day = DAYS[v] - np.log1p(-uniform[v][trial, patient]) / hazard
            if day < DAYS[v + 1]:
                found[trial, patient] = day
                break
    return found


def test_after_a_missed_visit_the_score_before_it_drives_the_event():
    cohort = follow({**GAPS, "events": {"change": {**DRIVEN, "effect": {"score": -4.0}}}}, n=40)
    expected = by_hand(cohort, cohort.present, 0.03, 2.5)
    np.testing.assert_allclose(cohort.event_day["change"], expected, rtol=1e-12)
    assert 0.2 < np.isfinite(expected).mean() < 0.8
    by_true_scores = by_hand(cohort, np.ones_like(cohort.present), 0.03, 2.5)
    assert np.mean(by_true_scores != expected) > 0.02


def test_who_has_left_counts_as_seen_so_that_leaving_changes_no_score():
    changes = {"events": {"change": {**DRIVEN, "effect": {"score": -4.0}}}, **GAPS}
    stays, leaves = (
        follow({**changes, "dropout": {"model": "mcar", "missing_by": {14: share}}}) for share in (0.0, 0.6)
    )
    assert leaves.present.sum() < 0.8 * stays.present.sum()
    np.testing.assert_array_equal(leaves.event_day["change"], stays.event_day["change"])
    np.testing.assert_array_equal(leaves.scores, stays.scores)


def test_without_gaps_nobody_elses_draws_move():
    event = {"events": {"change": {**DRIVEN, "effect": {"score": -4.0}}}}
    gaps, whole = follow({**event, **GAPS}), follow(event)
    first = np.where(gaps.present.all(axis=2), 3, np.argmin(gaps.present, axis=2))
    alike = np.arange(3) <= first[..., None]
    np.testing.assert_array_equal(gaps.scores[alike], whole.scores[alike])
    day, without = gaps.event_day["change"], whole.event_day["change"]
    known = np.minimum(day, without) <= np.array([*DAYS[1:], np.inf])[first]
    np.testing.assert_array_equal(day[known], without[known])
    np.testing.assert_array_equal(day[first == 3], without[first == 3])
    assert np.any(day != without)


def test_gaps_in_a_share_of_0_are_no_gaps():
    event = {"events": {"change": {**DRIVEN, "effect": {"score": -4.0}}}}
    none, whole = follow({**event, "missing": {"intermittent": {"share": 0.0}}}), follow(event)
    np.testing.assert_array_equal(none.scores, whole.scores)
    np.testing.assert_array_equal(none.event_day["change"], whole.event_day["change"])


RESPONDING = {"course.means.score": {"control": [12.0, 8.0, 8.0], "active": [12.0, 8.0, 8.0]}}


def test_a_response_counts_once_it_is_seen_unless_the_event_goes_by_scores_that_are_not():
    for depends, counted in (("last", True), ("current", False)):
        event = {"per_day": 1000, "only_after": "response", "depends_on": depends, "score_hazard_ratio_per_sd": 1.0}
        cohort = follow({**RESPONDING, **GAPS, "events": {"change": event}})
        met = cohort.scores[..., 0] <= 0.5 * cohort.baseline[..., :1]
        counts = met & cohort.present if counted else met
        # A response at the last visit, on day 14, has nothing after it.
        first = np.where(counts[..., :2].any(axis=2), np.argmax(counts[..., :2], axis=2), 2)
        day = cohort.event_day["change"]
        np.testing.assert_allclose(day, np.array([3.0, 7.0, np.inf])[first], atol=0.05)
        assert len(np.unique(first)) == 3


def test_what_a_relapse_takes_back_is_the_improvement_there_was_seen_or_not():
    relapse = happening(return_to_baseline=0.75)
    gaps, whole = follow({**GAPS, **relapse}), follow(relapse)
    assert not gaps.present.all()
    np.testing.assert_array_equal(gaps.scores, whole.scores)
    assert (whole.scores != follow({}).scores).any()


# What lowers a hazard ----------------------------------------------------------------------------------------

TREATED = {
    "arms": {"control": {"infusion": "ketamine"}, "active": {"infusion": "ketamine", "infusions": [0, 3, 7]}},
    "schedule.infusions": [0],
}


def test_infusions_lower_a_hazard_while_they_go_on():
    plain = follow({**TREATED, **happening()})
    less = follow({**TREATED, **happening(infusion_hazard_ratio=1e-9)})
    day, spared = plain.event_day["change"], less.event_day["change"]
    np.testing.assert_array_equal(spared[less.arm == 0], day[less.arm == 0])
    active = spared[less.arm == 1]
    assert active[np.isfinite(active)].min() > 7.0
    after = (less.arm == 1) & (day > 7.0)
    np.testing.assert_allclose(spared[after], day[after])
    named = follow({**TREATED, **happening(infusion_hazard_ratio={"active": 1e-9})})
    np.testing.assert_array_equal(named.event_day["change"], spared)


def test_a_therapy_lowers_a_hazard_from_its_first_session_until_it_is_stopped():
    therapy = {
        "arms": {"control": {}, "active": {"therapy": "talks"}},
        "course.means": None,
        "course.control_change": {"score": -3.0},
        "therapies": {"talks": {"weeks": 1, "onset_weeks": 0, "start_day": 3, "effects": {"score": {"points": 0.0}}}},
    }
    plain = follow({**therapy, **happening()})
    less = follow({**therapy, **happening(hazard_ratio={"talks": 1e-9})})
    day = plain.event_day["change"]
    expected = np.where((less.arm == 1) & (day > 3.0), np.inf, day)
    np.testing.assert_array_equal(less.event_day["change"], expected)
    stops = {"stop": {"share_by": {7: 0.5}, "until_day": 7, "stops_therapy": True}}
    events = {**stops, **happening(hazard_ratio={"talks": 1e-9})["events"]}
    stopped = follow({**therapy, "events": events})
    again = stopped.event_day["change"][(stopped.arm == 1) & np.isinf(expected)]
    until = stopped.event_day["stop"][(stopped.arm == 1) & np.isinf(expected)]
    assert np.isfinite(again).any()
    assert np.all(again[np.isfinite(again)] > np.maximum(until, 3.0)[np.isfinite(again)])
