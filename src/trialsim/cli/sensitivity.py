"""`trialsim sensitivity`: what the answer hangs on."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import NoBar, ScenarioFile, Settings, Workers, parse_settings

if TYPE_CHECKING:
    from trialsim.api.sensitivities import Sensitivity
    from trialsim.scenario import Scenario

    Part = tuple[str, Callable[..., Sensitivity]]


class Metric(StrEnum):
    """What is looked at."""

    power = "power"
    n = "n"
    bias = "bias"
    type_i_error = "type_i_error"


def sensitivity(
    file: ScenarioFile,
    metric: Annotated[
        Metric, typer.Option("--metric", help="What the tornado shows; n is the patients that --target power takes.")
    ] = Metric.power,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="PATH=LOW,HIGH",
            help="Plausible range of a value, instead of the evidence's; may be repeated.",
        ),
    ] = None,
    heat: Annotated[
        tuple[str, str] | None,
        typer.Option("--heat", metavar="PATH PATH", help="Heat map over two values.", show_default=False),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", metavar="K", help="Values of each along a heat map.")] = 5,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Which assumptions the difference of power to this scenario is due to (Shapley values).",
            show_default=False,
        ),
    ] = None,
    together: Annotated[
        list[str] | None,
        typer.Option("--together", metavar="PATH,PATH", help="With --against: count as one; may be repeated."),
    ] = None,
    tipping: Annotated[
        bool, typer.Option("--tipping", help="How much worse those who leave must be for power and effect to be lost.")
    ] = False,
    limit: Annotated[
        float | None,
        typer.Option("--limit", metavar="POINTS", help="Largest delta of --tipping.", show_default=False),
    ] = None,
    worst: Annotated[bool, typer.Option("--worst", help="The nuisance setting with the worst type I error.")] = False,
    tornado: Annotated[
        bool, typer.Option("--tornado", help="The tornado beside what else is asked; alone it is the default.")
    ] = False,
    estimand: Annotated[str, typer.Option("--estimand", metavar="NAME", help="The question.")] = "primary",
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            help="Patients randomised. [default: the scenario's, of several the one with power nearest the target]",
            show_default=False,
        ),
    ] = None,
    target: Annotated[float, typer.Option("--target", metavar="P", help="Power that is wanted.")] = 0.8,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="R",
            help="Simulated trials of each setting, in blocks of 250. [default: 2,000; 1,000 for --heat, --tipping, "
            "--worst]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write answers, tables and figures here.", show_default=False),
    ] = None,
    workers: Workers = None,
    settings: Settings = None,
    quiet: NoBar = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Show what the answer hangs on.

    Without further options a tornado: power as each assumption goes from one end of its plausible range to the other.
    Ranges are the evidence catalogue's, those under `sensitivity` in the scenario, and those of --range.
    """
    from trialsim import api

    alone = not (heat or against or tipping or worst)
    _none_for_nothing({
        "--metric": (metric != Metric.power and not (tornado or alone or (heat and metric == Metric.type_i_error)),
                     "chooses what a tornado shows (a heat map: power or type_i_error): add --tornado"),
        "--range": (bool(ranges) and not (tornado or alone or heat or worst),
                    "is of a tornado, --heat or --worst: add one of them"),
        "--steps": (steps != 5 and not heat, "is of a heat map: add --heat PATH PATH"),
        "--together": (bool(together) and not against, "joins assumptions of --against: add it with its FILE"),
        "--limit": (limit is not None and not tipping, "is the largest delta of --tipping: add it"),
    })  # fmt: skip
    scenario = api.load(file, settings=parse_settings(settings))
    by_hand = _by_hand(ranges)
    shared: dict[str, Any] = {"estimand": estimand, "n": n, "workers": workers}
    shared |= {} if replicates is None else {"replicates": replicates}
    parts: list[Part] = []
    if tornado or alone:
        of_tornado = {"metric": metric.value, "ranges": by_hand, "target": target, **shared}
        parts.append(("Tornado", lambda **more: api.sensitivity(scenario, **of_tornado, **more)))
    if heat is not None:
        of_heat = {"ranges": by_hand, "steps": steps, "target": target, **shared}
        if metric.value == "type_i_error":
            of_heat["metric"] = metric.value
        parts.append(("Heat map", lambda **more: api.heat_map(scenario, heat[0], heat[1], **of_heat, **more)))
    if against is not None:
        other: Scenario = api.load(against)
        groups = [[path.strip() for path in text.split(",")] for text in together or ()]
        parts.append((
            "Attribution",
            lambda **more: api.attribute(scenario, other, together=groups, target=target, **shared, **more),
        ))  # fmt: skip
    if tipping:
        parts.append((
            "Tipping point",
            lambda **more: api.design_tipping_point(scenario, limit=limit, target=target, **shared, **more),
        ))  # fmt: skip
    if worst:
        parts.append((
            "Worst type I error", lambda **more: api.worst_type_i_error(scenario, ranges=by_hand, **shared, **more)
        ))  # fmt: skip
    if len(parts) > 1:
        _check(parts)
    answers: list[Sensitivity] = []
    try:
        for name, find in parts:
            answers.append(_found(name, find, quiet=quiet or as_json))
    finally:
        # What shows itself only in simulated trials loses no answer that was found before.
        if answers:
            _tell(answers, out, as_json=as_json)


class _CheckedError(Exception):
    """Ends a part where its checks end."""


def _check(parts: list[Part]) -> None:
    """Check every part before any of them begins to work; all faults are told at once."""
    from trialsim.errors import Fault, InputError

    def stop(done: int, total: int) -> None:
        raise _CheckedError

    faults: list[Fault] = []
    for _, find in parts:
        try:
            find(progress=stop)
        except InputError as error:
            faults += [fault for fault in error.faults if fault not in faults]
        except _CheckedError:
            pass
    if faults:
        raise InputError(faults)


def _none_for_nothing(options: dict[str, tuple[bool, str]]) -> None:
    """Refuse options that nothing asked for takes account of."""
    from trialsim.errors import Fault, InputError

    faults = [Fault(option, words) for option, (in_vain, words) in options.items() if in_vain]
    if faults:
        raise InputError(faults)


def _by_hand(ranges: list[str] | None) -> dict[str, tuple[Any, Any]]:
    from trialsim.errors import Fault, InputError
    from trialsim.scenario.ranges import parse_range

    found: dict[str, tuple[Any, Any]] = {}
    for text in ranges or ():
        path, ends = parse_range(text)
        if path in found:
            raise InputError([Fault(f"--range {text}", f"{path} has a range already; keep one")])
        found[path] = ends
    return found


def _found(name: str, find: Callable[..., Sensitivity], *, quiet: bool) -> Sensitivity:
    if quiet:
        return find()
    from trialsim.cli.progress import progress_bar

    with progress_bar(name) as progress:
        return find(progress=progress)


def _tell(answers: list[Sensitivity], out: Path | None, *, as_json: bool) -> None:
    files = {name: content for answer in answers for name, content in (answer.files() if out else {}).items()}
    if out is not None:
        from trialsim.cli.folders import write_into

        write_into(out, files)
    if as_json:
        import json

        told = [answer.to_dict() for answer in answers]
        typer.echo(json.dumps(told[0] if len(told) == 1 else told, indent=2))
        return
    typer.echo("\n\n".join(answer.text for answer in answers))
    if out is not None:
        typer.echo(f"Written into {out}: {', '.join(files)}.")
