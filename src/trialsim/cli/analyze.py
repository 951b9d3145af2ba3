"""`trialsim analyze`: the planned analyses on the data of a real trial, and the tipping point of one of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.options import AsJson, Settings, parse_settings

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.api import TippingPoint


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
    from trialsim.cli.tables import NOTHING, estimate_cells, print_grid

    headings = ("estimand", "day", "contrast", "method", "estimate", "se", "df", "p", "interval", "n")
    rows = []
    for row in found.itertuples():
        numbers = (NOTHING,) * 5 if row.failed else estimate_cells(row._asdict())
        contrast = row.contrast.replace(" - ", " − ")
        rows.append((row.estimand, f"{row.visit_days:g}", contrast, row.method, *numbers, str(row.n_analysed)))
    print_grid(headings, rows, left=4)


def _print_tipping(point: TippingPoint) -> None:
    from trialsim.cli.tables import estimate_cells, print_grid
    from trialsim.report.words import number

    headings = ("delta", "estimate", "se", "df", "p", "interval", "benefit")
    rows = [
        (
            number(row.delta, digits=4),
            *estimate_cells(row._asdict()),
            "significant" if row.significant else "not significant",
        )
        for row in point.path.itertuples()
    ]
    print_grid(headings, rows, left=0)
    typer.echo(f"\n{_words(point)}")


def _words(point: TippingPoint) -> str:
    """Return the answer in a sentence or two."""
    from trialsim.report.words import number

    who = f"the {point.imputed} patients of the active arm who left"
    how = f"{point.estimand} by {point.method} ({point.strategy.replace('_', ' ')})"
    if point.delta == 0.0:
        return f"{how}: there is no significant benefit to lose."
    kept = math.isinf(point.delta)
    still = "significant still" if kept else "no longer significant"
    moved = number(point.limit if kept else point.delta, digits=4, signed=True)
    return f"{how}: {still} when {who} score {moved} points from what was imputed."


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
