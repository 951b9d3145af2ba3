"""Faults in what an option is given, told in plain words instead of those of the library that reads options."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

_NUMBERS = {"int_parsing": "a whole number", "int_from_float": "a whole number", "float_parsing": "a number"}
_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}


class PlainCommand(TyperCommand):
    """A command that tells what an option must be."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the arguments; faults of values are told in plain words."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _plain(error)
            raise


def _plain(error: typer.BadParameter) -> str:
    from pydantic import ValidationError

    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return error.message
    detail = cause.errors(include_url=False)[0]
    kind, given = detail["type"], detail["input"]
    if kind in _NUMBERS:
        return f"must be {_NUMBERS[kind]}, not '{given}'."
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {detail['ctx'][name]}, not {given}."
    return error.message.removeprefix("Value error, ")
