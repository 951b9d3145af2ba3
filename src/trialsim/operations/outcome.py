"""What running the trial gives: when everybody came, was infused, seen and seated in a group, and what it cost.

Axes: R replicates, N participants in order of randomisation, C sites, I infusions (the most of any arm), V visits,
J sessions. Calendar days are counted from day 0 of the trial (`trialsim.scenario.resolved_operations`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.scenario.resolved_operations import Operations

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.intp]

STAYED, LEFT_BEFORE_START, LEFT_BEFORE_THERAPY = 0, 1, 2
"""Why a participant left for a reason of the clinic: not at all, or waiting for the first infusion or for a group."""

FUNNEL_STAGES = (
    "assessed",
    "not_eligible",
    "declined",
    "screen_failed",
    "run_in_failed",
    "turned_away",
    "in_screening_at_close",
    "randomised",
)
"""What became of everybody assessed: the first is the sum of all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """Who was recruited, where and when.

    Parameters
    ----------
    day : ndarray, shape (R, N), days
        Time of randomisation, rising along N; infinite for participants who were not reached.
    site : ndarray of int, shape (R, N)
        −1 for who was not reached.
    stratum : ndarray of int, shape (R, N)
        Of who was not reached: some stratum, to be left out.
    n_reached : ndarray of int, shape (R,)
        The first so many participants were randomised.
    closed_day : ndarray, shape (R,), days
        When recruitment ended: at the last randomisation, or at the horizon.
    site_opened_day : ndarray, shape (R, C), days
        Infinite for a site that was not open by then.
    funnel : ndarray of int, shape (R, F, C)
        Numbers of people by stage, in the order of `FUNNEL_STAGES`, and by site.
    """

    day: Array
    site: Index
    stratum: Index
    n_reached: Index
    closed_day: Array
    site_opened_day: Array
    funnel: Index

    @property
    def reached(self) -> Flags:
        """Whether a participant was randomised, shape (R, N)."""
        return np.asarray(np.arange(self.day.shape[1]) < self.n_reached[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of those recruited.

    Parameters
    ----------
    operations : Operations
    enrolment : Enrolment
    arm : ndarray of int, shape (R, N)
    start_day : ndarray, shape (R, N), calendar days
        Day 0 of the participant: the first infusion, or randomisation in arms without; infinite for who never started.
    infusion_day : ndarray, shape (R, N, I), calendar days
        NaN where not given: missed, left before, or not of the arm.
    infusion_minute : ndarray, shape (R, N, I), minutes
        From opening to the start of the infusion on its day; NaN likewise.
    infusion_late_days : ndarray, shape (R, N, I), days
        Actual minus planned day from the start, below 0 where brought forward; NaN likewise; 0 for the first.
    infusion_missed : ndarray of bool, shape (R, N, I)
        Planned for the arm, participant started and had not left, but not given.
    visit_day : ndarray, shape (R, N, V), calendar days
        NaN where the visit did not take place within its window, or the participant had left or never started.
    visit_late_days : ndarray, shape (R, N, V), days
        Actual minus planned day; NaN likewise.
    visit_missed : ndarray of bool, shape (R, N, V)
        Started and had not left, but not seen within the window.
    therapy_ready_day : ndarray, shape (R, N), calendar days
        From which a group is waited for; NaN for who has no therapy or left before.
    therapy_start_day : ndarray, shape (R, N), calendar days
        First session of the participant; NaN where there was none.
    group : ndarray of int, shape (R, N)
        Number of the therapy group, 0 up in order of first session within the replicate; −1 for none.
    group_site : ndarray of int, shape (R, N)
        Site of the group; −1 for none, or where groups are shared.
    therapist : ndarray of int, shape (R, N)
        Number of the therapist over all sites of the replicate; −1 for none.
    session_held : ndarray of bool, shape (R, N, J)
        Whether each of the participant's sessions was held; False where there is no therapy. J is 0 without therapy.
    left_day : ndarray, shape (R, N), calendar days
        When the participant gave up waiting; infinite for who did not.
    left_reason : ndarray of int, shape (R, N)
        `STAYED`, `LEFT_BEFORE_START` or `LEFT_BEFORE_THERAPY`.
    last_visit_day : ndarray, shape (R,), calendar days
        Last visit of the last participant; that of the last randomisation where nobody has one; NaN where nobody
        was randomised.
    costs : ndarray, shape (R, B)
        By component, in the order of `COST_COMPONENTS`, in the scenario's currency.
    """

    operations: Operations
    enrolment: Enrolment
    arm: Index
    start_day: Array
    infusion_day: Array
    infusion_minute: Array
    infusion_late_days: Array
    infusion_missed: Flags
    visit_day: Array
    visit_late_days: Array
    visit_missed: Flags
    therapy_ready_day: Array
    therapy_start_day: Array
    group: Index
    group_site: Index
    therapist: Index
    session_held: Flags
    left_day: Array
    left_reason: Index
    last_visit_day: Array
    costs: Array

    @property
    def start_wait_days(self) -> Array:
        """Whole days from randomisation to the start, shape (R, N); NaN for who never started."""
        started = np.isfinite(self.start_day)
        return np.where(started, self.start_day - np.floor(np.where(started, self.enrolment.day, 0.0)), np.nan)

    @property
    def therapy_wait_days(self) -> Array:
        """Days from being ready for a group to its first session, shape (R, N); NaN where there was none."""
        return self.therapy_start_day - self.therapy_ready_day

    @property
    def sessions_cancelled(self) -> Index:
        """Sessions of those with a group that were not held, shape (R, N)."""
        return np.asarray(np.where(self.group >= 0, (~self.session_held).sum(axis=2), 0))
