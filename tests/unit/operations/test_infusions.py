"""The infusion clinic: who is infused when, with a day written down for everybody."""

from dataclasses import replace

import numpy as np
import pytest

from clinics import WORKING_DAYS, arriving, attended, operations, run, sites
from trialsim.operations.outcome import LEFT_BEFORE_START
from trialsim.operations.station import Station, appointments
from trialsim.scenario.resolved_operations import Clinic, Pause, Recruitment, Waiting

NAN = float("nan")


def days(outcome, replicate=0):
    return outcome.infusion_day[replicate].tolist()


def test_without_limits_everything_is_on_its_day():
    outcome = run(operations(), 30)
    reached = outcome.enrolment
    np.testing.assert_array_equal(outcome.start_day, np.floor(reached.day))
    np.testing.assert_array_equal(outcome.infusion_late_days, 0.0)
    np.testing.assert_array_equal(outcome.visit_late_days, 0.0)
    assert not outcome.infusion_missed.any()
    assert not outcome.visit_missed.any()
    assert np.isinf(outcome.left_day).all()
    assert not outcome.left_reason.any()


def test_an_arm_without_infusions_starts_at_randomisation():
    running = operations(infusion_days=((), (0.0, 3.0)))
    outcome = attended(running, arriving([4.5, 6.2]), arm=[0, 1])
    np.testing.assert_array_equal(outcome.start_day[0], [4.0, 6.0])
    np.testing.assert_array_equal(days(outcome)[0], [NAN, NAN])
    np.testing.assert_array_equal(days(outcome)[1], [6.0, 9.0])
    assert not outcome.infusion_missed.any()


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        # Day 0 is a Monday. From Wednesday, day 2: days 5 and 12 are Saturdays, 9 is a Wednesday.
        (0, 0, [2.0, NAN, 9.0, NAN]),
        (0, 2, [2.0, 7.0, 9.0, 14.0]),
        (1, 0, [2.0, 4.0, 9.0, 11.0]),
    ],
)
def test_on_a_closed_day_an_infusion_is_early_late_or_missed(early, late, expected):
    running = operations(clinic=Clinic(WORKING_DAYS, early_days=early, late_days=late))
    outcome = attended(running, arriving([2.3]))
    np.testing.assert_array_equal(days(outcome)[0], expected)
    np.testing.assert_array_equal(outcome.infusion_missed[0, 0], np.isnan(expected))
    np.testing.assert_array_equal(outcome.infusion_late_days[0, 0], np.array(expected) - [2.0, 5.0, 9.0, 12.0])


def test_the_first_infusion_waits_for_an_open_day():
    outcome = attended(operations(clinic=Clinic(WORKING_DAYS, late_days=2)), arriving([5.1]))
    assert outcome.start_day[0, 0] == 7.0
    assert outcome.start_wait_days[0, 0] == 2.0
    assert outcome.infusion_late_days[0, 0, 0] == 0.0


ONE_PLACE = operations(sites=sites(1, chairs=1), clinic=Clinic(open_minutes=160.0, late_days=1))


def test_those_under_treatment_go_before_those_who_wait():
    # The first patient has days 0, 3, 7, 10. The second and third come on day 3 and wait for a free day.
    outcome = attended(ONE_PLACE, arriving([0.0, 3.1, 3.2]))
    assert days(outcome)[0] == [0.0, 3.0, 7.0, 10.0]
    assert outcome.start_day[0].tolist() == [0.0, 4.0, 5.0]
    # Planned 4 + 3 = 7 is taken by the first patient, 5 + 3 = 8 by the second, who comes late.
    assert days(outcome)[1] == [4.0, 8.0, 11.0, 14.0]
    assert days(outcome)[2] == [5.0, 9.0, 12.0, 15.0]


def test_an_infusion_that_cannot_be_given_in_time_is_missed():
    outcome = attended(replace(ONE_PLACE, clinic=Clinic(open_minutes=160.0)), arriving([0.0, 3.1, 3.2]))
    assert days(outcome)[0] == [0.0, 3.0, 7.0, 10.0]
    np.testing.assert_array_equal(days(outcome)[1], [4.0, NAN, 11.0, 14.0])
    assert outcome.infusion_missed[0].sum() == 1


def test_a_gap_is_kept_after_a_late_infusion():
    running = replace(
        ONE_PLACE, clinic=Clinic((0, 4), open_minutes=160.0, late_days=4, min_gap_days=5), infusion_days=((0.0, 3.0),)
    )
    outcome = attended(running, arriving([0.0]))
    # Thursday 3 is closed and Friday 4 too soon after Monday 0, so Monday 7.
    assert days(outcome)[0] == [0.0, 7.0]


