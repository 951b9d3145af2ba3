"""`trialsim analyze`: the planned analyses on the data of a real trial, and the tipping point of one of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AsJson, Settings, parse_settings

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.api import TippingPoint

NOTHING = "–"


def analyze(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A long CSV file, as cohort writes.", show_default=False)
    ],
    scenario: Annotated[
        Path, typer.Option("--scenario", help="The scenario that plans the analyses.", show_default=False)
    ],
    settings: Settings = None,
    tipping: Annotated[
        bool,
        typer.Option(
            "--tipping-point",
            help="Instead: how much worse must those who left the active arm have been for the result to be lost?",
        ),
    ] = False,
    estimand: Annotated[str, typer.Option("--estimand", help="Whose tipping point.")] = "primary",
    as_json: AsJson = False,
) -> None:
    """Carry out the planned analyses on real data.

    The file has one row per patient and day, with columns patient, arm, day, stratum and one for each outcome; day 0 is
    the baseline.
    """
    from trialsim import api
    from trialsim.report.summary import json_records

    loaded = api.load(scenario, settings=parse_settings(settings))
    if tipping:
        point = api.tipping_point(data, loaded, estimand=estimand)
        if as_json:
            typer.echo(_json_of(point))
        else:
            _print_tipping(point)
        return
    found = api.analyse(data, loaded)
    if as_json:
        typer.echo(json.dumps(json_records(found), indent=2))
    else:
        _print(found)
    _require_all(found)


def _require_all(found: pd.DataFrame) -> None:
    """Raise RunError where an analysis failed."""
    from trialsim.analysis.contract import NO_COVARIANCE_CONVERGED
    from trialsim.errors import RunError

    failed = found[found["failed"]]
    if len(failed):
        words = "; ".join(f"{row.estimand}, {row.method}: {row.how}" for row in failed.itertuples())
        remedy = "Look for an arm, stratum or visit with too few scores or events, or for scores that do not vary"
        if (failed["how"] == NO_COVARIANCE_CONVERGED).any():
            remedy += ", or allow a simpler covariance (analysis: fallback: default)"
        raise RunError(f"Not every analysis could be carried out ({words}). {remedy}.")


def _print(found: pd.DataFrame) -> None:
    headings = ("estimand", "day", "contrast", "method", "estimate", "se", "df", "p", "interval", "n")
    rows = []
    for row in found.itertuples():
        numbers = (NOTHING,) * 5 if row.failed else _numbers(row)
        rows.append((row.estimand, f"{row.visit_days:g}", row.contrast, row.method, *numbers, str(row.n_analysed)))
    _print_table(headings, rows, left=(0, 2, 3))


def _print_tipping(point: TippingPoint) -> None:
    headings = ("delta", "estimate", "se", "df", "p", "interval", "")
    rows = [
        (_short(row.delta, "{:.4g}"), *_numbers(row), "significant" if row.significant else "lost")
        for row in point.path.itertuples()
    ]
    _print_table(headings, rows, left=(6,))
    typer.echo(f"\n{_words(point)}")


def _words(point: TippingPoint) -> str:
    """Return the answer in a sentence or two."""
    who = f"the {point.imputed} patients of the active arm who left"
    how = f"{point.estimand} by {point.method} ({point.strategy.replace('_', ' ')})"
    if point.delta == 0.0:
        return f"{how}: there is no significant benefit to lose."
    if math.isinf(point.delta):
        return f"{how}: significant still when {who} score {point.limit:+.4g} points from what was imputed."
    return f"{how}: no longer significant when {who} score {point.delta:+.4g} points from what was imputed."


def _json_of(point: TippingPoint) -> str:
    from trialsim.report.summary import json_records

    reached = math.isfinite(point.delta)
    content = {
        "estimand": point.estimand,
        "method": point.method,
        "strategy": point.strategy,
        "alpha": point.alpha,
        "delta": point.delta if reached else None,
        "reached": reached,
        "limit": point.limit,
        "imputed": point.imputed,
        "path": json_records(point.path),
    }
    return json.dumps(content, indent=2)


def _numbers(row: Any) -> tuple[str, ...]:
    """Return estimate, standard error, degrees of freedom, p and interval as text; a dash for what there is not."""
    p = "<0.0001" if row.p < 0.0001 else f"{row.p:.4f}"
    interval = NOTHING if math.isnan(row.ci_low) else f"{row.ci_low:.4g} to {row.ci_high:.4g}"
    df = "∞" if row.df == math.inf else _short(row.df, "{:.1f}")
    return _short(row.estimate, "{:.4g}"), _short(row.se, "{:.4g}"), df, p, interval


def _short(value: float, form: str) -> str:
    return NOTHING if math.isnan(value) else form.format(value)


def _print_table(headings: tuple[str, ...], rows: list[tuple[str, ...]], *, left: tuple[int, ...]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="left" if position in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table, crop=False)
