"""Therapy groups: when they start, who waits and who gives up, with a day written down for everybody."""

from dataclasses import replace

import numpy as np

from clinics import arriving, attended, operations, run, sites
from trialsim.operations.outcome import LEFT_BEFORE_THERAPY
from trialsim.scenario.resolved_operations import TherapyGroups, Waiting

NAN = float("nan")
CLOSED = TherapyGroups("dbt", (0,), 10.0, start_size=2, size=3, sessions=4, caseload=3)
ROLLING = replace(CLOSED, mode="rolling")


def with_therapy(therapy, **limits):
    return operations(sites=sites(1, **limits), therapy=therapy, visits_days=(3.0, 7.0, 14.0, 90.0))


def test_a_closed_group_starts_when_enough_wait():
    outcome = attended(with_therapy(CLOSED), arriving([0.0, 5.0, 6.0, 20.0, 50.0, 51.0]))
    assert outcome.therapy_ready_day[0].tolist() == [10.0, 15.0, 16.0, 30.0, 60.0, 61.0]
    assert outcome.therapy_start_day[0].tolist() == [15.0, 15.0, 30.0, 30.0, 61.0, 61.0]
    assert outcome.group[0].tolist() == [0, 0, 1, 1, 2, 2]
    assert outcome.therapy_wait_days[0].tolist() == [5.0, 0.0, 14.0, 0.0, 1.0, 0.0]


def test_those_who_are_ready_together_start_together():
    outcome = attended(with_therapy(CLOSED), arriving([0.0, 0.1, 0.2, 0.3, 0.4]))
    assert outcome.group[0].tolist() == [0, 0, 0, 1, 1]


def test_when_recruitment_is_over_the_last_group_starts_with_whoever_waits():
    therapy = replace(CLOSED, start_size=3)
    outcome = attended(with_therapy(therapy), arriving([0.0, 1.0, 2.0, 30.0]))
    assert outcome.therapy_start_day[0].tolist() == [12.0, 12.0, 12.0, 40.0]


def test_a_therapist_has_no_more_than_the_caseload():
    # Four weekly sessions: a group ends on the day on which the next may start.
    outcome = attended(with_therapy(CLOSED, therapists=1), arriving([0.0, 0.1, 0.2, 1.0, 1.1]))
    assert outcome.therapy_start_day[0].tolist() == [10.0, 10.0, 10.0, 38.0, 38.0]
    assert outcome.therapist[0].tolist() == [0] * 5
    two = attended(with_therapy(CLOSED, therapists=2), arriving([0.0, 0.1, 0.2, 1.0, 1.1]))
    assert two.therapy_start_day[0].tolist() == [10.0, 10.0, 10.0, 11.0, 11.0]
    assert two.therapist[0].tolist() == [0, 0, 0, 1, 1]


def test_without_a_therapist_nobody_is_seated():
    outcome = attended(with_therapy(CLOSED, therapists=0), arriving([0.0, 1.0]))
    assert np.isnan(outcome.therapy_start_day).all()
    assert (outcome.group == -1).all()
    assert not outcome.session_held.any()
    assert np.isinf(outcome.left_day).all()


def test_a_group_that_has_waited_long_starts_anyway():
    therapy = replace(CLOSED, start_size=3, start_anyway_days=20.0)
    outcome = attended(with_therapy(therapy), arriving([0.0, 5.0, 100.0, 101.0, 102.0]))
    assert outcome.therapy_start_day[0].tolist() == [30.0, 30.0, 112.0, 112.0, 112.0]


def test_people_join_a_rolling_group_on_its_next_session():
    outcome = attended(with_therapy(ROLLING), arriving([0.0, 2.0, 7.0, 8.0]))
    # Sessions on days 10, 17, 24, ...; the fourth finds the group full and another is opened.
    assert outcome.therapy_start_day[0].tolist() == [10.0, 17.0, 17.0, 18.0]
    assert outcome.group[0].tolist() == [0, 0, 0, 1]


