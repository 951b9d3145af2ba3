"""Tables on how trials are run: time and money, the funnel, where it jams, who is where by month, and power."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from trialsim.report.operations import BUSY, CAVEAT, Operated, usd
from trialsim.report.summary import records_of
from trialsim.report.words import fixed, percent

CHANCE = 4.9
"""Standard errors by which a simulated share may differ from its closed form: a false alarm in a million."""

ALLOWANCE = 0.01
"""By how much the closed form itself may be off where sites differ (matched moments)."""

Table = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Caption, header and rows of text."""


def tables(told: Operated) -> list[Table]:
    """Return the tables of one variant: time and money, the funnel, where it jams, and who is where by month."""
    return [
        table
        for table in (
            _answer_table(told),
            _cost_table(told),
            _funnel_table(told),
            _jam_table(told),
            _calendar_table(told),
        )
        if table[2]
    ]


def _answer_table(told: Operated) -> Table:
    target = f"{told.target_months:g}"
    lines: list[tuple[str, str, float, int]] = [
        ("Trials that reach their number, %", "recruited", 100.0, 1),
        (f"Trials full by month {target}, %", "recruited_by_target", 100.0, 1),
        (f"Patients randomised by month {target}", "randomised_by_target", 1.0, 0),
        ("Patients randomised in all", "randomised", 1.0, 0),
        ("Month of the last randomisation, where full", "months_to_recruit", 1.0, 1),
        ("Month of the last patient's last visit", "months_to_last_visit", 1.0, 1),
        ("Patients at the smallest site", "smallest_site", 1.0, 0),
        ("Patients at the largest site", "largest_site", 1.0, 0),
    ]
    rows: list[tuple[str, ...]] = []
    for words, name, times, digits in lines:
        found = [told.measure(name, n) for n in told.sizes]
        rows.append((words, *(_cell(row, times, digits) for row in found)))
        if any(not math.isnan(row["closed_form"]) for row in found):
            rows.append(("by the closed form", *(_closed_form(row) for row in found)))
    caption = (
        "Mean over simulated trials ± Monte Carlo standard error; in brackets the range of 90 % of trials (for shares "
        "of trials the 95 % interval)."
    )
    return caption, ("Patients asked for", *map(str, told.sizes)), tuple(rows)


def _closed_form(row: Mapping[str, Any]) -> str:
    """Return the closed form of a share of trials, with a warning where chance does not explain the difference."""
    known, trials = float(row["closed_form"]), float(row["trials"])
    allowed = CHANCE * math.sqrt(known * (1.0 - known) / trials) + ALLOWANCE if trials else math.inf
    off = " (differs)" if abs(known - float(row["value"])) > allowed else ""
    return f"{fixed(100.0 * known, 1)}{off}"


def _cost_table(told: Operated) -> Table:
    rows = []
    for name, words in {**told.costs, "total": "In all", "per_randomised": "Per patient randomised"}.items():
        rows.append((words, *(_money(told.measure(f"cost_{name}_usd", n)) for n in told.sizes)))
    caption = "Cost in USD: mean ± Monte Carlo standard error, in brackets the range of 90 % of trials."
    return caption, ("Patients asked for", *map(str, told.sizes)), tuple(rows)


FUNNEL = {
    "assessed": "Assessed",
    "not_eligible": "Not eligible",
    "declined": "Declined",
    "screen_failed": "Failed screening",
    "run_in_failed": "Failed the run-in",
    "turned_away": "Turned away: quota full",
    "in_screening_at_close": "In screening when recruitment ended",
    "randomised": "Randomised",
    "left_before_start": "Gave up waiting for the first infusion",
    "left_before_therapy": "Gave up waiting for a therapy group",
    "infusions_given": "Infusions given",
    "infusions_late": "of these late",
    "infusions_missed": "Infusions missed: no room in time",
    "visits_held": "Visits held",
    "visits_missed": "Visits missed: not within the window",
    "in_therapy_groups": "Patients in therapy groups",
    "therapy_groups": "Therapy groups",
    "sessions_held": "Patients' sessions held",
    "sessions_cancelled": "Patients' sessions cancelled",
}
"""Counts of a trial, with the words for them, in the order in which they come about."""


def _funnel_table(told: Operated) -> Table:
    rows = []
    for name, words in FUNNEL.items():
        if not told.has(name) or all(told.measure(name, n)["q95"] == 0.0 for n in told.sizes):
            continue
        rows.append((words, *(_cell(told.measure(name, n), 1.0, 0) for n in told.sizes)))
        if name == "randomised" and len(told.strata) > 1:
            rows += [
                (
                    f"of these {label}",
                    *(_cell(told.measure(f"stratum_{stratum}_randomised", n), 1.0, 0) for n in told.sizes),
                )
                for stratum, (label, _) in told.strata.items()
            ]
    caption = "Counts in a trial: mean ± Monte Carlo standard error, in brackets the range of 90 % of trials. " + CAVEAT
    return caption, ("Patients asked for", *map(str, told.sizes)), tuple(rows)


