"""What can be run and is seldom meant is told at its place, and run all the same."""

from __future__ import annotations

import warnings

import pytest

from trials import BOUNDED, resolve
from trialsim.errors import ScenarioWarning

EARLY = {"estimands.primary.visit": 7}


def test_a_primary_visit_before_the_last_infusion_only_warns():
    with pytest.warns(ScenarioWarning, match=r"estimands\.primary\.visit: warning: .* day 7, .* last infusion, day 10"):
        assert resolve(BOUNDED, EARLY).variants


def test_a_visit_on_the_day_of_the_last_infusion_comes_before_it():
    with pytest.warns(ScenarioWarning, match="day 7, comes before the last infusion, day 7"):
        resolve(BOUNDED, {**EARLY, "schedule.infusions": [0, 3, 7]})


@pytest.mark.parametrize("changes", [{}, {**EARLY, "schedule.infusions": [0, 3]}])
def test_later_visits_do_not_warn(changes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve(BOUNDED, changes).variants


def test_the_days_of_each_arms_own_infusions_count():
    changes = {
        "arms": {"midazolam": {"infusion": "midazolam"}, "ketamine": {"infusion": "ketamine", "infusions": [0, 21]}}
    }
    with pytest.warns(ScenarioWarning, match="day 14, comes before the last infusion, day 21"):
        resolve(BOUNDED, changes)
