"""Output in hand-written pages: every ```python block is run, and what it prints put into the ```text block after it.

All blocks of a page run in order in one namespace, from the project's folder. A block without a ```text block after it
is run too.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?P<shown>\n```text\n.*?```\n)?", re.DOTALL)


def refreshed(text: str) -> str:
    """Return a page with the output of its Python blocks as it is now.

    Parameters
    ----------
    text : str
        Markdown.
    """
    import pandas as pd

    names: dict[str, Any] = {}
    with contextlib.chdir(ROOT), pd.option_context("display.width", 110, "display.max_columns", 20):
        return BLOCK.sub(lambda match: _block(match, names), text)


def _block(match: re.Match[str], names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(match["code"], "a page of the documentation", "exec"), names)  # noqa: S102 - our own pages
    code = f"```python\n{match['code']}```\n"
    if match["shown"] is None:
        return code
    lines = [line.rstrip() for line in printed.getvalue().rstrip().splitlines()]
    return code + "\n```text\n" + "\n".join(lines) + "\n```\n"
