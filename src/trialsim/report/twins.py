"""Closed forms beside simulated power: which hypotheses have one, and whether the two agree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from trialsim.engine.store import write_text
from trialsim.kernels.montecarlo import mcse_proportion
from trialsim.report.csv_files import csv_text, original_texts
from trialsim.report.summary import hypotheses, hypothesis_words, records_of, rows_of, varied_paths
from trialsim.report.table import ALL_OR_NONE, share_words
from trialsim.report.words import estimand_label, fixed, method_words, path_words, value_words
from trialsim.scenario.resolved import Analysis, Estimand, Resolved, Variant

if TYPE_CHECKING:
    from trialsim.analysis.contract import Observed

TWINS = Path("figures") / "twins.csv"

BOUND = 4.9
"""Monte Carlo standard errors that chance explains: one false alarm in a million."""

TWINS_CAPTION = (
    "Power in percent: simulated, with its Monte Carlo standard error, and by the closed form that comes nearest. "
    f"Marked is a difference of more than {BOUND} Monte Carlo standard errors and what the formula itself may be off "
    f"by. {ALL_OR_NONE}"
)


def twin_table(variants: Iterable[Variant], key: str, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the closed form beside the simulated power of every hypothesis and size that has one.

    Parameters
    ----------
    variants : iterable of Variant
        Of the resolved scenario.
    key : str
        Its hash.
    summary : DataFrame
        The summary of its run.

    Returns
    -------
    DataFrame
        `cell`, `variant`, the varied paths, `n`, `estimand`, `method`, `power`, `power_mcse`, `closed_form`,
        `difference` (simulated − closed form), `allowance`, `differs`, `formula`, `leaves_out`. No rows where nothing
        is to be found, every fit failed, or no closed form applies.
    """
    from trialsim.planning.twins import COUNTED, counted_trials, twin  # a finished run is shown without what makes them

    by_index = {variant.index: variant for variant in variants}
    leading = [*summary.columns[: list(summary.columns).index("n") + 1], "estimand", "method", "power", "power_mcse"]
    counted: dict[int, Observed] = {}
    rows = []
    for record in records_of(summary):
        if record["null"] or math.isnan(record["power"]):
            continue
        variant = by_index[int(record["variant"])]
        estimand, analysis = _hypothesis(variant, str(record["estimand"]), str(record["method"]))
        if analysis.method in COUNTED and variant.index not in counted:
            counted[variant.index] = counted_trials(variant, key)
        found = twin(
            variant,
            estimand,
            analysis,
            int(record["n"]),
            truth=float(record["true_value"]),
            seen=counted.get(variant.index),
        )
        if found is None:
            continue
        difference = record["power"] - found.power
        # Where all trials or none reject, the estimate's own error is 0: that at the closed form's power counts.
        error = max(record["power_mcse"], mcse_proportion(found.power, int(record["converged"] + record["fell_back"])))
        rows.append(
            {
                **{name: record[name] for name in leading},
                "closed_form": found.power,
                "difference": difference,
                "allowance": found.allowance,
                "differs": bool(abs(difference) > BOUND * error + found.allowance),
                "formula": found.formula,
                "leaves_out": " ".join(found.leaves_out),
            }
        )
    return pd.DataFrame(rows, columns=[*leading, *_OWN])


_OWN = ("closed_form", "difference", "allowance", "differs", "formula", "leaves_out")


def _hypothesis(variant: Variant, name: str, method: str) -> tuple[Estimand, Analysis]:
    estimand = next(one for one in variant.estimands if one.name == name)
    return estimand, next(one for one in estimand.analyses if one.name == method)


