"""What is known: published numbers, instruments and planning defaults, each with its source.

A quantity is addressed by a dotted name. The first part says where it comes from:

- a study key (``danayan2023.bpd.qids_sr16.change``): what that study published;
- ``defaults`` (``defaults.trd_bpd.madrs.baseline``): a planning default, tagged measured, derived or assumed;
- ``instruments`` (``instruments.gad7.mcid``): a property of a rating scale.

Two more kinds of names are made from quantities: ``priors`` (``priors.ketamine_vs_midazolam.madrs.day1``) are
distributions for what is unknown, given by `prior`; ``pools`` (``pools.ketamine_vs_saline.madrs.week2``) are controlled
trials of one question, pooled by `pool`.

Data files are read when first asked for and only those that a name needs; nothing numeric is imported before a prior is
evaluated or trials are pooled.
"""

from __future__ import annotations

from trialsim.evidence.describe import TABLE_COLUMNS, Description, describe, overview, table_row
from trialsim.evidence.document import markdown
from trialsim.evidence.pooling import PooledEffect, StudyEffect, StudySet, pool, study_set, study_set_names
from trialsim.evidence.priors import Prior, has_prior, pooling_prior, prior, prior_groups, prior_names, priors_of
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
    "PooledEffect",
    "Prior",
    "Quantity",
    "Section",
    "Study",
    "StudyEffect",
    "StudySet",
    "UnknownEvidenceError",
    "citation",
    "citation_keys",
    "citations",
    "describe",
    "find",
    "get",
    "has",
    "has_prior",
    "instrument",
    "instrument_names",
    "instruments",
    "markdown",
    "names",
    "overview",
    "pool",
    "pooling_prior",
    "prior",
    "prior_groups",
    "prior_names",
    "priors_of",
    "section",
    "section_keys",
    "sections",
    "studies",
    "study",
    "study_keys",
    "study_set",
    "study_set_names",
    "table_row",
]
