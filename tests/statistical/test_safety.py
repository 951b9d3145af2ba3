"""Adverse events and suicide attempts come as often as asked for; a stopping rule stops as often as enumeration says.

Fixed seeds; bounds are 4.9 standard errors, so a right program fails once in a million per number.
"""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from trials import BOUNDED, CONTINUOUS, resolve
from trialsim.engine.block import draw_block
from trialsim.engine.safety import safety_block
from trialsim.streams import Streams

SHARE = 0.15
LOOKS = (20, 40)


def blocks(document, changes, number):
    """What was watched in blocks of 250 trials, at each sample size."""
    resolved = resolve(document, changes)
    variant = resolved.variants[0]
    size = max(variant.sample_sizes)
    drawn = [safety_block(variant, draw_block(variant, resolved.hash, Streams(17, b), size)) for b in range(number)]
    return variant, [[block[s] for block in drawn] for s in range(len(variant.sample_sizes))]


def test_rates_are_those_asked_for_whoever_leaves():
    """300,000 infusions and 3,000 person-years in each arm: sees 0.004 at a share of 0.3, 7 % of a rate of 2 a year."""
    changes = {
        "outcomes": {"qids_sr16": {}},
        "sample_size": [400],
        "dropout": {"model": "mar", "missing_by": {14: 0.3}, "never_starts": 0.1},
        "safety": {
            "adverse_events": {
                "nausea": {"per_infusion": {"ketamine": 0.3, "midazolam": 0.05}},
                "fall": {"per_day": {"ketamine": 0.01, "midazolam": 0.02}},
            },
            "suicide_attempts": {"rate_per_year": 2, "rate_ratio": {"ketamine": 2}},
        },
    }
    variant, ((*found,),) = blocks(BOUNDED, changes, 2)
    assert variant.arms == ("midazolam", "ketamine")
    events, days, infusions = (
        np.concatenate([getattr(block, name) for block in found]) for name in ("events", "days", "infusions")
    )
    assert infusions.sum() < 0.9 * 2 * 250 * 400 * 4
    for a, (nausea, fall, attempts) in enumerate(((0.05, 0.02, 2 / 365.25), (0.3, 0.01, 4 / 365.25))):
        given, followed = infusions[:, a].sum(), days[:, a].sum()
        assert abs(events[:, 0, a].sum() / given - nausea) < 4.9 * np.sqrt(nausea * (1 - nausea) / given)
        # Given the days followed the sums are Poisson.
        assert abs(events[:, 1, a].sum() / followed - fall) < 4.9 * np.sqrt(fall / followed)
        assert abs(events[:, 2, a].sum() / followed - attempts) < 4.9 * np.sqrt(attempts / followed)


@pytest.mark.parametrize("dropout", [None, {"model": "mcar", "missing_by": {14: 0.3}, "never_starts": 0.1}])
def test_the_rate_of_what_happens_once_is_its_hazard(dropout):
    """Person-time ends at the event: 0.03 a day (11 a year) is found, where whole days followed would miss it.

    Given a steady hazard, events less the hazard times days at risk are a martingale whose variance is the mean number
    of events, whenever patients leave: 16,000 events in an arm at least see 4 % of the hazard.
    """
    changes = {
        "outcomes": {"qids_sr16": {}},
        "sample_size": [400],
        "dropout": dropout,
        "events": {"flare": {"per_day": {"ketamine": 0.015, "midazolam": 0.03}}},
        "safety": {"adverse_events": {"nausea": {"per_infusion": 0.1}}},
    }
    variant, ((*found,),) = blocks(BOUNDED, changes, 2)
    watched = [one.name for one in variant.safety.watched].index("flare")
    events, days, at_risk = (np.concatenate([getattr(block, name) for block in found]) for name in
                             ("events", "days", "at_risk"))  # fmt: skip
    for a, hazard in enumerate((0.03, 0.015)):
        seen, exposure = events[:, watched, a].sum(), at_risk[:, watched, a].sum()
        assert abs(seen / exposure - hazard) < 4.9 * np.sqrt(seen) / exposure
        assert dropout or abs(seen / days[:, a].sum() - hazard) > 4.9 * np.sqrt(seen) / exposure
    np.testing.assert_array_equal(at_risk[:, 0], days)


def stopped_by_enumeration(share_active, share_control, alpha):
    """Share of trials stopped at 20 and at 40 patients: one infusion each, ten more in each arm between the looks."""
    tens = np.arange(11)
    first = np.outer(binom.pmf(tens, 10, share_active), binom.pmf(tens, 10, share_control))
    stops, going = 0.0, np.zeros((21, 21))
    for x, y in product(tens, tens):
        if x > 0 and binom.sf(x - 1, x + y, 0.5) <= alpha:
            stops += first[x, y]
            continue
        going[x : x + 11, y : y + 11] += first[x, y] * first
    later = sum(going[x, y] for x, y in product(range(21), range(21)) if x and binom.sf(x - 1, x + y, 0.5) <= alpha)
    return stops, later


@pytest.mark.parametrize("active", [SHARE, 0.4])
def test_a_rule_stops_as_often_as_enumeration_says(active):
    """20,000 trials with two looks: sees 0.006 in the share stopped under the null, 0.017 under an excess."""
    alpha = 0.1
    changes = {
        "schedule.infusions": [0],
        "sample_size": [30, 60],
        "safety": {
            "adverse_events": {"nausea": {"per_infusion": {"active": active, "control": SHARE}}},
            "stopping_rule": {"event": "nausea", "looks": list(LOOKS), "alpha": alpha},
        },
    }
    _, (small, large) = blocks(CONTINUOUS, changes, 80)
    at_20, at_40 = stopped_by_enumeration(active, SHARE, alpha)
    stopped = np.concatenate([block.stopped_at for block in large])
    assert len(stopped) == 20_000
    for look, share in ((20, at_20), (40, at_40), (0, 1 - at_20 - at_40)):
        assert abs(np.mean(stopped == look) - share) < 4.9 * np.sqrt(share * (1 - share) / 20_000)
    np.testing.assert_array_equal(np.concatenate([block.stopped_at for block in small]) == 20, stopped == 20)
    if active == SHARE:
        assert 0.005 < at_20 < alpha
        assert 0.02 < at_20 + at_40 < 2 * alpha
