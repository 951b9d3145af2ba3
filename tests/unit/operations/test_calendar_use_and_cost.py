"""What is read off an outcome: the calendar, the use of resources, the flow of participants, the cost."""

from dataclasses import replace

import numpy as np
import pytest

from clinics import CROWDED, WORKING_DAYS, arriving, attended, constant, operations, run, sites
from trialsim.operations import calendar, usage
from trialsim.operations.flow import arm_flow, screening_flow
from trialsim.scenario.resolved_operations import (
    COST_COMPONENTS,
    DAYS_PER_MONTH,
    Amount,
    Clinic,
    Costs,
    Funnel,
    Recruitment,
    TherapyGroups,
    VisitWindow,
    Waiting,
)

TWO = arriving([0.0, 20.5])


@pytest.fixture(scope="module")
def crowded():
    return run(CROWDED, 60)


def test_information_grows_with_the_visits_that_were_held():
    outcome = attended(operations(), TWO)
    assert calendar.enrolled(outcome.enrolment, [-1, 0, 20, 21])[0].tolist() == [0, 1, 1, 2]
    assert calendar.information(outcome, 2, [13.9, 14, 33, 34])[0].tolist() == [0, 1, 1, 2]
    assert calendar.day_of_information(outcome, 2, 1)[0] == 14.0
    assert calendar.day_of_information(outcome, 2, 2)[0] == 34.0
    assert calendar.day_of_information(outcome, 2, 3)[0] == np.inf
    assert calendar.seen_by(outcome, 2, 20.0)[0].tolist() == [True, False]
    by_replicate = calendar.seen_by(outcome, 2, np.where(np.arange(250) == 0, 40.0, 20.0))
    assert by_replicate[:2].tolist() == [[True, True], [True, False]]


def test_everybody_randomised_is_in_one_place_of_the_pipeline():
    outcome = attended(operations(clinic=Clinic(WORKING_DAYS, late_days=3)), arriving([0.0, 5.5]))
    at = calendar.pipeline(outcome, [0, 5, 5.6, 7, 28, 35])
    assert at["waiting"][0].tolist() == [0, 0, 1, 0, 0, 0]
    assert at["in_trial"][0].tolist() == [1, 1, 1, 2, 1, 0]
    assert at["finished"][0].tolist() == [0, 0, 0, 0, 1, 2]


def test_who_gives_up_waiting_for_a_group_is_gone_from_the_pipeline_unless_finished_before():
    therapy = TherapyGroups("dbt", (0,), 1.0, start_size=9, size=9, caseload=9, waiting=Waiting(4.0, 1e9))
    outcome = attended(operations(therapy=therapy), arriving([0.0, 50.0]), arm=[0, 1])
    at = calendar.pipeline(outcome, [4.5, 5.5, 60.0, 100.0])
    assert at["left"][0].tolist() == [0, 1, 1, 1]
    assert at["in_trial"][0].tolist() == [1, 0, 1, 0]
    assert at["finished"][0].tolist() == [0, 0, 0, 1]
    patient = replace(therapy, waiting=Waiting(40.0, 1e9))
    late = attended(operations(therapy=patient), arriving([0.0, 50.0]), arm=[0, 1])
    assert calendar.pipeline(late, [100.0])["left"][0, 0] == 0
    assert calendar.pipeline(late, [100.0])["finished"][0, 0] == 2


def test_the_pipeline_of_a_crowded_trial_adds_up_on_every_day(crowded):
    days = np.arange(0.0, 1500.0, 7.0)
    at = calendar.pipeline(crowded, days)
    assert min(part.min() for part in at.values()) >= 0
    np.testing.assert_array_equal(sum(at.values()), calendar.enrolled(crowded.enrolment, days))
    assert not at["waiting"][:, -1].any()
    assert not at["in_trial"][:, -1].any()
    assert at["left"][:, -1].any()
    assert calendar.waiting_for_therapy(crowded, days).min() == 0
    assert calendar.waiting_for_therapy(crowded, days).max() > 1


def test_chairs_are_used_for_as_long_as_infusions_take():
    running = operations(sites=sites(1, chairs=2), clinic=Clinic(WORKING_DAYS, late_days=3))
    outcome = attended(running, TWO)
    use = usage.infusion_use(outcome, "chairs", [0.0, 7.0, 14.0, 70.0])
    # Infusions on days 0, 3, 7, 10 and on 21, 24, 28, 31; the last visit is on day 49, a Monday.
    assert use.used[0, 0].tolist() == [320.0, 320.0, 640.0]
    assert use.available[0, 0].tolist() == [5 * 960.0, 5 * 960.0, (5 * 5 + 1) * 960.0]
    assert use.share[0, 0, 0] == pytest.approx(320.0 / 4800.0)
    assert use.over(2).used[0, 0] == 8 * 160.0
    assert np.isnan(usage.infusion_use(outcome, "nurses", [0.0, 7.0]).share).all()