def _jam_table(told: Operated) -> Table:
    lines = [(f"{words} in use, %", f"use_{name}", 100.0, 0) for name, words in told.resources.items()]
    for about, measure in (("in the fullest month", "peak_use"), ("at the busiest site", "busiest_site_use")):
        lines += [(f"{words} {about}, %", f"{measure}_{name}", 100.0, 0) for name, words in told.resources.items()]
    lines += [
        ("Infusions given late, %", "share_infusions_late", 100.0, 1),
        ("Infusions missed, %", "share_infusions_missed", 100.0, 1),
        ("Visits missed, %", "share_visits_missed", 100.0, 1),
        ("Days waited for the first infusion", "mean_wait_days", 1.0, 1),
        ("Longest wait for it in a trial, days", "longest_wait_days", 1.0, 0),
        ("Days waited for a therapy group", "mean_therapy_wait_days", 1.0, 1),
        ("Longest wait for one in a trial, days", "longest_therapy_wait_days", 1.0, 0),
    ]
    rows = tuple(
        (words, *(_cell(told.measure(name, n), times, digits) for n in told.sizes))
        for words, name, times, digits in lines
        if told.has(name) and not all(math.isnan(told.measure(name, n)["value"]) for n in told.sizes)
    )
    caption = (
        "Where it jams: mean over trials ± Monte Carlo standard error, in brackets the range of 90 % of trials. From "
        f"about {percent(BUSY)} of the hours in use on, queues grow fast."
    )
    return caption, ("Patients asked for", *map(str, told.sizes)), rows


CALENDAR = {
    "open_sites": ("Sites open", 1.0, 1),
    "randomised": ("Randomised", 1.0, 0),
    "waiting": ("Waiting to begin", 1.0, 1),
    "in_trial": ("Under way", 1.0, 0),
    "finished": ("Past the last visit", 1.0, 0),
    "left": ("Gave up waiting", 1.0, 1),
    "seen_at_primary_visit": ("Past the primary visit", 1.0, 0),
    "information": ("Information, % of the final", 100.0, 0),
}
"""Series of the calendar, with the words for them, a factor and decimals."""

MOST_DATES = 12


def _calendar_table(told: Operated) -> Table:
    """Return who is where at some dates, of trials of the largest size: what a look by date would find."""
    n = max(told.sizes)
    last = int(told.series("randomised")["month"].max())
    step = max(1, math.ceil(last / MOST_DATES / 3) * 3) if last > MOST_DATES else 1
    months = list(range(0, last + 1, step))
    by_series = {}
    for name in CALENDAR:
        part = told.series(name)
        by_series[name] = {int(row["month"]): row for row in records_of(part[part["n"] == n])}
    rows = []
    for month in months:
        cells = []
        for name, (_, times, digits) in CALENDAR.items():
            row = by_series[name].get(month)
            cells.append("–" if row is None else _cell({**row, "value": row["mean"]}, times, digits))
        rows.append((f"Month {month}", *cells))
    caption = (
        f"Where the trial stands at a date, of {n} patients to be randomised: mean ± Monte Carlo standard error, in "
        "brackets the range of 90 % of trials. Information is the share of those seen at the primary visit in the end "
        "who have been seen there by then."
    )
    return caption, ("Date", *(words for words, _, _ in CALENDAR.values())), tuple(rows)


def power_table(frame: pd.DataFrame) -> Table:
    """Return power beside months and money, as `power_by_means` has them."""
    rows = []
    for row in records_of(frame):
        rows.append(
            (
                f"{row['line']}: {row['n']} patients" if row["line"] else f"{row['n']} patients",
                fixed(float(row["randomised"]), 0),
                f"{fixed(100.0 * row['power'], 1)} ({fixed(100.0 * row['power_low'], 1)} to "
                f"{fixed(100.0 * row['power_high'], 1)})",
                f"{fixed(float(row['months']), 1)} ± {fixed(float(row['months_mcse']), 1)}",
                f"{usd(float(row['usd']))} ± {usd(float(row['usd_mcse']))}",
                _per_percent(row),
            )
        )
    header = ("Design", "Randomised", "Power, % (95 %)", "Months to the last visit", "Cost, USD", "USD per % of power")
    quantities = {str(quantity) for quantity in frame["quantity"]}
    caption = (
        f"{quantities.pop() if len(quantities) == 1 else 'Power'} and what it takes, ± Monte Carlo standard error. "
        "Where recruitment ends before its number is reached, power is that of the number reached."
    )
    return caption, header, tuple(rows)


def _per_percent(row: Mapping[str, Any]) -> str:
    value = float(row["usd_per_percent"])
    return "–" if math.isnan(value) else f"{usd(value)} ± {usd(float(row['usd_per_percent_mcse']))}"


def _cell(row: Mapping[str, Any], times: float, digits: int) -> str:
    value = times * float(row["value"])
    if math.isnan(value):
        return "–"
    error = times * float(row["mcse"])
    share_of_trials = row.get("measure") in ("recruited", "recruited_by_target")
    ends = ("low", "high") if share_of_trials else ("q05", "q95")
    low, high = (fixed(times * float(row[end]), digits) for end in ends)
    return f"{fixed(value, digits)} ± {fixed(error, max(digits, 1))} ({low}–{high})"


def _money(row: Mapping[str, Any]) -> str:
    value = float(row["value"])
    if math.isnan(value):
        return "–"
    return f"{usd(value)} ± {usd(float(row['mcse']))} ({usd(float(row['q05']))}–{usd(float(row['q95']))})"
