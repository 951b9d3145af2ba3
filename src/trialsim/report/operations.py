"""How trials are run, for readers: the numbers of one variant, tables, and what they say in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from trialsim.report.design import labels_of
from trialsim.report.summary import hypotheses, records_of, rows_of, setting_words, varied_paths
from trialsim.report.table import power_cells, power_words

MOST_PANELS = 3
"""Numbers of patients that have a panel of their own in one figure."""

COSTS = {
    "fixed": "Fixed",
    "month": "Coordination, by month",
    "site": "Opening sites",
    "site_month": "Keeping sites, by month",
    "screen": "Screening",
    "infusion": "Infusions",
    "session": "Sessions of therapy",
    "visit": "Visits",
}
"""What money goes to, with the words for it."""

RESOURCES = {
    "chairs": "Infusion chairs",
    "nurses": "Nurses",
    "psychiatrists": "Psychiatrists",
    "therapists": "Therapists",
    "raters": "Raters",
}
"""What may be scarce, with the words for it."""

QUEUES = {"infusion": "First infusion", "therapy": "Therapy group"}
"""What patients wait for, with the words for it."""

BUSY = 0.85
"""Share of hours in use from which on a queue grows fast."""

CAVEAT = (
    "Only leaving for a reason of the clinic (giving up while waiting) frees a place. A patient who leaves because of "
    "how they fare keeps the places booked for them, so that chairs, therapists and costs are those of everybody who "
    "has not given up waiting."
)

MIX = (
    "True values over all strata are those of the shares in the scenario, not of the mix that quotas make: where the "
    "effect differs between strata, a trial estimates that of the patients it has, and the difference shows as bias."
)


@dataclass(frozen=True)
class Operated:
    """How the trials of one variant are run.

    Parameters
    ----------
    summary, calendar, waiting : DataFrame
        Rows of operations_summary, operations_calendar and operations_waits of one variant.
    operations : mapping
        The variant's resolved operations.
    arms : mapping of str to str
        Words for the arms, by name.
    strata : mapping of str to (str, float)
        Words for the strata and their shares in the scenario, by name.
    """

    summary: pd.DataFrame
    calendar: pd.DataFrame
    waiting: pd.DataFrame
    operations: Mapping[str, Any]
    arms: Mapping[str, str]
    strata: Mapping[str, tuple[str, float]]

    @property
    def sizes(self) -> list[int]:
        """Numbers of patients asked for, rising."""
        return sorted(int(n) for n in self.summary["n"].unique())

    @property
    def target_months(self) -> float:
        """Months in which recruitment is hoped to be done."""
        return float(self.operations["target_months"])

    @property
    def until_month(self) -> float:
        """Month in which recruitment ends at the latest."""
        return last_month(self.operations)

    @property
    def resources(self) -> dict[str, str]:
        """Resources that have a limit, with the words for them."""
        known = set(self.summary["measure"])
        return {name: words for name, words in RESOURCES.items() if f"use_{name}" in known}

    @property
    def costs(self) -> dict[str, str]:
        """What money goes to in this scenario, with the words for it."""
        return {
            name: words
            for name, words in COSTS.items()
            if (self.summary.loc[self.summary["measure"] == f"cost_{name}_usd", "value"] > 0.0).any()
        }

    def is_full(self, n: int) -> bool:
        """Return whether quotas turn people away and so make another mix of those randomised."""
        return min(float(self.measure(name, n)["value"]) for name in ("turned_away", "randomised")) > 0.0

    @cached_property
    def waits(self) -> pd.DataFrame:
        """How many have begun after so many days, with words for what they wait for."""
        return self.waiting.assign(queue_label=self.waiting["queue"].map(QUEUES))

    @cached_property
    def _rows(self) -> dict[tuple[str, int], dict[str, Any]]:
        return {(str(row["measure"]), int(row["n"])): row for row in records_of(self.summary)}

    def measure(self, name: str, n: int) -> dict[str, Any]:
        """Return one row of the summary: `value`, `mcse`, `low`, `high` and quantiles over trials."""
        return self._rows[name, n]

    def has(self, name: str) -> bool:
        """Return whether there is such a measure."""
        return any(measure == name for measure, _ in self._rows)

    def series(self, name: str) -> pd.DataFrame:
        """Return one series of the calendar by size and month, up to where nearly all trials are over."""
        part = self.calendar[self.calendar["series"] == name]
        ends = [
            self.measure(measure, n)["q95"]
            for n in self.sizes
            for measure in ("months_recruiting", "months_to_last_visit")
        ]
        last = math.ceil(max(end for end in ends if not math.isnan(end))) + 1
        return part[part["month"] <= last].reset_index(drop=True)


def last_month(operations: Mapping[str, Any]) -> float:
    """Return the month in which recruitment ends at the latest, from resolved operations."""
    from trialsim.scenario.resolved_operations import DAYS_PER_MONTH

    return float(operations["recruitment"]["horizon_days"]) / DAYS_PER_MONTH


def usd(value: float) -> str:
    """Return an amount of money in words short enough for an axis: `950`, `12.5 k`, `1.25 M`."""
    return _amount(value, 0)[0]


def _amount(value: float, more: int) -> tuple[str, float]:
    """Return an amount in words, with so many digits more than a short one has, and the amount that they say."""
    unit, words = next(((unit, words) for unit, words in ((1e6, " M"), (1e3, " k")) if abs(value) >= unit), (1.0, ""))
    scaled = value / unit
    digits = more if unit == 1.0 else more + (2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0)
    text = f"{scaled:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{words}", unit * float(text)


def usd_ticks(values: Sequence[float]) -> list[str]:
    """Return the words of rising amounts on an axis, with as many digits as tell them apart."""
    steps = [later - value for value, later in itertools.pairwise(values)]
    most = 0.01 * min(steps, default=math.inf)
    return [next((text for text, off in _amounts(value) if off <= most), usd(value)) for value in values]


def _amounts(value: float) -> Iterator[tuple[str, float]]:
    """Yield an amount in words with ever more digits, from those of `usd` on, and how far each is off."""
    for more in range(7):
        text, shown = _amount(value, more)
        yield text, abs(shown - value)


def power_by_means(power: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return power beside what it takes, one row per line and number of patients.

    Parameters
    ----------
    power : DataFrame
        Columns `cell`, `line` (words), `n`, `quantity` (what the power is called), `power`, `power_mcse`, `power_low`,
        `power_high`, of one hypothesis.
    summary : DataFrame
        Rows of operations_summary of the same cells.

    Returns
    -------
    DataFrame
        Columns `line`, `n`, `quantity`, `power` with its interval, `months` to the last visit and `usd` with Monte
        Carlo standard errors and the range of 90 % of trials, and `usd_per_percent`: cost per percent of power, its
        Monte Carlo standard error by the delta method.
    """
    means = {(int(row["cell"]), str(row["measure"])): row for row in records_of(summary)}
    rows = []
    for row in records_of(power):
        percent = 100.0 * float(row["power"])
        told: dict[str, Any] = {
            key: row[key] for key in ("line", "n", "quantity", "power", "power_mcse", "power_low", "power_high")
        }
        for name, measure in (("months", "months_to_last_visit"), ("usd", "cost_total_usd")):
            own = means[int(row["cell"]), measure]
            told |= {name: own["value"], f"{name}_mcse": own["mcse"]}
            told |= {f"{name}_{quantile}": own[quantile] for quantile in ("q05", "q95")}
        told["randomised"] = means[int(row["cell"]), "randomised"]["value"]
        told["usd_per_percent"] = float(told["usd"]) / percent if percent else math.nan
        relative = (
            told["usd_mcse"] / told["usd"] if told["usd"] else 0.0,
            100.0 * row["power_mcse"] / percent if percent else 0.0,
        )
        told["usd_per_percent_mcse"] = told["usd_per_percent"] * math.hypot(*relative)
        rows.append(told)
    return pd.DataFrame(rows)


