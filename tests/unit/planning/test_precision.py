"""How many replicates a precision takes."""

import math

import pytest
from scipy import stats

from trialsim.kernels.montecarlo import wilson_interval
from trialsim.planning.precision import LEAST, Seen, count_for, half_width, next_replicates


@pytest.mark.parametrize(("hits", "count"), [(0, 250), (40, 500), (300, 400), (999, 1_000)])
def test_half_width_is_that_of_the_wilson_interval(hits, count):
    found = wilson_interval(hits, count)
    assert half_width(hits / count, count) == pytest.approx((found.high - found.low) / 2.0, rel=1e-12)


def test_count_for_a_share_of_one_half_by_hand():
    """At p = 1/2 the half-width is z / (2 √(n + z²)), so n = (z / 2w)² − z²."""
    z = stats.norm.ppf(0.975)
    for width in (0.05, 0.01, 0.005):
        assert count_for(0.5, width) == math.ceil((z / (2 * width)) ** 2 - z**2)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.8, 1.0])
def test_count_is_the_smallest(share):
    count = count_for(share, 0.01)
    assert half_width(share, count) <= 0.01 < half_width(share, count - 1)


def test_at_least_500_and_what_is_asked_for():
    exact = [Seen(0.8, 10_000)]
    assert next_replicates(250, 100, exact, 0.2) == LEAST == 500
    assert next_replicates(500, 100, exact, 0.2) is None
    assert next_replicates(500, 2_000, exact, 0.2) == 2_000
    assert next_replicates(2_000, 2_000, exact, 0.2) is None


def test_the_power_that_needs_most_decides_in_whole_blocks():
    wanted = next_replicates(500, 1, [Seen(0.95, 500), Seen(0.6, 500), Seen(0.02, 500)], 0.01)
    assert wanted == 250 * math.ceil(count_for(0.6, 0.01) / 250)


def test_failed_fits_are_paid_for():
    """Half of the fits fail, so that twice as many replicates are needed."""
    assert next_replicates(500, 1, [Seen(0.6, 250)], 0.01) == 250 * math.ceil(2 * count_for(0.6, 0.01) / 250)
    assert next_replicates(500, 1, [Seen(float("nan"), 0)], 0.01) is None


def test_it_always_grows_until_it_is_enough():
    """A share that is a hair too wide asks for one more block, not for none."""
    count = count_for(0.5, 0.01) - 1
    assert next_replicates(count, 1, [Seen(0.5, count)], 0.01) == count + 250
