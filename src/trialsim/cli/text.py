"""Running text on the screen: wrapped to its width, with hanging indents, and without anything cut short."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

import typer


def heading(text: str) -> None:
    """Print a line in bold where the screen can."""
    typer.echo(typer.style(text, bold=True))


def paragraph(text: str, indent: int = 0) -> None:
    """Print a text wrapped to the screen; long words, such as links, stay whole.

    Parameters
    ----------
    text : str
    indent : int
        Columns to the left of every line.
    """
    blank = " " * indent
    width = shutil.get_terminal_size((80, 24)).columns
    typer.echo(
        textwrap.fill(
            text,
            max(width, indent + 20),
            initial_indent=blank,
            subsequent_indent=blank,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def definitions(facts: Sequence[tuple[str, str]], indent: int = 2) -> None:
    """Print headings on the left with their texts beside them.

    Parameters
    ----------
    facts : sequence of (str, str)
    indent : int
        Columns to the left of the headings.
    """
    longest = max((len(name) for name, _ in facts), default=0)
    width = shutil.get_terminal_size((80, 24)).columns
    for name, value in facts:
        first = f"{' ' * indent}{name:<{longest}}  "
        typer.echo(
            textwrap.fill(
                value,
                max(width, len(first) + 20),
                initial_indent=first,
                subsequent_indent=" " * len(first),
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
