"""`trialsim diff`: what differs between two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trialsim.api.run_folders import RunDifference
    from trialsim.engine.difference import PowerDifference

_LONGEST = 60
_NULL_MARK = "†"


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run folder.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two runs.

    Values of their scenarios, and power in the cells that both have. Runs of one seed share their patients, so
    that their powers are compared replicate by replicate, with a far smaller Monte Carlo error than those of two
    seeds.
    """
    from trialsim import api

    found = api.diff(a, b)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2, ensure_ascii=False))
    else:
        _print(found)


def _as_json(found: RunDifference) -> dict[str, Any]:
    from trialsim.report.summary import json_records

    return {
        "same_scenario": found.same_scenario,
        "changed": [one._asdict() for one in found.found.changed],
        "power": json_records(found.power),
        "only_a": found.found.only_a,
        "only_b": found.found.only_b,
    }


def _print(found: RunDifference) -> None:
    from trialsim.cli.tables import print_grid

    typer.echo(f"A: {found.found.a}\nB: {found.found.b}")
    same = "Both scenarios have the same hash: results hang on the same values."
    typer.echo(same if found.same_scenario else "The scenarios differ.")
    if found.found.changed:
        typer.echo()
        rows = [(one.path, _value(one.a), _value(one.b)) for one in found.found.changed]
        print_grid(("Value", "A", "B"), rows, left=3)
    _print_power(found)


def _print_power(found: RunDifference) -> None:
    from trialsim.cli.tables import print_grid

    power = found.found.power
    for only, name in ((found.found.only_a, "A"), (found.found.only_b, "B")):
        if only:
            rows_have = "1 row of the summary of {} has" if only == 1 else f"{only} rows of the summary of {{}} have"
            typer.echo(f"\n{rows_have.format(name)} no counterpart.")
    if not power:
        typer.echo("\nNo cell is in both, so that no power can be compared.")
        return
    typer.echo()
    settings = list(power[0].setting)
    together = any(row.within_a or row.within_b for row in power)
    rows = [
        (
            *(str(row.setting[name]) for name in settings),
            _percent(row.power_a, row.mcse_a) + _mark(null=row.null_a),
            _percent(row.power_b, row.mcse_b) + _mark(null=row.null_b),
            _percent(row.difference, row.mcse, signed=True),
            *_alone(row, shown=together),
        )
        for row in power
    ]
    beside = ("Alone A", "Alone B") if together else ()
    print_grid((*settings, "Power A", "Power B", "A − B", *beside), rows, left=len(settings))
    shared = min(row.replicates for row in power)
    if power[0].paired:
        words = (
            f"A − B replicate by replicate, over the {shared:,} that both have and analysed: the patients are the same."
        )
    else:
        words = "A and B have other draws (seed or version): their errors add up."
    nulls = ""
    if any(row.null_a or row.null_b for row in power):
        nulls = f" {_NULL_MARK} Nothing is to be found there: the type I error."
    typer.echo(f"Power in % ± Monte Carlo standard error. {words}{nulls}")
    if together:
        typer.echo(_together_words(power))


def _alone(row: PowerDifference, *, shown: bool) -> tuple[str, ...]:
    """Return the power of the test alone in both runs, where it stands beside that of what decides the trial."""
    return (_percent(row.alone_a, row.alone_mcse_a), _percent(row.alone_b, row.alone_mcse_b)) if shown else ()


def _together_words(power: Sequence[PowerDifference]) -> str:
    """Return what the power is of, where hypotheses are tested together."""
    from trialsim.report.claims import CO_PRIMARY
    from trialsim.report.families import procedure_name
    from trialsim.scenario.words import listed

    sides = {"A": {row.within_a for row in power}, "B": {row.within_b for row in power}}
    told = {side: listed([procedure_name(name) for name in sorted(names - {""})]) for side, names in sides.items()}
    each = "; ".join(f"{side}: {names or 'none, each is tested alone'}" for side, names in told.items())
    if len(set(told.values())) == 1:
        each = told["A"]
    co_primary = (
        " Of co-primary hypotheses it is that of all in the same trial."
        if CO_PRIMARY in set().union(*sides.values())
        else ""
    )
    return f"Power is that within the procedure ({each}).{co_primary} Alone: the test alone, at its own level."


def _mark(*, null: bool) -> str:
    return f" {_NULL_MARK}" if null else ""


def _percent(value: float, mcse: float, *, signed: bool = False) -> str:
    from trialsim.report.words import fixed

    return f"{fixed(100 * value, 1, signed=signed)} ± {fixed(100 * mcse, 1)}"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
