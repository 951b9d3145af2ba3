"""The records of the evidence store: a number with its source, the source, the study and the instrument."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

Tag = Literal["measured", "derived", "assumed"]
"""How a value is known: read in a publication, computed from such values, or chosen without a source."""

SpreadKind = Literal["sd", "se", "ci95", "iqr", "range", "plus_minus"]
"""What `spread` or `low` and `high` are; `plus_minus` is a printed ± whose meaning is not stated."""

TAGS: tuple[Tag, ...] = get_args(Tag)
SPREAD_KINDS: tuple[SpreadKind, ...] = get_args(SpreadKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number from the literature or one planning default, with everything needed to judge it.

    Parameters
    ----------
    name : str
        Dotted address, such as ``danayan2023.bpd.qids_sr16.change``.
    value : float or None
        The number, in `unit`; None where the source gives words or a range only.
    unit : str
        ``points`` on the named instrument, ``share`` (0 to 1), ``days``, ``USD`` and so on.
    spread : float or None
        Standard deviation, standard error or printed ±, as `spread_kind` says.
    spread_kind : str or None
        One of `SPREAD_KINDS`. A ``range`` on a default is the span worth sweeping, not an interval.
    low, high : float or None
        Ends of the interval or range; ``low <= high`` always, whichever end is the favourable one.
    n : int or None
        Participants (or trials, where the unit says so) behind the value.
    time : str
        When it was measured or for when it holds.
    tag : {'measured', 'derived', 'assumed'}
        How the value is known.
    basis : str
        Where it comes from, in words; for derived values the arithmetic.
    citation : str
        Key of a `Citation`.
    derived_from : tuple of str
        Names of the quantities that enter a derived value, where they are in the store.
    """

    name: str
    value: float | None = None
    unit: str
    spread: float | None = None
    spread_kind: SpreadKind | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    time: str = ""
    tag: Tag
    basis: str
    citation: str
    derived_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a record that contradicts itself, naming it."""
        problem = _problem(self)
        if problem:
            raise ValueError(f"evidence {self.name}: {problem}")


def _problem(quantity: Quantity) -> str | None:
    """Return what is wrong with a quantity, or None."""
    numbers = (quantity.value, quantity.spread, quantity.low, quantity.high)
    has_interval = quantity.low is not None and quantity.high is not None
    if not all(number is None or isfinite(number) for number in numbers):
        return "a number is not finite"
    if quantity.tag not in TAGS:
        return f"tag {quantity.tag!r} is none of {', '.join(TAGS)}"
    if (quantity.low is None) != (quantity.high is None):
        return "an interval needs both low and high"
    if has_interval and not float(quantity.low or 0) <= float(quantity.high or 0):
        return "low is above high"
    if quantity.spread_kind is None:
        return "spread without its kind" if has_interval or quantity.spread is not None else None
    if quantity.spread_kind not in SPREAD_KINDS:
        return f"spread_kind {quantity.spread_kind!r} is none of {', '.join(SPREAD_KINDS)}"
    if quantity.spread_kind in ("sd", "se", "plus_minus"):
        return None if quantity.spread is not None else f"{quantity.spread_kind} without a spread"
    return None if has_interval else f"{quantity.spread_kind} without low and high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where a value was published.

    Parameters
    ----------
    key : str
        The key that quantities, studies and instruments refer to.
    text : str
        Authors or group, year, journal.
    doi : str
        Empty where no DOI has been checked.
    url : str
        Another public address, where one is known.
    """

    key: str
    text: str
    doi: str = ""
    url: str = ""

    @property
    def link(self) -> str:
        """The address to follow: the DOI where there is one, else the URL, else empty."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One publication or registered trial; its numbers are the quantities below its key.

    Parameters
    ----------
    key : str
        First part of the names of its quantities.
    label : str
        One line: authors, year, what it is.
    design : str
        Randomised, open label, meta-analysis and so on, with arms and schedule.
    population : str
        Who took part.
    n : int or None
        Participants in all.
    registry : tuple of str
        Trial registration numbers.
    notes : tuple of str
        What a planner must know before using its numbers.
    citation : str
        Key of the `Citation` (the same as `key`).
    """

    key: str
    label: str
    design: str = ""
    population: str = ""
    n: int | None = None
    registry: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    citation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One group of planning defaults, such as ``defaults.spread``."""

    key: str
    label: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One severity grade: scores from `low` up to the next band's `low` (or to the scale's maximum)."""

    label: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSet:
    """A named set of severity grades, mildest first."""

    key: str
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One rating scale: its grid, its direction, its cut-offs.

    Parameters
    ----------
    name : str
        Key used in scenarios, such as ``qids_sr16``.
    label, title : str
        Short and full name.
    minimum, maximum, step : float
        The grid of possible scores, in `unit`.
    lower_is_better : bool
        True where a falling score is benefit.
    rated_by : {'patient', 'clinician'}
        Who gives the score.
    unit : str
        ``points`` for sums, ``mean item score`` for averages.
    items : int or None
        Number of items behind the score.
    bands : tuple of Band
        Severity grades, mildest first; empty where none are in use.
    bands_note : str
        Source of the grades and any doubt about them.
    alternative_bands : tuple of BandSet
        Other published grades for the same scale.
    response : float or None
        Share of the baseline score by which a responder must improve.
    remission : float or None
        Score that counts as remission when at or below it (at or above it where higher is better).
    mcid : float or None
        Minimal important difference within a patient, in `unit`.
    mcid_quantity : str
        Name of the quantity that holds `mcid` with its source; empty where there is none.
    tag : {'measured', 'derived', 'assumed'}
        How range and bands are known.
    basis : str
        Where range and bands were read.
    citation : str
        Key of a `Citation`.
    """

    name: str
    label: str
    title: str
    minimum: float
    maximum: float
    step: float
    lower_is_better: bool
    rated_by: Literal["patient", "clinician"]
    unit: str
    items: int | None = None
    bands: tuple[Band, ...] = ()
    bands_note: str = ""
    alternative_bands: tuple[BandSet, ...] = ()
    response: float | None = None
    remission: float | None = None
    mcid: float | None = None
    mcid_quantity: str = ""
    tag: Tag
    basis: str
    citation: str

    def band(self, score: float, bands: str = "") -> Band | None:
        """Return the severity grade of a score.

        Parameters
        ----------
        score : float
            On the instrument's scale.
        bands : str, optional
            Key of one of `alternative_bands`; the default grades if empty.

        Returns
        -------
        Band or None
            None where the instrument has no grades.
        """
        if not self.minimum <= score <= self.maximum:
            raise ValueError(f"{self.label} runs from {self.minimum:g} to {self.maximum:g}, not {score:g}")
        published = {"": self.bands} | {grades.key: grades.bands for grades in self.alternative_bands}
        if bands not in published:
            known = ", ".join(key for key in published if key) or "the default ones"
            raise ValueError(f"{self.label} has no grades called {bands!r}, only {known}")
        grades = published[bands]
        return next((grade for grade in reversed(grades) if score >= grade.low), None)
