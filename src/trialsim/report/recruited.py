"""Where recruitment ends before its number is reached: how often, and how many are randomised instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from trialsim.planning.reached import Reached
from trialsim.report.operations import last_month
from trialsim.report.questions import variants_of
from trialsim.report.summary import records_of
from trialsim.report.words import NO_BREAK_SPACE, fixed


def recruited_of(folder: Path, resolved: Mapping[str, Any]) -> dict[int, dict[int, Reached]]:
    """Return what recruitment reaches by variant and number to be randomised, where some trials do not reach it.

    Parameters
    ----------
    folder : Path
        Of the run.
    resolved : mapping
        The resolved scenario.
    """
    path = folder / "operations_summary.parquet"
    if not path.exists():
        return {}
    operated = pd.read_parquet(path)
    found: dict[int, dict[int, Reached]] = {}
    for _, cell in operated[operated["measure"].isin(["recruited", "randomised"])].groupby("cell"):
        of = {str(row["measure"]): row for row in records_of(cell)}
        reached, patients = of["recruited"], of["randomised"]
        if reached["value"] < 1.0:
            variant, n = int(reached["variant"]), int(reached["n"])
            found.setdefault(variant, {})[n] = Reached(
                n=n,
                until_month=last_month(variants_of(resolved)[variant]["operations"]),
                share=float(reached["value"]),
                low=float(reached["low"]),
                high=float(reached["high"]),
                mean=float(patients["value"]),
                mcse=float(patients["mcse"]),
            )
    return found


def reached_words(reached: Reached) -> str:
    """Return what recruitment reaches, in a sentence."""
    low, high = fixed(100 * reached.low, 1), fixed(100 * reached.high, 1)
    return (
        f"Recruitment to month {reached.until_month:.4g} reaches {reached.n:,} in {fixed(100 * reached.share, 1)}"
        f"{NO_BREAK_SPACE}% of trials (95{NO_BREAK_SPACE}% interval {low} to {high}); on average "
        f"{fixed(reached.mean, 1)} ± {fixed(reached.mcse, 1)} patients are randomised."
    )


def asked_words(recruited: Mapping[int, Mapping[int, Reached]]) -> str:
    """Return that numbers of patients are those asked for; empty where all that `recruited_of` gives are reached."""
    shares = [one.share for cells in recruited.values() for one in cells.values()]
    return asked_note("The number of patients", min(shares)) if shares else ""


def asked_note(number: str, share: float) -> str:
    """Return that a number is the one asked for.

    Parameters
    ----------
    number : str
        What it is called.
    share : float
        Trials that reach it, in the cell with the fewest of them.
    """
    return (
        f"{number} is the number asked for: in some cells recruitment ends before it is reached (in as many as "
        f"{fixed(100 * (1.0 - share), 1)} % of trials), and power is that of the number reached."
    )


def as_asked(text: str) -> str:
    """Return words with `patients to be randomised` where they say `patients randomised`."""
    return re.sub(r"(?<=atients)(\s)randomised", r" to be\1randomised", text)
