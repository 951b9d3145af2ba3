"""The evidence as one Markdown page, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from trialsim.evidence import store
from trialsim.evidence.describe import describe_group, spread_text, value_text
from trialsim.evidence.types import Quantity

INTRODUCTION = """\
# Evidence

Every number that trialsim takes from the literature, and every default that it would otherwise have to
invent, with its source. `trialsim evidence NAME` shows one of them; a scenario refers to them by name.

- **measured**: read in a publication, its tables or its registry entry.
- **derived**: computed from measured values; the basis has the arithmetic.
- **assumed**: chosen, because no measured source was found, or remembered and not verified.

A negative change is improvement, and an effect is active minus control on the score as it is, unless the
basis says otherwise. Most sources were read as abstracts, result tables or registry entries; a number from
inside a paper should be checked against the paper before a protocol rests on it. A `range` beside a default
is the span worth sweeping, not a confidence interval.
"""


def markdown() -> str:
    """Return the whole store as Markdown: defaults, studies, instruments, references."""
    parts = [INTRODUCTION, "## Planning defaults\n"]
    parts += [_entry(section.key, section.key, "") for section in store.sections()]
    parts.append("## Studies\n")
    parts += [_entry(study.key, study.key, study.key) for study in store.studies()]
    parts.append("## Instruments\n")
    parts += [_entry(scale.name, scale.name, f"instruments.{scale.name}") for scale in store.instruments()]
    parts += ["## References\n", _references()]
    return "\n".join(parts)


def _entry(name: str, heading: str, below: str) -> str:
    """Return one study, instrument or group of defaults: facts as a list, quantities as a table.

    `below` is the part of the quantities' names that the heading already says.
    """
    about = describe_group(name)
    lines = [f"### {heading}", "", about.title, ""]
    lines += [f"- {key}: {_cell(text)}" for key, text in about.facts]
    lines += ["", *_table(about.quantities, below)] if about.quantities else []
    return "\n".join(lines).rstrip() + "\n"


def _table(quantities: Iterable[Quantity], below: str) -> list[str]:
    """Return quantities as the lines of a Markdown table."""
    headings = ("name", "value", "spread", "n", "time", "tag", "basis", "source")
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for quantity in quantities:
        name = quantity.name.removeprefix(f"{below}.") if below else quantity.name
        size = "" if quantity.n is None else str(quantity.n)
        numbers = (value_text(quantity), spread_text(quantity), size)
        words = (quantity.time, quantity.tag, quantity.basis, quantity.citation)
        texts = [f"`{name}`", *(_cell(text) for text in (*numbers, *words))]
        lines.append(f"| {' | '.join(texts)} |")
    return lines


def _references() -> str:
    """Return all publications as a Markdown list, by key."""
    lines = []
    for citation in store.citations():
        link = f" <{citation.link}>" if citation.link else ""
        lines.append(f"- `{citation.key}`: {citation.text}.{link}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text that cannot break a table."""
    return text.replace("|", "\\|").replace("\n", " ")
