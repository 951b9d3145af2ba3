"""The ledger: while numbers are found, where each came from is noted, and what is wrong is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from trialsim import evidence
from trialsim.errors import Fault
from trialsim.scenario.document import Node
from trialsim.scenario.paths import fault_at, find, join_path, key_mark
from trialsim.scenario.resolved import Provenance

Parts = Sequence[str | int]


class Ledger:
    """Sources and faults of one point of a scenario.

    Parameters
    ----------
    root : Node
        The document, for the places of faults and for what was given.
    """

    def __init__(self, root: Node) -> None:
        self.root = root
        self.faults: list[Fault] = []
        self._rows: dict[str, Provenance] = {}

    @property
    def rows(self) -> tuple[Provenance, ...]:
        """Every source noted, in the order of noting."""
        return tuple(self._rows.values())

    def fault(self, parts: Parts, message: str, *, key: bool = False, near: Parts | None = None) -> None:
        """Report what is wrong at the value (or the key) of a path; `near` is shown where the path is not written."""
        if near is not None and find(self.root, parts[:2]) is None:
            mark = key_mark(self.root, near)
            self.faults.append(mark.fault(join_path(parts), message))
        else:
            self.faults.append(fault_at(self.root, parts, message, key=key))

    def note(self, parts: Parts, value: Any, note: str = "") -> None:
        """Note a value as given if the document holds it, as a default if not."""
        node = find(self.root, parts)
        source: Literal["given", "default"] = "default" if node is None or node.value is None else "given"
        self._add(Provenance(join_path(parts), value, source, None, None, note))

    def note_whole(self, parts: Parts, value: Mapping[str, Any]) -> None:
        """Note a mapping in one row as far as the document holds it, and each default inside it in a row of its own."""
        if find(self.root, parts) is None:
            self.note(parts, dict(value))
            return
        written, defaults = self._divided(parts, value)
        self.note(parts, written)
        for place, default in defaults:
            self.note(place, default)

    def _divided(self, parts: Parts, value: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[Parts, Any]]]:
        written: dict[str, Any] = {}
        defaults: list[tuple[Parts, Any]] = []
        for key, part in value.items():
            place = (*parts, key)
            if find(self.root, place) is None:
                defaults.append((place, part))
            elif isinstance(part, Mapping):
                written[key], inner = self._divided(place, part)
                defaults += inner
            else:
                written[key] = part
        return written, defaults

    def derived(self, parts: Parts, value: Any, note: str) -> None:
        """Note a default that a rule makes from other values."""
        self._add(Provenance(join_path(parts), value, "default", "derived", None, note))

    def assumed(self, parts: Parts, value: Any, note: str) -> None:
        """Note a default that is assumed."""
        self._add(Provenance(join_path(parts), value, "default", "assumed", None, note))

    def evidence(self, parts: Parts, quantity: evidence.Quantity, value: Any = None, note: str = "") -> None:
        """Note a value taken from the evidence catalogue; its name is part of the note."""
        shown = quantity.value if value is None else value
        words = ". ".join(text.rstrip(".") for text in (quantity.name, note, quantity.basis) if text)
        source = (quantity.tag, quantity.citation)
        self._add(Provenance(join_path(parts), shown, "evidence", *source, words, quantity.name))

    def _add(self, row: Provenance) -> None:
        self._rows[row.path] = row


def known_quantity(name: str) -> evidence.Quantity | None:
    """Return a quantity of the evidence catalogue that has a value, or None."""
    if not evidence.has(name):
        return None
    quantity = evidence.get(name)
    return quantity if quantity.value is not None else None
