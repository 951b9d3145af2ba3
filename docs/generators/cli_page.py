"""docs/cli.md: every command with its arguments and options, from the program itself."""

from __future__ import annotations

from typing import Any

INTRODUCTION = """\
# Command line

`trialsim COMMAND --help` shows the same on the screen, and `trialsim --version` the version. `python -m trialsim`
does what `trialsim` does.
"""

EXIT_CODES = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | Done. Also a finished run that was asked for again. |
| 2 | Bad input: a fault in a scenario, in `--set` or in an option, or a name that has no evidence. Nothing was run. |
| 3 | The run could not be carried out or finished, such as a full disk. |
| 4 | Refused: the run folder holds something else, or a file would be written over. Nothing was changed. |
| 130 | Interrupted with Ctrl-C. Finished blocks are kept, and the same command goes on from there. |
| 143, 129 | The same, where a system ended it (SIGTERM) or its terminal closed (SIGHUP). |

Faults are told as `file:line:column: path: what is wrong`, all at once, on the error stream, without a traceback.
`--debug`, anywhere on the line, shows the traceback. Progress goes to the error stream too, so results can be piped.
"""


def page() -> str:
    """Return the page."""
    from typer.main import get_command

    from trialsim.cli.app import app

    group: Any = get_command(app)
    parts = [INTRODUCTION, _table_of(group.commands)]
    parts += [_command(name, command) for name, command in group.commands.items()]
    return "\n".join([*parts, EXIT_CODES])


def _table_of(commands: dict[str, Any]) -> str:
    rows = [f"| [`{name}`](#trialsim-{name}) | {_first_line(command.help)} |" for name, command in commands.items()]
    return "\n".join(["| command | what it does |", "|---|---|", *rows, ""])


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    words = [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
    usage = " ".join(["trialsim", name, *(["[OPTIONS]"] if options else []), *words])
    rows = [(p.metavar, p.help) for p in arguments]
    rows += [(" ".join([", ".join(p.opts), *([p.metavar] if p.metavar else [])]), p.help) for p in options]
    body = " ".join(command.help.split("\n\n", 1)[1].split()) if "\n\n" in command.help else ""
    lines = [f"## trialsim {name}", "", _first_line(command.help), *(["", body] if body else []), ""]
    lines += [f"    {usage}", "", "| argument or option | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{what}` | {meaning} |" for what, meaning in rows), ""])
