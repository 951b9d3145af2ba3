"""Recruitment and queues against closed forms: Poisson-gamma numbers, waiting times, Erlang C, M/D/1, Little's law.

Bounds are 4.9 Monte Carlo standard errors; seeds are fixed.
"""

import math

import numpy as np
import pytest

from clinics import attended, constant, operations, recruited, sites
from trialsim.kernels.queueing import erlang_c, mean_wait
from trialsim.operations.calendar import counted_by, enrolled, pipeline
from trialsim.operations.expected import expected_recruitment
from trialsim.operations.station import Station
from trialsim.planning.formulas.recruitment import Recruitment as PoissonGamma
from trialsim.scenario.resolved_operations import DAYS_PER_MONTH, Amount, Clinic, Funnel, Pause, Recruitment, Site

BOUND = 4.9


def within(values, expected):
    """Assert that the mean of independent values is the expected one, to the bound."""
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) <= BOUND * error, (values.mean(), expected, error)


def over_blocks(running, number, n_blocks, seed=1):
    return [recruited(running, number, seed=seed, block=block) for block in range(n_blocks)]


def test_sites_with_gamma_rates_recruit_a_negative_binomial_number():
    # Case K2: 20 sites, rates gamma with shape 1.2 and mean 0.5 a month, 12 months; 5,000 replicates, so a bias
    # of 1.9 in the mean of 120 would be seen.
    year = operations(sites=sites(20, 0.5), recruitment=Recruitment(horizon_days=12.0 * DAYS_PER_MONTH, rate_shape=1.2))
    number = np.concatenate([one.n_reached for one in over_blocks(year, 400, 20)])
    assert number.max() < 400
    within(number, 120.0)
    within((number - 120.0) ** 2, 720.0)
    within(number >= 100, 0.770)
    exact = PoissonGamma(20, 0.5, 1.2, 12.0)
    for count in (87, 100, 118, 155):
        within(number >= count, exact.at_least(count))


def test_a_constant_rate_reaches_its_number_after_a_gamma_time():
    # Case K3: 10 a month in all, 100 participants: mean 10 months, SD 1.
    running = operations(sites=(*sites(1, 4.0), Site("other", "Other", constant(0.0), 6.0)))
    months = np.concatenate([one.closed_day for one in over_blocks(running, 100, 20)]) / DAYS_PER_MONTH
    within(months, 10.0)
    within((months - 10.0) ** 2, 1.0)


def test_a_rate_that_decays_recruits_its_integral():
    months = 24.0
    running = operations(
        sites=sites(2, 3.0), recruitment=Recruitment(horizon_days=months * DAYS_PER_MONTH, decay_per_month=0.05)
    )
    number = np.concatenate([one.n_reached for one in over_blocks(running, 200, 8)])
    delta = -math.log(0.95)
    # The horizon is no whole day: the last begun day counts up to its middle, less than 0.01 people.
    within(number, 6.0 * (1.0 - math.exp(-delta * months)) / delta)


def test_seasons_openings_and_pauses_shape_the_expected_number():
    season = (1.2, 1.2, 1.2, 1.0, 1.0, 1.0, 0.4, 0.4, 1.0, 1.2, 1.2, 1.2)
    recruiting = Recruitment(horizon_days=400.0, season=season, pauses=(Pause(100.0, 130.0),))
    running = operations(
        sites=(*sites(1, 6.0), Site("late", "Late", constant(60.0), 9.0)), recruitment=recruiting, first_month=4
    )
    blocks = over_blocks(running, 300, 8)
    first_half = np.concatenate([enrolled(one, [200.0])[:, 0] for one in blocks])
    whole = np.concatenate([one.n_reached for one in blocks])
    assert not np.any([(one.day >= 100.0) & (one.day < 130.0) for one in blocks])

    def expected(until):
        total = 0.0
        for day in range(until):
            factor = season[(3 + int((day + 0.5) / DAYS_PER_MONTH)) % 12] * (not 100 <= day < 130)
            total += factor * (6.0 + 9.0 * (day >= 60)) / DAYS_PER_MONTH
        return total

    within(first_half, expected(200))
    within(whole, expected(400))


def test_the_twin_of_recruitment_agrees_with_the_simulation_whatever_the_sites_do():
    recruiting = Recruitment(
        horizon_days=700.0,
        rate_shape=2.0,
        decay_per_month=0.03,
        season=(1.5, 0.5) * 6,
        pauses=(Pause(200.0, 240.0),),
        funnel=Funnel(screening_days=20.0),
    )
    opening = [constant(30.0), Amount("uniform", (0.0, 200.0)), Amount("gamma", (120.0, 60.0))]
    running = operations(
        sites=tuple(Site(f"s{c}", "", amount, 1.0 + c) for c, amount in enumerate(opening)), recruitment=recruiting
    )
    days = [150.0, 365.25, 600.0, 900.0]
    twin = expected_recruitment(running, days)
    number = np.concatenate([enrolled(one, days) for one in over_blocks(running, 500, 24)])
    for t in range(len(days)):
        within(number[:, t], twin.mean[t])
        within((number[:, t] - twin.mean[t]) ** 2, twin.sd[t] ** 2)
    # Matched moments are not the law itself: 0.01 is allowed beside the error of 6,000 trials.
    for count in (40, 60, 90):
        share = (number >= count).mean(axis=0)
        error = np.sqrt(np.maximum(share * (1.0 - share), 1e-4) / len(number))
        assert np.all(np.abs(share - twin.reached(count)) <= BOUND * error + 0.01)


