"""What must hold in any clinic: nobody without a chair, quotas kept, everybody somewhere, one seed one calendar."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinics import CROWDED, FREE, in_turn, recruited, run, sites
from trialsim.operations.attend import attend
from trialsim.operations.outcome import LEFT_BEFORE_START, LEFT_BEFORE_THERAPY, Outcome
from trialsim.scenario.resolved_operations import (
    Amount,
    Clinic,
    Funnel,
    Operations,
    Pause,
    Recruitment,
    Site,
    TherapyGroups,
    VisitWindow,
    Waiting,
)
from trialsim.streams import BLOCK_SIZE, Streams

FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
EDGE = 1e-9

weekdays = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
limits = st.one_of(st.none(), st.integers(1, 2))
waiting = st.builds(Waiting, st.sampled_from([0.0, 10.0]), st.sampled_from([0.0, 0.02, 0.2]))
clinics = st.builds(
    Clinic,
    weekdays,
    open_minutes=st.sampled_from([160.0, 300.0, 480.0]),
    psychiatrist_minutes=st.sampled_from([0.0, 30.0]),
    patients_per_nurse=st.integers(1, 2),
    early_days=st.integers(0, 2),
    late_days=st.integers(0, 5),
    min_gap_days=st.integers(1, 3),
    waiting=waiting,
)
visits = st.builds(
    VisitWindow, weekdays, st.integers(0, 2), st.integers(0, 4), raters=limits, ratings_per_day=st.integers(1, 3)
)
therapies = st.builds(
    TherapyGroups,
    st.just("dbt"),
    st.sampled_from([(0, 1), (1,)]),
    st.sampled_from([0.0, 7.0]),
    mode=st.sampled_from(["closed", "rolling"]),
    start_size=st.integers(1, 3),
    size=st.integers(3, 4),
    sessions=st.integers(1, 6),
    interval_days=st.sampled_from([7.0, 3.3]),
    shared=st.booleans(),
    shared_therapists=st.one_of(st.none(), st.integers(0, 2)),
    caseload=st.integers(3, 9),
    cancelled=st.sampled_from([0.0, 0.3]),
    start_anyway_days=st.sampled_from([float("inf"), 21.0]),
    waiting=waiting,
)
recruitments = st.builds(
    Recruitment,
    horizon_days=st.sampled_from([200.0, 900.5]),
    rate_shape=st.sampled_from([1.0, float("inf")]),
    decay_per_month=st.sampled_from([0.0, 0.05]),
    pauses=st.sampled_from([(), (Pause(30.0, 60.0, stops_infusions=True),)]),
    quotas=st.sampled_from([(), (6, None), (4, 12), (0, 20)]),
    funnel=st.builds(Funnel, st.sampled_from([1.0, 0.3]), screening_days=st.sampled_from([0.0, 14.0])),
)


@st.composite
def clinic_trials(draw):
    """Return operations of two or three sites."""
    kinds = [Amount("constant", (0.0,)), Amount("uniform", (10.0, 150.0)), Amount("constant", (5000.0,))]
    chosen = tuple(
        Site(f"s{c}", "", draw(st.sampled_from(kinds)), 3.0, draw(limits), draw(limits), draw(limits), draw(limits))
        for c in range(draw(st.integers(1, 3)))
    )
    return Operations(
        sites=chosen,
        recruitment=draw(recruitments),
        clinic=draw(clinics),
        visits=draw(visits),
        costs=FREE,
        therapy=draw(st.one_of(st.none(), therapies)),
        infusion_days=draw(st.sampled_from([((0.0, 3.0, 7.0),) * 2, ((), (0.0, 7.0))])),
        visits_days=(3.0, 7.0, 28.0),
        n_strata=2,
        first_weekday=draw(st.integers(0, 6)),
    )


def nobody_is_infused_without_a_chair(outcome: Outcome) -> None:
    clinic = outcome.operations.clinic
    stay = clinic.infusion_minutes + clinic.watch_minutes
    given_ = ~np.isnan(outcome.infusion_day)
    assert np.all(outcome.infusion_minute[given_] + stay <= clinic.open_minutes)
    rows, people, _ = np.nonzero(given_)
    day, minute = outcome.infusion_day[given_], outcome.infusion_minute[given_]
    site = outcome.enrolment.site[rows, people]
    for c, one in enumerate(outcome.operations.sites):
        nurse_places = None if one.nurses is None else one.nurses * clinic.patients_per_nurse
        for units, length in (
            (one.chairs, stay),
            (nurse_places, stay),
            (one.psychiatrists, clinic.psychiatrist_minutes),
        ):
            if units is None or length == 0.0:
                continue
            here = site == c
            key = np.stack([rows[here], day[here]], axis=1)
            # Somebody who takes a unit finds fewer than all of them taken by those who came before or together.
            order = np.lexsort((minute[here], key[:, 1], key[:, 0]))
            key, start = key[order], minute[here][order]
            later = np.arange(len(start)) + units
            inside = later < len(start)
            same = np.all(key[inside] == key[later[inside]], axis=1)
            assert np.all(start[later[inside]][same] >= start[inside][same] + length)


def days_are_open_and_far_enough_apart(outcome: Outcome) -> None:
    running = outcome.operations
    held = outcome.infusion_day[~np.isnan(outcome.infusion_day)]
    assert np.isin((held + running.first_weekday) % 7, running.clinic.weekdays).all()
    for pause in running.recruitment.pauses:
        assert not np.any((held >= pause.from_day) & (held < pause.until_day))
    assert np.isin(
        (outcome.visit_day[~np.isnan(outcome.visit_day)] + running.first_weekday) % 7, running.visits.weekdays
    ).all()
    filled = np.fmin.accumulate(
        np.where(np.isnan(outcome.infusion_day), np.inf, outcome.infusion_day)[..., ::-1], axis=2
    )
    following = filled[..., ::-1][..., 1:]
    this = outcome.infusion_day[..., :-1]
    known = ~np.isnan(this) & np.isfinite(following)
    assert np.all((following - this)[known] >= running.clinic.min_gap_days)
    late = outcome.infusion_late_days[..., 1:]
    assert np.all(late[~np.isnan(late)] <= running.clinic.late_days)
    assert np.all(outcome.infusion_late_days[..., 0][~np.isnan(outcome.infusion_late_days[..., 0])] == 0.0)
    late = outcome.visit_late_days[~np.isnan(outcome.visit_late_days)]
    assert np.all((late <= running.visits.late_days) & (late >= -running.visits.early_days))


def raters_see_no_more_than_they_can(outcome: Outcome) -> None:
    window = outcome.operations.visits
    if window.raters is None:
        return
    for days in outcome.visit_day[::25]:
        _, counts = np.unique(days[~np.isnan(days)], return_counts=True)
        assert counts.max(initial=0) <= window.raters * window.ratings_per_day


def everybody_is_somewhere(outcome: Outcome) -> None:
    enrolment, reached = outcome.enrolment, outcome.enrolment.reached
    np.testing.assert_array_equal(enrolment.funnel[:, 0], enrolment.funnel[:, 1:].sum(axis=1))
    started = np.isfinite(outcome.start_day)
    np.testing.assert_array_equal(reached, started | (outcome.left_reason == LEFT_BEFORE_START))
    assert not np.any(started & (outcome.left_reason == LEFT_BEFORE_START))
    np.testing.assert_array_equal(np.isfinite(outcome.left_day), outcome.left_reason > 0)
    assert np.all(outcome.start_day[started] >= np.floor(enrolment.day[started]))
    planned = np.array([len(days) for days in outcome.operations.infusion_days])[outcome.arm]
    given_or_missed = (~np.isnan(outcome.infusion_day)).sum(axis=2) + outcome.infusion_missed.sum(axis=2)
    stayed = started & np.isinf(outcome.left_day)
    np.testing.assert_array_equal(given_or_missed[stayed], planned[stayed])
    seen_or_missed = ~np.isnan(outcome.visit_day) | outcome.visit_missed
    np.testing.assert_array_equal(seen_or_missed[stayed].all(axis=1), True)
    assert not seen_or_missed[~started].any()
    after = outcome.left_day[..., None]
    assert not np.any(outcome.infusion_day >= after)
    assert not np.any(outcome.visit_day >= after)


def groups_and_caseloads_have_room(outcome: Outcome) -> None:
    therapy = outcome.operations.therapy
    if therapy is None:
        assert (outcome.group == -1).all()
        assert outcome.session_held.shape[2] == 0
        return
    seated = outcome.group >= 0
    np.testing.assert_array_equal(seated, ~np.isnan(outcome.therapy_start_day))
    assert np.isin(outcome.arm[seated], therapy.arms).all()
    assert not np.any(outcome.left_reason[seated] == LEFT_BEFORE_THERAPY)
    assert np.all(outcome.therapy_wait_days[seated] >= 0.0)
    if not therapy.shared:
        np.testing.assert_array_equal(outcome.group_site[seated], outcome.enrolment.site[seated])
    length = therapy.sessions * therapy.interval_days
    for r in range(0, BLOCK_SIZE, 50):
        for number, most in ((outcome.group[r], therapy.size), (outcome.therapist[r], therapy.caseload)):
            for one in range(number.max() + 1):
                start = outcome.therapy_start_day[r][number == one]
                together = (start <= start[:, None]) & (start[:, None] < start + length - EDGE)
                assert together.sum(axis=1).max() <= most


def quotas_are_kept(outcome: Outcome) -> None:
    enrolment = outcome.enrolment
    for s, quota in enumerate(outcome.operations.recruitment.quotas):
        if quota is not None:
            assert ((enrolment.stratum == s) & enrolment.reached).sum(axis=1).max() <= quota


@FEW
@given(clinic_trials())
def test_what_must_hold_in_any_clinic(running):
    outcome = run(running, 20)
    nobody_is_infused_without_a_chair(outcome)
    days_are_open_and_far_enough_apart(outcome)
    raters_see_no_more_than_they_can(outcome)
    everybody_is_somewhere(outcome)
    groups_and_caseloads_have_room(outcome)
    quotas_are_kept(outcome)


def the_same(first: Outcome, second: Outcome, but: tuple[str, ...] = ()) -> None:
    for field in fields(Outcome):
        if field.name not in ("operations", "enrolment", *but):
            np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_the_same_seed_gives_the_same_calendar_in_any_order():
    forward = [run(CROWDED, 20, block=block) for block in (0, 1)]
    backward = [run(CROWDED, 20, block=block) for block in (1, 0)]
    the_same(forward[0], backward[1])
    the_same(forward[1], backward[0])
    assert not np.array_equal(forward[0].costs, forward[1].costs) or not np.array_equal(
        forward[0].start_day, forward[1].start_day
    )
    assert not np.array_equal(forward[0].start_day, run(CROWDED, 20, seed=2).start_day)


def test_more_room_than_anybody_needs_is_as_good_as_no_limit():
    free = replace(
        CROWDED,
        sites=sites(3, 4.0),
        clinic=replace(CROWDED.clinic, psychiatrist_minutes=0.0),
        visits=replace(CROWDED.visits, raters=None),
    )
    wide = replace(
        free, sites=sites(3, 4.0, chairs=90, nurses=90, therapists=90), visits=replace(free.visits, raters=90)
    )
    the_same(run(free, 30), run(wide, 30), but=("infusion_minute", "therapist"))


def test_a_therapy_moves_nobody_elses_infusions_until_somebody_gives_up():
    patient = replace(CROWDED, therapy=replace(CROWDED.therapy, waiting=Waiting()))
    without = run(replace(patient, therapy=None), 30)
    np.testing.assert_array_equal(run(patient, 30).infusion_day, without.infusion_day)


def test_recruitment_does_not_hang_on_the_clinic():
    enrolment = recruited(CROWDED, 20)
    arm = in_turn(enrolment.day.shape)
    first = attend(CROWDED, Streams(1, 0), enrolment, arm)
    again = attend(CROWDED, Streams(1, 0), enrolment, arm)
    the_same(first, again)
