"""The text of a new scenario file, to be edited by the user."""

from __future__ import annotations

from importlib.resources import files


def starter(*, title: str | None = None, schema_path: str | None = None) -> str:
    """Return a commented scenario that runs as it stands.

    Parameters
    ----------
    title : str, optional
        Title of the new scenario.
    schema_path : str, optional
        Where the JSON Schema lies, as seen from the new file; it gives editors completion and hints.

    Returns
    -------
    str
    """
    text = files("trialsim.scenario").joinpath("starter.yaml").read_text(encoding="utf-8")
    if title is not None:
        first, _, rest = text.partition("\ntitle: ")
        # A quoted YAML text is what JSON calls a string, so that any title is safe.
        from json import dumps

        text = f"{first}\ntitle: {dumps(title, ensure_ascii=False)}\n{rest.partition(chr(10))[2]}"
    return f"# yaml-language-server: $schema={schema_path}\n{text}" if schema_path else text
