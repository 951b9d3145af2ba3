"""Read the data files, one at a time and once each, and look things up in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from trialsim.errors import TrialsimError
from trialsim.evidence.types import Band, BandSet, Citation, Instrument, Quantity, Section, Study

DATA = Path(__file__).parent / "data"
NEAREST = 5
NUMBERS = ("value", "spread", "low", "high")
DEFAULTS, INSTRUMENTS, STUDIES = "defaults", "instruments", "studies"


class UnknownEvidenceError(TrialsimError, KeyError):
    """No evidence has this name; the message names the nearest ones that exist.

    Parameters
    ----------
    kind : str
        What was asked for: quantity, study, instrument or citation.
    name : str
        The name that is unknown.
    known : iterable of str
        All names of that kind.
    """

    exit_code = 2

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        # Imported here: only a mistake needs it, and evidence is on the path of every command.
        from difflib import get_close_matches

        self.name = name
        self.nearest = tuple(get_close_matches(name, list(known), n=NEAREST, cutoff=0.5))
        hint = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        self.message = f"no {kind} is called {name!r}{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message itself (a KeyError would show it quoted)."""
        return self.message


class DataFile(NamedTuple):
    """One parsed data file: what it is about, and its quantities by full name."""

    prefix: str
    head: Mapping[str, Any]
    quantities: Mapping[str, Quantity]


def get(name: str) -> Quantity:
    """Return the quantity of this name.

    Parameters
    ----------
    name : str
        Full dotted name.

    Raises
    ------
    UnknownEvidenceError
        A KeyError that names the nearest quantities.
    """
    for prefix in _prefixes_above(name):
        if name in (quantities := _data_file(prefix).quantities):
            return quantities[name]
    raise UnknownEvidenceError("evidence", name, names())


def has(name: str) -> bool:
    """Whether a quantity has this name."""
    return any(name in _data_file(prefix).quantities for prefix in _prefixes_above(name))


def find(prefix: str = "") -> tuple[Quantity, ...]:
    """Return the quantities at or below a dotted prefix, in the order of the data files.

    Parameters
    ----------
    prefix : str, optional
        Whole parts of a name: ``defaults.spread`` finds ``defaults.spread.madrs.post_sd``, ``defaults.sp``
        finds nothing. All quantities if empty.

    Returns
    -------
    tuple of Quantity
        Empty where nothing matches.
    """
    below = f"{prefix}."
    return tuple(
        quantity
        for file_prefix in _prefixes()
        if not prefix or f"{file_prefix}.".startswith(below) or below.startswith(f"{file_prefix}.")
        for name, quantity in _data_file(file_prefix).quantities.items()
        if not prefix or name == prefix or name.startswith(below)
    )


@cache
def names() -> tuple[str, ...]:
    """Return the names of all quantities, in the order of the data files."""
    return tuple(quantity.name for quantity in find())


def study_keys() -> tuple[str, ...]:
    """Return the keys of all studies, sorted."""
    return _stems(STUDIES)


def study(key: str) -> Study:
    """Return a study by its key."""
    if key not in study_keys():
        raise UnknownEvidenceError("study", key, study_keys())
    head = {name: _frozen(value) for name, value in _data_file(key).head.items() if name != "reference"}
    return Study(key=key, citation=key, **head)


def studies() -> tuple[Study, ...]:
    """Return all studies, by key."""
    return tuple(study(key) for key in study_keys())


def section_keys() -> tuple[str, ...]:
    """Return the keys of all groups of planning defaults, such as ``defaults.spread``, sorted."""
    return tuple(f"{DEFAULTS}.{stem}" for stem in _stems(DEFAULTS))


def section(key: str) -> Section:
    """Return one group of planning defaults by its key."""
    if key not in section_keys():
        raise UnknownEvidenceError("group of defaults", key, section_keys())
    head = {name: _frozen(value) for name, value in _data_file(key).head.items()}
    return Section(key=key, **head)


def sections() -> tuple[Section, ...]:
    """Return all groups of planning defaults, by key."""
    return tuple(section(key) for key in section_keys())


def instrument_names() -> tuple[str, ...]:
    """Return the names of all rating scales, sorted."""
    return _stems(INSTRUMENTS)