def operated_of(
    files: Mapping[str, pd.DataFrame], variant: Mapping[str, Any], labels: Mapping[str, str], index: int = 0
) -> Operated:
    """Return how the trials of one variant are run from the files of a run, or what stands for them.

    Parameters
    ----------
    files : mapping of str to DataFrame
        operations_summary, operations_calendar and operations_waits.
    variant : mapping
        The resolved variant.
    labels : mapping
        Words for arms and strata.
    index : int
        Of the variant.
    """
    parts = [files[f"operations_{name}"] for name in ("summary", "calendar", "waits")]
    own = [part[part["variant"] == index] for part in parts]
    arms = {str(name): labels.get(str(name), str(name)) for name in variant["arms"]}
    strata = {
        str(name): (labels.get(str(name), str(name)), float(share))
        for name, share in zip(variant["strata"], variant["strata_share"], strict=True)
    }
    return Operated(own[0], own[1], own[2], variant["operations"], arms, strata)


def power_of_run(
    summary: pd.DataFrame,
    operated: pd.DataFrame,
    resolved: Mapping[str, Any],
    *,
    families: pd.DataFrame | None = None,
    title: str = "",
) -> pd.DataFrame:
    """Return the power of a run's primary hypothesis beside what it takes.

    Parameters
    ----------
    summary : DataFrame
        Of the run.
    operated : DataFrame
        Its operations_summary.
    resolved : mapping
        The resolved scenario.
    families : DataFrame, optional
        Its summary of hypotheses tested together: power is what decides the trial, as in the first table of a report.
    title : str
        Begins the name of each line, where there are several runs.

    Returns
    -------
    DataFrame
        As of `power_by_means`; cells with nothing to find, or where every analysis failed, are left out.
    """
    labels = labels_of(resolved)
    hypothesis = hypotheses(summary)[0]
    primary = rows_of(summary, hypothesis)
    paths = varied_paths(primary)
    decided = power_cells(summary, hypothesis, families=families)
    rows = []
    for row in records_of(primary):
        cell = decided[int(row["cell"])]
        if cell.null or math.isnan(cell.share):
            continue
        setting = setting_words({path: row[path] for path in paths}, labels=labels)
        told = {
            "line": ": ".join(part for part in (title, setting) if part),
            "cell": row["cell"],
            "n": cell.n,
            "quantity": power_words([cell]),
            "power": cell.share,
            "power_mcse": cell.mcse,
            "power_low": cell.low,
            "power_high": cell.high,
        }
        rows.append(told)
    names = ["line", "cell", "n", "quantity", "power", "power_mcse", "power_low", "power_high"]
    return power_by_means(pd.DataFrame(rows, columns=names), operated)
