"""`trialsim size`: how many patients a power takes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AnswerAsJson, NoBar, ScenarioFile, Settings, Workers, parse_settings, varied

if TYPE_CHECKING:
    from trialsim.api.sizes import Sized, SizeTable


class Goal(StrEnum):
    """What is to have the power."""

    primary = "primary"
    alone = "alone"
    each = "each"
    all = "all"


def size(
    file: ScenarioFile,
    power: Annotated[float, typer.Option("--power", metavar="P", help="Power asked for, from 0.1 to 0.99.")] = 0.9,
    precision: Annotated[
        float,
        typer.Option("--precision", metavar="P", help="Relative half-width of the 95 % interval to stop at."),
    ] = 0.02,
    goal: Annotated[
        Goal,
        typer.Option("--goal", help="The primary hypothesis, within its procedure or alone, each one, or all at once."),
    ] = Goal.primary,
    effect: Annotated[
        str | None,
        typer.Option(
            "--effect",
            metavar="PATH",
            help="Search over the value at this path instead, with --n patients.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", metavar="N", min=2, help="Patients randomised; with --effect.", show_default=False),
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Answer for every combination of what the scenario varies.")
    ] = False,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="PATH=VALUES",
            help="Vary this instead, such as effects.ketamine.specific_share=0.2,0.34; may be repeated.",
            show_default=False,
        ),
    ] = None,
    most_patients: Annotated[
        int | None,
        typer.Option("--most-patients", metavar="N", help="Patients that there may be at most.", show_default=False),
    ] = None,
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Most simulated trials.")] = 400_000,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write the answer and its power curve here.", show_default=False),
    ] = None,
    workers: Workers = None,
    settings: Settings = None,
    quiet: NoBar = False,
    as_json: AnswerAsJson = False,
) -> None:
    """Find the number of patients that a power takes.

    The scenario is simulated at ever better sizes until the 95 % interval of the number is narrow enough. A power
    that cannot be reached is told so, with the highest that was seen.
    """
    from trialsim import api
    from trialsim.errors import Fault, InputError
    from trialsim.scenario import Option

    searched = effect is not None
    if searched != (n is not None):
        raise InputError([Fault("--effect, --n", "go together: the path that is searched over, and the patients")])
    for option, given in (("--cells", cells), ("--vary", bool(vary)), ("--most-patients", most_patients is not None)):
        if searched and given:
            raise InputError([Fault(f"--effect, {option}", "do not go together: an effect is found at one size")])
    put: dict[str, Any] = dict(parse_settings(settings))
    if vary:
        put["vary"] = Option(varied(vary), f"--vary {' --vary '.join(vary)}")
    scenario = api.load(file, settings=put)
    options: dict[str, Any] = {
        "power": power, "precision": precision, "goal": goal.value, "budget": budget, "workers": workers
    }  # fmt: skip

    def find() -> Sized | SizeTable:
        if effect is not None and n is not None:
            return api.detectable_effect(scenario, effect, n=n, **options)
        if cells or vary:
            return api.required_sample_sizes(scenario, most_patients=most_patients, **options)
        return api.required_sample_size(scenario, most_patients=most_patients, **options)

    if quiet or as_json:
        answer = find()
    else:
        from trialsim.cli.progress import progress_bar

        with progress_bar("Searching") as options["progress"]:
            answer = find()
    if out is not None:
        from trialsim.cli.folders import write_into

        write_into(out, answer.files())
    if as_json:
        import json

        typer.echo(json.dumps(answer.to_dict(), indent=2))
    else:
        typer.echo(answer.text)
        if out is not None:
            typer.echo(f"Written into {out}: {', '.join(answer.files())}.")
