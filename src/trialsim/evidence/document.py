"""The evidence as one Markdown page, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from trialsim.evidence import pooling, priors, store
from trialsim.evidence.describe import (
    central_text,
    describe_group,
    number_text,
    pooled_facts,
    spread_text,
    value_text,
)
from trialsim.evidence.types import Quantity, Section

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

POOLED = """\
## Pooled trials

Controlled trials of one question, pooled by random effects (REML) with the Hartung-Knapp interval, not narrower than
the fixed-effect one; see [from evidence to effect](concepts/from_evidence_to_effect.md). A single trial is shown as it
is. Sets may share trials: they are alternatives.
"""

PRIORS = """\
## Priors

Distributions for what is not known before the trial, made from the numbers above; see [from evidence to
effect](concepts/from_evidence_to_effect.md).
"""


def markdown() -> str:
    """Return the whole store as Markdown: defaults, studies, instruments, pooled trials, priors, references."""
    parts = [INTRODUCTION, "## Planning defaults\n"]
    parts += [_entry(section.key, section.key, "") for section in store.sections()]
    parts.append("## Studies\n")
    parts += [_entry(study.key, study.key, study.key) for study in store.studies()]
    parts.append("## Instruments\n")
    parts += [_entry(scale.name, scale.name, f"instruments.{scale.name}") for scale in store.instruments()]
    parts += [POOLED, "\n".join(_pooled()) + "\n", PRIORS]
    parts += [_group_of_priors(group) for group in priors.prior_groups()]
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


def _pooled() -> list[str]:
    """Return all pooled effects as the lines of a Markdown table."""
    lines: list[str] = []
    for name in pooling.study_set_names():
        facts = pooled_facts(pooling.pool(name))
        if not lines:
            lines = [f"| name | {' | '.join(key for key, _ in facts)} |", "|---" * (len(facts) + 1) + "|"]
        lines.append(f"| `{name}` | {' | '.join(text for _, text in facts)} |")
    return lines


def _group_of_priors(group: Section) -> str:
    """Return one group of priors: notes as a list, priors as a table."""
    headings = ("name", "distribution", "mean", "SD", "central 95 %", "unit", "tag", "origin")
    lines = [f"### {group.key}", "", group.label, "", *(f"- note: {note}" for note in group.notes), ""]
    lines += [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for name in priors.priors_of(group.key):
        prior = priors.prior(name)
        numbers = (number_text(prior.mean), number_text(prior.sd), central_text(prior))
        texts = (prior.formula, *numbers, prior.unit, prior.tag, _cell(prior.origin))
        lines.append(f"| `{name}` | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


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