def warning_words(twins: pd.DataFrame, *, labels: Mapping[str, str] | None = None) -> str:
    """Return where simulated power and closed form differ by more than their errors allow, and why they may.

    Parameters
    ----------
    twins : DataFrame
        Of `twin_table`.
    labels : mapping, optional
        Words for estimands.

    Returns
    -------
    str
        Empty where they agree everywhere.
    """
    apart = records_of(twins[twins["differs"]])
    if not apart:
        return ""
    worst = max(apart, key=lambda record: abs(record["difference"]))
    where = f"{estimand_label(worst['estimand'], labels)} ({method_words(worst['method'])}), {worst['n']} patients"
    sentences = dict.fromkeys(
        part for record in apart for part in re.split(r"(?<=\.) ", str(record["leaves_out"])) if part
    )
    why = f" What the formulas leave out: {' '.join(sentences)}" if sentences else " Look closer: nothing explains it."
    return (
        f"Power and its closed form differ by more than their errors allow in {len(apart)} of {len(twins)} "
        f"comparisons, most for {where}: {fixed(100 * worst['power'], 1)} % against "
        f"{fixed(100 * worst['closed_form'], 1)} %.{why}"
    )


@dataclass(frozen=True, slots=True)
class TwinWords:
    """One hypothesis: its label, its closed forms, what they take no account of, and a table of text."""

    label: str
    formulas: str
    leaves_out: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def twin_rows(
    twins: pd.DataFrame, summary: pd.DataFrame, *, labels: Mapping[str, str] | None = None
) -> list[TwinWords]:
    """Return the tables of a report, one for each hypothesis that has a closed form, the primary first.

    Parameters
    ----------
    twins : DataFrame
        Of `twin_table`.
    summary : DataFrame
    labels : mapping, optional
        Words for arms, strata, outcomes and estimands.
    """
    paths, keys, found = varied_paths(summary), ["cell", "estimand", "method"], []
    for hypothesis in hypotheses(summary):
        of_hypothesis = rows_of(summary, hypothesis)
        records = records_of(of_hypothesis.merge(twins[[*keys, *_OWN]], on=keys))
        if not records:
            continue
        sentences = (part for record in records for part in re.split(r"(?<=\.) ", str(record["leaves_out"] or "")))
        formulas = dict.fromkeys(_without_numbers(str(record["formula"])) for record in records)
        found.append(
            TwinWords(
                hypothesis_words(summary, hypothesis, labels=labels),
                "; or ".join(formulas),
                " ".join(dict.fromkeys(part for part in sentences if part)),
                (*(path_words(path, labels=labels) for path in paths), *_HEADER),
                tuple(_row(record, paths, labels) for record in records),
            )
        )
    return found


_HEADER = ("Patients randomised", "Simulated power, %", "Closed form, %", "Difference")


def _without_numbers(formula: str) -> str:
    """Return the words of a formula without what depends on the size, such as the events expected."""
    return ", ".join(part for part in formula.split(", ") if "expected" not in part)


def _row(record: Mapping[str, Any], paths: tuple[str, ...], labels: Mapping[str, str] | None) -> tuple[str, ...]:
    difference = fixed(100 * record["difference"], 1, signed=True)
    return (
        *(value_words(path, record[path], labels=labels) for path in paths),
        str(int(record["n"])),
        share_words(*(float(record[name]) for name in ("power", "power_mcse", "power_low", "power_high"))),
        fixed(100 * record["closed_form"], 1),
        f"{difference} (differs)" if record["differs"] else difference,
    )


def write_twins(folder: Path, resolved: Resolved) -> list[Path]:
    """Write the closed forms of a run beside its figures, figures/twins.csv; return it, or nothing where none applies.

    Parameters
    ----------
    folder : Path
        Holds summary.parquet.
    resolved : Resolved
        The scenario of the run.
    """
    found = twin_table(resolved.variants, resolved.hash, pd.read_parquet(folder / "summary.parquet"))
    if not len(found):
        return []
    write_text(folder / TWINS, csv_text(found, digits=None))
    return [folder / TWINS]


def twins_of(folder: Path) -> pd.DataFrame | None:
    """Return the closed forms beside simulated power from a run folder; None where no hypothesis has one."""
    path = folder / TWINS
    if not path.exists():
        return None
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"leaves_out": str})
    return original_texts(frame.fillna({"leaves_out": ""}))