def test_the_twin_is_exact_for_sites_that_are_alike():
    year = operations(sites=sites(20, 0.5), recruitment=Recruitment(horizon_days=12.0 * DAYS_PER_MONTH, rate_shape=1.2))
    twin = expected_recruitment(year, [12.0 * DAYS_PER_MONTH])
    assert twin.mean[0] == pytest.approx(120.0)
    assert twin.sd[0] ** 2 == pytest.approx(720.0)
    assert twin.reached(100)[0] == pytest.approx(0.770, abs=5e-4)
    poisson = expected_recruitment(operations(sites=sites(1, 10.0)), [10.0 * DAYS_PER_MONTH])
    assert poisson.sd[0] == pytest.approx(10.0)
    assert poisson.reached(100)[0] == pytest.approx(0.5133, abs=1e-4)
    assert expected_recruitment(operations(recruitment=Recruitment(100.0, quotas=(1, 1))), [10.0]) is None


def test_sites_share_participants_in_proportion_to_their_rates():
    running = operations(sites=(*sites(1, 2.0), Site("large", "Large", constant(0.0), 6.0)))
    site = np.concatenate([one.site for one in over_blocks(running, 60, 8)])
    within(site.mean(axis=1), 0.75)


def test_the_funnel_loses_as_many_as_its_shares_say():
    funnel = Funnel(eligible=0.08, consenting=0.2, passing_screening=0.8, passing_run_in=0.9)
    running = operations(sites=sites(3, 2.0), recruitment=Recruitment(horizon_days=2000.0, funnel=funnel))
    numbers = np.concatenate([one.funnel.sum(axis=2) for one in over_blocks(running, 50, 8)])
    passing = np.cumprod([1.0, 0.08, 0.2, 0.8, 0.9])
    assessed = 50.0 / passing[-1]
    for stage, reach, share in zip(range(1, 5), passing, (0.08, 0.2, 0.8, 0.9), strict=False):
        within(numbers[:, stage], assessed * reach * (1.0 - share))
    within(numbers[:, 0], assessed)
    # Numbers of those who fail are Poisson given the time that recruitment took, so their variance is above the mean.
    assert numbers[:, 1].var() > numbers[:, 1].mean()


def queue(servers, load, n_customers, seed):
    """Return waits of an M/M/c queue with mean service time 1, and the busy time of all servers."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1.0 / load, n_customers))
    lengths = rng.exponential(1.0, n_customers)
    station = Station([servers])
    starts = [station.book(a, [s]) for a, s in zip(arrivals.tolist(), lengths.tolist(), strict=True)]
    return arrivals, np.array(starts), lengths


@pytest.mark.parametrize(("servers", "load"), [(1, 0.7), (3, 2.4), (8, 6.0)])
def test_the_chairs_of_a_clinic_are_a_queue_with_that_many_servers(servers, load):
    # 150 batches of 1,000 customers after 2,000; neighbouring batches hang together a little, so two are joined.
    arrivals, starts, lengths = queue(servers, load, 152_000, seed=servers)
    waits = (starts - arrivals)[2000:].reshape(75, 2000)
    within(waits.mean(axis=1), mean_wait(servers, load, 1.0))
    within((waits > 0.0).mean(axis=1), erlang_c(servers, load))
    used = lengths[2000:].reshape(75, 2000).sum(axis=1) / (arrivals[3999::2000] - arrivals[1999:-1:2000])
    within(used, load)


def test_littles_law_holds_on_the_path_of_the_queue():
    # Everybody who comes is served, so the area under the number waiting is the sum of the waits.
    arrivals, starts, _ = queue(3, 2.7, 20_000, seed=4)
    times = np.concatenate([arrivals, starts])
    order = np.argsort(times, kind="stable")
    steps = np.concatenate([np.ones(len(arrivals)), -np.ones(len(starts))])[order]
    area = (np.cumsum(steps)[:-1] * np.diff(times[order])).sum()
    duration = times.max() - times.min()
    rate, mean = len(arrivals) / duration, (starts - arrivals).mean()
    assert area / duration == pytest.approx(rate * mean, rel=1e-9)


ONE_A_DAY = operations(
    sites=sites(1, 0.8 * DAYS_PER_MONTH, chairs=1),
    clinic=Clinic(open_minutes=160.0),
    infusion_days=((0.0,),),
    visits_days=(1.0,),
)


def test_a_clinic_with_one_appointment_a_day_is_an_m_d_1_queue():
    # 0.8 come and one is taken a day: ρ²/(2(1 − ρ)) wait at the end of a day, and each waits ρ/(2(1 − ρ)) days.
    # The first 300 patients of each replicate are the time in which the queue builds up.
    enrolment = recruited(ONE_A_DAY, 700)
    outcome = attended(ONE_A_DAY, enrolment)
    within(outcome.start_wait_days[:, 300:].mean(axis=1), 0.8 / (2.0 * 0.2))
    days = np.arange(400, 800)
    waiting = counted_by(np.floor(enrolment.day), days) - counted_by(outcome.start_day, days)
    within(waiting.mean(axis=1), 0.8**2 / (2.0 * 0.2))


def test_littles_law_holds_for_those_who_wait_for_their_first_infusion():
    outcome = attended(ONE_A_DAY, recruited(ONE_A_DAY, 100))
    last = int(outcome.start_day.max()) + 1
    # Looked at at the end of each day, so that a day of waiting is counted once.
    waiting = pipeline(outcome, np.arange(last) + 1.0 - 1e-9)["waiting"]
    np.testing.assert_array_equal(waiting.sum(axis=1), outcome.start_wait_days.sum(axis=1))
