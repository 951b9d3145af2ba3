"""The clinics that run a trial, their calendar and their prices, as the engine takes them.

Calendar days are counted from day 0, the day on which the trial sets out to open its sites; a day is whole (floor of
the time), and day 0 is the weekday `first_weekday` of the month `first_month`. Days of infusions, visits and sessions
are counted from each participant's own start: the first infusion, or randomisation in arms without infusions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DAYS_PER_MONTH = 365.25 / 12.0
"""Average length of a month in days; rates per month are turned into rates per day by it."""

AMOUNT_PARAMETERS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "lognormal": ("median", "log_sd"),
    "gamma": ("mean", "sd"),
}
"""Names of the parameters of each kind of amount, in order."""

COST_COMPONENTS = ("fixed", "month", "site", "site_month", "screen", "infusion", "session", "visit")
"""What is paid for, in the order of the cost arrays."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that is known, or believed to be somewhere: drawn once for each replicate, none below 0.

    Parameters
    ----------
    kind : {'constant', 'uniform', 'triangular', 'lognormal', 'gamma'}
    parameters : tuple of float
        In the order of `AMOUNT_PARAMETERS`, none below 0.
    """

    kind: Literal["constant", "uniform", "triangular", "lognormal", "gamma"]
    parameters: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """One site.

    Parameters
    ----------
    name, label : str
        Draws belong to a name, not to a position.
    opens_days : Amount
        Day on which contract and ethics are done and recruitment begins, from day 0.
    rate_per_month : float
        Participants randomised in a month at full strength, on average over sites like this one; at least 0.
    chairs, nurses, psychiatrists : int or None
        For the trial, at least 1; None for no limit.
    therapists : int or None
        At least 0; not looked at where the therapists of all sites work together.
    """

    name: str
    label: str
    opens_days: Amount
    rate_per_month: float
    chairs: int | None = None
    nurses: int | None = None
    psychiatrists: int | None = None
    therapists: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which nobody is recruited, at any site.

    Parameters
    ----------
    from_day, until_day : float
        Calendar days; `until_day` is the first on which it goes on.
    stops_infusions : bool
        Whether infusions are put on hold too.
    """

    from_day: float
    until_day: float
    stops_infusions: bool = False


@dataclass(frozen=True, slots=True)
class Funnel:
    """From those assessed to those randomised, as shares of the step before, each above 0 and at most 1.

    Parameters
    ----------
    eligible, consenting, passing_screening, passing_run_in : float
    screening_days : float
        From consent to randomisation, run-in included; the same for everybody.
    """

    eligible: float = 1.0
    consenting: float = 1.0
    passing_screening: float = 1.0
    passing_run_in: float = 1.0
    screening_days: float = 0.0


