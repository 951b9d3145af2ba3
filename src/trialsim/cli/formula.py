"""`trialsim formula`: power, size or effect by a closed form, without simulating."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.api.formula import MODULES, SUBJECTS
from trialsim.cli.options import AsJson
from trialsim.cli.plain import PlainCommand
from trialsim.cli.text import definitions, heading, paragraph
from trialsim.errors import Fault, InputError, UnreachableError

if TYPE_CHECKING:
    from trialsim.cli.formula_source import Argument, FormulaSource
    from trialsim.planning.formulas import Answer

_CHOSEN = "trialsim.formula"


class FormulaCommand(PlainCommand):
    """The command whose help is that of the formula named on the line, where one is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take note of the formula before help is shown."""
        ctx.meta[_CHOSEN] = next((word for word in args[:1] if word in MODULES), None)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the formula, or of the command."""
        name = ctx.meta.get(_CHOSEN)
        if name is None:
            super().format_help(ctx, formatter)
            return
        from trialsim.cli.formula_source import formula_source

        _show_help(formula_source(name))


SETTINGS: dict[str, Any] = {
    "cls": FormulaCommand,
    # The arguments of a formula are its own: they are read below, not by the parser of the program.
    "context_settings": {"ignore_unknown_options": True},
}
"""How the command is registered."""


