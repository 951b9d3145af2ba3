"""`trialsim analyze`: the planned analyses on the data of a real trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.options import Settings, parse_settings

if TYPE_CHECKING:
    import pandas as pd


def analyze(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A long CSV file, as cohort writes.", show_default=False)
    ],
    scenario: Annotated[
        Path, typer.Option("--scenario", help="The scenario that plans the analyses.", show_default=False)
    ],
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Carry out the planned analyses on real data.

    The file has one row per patient and day, with columns patient, arm, day, stratum and one for each outcome; day 0 is
    the baseline.
    """
    from trialsim import api
    from trialsim.errors import RunError

    loaded = api.load(scenario, settings=parse_settings(settings))
    found = api.analyse(data, loaded)
    if as_json:
        typer.echo(found.to_json(orient="records", indent=2, double_precision=15))
    else:
        _print(found)
    failed = found[found["failed"]]
    if len(failed):
        words = "; ".join(f"{row.estimand}, {row.method}: {row.how}" for row in failed.itertuples())
        raise RunError(
            f"Not every analysis could be carried out ({words}). Look for an arm or visit with too few scores, "
            "or allow a simpler covariance (analysis: fallback: default)."
        )


def _print(found: pd.DataFrame) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    headings = ("estimand", "day", "contrast", "method", "estimate", "se", "df", "p", "interval", "n")
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="left" if position in (0, 2, 3) else "right", no_wrap=True)
    for row in found.itertuples():
        numbers = (
            ("–",) * 5
            if row.failed
            else (
                f"{row.estimate:.4g}",
                f"{row.se:.4g}",
                "∞" if row.df == float("inf") else f"{row.df:.1f}",
                "<0.0001" if row.p < 0.0001 else f"{row.p:.4f}",
                f"{row.ci_low:.4g} to {row.ci_high:.4g}",
            )
        )
        cells = (row.estimand, f"{row.visit_days:g}", row.contrast, row.method, *numbers, str(row.n_analysed))
        table.add_row(*(escape(cell) for cell in cells))
    needed = Console(width=10_000).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table, crop=False)
