"""Closed forms of power, sample size and detectable effect, one module a subject.

Every function takes all but one of effect, size and power, and returns an `Answer` with the one left out. The page
docs/concepts/closed_forms.md says which formula answers which question. Nothing here loads more than NumPy and SciPy's
special functions and root finding.
"""

from trialsim.planning.formulas import (
    ancova,
    association,
    assurance,
    clustered,
    equivalence,
    factorial,
    follow_up,
    longitudinal,
    means,
    parallel_comparison,
    partial_nesting,
    pilot,
    proportions,
    randomisation,
    ranks,
    recruitment,
    slopes,
    survival,
)
from trialsim.planning.formulas.answer import Answer

__all__ = [
    "Answer",
    "ancova",
    "association",
    "assurance",
    "clustered",
    "equivalence",
    "factorial",
    "follow_up",
    "longitudinal",
    "means",
    "parallel_comparison",
    "partial_nesting",
    "pilot",
    "proportions",
    "randomisation",
    "ranks",
    "recruitment",
    "slopes",
    "survival",
]
