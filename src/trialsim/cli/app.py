"""The `trialsim` command and what all its sub-commands share: errors without tracebacks, and exit codes."""

from __future__ import annotations

import errno
import functools
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo

from trialsim.cli.analyze import analyze
from trialsim.cli.assurance import assurance
from trialsim.cli.cohort import cohort
from trialsim.cli.compare import compare
from trialsim.cli.diff import diff
from trialsim.cli.evidence import evidence
from trialsim.cli.explain import explain
from trialsim.cli.formula import SETTINGS as FORMULA_SETTINGS
from trialsim.cli.formula import formula
from trialsim.cli.merge import merge
from trialsim.cli.new import new
from trialsim.cli.operations import operations
from trialsim.cli.plain import PlainCommand
from trialsim.cli.plot import plot
from trialsim.cli.replay import replay
from trialsim.cli.reproduce import reproduce
from trialsim.cli.run import run
from trialsim.cli.runs import runs
from trialsim.cli.schema import schema
from trialsim.cli.sensitivity import sensitivity
from trialsim.cli.size import size
from trialsim.cli.stopping import exit_code_of, stoppable
from trialsim.cli.trial import trial
from trialsim.cli.validate import validate
from trialsim.errors import InputError, ScenarioWarning, TrialsimError, visible

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: quick to show, easy to copy, and square brackets stay in it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from trialsim import __version__

        typer.echo(f"trialsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error arose (traceback); may stand anywhere on the line.")
    ] = False,
) -> None:
    """Simulate ketamine trials in treatment-resistant depression: power, sample size and design.

    A trial is described in one YAML file, the scenario. Start with `trialsim new my_trial.yaml`.
    """


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with its errors told in words and turned into exit codes."""

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> None:
        if "--debug" in sys.argv:
            command(*arguments, **options)
            return
        try:
            command(*arguments, **options)
        except TrialsimError as error:
            told = _as_written(error, command) if type(error) is InputError else error
            typer.echo(visible(str(told)), err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as interrupt:
            code = exit_code_of(interrupt)
            kept = (
                " Finished blocks are kept: the same command goes on from there." if command in (run, compare) else ""
            )
            with suppress(OSError):  # a terminal that closed
                typer.echo(f"Interrupted.{kept}", err=True)
            raise typer.Exit(code) from None
        except BrokenPipeError:
            raise typer.Exit(0) from None
        except (OSError, MemoryError) as error:
            typer.echo(visible(_system_words(error)), err=True)
            raise typer.Exit(TrialsimError.exit_code) from None
        except Exception as error:
            typer.echo(
                f"Unexpected {type(error).__name__}: {visible(str(error))}\n"
                "This is a fault of trialsim. Run the command again with --debug for the details to report.",
                err=True,
            )
            raise typer.Exit(TrialsimError.exit_code) from None

    return call


def _system_words(error: OSError | MemoryError) -> str:
    """Return what the operating system could not do, with the file it is about."""
    if isinstance(error, MemoryError):
        return f"The memory does not suffice. {error}".rstrip()
    if error.errno == errno.ENAMETOOLONG:
        return f"{str(error.filename)[:60]}…: the name is too long for the system. Give a shorter one."
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def _as_written(error: InputError, command: Callable[..., None]) -> InputError:
    """Return an error of which faults in what an option gave are told by the option as it is written."""
    written: dict[str, str] = {
        name: str(about.default)  # of an option in Annotated typer keeps the name there
        for name, hint in get_type_hints(command, include_extras=True).items()
        for about in getattr(hint, "__metadata__", ())
        if isinstance(about, OptionInfo) and str(about.default).startswith("--")
    }
    return InputError([replace(f, path=written.get(f.path, f.path)) if f.file is None else f for f in error.faults])


_COMMANDS = (
    new,
    validate,
    explain,
    run,
    merge,
    runs,
    trial,
    reproduce,
    diff,
    operations,
    size,
    assurance,
    compare,
    sensitivity,
    formula,
    cohort,
    plot,
    replay,
    analyze,
    evidence,
    schema,
)
"""In the order of the help."""

for _command in _COMMANDS:
    app.command(**(FORMULA_SETTINGS if _command is formula else {"cls": PlainCommand}))(_guarded(_command))


def _tell_warning(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
    """Print a warning about a scenario as an error is printed: it names its own place."""
    if issubclass(category, ScenarioWarning):
        typer.echo(str(message), err=True)
    else:
        _show_python_warning(message, category, *place, **options)


_show_python_warning = warnings.showwarning


def run_app() -> None:
    """Run the command line with the arguments of this process."""
    warnings.showwarning = _tell_warning
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    for place, argument in enumerate(arguments):
        if argument == "--out=" or (argument == "--out" and arguments[place + 1 : place + 2] == [""]):
            typer.echo("--out: is empty; name a place, such as . for the folder you are in", err=True)
            raise SystemExit(InputError.exit_code)
    with stoppable():
        app(args=arguments, prog_name="trialsim")
