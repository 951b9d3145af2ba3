"""Recruitment as a user of it meets it: order, quotas, horizon, funnel, and what moves no draw."""

import numpy as np
import pytest

from clinics import constant, operations, recruited, sites, strata_of
from trialsim.operations.outcome import FUNNEL_STAGES
from trialsim.operations.recruit import recruit
from trialsim.scenario.resolved_operations import Amount, Funnel, Recruitment, Site
from trialsim.streams import Streams


def test_without_quotas_everybody_keeps_the_stratum_that_the_patient_model_drew():
    streams, asked = Streams(1, 0), []
    draw = strata_of(streams)

    def strata(number):
        asked.append(number)
        return draw(number)

    enrolment = recruit(operations(), streams, strata, 50)
    np.testing.assert_array_equal(enrolment.stratum, draw(50))
    assert asked == [50]


def test_participants_come_one_after_the_other_at_a_site_that_is_open():
    opening = Amount("uniform", (10.0, 200.0))
    running = operations(sites=tuple(Site(f"s{c}", "", opening, 2.0) for c in range(4)))
    enrolment = recruited(running, 60)
    assert np.all(np.diff(enrolment.day, axis=1) > 0.0)
    assert enrolment.reached.all()
    opened = np.take_along_axis(enrolment.site_opened_day, enrolment.site, axis=1)
    assert np.all(enrolment.day >= opened)
    np.testing.assert_array_equal(enrolment.closed_day, enrolment.day[:, -1])


def test_a_smaller_trial_is_the_beginning_of_a_larger_one():
    running = operations(sites=sites(3, 2.0))
    small, large = recruited(running, 20), recruited(running, 50)
    for name in ("day", "site", "stratum"):
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name)[:, :20])


def test_another_site_moves_nobody_of_a_site_that_opens_first():
    alone = operations(sites=sites(1, 5.0))
    second = Site("second", "", constant(300.0), 5.0)
    both = operations(sites=(*sites(1, 5.0), second))
    first, with_other = recruited(alone, 40), recruited(both, 40)
    early = first.day < 300.0
    assert early.any()
    np.testing.assert_array_equal(first.day[early], with_other.day[early])


def test_recruitment_ends_at_the_horizon_with_the_number_it_has_reached():
    running = operations(sites=sites(1, 2.0), recruitment=Recruitment(horizon_days=365.0))
    enrolment = recruited(running, 30)
    short = enrolment.n_reached < 30
    assert 0.5 < short.mean() < 1.0
    np.testing.assert_array_equal(enrolment.closed_day[short], 365.0)
    np.testing.assert_array_equal(np.isfinite(enrolment.day).sum(axis=1), enrolment.n_reached)
    assert np.all(enrolment.day[np.isfinite(enrolment.day)] <= 365.0)
    np.testing.assert_array_equal(enrolment.site >= 0, enrolment.reached)


def test_a_site_that_never_opens_recruits_nobody():
    running = operations(sites=(Site("never", "", constant(5000.0), 5.0),))
    enrolment = recruited(running, 10)
    assert not enrolment.n_reached.any()
    assert np.isinf(enrolment.site_opened_day).all()
    assert not enrolment.funnel.any()


@pytest.mark.parametrize("quotas", [(20, 20), (10, 30), (None, 8), (0, 40)])
def test_quotas_are_kept_and_the_rest_is_turned_away(quotas):
    running = operations(recruitment=Recruitment(horizon_days=36500.0 / 4, quotas=quotas))
    enrolment = recruited(running, 40)
    counts = np.stack([((enrolment.stratum == s) & enrolment.reached).sum(axis=1) for s in range(2)], axis=1)
    assert enrolment.reached.all()
    for s, quota in enumerate(quotas):
        if quota is not None:
            assert np.all(counts[:, s] <= quota)
    if None not in quotas:
        np.testing.assert_array_equal(counts, np.broadcast_to(quotas, counts.shape))
    turned = enrolment.funnel[:, FUNNEL_STAGES.index("turned_away")].sum(axis=1)
    assert turned.mean() > 0.0


def test_those_who_are_taken_come_in_the_order_in_which_they_consent():
    # Turned away is who comes to a full stratum: the k-th participant is the k-th candidate who does not.
    free = operations()
    streams = Streams(1, 0)
    candidates = recruit(free, streams, strata_of(streams), 200)
    running = operations(recruitment=Recruitment(horizon_days=3650.0, quotas=(5, None)))
    enrolment = recruited(running, 30)
    for r in range(0, 250, 50):
        stratum = candidates.stratum[r]
        kept = [i for i in range(200) if stratum[i] == 1 or (stratum[:i] == 0).sum() < 5][:30]
        np.testing.assert_array_equal(enrolment.day[r], candidates.day[r][kept])
        np.testing.assert_array_equal(enrolment.stratum[r], stratum[kept])
        turned = enrolment.funnel[r, FUNNEL_STAGES.index("turned_away")].sum()
        assert turned == kept[-1] + 1 - 30


def test_quotas_that_leave_too_few_end_recruitment_when_they_are_full():
    enrolment = recruited(operations(recruitment=Recruitment(horizon_days=3650.0, quotas=(10, 10))), 40)
    np.testing.assert_array_equal(enrolment.n_reached, 20)
    assert np.all(enrolment.closed_day < 3650.0)


def test_screening_takes_its_days():
    running = operations(recruitment=Recruitment(horizon_days=3650.0, funnel=Funnel(screening_days=21.0)))
    plain, screened = recruited(operations(), 40), recruited(running, 40)
    np.testing.assert_allclose(screened.day, plain.day + 21.0)
    in_screening = screened.funnel[:, FUNNEL_STAGES.index("in_screening_at_close")].sum(axis=1)
    # Ten a month come, and nobody knows until the last is randomised that no more are wanted.
    assert in_screening.mean() == pytest.approx(21.0 * 10.0 / 30.4375, abs=4.9 * np.sqrt(6.9 / 250))


def test_everybody_assessed_is_somewhere():
    funnel = Funnel(0.3, 0.5, 0.9, 0.8, 10.0)
    running = operations(
        sites=sites(3, 3.0), recruitment=Recruitment(horizon_days=900.0, quotas=(10, None), funnel=funnel)
    )
    enrolment = recruited(running, 50)
    np.testing.assert_array_equal(enrolment.funnel[:, 0], enrolment.funnel[:, 1:].sum(axis=1))
    randomised = enrolment.funnel[:, FUNNEL_STAGES.index("randomised")]
    np.testing.assert_array_equal(randomised.sum(axis=1), enrolment.n_reached)
    for c in range(3):
        np.testing.assert_array_equal(randomised[:, c], (enrolment.site == c).sum(axis=1))
