"""The answer in plain words: how many patients are enough, or that none of the sizes simulated is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialsim.planning.reached import Reached
from trialsim.report.claims import CO_PRIMARY, claim_words, is_margin
from trialsim.report.recruited import reached_words
from trialsim.report.table import PowerCell, PowerRow, PowerTable, power_words
from trialsim.report.words import NO_BREAK_SPACE, fixed, joined, percent

TARGET = 0.8


@dataclass(frozen=True, slots=True)
class Answer:
    """What one row of the power table says.

    Parameters
    ----------
    setting : str
        The varied values in words; empty when nothing is varied.
    text : str
        The finding, one or two sentences.
    cell : PowerCell or None
        The smallest size that is enough; None for a null or where none is.
    own : bool
        Whether these are the scenario's own values, those in force where nothing is varied.
    recruited : Reached or None
        Where recruitment ends before the number of `cell` is reached, what it reaches.
    """

    setting: str
    text: str
    cell: PowerCell | None
    own: bool
    recruited: Reached | None = None


def answers(
    table: PowerTable,
    *,
    target: float = TARGET,
    own_settings: Mapping[str, Any] | None = None,
    harms: Sequence[str] = (),
    recruited: Sequence[Mapping[int, Reached]] = (),
) -> list[Answer]:
    """Return one answer per row of the table.

    Parameters
    ----------
    table : PowerTable
    target : float
        The power that is enough.
    own_settings : mapping, optional
        Values that the scenario itself holds for the varied paths.
    harms : sequence of str
        Of each row, where the true effect is a harm, what it is, as `harms.harm_words` gives it; empty where none is.
    recruited : sequence of mapping
        Of each row, by number of patients, what recruitment reaches where that may be less.
    """
    own = own_settings or {}
    found = []
    rows = zip(table.rows, harms or [""] * len(table.rows), recruited or [{}] * len(table.rows), strict=True)
    for row, harm, reached in rows:
        words = [f"{heading}: {value}" for heading, value in zip(table.headings, row.words, strict=True)]
        is_own = bool(row.settings) and all(path in own and own[path] == value for path, value in row.settings.items())
        text, cell = _told(row, target, harm, reached)
        of_cell = reached.get(cell.n) if cell else None
        found.append(Answer(", ".join(words), text, cell, own=is_own or not row.settings, recruited=of_cell))
    return found


def _told(row: PowerRow, target: float, harm: str, reached: Mapping[int, Reached]) -> tuple[str, PowerCell | None]:
    """Return what a row says, and the smallest size that is enough."""
    known = [cell for cell in row.cells if cell is not None]
    cells = [cell for cell in known if not math.isnan(cell.share)]
    if not cells:
        return "No fit gave an estimate, so nothing can be said.", None
    if harm:
        return f"{harm} In {_span(cells)} of trials a benefit is found all the same.{_failure_words(known)}", None
    if row.null:
        return _null_words(cells) + _failure_words(known), None
    cell = smallest_enough(cells, target)
    shown = cell or max(cells, key=lambda one: one.n)
    recruitment = f" {reached_words(reached[shown.n])}" if shown.n in reached else ""
    return _power_words(cells, cell, target, planned=bool(recruitment)) + _alone_words(
        shown
    ) + recruitment + _failure_words(known), cell


def smallest_enough(cells: Sequence[PowerCell], target: float) -> PowerCell | None:
    """Return the smallest size whose power, and that of every larger size simulated, is at least `target`."""
    enough = None
    for cell in sorted(cells, key=lambda cell: -cell.n):
        if not cell.share >= target:
            break
        enough = cell
    return enough


def interval_words(cell: PowerCell) -> str:
    """Return `85.2 % (95 % interval 81.8 to 88.0)`."""
    low, high = fixed(100 * cell.low, 1), fixed(100 * cell.high, 1)
    return f"{fixed(100 * cell.share, 1)}{NO_BREAK_SPACE}% (95{NO_BREAK_SPACE}% interval {low} to {high})"


def range_words(row: PowerRow) -> str:
    """Return the sizes of a row as `80 to 240 patients`, or `160 patients`."""
    sizes = [cell.n for cell in row.cells if cell]
    return f"{sizes[0]} patients" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} patients"


def _power_words(cells: Sequence[PowerCell], enough: PowerCell | None, target: float, *, planned: bool) -> str:
    """Return which number is enough; `planned` where it is the number to be randomised, and fewer may be."""
    ordered = sorted(cells, key=lambda cell: cell.n)
    name, patients = power_words(cells), "patients to be randomised" if planned else "patients"
    wanted = f"{percent(target)} {name[:1].lower()}{name[1:]}"
    if enough is None:
        largest = ordered[-1]
        doubt = (
            f" The interval reaches {percent(target)}: more replicates would tell." if largest.high >= target else ""
        )
        if len(ordered) == 1:
            return f"{largest.n} {patients} are too few for {wanted}: {interval_words(largest)}.{doubt}"
        return (
            f"None of the sizes simulated, {ordered[0].n} to {largest.n}, is enough for {wanted}: "
            f"with {largest.n} patients it is {interval_words(largest)}.{doubt}"
        )
    text = f"{enough.n} {patients} are enough for {wanted}: {interval_words(enough)}."
    smaller = [cell for cell in ordered if cell.n < enough.n]
    if smaller:
        text += f" With {smaller[-1].n} it is {fixed(100 * smaller[-1].share, 1)}{NO_BREAK_SPACE}%."
    elif len(ordered) > 1:
        text += " This is the smallest size simulated; fewer may do."
    if enough.low < target:
        text += f" The interval reaches below {percent(target)}: more replicates would tell."
    return text


def _alone_words(cell: PowerCell) -> str:
    """Return the power of the test alone, where that told is within a procedure."""
    if cell.alone is None:
        return ""
    who = "The primary hypothesis" if cell.within == CO_PRIMARY else "The test"
    return f" {who} alone, at its own level, has {interval_words(cell.alone)}."


def _failure_words(cells: Sequence[PowerCell]) -> str:
    """Return which sizes nothing is known of, because no fit gave an estimate there."""
    sizes = sorted(cell.n for cell in cells if math.isnan(cell.share))
    if not sizes:
        return ""
    return f" With {joined([str(size) for size in sizes], word='or')} patients no fit gave an estimate."


def _span(cells: Sequence[PowerCell]) -> str:
    """Return the lowest and the highest share in percent, one number where they show alike."""
    shares = sorted(cell.share for cell in cells)
    low, high = fixed(100 * shares[0], 1), fixed(100 * shares[-1], 1)
    return f"{low} %" if low == high else f"{low} to {high} %"


def _null_words(cells: Sequence[PowerCell]) -> str:
    """Return how often a false claim is made, beside the level that the test is built for.

    Without a difference the rate should be alpha. Against a margin it should be at most alpha / 2, and is less where
    the truth lies beyond the margin.
    """
    first = cells[0]
    span = _span(cells)
    together = first.claim == CO_PRIMARY
    margin, level = together or is_margin(first.test), percent(first.level)
    text = f"No true difference: {span} of trials find one all the same (type I error, nominal {level})."
    if together:
        text = (
            f"Not all of the {first.members} co-primary hypotheses have something to find: {span} of trials find all "
            f"of them all the same (type I error, to be at most {level})."
        )
    elif margin:
        text = (
            f"The true value reaches the margin: {span} of trials {claim_words(first.test)} all the same (type I "
            f"error, to be at most {level})."
        )
    above = sum(cell.low > cell.level for cell in cells)
    outside = above + sum(cell.high < cell.level for cell in cells)
    if margin and above:
        return f"{text} {above} of {len(cells)} intervals lie above {level}; one in forty would by chance."
    if outside and not margin:
        return f"{text} {outside} of {len(cells)} intervals do not hold {level}; one in twenty would by chance."
    return text
