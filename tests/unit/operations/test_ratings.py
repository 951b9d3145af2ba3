"""Visits: within their window, by raters who have so much time."""

from dataclasses import replace

import numpy as np
import pytest

from clinics import WORKING_DAYS, arriving, attended, operations
from trialsim.scenario.resolved_operations import VisitWindow

NAN = float("nan")


@pytest.mark.parametrize(
    ("early", "late", "expected"),
    [
        # Start on Monday 0; days 5 and 13 are a Saturday and a Sunday.
        (0, 0, [3.0, NAN, NAN]),
        (0, 1, [3.0, NAN, 14.0]),
        (0, 2, [3.0, 7.0, 14.0]),
        (1, 0, [3.0, 4.0, NAN]),
        (2, 0, [3.0, 4.0, 11.0]),
    ],
)
def test_a_visit_is_held_within_its_window_or_missing(early, late, expected):
    running = operations(visits=VisitWindow(WORKING_DAYS, early, late), visits_days=(3.0, 5.0, 13.0))
    outcome = attended(running, arriving([0.0]))
    np.testing.assert_array_equal(outcome.visit_day[0, 0], expected)
    np.testing.assert_array_equal(outcome.visit_missed[0, 0], np.isnan(expected))
    np.testing.assert_array_equal(outcome.visit_late_days[0, 0], np.array(expected) - [3.0, 5.0, 13.0])


ONE_RATER = operations(visits=VisitWindow(late_days=1, raters=1, ratings_per_day=1), visits_days=(3.0,))


def test_raters_see_as_many_as_they_can_and_the_longest_due_first():
    outcome = attended(ONE_RATER, arriving([0.0, 0.1, 1.0, 9.0]))
    # Two are due on day 3 and one on day 4; who was due first is seen first, and the last is beyond the window.
    assert outcome.visit_day[0, :, 0].tolist() == [3.0, 4.0, 5.0, 12.0]
    late = attended(ONE_RATER, arriving([0.0, 0.1, 0.2, 0.9, 9.0]))
    np.testing.assert_array_equal(late.visit_day[0, :, 0], [3.0, 4.0, NAN, NAN, 12.0])
    assert late.visit_missed[0, :, 0].tolist() == [False, False, True, True, False]


def test_raters_are_shared_by_all_sites():
    from clinics import sites

    running = replace(ONE_RATER, sites=sites(2))
    outcome = attended(running, arriving([0.0, 0.1], site=[0, 1], n_sites=2))
    assert outcome.visit_day[0, :, 0].tolist() == [3.0, 4.0]


def test_raters_with_time_enough_change_nothing():
    free = attended(replace(ONE_RATER, visits=VisitWindow(late_days=1)), arriving([0.0, 0.1, 0.2]))
    many = attended(
        replace(ONE_RATER, visits=VisitWindow(late_days=1, raters=3, ratings_per_day=1)), arriving([0.0, 0.1, 0.2])
    )
    np.testing.assert_array_equal(free.visit_day, many.visit_day)
