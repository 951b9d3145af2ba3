"""A block of replicates of one variant at all its sample sizes: the one place where truth and estimate meet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.contract import Estimates, Observed
from trialsim.analysis.registry import METHODS
from trialsim.designs.allocation import allocate
from trialsim.patients.cohort import Cohort, PatientSource
from trialsim.scenario.resolved import Variant
from trialsim.streams import Streams


class Hypothesis(NamedTuple):
    """One analysis of one estimand.

    Attributes
    ----------
    estimand, analysis : int
        Indices into the variant's estimands and into that estimand's analyses.
    """

    estimand: int
    analysis: int


@dataclass(frozen=True, slots=True, eq=False)
class CellBlock:
    """The estimates of one hypothesis at one sample size, over the replicates of a block.

    Parameters
    ----------
    n : int
        Number randomised.
    hypothesis : Hypothesis
    estimates : Estimates
    share_missing : ndarray, shape (R,)
        Share of the randomised without a score at the estimand's visit.
    """

    n: int
    hypothesis: Hypothesis
    estimates: Estimates
    share_missing: NDArray[np.float64]


def hypotheses(variant: Variant) -> list[Hypothesis]:
    """Return every analysis of every estimand of a variant, in the scenario's order."""
    return [Hypothesis(e, a) for e, estimand in enumerate(variant.estimands) for a in range(len(estimand.analyses))]


class _ByContent:
    """A variant that compares by identity of content, so that a worker builds its patient model once."""

    def __init__(self, variant: Variant, key: str) -> None:
        self.variant, self.key = variant, key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.key == self.key


@lru_cache(maxsize=64)
def _source(variant: _ByContent) -> PatientSource:
    return PatientSource(variant.variant)


def draw_block(variant: Variant, key: str, streams: Streams, n_participants: int) -> Cohort:
    """Return the cohort of one block, randomised and followed.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario; with the variant's index it names the patient model.
    streams : Streams
    n_participants : int
    """
    source = _source(_ByContent(variant, f"{key}/{variant.index}"))
    stratum = source.enrol(streams, n_participants)
    arm = allocate(variant.allocation, stratum, variant.strata, streams)
    return source.follow(streams, stratum, arm)


def blinded(variant: Variant, cohort: Cohort) -> Observed:
    """Return what the analyst sees of a cohort."""
    return Observed(
        cohort.arm, cohort.stratum, len(variant.arms), len(variant.strata), cohort.baseline, cohort.observed
    )


def compute_block(variant: Variant, key: str, seed: int, block: int) -> list[CellBlock]:
    """Return all estimates of one block, ordered by sample size, then hypothesis.

    Parameters
    ----------
    variant : Variant
    key : str
        Hash of the scenario.
    seed, block : int
    """
    sizes = tuple(sorted(variant.sample_sizes))
    cohort = draw_block(variant, key, Streams(seed, block), sizes[-1])
    observed = blinded(variant, cohort)
    by_hypothesis = {}
    for hypothesis in hypotheses(variant):
        estimand = variant.estimands[hypothesis.estimand]
        analysis = estimand.analyses[hypothesis.analysis]
        by_hypothesis[hypothesis] = METHODS[analysis.method](observed, estimand, analysis, sizes)
    cells = []
    for s, n in enumerate(sizes):
        for hypothesis, results in by_hypothesis.items():
            visit = variant.estimands[hypothesis.estimand].visit
            missing = 1.0 - cohort.present[:, :n, visit].mean(axis=1)
            cells.append(CellBlock(n, hypothesis, results[s], missing))
    return cells
