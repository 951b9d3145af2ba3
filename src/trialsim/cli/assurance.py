"""`trialsim assurance`: power averaged over what is believed, and what a pilot would change."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.options import AnswerAsJson, NoBar, ScenarioFile, Settings, Workers, parse_settings


class Goal(StrEnum):
    """What is to succeed."""

    primary = "primary"
    alone = "alone"
    all = "all"


def assurance(
    file: ScenarioFile,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Draws from the priors.")] = 400,
    relevant: Annotated[
        float | None,
        typer.Option(
            "--relevant",
            metavar="SIZE",
            help="Smallest benefit that matters, such as 2 (points).",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="P", help="Power that makes a trial worth running.")
    ] = 0.8,
    pilot: Annotated[
        list[int] | None,
        typer.Option(
            "--pilot", metavar="N", help="Value of a pilot of N patients; may be repeated.", show_default=False
        ),
    ] = None,
    go: Annotated[
        float | None,
        typer.Option(
            "--go",
            metavar="P",
            help="Assurance from which the trial would be run; with --pilot. [default: 0.5]",
            show_default=False,
        ),
    ] = None,
    goal: Annotated[
        Goal,
        typer.Option("--goal", help="Success: primary hypothesis, within its procedure or alone; or all."),
    ] = Goal.primary,
    cells: Annotated[
        bool, typer.Option("--cells", help="Every combination of varied values, not the scenario's own.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out draws that no scenario can have, and say how many.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the answer, tables and figures here.", show_default=False),
    ] = None,
    workers: Workers = None,
    settings: Settings = None,
    quiet: NoBar = False,
    as_json: AnswerAsJson = False,
) -> None:
    """Average the power over the priors of a scenario.

    The effect, the spread, the placebo response, dropout: whatever has a prior is drawn from it, and trials of every
    sample size are simulated at each draw. The answer is the chance that the trial succeeds, and how that hangs on
    what is not known.
    """
    from trialsim import api
    from trialsim.errors import Fault, InputError

    if go is not None and not pilot:
        raise InputError([Fault("--go", "decides after a pilot: give --pilot with its number of patients too")])
    scenario = api.load(file, settings=parse_settings(settings))
    options: dict[str, Any] = {
        "draws": draws, "relevant": relevant, "threshold": threshold, "pilots": tuple(pilot or ()),
        "goal": goal.value, "cells": cells, "leave_out": leave_out, "workers": workers,
    }  # fmt: skip
    options |= {} if go is None else {"go": go}
    if quiet or as_json:
        answer = api.assurance(scenario, **options)
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Simulating") as progress:
            answer = api.assurance(scenario, **options, progress=progress)
    written: dict[str, bytes] = {}
    if out is not None:
        from trialsim.cli.folders import write_into

        written = answer.files()
        write_into(out, written)
    if as_json:
        import json

        typer.echo(json.dumps(answer.to_dict(), indent=2))
    else:
        typer.echo(answer.text)
        if out is not None:
            typer.echo(f"Written into {out}: {', '.join(written)}.")
