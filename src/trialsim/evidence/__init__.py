"""What is known: published numbers, instruments and planning defaults, each with its source.

A quantity is addressed by a dotted name. The first part says where it comes from:

- a study key (``danayan2023.bpd.qids_sr16.change``): what that study published;
- ``defaults`` (``defaults.trd_bpd.madrs.baseline``): a planning default, tagged measured, derived or assumed;
- ``instruments`` (``instruments.gad7.mcid``): a property of a rating scale.

Data files are read when first asked for and only those that a name needs.
"""

from __future__ import annotations

from trialsim.evidence.describe import TABLE_COLUMNS, Description, describe, overview, table_row
from trialsim.evidence.document import markdown
from trialsim.evidence.store import (
    UnknownEvidenceError,
    citation,
    citation_keys,
    citations,
    find,
    get,
    has,
    instrument,
    instrument_names,
    instruments,
    names,
    section,
    section_keys,
    sections,
    studies,
    study,
    study_keys,
)
from trialsim.evidence.types import Band, Citation, Instrument, Quantity, Section, Study

__all__ = [
    "TABLE_COLUMNS",
    "Band",
    "Citation",
    "Description",
    "Instrument",
    "Quantity",
    "Section",
    "Study",
    "UnknownEvidenceError",
    "citation",
    "citation_keys",
    "citations",
    "describe",
    "find",
    "get",
    "has",
    "instrument",
    "instrument_names",
    "instruments",
    "markdown",
    "names",
    "overview",
    "section",
    "section_keys",
    "sections",
    "studies",
    "study",
    "study_keys",
    "table_row",
]