def test_who_waits_too_long_leaves_and_frees_the_place():
    waiting = Waiting(grace_days=2.0, hazard_per_day=1e9)
    running = replace(ONE_PLACE, infusion_days=((0.0, 1.0, 2.0, 3.0),))
    patient = attended(running, arriving([0.0, 0.5, 0.6]))
    assert patient.start_day[0].tolist() == [0.0, 4.0, 8.0]
    impatient = attended(
        replace(running, clinic=replace(running.clinic, waiting=waiting)), arriving([0.0, 0.5, 0.6, 4.2])
    )
    # The second and third give up two days after they came; so the one who comes on day 4 does not have to wait.
    np.testing.assert_allclose(impatient.left_day[0], [np.inf, 2.5, 2.6, np.inf], atol=1e-6)
    assert impatient.left_reason[0].tolist() == [0, LEFT_BEFORE_START, LEFT_BEFORE_START, 0]
    assert impatient.start_day[0].tolist() == [0.0, np.inf, np.inf, 4.0]
    assert np.isnan(impatient.visit_day[0, 1]).all()
    assert not impatient.infusion_missed[0, 1].any()


def test_a_hold_stops_infusions_and_a_pause_does_not():
    for stops, expected in ((False, [0.0, 3.0, 7.0, 10.0]), (True, [0.0, NAN, NAN, 10.0])):
        recruiting = Recruitment(horizon_days=3650.0, pauses=(Pause(1.0, 9.0, stops_infusions=stops),))
        outcome = attended(operations(recruitment=recruiting, clinic=Clinic(late_days=1)), arriving([0.0]))
        np.testing.assert_array_equal(days(outcome)[0], expected)


def test_sites_do_not_share_their_chairs():
    running = replace(ONE_PLACE, sites=sites(2, chairs=1))
    outcome = attended(running, arriving([0.0, 0.1], site=[0, 1], n_sites=2))
    assert outcome.start_day[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("limits", "clinic", "expected"),
    [
        ({"chairs": 2}, Clinic(open_minutes=480.0), (0.0, 0.0, 160.0, 160.0, 320.0, 320.0)),
        ({"chairs": 2, "nurses": 1}, Clinic(open_minutes=330.0), (0.0, 160.0)),
        ({"chairs": 4, "nurses": 1}, Clinic(open_minutes=200.0, patients_per_nurse=3), (0.0, 0.0, 0.0)),
        ({"chairs": 3, "psychiatrists": 1}, Clinic(open_minutes=200.0, psychiatrist_minutes=20.0), (0.0, 20.0, 40.0)),
        ({"chairs": 3, "psychiatrists": 1}, Clinic(open_minutes=199.0, psychiatrist_minutes=20.0), (0.0, 20.0)),
        ({"psychiatrists": 1}, Clinic(open_minutes=161.0, psychiatrist_minutes=1.0), (0.0, 1.0)),
    ],
)
def test_a_day_has_as_many_appointments_as_chairs_nurses_and_psychiatrists_allow(limits, clinic, expected):
    assert appointments(clinic, sites(1, **limits)[0]) == expected


def test_without_limits_there_is_no_list_of_appointments():
    assert appointments(Clinic(), sites()[0]) is None
    assert appointments(Clinic(psychiatrist_minutes=0.0), sites(1, psychiatrists=1)[0]) is None


def test_opening_hours_too_short_for_an_infusion_are_refused():
    with pytest.raises(ValueError, match="160 minutes and the clinic is open for 90"):
        appointments(Clinic(open_minutes=90.0), sites(1, chairs=1)[0])


def test_an_appointment_takes_one_unit_of_every_kind_for_its_own_time():
    station = Station([2, 1])
    assert station.book(0.0, [10.0, 4.0]) == 0.0
    assert station.book(1.0, [10.0, 4.0]) == 4.0
    # The second kind is free again at 8, the first at 10.
    assert station.book(5.0, [1.0, 1.0], latest_end=10.5) is None
    assert station.book(5.0, [1.0, 1.0]) == 10.0


def test_a_trial_without_infusions_has_a_calendar_too():
    outcome = run(operations(infusion_days=((), ())), 10)
    assert outcome.infusion_day.shape == (250, 10, 0)
    np.testing.assert_array_equal(outcome.start_day, np.floor(outcome.enrolment.day))
    assert not np.isnan(outcome.visit_day).any()


def test_nobody_may_come_at_all():
    outcome = run(operations(sites=sites(1, 0.0, chairs=1)), 3)
    assert np.isinf(outcome.start_day).all()
    assert np.isnan(outcome.infusion_day).all()
    assert not outcome.infusion_missed.any()
    assert not outcome.visit_missed.any()