@dataclass(frozen=True, slots=True)
class Recruitment:
    """How participants come.

    Parameters
    ----------
    horizon_days : float
        Day on which recruitment ends at the latest, with the number it has reached by then.
    rate_shape : float
        Shape of the gamma distribution of the sites' rates about their mean; infinite for no spread.
    decay_per_month : float
        Share of a site's rate that is lost in each month that it is open, at least 0 and below 1.
    season : tuple of float
        Factor on the rate in each of the twelve months January to December; average 1.
    pauses : tuple of Pause
    quotas : tuple of (int or None), one for each stratum
        Most participants of the stratum; who comes when it is full is turned away. Empty for no quotas.
    funnel : Funnel
    """

    horizon_days: float
    rate_shape: float = float("inf")
    decay_per_month: float = 0.0
    season: tuple[float, ...] = (1.0,) * 12
    pauses: tuple[Pause, ...] = ()
    quotas: tuple[int | None, ...] = ()
    funnel: Funnel = field(default_factory=Funnel)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How people who wait give up.

    Parameters
    ----------
    grace_days : float
        Nobody leaves before so many days of waiting.
    hazard_per_day : float
        From then on; 0 for nobody.
    """

    grace_days: float = 0.0
    hazard_per_day: float = 0.0


@dataclass(frozen=True, slots=True)
class Clinic:
    """How infusions are given, at every site alike.

    An infusion takes a chair and a place with a nurse for infusion and watch, and a psychiatrist for the first
    minutes. Who cannot be taken on a day comes on the next open day; those under treatment go before those who wait
    for their first infusion.

    Parameters
    ----------
    weekdays : tuple of int
        Open days, Monday 0 to Sunday 6; at least one.
    open_minutes : float
        Opening hours; an infusion and its watch end within them, so at least as long as these.
    infusion_minutes, watch_minutes : float
    psychiatrist_minutes : float
        Of a psychiatrist at the start of each infusion.
    patients_per_nurse : int
        Patients whom a nurse looks after at a time.
    early_days : int
        Most days by which an infusion is brought forward because the clinic is closed on its day.
    late_days : int
        Most days by which an infusion but the first is given late; later than that it is missed.
    min_gap_days : int
        Fewest days between two infusions, at least 1.
    waiting : Waiting
        Of those randomised who wait for their first infusion.
    """

    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    open_minutes: float = 480.0
    infusion_minutes: float = 40.0
    watch_minutes: float = 120.0
    psychiatrist_minutes: float = 0.0
    patients_per_nurse: int = 1
    early_days: int = 0
    late_days: int = 0
    min_gap_days: int = 1
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """When visits count, and who rates them.

    Parameters
    ----------
    weekdays : tuple of int
        On which visits take place.
    early_days, late_days : int
        Most days by which a visit is brought forward because its day is closed, or held late. A visit that
        cannot be held within its window is missing.
    raters : int or None
        Central raters, shared by all sites; None for no limit.
    ratings_per_day : int
        Visits that one rater rates in a day.
    """

    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    early_days: int = 0
    late_days: int = 0
    raters: int | None = None
    ratings_per_day: int = 4


@dataclass(frozen=True, slots=True)
class TherapyGroups:
    """A therapy in groups.

    A group of mode 'closed' starts when `start_size` people wait and a therapist has as many places, and takes
    those who wait up to `size`. In mode 'rolling' people join, on the day of the next session, a group that has a
    place; where none has, a therapist with a place opens another. When recruitment is over, or somebody
    has waited `start_anyway_days`, a closed group starts with whoever waits.

    Parameters
    ----------
    name : str
        Of the scenario's therapy.
    arms : tuple of int
        Arms that have it.
    ready_day : float
        Days from a participant's start to the day from which they wait for a group.
    mode : {'closed', 'rolling'}
    start_size, size : int
        1 <= start_size <= size.
    sessions : int
    interval_days : float
        Between two sessions of a group.
    shared : bool
        Whether groups and therapists are shared by all sites; otherwise each site has its own.
    shared_therapists : int or None
        Where they are shared; None for no limit.
    caseload : int
        Participants whom a therapist has in groups at a time; at least `start_size`.
    cancelled : float
        Chance that a session is cancelled, for the whole group; it is not made up for.
    start_anyway_days : float
        Infinite for never.
    waiting : Waiting
        Of those who wait for a group. Who gives up leaves the trial.
    """

    name: str
    arms: tuple[int, ...]
    ready_day: float
    mode: Literal["closed", "rolling"] = "closed"
    start_size: int = 6
    size: int = 8
    sessions: int = 20
    interval_days: float = 7.0
    shared: bool = False
    shared_therapists: int | None = None
    caseload: int = 8
    cancelled: float = 0.0
    start_anyway_days: float = float("inf")
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True, slots=True)
class Costs:
    """Prices, in one currency.

    Parameters
    ----------
    fixed : Amount
        Once.
    month : Amount
        For each month from day 0 to the last visit.
    site : Amount
        For each site that opened.
    site_month : Amount
        For each month of a site from its opening to the last visit.
    screen : Amount
        For each person assessed.
    infusion : Amount
        For each infusion given.
    session : Amount
        For each participant's session that was held.
    visit : Amount
        For each visit that took place.
    currency : str
    """

    fixed: Amount
    month: Amount
    site: Amount
    site_month: Amount
    screen: Amount
    infusion: Amount
    session: Amount
    visit: Amount
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Operations:
    """Everything that the operational simulator needs to know of a trial but its participants.

    Parameters
    ----------
    sites : tuple of Site
        At least one.
    recruitment : Recruitment
    clinic : Clinic
    visits : VisitWindow
    costs : Costs
    therapy : TherapyGroups or None
    infusion_days : tuple of tuple of float
        By arm, whole days from the first infusion, the first 0; empty for an arm without infusions.
    visits_days : tuple of float
        Days from the participant's start, rising.
    n_strata : int
    first_weekday : int
        Weekday of day 0, Monday 0 to Sunday 6.
    first_month : int
        Month of day 0, January 1 to December 12.
    target_months : float
        Months in which recruitment is hoped to be done; reports say how likely that is.
    """

    sites: tuple[Site, ...]
    recruitment: Recruitment
    clinic: Clinic
    visits: VisitWindow
    costs: Costs
    therapy: TherapyGroups | None
    infusion_days: tuple[tuple[float, ...], ...]
    visits_days: tuple[float, ...]
    n_strata: int
    first_weekday: int = 0
    first_month: int = 1
    target_months: float = 24.0