def test_a_rolling_group_has_no_more_than_its_places_even_if_the_therapist_has():
    outcome = attended(with_therapy(replace(ROLLING, caseload=6), therapists=1), arriving([0.0, 0.1, 0.2, 0.3]))
    assert outcome.group[0].tolist() == [0, 0, 0, 1]
    assert outcome.therapist[0].tolist() == [0, 0, 0, 0]


def test_a_place_in_a_rolling_group_is_free_when_somebody_has_had_all_sessions():
    outcome = attended(with_therapy(ROLLING, therapists=1), arriving([0.0, 2.0, 7.0, 8.0]))
    # The first has sessions on 10, 17, 24, 31 and makes room for one on 38.
    assert outcome.therapy_start_day[0].tolist() == [10.0, 17.0, 17.0, 38.0]
    assert outcome.group[0].tolist() == [0, 0, 0, 0]


def test_who_gives_up_waiting_leaves_the_trial_and_frees_infusions():
    therapy = replace(CLOSED, ready_day=1.0, start_size=9, size=9, caseload=9, waiting=Waiting(4.0, 1e9))
    running = replace(with_therapy(therapy), infusion_days=((0.0, 3.0, 7.0), (0.0,)))
    outcome = attended(running, arriving([0.0, 50.0]), arm=[0, 1])
    np.testing.assert_allclose(outcome.left_day[0], [5.0, np.inf], atol=1e-6)
    assert outcome.left_reason[0, 0] == LEFT_BEFORE_THERAPY
    np.testing.assert_array_equal(outcome.infusion_day[0, 0], [0.0, 3.0, NAN])
    assert not outcome.infusion_missed[0, 0].any()
    np.testing.assert_array_equal(outcome.visit_day[0, 0], [3.0, NAN, NAN, NAN])
    assert not outcome.visit_missed[0, 0].any()


def test_sites_can_share_their_groups():
    shared = replace(CLOSED, shared=True, shared_therapists=1)
    running = operations(sites=sites(2, therapists=0), therapy=shared)
    outcome = attended(running, arriving([0.0, 1.0], site=[0, 1], n_sites=2))
    assert outcome.therapy_start_day[0].tolist() == [11.0, 11.0]
    assert outcome.group_site[0].tolist() == [-1, -1]
    own = attended(
        replace(running, therapy=CLOSED, sites=sites(2, therapists=1)), arriving([0.0, 1.0], site=[0, 1], n_sites=2)
    )
    assert own.group[0].tolist() == [0, 1]
    assert own.group_site[0].tolist() == [0, 1]
    assert own.therapist[0].tolist() == [0, 1]


def test_a_cancelled_session_is_cancelled_for_the_whole_group_and_at_its_chance():
    therapy = TherapyGroups("dbt", (0, 1), 0.0, start_size=4, size=4, sessions=10, caseload=4, cancelled=0.2)
    outcome = run(with_therapy(therapy), 24)
    assert (outcome.group >= 0).all()
    for r in range(0, 250, 25):
        for group in range(outcome.group[r].max() + 1):
            held = outcome.session_held[r][outcome.group[r] == group]
            assert np.all(held == held[0])
    # 250 replicates of six groups of ten sessions.
    n_sessions = 250 * 6 * 10
    share = 1.0 - outcome.session_held.mean()
    assert abs(share - 0.2) <= 4.9 * np.sqrt(0.2 * 0.8 / n_sessions)
    np.testing.assert_array_equal(outcome.sessions_cancelled, 10 - outcome.session_held.sum(axis=2))


def test_members_of_a_rolling_group_share_the_sessions_that_fall_on_one_day():
    therapy = replace(ROLLING, sessions=4, cancelled=0.4)
    outcome = attended(with_therapy(therapy), arriving([0.0, 7.0]))
    assert outcome.group[0].tolist() == [0, 0]
    np.testing.assert_array_equal(outcome.session_held[:, 0, 1:], outcome.session_held[:, 1, :-1])
