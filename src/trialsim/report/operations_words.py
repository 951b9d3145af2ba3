"""How trials are run, in sentences: how long, how likely in time, how dear, and where it jams."""

from __future__ import annotations

import math

import pandas as pd

from trialsim.report.operations import BUSY, MIX, Operated, usd
from trialsim.report.recruited import asked_note
from trialsim.report.words import fixed, joined

SHOWN = 0.0005
"""Share from which on it is not 0.0 %."""


def answer_words(told: Operated) -> list[str]:
    """Return what a planner asks, answered, one paragraph for each number of patients."""
    return [_answer(told, n) for n in told.sizes]


def run_words(operated: pd.DataFrame) -> str:
    """Return what a table of power says of how trials were run.

    Parameters
    ----------
    operated : DataFrame
        Rows of operations_summary of all cells.
    """
    full = operated.loc[operated["measure"] == "recruited", "value"].min()
    turned_away = operated.loc[operated["measure"] == "turned_away", "value"].max()
    mix = f" {MIX}" if turned_away > 0.0 else ""
    if full < 1.0:
        return f"{asked_note('N', float(full))} See Running the trial in the report.{mix}"
    return f"Every trial reached its number; how it was run stands under Running the trial in the report.{mix}"


def _answer(told: Operated, n: int) -> str:
    full, by_target = told.measure("recruited", n), told.measure("recruited_by_target", n)
    months, cost = told.measure("months_to_last_visit", n), told.measure("cost_total_usd", n)
    words = [f"{n} patients:"]
    done = told.measure("months_to_recruit", n)
    middle = f"{fixed(done['q05'], 1)} to {fixed(done['q95'], 1)} in 90 % of"
    month = f"month {fixed(done['value'], 1)} on average ({middle}"
    if full["value"] == 1.0:
        words.append(f"the last one is randomised in {month} trials).")
    else:
        reached = told.measure("randomised", n)
        words.append(
            f"recruitment ends in month {told.until_month:.4g} at the latest. By then {_shown(full['value'])} of "
            f"trials have reached their number, and {fixed(reached['value'], 0)} patients are randomised on average "
            f"({fixed(reached['q05'], 0)} to {fixed(reached['q95'], 0)} in 90 % of trials)."
        )
        if full["value"] > 0.0:
            words.append(f"In trials that reach it, the last one is randomised in {month} them).")
    words.append(
        f"Recruitment is done in {told.target_months:g} months in {_shown(by_target['value'])} of trials (95 % "
        f"interval {_shown(by_target['low'])} to {_shown(by_target['high'])})."
    )
    if told.is_full(n):
        words.append(_mix(told, n))
    if not math.isnan(months["value"]):
        words.append(f"The last visit is in month {fixed(months['value'], 1)} ± {fixed(months['mcse'], 1)}.")
    words.append(
        f"The trial costs USD {usd(cost['value'])} ± {usd(cost['mcse'])} ({usd(cost['q05'])} to {usd(cost['q95'])} in "
        "90 % of trials)."
    )
    if math.isnan(months["value"]):
        return " ".join(words)
    return " ".join([*words, *_jams(told, n)])


def _mix(told: Operated, n: int) -> str:
    """Return whom quotas leave in the trial."""
    reached = float(told.measure("randomised", n)["value"])
    parts = []
    for name, (label, share) in told.strata.items():
        own = told.measure(f"stratum_{name}_randomised", n)
        parts.append(
            f"{fixed(own['value'], 1)} ± {fixed(own['mcse'], 1)} are {label} ({_shown(own['value'] / reached)}; "
            f"{_shown(share)} by the shares of the scenario)"
        )
    turned = fixed(float(told.measure("turned_away", n)["value"]), 1)
    return f"Quotas turn {turned} people away; of those randomised {joined(parts)}."


def _shown(share: float) -> str:
    return f"{fixed(100.0 * share, 1)} %"


def _jams(told: Operated, n: int) -> list[str]:
    """Return where it jams, in words."""
    full = []
    for name, words in told.resources.items():
        measures = {"on average": "use", "in the fullest month": "peak_use", "at the busiest site": "busiest_site_use"}
        shares = {
            about: told.measure(f"{measure}_{name}", n)["value"]
            for about, measure in measures.items()
            if told.has(f"{measure}_{name}")
        }
        if max(shares.values()) >= BUSY:
            used = [f"{fixed(100.0 * share, 0)} % {about}" for about, share in shares.items()]
            full.append(f"{words.lower()} (in use: {', '.join(used)})")
    parts = [f"It jams at {joined(full)}."] if full else []
    missed, late = (told.measure(f"share_infusions_{name}", n)["value"] for name in ("missed", "late"))
    if max(missed, late) >= SHOWN:
        parts.append(f"{_shown(late)} of infusions are given late and {_shown(missed)} are missed.")
    waits = [
        f"{fixed(told.measure(name, n)['value'], 1)} days for {words}"
        for name, words in (("mean_wait_days", "the first infusion"), ("mean_therapy_wait_days", "a therapy group"))
        if told.has(name) and told.measure(name, n)["value"] > 0.05
    ]
    if waits:
        parts.append(f"Patients wait {joined(waits)} on average.")
    gone = sum(told.measure(name, n)["value"] for name in ("left_before_start", "left_before_therapy"))
    if gone > 0.0:
        parts.append(f"{fixed(gone, 1)} give up waiting.")
    who = "Hardly anybody" if missed > 0.0 or late > 0.0 else "Nobody"
    return parts or [f"{who} waits: recruitment alone decides how long it takes."]