def test_the_share_used_is_the_load_over_what_there_is():
    # All days are open and every month counts as it is long, also by edges that are no whole days.
    running = operations(sites=sites(1, 10.0, chairs=3))
    outcome = run(running, 50)
    use = usage.infusion_use(outcome, "chairs", np.arange(0.0, 3.0) * DAYS_PER_MONTH)
    # The first month begins on days 0 to 30, the second on 31 to 60.
    assert use.available[0, 0].tolist() == [31 * 3 * 480.0, 30 * 3 * 480.0]
    whole = usage.infusion_use(outcome, "chairs", [0.0, 2000.0])
    np.testing.assert_array_equal(whole.used[:, 0, 0], 50 * 4 * 160.0)
    np.testing.assert_array_equal(whole.available[:, 0, 0], (outcome.last_visit_day + 1.0) * 3 * 480.0)


def test_nothing_is_used_beyond_what_there_is(crowded):
    edges = np.arange(0.0, 1500.0, 7.0)
    for resource in ("chairs", "nurses", "psychiatrists"):
        share = usage.infusion_use(crowded, resource, edges).share
        assert np.nanmax(share) <= 1.0
    assert np.nanmax(usage.therapist_use(crowded, edges).share) <= 1.0
    assert np.nanmax(usage.rater_use(crowded, edges).share) <= 1.0
    assert np.nanmax(usage.rater_use(crowded, edges).share) > 0.5


def test_therapists_are_used_by_those_in_groups():
    therapy = TherapyGroups("dbt", (0,), 0.0, start_size=1, size=2, sessions=2, caseload=4)
    outcome = attended(operations(sites=sites(1, therapists=1), therapy=therapy), TWO)
    use = usage.therapist_use(outcome, [0.0, 13.0, 14.0, 21.0])
    assert use.used[0].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert use.available[0].tolist() == [4.0] * 4


def test_raters_are_used_by_visits():
    running = operations(visits=VisitWindow(WORKING_DAYS, late_days=3, raters=2, ratings_per_day=3))
    use = usage.rater_use(attended(running, TWO), [0.0, 7.0, 14.0])
    # Visits on days 3 and 7.
    assert use.used[0].tolist() == [1.0, 1.0]
    assert use.available[0].tolist() == [30.0, 30.0]


def test_the_flow_tells_of_everybody(crowded):
    flow = arm_flow(crowded)
    np.testing.assert_array_equal(flow["randomised"], flow["started"] + flow["left_before_start"])
    np.testing.assert_array_equal(flow["started"], flow["last_visit_held"] + flow["last_visit_not_held"])
    np.testing.assert_array_equal(flow["randomised"].sum(axis=1), crowded.enrolment.n_reached)
    assert flow["left_before_start"].any()
    assert not flow["in_group"][:, 0].any()
    screening = screening_flow(crowded.enrolment)
    np.testing.assert_array_equal(screening["randomised"], crowded.enrolment.n_reached)


PRICES = Costs(*[constant(price) for price in (1e5, 1000.0, 5000.0, 100.0, 50.0, 600.0, 80.0, 20.0)])


def test_each_part_of_the_cost_is_its_price_times_its_number():
    therapy = TherapyGroups("dbt", (0,), 0.0, start_size=1, size=2, sessions=2, caseload=4)
    funnel = Funnel(eligible=0.1)
    running = operations(
        costs=PRICES, sites=sites(2, 5.0), therapy=therapy, recruitment=Recruitment(3650.0, funnel=funnel)
    )
    outcome = run(running, 10)
    costs = dict(zip(COST_COMPONENTS, outcome.costs.T, strict=True))
    months = outcome.last_visit_day / DAYS_PER_MONTH
    assert set(costs["fixed"]) == {1e5}
    np.testing.assert_allclose(costs["month"], 1000.0 * months)
    np.testing.assert_array_equal(costs["site"], 10_000.0)
    np.testing.assert_allclose(costs["site_month"], 2 * 100.0 * months)
    np.testing.assert_array_equal(costs["screen"], 50.0 * outcome.enrolment.funnel[:, 0].sum(axis=1))
    np.testing.assert_array_equal(costs["infusion"], 600.0 * 40)
    np.testing.assert_array_equal(costs["session"], 80.0 * 5 * 2)
    np.testing.assert_array_equal(costs["visit"], 20.0 * 40)


def test_a_price_that_is_unknown_is_drawn_once_for_each_replicate():
    unknown = replace(PRICES, infusion=Amount("triangular", (400.0, 600.0, 800.0)))
    known = attended(operations(costs=PRICES), TWO).costs
    drawn = attended(operations(costs=unknown), TWO).costs
    at = COST_COMPONENTS.index("infusion")
    price = drawn[:, at] / 8
    assert len(set(price)) == 250
    assert price.min() >= 400.0
    assert price.max() <= 800.0
    assert abs(price.mean() - 600.0) <= 4.9 * price.std() / np.sqrt(250)
    np.testing.assert_array_equal(np.delete(known, at, axis=1), np.delete(drawn, at, axis=1))


def test_a_trial_that_randomises_nobody_still_costs():
    running = operations(costs=PRICES, recruitment=Recruitment(horizon_days=304.375), sites=sites(1, 0.0))
    outcome = run(running, 5)
    assert np.isnan(outcome.last_visit_day).all()
    costs = dict(zip(COST_COMPONENTS, outcome.costs.T, strict=True))
    np.testing.assert_allclose(costs["month"], 10_000.0)
    np.testing.assert_allclose(costs["site_month"], 1000.0)
    assert not costs["infusion"].any()
