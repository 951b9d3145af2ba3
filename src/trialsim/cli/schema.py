"""`trialsim schema`: the JSON Schema of scenario files, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.files import write_own


def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to this file instead of the screen.", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema of scenario files.

    With it an editor completes keys and marks faults while you type. A file that is not such a schema is
    never written over.
    """
    from trialsim.scenario import json_schema_text

    text = json_schema_text()
    if out is None:
        typer.echo(text, nl=False)
        return
    write_own(out, text, replaceable=_is_schema)
    typer.echo(f"Wrote {out}")


def _is_schema(text: str) -> bool:
    """Whether a text is a schema of scenario files, of whatever version."""
    import json

    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and str(content.get("title")).startswith("trialsim scenario")