@cache
def instrument(name: str) -> Instrument:
    """Return a rating scale by its name, such as ``qids_sr16``."""
    if name not in instrument_names():
        raise UnknownEvidenceError("instrument", name, instrument_names())
    head = dict(_data_file(f"{INSTRUMENTS}.{name}").head)
    # A step such as 1/23 has no exact decimal, so the file may give numerator and denominator.
    if isinstance(head["step"], list):
        head["step"] = head["step"][0] / head["step"][1]
    head["bands"] = _bands(head.get("bands", []))
    others = head.get("alternative_bands", {}).items()
    head["alternative_bands"] = tuple(BandSet(key=key, bands=_bands(rows)) for key, rows in others)
    for key in ("minimum", "maximum", "step", "response", "remission", "mcid"):
        head[key] = None if head.get(key) is None else float(head[key])
    return Instrument(name=name, **head)


def instruments() -> tuple[Instrument, ...]:
    """Return all rating scales, by name."""
    return tuple(instrument(name) for name in instrument_names())


def citation_keys() -> tuple[str, ...]:
    """Return the keys of all publications, sorted."""
    return tuple(sorted((*study_keys(), *_other_citations())))


def citation(key: str) -> Citation:
    """Return the publication that a quantity, study or instrument refers to."""
    if key in study_keys():
        return Citation(key=key, **_data_file(key).head["reference"])
    if key not in _other_citations():
        raise UnknownEvidenceError("citation", key, citation_keys())
    return Citation(key=key, **_other_citations()[key])


def citations() -> tuple[Citation, ...]:
    """Return all publications, by key."""
    return tuple(citation(key) for key in citation_keys())


def _bands(rows: list[list[Any]]) -> tuple[Band, ...]:
    """Return severity grades from rows of (label, low, high)."""
    return tuple(Band(label=label, low=float(low), high=float(high)) for label, low, high in rows)


def _frozen(value: Any) -> Any:
    """Return a list as a tuple and anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


@cache
def _stems(folder: str) -> tuple[str, ...]:
    """Return the names of a folder's data files without their ending, sorted."""
    return tuple(sorted(path.stem for path in (DATA / folder).glob("*.toml")))


@cache
def _prefixes() -> tuple[str, ...]:
    """Return the name prefix of every data file: defaults first, then studies, then instruments."""
    return (
        *(f"{DEFAULTS}.{stem}" for stem in _stems(DEFAULTS)),
        *_stems(STUDIES),
        *(f"{INSTRUMENTS}.{stem}" for stem in _stems(INSTRUMENTS)),
    )


def _prefixes_above(name: str) -> tuple[str, ...]:
    """Return the data file prefix that a full name falls under: one or none."""
    parts = name.split(".")
    prefix = ".".join(parts[:2]) if parts[0] in (DEFAULTS, INSTRUMENTS) else parts[0]
    return (prefix,) if prefix in _prefixes() else ()


@cache
def _other_citations() -> Mapping[str, dict[str, str]]:
    """Return the publications that have no study file of their own."""
    return MappingProxyType(tomllib.loads((DATA / "citations.toml").read_text(encoding="utf-8")))


@cache
def _data_file(prefix: str) -> DataFile:
    """Read one data file.

    A file's ``[common]`` table holds what its quantities share; a quantity may overrule it. A study's
    quantities cite the study unless they say otherwise. The empty key names the prefix itself, for a group
    that is one number.
    """
    group, _, stem = prefix.rpartition(".")
    content = tomllib.loads((DATA / (group or STUDIES) / f"{stem}.toml").read_text(encoding="utf-8"))
    common = content.pop("common", {})
    if not group:
        common = {"citation": stem, **common}
    quantities = {
        (name := f"{prefix}.{key}" if key else prefix): _quantity(name, common | row)
        for key, row in content.pop("quantities", {}).items()
    }
    return DataFile(prefix, content, MappingProxyType(quantities))


def _quantity(name: str, row: dict[str, Any]) -> Quantity:
    """Return a quantity from its table; numbers become floats (n stays whole), lists become tuples."""
    fields: dict[str, Any] = {key: float(item) if key in NUMBERS else _frozen(item) for key, item in row.items()}
    return Quantity(name=name, **fields)