def formula(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The formula; its arguments follow, such as --sd 6. None: list them.",
            show_default=False,
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGUMENTS", help="See trialsim formula NAME --help.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question of power or size by a formula.

    Give all but one of effect, size and power: the one left out is solved for. Without a NAME the formulas are listed
    by subject.
    """
    if name is None:
        _list(as_json=as_json)
        return
    from trialsim.cli.formula_source import formula_source

    _require_known(name)
    source = formula_source(name)
    given = _read(source, arguments or [])
    try:
        found = _solve(source, given)
    except UnreachableError as error:
        _tell_unreachable(source, given, error, as_json=as_json)
        return
    if as_json:
        import json

        typer.echo(json.dumps(_as_json(source, given, found), indent=2, ensure_ascii=False))
    else:
        _show(source, found)


def _list(*, as_json: bool) -> None:
    from trialsim.cli.formula_source import summary_of

    subjects = {
        subject: {name: summary_of(name) for _, names in parts for name in names} for subject, parts in SUBJECTS.items()
    }
    if as_json:
        import json

        typer.echo(json.dumps(subjects, indent=2, ensure_ascii=False))
        return
    for subject, formulas in subjects.items():
        heading(subject)
        definitions(list(formulas.items()))
    paragraph("trialsim formula NAME --help tells what a formula takes.")


def _require_known(name: str) -> None:
    if name in MODULES:
        return
    if name.startswith("-"):
        message = "the formula comes first: trialsim formula NAME, then its arguments"
    else:
        near = _near(name)
        message = f"is no formula{f'; did you mean {near[0]}?' if near else ''} (trialsim formula lists them)"
    raise InputError([Fault(f"trialsim formula {name}", message)])


def _near(name: str) -> list[str]:
    """Return a formula that a name may have meant: one that has all its words (`t_test`: two_sample_t), or is close."""
    from difflib import get_close_matches

    words = set(name.lower().replace("-", "_").removesuffix("test").strip("_").split("_"))
    return [one for one in MODULES if words <= set(one.split("_"))][:1] or get_close_matches(name, MODULES, 1)


# Reading what was given ---------------------------------------------------------------------------------------


def _read(source: FormulaSource, words: list[str]) -> dict[str, Any]:
    """Return the arguments by name; all faults are told at once."""
    options = {argument.option: argument for argument in source.arguments}
    options.update({"--effect": one for one in source.arguments if one.is_effect})  # noqa: B035 - one at most
    given: dict[str, Any] = {}
    faults, waiting = [], list(words)
    while waiting:
        option, equals, value = waiting.pop(0).partition("=")
        argument = options.get(option)
        if argument is None:
            faults.append(_unknown(source, option, options))
            # What follows belongs to it: it is not told of a second time.
            if option.startswith("--") and not equals and waiting and not waiting[0].startswith("--"):
                waiting.pop(0)
            continue
        if argument.name in given:
            faults.append(_fault(source, option, f"is given twice ({argument.option}); keep one"))
        if argument.kind == "flag":
            given[argument.name] = True
            continue
        if not equals:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else ""
        try:
            given[argument.name] = _value(argument, value)
        except ValueError:
            faults.append(_fault(source, option, _wrong(argument, value)))
            given[argument.name] = None
    faults += [
        _fault(source, one.option, f"is missing. {one.help}")
        for one in source.arguments
        if one.required and one.name not in given
    ]
    if faults:
        raise InputError(faults)
    return given


def _fault(source: FormulaSource, option: str, message: str) -> Fault:
    return Fault(f"trialsim formula {source.name} {option}", message)


def _unknown(source: FormulaSource, option: str, options: dict[str, Argument]) -> Fault:
    from difflib import get_close_matches

    if not option.startswith("--"):
        return _fault(source, option, "belongs to no argument; several numbers are written with commas, such as 5,6")
    near = get_close_matches(option, options, 1)
    return _fault(source, option, f"is no argument; {f'did you mean {near[0]}?' if near else 'see --help'}")


def _value(argument: Argument, text: str) -> Any:
    """Return a value as the formula takes it; ValueError where it is none."""
    if argument.kind == "text":
        if not text:
            raise ValueError
        return text
    if argument.kind == "whole":
        return int(text)
    if argument.kind == "number":
        return float(text)
    if text.lstrip().startswith("["):
        import json

        return json.loads(text)
    rows = [[float(cell) for cell in row.replace(":", ",").split(",")] for row in text.split(";")]
    if len(rows) > 1:
        return rows
    return rows[0] if len(rows[0]) > 1 else rows[0][0]


def _wrong(argument: Argument, text: str) -> str:
    wanted = {
        "text": "a word",
        "whole": "a whole number",
        "number": "a number",
        "numbers": "numbers with commas between them, and rows with semicolons, such as 5,6 or '1,.5;.5,1'",
    }[argument.kind]
    return f"must be {wanted}, not {text!r}" if text else f"needs {wanted}"


def _solve(source: FormulaSource, given: dict[str, Any]) -> Answer | float:
    """Return the answer; what a formula refuses is told by the options of the command line."""
    from trialsim.api import formula as formulas

    options = {argument.name: argument.option for argument in source.arguments}
    told = {argument.name: "--effect" if argument.is_effect else argument.option for argument in source.arguments}
    named = re.compile(rf"\b({'|'.join(map(re.escape, told))})\b")

    def by_option(message: str) -> str:
        return named.sub(lambda found: told[found[0]], message) if message.startswith("leave out") else message

    for argument in source.arguments:
        # An effect that is 0 unless given is solved for where nothing else is left out.
        if argument.is_effect and argument.optional and {"n_total", "power"} <= given.keys():
            given.setdefault(argument.name, None)
    found: Answer | float
    try:
        found = getattr(formulas, source.name)(**given)
    except UnreachableError:
        raise
    except InputError as error:
        raise InputError(
            [_fault(source, options.get(fault.path, fault.path), by_option(fault.message)) for fault in error.faults]
        ) from None
    except (TypeError, ValueError, IndexError) as error:
        # A table of numbers of a shape that the formula cannot take.
        tables = ", ".join(options[name] for name, value in given.items() if isinstance(value, list))
        raise InputError([_fault(source, tables, f"{error}; see --help for how many numbers belong there")]) from None
    return found


# Telling ------------------------------------------------------------------------------------------------------


def _show_help(source: FormulaSource) -> None:
    """Print what a formula answers and takes."""
    typer.echo(f"Usage: trialsim formula {source.name} [ARGUMENTS] [--json]\n")
    paragraph(f"{source.summary}.", 2)
    if source.leaves_out:
        typer.echo()
        paragraph("Give all but one of effect, size and power: the one left out is solved for.", 2)
    typer.echo("\nArguments:")
    definitions([(_option_words(one), _help_words(one)) for one in source.arguments])
    typer.echo()
    paragraph("Several numbers are written with commas, rows of a table with semicolons: 5,6 or '1,.5;.5,1'.", 2)
    for title, texts in (("Formula", (source.notes,)), ("Source", source.sources)):
        if any(texts):
            typer.echo(f"\n{title}:")
            for text in texts:
                paragraph(text.replace("`", ""), 2)


def _option_words(argument: Argument) -> str:
    return f"{argument.option}, --effect" if argument.is_effect and argument.option != "--effect" else argument.option


def _help_words(argument: Argument) -> str:
    text = argument.help.replace("`", "")
    if argument.required:
        return f"{text} [required]".strip()
    if argument.default is None or argument.kind == "flag":
        return text
    default = argument.default
    shown = ",".join(f"{part:g}" for part in default) if isinstance(default, tuple) else default
    return f"{text} [default: {shown}]".strip()


def _show(source: FormulaSource, found: Answer | float) -> None:
    """Print an answer with its method and source."""
    from trialsim.report.words import number

    if isinstance(found, float):
        rows = [("value", number(found))]
    else:
        rows = [
            ("power", f"{found.power:.4f}"),
            ("effect", number(found.effect)),
            ("size", _size_words(found)),
            ("level", f"{'two' if found.sides == 2 else 'one'}-sided {found.alpha:g}"),
            *((name.replace("_", " "), number(value)) for name, value in found.details.items()),
            ("method", found.method),
        ]
        # What was asked for comes first.
        rows.sort(key=lambda row: row[0] != found.quantity)
    heading(source.summary)
    definitions([*rows, *(("source", text) for text in source.sources)])


def _tell_unreachable(source: FormulaSource, given: dict[str, Any], error: UnreachableError, *, as_json: bool) -> None:
    """Say that nothing gives what is asked for, why, and the highest that was found: an answer, not a fault."""
    if as_json:
        import json

        told = {
            "formula": source.name, "given": given, "source": list(source.sources), "quantity": error.faults[0].path,
            "value": None, "reason": error.reason, "highest": error.highest,
        }  # fmt: skip
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    heading(source.summary)
    paragraph(f"{given['power']:g} cannot be reached: {error.reason}. Highest found: {error.highest:.4f}.", 2)


def _size_words(found: Answer) -> str:
    arms = " (control + active)" if len(found.n) == 2 else ""
    exact = " + ".join(f"{size:.6g}" for size in found.n)
    if found.quantity == "power" or found.quantity == "effect":
        return f"{found.n_total:g} {found.unit}{f': {exact}{arms}' if len(found.n) > 1 else ''}"
    rounded = " + ".join(str(size) for size in found.n_rounded)
    shown = f": {rounded}{arms}" if len(found.n) > 1 else ""
    return f"{found.n_total_rounded} {found.unit}{shown}; {exact} before rounding up"


def _as_json(source: FormulaSource, given: dict[str, Any], found: Answer | float) -> dict[str, Any]:
    told: dict[str, Any] = {"formula": source.name, "given": given, "source": list(source.sources)}
    if isinstance(found, float):
        return {**told, "value": found}
    return {
        **told,
        "quantity": found.quantity,
        "value": found.value,
        "power": found.power,
        "effect": found.effect,
        "n": list(found.n),
        "n_rounded": list(found.n_rounded),
        "n_total_rounded": found.n_total_rounded,
        "unit": found.unit,
        "alpha": found.alpha,
        "sides": found.sides,
        "method": found.method,
        "details": dict(found.details),
    }
