"""Names of the evidence catalogue that a document uses and the catalogue does not have.

Looked for in the document itself, so that a slip in a name is told although other parts have the wrong shape and no
number can be worked out yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trialsim import evidence
from trialsim.errors import Fault
from trialsim.scenario.document import Node
from trialsim.scenario.paths import Path, fault_at
from trialsim.scenario.words import did_you_mean, nearest


def unknown_names(root: Node) -> list[Fault]:
    """Return one fault for each evidence set, instrument, study or quantity that is named and unknown."""
    return [*_baselines(root), *_instruments(root), *_changes(root)]


def _entries(root: Node, *path: str) -> dict[str, Node]:
    """Return the entries of the mapping at a path, none where there is no mapping."""
    node: Node | None = root
    for part in path:
        node = node.child(part) if node is not None else None
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _text(node: Node, key: str) -> str | None:
    child = node.child(key)
    return child.value if child is not None and isinstance(child.value, str) else None


def _baselines(root: Node) -> Iterator[Fault]:
    """Yield evidence sets of baseline scores that do not exist, named or meant by the name of the group."""
    sets = sorted({quantity.name.rsplit(".", 2)[0] for quantity in evidence.find() if _is_baseline(quantity.name)})
    for name, stratum in _entries(root, "population", "strata").items():
        given = _text(stratum, "baseline")
        if given is None and stratum.child("baseline") is not None:
            continue
        source = given or f"defaults.trd_{_text(stratum, 'group') or name}"
        if not evidence.find(source):
            hint = did_you_mean(source, sets)
            message = f"there is no evidence set '{source}'{hint}"
            yield fault_at(root, ("population", "strata", name, "baseline"), message)


def _is_baseline(name: str) -> bool:
    return name.endswith(".baseline") and name.startswith("defaults.")


def _instruments(root: Node) -> Iterator[Fault]:
    known = evidence.instrument_names()
    for name, outcome in _entries(root, "outcomes").items():
        given = _text(outcome, "instrument")
        if given is not None and given not in known:
            message = f"the catalogue has no instrument '{given}'{did_you_mean(given, known)}"
            yield fault_at(root, ("outcomes", name, "instrument"), message)
        elif given is None and name not in known and outcome.child("scale") is None:
            close = nearest(name, known)
            hint = f"did you mean '{close}'? Otherwise " if close else ""
            message = f"the bounds of '{name}' are not known: {hint}give scale: {{min, max, step}} or scale: continuous"
            yield fault_at(root, ("outcomes", name, "scale"), message, key=True)


def _changes(root: Node) -> Iterator[Fault]:
    studies = evidence.study_keys()
    for arm in _entries(root, "effects"):
        path: Path = ("effects", arm, "open_label_change")
        given = _text(_entries(root, "effects")[arm], "open_label_change")
        if given is not None and not evidence.find(given):
            yield fault_at(root, path, f"the catalogue has no study '{given}'{did_you_mean(given, studies)}")
        for outcome, change in _entries(root, *path).items():
            yield from _quantity(root, (*path, outcome), change.value)
            for stratum, own in _entries(root, *path, outcome).items():
                yield from _quantity(root, (*path, outcome, stratum), own.value)


def _quantity(root: Node, path: Path, value: Any) -> Iterator[Fault]:
    if isinstance(value, str) and not evidence.has(value):
        close = nearest(value, evidence.names())
        hint = (
            f"; did you mean '{close}'?" if close else "; give a number or a name such as danayan2023.bpd.madrs.change"
        )
        yield fault_at(root, path, f"'{value}' is not in the catalogue{hint}")


__all__ = ["unknown_names"]
